"""Draws accounts and liquidations for the parity of Aave V2: most of them close to a threshold, with several collaterals and both kinds of debt.

A draw says what stands in the contracts' storage before the call. Sizes are solved from the threshold that is aimed at; how far beside it
they land is drawn over eight orders of magnitude.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tests.devnet.market import RESERVES
from tests.simulations.liquidation_draws import BORROWABLE, MAX_UINT, SYMBOLS, USUAL_USD

AIMS = {"health 1": 0.36, "just enough": 0.3, "any": 0.2, "under water": 0.14}
ODD = (
    *("paused", "inactive collateral", "inactive debt", "threshold", "disabled", "not collateral", "not owed"),
    *("self", "tiny", "cash", "cash"),
)
ODD_SHARE = 0.25
RECEIPTS_SHARE = 0.2
YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True)
class FixedDebt:
    """A debt at a fixed rate: principal in smallest units, rate a year in 1e-27, seconds since the borrower's last touch."""

    principal: int
    rate: int
    age_seconds: int


@dataclass(frozen=True)
class Draw:
    """What is written into storage, and the call. Stored amounts by symbol; prices in wei.

    `cash` is what the market can pay out of the collateral, where it is not what it has; `for_receipts` takes receipt tokens instead.
    `decimals` is what the market believes of a token, where it is not what the token says.
    """

    aim: str
    supply: Mapping[str, int]
    debt: Mapping[str, int]
    fixed: Mapping[str, FixedDebt]
    enabled: frozenset[str]
    prices: Mapping[str, int]
    collateral: str
    owed: str
    cover: int
    for_receipts: bool = False
    paused: bool = False
    inactive: frozenset[str] = frozenset()
    no_threshold: frozenset[str] = frozenset()
    by_borrower: bool = False
    cash: int | None = None
    decimals: Mapping[str, int] = field(default_factory=dict)


def draw(rng: np.random.Generator, indices: Mapping[str, tuple[float, float]]) -> Draw:
    """One account and one call; `indices` are supply and debt index by symbol (1.0 at the start) as they stand when the call is mined."""
    aim = str(rng.choice(list(AIMS), p=list(AIMS.values())))
    prices = {s: round(USUAL_USD[s] / USUAL_USD["WETH"] * rng.uniform(0.6, 1.4) * 1e18) for s in SYMBOLS}
    prices["WETH"] = 10**18  # the oracle answers one for it, whatever a source says
    held = [str(s) for s in rng.permutation(SYMBOLS)[: int(rng.choice([1, 2, 3, 4], p=[0.42, 0.25, 0.22, 0.11]))]]
    owed = [str(s) for s in rng.permutation(BORROWABLE)[: int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))]]
    collateral, debt = str(rng.choice(held)), str(rng.choice(owed))
    supply, owes = _sizes(rng, aim, held, owed)
    cover = _cover(rng, aim, supply, owes, collateral, debt)

    def raw(symbol: str, ether: float) -> float:
        return ether / prices[symbol] * 1e18 * 10.0 ** RESERVES[symbol].decimals

    fixed_share = {s: float(rng.choice([0.0, 1.0, rng.uniform(0.02, 0.98)], p=[0.45, 0.2, 0.35])) for s in owed}
    drawn = Draw(
        aim=aim,
        supply={s: int(raw(s, ether) / indices[s][0]) for s, ether in supply.items()},
        debt={s: int(raw(s, owes[s]) * (1 - fixed_share[s]) / indices[s][1]) + 1 for s in owed if fixed_share[s] < 1},
        fixed={s: _fixed(rng, raw(s, owes[s]) * fixed_share[s]) for s in owed if fixed_share[s]},
        enabled=frozenset(held),
        prices=prices,
        collateral=collateral,
        owed=debt,
        cover=MAX_UINT if cover is None else int(raw(debt, cover)) + 1,
        for_receipts=bool(rng.random() < RECEIPTS_SHARE),
    )
    return _odd(rng, drawn, raw(collateral, supply[collateral])) if rng.random() < ODD_SHARE else drawn


