"""Views against sums over the snapshot's own tables, and every form there and back again."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import networkx
import pandas as pd
import pytest

import aftershock
from chain.errors import InputError
from graph.build import build
from graph.exchange import LOSSES, from_networkx, read, to_networkx, write
from graph.protocol_graph import ProtocolGraph
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


FILES = ("graph.graphml", "graph.gexf", "graph.json", "graph.cyjs", "graph")
HOSTILE = "Ünïcode <b>\"'&amp; 🌋\n\ttab "


@pytest.fixture(scope="module")
def worlds() -> list[ProtocolGraph]:
    small = build(small_world())
    return [small, renamed(small, HOSTILE), build(crowd(40))]


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return build(aftershock.load())


def renamed(graph: ProtocolGraph, label: str) -> ProtocolGraph:
    """The graph with one asset that calls itself something else."""
    table = graph.nodes["asset"].copy()
    table.loc[0, "label"] = label
    return replace(graph, nodes={**graph.nodes, "asset": table})


def require_equal(graph: ProtocolGraph, found: tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]) -> None:
    for mine, theirs in ((graph.nodes, found[0]), (graph.relations, found[1])):
        assert set(mine) == set(theirs)
        for kind, table in mine.items():
            pd.testing.assert_frame_equal(table, theirs[kind])


@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_tables_back(name: str, tmp_path: Path, worlds: list[ProtocolGraph]) -> None:
    for graph in worlds:
        write(graph, tmp_path / name)
        require_equal(graph, read(tmp_path / name))


@pytest.mark.parametrize("name", FILES)
def test_the_sample_survives_every_form(name: str, tmp_path: Path, sample: ProtocolGraph) -> None:
    write(sample, tmp_path / name)
    require_equal(sample, read(tmp_path / name))


def test_networkx_gives_the_tables_back(sample: ProtocolGraph) -> None:
    require_equal(sample, from_networkx(to_networkx(sample)))


def test_files_are_what_other_programs_read(tmp_path: Path, sample: ProtocolGraph) -> None:
    """NetworkX alone, without our reader, finds as many nodes and edges and the same total supplied."""
    nodes, edges = sum(map(len, sample.nodes.values())), sum(map(len, sample.relations.values()))
    supplied = sample.relations["supplies"]["amount_usd"].sum()
    for name, load in (("g.graphml", networkx.read_graphml), ("g.gexf", networkx.read_gexf)):
        write(sample, tmp_path / name)
        network = load(tmp_path / name)
        assert (network.number_of_nodes(), network.number_of_edges()) == (nodes, edges)
        found = sum(data["amount_usd"] for *_, data in network.edges(data=True) if data["relation"] == "supplies")
        assert found == pytest.approx(supplied, rel=1e-12)


@pytest.mark.parametrize("name", FILES[:2])
def test_what_xml_cannot_hold_is_replaced_as_said(name: str, tmp_path: Path) -> None:
    assert "U+FFFD" in LOSSES[Path(name).suffix]
    write(renamed(build(small_world()), "bell\x07\x00\uffff"), tmp_path / name)
    assert read(tmp_path / name)[0]["asset"].loc[0, "label"] == "bell\ufffd\ufffd\ufffd"


def test_bad_files_are_named(tmp_path: Path) -> None:
    graph = build(small_world())
    with pytest.raises(InputError, match=r"there is no form '\.dot'"):
        write(graph, tmp_path / "graph.dot")
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none.json")
    for name in FILES[:4]:
        (tmp_path / name).write_text("not a graph")
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no graph"):
        write(graph, tmp_path / "other")
    with pytest.raises(InputError, match="is a folder"):
        (tmp_path / "taken.json").mkdir()
        write(graph, tmp_path / "taken.json")


def test_an_edge_of_no_kind_is_named() -> None:
    network = to_networkx(build(small_world()))
    network.add_edge(WETH, USDC, relation="likes")
    with pytest.raises(InputError, match="is of the kind 'likes'"):
        from_networkx(network)
