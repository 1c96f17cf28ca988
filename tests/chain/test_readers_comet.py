"""The Compound III reader on recorded answers of two real Comets, against the contracts' own views recorded at the same block.

What was deployed and what happened to it stands in tests/recordings/comet.py; the rows are made from the recording alone.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import aftershock
from chain.accounting import comet as accounting
from chain.comparisons import checks
from chain.deployments import read_deployments
from chain.errors import InputError
from chain.findings import Findings
from chain.inspection import addresses
from chain.snapshot import Snapshot
from chain.units import WAD
from graph.build import build
from simulations.book_of_graph import from_graph
from tests.chain.snapshot_rows import rows
from tests.recordings import comet
from tests.recordings.keeping import about_code, findings_of, header_of, replayed, snapshot_of

YEAR = 365 * 24 * 3600
Answers = dict[tuple[str, ...], Any]
Change = Callable[[dict[str, list[dict[str, Any]]], str], None]


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Snapshot, Findings, Answers, dict[str, str]]]:
    """The snapshot, what it was made from, the recorded views, and the addresses of Comets and tokens by name."""
    with replayed(comet.RECORDING) as client:
        snapshot = snapshot_of(client, comet.BOOK, "comet")
        found = findings_of(client, comet.BOOK)
        at = {entry.instance: entry.addresses["comet"] for entry in read_deployments(comet.BOOK)}
        tokens = {row["symbol"]: row["address"] for row in rows(snapshot, "assets") if isinstance(row["address"], str)}
        listed = {"dollar": [tokens[name] for name in ("WETH", "WBTC", "GOLD")], "ether": [tokens["lstETH"]]}
        answers = client.ask(comet.questions(at, listed, comet.everybody()))
        seen = [
            finding for finding in addresses(client, read_deployments(comet.BOOK)) if finding.subject != "Multicall3"
        ]
        assert {finding.state for finding in seen} == {"ok"}
    yield snapshot, found, answers, at | tokens


@pytest.fixture(scope="module")
def snapshot(place: tuple[Snapshot, Any, Any, Any]) -> Snapshot:
    return place[0]


@pytest.fixture(scope="module")
def answers(place: tuple[Any, Any, Answers, Any]) -> Answers:
    return place[2]


@pytest.fixture(scope="module")
def at(place: tuple[Any, Any, Any, dict[str, str]]) -> dict[str, str]:
    return place[3]


def market(at: dict[str, str], name: str) -> str:
    return f"eip155:31337:compound-v3/{at[name]}"


def token(address: str) -> str:
    return f"eip155:31337/erc20:{address}"


def reserve(snapshot: Snapshot, at: dict[str, str], name: str, symbol: str) -> dict[str, Any]:
    key = (market(at, name), token(at[symbol]))
    [row] = [row for row in rows(snapshot, "reserves") if (row["market"], row["asset"]) == key]
    return row


def test_the_recording_says_what_it_is_of_and_holds_no_code() -> None:
    header = header_of(comet.RECORDING)
    assert "compound-finance/comet@d5a30b0aaeff7755f1431e87f818990902237b03" in header["source"]
    assert "solc-js 0.8.15" in header["compiler"] and header["block"]["number"] > 0
    assert about_code(comet.RECORDING) == {"0x", "0x01"}


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert [check for check in snapshot.checks if not check.passed] == []
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["amount is balanceOf"] > 60 and compared["accounts agree with isLiquidatable"] > 30
    assert (
        compared["prices and discount give quoteCollateral"] == compared["collateral adds up to totalsCollateral"] == 4
    )
    for name in ("positions", "reserves", "backstops", "auctions", "prices"):
        assert set(snapshot[name]["status"]) == {"verified"}


def test_every_account_has_what_the_contract_says(snapshot: Snapshot, answers: Answers, at: dict[str, str]) -> None:
    """Of all who could have anything, also where the answer is nothing and there must be no row."""
    found = {
        (row["market"], row["position_id"], row["asset"], row["side"]): row["amount_raw"]
        for row in rows(snapshot, "positions")
    }
    left, nothing = dict(found), 0
    for (name, view, *subject), answer in answers.items():
        if view not in ("supply", "debt", "collateral"):
            continue
        base = "USDC" if name == "dollar" else "WETH"
        asset = token(subject[1] if view == "collateral" else at[base])
        assert left.pop((market(at, name), subject[0], asset, view), 0) == answer
        nothing += answer == 0
    assert left == {} and len(found) > 100 and nothing > 50
    for name in ("guest", "heir", "receiver"):
        assert any(who == comet.WHO[name].lower() for _, who, _, _ in found), "nobody but the giver acted"


def test_absorbed_accounts_left_what_the_contract_says(snapshot: Snapshot, at: dict[str, str]) -> None:
    sides = {
        number: [
            row["side"]
            for row in rows(snapshot, "positions")
            if row["position_id"] == comet.everybody()[number] and row["market"] == market(at, "dollar")
        ]
        for number in comet.ABSORBED
    }
    assert [] in sides.values() and ["supply"] in sides.values()
    assert not any("collateral" in some or "debt" in some for some in sides.values())


def test_totals_reserves_and_what_is_for_sale(snapshot: Snapshot, answers: Answers, at: dict[str, str]) -> None:
    for name, base in (("dollar", "USDC"), ("ether", "WETH")):
        row = reserve(snapshot, at, name, base)
        supplied = row["supplied_stored_raw"] * row["supply_index_raw"] // row["supply_index_unit_raw"]
        borrowed = row["borrowed_stored_raw"] * row["borrow_index_raw"] // row["borrow_index_unit_raw"]
        assert (supplied, borrowed) == (answers[name, "totalSupply"], answers[name, "totalBorrow"])
        [backstop] = [one for one in rows(snapshot, "backstops") if one["market"] == market(at, name)]
        assert backstop["amount_raw"] - row["deficit_raw"] == answers[name, "getReserves"]
        assert backstop["target_raw"] == answers[name, "targetReserves"]
    assert (
        reserve(snapshot, at, "dollar", "USDC")["deficit_raw"]
        > 0
        == reserve(snapshot, at, "ether", "WETH")["deficit_raw"]
    )
    lots = {row["auction"]: row for row in rows(snapshot, "auctions")}
    for (name, view, *subject), answer in answers.items():
        if view in ("for sale", "posted"):
            asset = token(subject[0])
            lot = lots[f"{market(at, name)}/{asset}"]
            symbol = next(one for one, address in at.items() if address == subject[0])
            row = reserve(snapshot, at, name, symbol)
            if view == "posted":
                assert row["collateral_raw"] == answer[0]
            else:
                assert (lot["lot_raw"], lot["state"]) == (answer, "running" if answer else "terms")
                assert row["balance_raw"] == row["collateral_raw"] + answer
    assert sum(lot["state"] == "running" for lot in lots.values()) == 3


def test_discount_and_prices_are_what_the_storefront_asks(
    snapshot: Snapshot, answers: Answers, at: dict[str, str]
) -> None:
    """By fractions of whole tokens: within one smallest unit and the discounted price's one part in 1e8 of what quoteCollateral answers."""
    prices = {(row["market"], row["asset"]): row["price_raw"] for row in rows(snapshot, "prices")}
    decimals = {row["asset"]: row["decimals"] for row in rows(snapshot, "assets")}
    lots = rows(snapshot, "auctions")
    assert len(lots) == sum(what == "quote" for _, what, *_ in answers) > 0
    for lot in lots:
        name = next(name for name in ("dollar", "ether") if market(at, name) == lot["market"])
        asset, base = lot["collateral_asset"], lot["debt_asset"]
        worth = comet.GIVEN / 10 ** decimals[base] * prices[lot["market"], base]
        bought = worth / (prices[lot["market"], asset] * (1 - lot["discount_wad"] / WAD)) * 10 ** decimals[asset]
        answer = answers[name, "quote", asset[-42:]]
        assert abs(bought - answer) <= 1 + answer * 2e-8 and answer > 0


