"""The same Aave V3 rule in floats: whole tokens and dollars. The readable twin of what a compiled kernel does.

Differs from `aave_v3` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CLOSE_FACTOR = 0.5
CLOSE_FACTOR_HEALTH_FACTOR = 0.95
SMALL_POSITION_USD = 2_000.0
LEFTOVER_USD = 1_000.0


@dataclass(frozen=True)
class FloatLeg:
    """Whole tokens supplied and owed, oracle price in the market's base currency, terms as ratios."""

    supply: float
    debt: float
    price: float
    enabled: bool
    threshold_ratio: float
    bonus_ratio: float
    fee_ratio: float


def health_factor(legs: Sequence[FloatLeg]) -> float:
    """Sum of collateral x threshold over debt; infinity without debt."""
    debt = sum(leg.debt * leg.price for leg in legs)
    collateral = sum(leg.supply * leg.price * leg.threshold_ratio for leg in legs if leg.enabled)
    return collateral / debt if debt > 0 else float("inf")


def liquidate(
    legs: Sequence[FloatLeg], collateral: int, debt: int, debt_to_cover: float
) -> tuple[float, float, float, float] | None:
    """(repaid, seized by the liquidator, protocol fee, deficit in base currency), or None where the contract refuses.

    Amounts in whole tokens. Only the refusals that depend on amounts are judged: healthy, collateral not enabled, no debt, dust.
    """
    taken, owed = legs[collateral], legs[debt]
    health = health_factor(legs)
    if health >= 1 or not taken.enabled or owed.debt <= 0:
        return None
    collateral_base, debt_base = taken.supply * taken.price, owed.debt * owed.price
    total_debt = sum(leg.debt * leg.price for leg in legs)
    most = owed.debt
    if min(collateral_base, debt_base) >= SMALL_POSITION_USD and health > CLOSE_FACTOR_HEALTH_FACTOR:
        most = min(most, CLOSE_FACTOR * total_debt / owed.price)
    repaid = min(debt_to_cover, most)
    seized = repaid * owed.price / taken.price * taken.bonus_ratio
    everything = seized >= taken.supply
    if everything:
        seized = taken.supply
        repaid = min(repaid, seized * taken.price / owed.price / taken.bonus_ratio)
    fee = (seized - seized / taken.bonus_ratio) * taken.fee_ratio
    if (
        repaid < owed.debt
        and not everything
        and min((owed.debt - repaid) * owed.price, (taken.supply - seized) * taken.price) < LEFTOVER_USD
    ):
        return None
    others = sum(leg.supply * leg.price for number, leg in enumerate(legs) if leg.enabled and number != collateral)
    deficit = total_debt - repaid * owed.price if everything and others == 0 else 0.0
    return repaid, seized - fee, fee, deficit
