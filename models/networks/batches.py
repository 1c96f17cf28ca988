"""Whole graphs of several instants laid side by side as one large graph: what the graph network is given in one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.networks.attention import Neighbours, table_of
from models.networks.layout import Scale
from models.networks.relations import ASSET, Edges, EdgeType, GraphHistory, Ints


class GraphBatches:
    """Edges and surroundings of any instants, as tensors.

    Parameters
    ----------
    history : graphs over time.
    scales : how features of nodes that are no assets are put on one scale, by kind.
    """

    def __init__(self, history: GraphHistory, scales: Mapping[str, Scale]) -> None:
        self.history = history
        self._sizes = {ASSET: len(history.assets)} | {nodes.kind: len(nodes.keys) for nodes in history.others}
        self._laid = [_laid(tuple(graph[number] for graph in history.graphs)) for number in range(len(history.types))]
        self._tables: dict[int, dict[EdgeType, Neighbours] | None] = {}
        self._others = {nodes.kind: torch.from_numpy(scales[nodes.kind](nodes.x)) for nodes in history.others}

    def tables(self, place: int) -> dict[EdgeType, Neighbours] | None:
        """The edges of one graph as tables of neighbours, made once; None where one of them would be mostly padding."""
        if place not in self._tables:
            kinds_and_edges = zip(self.history.types, self.history.graphs[place], strict=True)
            made = {kinds: table_of(edges, self._sizes[kinds[2]]) for kinds, edges in kinds_and_edges}
            whole = {kinds: table for kinds, table in made.items() if table is not None}
            self._tables[place] = whole if len(whole) == len(made) else None
        return self._tables[place]

    def around(self, place: int, count: int) -> dict[str, Tensor]:
        """Features of the nodes that are no assets, in one graph, for so many instants: (count, M, F) by kind."""
        return {kind: numbers[place].expand(count, -1, -1) for kind, numbers in self._others.items()}

    def at(self, as_of_s: Ints, x: Tensor) -> tuple[dict[str, Tensor], dict[EdgeType, Tensor], dict[EdgeType, Tensor]]:
        """What `GraphNetwork` takes, for instants (B,) and features of assets (B, N, F); each instant sees the last graph known then."""
        places = self.history.at(as_of_s)
        order = np.argsort(places, kind="stable")
        ends: dict[EdgeType, Tensor] = {}
        values: dict[EdgeType, Tensor] = {}
        for kinds, laid in zip(self.history.types, self._laid, strict=True):
            counts = laid.counts[places[order]]
            first = laid.first[places[order]] - (np.cumsum(counts) - counts)
            edges = np.repeat(first, counts) + np.arange(counts.sum())
            sizes = np.array([[self._sizes[kinds[0]]], [self._sizes[kinds[2]]]])
            ends[kinds] = torch.from_numpy(laid.ends[:, edges] + sizes * np.repeat(order, counts))
            values[kinds] = torch.from_numpy(laid.values[edges])
        around = {kind: numbers[torch.from_numpy(places)].flatten(0, 1) for kind, numbers in self._others.items()}
        return {ASSET: x.flatten(0, 1)} | around, ends, values


@dataclass(frozen=True)
class _Laid:
    """The edges of one type of all graphs behind one another: the first of each graph, and how many it has."""

    ends: Ints
    values: NDArray[np.float32]
    first: Ints
    counts: Ints


def _laid(graphs: Sequence[Edges]) -> _Laid:
    counts = np.array([len(edges.values) for edges in graphs], dtype=np.int64)
    ends = np.concatenate([edges.ends for edges in graphs], axis=1)
    values = np.concatenate([edges.values for edges in graphs]).astype(np.float32)
    return _Laid(ends, values, np.cumsum(counts) - counts, counts)
