"""Morpho Blue liquidations to the smallest unit, and the float twin beside them. No close factor; bad debt is socialised at once.

Source: Morpho.liquidate, _isHealthy, _accrueInterest; SharesMathLib, MathLib, ConstantsLib (@morpho-org/morpho-blue 1.0.0, npm).

A market in our terms: the collateral leg has stored units equal to smallest units, `threshold_bps` the LLTV, `price_raw` what the oracle
answers (1e36 x loan units per collateral unit), so `price_decimals` is 36 + loan decimals - collateral decimals. The loan leg has borrow
shares as stored units, `debt_index` total borrow assets + 1 and `debt_unit` total borrow shares + 1e6, the virtual ones included.
"""

from dataclasses import dataclass, replace

from chain.errors import InputError
from chain.units import BPS, WAD, mul_div
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal

ORACLE_SCALE = 10**36
VIRTUAL_SHARES, VIRTUAL_ASSETS = 10**6, 1
CURSOR, MOST_INCENTIVE = 3 * WAD // 10, 115 * WAD // 100
REVISIONS = (None, 1)
UNDERFLOW = Refusal("Panic(0x11)")


@dataclass(frozen=True)
class Totals:
    """What a market has lent and borrowed: assets in smallest units of the loan token, shares of it."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    fee_wad: int = 0


def require_revision(revision: int | None) -> None:
    """InputError unless it is the one deployed revision."""
    if revision not in REVISIONS:
        raise InputError(f"Morpho Blue has no revision {revision}; leave it empty or write 1")


def accrue(totals: Totals, rate_wad: int, seconds: int) -> Totals:
    """Totals after interest at a rate per second (1e18), three terms of the exponential, fee shares minted (_accrueInterest)."""
    first = rate_wad * seconds
    second = first * first // (2 * WAD)
    interest = totals.borrow_assets * (first + second + second * first // (3 * WAD)) // WAD
    supplied, fee = totals.supply_assets + interest, interest * totals.fee_wad // WAD
    shares = mul_div(fee, totals.supply_shares + VIRTUAL_SHARES, supplied - fee + VIRTUAL_ASSETS)
    return replace(
        totals,
        supply_assets=supplied,
        borrow_assets=totals.borrow_assets + interest,
        supply_shares=totals.supply_shares + shares,
    )


def debt_raw(position: Position, number: int) -> int:
    """Assets owed on a leg, rounded up."""
    return _to_assets(position.legs[number], position.legs[number].debt_stored, up=True)


def incentive_wad(threshold_bps: int) -> int:
    """What a liquidator gets per unit repaid, x 1e18: 1 / (1 - 0.3 (1 - LLTV)), at most 1.15."""
    lltv = threshold_bps * (WAD // BPS)
    return min(MOST_INCENTIVE, WAD * WAD // (WAD - CURSOR * (WAD - lltv) // WAD))


def health_factor_wad(position: Position) -> int:
    """Most that may be borrowed over what is owed, x 1e18, rounded down; at least 1e18 exactly when the contract calls it healthy."""
    taken, owed = _sides(position)
    debt = _to_assets(owed, owed.debt_stored, up=True)
    if not owed.debt_stored or not debt:
        return NO_DEBT
    lltv = taken.threshold_bps * (WAD // BPS)
    return mul_div(taken.supply_stored, taken.price_raw, ORACLE_SCALE) * lltv // WAD * WAD // debt


def most_share(
    revision: int | None, health: float, collateral_usd: float, debt_usd: float, close_factor_bps: int | None
) -> float:
    """All of it: Morpho has no close factor."""
    del revision, health, collateral_usd, debt_usd, close_factor_bps
    return 1.0


def liquidate_seizing(position: Position, seized: int) -> Liquidation | Refusal:
    """liquidate(..., seizedAssets=seized, repaidShares=0): take so much collateral, smallest units."""
    taken, owed = _sides(position)
    if seized == 0:
        return Refusal("inconsistent input")
    quoted = mul_div(seized, taken.price_raw, ORACLE_SCALE, "ceil")
    shares = _to_shares(owed, mul_div(quoted, WAD, incentive_wad(taken.threshold_bps), "ceil"), up=True)
    return _carried_out(position, taken, owed, seized, shares)


def liquidate_repaying(position: Position, shares: int) -> Liquidation | Refusal:
    """liquidate(..., seizedAssets=0, repaidShares=shares): repay so many borrow shares."""
    taken, owed = _sides(position)
    if shares == 0:
        return Refusal("inconsistent input")
    worth = _to_assets(owed, shares, up=False) * incentive_wad(taken.threshold_bps) // WAD
    return _carried_out(position, taken, owed, mul_div(worth, ORACLE_SCALE, taken.price_raw), shares)


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """As a keeper would: repay up to `debt_to_cover` smallest units, all the debt or what all the collateral pays for, whatever is least."""
    taken, owed = _sides(position)
    if position.legs[collateral] is not taken or position.legs[debt] is not owed:
        return Refusal("inconsistent input")
    shares = min(owed.debt_stored, _to_shares(owed, debt_to_cover, up=False))
    outcome = liquidate_repaying(position, shares)
    return liquidate_seizing(position, taken.supply_stored) if outcome == UNDERFLOW else outcome


def _carried_out(position: Position, taken: Leg, owed: Leg, seized: int, shares: int) -> Liquidation | Refusal:
    if health_factor_wad(position) >= WAD:
        return Refusal("position is healthy")
    if shares > owed.debt_stored or seized > taken.supply_stored:
        return UNDERFLOW
    repaid = _to_assets(owed, shares, up=True)
    bad_shares = bad_assets = 0
    if seized == taken.supply_stored:
        bad_shares = owed.debt_stored - shares
        left, left_shares = max(0, owed.reserve.debt_index - VIRTUAL_ASSETS - repaid), owed.reserve.debt_unit - shares
        bad_assets = min(left, mul_div(bad_shares, left + VIRTUAL_ASSETS, left_shares, "ceil"))
    number = position.legs.index(owed)
    burnt, deficit = [0] * len(position.legs), [0] * len(position.legs)
    burnt[number], deficit[number] = shares + bad_shares, bad_assets
    return Liquidation(repaid, seized, 0, seized, 0, tuple(burnt), tuple(deficit))


def totals_after(totals: Totals, done: Liquidation) -> Totals:
    """The market after a liquidation: repaid and bad debt leave the borrowed side, bad debt also what suppliers own, at once."""
    bad = sum(done.deficit_raw)
    return replace(
        totals,
        supply_assets=totals.supply_assets - bad,
        borrow_assets=max(0, totals.borrow_assets - done.repaid_raw) - bad,
        borrow_shares=totals.borrow_shares - sum(done.debt_burnt),
    )


def float_twin(
    collateral: float, debt: float, price: float, threshold_ratio: float, cover: float
) -> tuple[float, float, float] | None:
    """(repaid, seized, bad debt) in whole tokens, or None where the position is healthy; `price` in loan tokens per collateral token."""
    if debt <= 0 or collateral * price * threshold_ratio >= debt:
        return None
    incentive = min(1.15, 1 / (1 - 0.3 * (1 - threshold_ratio)))
    repaid = min(cover, debt)
    seized = repaid * incentive / price
    if seized < collateral:
        return repaid, seized, 0.0
    repaid = min(repaid, collateral * price / incentive)
    return repaid, collateral, debt - repaid


def _sides(position: Position) -> tuple[Leg, Leg]:
    """(collateral leg, loan leg); a market has exactly these two."""
    if len(position.legs) != 2:
        raise InputError(
            f"a Morpho Blue position has one collateral and one loan leg; this one has {len(position.legs)}"
        )
    first, second = position.legs
    return (first, second) if second.reserve.debt_unit >= VIRTUAL_SHARES else (second, first)


def _to_assets(owed: Leg, shares: int, up: bool) -> int:
    return mul_div(shares, owed.reserve.debt_index, owed.reserve.debt_unit, "ceil" if up else "floor")


def _to_shares(owed: Leg, assets: int, up: bool) -> int:
    return mul_div(assets, owed.reserve.debt_unit, owed.reserve.debt_index, "ceil" if up else "floor")
