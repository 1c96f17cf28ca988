"""The graph of the small world, number by number, and how long a graph of 1,500 accounts takes."""

from pathlib import Path

import pandas as pd
import pytest

from chain.files.book_file import read_book
from chain.tables import TableSchema
from graph import relations
from graph.build import build
from graph.exposures.answer import exposure
from graph.protocol_graph import ProtocolGraph
from graph.schema import node_schemas, relation_schemas
from tests.graph.small_world import (
    CHAIN,
    ETHER,
    LP,
    LSTETH,
    MARKET,
    RAY,
    SHARE,
    USDC,
    WAD,
    WETH,
    E,
    small_rows,
    small_world,
)


@pytest.fixture(scope="module")
def graph() -> ProtocolGraph:
    return build(small_world())


def test_every_table_has_the_columns_of_its_schema(graph: ProtocolGraph) -> None:
    schemas: dict[str, TableSchema] = dict(node_schemas())
    schemas |= {name: schema.table for name, schema in relation_schemas().items()}
    assert {**graph.nodes, **graph.relations}.keys() == schemas.keys()
    for name, table in {**graph.nodes, **graph.relations}.items():
        assert list(table.columns) == schemas[name].names


def test_listings(graph: ProtocolGraph) -> None:
    lists = graph.relations["lists"].set_index("target")
    columns = ["supplied_usd", "collateral_usd", "borrowed_usd", "cash_usd"]
    assert lists.loc[WETH, columns].tolist() == pytest.approx([24_000, 24_000, 2_000, 22_000])
    assert lists.loc[LSTETH, columns].tolist() == pytest.approx([11_700, 11_700, 0, 11_700])
    assert lists.loc[USDC, columns].tolist() == pytest.approx([80_000, 30_000, 8_000, 72_000])
    assert lists["liquidation_threshold"].tolist() == [0.8, 0.8, 0.8]


def test_nodes_carry_sums(graph: ProtocolGraph) -> None:
    market = graph.nodes["market"].set_index("node").loc[MARKET]
    assert (market["supplied_usd"], market["borrowed_usd"]) == pytest.approx((115_700, 10_000))
    alice = graph.nodes["account"].set_index("node").loc[E["alice"]]
    assert (alice["supplied_usd"], alice["borrowed_usd"]) == pytest.approx((20_000, 8_000))
    assert graph.nodes["pool"]["value_usd"].tolist() == pytest.approx([400_000])
    assert graph.nodes["chain"][["node", "block_number"]].to_numpy().tolist() == [[CHAIN, 100]]


def test_a_vault_that_supplies_is_one_node(graph: ProtocolGraph) -> None:
    assert graph.node_kind(E["share"]) == "vault"
    assert E["share"] not in set(graph.nodes["account"]["node"])
    allocated = graph.relations["allocates_to"]
    assert allocated[["source", "target", "amount_usd", "cap_usd"]].to_numpy().tolist() == [
        [E["share"], MARKET, 30_000, 100_000]
    ]
    assert allocated[["asset", "allocated_raw", "cap_raw"]].to_numpy().tolist() == [
        [USDC, 30_000 * 10**6, 100_000 * 10**6]
    ]
    assert graph.nodes["vault"]["asset"].tolist() == [SHARE]


def test_a_pools_own_reserves_trade_and_are_not_held(graph: ProtocolGraph) -> None:
    assert graph.relations["holds"][["source", "target"]].to_numpy().tolist() == [[E["dave"], LP]]
    assert graph.relations["trades_in"]["reserve_usd"].tolist() == pytest.approx([200_000, 200_000])


def test_native_coin_is_added_behind_its_wrapped_form(graph: ProtocolGraph) -> None:
    ether = graph.nodes["asset"].set_index("node").loc[ETHER]
    assert (ether["label"], ether["kind"], ether["price_usd"]) == ("ETH", "native", 2000.0)


def test_feeds_reach_assets_through_adapters(graph: ProtocolGraph) -> None:
    prices = graph.relations["prices"]
    seen = {(row.source, row.target, row.step) for row in prices.itertuples()}
    assert seen == {
        (E["ethusd"], WETH, 0),
        (E["usdcusd"], USDC, 0),
        (E["adapter"], LSTETH, 0),
        (E["ethusd"], LSTETH, 1),
        (E["lsteth"], LSTETH, 2),
    }


def test_receipt_that_is_a_share_has_its_exchange_rate() -> None:
    rows = small_rows()
    receipt = next(row for row in rows["assets"] if row["symbol"] == "aWETH")
    rows["assets"] = [row for row in rows["assets"] if row is not receipt]
    rows["assets"].append({**receipt, "decimals": 8, "total_supply_raw": 600 * 10**8})  # 12 WETH behind 600 shares
    wraps = build(small_world(rows)).relations["wraps"].set_index("target")
    assert wraps.at[WETH, "rate"] == pytest.approx(0.02)


