"""Draws Morpho Blue markets, accounts and liquidations for parity: most close to a threshold, interest in the call.

A draw says what stands in the contract's storage before the call. Sizes are solved so that the account lands beside the threshold that is aimed
at when the call has accrued; our own accounting aims, the contract decides. A market has one collateral by design, so no draw has more.
"""

from dataclasses import dataclass, replace

import numpy as np

from chain.accounting.morpho_blue import VIRTUAL_ASSETS, VIRTUAL_SHARES, Totals, accrue
from chain.units import WAD
from simulations.rules.morpho_blue import ORACLE_SCALE, incentive_wad

MARKETS = ((8_600, (18, 6), 2_000.0), (9_450, (18, 18), 1.1), (3_850, (8, 6), 60_000.0), (7_700, (6, 18), 0.0005))
"""LLTV in basis points, decimals of collateral and loan, usual price in whole loan tokens per whole collateral token."""
AIMS = {"health 1": 0.3, "just enough": 0.25, "whole debt": 0.15, "any": 0.15, "under water": 0.15}
ODD = (
    "both",
    "neither",
    "not created",
    "self",
    "self",
    "no debt",
    "no collateral",
    "no price",
    "huge",
    "tiny",
    "too much",
)
ODD_SHARE = 0.2
ON_THE_EDGE = 0.12
OLDEST_SECONDS = 10**7
SECONDS_PER_YEAR = 365 * 86_400


@dataclass(frozen=True)
class Draw:
    """What is written into storage, and the call: `seized` and `shares` are its two amounts, of which one should be 0."""

    aim: str
    market: int
    totals: Totals
    borrow_shares: int
    collateral: int
    price: int
    seized: int
    shares: int
    created: bool = True
    by_borrower: bool = False


def rate_wad(totals: Totals) -> int:
    """What the market's rate model answers, per second: its utilisation a year (IrmMock of the package)."""
    return totals.borrow_assets * WAD // totals.supply_assets // SECONDS_PER_YEAR if totals.supply_assets else 0


def accrued(drawn: Draw, now: int) -> Totals:
    """The totals as the call finds them."""
    return accrue(drawn.totals, rate_wad(drawn.totals), now)


