"""The Aave reader on 3.0.2 (POOL_REVISION 1), against the contracts themselves, asked one by one through plain web3."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chain.accounting import aave_v3 as accounting
from chain.comparisons import checks
from chain.readers import aave_v3, aave_v3_accounts
from chain.readers.aave_v3_questions import CategoryAnswer
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import BPS_TO_WAD, RAY, UINT256_MAX, address_of
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.aave_v302 import published
from tests.devnet.aave_v302_market import ETHER_CATEGORY, OldMarket, old_market
from tests.devnet.availability import require_devnet
from tests.devnet.market import RESERVES

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def old() -> Iterator[OldMarket]:
    require_devnet()
    with old_market() as market:
        yield market


@pytest.fixture(scope="module")
def snapshot(old: OldMarket) -> Snapshot:
    return take(old.url, old.deployments, "latest", "old")


def key(contract: Any) -> str:
    return f"eip155:31337/erc20:{contract.address.lower()}"


def by_symbol(old: OldMarket, snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    found = {row["asset"]: row for row in rows(snapshot, "reserves")}
    return {symbol: found[key(old.tokens[symbol])] for symbol in RESERVES}


def test_everything_that_was_compared_agrees(old: OldMarket, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["stored supply adds up to scaledTotalSupply"] == len(RESERVES)
    assert compared["accounts agree with getUserAccountData"] == len(old.people) + 1, "everybody and the treasury"
    assert compared["amount is balanceOf"] == len(snapshot["positions"])
    assert rows(snapshot, "markets")[0]["revision"] == 1 == old.pool.functions.POOL_REVISION().call()
    assert set(snapshot["positions"]["status"]) == {"verified"}
    assert not any("never compared" in gap for gap in snapshot.gaps)


def test_reserves_are_what_the_data_provider_says(old: OldMarket, snapshot: Snapshot) -> None:
    ask = old.data_provider.functions
    for symbol, row in by_symbol(old, snapshot).items():
        asset = old.tokens[symbol].address
        config, data = ask.getReserveConfigurationData(asset).call(), ask.getReserveData(asset).call()
        terms = [row[f"{name}_wad"] // BPS_TO_WAD for name in ("ltv", "liquidation_threshold", "liquidation_bonus")]
        assert terms == config[1:4] and row["reserve_factor_wad"] == config[4] * BPS_TO_WAD
        assert (row["borrowable"], row["active"], row["frozen"]) == (config[6], config[8], config[9])
        assert (row["siloed"], row["paused"]) == (ask.getSiloedBorrowing(asset).call(), ask.getPaused(asset).call())
        caps = [10 ** config[0] * cap or None for cap in ask.getReserveCaps(asset).call()]
        assert [row["borrow_cap_raw"], row["supply_cap_raw"]] == caps
        assert [row["supply_rate_ray"], row["borrow_rate_ray"], row["last_accrual"]] == [data[5], data[6], data[11]]
        assert row["fixed_rate_ray"] == (data[7] if config[7] else None)
        assert row["fixed_debt_raw"] == data[3] == old.fixed_debt_tokens[symbol].functions.totalSupply().call()
        assert row["cash_raw"] == old.tokens[symbol].functions.balanceOf(old.receipt_tokens[symbol].address).call()
        assert row["debt_ceiling_raw"] == (ask.getDebtCeiling(asset).call() * 10**6 or None)
        assert (row["deficit_raw"], row["grace_until"]) == (None, None) or row["grace_until"] != row["grace_until"]
        rates = old.node.w3.eth.contract(
            address=ask.getInterestRateStrategyAddress(asset).call(),
            abi=published("DefaultReserveInterestRateStrategy").abi,
        ).functions
        slopes = (rates.getBaseVariableBorrowRate, rates.getVariableRateSlope1, rates.getVariableRateSlope2)
        assert [row["rate_base_ray"], row["rate_slope1_ray"], row["rate_slope2_ray"]] == [
            one().call() for one in slopes
        ]
        assert row["rate_optimal_ray"] == rates.OPTIMAL_USAGE_RATIO().call()
        assert row["fixed_debt_asset"] == key(old.fixed_debt_tokens[symbol])


def test_isolation_and_silos_are_read(old: OldMarket, snapshot: Snapshot) -> None:
    reserves = by_symbol(old, snapshot)
    assert {symbol for symbol, row in reserves.items() if row["siloed"]} == {"LINK"}
    assert {symbol for symbol, row in reserves.items() if row["borrowable_in_isolation"]} == {"USDC", "DAI"}
    counted = old.pool.functions.getReserveData(old.tokens["WBTC"].address).call()[14]
    assert reserves["WBTC"]["isolated_debt_raw"] == counted * 10**6 == 60_000 * 10**8
    assert [row["isolated_debt_raw"] for symbol, row in reserves.items() if symbol != "WBTC"] == [None] * 5


def test_categories_are_the_pools(old: OldMarket, snapshot: Snapshot) -> None:
    ask = old.pool.functions
    found = {row["category"]: row for row in rows(snapshot, "categories")}
    assert len(found) == 2
    index = {symbol: ask.getReserveData(token.address).call()[7] for symbol, token in old.tokens.items()}
    for number, row in found.items():
        ltv, threshold, bonus, _, label = ask.getEModeCategoryData(number).call()
        terms = ("ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad")
        assert [row[name] // BPS_TO_WAD for name in terms] == [ltv, threshold, bonus] and row["label"] == label
        members = {
            s
            for s in index
            if old.data_provider.functions.getReserveEModeCategory(old.tokens[s].address).call() == number
        }
        assert {symbol for symbol in index if row["collateral_bitmap"] >> index[symbol] & 1} == members
    ether = found[ETHER_CATEGORY]
    assert address_of(ether["price_source"]) == old.category_price.lower()
    assert ether["price_raw"] == old.oracle.functions.getAssetPrice(old.category_price).call() == 2222 * 10**8
    assert ether["ltvzero_bitmap"] == 1 << index["lstETH"]


def test_every_account_has_every_balance(old: OldMarket, snapshot: Snapshot) -> None:
    amounts = {
        (row["position_id"], row["asset"], row["side"]): row["amount_raw"] for row in rows(snapshot, "positions")
    }
    sides = {"supply": old.receipt_tokens, "debt": old.debt_tokens, "fixed_debt": old.fixed_debt_tokens}
    found: dict[str, int] = dict.fromkeys(sides, 0)
    for symbol in RESERVES:
        for side, tokens in sides.items():
            for who in (*old.people.values(), old.treasury):
                balance = tokens[symbol].functions.balanceOf(who).call()
                assert amounts.get((who.lower(), key(old.tokens[symbol]), side), 0) == balance
                found[side] += balance > 0
    assert sum(found.values()) == len(amounts) and found["fixed_debt"] == 4


def test_a_fixed_debt_is_its_principal_and_its_own_growth(old: OldMarket, snapshot: Snapshot) -> None:
    [row] = [
        row
        for row in rows(snapshot, "positions")
        if row["position_id"] == old.people["fixed"].lower() and row["side"] == "fixed_debt"
    ]
    ask = old.fixed_debt_tokens["DAI"].functions
    assert row["stored_raw"] == ask.principalBalanceOf(old.people["fixed"]).call()
    assert row["index_unit_raw"] == RAY < row["index_raw"] and not row["collateral_enabled"]
    [check] = [check for check in snapshot.checks if check.name.startswith("fixed-rate debt")]
    assert check.compared == 3 and "residuals" in check.note


WRONG = {
    "supply_balance down": ({"supply_balance": "floor"}, "amount is balanceOf"),
    "debt_balance up": ({"debt_balance": "ceil"}, "amount is balanceOf"),
    "debt_value up": ({"debt_value": "ceil"}, "accounts agree with getUserAccountData"),
    "sum of thresholds": ({"average_threshold_first": False}, "accounts agree with getUserAccountData"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rounding_fails_a_check(old: OldMarket, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    change, check = WRONG[wrong]
    rounded = replace(accounting.ROUNDINGS[1], **change)  # type: ignore[arg-type]
    monkeypatch.setitem(accounting.ROUNDINGS, 1, rounded)
    assert failed(take(old.url, old.deployments, "latest"))[check].failures


@pytest.mark.parametrize("lost", ["price", "price_source"])
def test_a_category_read_wrongly_fails_a_check(old: OldMarket, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    real = aave_v3._categories

    def forgetful(found: Any, here: Any, categories: dict[int, CategoryAnswer]) -> None:
        real(found, here, {number: replace(one, **{lost: None}) for number, one in categories.items()})  # type: ignore[arg-type]

    monkeypatch.setattr(aave_v3, "_categories", forgetful)
    planted = failed(take(old.url, old.deployments, "latest"))
    assert ("accounts agree with getUserAccountData" in planted) == (lost == "price")


def test_a_forgotten_fixed_debt_fails_its_sum_and_its_account(old: OldMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aave_v3_accounts, "_fixed_debts", lambda *_: {})
    planted = failed(take(old.url, old.deployments, "latest"))
    assert set(planted) == {
        "fixed-rate debt adds up to totalSupply within its bound",
        "accounts agree with getUserAccountData",
    }
    assert "the bound is" in planted["fixed-rate debt adds up to totalSupply within its bound"].failures[0]


def test_a_market_without_its_cash_is_found(snapshot: Snapshot) -> None:
    table = [
        {**row, "balance_raw": row["cash_raw"] - (row["reserve_index"] == 0)} for row in rows(snapshot, "reserves")
    ]
    assert len(checks.cash({"reserves": table}).check.failures) == 1


def test_growth_worked_out_by_hand() -> None:
    year = 365 * 24 * 3600
    assert accounting.compounded(RAY // 10, 0) == RAY
    assert accounting.compounded(RAY // 10, 1) == RAY + RAY // 10 // year
    two = RAY + 2 * (RAY // 10) // year + RAY // 100 // year**2
    assert accounting.compounded(RAY // 10, 2) == two
    assert (
        abs(accounting.compounded(RAY // 10, year) / RAY - (1 + 0.1 + 0.1**2 / 2 + 0.1**3 / 6)) < 5e-6
    )  # the last term is cut to 31
    with pytest.raises(ValueError, match="-1 seconds"):
        accounting.compounded(RAY, -1)


def test_fixed_and_other_debt_are_valued_together() -> None:
    holding = accounting.Holding(99, 2, debt_stored=1, fixed_debt=1)
    data = accounting.account_data([holding], 1)
    assert (data.debt_base, data.health_factor_wad) == (1, 0), "198 hundredths, rounded down once"
    assert accounting.account_data([accounting.Holding(1, 0, 5)], 1).health_factor_wad == UINT256_MAX
