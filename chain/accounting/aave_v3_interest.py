"""How an Aave V3 reserve earns interest: its own rate model, indices that accrue by the second, the treasury's share. Exact integers.

Sources, both checked against the deployed contracts: @aave/core-v3 1.19.3 (POOL_REVISION 1) and aave-v3-origin 3.6.0 (10), ReserveLogic
(_updateIndexes, _accrueToTreasury, updateInterestRates), MathUtils, DefaultReserveInterestRateStrategy (V2 in 3.6). Supply accrues linearly
between two touches, debt by three terms of the binomial series; the two revisions write the series differently and round differently.
Stable debt (to 3.2), bridged amounts and flash loans are not modelled.
"""

from dataclasses import dataclass, replace

from chain.accounting.aave_v3 import debt_balance
from chain.errors import InputError
from chain.units import BPS, RAY, Rounding, mul_div

SECONDS_PER_YEAR = 365 * 86_400
CHECKED = (1, 10)


@dataclass(frozen=True)
class RateModel:
    """Yearly rates by use, 1e-27: `base` at none, plus `slope1` at `optimal` use, plus `slope2` at full use; `reserve_factor_bps` goes to the treasury."""

    optimal: int
    base: int
    slope1: int
    slope2: int
    reserve_factor_bps: int


@dataclass(frozen=True)
class Reserve:
    """One reserve at its last touch.

    Attributes
    ----------
    supply_index, debt_index, supply_rate, debt_rate : 1e-27, rates a year.
    debt_stored : sum of all stored debt.
    cash_raw : what can be paid out, smallest units (the virtual balance where the protocol keeps one).
    treasury_stored : receipt tokens owed to the treasury and not minted yet, stored units.
    deficit_raw : recorded losses, smallest units; they count as supplied when the supply rate is set (from 3.3).
    touched_at : seconds.
    """

    supply_index: int
    debt_index: int
    supply_rate: int
    debt_rate: int
    debt_stored: int
    cash_raw: int
    treasury_stored: int
    deficit_raw: int
    touched_at: int


def linear_growth(rate: int, seconds: int) -> int:
    """Growth of a supply index over some seconds, 1e-27 (MathUtils.calculateLinearInterest)."""
    return RAY + rate * seconds // SECONDS_PER_YEAR


def compounded_growth(rate: int, seconds: int, revision: int) -> int:
    """Growth of a debt index over some seconds, 1e-27 (MathUtils.calculateCompoundedInterest).

    Raises
    ------
    InputError
        If the revision is none of those that were compared.
    """
    _require(revision)
    if seconds == 0:
        return RAY
    if revision == 1:
        square = _ray_mul(rate, rate) // SECONDS_PER_YEAR**2
        cube = _ray_mul(square, rate) // SECONDS_PER_YEAR
        pairs = seconds * (seconds - 1)
        second, third = pairs * square // 2, pairs * max(seconds - 2, 0) * cube // 6
        return RAY + rate * seconds // SECONDS_PER_YEAR + second + third
    x = rate * seconds // SECONDS_PER_YEAR
    return RAY + x + _ray_mul(x, x // 2 + _ray_mul(x, x // 6))


def indices_at(reserve: Reserve, now: int, revision: int) -> tuple[int, int]:
    """(supply index, debt index) at a time, without a touch: getReserveNormalizedIncome and getReserveNormalizedVariableDebt."""
    seconds = now - reserve.touched_at
    if seconds == 0:
        return reserve.supply_index, reserve.debt_index
    return (
        _ray_mul(linear_growth(reserve.supply_rate, seconds), reserve.supply_index),
        _ray_mul(compounded_growth(reserve.debt_rate, seconds, revision), reserve.debt_index),
    )


def accrue(reserve: Reserve, model: RateModel, now: int, revision: int) -> Reserve:
    """The reserve after updateState: new indices, the treasury's share of the interest; the rates are those from before."""
    if now == reserve.touched_at:
        return reserve
    supply_index, debt_index = indices_at(reserve, now, revision)
    supply_index = supply_index if reserve.supply_rate else reserve.supply_index
    debt_index = debt_index if reserve.debt_stored else reserve.debt_index
    if revision == 1:
        earned = _ray_mul(reserve.debt_stored, debt_index) - _ray_mul(reserve.debt_stored, reserve.debt_index)
    else:
        earned = mul_div(reserve.debt_stored, debt_index - reserve.debt_index, RAY)
    share = mul_div(earned, model.reserve_factor_bps, BPS, "half_up")
    minted = mul_div(share, RAY, supply_index, "half_up" if revision == 1 else "floor")
    return replace(
        reserve,
        supply_index=supply_index,
        debt_index=debt_index,
        treasury_stored=reserve.treasury_stored + minted,
        touched_at=now,
    )


def rates(reserve: Reserve, model: RateModel, revision: int) -> tuple[int, int]:
    """(supply rate, debt rate) a year, 1e-27, for a reserve as it stands (calculateInterestRates)."""
    debt = debt_balance(reserve.debt_stored, reserve.debt_index, revision)
    if debt == 0:
        return 0, model.base
    total = reserve.cash_raw + debt
    use, lent = _ray_div(debt, total), _ray_div(debt, total + (0 if revision == 1 else reserve.deficit_raw))
    if use > model.optimal:
        debt_rate = (
            model.base + model.slope1 + _ray_mul(model.slope2, _ray_div(use - model.optimal, RAY - model.optimal))
        )
    else:
        debt_rate = model.base + _ray_div(_ray_mul(model.slope1, use), model.optimal)
    paid = debt_rate
    if revision == 1:  # averaged over stable and variable debt, which rounds twice even where there is no stable debt
        paid = _ray_div(_ray_mul(debt * 10**9, debt_rate), debt * 10**9)
    return mul_div(_ray_mul(paid, lent), BPS - model.reserve_factor_bps, BPS, "half_up"), debt_rate


def touch(reserve: Reserve, model: RateModel, now: int, revision: int, cash_raw: int = 0, debt_raw: int = 0) -> Reserve:
    """The reserve after a supply, withdrawal, borrowing or repayment: it accrues, amounts move, rates are set anew.

    Parameters
    ----------
    now : seconds.
    cash_raw : what comes in (or, negative, goes out), smallest units.
    debt_raw : what is borrowed (or, negative, repaid), smallest units; each is rounded against the borrower, to 3.4 to the nearest.

    Raises
    ------
    InputError
        If the revision is none of those that were compared, or time runs backwards.
    """
    _require(revision)
    if now < reserve.touched_at:
        raise InputError(f"the reserve was touched at {reserve.touched_at}, which is after {now}")
    after = accrue(reserve, model, now, revision)
    rounding: Rounding = "half_up" if revision == 1 else "ceil" if debt_raw > 0 else "floor"
    stored = mul_div(abs(debt_raw), RAY, after.debt_index, rounding)
    after = replace(
        after,
        cash_raw=after.cash_raw + cash_raw,
        debt_stored=after.debt_stored + (stored if debt_raw > 0 else -stored),
    )
    supply_rate, debt_rate = rates(after, model, revision)
    return replace(after, supply_rate=supply_rate, debt_rate=debt_rate)


def _require(revision: int) -> None:
    if revision not in CHECKED:
        raise InputError(
            f"interest of Aave V3 POOL_REVISION {revision} is not written; written are {', '.join(map(str, CHECKED))}"
        )


def _ray_mul(a: int, b: int) -> int:
    return mul_div(a, b, RAY, "half_up")


def _ray_div(a: int, b: int) -> int:
    return mul_div(a, RAY, b, "half_up")
