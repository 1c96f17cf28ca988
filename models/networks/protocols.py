"""The protocol graph around the assets: markets, pools and other nodes of snapshots, as surroundings of the graph network.

What a snapshot anchored at t says is known from t on. Amounts are put on a logarithmic scale; what a table does not say counts as zero, for an edge,
or as the training mean, for a node.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch_geometric.data import HeteroData

from chain.errors import InputError
from graph.protocol_graph import ProtocolGraph
from models.graph_tensors import to_hetero
from models.networks.relations import ASSET, Edges, EdgeType, Floats, GraphHistory, Nodes

AROUND = ("market", "pool", "vault")
BACK = "back_along_"
"""Before the name of a relation: its edges from target to source, so that what a market or a pool knows reaches its assets."""


def protocol_history(
    graphs: Sequence[tuple[int, ProtocolGraph]],
    symbols: Mapping[str, str],
    assets: Sequence[str],
    from_s: int | None = None,
) -> GraphHistory:
    """The history of a graph network from protocol graphs.

    Parameters
    ----------
    graphs : (timestamp of the snapshot's anchor, its graph), in order of time.
    symbols : node of an asset -> symbol as in the prices; the same asset on two chains has one symbol, nodes without one are left out.
    assets : the symbols of the prices, in order.
    from_s : if given and before the first graph, an instant from which on nothing is known: a graph without edges, its nodes not present.

    Returns
    -------
    Edges of every relation between assets and AROUND, and the same edges backwards. Values: the relation's numbers, amounts in smallest units left out.

    Raises
    ------
    InputError : no graph, or none has a relation between these.
    """
    views = [(known_s, to_hetero(graph)) for known_s, graph in graphs]
    if views and from_s is not None and from_s < views[0][0]:
        views.insert(0, (from_s, HeteroData()))
    found = sorted(
        {
            kinds_of
            for _, view in views
            for kinds_of in view.edge_types
            if {kinds_of[0], kinds_of[2]} <= {ASSET, *AROUND}
        }
    )
    if not found:
        raise InputError(
            f"None of {len(graphs)} protocol graphs relates assets to {', '.join(AROUND)}; give snapshots that read some, or correlations."
        )
    keys = {
        kind: sorted({key for _, view in views if kind in view.node_types for key in view[kind].keys_in_order})
        for kind in AROUND
    }
    place = {kind: {key: number for number, key in enumerate(known)} for kind, known in keys.items()}
    number = {symbol: each for each, symbol in enumerate(assets)}
    place[ASSET] = {node: number[symbol] for node, symbol in symbols.items() if symbol in number}
    edge_names = {
        kinds_of: _columns([view[kinds_of] for _, view in views if kinds_of in view.edge_types]) for kinds_of in found
    }
    node_names = {kind: _columns([view[kind] for _, view in views if kind in view.node_types]) for kind in AROUND}
    forward = [[_edges(view, kinds_of, place, edge_names[kinds_of]) for kinds_of in found] for _, view in views]
    backward = [[Edges(edges.ends[::-1].copy(), edges.values) for edges in each] for each in forward]
    return GraphHistory(
        tuple(assets),
        np.array([known_s for known_s, _ in views], dtype=np.int64),
        (*found, *((target, BACK + relation, source) for source, relation, target in found)),
        tuple((*there, *back) for there, back in zip(forward, backward, strict=True)),
        tuple(
            Nodes(
                kind,
                tuple(keys[kind]),
                ("present", *node_names[kind]),
                np.stack([_features(view, kind, keys[kind], node_names[kind]) for _, view in views]),
            )
            for kind in AROUND
            if keys[kind]
        ),
    )


def _columns(stores: Sequence[Any]) -> tuple[str, ...]:
    """The numbers that all of some tables of one schema have, amounts in smallest units left out: they mean nothing beside those of other tokens."""
    return tuple(name for name in stores[0].columns if not name.endswith("_raw")) if stores else ()


def _edges(view: HeteroData, kinds_of: EdgeType, place: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> Edges:
    """Edges whose two ends are known; the width is the same in every graph."""
    if kinds_of not in view.edge_types:
        return Edges(np.zeros((2, 0), np.int64), np.zeros((0, len(names))))
    source, _, target = kinds_of
    table = view[kinds_of]
    starts, stops = (
        [place[kind].get(view[kind].keys_in_order[row]) for row in table.edge_index[end].tolist()]
        for end, kind in enumerate((source, target))
    )
    kept = [row for row, pair in enumerate(zip(starts, stops, strict=True)) if None not in pair]
    values = _signed_log(table.edge_attr.numpy()[kept][:, [table.columns.index(name) for name in names]])
    ends = np.array([[starts[row] for row in kept], [stops[row] for row in kept]], dtype=np.int64).reshape(2, -1)
    return Edges(ends, np.nan_to_num(values))


def _features(view: HeteroData, kind: str, keys: Sequence[str], names: Sequence[str]) -> Floats:
    """(M, 1 + names): whether the node is in the snapshot, and its numbers; NaN where it is not."""
    made = np.full((len(keys), 1 + len(names)), np.nan)
    made[:, 0] = 0.0
    if kind in view.node_types:
        rows = [keys.index(key) for key in view[kind].keys_in_order]
        made[rows, 0] = 1.0
        made[rows, 1:] = _signed_log(view[kind].x.numpy()[:, [view[kind].columns.index(name) for name in names]])
    return made


def _signed_log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
