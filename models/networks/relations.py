"""Edges between assets, and to other nodes, as arrays: which graph is known when, and what becomes of it in an ablation. No torch.

A graph that describes day d is known from the start of day d + 1. A history keeps graphs with the instants from which each may be used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chain.errors import InputError
from models.task import DAY_S

ASSET = "asset"
EdgeType = tuple[str, str, str]
"""(kind of the source, relation, kind of the target), as PyG names an edge type."""
NEIGHBOURS = 5
"""Of each asset in a graph of correlations."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Edges:
    """Edges of one type: `ends` (2, E), places of sources and targets; `values` (E, D), what each edge carries."""

    ends: Ints
    values: Floats


@dataclass(frozen=True)
class Nodes:
    """Nodes that are no assets, of one kind: their keys, the names of their features, and x (G, M, F), one block for each graph of the history."""

    kind: str
    keys: tuple[str, ...]
    names: tuple[str, ...]
    x: Floats


@dataclass(frozen=True)
class GraphHistory:
    """Graphs over time.

    Attributes
    ----------
    assets : the keys of the asset nodes, in order.
    known_s : (G,), the first instant at which each graph may be used, rising, in seconds.
    types : the edge types.
    graphs : for each graph, for each type, its edges.
    others : nodes of other kinds.
    """

    assets: tuple[str, ...]
    known_s: Ints
    types: tuple[EdgeType, ...]
    graphs: tuple[tuple[Edges, ...], ...]
    others: tuple[Nodes, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError for graphs out of order, an unknown kind of node, or edges of another shape or to a node that is not there."""
        if len(self.known_s) != len(self.graphs) or not len(self.graphs) or bool((np.diff(self.known_s) <= 0).any()):
            raise InputError(
                "A graph history needs at least one graph, and known_s must rise strictly, one instant for each graph."
            )
        sizes = {ASSET: len(self.assets)} | {nodes.kind: len(nodes.keys) for nodes in self.others}
        for kinds, edges in (
            (kinds, edges) for graph in self.graphs for kinds, edges in zip(self.types, graph, strict=True)
        ):
            source, relation, target = kinds
            if source not in sizes or target not in sizes:
                raise InputError(
                    f"The relation {relation!r} leads from {source!r} to {target!r}; known kinds of nodes are {', '.join(sizes)}."
                )
            if edges.values.ndim != 2 or edges.ends.shape != (2, len(edges.values)):
                raise InputError(f"Edges of {relation!r} need ends of shape (2, E) and values of shape (E, D).")
            if edges.ends.size and (
                edges.ends.min() < 0 or edges.ends[0].max() >= sizes[source] or edges.ends[1].max() >= sizes[target]
            ):
                raise InputError(
                    f"An edge of {relation!r} ends at a node that is not there; places count from 0 in the order of the keys."
                )

    def at(self, as_of_s: Ints) -> Ints:
        """The place of the last graph known at each instant.

        Raises
        ------
        InputError : an instant lies before the first graph is known.
        """
        places = np.searchsorted(self.known_s, as_of_s, side="right") - 1
        if places.size and places.min() < 0:
            raise InputError(
                f"No graph is known at {int(as_of_s.min())} s; the first may be used from {int(self.known_s[0])} s on."
            )
        return places.astype(np.int64)

    def edge_width(self, kinds: EdgeType) -> int:
        """How many numbers an edge of this type carries."""
        return int(self.graphs[0][self.types.index(kinds)].values.shape[1])


def from_day_after(day_start_s: int) -> int:
    """When a graph of the day that starts at `day_start_s` may first be used: at the start of the next day."""
    return day_start_s + DAY_S


def correlation_edges(returns: Floats, neighbours: int) -> Edges:
    """From its `neighbours` most correlated assets to each asset; the value is the correlation.

    Parameters
    ----------
    returns : (T, N), of a window that is known; NaN where missing. A pair needs 100 common bars.
    """
    bars, assets = returns.shape
    known = np.isfinite(returns)
    each = np.where(known, returns, 0.0)
    count = known.T.astype(float) @ known
    common = np.maximum(count, 1.0)
    sums = each.T @ known
    covariance = each.T @ each / common - (sums / common) * (sums.T / common)
    squares = (each**2).T @ known / common - (sums / common) ** 2
    correlation = covariance / np.sqrt(np.maximum(squares * squares.T, 1e-300))
    correlation[count < min(100, bars)] = -np.inf
    np.fill_diagonal(correlation, -np.inf)
    nearest = np.argsort(-correlation, axis=1, kind="stable")[:, : min(neighbours, assets - 1)]
    pairs = [
        (source, target)
        for target in range(assets)
        for source in nearest[target].tolist()
        if np.isfinite(correlation[target, source])
    ]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Edges(ends, correlation[ends[1], ends[0]].reshape(-1, 1))


def flow_edges(assets: Sequence[str], sources: Sequence[str], targets: Sequence[str], usd: Sequence[float]) -> Edges:
    """From asset to asset by what was swapped; the value is the share of all that flowed into the target. Flows from an asset to itself, or beyond `assets`, are left out."""
    place = {asset: number for number, asset in enumerate(assets)}
    flows: dict[tuple[int, int], float] = {}
    for source, target, amount in zip(sources, targets, usd, strict=True):
        if source in place and target in place and source != target and amount > 0:
            pair = (place[source], place[target])
            flows[pair] = flows.get(pair, 0.0) + amount
    into = np.zeros(len(assets))
    for (_, receiver), amount in flows.items():
        into[receiver] += amount
    pairs = sorted(flows)
    shares = [flows[pair] / into[pair[1]] for pair in pairs]
    return Edges(np.array(pairs, dtype=np.int64).reshape(-1, 2).T, np.array(shares, dtype=float).reshape(-1, 1))


def category_edges(assets: Sequence[str], category: Mapping[str, str]) -> Edges:
    """Between all assets of one category, both ways; the value is one over how many neighbours the target has. An asset without a category has none."""
    pairs = [
        (source, target)
        for target, name in enumerate(assets)
        for source, other in enumerate(assets)
        if source != target and name in category and category[name] == category.get(other)
    ]
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    degree = np.bincount(ends[1], minlength=len(assets))
    return Edges(ends, (1.0 / degree[ends[1]]).reshape(-1, 1))


def correlation_history(
    assets: tuple[str, ...], end_s: Ints, returns: Floats, known_s: Ints, bars: int
) -> GraphHistory:
    """Correlations of the last `bars` returns (T, N) that end by each instant of `known_s`, as graphs that may be used from then on."""
    graphs = []
    for now in known_s:
        stop = int(np.searchsorted(end_s, now, side="right"))
        graphs.append((correlation_edges(returns[max(stop - bars, 0) : stop], NEIGHBOURS),))
    return GraphHistory(assets, known_s, ((ASSET, "correlates", ASSET),), tuple(graphs))


def identity(history: GraphHistory) -> GraphHistory:
    """The ablation without neighbours: every edge between nodes of one kind starts where it ends. As many edges, the same values, the same parameters."""

    def own(kinds: EdgeType, edges: Edges) -> Edges:
        return Edges(np.stack([edges.ends[1], edges.ends[1]]), edges.values) if kinds[0] == kinds[2] else edges

    return _changed(history, own)


def shuffled(history: GraphHistory, rng: np.random.Generator) -> GraphHistory:
    """The ablation with random neighbours: within each type, sources are dealt out anew by one relabelling that holds for all graphs of the history.

    As many edges, the same values, the same number of edges into each node, the same degrees out of the relabelled sources. A relabelled source may be the target itself.
    """
    sizes = {ASSET: len(history.assets)} | {nodes.kind: len(nodes.keys) for nodes in history.others}
    label = {kinds: rng.permutation(sizes[kinds[0]]) for kinds in history.types}

    def dealt(kinds: EdgeType, edges: Edges) -> Edges:
        return Edges(np.stack([label[kinds][edges.ends[0]], edges.ends[1]]), edges.values)

    return _changed(history, dealt)


def _changed(history: GraphHistory, change: Callable[[EdgeType, Edges], Edges]) -> GraphHistory:
    graphs = tuple(
        tuple(change(kinds, edges) for kinds, edges in zip(history.types, graph, strict=True))
        for graph in history.graphs
    )
    return GraphHistory(history.assets, history.known_s, history.types, graphs, history.others)
