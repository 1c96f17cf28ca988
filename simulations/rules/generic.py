"""Threshold, close factor and bonus as a file states them: for books of protocols whose own rule we do not have. Float twin: `generic_float`.

A position can be liquidated when its collateral x threshold is worth less than its debt, prices and sums exact. One repayment takes up to
close factor x debt of one asset and seizes that value times the bonus, of one collateral, at most all of it. Debt without collateral stays
("zombie"); nothing is written off. Amounts round against the liquidator: seized down, repaid up. Who liquidates is not asked.
"""

from chain.units import BPS, WAD, Rounding, mul_div
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal

ROUNDINGS: dict[str, Rounding] = {
    "supply": "floor",
    "debt": "ceil",
    "most": "ceil",
    "seized": "floor",
    "repaid": "ceil",
    "supply_burnt": "ceil",
    "debt_burnt": "floor",
}
"""supply, debt: stored units x index. most: debt x close factor. seized: what a repayment and its bonus are worth in collateral; repaid: the
debt that all the collateral pays for. supply_burnt, debt_burnt: amounts in stored units."""


def require_revision(revision: int | None) -> None:
    """Every revision is served: the file states the terms."""


def debt_raw(position: Position, number: int) -> int:
    """Debt of a leg in smallest units, rounded up."""
    return _debt_raw(position.legs[number])


def health_factor_wad(position: Position) -> int:
    """Sum of collateral x threshold over debt, x 1e18, rounded down once, at the end: below 1e18 exactly when the debt is not covered."""
    places = max((_places(leg) for leg in position.legs), default=0)
    weighted = debt = 0
    for leg in position.legs:
        per_unit = leg.price_raw * 10 ** (places - _places(leg))
        weighted += _supply_raw(leg) * per_unit * leg.threshold_bps * leg.enabled
        debt += _debt_raw(leg) * per_unit
    return weighted * WAD // (debt * BPS) if debt else NO_DEBT


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """Repay up to the close factor of one debt and take its value times the bonus of one collateral."""
    taken, owed = position.legs[collateral], position.legs[debt]
    refusal = _refusal(position, taken, owed)
    if refusal is not None:
        return refusal
    close_factor = BPS if owed.reserve.close_factor_bps is None else owed.reserve.close_factor_bps
    repaid = min(debt_to_cover, mul_div(_debt_raw(owed), close_factor, BPS, ROUNDINGS["most"]))
    per_debt = owed.price_raw * 10 ** _places(taken) * taken.bonus_bps
    per_collateral = taken.price_raw * 10 ** _places(owed) * BPS
    seized, there = mul_div(repaid, per_debt, per_collateral, ROUNDINGS["seized"]), _supply_raw(taken)
    if seized > there:
        seized = there
        repaid = mul_div(seized, per_collateral, per_debt, ROUNDINGS["repaid"])
    if seized > taken.held_raw:
        return Refusal("not enough cash")
    burnt = [0] * len(position.legs)
    burnt[debt] = min(
        owed.debt_stored, mul_div(repaid, owed.reserve.debt_unit, owed.reserve.debt_index, ROUNDINGS["debt_burnt"])
    )
    supply_burnt = min(
        taken.supply_stored,
        mul_div(seized, taken.reserve.supply_unit, taken.reserve.supply_index, ROUNDINGS["supply_burnt"]),
    )
    return Liquidation(repaid, seized, 0, supply_burnt, 0, tuple(burnt), (0,) * len(position.legs))


def _refusal(position: Position, taken: Leg, owed: Leg) -> Refusal | None:
    """In the order of the other rules: the market, the account, the pair."""
    if not (taken.reserve.active and owed.reserve.active):
        return Refusal("inactive")
    if taken.reserve.paused or owed.reserve.paused:
        return Refusal("paused")
    if health_factor_wad(position) >= WAD:
        return Refusal("healthy")
    if not taken.enabled or _supply_raw(taken) == 0 or taken.price_raw == 0:
        return Refusal("no such collateral")
    if _debt_raw(owed) == 0:
        return Refusal("no such debt")
    return None


def _supply_raw(leg: Leg) -> int:
    return mul_div(leg.supply_stored, leg.reserve.supply_index, leg.reserve.supply_unit, ROUNDINGS["supply"])


def _debt_raw(leg: Leg) -> int:
    return mul_div(leg.debt_stored, leg.reserve.debt_index, leg.reserve.debt_unit, ROUNDINGS["debt"])


def _places(leg: Leg) -> int:
    """Decimals of amount x price."""
    return leg.decimals + leg.reserve.price_decimals
