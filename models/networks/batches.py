"""Whole graphs of several instants laid side by side as one large graph: what the graph network is given in one step."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from models.networks.attention import Neighbours, table_of
from models.networks.layout import Scale
from models.networks.relations import ASSET, EdgeType, GraphHistory, Ints


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
        self._graphs = [
            {
                kinds: (torch.from_numpy(edges.ends), torch.from_numpy(edges.values.astype(np.float32)))
                for kinds, edges in zip(history.types, graph, strict=True)
            }
            for graph in history.graphs
        ]
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
        ends: dict[EdgeType, Tensor] = {}
        values: dict[EdgeType, Tensor] = {}
        for kinds in self.history.types:
            parts = []
            for place in np.unique(places):
                rows = torch.from_numpy(np.flatnonzero(places == place))
                own_ends, own_values = self._graphs[place][kinds]
                sizes = torch.tensor([[self._sizes[kinds[0]]], [self._sizes[kinds[2]]]])
                shifted = own_ends.unsqueeze(1) + (sizes * rows).unsqueeze(-1)
                parts.append((shifted.reshape(2, -1), own_values.repeat(len(rows), 1)))
            ends[kinds] = torch.cat([part[0] for part in parts], dim=1)
            values[kinds] = torch.cat([part[1] for part in parts])
        around = {kind: numbers[torch.from_numpy(places)].flatten(0, 1) for kind, numbers in self._others.items()}
        return {ASSET: x.flatten(0, 1)} | around, ends, values
