"""How a Morpho Blue market earns interest and converts shares, exact integers.

Source: Morpho._accrueInterest, SharesMathLib, MathLib.wTaylorCompounded (@morpho-org/morpho-blue 1.0.0, npm). The rate comes from the market's
rate model, a contract of its own; it holds from the last touch until now, whatever it was in between.
"""

from dataclasses import dataclass, replace

from chain.errors import InputError
from chain.units import WAD, Rounding, mul_div

VIRTUAL_SHARES, VIRTUAL_ASSETS = 10**6, 1
CURSOR, MOST_INCENTIVE = 3 * WAD // 10, 115 * WAD // 100


@dataclass(frozen=True)
class Totals:
    """What a market has lent and borrowed: assets in smallest units of the loan token, shares of it, the fee on interest (1e-18), last touch in seconds."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    fee_wad: int = 0
    touched_at: int = 0


def incentive_wad(lltv_wad: int) -> int:
    """What a liquidator gets per unit repaid, x 1e18: 1 / (1 - 0.3 (1 - LLTV)), at most 1.15 (Morpho.liquidate)."""
    return min(MOST_INCENTIVE, WAD * WAD // (WAD - CURSOR * (WAD - lltv_wad) // WAD))


def growth(rate_wad: int, seconds: int) -> int:
    """What one unit of debt grows by over some seconds, 1e-18: three terms of the exponential."""
    first = rate_wad * seconds
    second = first * first // (2 * WAD)
    return first + second + second * first // (3 * WAD)


def accrue(totals: Totals, rate_wad: int, now: int) -> Totals:
    """Totals at a time, interest at a rate per second (1e-18), the fee's shares minted.

    Raises
    ------
    InputError
        If time runs backwards.
    """
    if now < totals.touched_at:
        raise InputError(f"the market was touched at {totals.touched_at}, which is after {now}")
    interest = totals.borrow_assets * growth(rate_wad, now - totals.touched_at) // WAD
    supplied, fee = totals.supply_assets + interest, interest * totals.fee_wad // WAD
    shares = mul_div(fee, totals.supply_shares + VIRTUAL_SHARES, supplied - fee + VIRTUAL_ASSETS)
    return replace(
        totals,
        supply_assets=supplied,
        borrow_assets=totals.borrow_assets + interest,
        supply_shares=totals.supply_shares + shares,
        touched_at=now,
    )


def to_assets(shares: int, assets_plus: int, shares_plus: int, rounding: Rounding) -> int:
    """Assets of some shares; the totals include the virtual amounts."""
    return mul_div(shares, assets_plus, shares_plus, rounding)


def to_shares(assets: int, assets_plus: int, shares_plus: int, rounding: Rounding) -> int:
    """Shares of some assets; the totals include the virtual amounts."""
    return mul_div(assets, shares_plus, assets_plus, rounding)


def liquidated(totals: Totals, repaid_raw: int, burnt_shares: int, bad_raw: int) -> Totals:
    """The market after a liquidation: repaid and bad debt leave the borrowed side, bad debt also what suppliers own, at once."""
    return replace(
        totals,
        supply_assets=totals.supply_assets - bad_raw,
        borrow_assets=max(0, totals.borrow_assets - repaid_raw) - bad_raw,
        borrow_shares=totals.borrow_shares - burnt_shares,
    )
