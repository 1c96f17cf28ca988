"""Draws accounts and liquidations for parity: most of them close to a threshold, with several collaterals, e-modes, odd indices and fees.

A draw says what stands in the contracts' storage before the call. Sizes are solved from the threshold that is aimed at, so that the health
factor, the collateral or a leftover lands beside it; how far beside is drawn over eight orders of magnitude.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tests.devnet.market import CATEGORIES, RESERVES

SYMBOLS = tuple(RESERVES)
BORROWABLE = tuple(symbol for symbol, reserve in RESERVES.items() if reserve.borrowable)
USUAL_USD = {"WETH": 2_000.0, "lstETH": 2_400.0, "WBTC": 60_000.0, "LINK": 14.0, "USDC": 1.0, "DAI": 1.0}
AIMS = {
    "health 1": 0.16,
    "health 0.95": 0.14,
    "just enough": 0.16,
    "2,000": 0.1,
    "1,000": 0.1,
    "any": 0.2,
    "under water": 0.14,
}
ODD = (
    "paused collateral",
    "paused debt",
    "inactive collateral",
    "inactive debt",
    "self",
    "not collateral",
    "not owed",
    "disabled",
    "tiny",
    *["threshold of collateral"] * 4,
)
ODD_SHARE = 0.2
CATEGORY_SHARE = 0.27
MAX_UINT = 2**256 - 1


@dataclass(frozen=True)
class Draw:
    """What is written into storage, and the call. Stored amounts by symbol; prices with 8 decimals, as the rule must see them."""

    aim: str
    category: int
    supply: Mapping[str, int]
    debt: Mapping[str, int]
    enabled: frozenset[str]
    feeds: Mapping[str, int]
    category_feed: int
    prices: Mapping[str, int]
    fee_bps: Mapping[str, int]
    collateral: str
    owed: str
    cover: int
    paused: frozenset[str] = frozenset()
    inactive: frozenset[str] = frozenset()
    no_threshold: frozenset[str] = frozenset()
    no_ltv: frozenset[str] = frozenset()
    by_borrower: bool = False


@dataclass(frozen=True)
class _Sizes:
    """Dollars by symbol."""

    supply: dict[str, float]
    debt: dict[str, float]


def draw(rng: np.random.Generator, indices: Mapping[str, tuple[float, float]], category_price: bool) -> Draw:
    """One account and one call.

    Parameters
    ----------
    indices : supply and debt index by symbol (1.0 at the start) as they will stand when the call is mined.
    category_price : whether category 2 has a price of its own (3.0).
    """
    aim = str(rng.choice(list(AIMS), p=np.array(list(AIMS.values())) / sum(AIMS.values())))
    category = int(rng.integers(1, 3)) if rng.random() < CATEGORY_SHARE else 0
    feeds = {symbol: round(USUAL_USD[symbol] * _near_one(rng, symbol) * 1e8) for symbol in SYMBOLS}
    category_feed = round(_near_one(rng, "DAI") * 1e8)
    own_price = category_price and category == 2
    prices = {s: category_feed if own_price and s in CATEGORIES[2].collateral else feeds[s] for s in SYMBOLS}
    held, owed = _assets(rng, category)
    collateral, debt = str(rng.choice(held)), str(rng.choice(owed))
    sizes = _sizes(rng, aim, category, held, owed, collateral, debt)
    cover_usd = _cover(rng, aim, category, sizes, collateral, debt)

    def raw(symbol: str, usd: float) -> float:
        return usd / prices[symbol] * 1e8 * 10.0 ** RESERVES[symbol].decimals

    drawn = Draw(
        aim=aim,
        category=category,
        supply={s: int(raw(s, usd) / indices[s][0]) for s, usd in sizes.supply.items()},
        debt={s: int(raw(s, usd) / indices[s][1]) + 1 for s, usd in sizes.debt.items()},
        enabled=frozenset(held),
        feeds=feeds,
        category_feed=category_feed,
        prices=prices,
        fee_bps={symbol: int(rng.choice([0, 777, 1_000, 2_000, 3_333])) for symbol in SYMBOLS},
        collateral=collateral,
        owed=debt,
        cover=MAX_UINT if cover_usd is None else int(raw(debt, cover_usd)) + 1,
        no_ltv=frozenset(symbol for symbol in SYMBOLS if rng.random() < 0.1),
    )
    return _odd(rng, drawn) if rng.random() < ODD_SHARE else drawn


def threshold(symbol: str, category: int) -> float:
    """Liquidation threshold of an asset for an account in a category."""
    inside = category and symbol in CATEGORIES[category].collateral
    return (CATEGORIES[category].threshold_bps if inside else RESERVES[symbol].threshold_bps) / 1e4


def bonus(symbol: str, category: int) -> float:
    """Liquidation bonus (above 1) of an asset for an account in a category."""
    inside = category and symbol in CATEGORIES[category].collateral
    return (CATEGORIES[category].bonus_bps if inside else RESERVES[symbol].bonus_bps) / 1e4


def _near_one(rng: np.random.Generator, symbol: str) -> float:
    return float(rng.uniform(0.97, 1.03) if symbol in ("USDC", "DAI") else rng.uniform(0.55, 1.4))


def _beside(rng: np.random.Generator) -> float:
    """1 plus or minus something between 1e-10 and 1e-2."""
    return float(1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.05))


def _assets(rng: np.random.Generator, category: int) -> tuple[list[str], list[str]]:
    """Collaterals and debts; inside a category at least one collateral is of it and every debt may be borrowed in it."""
    count = int(rng.choice([1, 2, 3, 4], p=[0.42, 0.25, 0.22, 0.11]))
    held = [str(symbol) for symbol in rng.permutation(SYMBOLS)[:count]]
    borrowable = CATEGORIES[category].borrowable if category else BORROWABLE
    if category and not set(held) & set(CATEGORIES[category].collateral):
        held[0] = str(rng.choice(CATEGORIES[category].collateral))
    owed = [str(symbol) for symbol in rng.permutation(borrowable)[: int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))]]
    return held, owed


def _sizes(
    rng: np.random.Generator, aim: str, category: int, held: list[str], owed: list[str], collateral: str, debt: str
) -> _Sizes:
    """Dollars of every leg, so that what is aimed at comes out."""
    worth = float(np.clip(rng.lognormal(np.log(25_000), 1.4), 300, 3e6))
    supply = dict(zip(held, map(float, rng.dirichlet(np.full(len(held), 2.0)) * worth), strict=True))
    shares = dict(zip(owed, map(float, rng.dirichlet(np.full(len(owed), 2.0))), strict=True))
    health = {
        "health 1": _beside(rng),
        "health 0.95": 0.95 * _beside(rng),
        "just enough": float(rng.uniform(0.3, 0.75)),
        "2,000": float(rng.uniform(0.951, 0.999)),
        "1,000": float(rng.uniform(0.3, 0.95)),
        "any": float(rng.uniform(0.5, 1.04)),
        "under water": float(rng.uniform(0.15, 0.7)),
    }[aim]
    limit = sum(usd * threshold(symbol, category) for symbol, usd in supply.items())
    owes = {symbol: share * limit / health for symbol, share in shares.items()}
    if aim == "2,000":
        scale = 2_000 * _beside(rng) / min(supply[collateral], owes[debt])
        supply = {symbol: usd * scale for symbol, usd in supply.items()}
        owes = {symbol: usd * scale for symbol, usd in owes.items()}
    return _Sizes(supply, owes)


def _cover(
    rng: np.random.Generator, aim: str, category: int, sizes: _Sizes, collateral: str, debt: str
) -> float | None:
    """Dollars to repay; None for as much as is allowed."""
    held, owed, reward = sizes.supply[collateral], sizes.debt[debt], bonus(collateral, category)
    if aim == "just enough":
        return held / reward * _beside(rng)
    if aim == "1,000":
        by_debt, by_collateral = owed - 1_000 * _beside(rng), (held - 1_000 * _beside(rng)) / reward
        usable = [usd for usd in (by_debt, by_collateral) if 0 < usd < owed]
        if usable:
            return min(usable) if rng.random() < 0.8 else max(usable)
    kind = int(rng.integers(5))
    return [None, None, owed * float(rng.uniform(0.3, 0.7)), owed, owed * float(rng.uniform(0.01, 0.2))][kind]


def _odd(rng: np.random.Generator, drawn: Draw) -> Draw:
    """The same account with something that a contract refuses, or nearly."""
    odd = str(rng.choice(ODD))
    strangers = [symbol for symbol in SYMBOLS if symbol not in drawn.supply]
    others = [symbol for symbol in BORROWABLE if symbol not in drawn.debt]
    one = frozenset([drawn.collateral if "collateral" in odd else drawn.owed])
    return {
        "paused": lambda: replace(drawn, paused=one),
        "inactive": lambda: replace(drawn, inactive=one),
        "threshold": lambda: replace(drawn, no_threshold=one, no_ltv=one),
        "self": lambda: replace(drawn, by_borrower=True),
        "not collateral": lambda: replace(drawn, collateral=str(rng.choice(strangers))),
        "not owed": lambda: replace(drawn, owed=str(rng.choice(others))),
        "disabled": lambda: replace(drawn, enabled=drawn.enabled - {drawn.collateral}),
        "tiny": lambda: replace(drawn, cover=int(rng.integers(1, 4))),
    }[odd if odd.startswith("not") else odd.split()[0]]()
