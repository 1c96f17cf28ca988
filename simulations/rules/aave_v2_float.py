"""The same Aave V2 rule in floats: whole tokens, prices in ether. A leg's debt is the sum of what it owes at both kinds of rate.

Differs from `aave_v2` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from chain.accounting.aave_v2 import ACCOUNTS_LIKE_V3_REVISION
from simulations.rules import aave_v3_float
from simulations.rules.aave_v3_float import SLACK, FloatLeg, FloatOutcome

CLOSE_FACTOR = 0.5


def health_factor(legs: Sequence[FloatLeg]) -> float:
    """Sum of collateral x average threshold, cut to whole bps, over debt; infinity without debt."""
    return aave_v3_float.health_factor(legs, ACCOUNTS_LIKE_V3_REVISION)


def liquidate(legs: Sequence[FloatLeg], collateral: int, debt: int, debt_to_cover: float) -> FloatOutcome:
    """What a liquidation does in whole tokens; only refusals that depend on amounts are judged: healthy, collateral not enabled, no debt."""
    taken, owed = legs[collateral], legs[debt]
    health = health_factor(legs)
    margins = {"health factor 1": health - 1}
    nothing = FloatOutcome(0.0, 0.0, 0.0, 0.0, margins)
    if health >= 1:
        return replace(nothing, refused="LPCM_HEALTH_FACTOR_NOT_BELOW_THRESHOLD")
    if not taken.enabled or taken.threshold_ratio == 0:
        return replace(nothing, refused="LPCM_COLLATERAL_CANNOT_BE_LIQUIDATED")
    if owed.debt <= 0:
        return replace(nothing, refused="LPCM_SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER")
    most = math.floor(CLOSE_FACTOR * round(owed.debt / owed.unit) + 0.5) * owed.unit
    repaid = min(debt_to_cover, most)
    seized = math.floor(repaid * owed.price * taken.bonus_ratio / taken.price / taken.unit + SLACK) * taken.unit
    margins["collateral just enough"] = seized / taken.supply - 1 if taken.supply else math.inf
    if seized > taken.supply:
        seized = taken.supply
        repaid = min(repaid, taken.supply * taken.price / owed.price / taken.bonus_ratio)
    return FloatOutcome(repaid, seized, 0.0, 0.0, margins)
