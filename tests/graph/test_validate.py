"""Each planted fault is found and named: dangling end, wrong kind, key used twice, negative amount, sums that do not add up."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import aftershock
from chain.errors import SnapshotError
from chain.snapshot import Check
from graph.build import build
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import MARKET, USDC, WAD, WETH, E, small_rows, small_world


def broken(table: str, change: Callable[[pd.DataFrame], object], nodes: bool = False) -> list[str]:
    graph = build(small_world())
    frame = (graph.nodes if nodes else graph.relations)[table].copy()
    change(frame)
    if nodes:
        return replace(graph, nodes={**graph.nodes, table: frame}).validate()
    return replace(graph, relations={**graph.relations, table: frame}).validate()


def put(column: str, value: object, row: int = 0) -> Callable[[pd.DataFrame], object]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[row, column] = value

    return change


def test_the_small_world_is_sound() -> None:
    assert build(small_world()).validate() == []


@pytest.mark.parametrize(
    ("table", "change", "nodes", "words"),
    [
        ("supplies", put("source", "eip155:1:0xdead"), False, "source eip155:1:0xdead is no node"),
        ("lists", put("target", "eip155:1/erc20:0xdead"), False, "target eip155:1/erc20:0xdead is no node"),
        ("supplies", put("target", WETH), False, "is a asset, allowed are market"),
        ("borrows", put("source", E["ethusd"]), False, "is a feed, allowed are account, vault, pool"),
        ("holds", put("amount_raw", -1), False, "amount_raw of"),
        ("lists", put("cash_usd", -0.5), False, "is negative"),
        ("account", put("node", MARKET), True, "is both a"),
        ("supplies", put("amount_raw", 1), False, "adds up to"),
        ("borrows", put("asset", USDC, 1), False, "adds up to"),
        ("trades_in", put("reserve_raw", 99 * WAD), False, "trades_in: reserve_raw"),
        ("holds", put("amount_raw", 0), False, "holds: amount_raw"),
        ("market", put("supplied_usd", 115_700.1), True, "supplied_usd is 115700.1, its relations add up to 115700.0"),
        ("account", put("borrowed_usd", 7_999.0), True, "borrowed_usd is 7999.0"),
        ("pool", put("value_usd", 1.0), True, "pool"),
    ],
)
def test_a_planted_fault_is_named(
    table: str, change: Callable[[pd.DataFrame], object], nodes: bool, words: str
) -> None:
    problems = broken(table, change, nodes)
    assert any(words in problem for problem in problems), problems


def with_total(asset_row: int, off: int, **rest: Any) -> ProtocolGraph:
    rows = small_rows()
    reserve = rows["reserves"][asset_row]
    rows["reserves"][asset_row] = {**reserve, "supplied_stored_raw": reserve["supplied_stored_raw"] + off}
    return build(small_world(rows, **rest))


def test_positions_may_differ_from_the_total_by_their_rounding_only() -> None:
    assert with_total(1, 2)  # one position: its own rounding and that of the total
    assert with_total(1, -2)
    with pytest.raises(SnapshotError, match=r"smallest units of .* that are supplied"):
        with_total(1, 3)
    with pytest.raises(SnapshotError, match="more than the market's own total"):
        with_total(1, -3)


def test_missing_positions_are_a_gap_where_the_snapshot_says_so() -> None:
    graph = with_total(1, 5 * WAD, gaps=(f"{MARKET}: only the positions of the largest accounts were read",))
    assert any("(50.0%)" in gap for gap in graph.gaps)
    failed = Check("reserves", "sums", 3, (f"{MARKET} is short",))
    assert any("(50.0%)" in gap for gap in with_total(1, 5 * WAD, checks=(failed,)).gaps)
    with pytest.raises(SnapshotError, match="does not fit together"):
        with_total(1, 5 * WAD, gaps=("incentives are not read",))


def test_a_position_in_an_unlisted_asset_is_refused() -> None:
    rows = small_rows()
    rows["reserves"] = rows["reserves"][:2]
    with pytest.raises(SnapshotError, match="has no row in reserves"):
        build(small_world(rows))


def test_a_row_that_names_an_unknown_asset_is_refused() -> None:
    rows = small_rows()
    rows["balances"].append({**rows["balances"][0], "asset": "eip155:31337/erc20:0xbeef"})
    with pytest.raises(SnapshotError, match="holds: target eip155:31337/erc20:0xbeef is no node"):
        build(small_world(rows))


@pytest.mark.parametrize("left", [0, 1])
def test_a_pool_without_its_assets_does_not_fit_together(left: int) -> None:
    """Neither with none of its assets told, nor with the first of two alone, where somebody has both in it."""
    whole = aftershock.load()
    pool = whole["pool_positions"]["pool"].iloc[0]
    there = whole["pool_assets"]
    kept = there[(there["pool"] != pool) | (there["slot"] < left)]
    words = "slot 1 in pool_assets" if left else "row in pool_assets"
    with pytest.raises(SnapshotError, match=rf"does not fit together \(1 problem\): pool {pool} has no {words}"):
        build(replace(whole, tables={**whole.tables, "pool_assets": kept}, hashed={}))


def test_a_subgraph_is_sound_on_its_own() -> None:
    part = build(small_world()).subgraph([E["alice"], MARKET, WETH])
    assert part.validate() == []
    assert part.relations["supplies"]["source"].tolist() == [E["alice"]]
    assert sum(len(table) for table in part.nodes.values()) == 3
