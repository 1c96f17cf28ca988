"""Aave V3 accounts to the last digit: balances, values and the health factor as the contracts compute them, by POOL_REVISION.

Source of revision 10: aave-v3-origin 3.6.0, GenericLogic.calculateUserAccountData, TokenMath, ValidationLogic.getUserReserveLtv; of
revision 1: @aave/core-v3 1.19.3, GenericLogic, ScaledBalanceTokenBase, MathUtils, StableDebtToken; both checked against deployed
contracts. The other rows follow the sources at the tags of their versions and say `checked=False`: nobody has compared them with a
running contract yet, and a user of them must pass that on. A category that overrides the price (to 3.1) belongs into `price_raw`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chain.errors import unknown_name
from chain.units import BPS, RAY, UINT256_MAX, WAD, Rounding, mul_div

SECONDS_PER_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Roundings:
    """How one revision rounds.

    Attributes
    ----------
    version : version of the protocol that reports this revision.
    supply_balance, debt_balance : stored amount x index / 10**27.
    debt_value : debt x price / 10**decimals; the value of collateral is rounded down in every revision.
    average_threshold_first : whether the health factor is taken from the average threshold, already rounded down to whole bps
        (3.0 to 3.4), or from the sum of value x threshold (from 3.5).
    needs_own_threshold : whether an asset whose own threshold is 0 counts for nothing, also inside an e-mode category (to 3.5).
    checked : whether the row was compared with a running contract.
    """

    version: str
    supply_balance: Rounding
    debt_balance: Rounding
    debt_value: Rounding
    average_threshold_first: bool
    needs_own_threshold: bool
    checked: bool = False


ROUNDINGS: dict[int, Roundings] = {
    1: Roundings("3.0.2", "half_up", "half_up", "floor", True, True, checked=True),
    4: Roundings("3.1", "half_up", "half_up", "floor", True, True),
    5: Roundings("3.2", "half_up", "half_up", "floor", True, True),
    6: Roundings("3.2.1", "half_up", "half_up", "floor", True, True),
    7: Roundings("3.3", "half_up", "half_up", "floor", True, True),
    8: Roundings("3.4", "half_up", "half_up", "floor", True, True),
    9: Roundings("3.5", "floor", "ceil", "ceil", False, True),
    10: Roundings("3.6", "floor", "ceil", "ceil", False, False, checked=True),
    11: Roundings("3.7", "floor", "ceil", "ceil", False, False),
}


@dataclass(frozen=True)
class Terms:
    """LTV and threshold (1e-4) that one asset has, outside or inside a category."""

    ltv_bps: int
    threshold_bps: int


@dataclass(frozen=True)
class Category:
    """An e-mode category: its terms and the reserves (bits by reserve index) that have them."""

    terms: Terms
    collateral_bitmap: int
    ltvzero_bitmap: int = 0


@dataclass(frozen=True)
class Holding:
    """What one account has and owes in one reserve.

    Attributes
    ----------
    price_raw : price of a whole token in the market's base currency, smallest unit.
    decimals : of the token.
    supply_stored, debt_stored : scaled balances.
    fixed_debt : debt at a fixed rate, interest included (3.0 to 3.1); it is valued together with the other debt of the reserve.
    supply_index, debt_index : normalised income and normalised debt at the block, 1e-27.
    ltv_bps, threshold_bps : the terms that hold for this account (see `terms_for`).
    enabled : whether the supply counts as collateral.
    """

    price_raw: int
    decimals: int
    supply_stored: int = 0
    supply_index: int = RAY
    debt_stored: int = 0
    debt_index: int = RAY
    fixed_debt: int = 0
    ltv_bps: int = 0
    threshold_bps: int = 0
    enabled: bool = False


@dataclass(frozen=True)
class AccountData:
    """The account as getUserAccountData gives it: values in the base currency, averages in 1e-4, health factor in 1e-18."""

    collateral_base: int
    debt_base: int
    ltv_bps: int
    liquidation_threshold_bps: int
    health_factor_wad: int


def roundings(revision: int) -> Roundings:
    """The row of a POOL_REVISION; UnknownNameError for one that is not in the table."""
    if revision not in ROUNDINGS:
        raise unknown_name("Aave V3 pool revision", str(revision), map(str, ROUNDINGS))
    return ROUNDINGS[revision]


def supply_balance(stored: int, index: int, revision: int) -> int:
    """Balance of the aToken: stored x index / 10**27 (TokenMath.getATokenBalance)."""
    return mul_div(stored, index, RAY, roundings(revision).supply_balance)


def debt_balance(stored: int, index: int, revision: int) -> int:
    """Balance of the variable debt token: stored x index / 10**27 (TokenMath.getVTokenBalance)."""
    return mul_div(stored, index, RAY, roundings(revision).debt_balance)


def compounded(rate: int, seconds: int) -> int:
    """Growth of 1 at a yearly rate over some seconds, both sides 1e-27: the three-term series of MathUtils.calculateCompoundedInterest.

    ValueError if `seconds` is negative: nothing was changed after the block that is read.
    """
    if seconds < 0:
        raise ValueError(f"interest over {seconds} seconds")
    squared = mul_div(rate, rate, RAY, "half_up") // SECONDS_PER_YEAR**2
    cubed = mul_div(squared, rate, RAY, "half_up") // SECONDS_PER_YEAR
    second = seconds * max(seconds - 1, 0) * squared // 2
    third = seconds * max(seconds - 1, 0) * max(seconds - 2, 0) * cubed // 6
    return RAY + rate * seconds // SECONDS_PER_YEAR + second + third


def collateral_value(amount: int, price_raw: int, decimals: int) -> int:
    """Value of an aToken balance in the base currency (GenericLogic._getUserBalanceInBaseCurrency)."""
    return mul_div(amount, price_raw, 10**decimals)


def debt_value(amount: int, price_raw: int, decimals: int, revision: int) -> int:
    """Value of a debt in the base currency (GenericLogic._getUserDebtInBaseCurrency)."""
    return mul_div(amount, price_raw, 10**decimals, roundings(revision).debt_value)


def terms_for(reserve_index: int, own: Terms, category: Category | None, revision: int) -> Terms:
    """The terms an asset has for an account in a category (None for no category).

    ValidationLogic.getUserReserveLtv and the e-mode branch of GenericLogic.calculateUserAccountData. To revision 9 an asset whose own
    threshold is 0 counts for nothing anywhere (its terms are then 0 and 0), and one whose own LTV is 0 has no LTV in a category either.
    """
    if category is None or not category.collateral_bitmap >> reserve_index & 1:
        return own
    needs_own = roundings(revision).needs_own_threshold
    if needs_own and own.threshold_bps == 0:
        return Terms(0, 0)
    if (needs_own and own.ltv_bps == 0) or category.ltvzero_bitmap >> reserve_index & 1:
        return Terms(0, category.terms.threshold_bps)
    return category.terms


def account_data(holdings: Iterable[Holding], revision: int) -> AccountData:
    """What getUserAccountData answers for an account.

    Parameters
    ----------
    holdings : one entry a reserve in which the account has a supply or a debt; their order does not matter.
    revision : POOL_REVISION of the market.

    Raises
    ------
    UnknownNameError
        If the revision is not in the table.
    """
    rule = roundings(revision)
    collateral = debt = weighted_ltv = weighted_threshold = 0
    for holding in holdings:
        if holding.enabled and not (rule.needs_own_threshold and holding.threshold_bps == 0):
            amount = supply_balance(holding.supply_stored, holding.supply_index, revision)
            value = collateral_value(amount, holding.price_raw, holding.decimals)
            collateral += value
            weighted_ltv += value * holding.ltv_bps
            weighted_threshold += value * holding.threshold_bps
        if holding.debt_stored or holding.fixed_debt:
            amount = debt_balance(holding.debt_stored, holding.debt_index, revision) + holding.fixed_debt
            debt += debt_value(amount, holding.price_raw, holding.decimals, revision)
    threshold = weighted_threshold // collateral if collateral else 0
    ltv = weighted_ltv // collateral if collateral else 0
    return AccountData(
        collateral, debt, ltv, threshold, _health_factor(collateral, threshold, weighted_threshold, debt, rule)
    )


def _health_factor(collateral: int, threshold: int, weighted_threshold: int, debt: int, rule: Roundings) -> int:
    if debt == 0:
        return UINT256_MAX
    if rule.average_threshold_first:
        return mul_div(mul_div(collateral, threshold, BPS, "half_up"), WAD, debt, "half_up")
    return mul_div(weighted_threshold, WAD, debt, "half_up") // BPS
