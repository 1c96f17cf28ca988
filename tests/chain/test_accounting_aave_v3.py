"""Aave accounts on paper: numbers worked out by hand, where roundings of the revisions part. The contracts are asked in test_readers."""

from dataclasses import replace

import pytest

from chain.accounting.aave_v3 import (
    ROUNDINGS,
    AccountData,
    Category,
    Holding,
    Terms,
    account_data,
    debt_balance,
    supply_balance,
    terms_for,
)
from chain.errors import UnknownNameError
from chain.units import RAY, UINT256_MAX, WAD

HALF_MORE = RAY + RAY // 2
"""An index of 1.5: a stored 1 is one and a half."""


def test_balances_round_as_each_version_does() -> None:
    # 3 stored at 1.5 are 4.5: 4.5 rounds half up to 5 until 3.4; from 3.5 a supply is 4 and a debt 5.
    assert [supply_balance(3, HALF_MORE, revision) for revision in (1, 4, 5, 6, 7, 8, 9, 10, 11)] == [5] * 6 + [4] * 3
    # 1 stored at 1 + 1/4: 1.25 rounds half up to 1 until 3.4; from 3.5 a debt is 2.
    index = RAY + RAY // 4
    assert [debt_balance(1, index, revision) for revision in (1, 4, 5, 6, 7, 8, 9, 10, 11)] == [1] * 6 + [2] * 3


def test_an_account_worked_out_by_hand() -> None:
    # 1.5 ether at $2,000 with threshold 80 %, 10 LINK at $10 that are not collateral, 1,000.000001 USDC owed at $1.
    holdings = [
        Holding(2000 * 10**8, 18, WAD, HALF_MORE, ltv_bps=7500, threshold_bps=8000, enabled=True),
        Holding(10 * 10**8, 18, 10 * WAD, RAY, ltv_bps=5000, threshold_bps=6000),
        Holding(10**8, 6, debt_stored=1_000_000_001),
    ]
    # health factor: 3000e8 x 8000 x 1e18 / 1000.000001e8, half up, over 10,000 rounded down
    expected = AccountData(3000 * 10**8, 100_000_000_100, 7500, 8000, 2399999997600000002)
    assert account_data(holdings, 10) == expected
    assert account_data(reversed(holdings), 10) == expected


def test_the_value_of_a_debt_rounds_up_since_3_5() -> None:
    crumb = Holding(99, 6, debt_stored=1)
    assert account_data([crumb], 8).debt_base == 0
    assert account_data([crumb], 10).debt_base == 1


def test_the_average_threshold_is_rounded_first_until_3_4() -> None:
    # Values 1 and 2 at 1 bp and 0 bp: the sum is 1, the average is rounded down to 0 bps.
    holdings = [
        Holding(1, 0, 1, threshold_bps=1, enabled=True),
        Holding(1, 0, 2, threshold_bps=2, enabled=True),
        Holding(1, 0, debt_stored=1),
    ]
    assert account_data(holdings, 8).health_factor_wad == 0  # 3 x 1 bp half up in whole units
    assert account_data(holdings, 10).health_factor_wad == 5 * WAD // 10_000


def test_without_debt_the_health_factor_is_the_largest_number() -> None:
    assert account_data([], 10) == AccountData(0, 0, 0, 0, UINT256_MAX)
    assert account_data([Holding(1, 0, 5, enabled=True)], 10).health_factor_wad == UINT256_MAX


def test_terms_of_a_category() -> None:
    own, category = Terms(7000, 7500), Category(Terms(9000, 9300), collateral_bitmap=0b0101, ltvzero_bitmap=0b0100)
    assert terms_for(0, own, None, 10) == own
    assert terms_for(0, own, category, 10) == Terms(9000, 9300)
    assert terms_for(1, own, category, 10) == own
    assert terms_for(2, own, category, 10) == Terms(0, 9300)
    assert terms_for(0, Terms(0, 0), category, 10) == Terms(9000, 9300)
    assert terms_for(0, Terms(0, 0), category, 9) == Terms(0, 0)


def test_collateral_without_a_threshold_counts_since_3_6_only() -> None:
    holding = Holding(1, 0, 5, enabled=True)
    assert account_data([holding], 9).collateral_base == 0
    assert account_data([holding], 10).collateral_base == 5


def test_two_revisions_were_compared_with_a_contract() -> None:
    assert [revision for revision, row in ROUNDINGS.items() if row.checked] == [1, 10]
    assert sorted(ROUNDINGS) == [1, 4, 5, 6, 7, 8, 9, 10, 11]
    with pytest.raises(UnknownNameError, match="pool revision named '12'"):
        account_data([], 12)


def test_every_field_of_a_holding_matters() -> None:
    debt = Holding(3, 0, debt_stored=7)
    base = Holding(10**9, 1, 12345, HALF_MORE, 0, RAY, 0, 5000, 6000, True)
    data = account_data([base, debt], 10)
    changes = {
        "price_raw": 10**8,
        "decimals": 2,
        "supply_stored": 12346,
        "supply_index": RAY,
        "debt_stored": 1,
        "fixed_debt": 1,
    }
    changes |= {"ltv_bps": 5001, "threshold_bps": 6001, "enabled": False}
    for name, value in changes.items():
        assert account_data([replace(base, **{name: value}), debt], 10) != data, name  # type: ignore[arg-type]
