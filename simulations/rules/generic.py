"""Threshold, close factor and bonus as a file states them: for books of protocols whose own rule we do not have.

One repayment takes up to close factor x debt of one asset and seizes that value times the bonus. Debt without collateral stays
("zombie"); nothing is written off. Amounts round against the liquidator: seized down, repaid up.
"""

from chain.units import BPS, WAD, mul_div
from simulations.rules.rule import NO_DEBT, Leg, Liquidation, Position, Refusal


def require_revision(revision: int | None) -> None:
    """Every revision is served: the file states the terms."""


def _supply_raw(leg: Leg) -> int:
    return mul_div(leg.supply_stored, leg.reserve.supply_index, leg.reserve.supply_unit, "floor")


def debt_raw(position: Position, number: int) -> int:
    """Debt of a leg in smallest units, rounded up."""
    return _debt_raw(position.legs[number])


def _debt_raw(leg: Leg) -> int:
    return mul_div(leg.debt_stored, leg.reserve.debt_index, leg.reserve.debt_unit, "ceil")


def health_factor_wad(position: Position) -> int:
    """Sum of collateral x threshold over debt, x 1e18."""
    weighted = sum(_value(leg, _supply_raw(leg)) * leg.threshold_bps for leg in position.legs if leg.enabled)
    debt = sum(_value(leg, _debt_raw(leg)) for leg in position.legs)
    return weighted * WAD // (debt * BPS) if debt else NO_DEBT


def most_share(
    revision: int | None, health: float, collateral_usd: float, debt_usd: float, close_factor_bps: int | None
) -> float:
    """The close factor of the file; all of the debt if it states none."""
    del revision, health, collateral_usd, debt_usd
    return 1.0 if close_factor_bps is None else close_factor_bps / BPS


def liquidate(position: Position, collateral: int, debt: int, debt_to_cover: int) -> Liquidation | Refusal:
    """Repay up to the close factor of one debt and take its value times the bonus of one collateral."""
    taken, owed = position.legs[collateral], position.legs[debt]
    if health_factor_wad(position) >= WAD:
        return Refusal("healthy")
    if not taken.enabled or _supply_raw(taken) == 0:
        return Refusal("no such collateral")
    if _debt_raw(owed) == 0:
        return Refusal("no such debt")
    close_factor = BPS if owed.reserve.close_factor_bps is None else owed.reserve.close_factor_bps
    repaid = min(debt_to_cover, mul_div(_debt_raw(owed), close_factor, BPS, "ceil"))
    price_d = _value(owed, 10**owed.decimals)
    price_c = _value(taken, 10**taken.decimals)
    unit_c, unit_d = 10**taken.decimals, 10**owed.decimals
    seized = repaid * price_d * unit_c * taken.bonus_bps // (price_c * unit_d * BPS)
    if seized > _supply_raw(taken):
        seized = _supply_raw(taken)
        repaid = mul_div(seized * price_c * unit_d, BPS, price_d * unit_c * taken.bonus_bps, "ceil")
    if seized > taken.held_raw:
        return Refusal("not enough cash")
    burnt = [0] * len(position.legs)
    burnt[debt] = min(owed.debt_stored, mul_div(repaid, owed.reserve.debt_unit, owed.reserve.debt_index, "floor"))
    supply_burnt = min(
        taken.supply_stored, mul_div(seized, taken.reserve.supply_unit, taken.reserve.supply_index, "ceil")
    )
    return Liquidation(repaid, seized, 0, supply_burnt, 0, tuple(burnt), (0,) * len(position.legs))


def _value(leg: Leg, amount_raw: int) -> int:
    """Value in 1e-18 of the market's base currency."""
    return amount_raw * leg.price_raw * WAD // int(10 ** (leg.decimals + leg.reserve.price_decimals))
