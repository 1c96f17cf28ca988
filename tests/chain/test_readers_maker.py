"""The Maker reader against recorded answers of the protocol's own contracts: every row with their views at the same block.

The recording was made by `tests/recordings/maker_recipe.py` against the contracts built from their public sources; it holds answers, no code.
"""

import gzip
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import aftershock
from chain.accounting.maker import accrued_rate, needs_reset, rpow, sale_price
from chain.deployments import read_deployments
from chain.errors import InputError
from chain.node.calls import event_topic
from chain.readers.maker_notes import noted
from chain.snapshot import Snapshot
from chain.tables import schemas
from chain.units import RAY, WAD
from graph.build import build
from graph.exposures.answer import exposure
from simulations.book_of_graph import from_graph
from tests.chain.snapshot_rows import failed, rows
from tests.recordings.maker_crvusd_tape import header_of, replayed, snapshot_of, without
from tests.recordings.maker_recipe import FILE, PEOPLE
from tests.recordings.maker_views import views

RAD = 10**45


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, dict[Any, Any]]:
    client, book = replayed(FILE, tmp_path_factory.mktemp("maker"))
    snapshot = snapshot_of(client, book)
    return snapshot, views(client, snapshot, read_deployments(book)[0].addresses)


@pytest.fixture(scope="module")
def snapshot(taken: tuple[Snapshot, dict[Any, Any]]) -> Snapshot:
    return taken[0]


@pytest.fixture(scope="module")
def said(taken: tuple[Snapshot, dict[Any, Any]]) -> dict[Any, Any]:
    return taken[1]


def markets(snapshot: Snapshot) -> dict[str, str]:
    return {row["market"].rsplit("/", 1)[1]: row["market"] for row in rows(snapshot, "markets")}


def of_market(snapshot: Snapshot, table: str, market: str, asset: str = "") -> list[dict[str, Any]]:
    return [row for row in rows(snapshot, table) if row["market"] == market and asset in row.get("asset", "")]


def test_the_recording_says_what_it_is_of_and_holds_no_code() -> None:
    about = header_of(FILE)["about"]
    assert about["sources"]["dss-core"].startswith("makerdao/dss@44330065") and set(about["compilers"]) == {
        "solc-0.5.12",
        "solc-0.6.12",
    }
    lines = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).decode().splitlines()[1:]]
    codes = {one["answer"] for one in lines if one["ask"][1] in ("code_start", "eth_getCode")}
    assert codes == {"0x", "0x01"}
    assert max(len(one["answer"]) for one in lines if one["ask"][1] == "eth_call" and "answer" in one) < 2_000


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert failed(snapshot) == {} and not snapshot.gaps
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["Art x rate of all ilks and vice are Vat.debt"] == compared["sin adds up to Vat.vice"] == 1
    assert compared["joins hold what urns have, what is free and what is on sale"] == 2
    assert (
        compared["tabs of an ilk add up to the Dog's dirt"] == 2 and compared["the price of a sale is getStatus"] == 4
    )
    notes = {check.name: check.note for check in snapshot.checks}
    assert notes["joins hold what urns have, what is free and what is on sale"] == "", (
        "nobody was forgotten: the joins hold no more"
    )
    for table in ("positions", "balances", "backings"):
        assert set(snapshot[table]["status"]) == {"verified"}, table


