"""The embedded snapshot's protocol graph around the assets, against its tables; and a network that hears a market."""

from dataclasses import replace

import numpy as np
import pytest

import aftershock
from chain.errors import InputError
from graph.build import build
from graph.protocol_graph import ProtocolGraph
from models.networks.protocols import BACK, protocol_history
from models.networks.relations import ASSET
from tests.models.network_worlds import ASSETS, DAY_S, SHORT, forecaster, world


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return build(aftershock.load())


def test_edges_and_nodes_are_those_of_the_tables(sample: ProtocolGraph) -> None:
    lists = sample.relations["lists"]
    symbols = {node: f"S{number}" for number, node in enumerate(lists["target"])}
    history = protocol_history([(5, sample)], symbols, sorted(symbols.values()))
    kinds = ("market", "lists", ASSET)
    edges = history.graphs[0][history.types.index(kinds)]
    markets = next(nodes for nodes in history.others if nodes.kind == "market")
    found = [
        (markets.keys[source], history.assets[target], values.tolist())
        for (source, target), values in zip(edges.ends.T.tolist(), edges.values, strict=True)
    ]
    columns = ["collateral_usd", "supplied_usd", "borrowed_usd", "cash_usd", "liquidation_threshold"]
    for source, target, values in found:
        row = lists[(lists["source"] == source) & (lists["target"].map(symbols) == target)][columns].astype(float)
        assert np.allclose(np.expm1(values), row.fillna(0.0).to_numpy()[0])
    assert len(found) == len(lists)
    back = history.graphs[0][history.types.index((ASSET, BACK + "lists", "market"))]
    assert np.array_equal(back.ends, edges.ends[::-1])
    borrowed = sample.nodes["market"]["borrowed_usd"].astype(float)
    assert np.expm1(markets.x[0, 0, markets.names.index("borrowed_usd")]) == pytest.approx(borrowed.iloc[0])
    assert not any(name.endswith("_raw") for nodes in history.others for name in nodes.names)


def test_a_network_learns_among_markets_and_pools(sample: ProtocolGraph) -> None:
    """Two snapshots, the later one without pools: identities stay aligned, and every part of the network takes part."""
    listed = sample.relations["lists"]["target"].tolist()
    symbols = dict(zip(listed[:5], ASSETS, strict=True))
    without = replace(sample, relations={**sample.relations, "trades_in": sample.relations["trades_in"].iloc[:0]})
    start = int(world().as_of_s[0])
    history = protocol_history([(start, sample), (start + 40 * DAY_S, without)], symbols, ASSETS)
    trades = history.types.index((ASSET, "trades_in", "pool"))
    assert [len(graph[trades].values) > 0 for graph in history.graphs] == [True, False]
    fitted = forecaster("graph-gru", history=history, options=SHORT).fit(world(), None, np.random.default_rng(0))
    assert np.isfinite(fitted.predict(world())).all()


def test_nothing_around_says_what_to_do(sample: ProtocolGraph) -> None:
    bare = replace(sample, relations={name: table.iloc[:0] for name, table in sample.relations.items()})
    with pytest.raises(InputError, match="give snapshots that read some"):
        protocol_history([(0, bare)], {}, ASSETS)