def test_who_is_liquidatable_by_the_rows_is_the_contracts_word(
    snapshot: Snapshot, answers: Answers, at: dict[str, str]
) -> None:
    """In floats from the rows, at the block's index; the contract takes the stored one, so debts within 1 % are left out."""
    prices = {(row["market"], row["asset"]): row["price_raw"] for row in rows(snapshot, "prices")}
    factor = {(row["market"], row["asset"]): row["liquidation_threshold_wad"] for row in rows(snapshot, "reserves")}
    decimals = {row["asset"]: row["decimals"] for row in rows(snapshot, "assets")}
    debts: dict[tuple[str, str], float] = {}
    counted: dict[tuple[str, str], float] = {}
    for row in rows(snapshot, "positions"):
        who, key = (row["market"], row["position_id"]), (row["market"], row["asset"])
        value = row["amount_raw"] / 10 ** decimals[row["asset"]] * prices[key]
        if row["side"] == "debt":
            debts[who] = value
        elif row["collateral_enabled"]:
            counted[who] = counted.get(who, 0.0) + value * factor[key] / WAD
    words = {True: 0, False: 0}
    for name in ("dollar", "ether"):
        for account in comet.everybody():
            key = (market(at, name), account)
            debt, have, word = debts.get(key, 0.0), counted.get(key, 0.0), answers[name, "unsafe", account]
            if debt == 0 or abs(have / debt - 1) > 0.01:
                assert (have < debt) == word
                words[word] += debt > 0
    assert min(words.values()) >= 5