def test_price_through_a_quote_asset_and_no_price_at_all() -> None:
    rows = small_rows()
    in_ether = {**rows["prices"][1], "quote_asset": WETH, "price_raw": 117, "decimals": 2}
    graph = build(small_world({"prices": [rows["prices"][0], in_ether]}))
    assets = graph.nodes["asset"].set_index("node")
    assert assets.at[LSTETH, "price_usd"] == pytest.approx(2340)
    supplies = graph.relations["supplies"].set_index(["source", "asset"])
    assert supplies["amount_usd"].isna()[(E["carol"], USDC)]
    assert any(gap.startswith("USDC in") and "no USD price" in gap for gap in graph.gaps)
    assert graph.nodes["market"]["supplied_usd"].tolist() == pytest.approx([35_700])


def test_the_market_with_most_of_an_asset_prices_it_elsewhere() -> None:
    rows = small_rows()
    other = f"{CHAIN}:aave-v3/{'0x' + '9' * 40}"
    rows["markets"].append({**rows["markets"][0], "market": other, "address": "0x" + "9" * 40, "instance": "prime"})
    rows["reserves"].append({**rows["reserves"][0], "market": other, "supplied_stored_raw": 0, "receipt_asset": None})
    rows["reserves"][-1] = {**rows["reserves"][-1], "borrowed_stored_raw": 0}
    rows["prices"].append({**rows["prices"][0], "market": other, "price_raw": 1900 * 10**8})
    graph = build(small_world(rows))
    assert graph.nodes["asset"].set_index("node").at[WETH, "price_usd"] == 2000
    assert graph.relations["trades_in"].set_index("source").at[WETH, "reserve_usd"] == pytest.approx(200_000)


def test_several_positions_of_one_owner_are_one_relation() -> None:
    rows = small_rows()
    whole = rows["positions"][0]
    half = {**whole, "stored_raw": 5 * WAD, "amount_raw": 5 * WAD}
    rows["positions"][0] = {**half, "position_id": "first", "collateral_enabled": False}
    rows["positions"].append({**half, "position_id": "second", "evidence": "another call"})
    graph = build(small_world(rows))
    row = graph.relations["supplies"].set_index(["source", "asset"]).loc[(E["alice"], WETH)]
    assert (row["amount_raw"], row["amount_usd"], row["collateral_enabled"]) == (10 * WAD, 20_000, True)
    assert "another call" in row["evidence"]
    assert graph.relations["lists"].set_index("target").at[WETH, "collateral_usd"] == pytest.approx(14_000)


def test_numbers_beyond_64_bits_stay_exact() -> None:
    rows = small_rows()
    huge = 2**200 + 1
    rows["positions"][5] = {**rows["positions"][5], "stored_raw": huge, "amount_raw": huge}
    rows["reserves"][2] = {**rows["reserves"][2], "supplied_stored_raw": huge + 50_000 * 10**6}
    supplies = build(small_world(rows)).relations["supplies"].set_index(["source", "asset"])
    assert supplies.at[(E["share"], USDC), "amount_raw"] == huge


def test_thresholds_stated_either_way_round_or_not_at_all() -> None:
    rows = small_rows()
    mat = {"liquidation_threshold_wad": None, "liquidation_ratio_ray": RAY * 3 // 2}  # 150 % collateral: 2/3 counts
    rows["reserves"][0] = {**rows["reserves"][0], **mat}
    rows["reserves"][1] = {**rows["reserves"][1], "liquidation_threshold_wad": None}
    lists = build(small_world(rows)).relations["lists"].set_index("target")["liquidation_threshold"]
    assert lists[WETH] == pytest.approx(2 / 3)
    assert lists.isna()[LSTETH]


def test_a_users_file_is_a_graph_without_a_chain(tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(
        "market,position_id,asset,side,amount,price,threshold_bps\n"
        "pit,a,ETH,collateral,10,2000,8000\npit,a,USDC,debt,12000,1,\npit,b,ETH,collateral,5,2000,8000\n"
    )
    graph = build(read_book(book))
    lists = graph.relations["lists"].set_index("target")
    assert lists.at["file:ETH", "collateral_usd"] == pytest.approx(30_000)
    assert lists.at["file:USDC", "borrowed_usd"] == pytest.approx(12_000)
    assert graph.nodes["chain"].empty
    answer = exposure(graph, "pit")
    assert answer.figures["utilisation_ratio"] is None  # nobody lends in a book of positions
    assert answer.outbound["reserves"]["utilisation_ratio"].isna().all()
    assert answer.inbound["suppliers"]["label"].tolist() == ["a", "b"]
    assert graph.find("ETH") == "file:ETH"


def test_an_empty_snapshot_is_an_empty_graph() -> None:
    empty = small_world({table: [] for table in small_rows()}, anchors=())
    assert all(len(table) == 0 for table in build(empty).relations.values())


def test_an_owner_of_two_assets_has_no_only_asset() -> None:
    rows = [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("c", "z")]
    found = relations._only_asset(pd.DataFrame(rows, columns=["owner", "asset"]), ["owner"], "asset")
    assert found == {("a",): "x", ("c",): "z"}
