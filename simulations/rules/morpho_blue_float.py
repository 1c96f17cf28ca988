"""The same Morpho Blue rule in floats: whole tokens. The readable twin of a compiled kernel.

Differs from `morpho_blue` by rounding only: amounts agree within 1e-9 or two smallest units, decisions except within 1e-9 of a threshold.
One rounding of the contract is kept, since it is coarse where loan and collateral have different decimals: what is repaid is counted in whole
units of the loan before it is turned into collateral, and one such unit may be worth a billion units of collateral.
"""

import math
from dataclasses import dataclass, replace

CURSOR, MOST_INCENTIVE = 0.3, 1.15
SLACK = 1e-12
"""What floats may lack of a whole number that they mean, as a share of it."""


@dataclass(frozen=True)
class FloatAccount:
    """One account in one market.

    `collateral` and `debt` in whole tokens (debt rounded up to a unit), `shares` owed, `share_price` in whole loan tokens each, `price` in
    whole loan tokens per whole collateral token, `collateral_unit` and `loan_unit`: one smallest unit in whole tokens.
    """

    collateral: float
    debt: float
    shares: float
    share_price: float
    price: float
    threshold_ratio: float
    collateral_unit: float
    loan_unit: float


@dataclass(frozen=True)
class FloatOutcome:
    """Repaid and bad debt in whole loan tokens, seized in whole collateral tokens; `margins` as in `aave_v3_float`; `refused`: why, or None."""

    repaid: float
    seized: float
    deficit: float
    margins: dict[str, float]
    refused: str | None = None


def incentive(threshold_ratio: float) -> float:
    """What a liquidator gets per unit repaid."""
    return min(MOST_INCENTIVE, 1 / (1 - CURSOR * (1 - threshold_ratio)))


def health_factor(account: FloatAccount) -> float:
    """Most that may be borrowed over what is owed; infinity without debt."""
    value = math.floor(account.collateral * account.price / account.loan_unit) * account.loan_unit
    most = math.floor(value * account.threshold_ratio / account.loan_unit) * account.loan_unit
    return most / account.debt if account.debt else math.inf


def liquidate(account: FloatAccount, seized: float, shares: float) -> FloatOutcome:
    """Take `seized` whole collateral tokens, or repay `shares`: one of the two is 0. Only refusals that depend on amounts are judged."""
    health = health_factor(account)
    margins = {"health factor 1": health - 1}
    nothing = FloatOutcome(0.0, 0.0, 0.0, margins)
    if health >= 1:
        return replace(nothing, refused="position is healthy")
    unit, bonus = account.loan_unit, incentive(account.threshold_ratio)
    if seized:
        quoted = math.ceil(seized * account.price / unit * (1 - SLACK))
        repaid = (math.ceil(quoted / bonus * (1 - SLACK))) * unit
        shares = repaid / account.share_price
    elif not account.price:
        return replace(nothing, refused="Panic(0x12)")
    else:
        repaid = shares * account.share_price
        worth = math.floor(math.floor(repaid / unit) * bonus * (1 + SLACK)) * unit
        seized = math.floor(worth / account.price / account.collateral_unit) * account.collateral_unit
    margins["the whole debt"] = shares / account.shares - 1 if account.shares else math.inf
    margins["collateral just enough"] = seized / account.collateral - 1 if account.collateral else math.inf
    if shares > account.shares * (1 + 1e-15) or seized > account.collateral * (1 + 1e-15):
        return replace(nothing, refused="Panic(0x11)")
    everything = abs(seized - account.collateral) < account.collateral_unit / 2
    return FloatOutcome(repaid, seized, account.debt - repaid if everything else 0.0, margins)