def test_terms_are_what_the_contracts_say(snapshot: Snapshot, said: dict[Any, Any]) -> None:
    assert set(markets(snapshot)) == {"ETH-A", "WBTC-A"}
    for market in markets(snapshot).values():
        collateral, dai = (
            of_market(snapshot, "reserves", market, "erc20")[0],
            of_market(snapshot, "reserves", market, "vat")[0],
        )
        total, rate, spot, line, dust = said["ilk", market]
        duty, since = said["jug", market]
        _, ratio = said["spotter", market]
        clip, chop, hole, dirt = said["dog", market]
        assert dai["borrow_index_raw"] == said["drip", market] > rate, "interest that nobody has written down yet"
        assert (dai["borrowed_stored_raw"], dai["borrow_index_unit_raw"], dai["last_accrual"]) == (total, 1, since)
        assert dai["borrow_rate_ray"] // (365 * 24 * 3600) + RAY == duty and dai["debt_floor_raw"] == dust
        assert collateral["debt_ceiling_raw"] == line and collateral["isolated_debt_raw"] == total * rate
        assert (collateral["liquidation_ratio_ray"], collateral["debt_penalty_wad"]) == (ratio, chop)
        assert (collateral["auction_limit_raw"], collateral["auction_limit_shared_raw"]) == (hole, 3 * 10**6 * RAD)
        assert collateral["liquidatable"] and not collateral["borrowable"] and dai["borrowable"]
        price = of_market(snapshot, "prices", market, "erc20")[0]
        assert price["threshold_price_raw"] == spot and price["price_raw"] == int.from_bytes(said["peek", market][0])
        assert spot == int.from_bytes(said["peek", market][0]) * 10**9 * RAY // ratio, "the Spotter was poked, par is 1"
        assert dirt > 0 and clip in {
            row["contract"].rsplit(":", 1)[1] for row in of_market(snapshot, "auctions", market)
        }


def test_the_module_has_a_present_and_a_coming_price(snapshot: Snapshot, said: dict[Any, Any]) -> None:
    feeds = {(row["source"], row["step"]): row for row in rows(snapshot, "feeds")}
    for market in markets(snapshot).values():
        pip = f"eip155:31337:{said['spotter', market][0]}"
        module, source = feeds[pip, 0], feeds[pip, 1]
        assert (module["kind"], module["delay_seconds"]) == ("delayed", 3600) and source["kind"] == "feed"
        assert module["value_raw"] == int.from_bytes(said["peek", market][0])
        assert module["pending_value_raw"] == int.from_bytes(said["peep", market][0]) != module["value_raw"]
        assert source["value_raw"] == module["pending_value_raw"], "the source's word is what comes next"
        anchor = snapshot.anchors[0].timestamp
        assert (anchor >= module["pending_at"]) == said["pass", market]
        assert module["updated_at"] % 3600 == 0 and module["pending_at"] == module["updated_at"] + 3600


