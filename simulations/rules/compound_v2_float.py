"""The same Compound V2 rule in floats: whole tokens and dollars. The readable twin of a compiled kernel.

Differs from `compound_v2` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
Two truncations of the contract are no mere rounding and are kept: what is seized is whole cTokens (one is worth about 2e-10 of a whole
token), and the cTokens per unit repaid are a whole number of 1e-18, which is coarse where a unit repaid is worth little (1e-9 and more of it).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

CTOKEN = 1e-8
"""One smallest unit of a cToken in whole cTokens."""
MANTISSA = 1e-18
SLACK = 1e-6
"""What floats may lack of a whole number that they mean."""


@dataclass(frozen=True)
class FloatLeg:
    """One market of an account.

    `ctokens` are whole cTokens, `rate` whole tokens per whole cToken, `debt` whole tokens, `price` of one whole token; terms are ratios (an
    incentive of 8 % is 1.08). `unit` is one smallest unit in whole tokens.
    """

    ctokens: float
    rate: float
    debt: float
    price: float
    entered: bool
    factor_ratio: float
    incentive_ratio: float
    share_ratio: float
    close_ratio: float
    unit: float


@dataclass(frozen=True)
class FloatOutcome:
    """Repaid, seized by the liquidator and fee in whole tokens, cTokens of both; `margins` as in `aave_v3_float`; `refused`: why, or None."""

    repaid: float
    seized: float
    fee: float
    seized_ctokens: float
    fee_ctokens: float
    margins: dict[str, float]
    refused: str | None = None


def health_factor(legs: Sequence[FloatLeg]) -> float:
    """Sum of collateral x factor over debt; infinity without debt."""
    weighted = math.fsum(leg.ctokens * leg.rate * leg.price * leg.factor_ratio for leg in legs if leg.entered)
    debt = math.fsum(leg.debt * leg.price for leg in legs)
    return weighted / debt if debt else math.inf


def liquidate(legs: Sequence[FloatLeg], collateral: int, debt: int, repay: float) -> FloatOutcome:
    """What a liquidation of exactly `repay` whole tokens does; only refusals that depend on amounts are judged."""
    taken, owed = legs[collateral], legs[debt]
    health = health_factor(legs)
    margins = {"health factor 1": health - 1}
    nothing = FloatOutcome(0.0, 0.0, 0.0, 0.0, 0.0, margins)
    if health >= 1:
        return replace(nothing, refused="INSUFFICIENT_SHORTFALL")
    most = math.floor(owed.debt * owed.close_ratio / owed.unit + SLACK) * owed.unit
    margins["close factor"] = repay / most - 1 if most else math.inf
    if repay > most * (1 + 1e-15):
        return replace(nothing, refused="TOO_MUCH_REPAY")
    if repay <= 0:
        return replace(nothing, refused="LIQUIDATE_CLOSE_AMOUNT_IS_ZERO")
    if not taken.price:
        return replace(nothing, refused="PRICE_ERROR")
    per_unit = taken.incentive_ratio * owed.price / taken.price / taken.rate * owed.unit / CTOKEN
    per_unit = math.floor(per_unit / MANTISSA) * MANTISSA
    exact, there = repay / owed.unit * per_unit, round(taken.ctokens / CTOKEN)
    tokens = math.floor(exact)
    margins["collateral just enough"] = exact / (there + 1) - 1
    if tokens > there:
        return replace(nothing, refused="LIQUIDATE_SEIZE_TOO_MUCH")
    protocol = math.floor(tokens * taken.share_ratio + SLACK)
    kept, fee = (tokens - protocol) * CTOKEN, protocol * CTOKEN
    return FloatOutcome(repay, kept * taken.rate, fee * taken.rate, kept, fee, margins)
