"""The same Aave V3 rule in floats: whole tokens and dollars, for every row of `aave_v3_revisions`. The readable twin of a compiled kernel.

Differs from `aave_v3` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.accounting.aave_v3 import roundings
from simulations.rules.aave_v3_revisions import revision_row

CLOSE_FACTOR = 0.5
CLOSE_FACTOR_HEALTH_FACTOR = 0.95
SMALL_POSITION_USD = 2_000.0
LEFTOVER_USD = 1_000.0
SLACK = 1e-6
"""What floats may lack of a whole number that they mean, in units or bps."""


@dataclass(frozen=True)
class FloatLeg:
    """Whole tokens supplied and owed, oracle price in the market's base currency, terms as ratios.

    `unit` is one smallest unit in whole tokens: half of a debt and what is taken for it are whole units, and of some tokens a unit is much.
    """

    supply: float
    debt: float
    price: float
    enabled: bool
    threshold_ratio: float
    bonus_ratio: float
    fee_ratio: float
    unit: float


@dataclass(frozen=True)
class FloatOutcome:
    """Repaid, seized by the liquidator and fee in whole tokens, deficit in the base currency.

    `margins`: how far the account was from each threshold that the rule looked at, as value / threshold - 1, by the threshold's name.
    `refused`: the contract's error, or None.
    """

    repaid: float
    seized: float
    fee: float
    deficit: float
    margins: dict[str, float]
    refused: str | None = None


def health_factor(legs: Sequence[FloatLeg], revision: int) -> float:
    """Sum of collateral x threshold over debt; infinity without debt. To 3.4 the average threshold is cut to whole bps first."""
    debt = math.fsum(leg.debt * leg.price for leg in legs)
    values = [leg.supply * leg.price if leg.enabled else 0.0 for leg in legs]
    weighted = math.fsum(value * leg.threshold_ratio for value, leg in zip(values, legs, strict=True))
    if roundings(revision).average_threshold_first and weighted:
        weighted = math.fsum(values) * math.floor(weighted / math.fsum(values) * 1e4 + SLACK) / 1e4
    return weighted / debt if debt > 0 else math.inf


def liquidate(
    legs: Sequence[FloatLeg], collateral: int, debt: int, debt_to_cover: float, revision: int
) -> FloatOutcome:
    """What a liquidation does in whole tokens; only refusals that depend on amounts are judged: healthy, collateral not enabled, no debt, dust."""
    row = revision_row(revision)
    taken, owed = legs[collateral], legs[debt]
    health = health_factor(legs, revision)
    margins = {"health factor 1": health - 1}
    nothing = FloatOutcome(0.0, 0.0, 0.0, 0.0, margins)
    if health >= 1:
        return replace(nothing, refused="HealthFactorNotBelowThreshold")
    if not taken.enabled:
        return replace(nothing, refused="CollateralCannotBeLiquidated")
    if owed.debt <= 0:
        return replace(nothing, refused="SpecifiedCurrencyNotBorrowedByUser")
    total_debt = math.fsum(leg.debt * leg.price for leg in legs)
    margins["health factor 0.95"] = health / CLOSE_FACTOR_HEALTH_FACTOR - 1
    half = health > CLOSE_FACTOR_HEALTH_FACTOR
    most = owed.debt
    if row.whole_position:
        smaller = min(taken.supply * taken.price, owed.debt * owed.price)
        margins["2,000"] = smaller / SMALL_POSITION_USD - 1
        margins["the whole debt"] = debt_to_cover / owed.debt - 1
        if half and smaller >= SMALL_POSITION_USD:
            most = min(most, math.floor(CLOSE_FACTOR * total_debt / owed.price / owed.unit + SLACK) * owed.unit)
    elif half:
        most = math.floor(CLOSE_FACTOR * round(owed.debt / owed.unit) + 0.5) * owed.unit
    repaid = min(debt_to_cover, most)
    units = math.floor(repaid * owed.price / taken.price / taken.unit + SLACK)
    units = math.floor(units * taken.bonus_ratio + (0.5 if row.max_collateral == "half_up" else SLACK))
    there = round(taken.supply / taken.unit)
    margins["collateral just enough"] = units / there - 1 if there else math.inf
    if units > there:
        repaid = min(repaid, taken.supply * taken.price / owed.price / taken.bonus_ratio)
    everything = units >= there
    gross = taken.supply if everything else units * taken.unit
    fee = (gross - gross / taken.bonus_ratio) * taken.fee_ratio
    if row.whole_position and repaid < owed.debt and not everything:
        left = min((owed.debt - repaid) * owed.price, (taken.supply - gross) * taken.price)
        margins["1,000"] = left / LEFTOVER_USD - 1
        if left < LEFTOVER_USD:
            return replace(nothing, refused="MustNotLeaveDust")
    others = any(leg.enabled and leg.supply > 0 for number, leg in enumerate(legs) if number != collateral)
    written_off = everything and not others and row.writes_off != "never"
    deficit = total_debt - repaid * owed.price if written_off else 0.0
    return FloatOutcome(repaid, gross - fee, fee, deficit, margins)