def test_every_urn_has_what_the_vat_says(snapshot: Snapshot, said: dict[Any, Any]) -> None:
    held: dict[tuple[str, str, str], dict[str, Any]] = {
        (row["market"], row["position_id"], row["side"]): row for row in rows(snapshot, "positions")
    }
    dais = rows(snapshot, "balances")
    seen = 0
    for (kind, market, who), (ink, art) in ((key, value) for key, value in said.items() if key[0] == "urn"):
        assert kind == "urn"
        index = of_market(snapshot, "reserves", market, "vat")[0]["borrow_index_raw"]
        unit = of_market(snapshot, "reserves", market, "erc20")[0]["supply_index_unit_raw"]
        for side, stored, amount in (("collateral", ink, ink // unit), ("debt", art, art * index)):
            row = held.pop((market, who, side), None)
            assert (row is not None) == (stored > 0)
            if row is not None:
                assert (row["stored_raw"], row["amount_raw"], row["collateral_enabled"]) == (
                    stored,
                    amount,
                    side == "collateral",
                )
                seen += 1
        free = held.pop((market, f"{who}/gem", "collateral"), None)
        clips = {row["contract"].rsplit(":", 1)[1] for row in of_market(snapshot, "auctions", market)}
        if who not in clips:
            assert (free["stored_raw"] if free else 0) == said["gem", market, who]
            assert free is None or not free["collateral_enabled"]
    assert not held and seen > 2 * PEOPLE - 12
    assert {row["index_unit_raw"] for row in rows(snapshot, "positions") if row["side"] == "collateral"} == {1, 10**10}
    assert (
        sum(said["dai", row["holder"]] for row in dais) == said["vat", "debt"] == sum(row["amount_raw"] for row in dais)
    )
    owners = {row["position_id"]: row["owner"].rsplit(":", 1)[1] for row in rows(snapshot, "positions")}
    managed = {urn for urn, owner in owners.items() if owner != urn.removesuffix("/gem")}
    assert len(managed) == 6, "a quarter of the urns are the manager's; their owners are other addresses"


def test_sales_that_run_and_the_terms_of_new_ones(snapshot: Snapshot, said: dict[Any, Any]) -> None:
    running = [row for row in rows(snapshot, "auctions") if row["state"] == "running"]
    counts = {key[1]: value for key, value in said.items() if key[0] == "count"}
    assert len(running) == sum(counts.values()) == 4
    due = 0
    for row in running:
        is_due, price, lot, tab = said["status", row["auction"]]
        unit = of_market(snapshot, "reserves", row["market"], "erc20")[0]["supply_index_unit_raw"]
        assert (row["tab_raw"], row["lot_raw"]) == (tab, lot // unit)
        due += is_due
        assert price < row["start_price_raw"]
        if unit > 1:
            assert lot % unit, "a lot of part of an urn is no whole number of the token's units"
    assert 0 < due < 4, "some sale waits to be started again, some can be bought"
    tabs: dict[str, int] = defaultdict(int)
    for row in running:
        tabs[row["market"]] += row["tab_raw"]
    assert sum(tabs.values()) == said["Dirt"]
    terms = {(row["market"], row["kind"]): row for row in rows(snapshot, "auctions") if row["state"] == "terms"}
    assert len(terms) == 4
    eth, wbtc = (terms[markets(snapshot)[name], "dutch"] for name in ("ETH-A", "WBTC-A"))
    assert (eth["curve"], eth["step_seconds"], eth["cut_ray"]) == ("stairstep", 90, 99 * RAY // 100)
    assert (wbtc["curve"], wbtc["duration_seconds"]) == ("linear", 6 * 3600) and pd.isna(wbtc["step_seconds"])
    assert (eth["start_factor_ray"], eth["reset_price_ray"], eth["reset_seconds"]) == (
        12 * RAY // 10,
        4 * RAY // 10,
        7200,
    )
    assert (eth["incentive_raw"], eth["incentive_wad"], eth["tab_floor_raw"]) == (300 * RAD, WAD // 1000, 2260 * RAD)
    flop = terms[markets(snapshot)["ETH-A"], "english"]
    assert (flop["lot_size_raw"], flop["tab_raw"], flop["bid_step_wad"]) == (
        said["vow", "dump"],
        said["vow", "sump"],
        105 * WAD // 100,
    )


def test_the_vow_pays_first_then_new_mkr(snapshot: Snapshot, said: dict[Any, Any]) -> None:
    for market in markets(snapshot).values():
        surplus, mint = sorted(of_market(snapshot, "backstops", market), key=lambda row: row["order"])
        assert (surplus["kind"], mint["kind"]) == ("surplus", "mint") and pd.isna(mint["amount_raw"])
        assert (surplus["amount_raw"], surplus["owed_raw"]) == (said["vow", "dai"], said["vow", "sin"])
        assert (surplus["target_raw"], surplus["cooldown_seconds"]) == (said["vow", "hump"], said["vow", "wait"])
    assert said["vow", "sin"] == said["vat", "vice"] > said["vow", "Sin"] > 0
    [dai] = rows(snapshot, "backings")
    assert dai["amount_raw"] == said["supply"] * RAY and dai["rate_wad"] == WAD


def test_wards_and_their_delays(snapshot: Snapshot) -> None:
    found = rows(snapshot, "authorities")
    timelocks = [row for row in found if row["kind"] == "timelock"]
    assert {row["delay_seconds"] for row in timelocks} == {2 * 24 * 3600}
    assert {(row["target"], row["power"]) for row in timelocks} == {
        ("makerdao", power) for power in ("mint", "caps", "parameters", "oracle", "pause")
    }
    others = [row for row in found if row["kind"] != "timelock"]
    assert {row["kind"] for row in others} == {"account"}, "the deployer, whom the newer contracts name"
    assert len({row["authority"] for row in found}) == 2, "a ward that was sent away is none"


def test_the_graph_shows_it_and_the_simulator_says_that_it_has_no_rule(snapshot: Snapshot) -> None:
    graph = build(snapshot)
    answer = exposure(graph, markets(snapshot)["ETH-A"])
    ink = of_market(snapshot, "reserves", markets(snapshot)["ETH-A"], "erc20")[0]["collateral_raw"]
    assert answer.figures["supplied_usd"] == pytest.approx(ink / WAD * 1500)
    dai = exposure(graph, "DAI")
    assert "Dai (Vat)" in json.dumps(dai.to_dict()), "the token leads on to the internal Dai"
    with pytest.raises(InputError, match="no liquidation rule is written for maker"):
        from_graph(graph)


def test_beside_a_market_with_a_rule_it_is_left_out_by_name(snapshot: Snapshot) -> None:
    """The sample's markets and Maker's two ilks in one snapshot: the graph has them all, a run says which it leaves out."""
    sample = aftershock.load("sample")
    tables = {
        name: pd.concat([table, snapshot[name]]).drop_duplicates(schemas()[name].keys, ignore_index=True)
        if name in ("protocols", "markets", "reserves", "positions", "prices", "assets", "entities", "feeds")
        else table
        for name, table in sample.tables.items()
    }
    graph = build(replace(sample, tables=tables))
    assert len(graph.nodes["market"]) == len(sample["markets"]) + 2
    book = from_graph(graph)
    assert {market.key for market in book.markets} == set(sample["markets"]["market"])
    left = [note for note in book.notes if "no liquidation rule is written for its family, maker" in note]
    assert len(left) == 2 and all(any(key in note for note in left) for key in markets(snapshot).values())


FROB, GRAB = (
    "frob(bytes32,address,address,address,int256,int256)",
    "grab(bytes32,address,address,address,int256,int256)",
)


@pytest.mark.parametrize(
    ("topics", "caught"),
    [
        ([noted(FROB)], "shares add up to the market's total"),
        ([noted("move(address,address,uint256)")], "balances of a share add up to totalSupply"),
        ([noted("suck(address,address,uint256)"), noted(GRAB)], "sin adds up to Vat.vice"),
        ([event_topic("File(bytes32,bytes32,address)")], "tabs of an ilk add up to the Dog's dirt"),
    ],
)
def test_events_that_are_left_out_are_found_out(topics: list[str], caught: str, tmp_path: Path) -> None:
    client, book = replayed(FILE, tmp_path, without(*topics))
    assert caught in failed(snapshot_of(client, book))


def test_an_ilk_without_a_join_is_named(tmp_path: Path) -> None:
    client, book = replayed(FILE, tmp_path, without(noted("rely(address)")))
    gaps = snapshot_of(client, book).gaps
    assert sum("no join was found" in gap for gap in gaps) == 2


def test_arithmetic_by_hand() -> None:
    """Closed forms: a whole power, a year at five per cent, half of a line, the third stair; and equality at the bounds."""
    assert rpow(2 * RAY, 10) == 1024 * RAY and rpow(0, 0) == RAY and rpow(0, 3) == 0 and rpow(RAY + 7, 1) == RAY + 7
    assert accrued_rate(RAY, 1000000001547125957863212448, 365 * 24 * 3600) == pytest.approx(1.05 * RAY, rel=1e-12)
    assert (
        sale_price("linear", 100 * RAY, 50, 100, 0, 0) == 50 * RAY
        and sale_price("linear", 100 * RAY, 100, 100, 0, 0) == 0
    )
    assert sale_price("stairstep", 8 * RAY, 299, 0, 100, RAY // 2) == 2 * RAY
    assert sale_price("exponential", 8 * RAY, 3, 0, 0, RAY // 2) == RAY
    assert not needs_reset(4 * RAY, 10 * RAY, 60, 60, 4 * RAY // 10) and needs_reset(
        4 * RAY - 1, 10 * RAY, 60, 60, 4 * RAY // 10
    )
    assert needs_reset(4 * RAY, 10 * RAY, 61, 60, 0)