def edges(now: int) -> list[Draw]:
    """One borrower alone, his shares worth half of what they are at the start: all collateral taken, all debt repaid; both end in the last unit."""
    debt = 10**10
    totals = Totals(10**15, 10**21, debt, 2 * debt * 10**6, 0, now - 1)
    half, enough = (debt * ORACLE_SCALE * share // 100 // 10**18 for share in (50, 110))
    alone = Draw("any", 0, totals, totals.borrow_shares, 10**18, half, 10**18, 0)
    return [alone, replace(alone, price=enough, seized=0, shares=totals.borrow_shares)]


def draw(rng: np.random.Generator, now: int) -> Draw:
    """One account and one call, to be mined at time `now`."""
    market = int(rng.integers(len(MARKETS)))
    lltv_bps, (places, loan_places), usual = MARKETS[market]
    aim = str(rng.choice(list(AIMS), p=list(AIMS.values())))
    price = int(usual * rng.uniform(0.5, 1.5) * 10.0 ** (36 + loan_places - places))
    unit_price = price / ORACLE_SCALE
    worth = float(np.clip(rng.lognormal(np.log(25_000), 2.0), 1, 3e6)) * 10.0**loan_places
    collateral = int(worth / unit_price) + 1
    bonus = incentive_wad(lltv_bps) / WAD
    edge = lltv_bps / 1e4 * bonus
    health = {
        "health 1": _beside(rng),
        "just enough": edge * float(rng.uniform(0.3, 1.0)),
        "whole debt": float(rng.uniform(edge, 1.0)),
        "any": float(rng.uniform(0.5, 1.05)),
        "under water": float(rng.uniform(0.15, 0.9)) * edge,
    }[aim]
    debt = worth * lltv_bps / 1e4 / health
    totals = _totals(rng, loan_places, now)
    then = accrue(totals, rate_wad(totals), now)
    owed = int(debt * (then.borrow_shares + VIRTUAL_SHARES) / (then.borrow_assets + VIRTUAL_ASSETS)) + 1
    alone = rng.random() < 0.1
    if alone:  # the only borrower, some of them with shares worth less than at the start
        totals = replace(totals, borrow_shares=owed, borrow_assets=int(owed / 1e6 * rng.uniform(0.5, 1.2)) + 1)
    seized, shares = 0, 0
    kind = rng.random()
    if aim in ("just enough", "under water") and kind < 0.6:
        near = aim == "just enough" and rng.random() < 0.4
        seized = int(collateral * _beside(rng)) if near else collateral + int(rng.choice([0] * 14 + [-1, 1]))
    elif aim == "just enough":
        pays = worth / bonus * (1 - 10 ** rng.uniform(-12, -2) if rng.random() < 0.7 else _beside(rng))
        shares = int(owed * pays / debt)
    elif aim == "whole debt":
        shares = owed + int(rng.choice([0] * 14 + [-1, 1])) if rng.random() < 0.5 else int(owed * _beside(rng))
    elif kind < 0.5:
        seized = int(collateral * 10 ** rng.uniform(-4, -0.3))
    else:
        shares = int(owed * 10 ** rng.uniform(-4, -0.1))
    if alone:  # what is left of such a market is counted by the unit
        seized, shares = (collateral, 0) if rng.random() < 0.5 else (0, owed)
    shares = shares or int(not seized)
    drawn = Draw(aim, market, totals, owed, collateral, price, seized, shares)
    if aim == "health 1" and rng.random() < ON_THE_EDGE:
        return _on_the_edge(rng, drawn, now)
    return _odd(rng, drawn) if rng.random() < ODD_SHARE else drawn


def _on_the_edge(rng: np.random.Generator, drawn: Draw, now: int) -> Draw:
    """The same collateral against as much as it allows to the last unit of the loan, or that and one share more."""
    lltv, then = MARKETS[drawn.market][0] * 10**14, accrued(drawn, now)
    most = drawn.collateral * drawn.price // ORACLE_SCALE * lltv // WAD
    shares = most * (then.borrow_shares + VIRTUAL_SHARES) // (then.borrow_assets + VIRTUAL_ASSETS)
    return replace(drawn, borrow_shares=shares + int(rng.integers(2)), seized=0, shares=shares // 3 + 1)


def _totals(rng: np.random.Generator, loan_places: int, now: int) -> Totals:
    supplied = int(10 ** rng.uniform(8.2, 9.5) * 10.0**loan_places) + int(rng.integers(10**6))
    borrowed = int(supplied * rng.uniform(0.1, 1.0))
    return Totals(
        supply_assets=supplied,
        supply_shares=int(supplied * 1e6 / rng.uniform(1, 1.4)),
        borrow_assets=borrowed,
        borrow_shares=int(borrowed * 1e6 / rng.uniform(1, 1.5)),
        fee_wad=int(rng.choice([0, 5, 10, 25])) * WAD // 100,
        touched_at=now - int(10 ** rng.uniform(0, np.log10(OLDEST_SECONDS))),
    )


def _beside(rng: np.random.Generator) -> float:
    """1 plus or minus something between 1e-10 and 1e-2."""
    return float(1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.05))


def _odd(rng: np.random.Generator, drawn: Draw) -> Draw:
    """The same account with something that the contract refuses, or nearly."""
    return {
        "both": lambda: replace(drawn, seized=1, shares=1),
        "neither": lambda: replace(drawn, seized=0, shares=0),
        "not created": lambda: replace(drawn, created=False),
        "self": lambda: replace(drawn, by_borrower=True),
        "no debt": lambda: replace(drawn, borrow_shares=0),
        "no collateral": lambda: replace(drawn, collateral=0),
        "no price": lambda: replace(drawn, price=0),
        "huge": lambda: replace(drawn, seized=0, shares=2**128 + 5),
        "tiny": lambda: replace(drawn, seized=0, shares=int(rng.integers(1, 5))),
        "too much": lambda: replace(drawn, seized=0, shares=int(drawn.borrow_shares * rng.uniform(1, 1.02)) + 1),
    }[str(rng.choice(ODD))]()
