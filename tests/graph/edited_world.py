"""The small world with positions stored in the units of their reserve, what a what-if makes of it, and what its reserves hold."""

from chain.snapshot import Snapshot
from graph.build import build
from graph.edits.what_if import Edit, what_if
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import MARKET, RAY, WAD, small_rows, small_world


def world() -> Snapshot:
    """The small world with positions stored in the units of their reserve: 12 WETH are 12 stored ones."""
    rows = small_rows()
    rows["reserves"][0] = {**rows["reserves"][0], "supply_index_raw": RAY, "supplied_stored_raw": 12 * WAD}
    rows["prices"] = [{**row, "price_usd": row["price_raw"] / 10**8} for row in rows["prices"]]
    return small_world(rows)


def after(*edits: Edit) -> ProtocolGraph:
    """The graph of a what-if; building it is the check that positions, totals and ends fit."""
    return build(what_if(world(), edits))


def reserve(graph: ProtocolGraph, asset: str, market: str = MARKET) -> dict[str, int]:
    table = graph.snapshot["reserves"].set_index(["market", "asset"])
    names = ("supplied_stored_raw", "borrowed_stored_raw", "cash_raw")
    return {name.removesuffix("_raw"): int(table.at[(market, asset), name]) for name in names}


def reserves(supplied: int, borrowed: int, cash: int) -> dict[str, int]:
    return {"supplied_stored": supplied, "borrowed_stored": borrowed, "cash": cash}
