"""The Compound V2 reader against the contracts themselves, asked one by one through plain web3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.expected import expect
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import WAD
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.availability import require_devnet
from tests.devnet.compound_v2 import FACTORS, INCENTIVE, RATES
from tests.devnet.compound_v2_market import PEOPLE, LivedIn, lived_in

pytestmark = pytest.mark.devnet
BLOCKS = 2_102_400
"""blocksPerYear of the package's rate models."""


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[LivedIn, Path]]:
    require_devnet()
    with lived_in() as lived:
        yield lived


@pytest.fixture(scope="module")
def lived(place: tuple[LivedIn, Path]) -> LivedIn:
    return place[0]


@pytest.fixture(scope="module")
def snapshot(place: tuple[LivedIn, Path]) -> Snapshot:
    return take(place[0].node.url, place[1], "latest", "compound")


def by_ctoken(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {row["receipt_asset"].rpartition(":")[2]: row for row in rows(snapshot, "reserves")}


def test_everything_that_was_compared_agrees(lived: LivedIn, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["accounts agree with getAccountLiquidity"] >= 40
    assert compared["shares add up to the market's total"] == len(lived.ctokens)
    assert compared["principals from events give borrowBalanceStored"] >= 15
    assert compared["the market holds its cash"] == len(lived.ctokens)
    assert set(snapshot["positions"]["status"]) == {"verified"}


def test_each_market_is_what_its_contract_says_at_the_block(lived: LivedIn, snapshot: Snapshot) -> None:
    """exchangeRateCurrent and totalBorrowsCurrent accrue inside the call: what they answer is the contract's own view of the block."""
    found = by_ctoken(snapshot)
    assert len(found) == len(lived.ctokens) == 7
    grown = 0
    for ctoken in lived.ctokens:
        row, ask = found[ctoken.address.lower()], ctoken.functions
        ctokens = ask.totalSupply().call()
        assert row["supplied_stored_raw"] == ctokens
        assert row["supply_index_raw"] * WAD // row["supply_index_unit_raw"] == ask.exchangeRateCurrent().call()
        assert row["borrowed_stored_raw"] == ask.totalBorrowsCurrent().call()
        assert row["cash_raw"] == row["balance_raw"] == ask.getCash().call()
        assert row["last_accrual"] == ask.accrualBlockNumber().call()
        assert row["borrow_index_raw"] == row["borrow_index_unit_raw"] >= ask.borrowIndex().call()
        assert row["borrow_rate_ray"] == ask.borrowRatePerBlock().call() * 10**9 * BLOCKS
        assert row["supply_rate_ray"] == ask.supplyRatePerBlock().call() * 10**9 * BLOCKS
        grown += row["borrowed_stored_raw"] > ask.totalBorrows().call()
    assert grown >= 4, "interest that nobody has written down yet"


def test_terms_switches_and_rates(lived: LivedIn, snapshot: Snapshot) -> None:
    found = by_ctoken(snapshot)
    reserves = {symbol: found[one.address.lower()] for symbol, one in lived.market.markets.items()}
    for symbol, row in reserves.items():
        assert row["liquidation_threshold_wad"] == row["ltv_wad"] == FACTORS[symbol]
        assert (row["liquidation_bonus_wad"], row["close_factor_wad"]) == (INCENTIVE, WAD // 2)
        assert (row["liquidation_fee_wad"], row["liquidation_fee_base"]) == (28 * WAD // 1000, "seized")
        assert row["active"] and row["liquidatable"] and not row["paused"]
        model = lived.market.rates.functions
        kink = model.kink().call()
        assert row["rate_optimal_ray"] == kink * 10**9 == RATES[3] * 10**9
        assert row["rate_base_ray"] == model.baseRatePerBlock().call() * BLOCKS * 10**9
        assert row["rate_slope1_ray"] == model.multiplierPerBlock().call() * kink * BLOCKS // 10**9
        assert row["rate_slope2_ray"] == model.jumpMultiplierPerBlock().call() * (WAD - kink) * BLOCKS // 10**9
    assert {symbol for symbol, row in reserves.items() if row["frozen"]} == {"DAI"}
    assert {symbol for symbol, row in reserves.items() if not row["borrowable"]} == {"DAI"}
    assert {symbol for symbol, row in reserves.items() if row["borrow_cap_raw"]} == {"WETH"}
    assert any("new supply to" in gap and lived.market.markets["LINK"].address.lower() in gap for gap in snapshot.gaps)
    straight = found[lived.coin.address.lower()]
    assert (straight["rate_model"], straight["rate_optimal_ray"], straight["rate_slope2_ray"]) == ("kinked", 10**27, 0)


def test_every_account_has_what_the_contracts_say(lived: LivedIn, snapshot: Snapshot) -> None:
    """cTokens by balanceOf, debts by borrowBalanceCurrent, membership by the comptroller; nobody else, and no row of nothing."""
    found = {(row["position_id"], row["asset"], row["side"]): row for row in rows(snapshot, "positions")}
    reserves, seen = by_ctoken(snapshot), 0
    everybody = [*lived.people, lived.heir, lived.keeper]
    for ctoken in lived.ctokens:
        reserve = reserves[ctoken.address.lower()]
        rate = ctoken.functions.exchangeRateCurrent().call()
        for who in everybody:
            held, owed = (
                one(who).call() for one in (ctoken.functions.balanceOf, ctoken.functions.borrowBalanceCurrent)
            )
            supply = found.get((who.lower(), reserve["asset"], "supply"))
            debt = found.get((who.lower(), reserve["asset"], "debt"))
            assert (supply["stored_raw"] if supply else 0) == held
            assert (debt["amount_raw"] if debt else 0) == owed
            seen += (held > 0) + (owed > 0)
            if supply:
                assert supply["amount_raw"] == held * rate // WAD
                member = lived.market.comptroller.functions.checkMembership(who, ctoken.address).call()
                assert supply["collateral_enabled"] == member
    assert seen == len(found) > PEOPLE
    assert lived.heir.lower() in {who for who, _, _ in found}, "who only ever received a transfer"
    assert len({who for who, _, _ in found}) < len(everybody), "who left is not listed"


def test_a_second_market_of_one_token_is_kept_apart(lived: LivedIn, snapshot: Snapshot) -> None:
    row, first = (
        by_ctoken(snapshot)[lived.twin.address.lower()],
        by_ctoken(snapshot)[lived.market.markets["DAI"].address.lower()],
    )
    assert row["asset"] == f"{first['asset']}/{lived.twin.address.lower()}"
    [backing] = [one for one in rows(snapshot, "backings") if one["claim"] == row["asset"]]
    assert (backing["backing"], backing["rate_wad"], backing["amount_raw"]) == (first["asset"], WAD, row["cash_raw"])


def test_what_it_would_cost_is_told_beforehand(place: tuple[LivedIn, Path], snapshot: Snapshot) -> None:
    """On so small a chain the sample is all of it, so that rows are not guessed."""
    told = expect(place[0].node.url, place[1], "latest").total
    assert told.rows == pytest.approx(sum(len(table) for table in snapshot.tables.values()), rel=0.05)
