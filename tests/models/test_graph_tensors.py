"""Tensors of the graph against sums over its tables, and through PyG's own checks and a real convolution."""

import warnings

import numpy as np
import pytest
import torch

from graph.build import build
from graph.protocol_graph import ProtocolGraph
from models.graph_tensors import to_hetero
from tests.core_sample import core


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return build(core())


def test_every_node_and_edge_is_there_and_nothing_else(sample: ProtocolGraph) -> None:
    data = to_hetero(sample)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The node types .* are isolated")  # a vault without holders is
        assert data.validate()
    assert data.num_nodes == sum(map(len, sample.nodes.values()))
    assert data.num_edges == sum(map(len, sample.relations.values()))
    assert set(data.node_types) == {kind for kind, table in sample.nodes.items() if len(table)}


def test_edges_lead_where_the_tables_say(sample: ProtocolGraph) -> None:
    data, table = to_hetero(sample), sample.relations["borrows"]
    edges = data["account", "borrows", "market"]
    holders, markets = data["account"].keys_in_order, data["market"].keys_in_order
    usd = edges.edge_attr[:, edges.columns.index("amount_usd")]
    found = [
        (holders[source], markets[target], amount)
        for source, target, amount in zip(*edges.edge_index.tolist(), usd.tolist(), strict=True)
    ]
    rows = table[table["source"].map(sample.kinds) == "account"]
    assert sorted(found) == sorted(zip(rows["source"], rows["target"], rows["amount_usd"], strict=True))


def test_messages_add_up_to_what_markets_lend(sample: ProtocolGraph) -> None:
    """Summed over edges by PyG, what accounts owe is what the market's own node says is borrowed."""
    from torch_geometric.utils import scatter

    data = to_hetero(sample)
    owed = torch.zeros(len(data["market"].keys_in_order), dtype=torch.float64)
    for source, relation, target in data.edge_types:
        if relation == "borrows":
            edges = data[source, relation, target]
            usd = edges.edge_attr[:, edges.columns.index("amount_usd")]
            owed += scatter(usd, edges.edge_index[1], dim_size=len(owed), reduce="sum")
    stated = data["market"].x[:, data["market"].columns.index("borrowed_usd")]
    assert np.allclose(owed.numpy(), stated.numpy(), rtol=1e-9)
    assert float(stated.sum()) > 0


def test_what_is_missing_is_nan(sample: ProtocolGraph) -> None:
    assets = to_hetero(sample)["asset"]
    missing = assets.x[:, assets.columns.index("price_usd")].isnan().tolist()
    assert missing == sample.nodes["asset"]["price_usd"].isna().tolist()