def test_rate_columns_give_the_contracts_rates(snapshot: Snapshot, answers: Answers, at: dict[str, str]) -> None:
    """Below, at and beyond both kinks; the contract rounds each product down, so two units of a rate a second."""
    for name, base in (("dollar", "USDC"), ("ether", "WETH")):
        row = reserve(snapshot, at, name, base)
        for side, column in (("Supply", "supply_rate"), ("Borrow", "rate")):
            kink, start, low, high = (row[f"{column}_{part}_ray"] for part in ("optimal", "base", "slope1", "slope2"))
            for use in comet.USES:
                below, beyond = min(use * 10**9, kink), max(use * 10**9 - kink, 0)
                rate = (start + low * below / kink + high * beyond / (10**27 - kink)) / YEAR / 10**9
                assert rate == pytest.approx(answers[name, side, str(use)], abs=2)
    assert (
        reserve(snapshot, at, "dollar", "USDC")["borrow_rate_ray"]
        > reserve(snapshot, at, "dollar", "USDC")["rate_base_ray"]
    )


def test_switches_terms_and_who_may_change_them(snapshot: Snapshot, answers: Answers, at: dict[str, str]) -> None:
    for name, base in (("dollar", "USDC"), ("ether", "WETH")):
        row = reserve(snapshot, at, name, base)
        assert row["liquidatable"] == (not answers[name, "Absorb"])
        assert row["borrowable"] == (not answers[name, "Withdraw"])
        assert row["frozen"] == (answers[name, "Withdraw"] and answers[name, "Supply"])
        stopped = {lot["stopped"] for lot in rows(snapshot, "auctions") if lot["market"] == market(at, name)}
        assert stopped == {"bid" if answers[name, "Buy"] else "none"}
    assert (
        reserve(snapshot, at, "dollar", "USDC")["liquidatable"],
        reserve(snapshot, at, "ether", "WETH")["frozen"],
    ) == (False, True)
    assert any(
        market(at, "dollar") in gap and gap.endswith("no column says: supply, transfer") for gap in snapshot.gaps
    )
    weth = reserve(snapshot, at, "dollar", "WETH")
    factors = (weth["ltv_wad"], weth["liquidation_threshold_wad"], weth["absorb_factor_wad"])
    assert factors == tuple(factor * WAD // 1_000 for factor in comet.FACTORS["WETH"])
    assert (weth["reserve_index"], weth["supply_cap_raw"], weth["borrowable"]) == (0, 10**24, False)
    powers = {(row["authority"][-42:], row["target"][-42:], row["power"]) for row in rows(snapshot, "authorities")}
    governor, guardian = comet.WHO["governor"].lower(), comet.WHO["guardian"].lower()
    assert {
        (governor, at["dollar"], "upgrade"),
        (governor, at["ether"], "parameters"),
        (guardian, at["ether"], "pause"),
    } <= powers
    assert not any(who == guardian and power != "pause" for who, _, power in powers)
    assert {target for _, target, power in powers if power == "upgrade"} == {at["dollar"]}, "the other has no proxy"
    proxies = {row["address"]: row["implementation"] for row in rows(snapshot, "entities")}
    assert isinstance(proxies[at["dollar"]], str) and pd.isna(proxies[at["ether"]])


def test_a_comet_of_ether_counts_in_it(snapshot: Snapshot, at: dict[str, str]) -> None:
    prices = {(row["market"], row["asset"]): row for row in rows(snapshot, "prices")}
    lst = prices[market(at, "ether"), token(at["lstETH"])]
    assert lst["quote_asset"] == token(at["WETH"])
    assert lst["price_usd"] == pytest.approx(1.15 * 1_444)
    assert {row["base_asset"] for row in rows(snapshot, "markets")} == {"iso4217:USD", token(at["WETH"])}


def _lose(side: str) -> Change:
    def change(rows: dict[str, list[dict[str, Any]]], dollar: str) -> None:
        lost = next(row for row in rows["positions"] if (row["market"], row["side"]) == (dollar, side))
        rows["positions"].remove(lost)

    return change


def _set(name: str, column: str, value: Callable[[Any], Any], where: Callable[[dict[str, Any]], bool]) -> Change:
    def change(rows: dict[str, list[dict[str, Any]]], dollar: str) -> None:
        chosen = [row for row in rows[name] if row["market"] == dollar and where(row)]
        for row in chosen[:1] if name == "positions" else chosen:
            row[column] = value(row[column])

    return change


def _is_base(row: dict[str, Any]) -> bool:
    return row.get("receipt_asset") is not None


@pytest.mark.parametrize(
    ("change", "caught_by"),
    [
        (_lose("supply"), "stored supply adds up to scaledTotalSupply"),
        (_lose("debt"), "stored debt adds up to scaledTotalSupply"),
        (_lose("collateral"), "collateral of all accounts is totalsCollateral"),
        (_set("positions", "amount_raw", lambda old: old + 1, lambda row: row["side"] == "debt"), "amount is balanceOf"),
        (_set("reserves", "supply_index_raw", lambda old: old - 10**9, _is_base), "principals at the block's indices are totalSupply and totalBorrow"),
        (_set("reserves", "deficit_raw", lambda _: 0, _is_base), "reserves are getReserves"),
        (_set("reserves", "liquidation_threshold_wad", lambda old: old and 0, lambda row: not _is_base(row)), "accounts agree with isLiquidatable"),
        (_set("auctions", "discount_wad", lambda old: old * 2, lambda _: True), "prices and discount give quoteCollateral"),
    ],
)  # fmt: skip
def test_a_wrong_row_fails_its_comparison(
    place: tuple[Snapshot, Findings, Answers, dict[str, str]], change: Change, caught_by: str
) -> None:
    _, found, _, at = place
    rows = copy.deepcopy(found.rows)
    assert all(comparison.check.passed for comparison in checks.run(rows, found.witnesses))
    change(rows, market(at, "dollar"))
    failed = {one.check.name for one in checks.run(rows, found.witnesses) if not one.check.passed}
    assert caught_by in failed


def test_the_graph_holds_it_and_a_simulation_says_that_it_cannot(snapshot: Snapshot, at: dict[str, str]) -> None:
    """No rule is written for the family: a run of Comets alone is refused by name, a run beside others leaves them out and says so."""
    graph = build(snapshot)
    markets = aftershock.exposure(graph, "WETH").inbound["markets"]
    assert set(markets["label"]) == {"Compound V3 dollar", "Compound V3 ether"}
    with pytest.raises(InputError, match="no liquidation rule is written for comet"):
        aftershock.simulate(graph, shocks=["WETH=-20%"])
    markets = snapshot["markets"].copy()
    markets.loc[markets["market"] == market(at, "ether"), "family"] = "generic"
    mixed = build(replace(snapshot, tables={**snapshot.tables, "markets": markets}))
    result = aftershock.simulate(mixed, shocks=["WETH=-20%"])
    [said] = [note for note in result.notes if "left out" in note]
    assert market(at, "dollar") in said and "comet" in said
    assert set(result.markets["market"]) == {market(at, "ether")} == {one.key for one in from_graph(mixed).markets}
    with pytest.raises(InputError, match=f"{at['dollar']} is left out: no liquidation rule is written"):
        aftershock.risk(mixed, market(at, "dollar"))
    with pytest.raises(InputError, match="is left out"):
        aftershock.report(mixed, market(at, "dollar"))


def test_accounting_at_its_edges() -> None:
    """Against hand-worked numbers of docs/foreign-designs.md, section 3, and where a debt is exactly what its collateral counts for."""
    weth, link = (4 * WAD, 1_500 * 10**8, WAD, 895 * WAD // 1_000), (250 * WAD, 8 * 10**8, WAD, 79 * WAD // 100)
    owed = accounting.present_value(7_000_000_000, 1_120_000_000_000_000)
    assert owed == 7_840_000_000
    assert accounting.is_liquidatable(owed, 10**8, 10**6, [weth, link])
    assert not accounting.is_liquidatable(6_950_000_000, 10**8, 10**6, [weth, link])
    assert accounting.is_liquidatable(6_950_000_001, 10**8, 10**6, [weth, link])
    discount = accounting.storefront_discount(WAD // 2, 95 * WAD // 100)
    assert discount == 25 * 10**15
    assert accounting.quote_collateral(5_850_000_000, 10**8, 10**6, 1_500 * 10**8, WAD, discount) == 4 * WAD
    assert accounting.accrued_index(10**15, 10**9, 3_600) == 10**15 + 3_600_000_000
