"""The NetworkX view against sums over the snapshot's own tables."""

from collections import defaultdict

import pytest

from graph.build import build
from graph.exchange import to_networkx
from tests.graph.random_world import crowd
from tests.graph.small_world import ETHER, LP, MARKET, USDC, WETH, E, small_world


def test_counts_and_attributes() -> None:
    graph = build(small_world())
    network = to_networkx(graph)
    assert (
        network.number_of_nodes() == 4 + 7 + 1 + 1 + 4 + 1 + 1 + 2 + 1
    )  # account asset authority chain feed market pool protocol vault
    assert network.number_of_edges() == 3 + 5 + 2 + 3 + 2 + 1 + 1 + 5 + 2 + 1 + 1
    edge = network.edges[E["alice"], MARKET, f"supplies:{WETH}"]
    assert (edge["relation"], edge["amount_raw"], edge["amount_usd"]) == ("supplies", str(10 * 10**18), 20_000)
    assert network.nodes[ETHER] == {
        "kind": "asset",
        "asset_kind": "native",
        "label": "ETH",
        "decimals": 18,
        "price_usd": 2000.0,
        "price_path": graph.nodes["asset"].set_index("node").at[ETHER, "price_path"],
        "evidence": graph.nodes["asset"].set_index("node").at[ETHER, "evidence"],
    }
    assert network.has_edge(E["dave"], LP, "holds")


def test_nothing_empty_is_carried() -> None:
    network = to_networkx(build(small_world()))
    for *_, attributes in [*network.nodes(data=True), *network.edges(data=True)]:
        assert all(value is not None and value == value for value in attributes.values())


def test_weighted_degree_is_the_tables_sum() -> None:
    snapshot = crowd(40)
    network = to_networkx(build(snapshot))
    price, decimals = {WETH: 2000, USDC: 1}, {WETH: 18, USDC: 6}
    expected: dict[str, float] = defaultdict(float)
    rows = 0
    for row in snapshot["positions"].to_dict("records"):
        expected[row["owner"]] += (
            row["amount_raw"] * price.get(row["asset"], 2340) / 10 ** decimals.get(row["asset"], 18)
        )
        rows += 1
    assert rows == 120
    edges = [edge for edge in network.edges(data=True) if edge[2]["relation"] in ("supplies", "borrows")]
    assert len(edges) == rows
    for owner, usd in expected.items():
        assert network.out_degree(owner, weight="amount_usd") == pytest.approx(usd)