def draw_coarse(rng: np.random.Generator, indices: Mapping[str, tuple[float, float]]) -> Draw:
    """Tokens of no decimals at a few wei: only there does it matter how a repayment with its bonus is rounded before it is divided."""
    collateral, debt = (str(symbol) for symbol in rng.permutation(["WBTC", "LINK", "USDC", "DAI"])[:2])
    prices = dict.fromkeys(SYMBOLS, 10**18) | {collateral: int(rng.integers(2, 8)), debt: int(rng.integers(2, 50))}
    supply, worth = int(rng.integers(10**5, 10**6)), float(rng.uniform(0.5, 0.7))
    owed = int(supply * indices[collateral][0] * prices[collateral] / prices[debt] / indices[debt][1] / worth)
    return Draw(
        aim="coarse",
        supply={collateral: supply},
        debt={debt: owed},
        fixed={},
        enabled=frozenset([collateral]),
        prices=prices,
        collateral=collateral,
        owed=debt,
        cover=int(rng.integers(owed // 50, owed // 3)),
        decimals={collateral: 0, debt: 0},
    )


def _beside(rng: np.random.Generator) -> float:
    """1 plus or minus something between 1e-10 and 1e-2."""
    return float(1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.05))


def _fixed(rng: np.random.Generator, raw: float) -> FixedDebt:
    """A debt that has grown to `raw` smallest units or nearly."""
    rate, age = float(rng.uniform(0.01, 0.4)), int(rng.integers(0, YEAR_SECONDS))
    return FixedDebt(int(raw / np.exp(rate * age / YEAR_SECONDS)) + 1, int(rate * 1e27) + int(rng.integers(10**9)), age)


def _sizes(
    rng: np.random.Generator, aim: str, held: list[str], owed: list[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Supply and debt in ether by symbol, so that what is aimed at comes out."""
    worth = float(np.clip(rng.lognormal(np.log(12), 1.4), 0.15, 1_500))
    supply = dict(zip(held, map(float, rng.dirichlet(np.full(len(held), 2.0)) * worth), strict=True))
    shares = dict(zip(owed, map(float, rng.dirichlet(np.full(len(owed), 2.0))), strict=True))
    health = {
        "health 1": _beside(rng),
        "just enough": float(rng.uniform(0.2, 0.5)),
        "any": float(rng.uniform(0.5, 1.04)),
        "under water": float(rng.uniform(0.15, 0.7)),
    }[aim]
    average = np.floor(sum(ether * RESERVES[s].threshold_bps for s, ether in supply.items()) / worth + 1e-9) / 1e4
    return supply, {symbol: share * worth * average / health for symbol, share in shares.items()}


def _cover(
    rng: np.random.Generator,
    aim: str,
    supply: dict[str, float],
    owes: Mapping[str, float],
    collateral: str,
    debt: str,
) -> float | None:
    """Ether to repay, None for as much as is allowed; where collateral shall be just enough, its supply is set to what is taken."""
    reward, half = RESERVES[collateral].bonus_bps / 1e4, owes[debt] / 2
    if aim == "just enough":
        if rng.random() < 0.5:
            supply[collateral] = half * reward * _beside(rng)
            return None
        supply[collateral] = min(supply[collateral], 0.95 * half * reward)
        return supply[collateral] / reward * _beside(rng)
    kind = int(rng.integers(4))
    return [None, half * float(rng.uniform(0.9, 1.1)), 2 * half, half * float(rng.uniform(0.01, 0.9))][kind]


def _odd(rng: np.random.Generator, drawn: Draw, held_raw: float) -> Draw:
    """The same account with something that the contract refuses, or nearly."""
    odd = str(rng.choice(ODD))
    strangers = [symbol for symbol in SYMBOLS if symbol not in drawn.supply]
    others = [symbol for symbol in BORROWABLE if symbol not in drawn.debt and symbol not in drawn.fixed]
    return {
        "paused": lambda: replace(drawn, paused=True),
        "inactive collateral": lambda: replace(drawn, inactive=frozenset([drawn.collateral])),
        "inactive debt": lambda: replace(drawn, inactive=frozenset([drawn.owed])),
        "threshold": lambda: replace(drawn, no_threshold=frozenset([drawn.collateral])),
        "disabled": lambda: replace(drawn, enabled=drawn.enabled - {drawn.collateral}),
        "not collateral": lambda: replace(drawn, collateral=str(rng.choice(strangers))),
        "not owed": lambda: replace(drawn, owed=str(rng.choice(others))),
        "self": lambda: replace(drawn, by_borrower=True, for_receipts=False),
        "tiny": lambda: replace(drawn, cover=int(rng.integers(0, 4))),
        "cash": lambda: replace(drawn, cash=int(held_raw * rng.uniform(0.1, 0.9))),
    }[odd]()
