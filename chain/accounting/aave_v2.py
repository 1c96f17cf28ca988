"""Interest of Aave V2 to the last digit: indices between two touches, and debts at a fixed rate.

Source: @aave/protocol-v2 1.0.1 (npm), ReserveLogic.getNormalizedIncome and getNormalizedDebt, MathUtils, StableDebtToken.balanceOf. Supply
accrues as in V3. Debt accrues by the same three terms, but from a rate a second that is cut to whole 1e-27 before it is squared. Balances,
values and health factors are computed as in V3's POOL_REVISION 1 (GenericLogic is the same arithmetic): `chain.accounting.aave_v3`.
"""

from chain.accounting.aave_v3_interest import SECONDS_PER_YEAR, linear_growth
from chain.units import RAY, mul_div

ACCOUNTS_LIKE_V3_REVISION = 1


def compounded_growth(rate: int, seconds: int) -> int:
    """Growth of a debt over some seconds at a rate a year, both 1e-27 (MathUtils.calculateCompoundedInterest)."""
    a_second = rate // SECONDS_PER_YEAR
    squared = _ray_mul(a_second, a_second)
    cubed = _ray_mul(squared, a_second)
    pairs = seconds * max(seconds - 1, 0)
    return RAY + a_second * seconds + pairs * squared // 2 + pairs * max(seconds - 2, 0) * cubed // 6


def supply_index_at(index: int, rate: int, seconds: int) -> int:
    """Supply index so many seconds after its last touch (getReserveNormalizedIncome)."""
    return _ray_mul(linear_growth(rate, seconds), index) if seconds else index


def debt_index_at(index: int, rate: int, seconds: int) -> int:
    """Index of variable debt so many seconds after its last touch (getReserveNormalizedVariableDebt)."""
    return _ray_mul(compounded_growth(rate, seconds), index) if seconds else index


def fixed_debt(principal: int, rate: int, seconds: int) -> int:
    """A debt at a fixed rate in smallest units, so many seconds after the borrower's last touch (StableDebtToken.balanceOf)."""
    return _ray_mul(principal, compounded_growth(rate, seconds))


def _ray_mul(a: int, b: int) -> int:
    return mul_div(a, b, RAY, "half_up")
