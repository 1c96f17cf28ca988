"""Draws Compound V2 accounts, markets and liquidations for parity: most close to a threshold, several collaterals, interest in the call.

A draw says what stands in the contracts' storage before the call: markets that last accrued some blocks ago at some rate, an account whose
debts were written at older indices, prices. Sizes are solved so that the account lands beside the threshold that is aimed at when the call has
accrued its two markets; our own accounting aims, the contract decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from chain.accounting.compound_v2 import Market, RateModel, accrue, exchange_rate
from chain.units import WAD
from tests.devnet.compound_v2 import CLOSE_FACTOR, FACTORS, INCENTIVE, RESERVE_FACTOR, TOKENS

SYMBOLS = tuple(TOKENS)
AIMS = {"health 1": 0.3, "just enough": 0.27, "close factor": 0.15, "any": 0.16, "under water": 0.12}
ODD = (
    "unlisted collateral", "unlisted debt", "paused", "paused", "self", "self", "nothing", "not held", "not owed", "all", "tiny", "price of collateral",
    "price of debt", "not entered", "not entered", "not entered", "not entered", "not entered without a price",
)  # fmt: skip
ODD_SHARE = 0.22
ON_THE_EDGE = 0.12
OLDEST_BLOCKS = 200_000
MAX_UINT = 2**256 - 1


@dataclass(frozen=True)
class Draw:
    """What is written into storage, and the call. By symbol: cTokens, principals and the indices they were written at, prices, markets."""

    aim: str
    markets: Mapping[str, Market]
    ctokens: Mapping[str, int]
    principal: Mapping[str, int]
    index_then: Mapping[str, int]
    entered: tuple[str, ...]
    prices: Mapping[str, int]
    collateral: str
    owed: str
    repay: int
    unlisted: frozenset[str] = field(default=frozenset())
    paused: bool = False
    by_borrower: bool = False


def accrued(drawn: Draw, model: RateModel, block: int) -> dict[str, Market]:
    """The markets as the call finds them: its two accrue, the others stay as stored."""
    touched = (drawn.collateral, drawn.owed)
    return {s: accrue(one, model, block) if s in touched else one for s, one in drawn.markets.items()}


def draw(rng: np.random.Generator, cash: Mapping[str, int], model: RateModel, block: int) -> Draw:
    """One account and one call, to be mined in `block`. `cash` is what each market holds, smallest units."""
    aim = str(rng.choice(list(AIMS), p=list(AIMS.values())))
    prices = {s: int(price * _near_one(rng, s) * 10**18) * 10 ** (18 - d) for s, (d, price) in TOKENS.items()}
    held = [str(s) for s in rng.permutation(SYMBOLS)[: int(rng.choice([1, 2, 3, 4], p=[0.4, 0.25, 0.23, 0.12]))]]
    owes = [str(s) for s in rng.permutation(SYMBOLS)[: int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))]]
    collateral, owed = str(rng.choice(held)), str(rng.choice(owes))
    markets = {s: _market(rng, s, cash[s], block) for s in SYMBOLS}
    drawn = Draw(aim, markets, {}, {}, {}, tuple(rng.permutation([*{*held, *owes}])), prices, collateral, owed, 0)
    then = accrued(drawn, model, block)

    worth = float(np.clip(rng.lognormal(np.log(25_000), 1.6), 20, 3e6))
    supply = dict(zip(held, map(float, rng.dirichlet(np.full(len(held), 2.0)) * worth), strict=True))
    shares = dict(zip(owes, map(float, rng.dirichlet(np.full(len(owes), 2.0))), strict=True))
    health = {
        "health 1": _beside(rng),
        "just enough": float(rng.uniform(0.2, 0.9)),
        "close factor": float(rng.uniform(0.5, 0.999)),
        "any": float(rng.uniform(0.5, 1.05)),
        "under water": float(rng.uniform(0.15, 0.7)),
    }[aim]
    if aim == "just enough":
        share = CLOSE_FACTOR / WAD * INCENTIVE / WAD * float(rng.uniform(0.2, 0.999)) * shares[owed]
        supply[collateral] = _fitting(supply, collateral, share / health)
    limit = sum(usd * FACTORS[s] / WAD for s, usd in supply.items())
    debts = {s: share * limit / health for s, share in shares.items()}

    rates = {s: exchange_rate(one.supplied_raw, one.ctokens) for s, one in then.items()}
    index_then = {s: int(one.borrow_index * rng.uniform(0.7, 1.0)) for s, one in markets.items()}
    principal = {s: int(_raw(usd, prices[s]) * index_then[s] / then[s].borrow_index) + 1 for s, usd in debts.items()}
    ctokens = {s: int(_raw(usd, prices[s]) * 1e18 / rates[s]) for s, usd in supply.items()}
    most = principal[owed] * then[owed].borrow_index // index_then[owed] * CLOSE_FACTOR // WAD
    ratio = INCENTIVE * prices[owed] // WAD * WAD // (prices[collateral] * rates[collateral] // WAD)
    repay = int(rng.choice([most, int(most * rng.uniform(0.001, 0.99)), int(most * rng.uniform(0.3, 1.0))]))
    if aim == "just enough" and ratio:
        fits = ((ctokens[collateral] + 1) * WAD - 1) // ratio
        repay = fits + int(rng.integers(-2, 3)) if rng.random() < 0.12 else int(fits * _beside(rng))
    elif aim == "close factor":
        repay = most + int(rng.choice([0, 0, -1, 1])) if rng.random() < 0.3 else int(most * _beside(rng))
    drawn = replace(drawn, ctokens=ctokens, principal=principal, index_then=index_then, repay=max(repay, 1))
    if aim == "health 1" and rng.random() < ON_THE_EDGE:
        return _on_the_edge(rng, drawn, model, block)
    return _odd(rng, drawn) if rng.random() < ODD_SHARE else drawn


def _on_the_edge(rng: np.random.Generator, drawn: Draw, model: RateModel, block: int) -> Draw:
    """The same collaterals against DAI at one dollar, as much as they are worth to the last 1e-18 of a dollar, or that and one unit more."""
    prices = {**drawn.prices, "DAI": 10**18}
    entered = (*(s for s in drawn.entered if s in drawn.ctokens and s != "DAI"), "DAI")
    edge = replace(drawn, prices=prices, owed="DAI", entered=entered)
    then, weighted = accrued(edge, model, block), 0
    for s, held in drawn.ctokens.items():
        rate = exchange_rate(then[s].supplied_raw, then[s].ctokens)
        weighted += FACTORS[s] * rate // WAD * prices[s] // WAD * held // WAD
    index_then = {**drawn.index_then, "DAI": then["DAI"].borrow_index}
    owes = weighted + int(rng.integers(2))
    return replace(edge, principal={"DAI": owes}, index_then=index_then, repay=int(owes * rng.uniform(0.01, 0.3)) + 1)


def _fitting(supply: Mapping[str, float], collateral: str, share: float) -> float:
    """Dollars of one collateral that are `share` of the limit which all collaterals give."""
    others = sum(usd * FACTORS[s] / WAD for s, usd in supply.items() if s != collateral)
    factor = FACTORS[collateral] / WAD
    return share * others / (1 - share * factor) if others and share * factor < 0.9 else supply[collateral]


def _market(rng: np.random.Generator, symbol: str, cash: int, block: int) -> Market:
    use = float(rng.uniform(0.05, 0.97))
    borrows = int(cash * use / (1 - use))
    reserves = int(borrows * rng.uniform(0, 0.05))
    rate = rng.uniform(0.02, 0.03) * 10 ** (TOKENS[symbol][0] - 8)
    return Market(
        cash_raw=cash,
        borrows_raw=borrows,
        reserves_raw=reserves,
        ctokens=int((cash + borrows - reserves) / rate),
        borrow_index=int(rng.uniform(1, 3) * 1e18),
        reserve_factor=RESERVE_FACTOR,
        accrued_at=block - int(rng.integers(1, OLDEST_BLOCKS)),
    )


def _raw(usd: float, price: int) -> float:
    return usd * 1e36 / price


def _near_one(rng: np.random.Generator, symbol: str) -> float:
    return float(rng.uniform(0.97, 1.03) if symbol in ("USDC", "DAI") else rng.uniform(0.55, 1.4))


def _beside(rng: np.random.Generator) -> float:
    """1 plus or minus something between 1e-10 and 1e-2."""
    return float(1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.05))


def _odd(rng: np.random.Generator, drawn: Draw) -> Draw:
    """The same account with something that the contract refuses, or nearly."""
    odd = str(rng.choice(ODD))
    one = drawn.collateral if "collateral" in odd else drawn.owed
    strangers = [s for s in SYMBOLS if s not in drawn.ctokens]
    others = [s for s in SYMBOLS if s not in drawn.principal]
    out = tuple(s for s in drawn.entered if s != drawn.collateral or s in drawn.principal)
    free = {**drawn.prices, drawn.collateral: 0} if drawn.collateral not in out else drawn.prices
    return {
        "unlisted": lambda: replace(drawn, unlisted=frozenset([one])),
        "paused": lambda: replace(drawn, paused=True),
        "self": lambda: replace(drawn, by_borrower=True),
        "nothing": lambda: replace(drawn, repay=0),
        "all": lambda: replace(drawn, repay=MAX_UINT),
        "tiny": lambda: replace(drawn, repay=int(rng.integers(1, 4))),
        "price": lambda: replace(drawn, prices={**drawn.prices, one: 0}),
        "not held": lambda: replace(drawn, collateral=str(rng.choice(strangers))),
        "not owed": lambda: replace(drawn, owed=str(rng.choice(others))),
        "not entered": lambda: replace(drawn, entered=out),
        "not entered without a price": lambda: replace(drawn, entered=out, prices=free),
    }[odd if odd.startswith("not ") else odd.split()[0]]()
