"""The generic rule in floats: whole tokens, terms as ratios.

Differs from `generic` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from simulations.rules.aave_v3_float import SLACK, FloatLeg, FloatOutcome


def health_factor(legs: Sequence[FloatLeg]) -> float:
    """Sum of collateral x threshold over debt; infinity without debt."""
    weighted = math.fsum(leg.supply * leg.price * leg.threshold_ratio for leg in legs if leg.enabled)
    debt = math.fsum(leg.debt * leg.price for leg in legs)
    return weighted / debt if debt > 0 else math.inf


def liquidate(
    legs: Sequence[FloatLeg], collateral: int, debt: int, debt_to_cover: float, close_factor_ratio: float
) -> FloatOutcome:
    """What a liquidation does in whole tokens; only refusals that depend on amounts are judged: healthy, no such collateral, no such debt.

    What may be repaid is whole units: of some tokens one unit is worth many of the other.
    """
    taken, owed = legs[collateral], legs[debt]
    health = health_factor(legs)
    margins = {"health factor 1": health - 1}
    nothing = FloatOutcome(0.0, 0.0, 0.0, 0.0, margins)
    if health >= 1:
        return replace(nothing, refused="healthy")
    if not taken.enabled or taken.supply <= 0 or taken.price <= 0:
        return replace(nothing, refused="no such collateral")
    if owed.debt <= 0:
        return replace(nothing, refused="no such debt")
    most = math.ceil(close_factor_ratio * round(owed.debt / owed.unit) - SLACK) * owed.unit
    repaid = min(debt_to_cover, most)
    rate = owed.price / taken.price * taken.bonus_ratio
    margins["collateral just enough"] = repaid * rate / taken.supply - 1
    if repaid * rate >= taken.supply + taken.unit:
        return FloatOutcome(taken.supply / rate, taken.supply, 0.0, 0.0, margins)
    return FloatOutcome(repaid, min(repaid * rate, taken.supply), 0.0, 0.0, margins)
