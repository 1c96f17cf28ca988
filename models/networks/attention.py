"""GATv2 attention over tables of neighbours, for answering: the compiled-loop twin of PyG's layer, which gathers and scatters edge by edge.

The edges into a node stand in one row of a table, padded to the most that any node has, so that softmax and sum run along rows and one table serves all instants that see the same
graph. The weights are those of the PyG layer; `tests/models/test_networks.py` holds the two equal. While a network learns, PyG's layer is used.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import GATv2Conv

from models.networks.relations import Edges

MOST_PADDING = 4
"""A table that would hold more than so many places an edge is not made: where one node hears most of the others, edges are shorter than a table."""


@dataclass(frozen=True)
class Neighbours:
    """Edges of one type as a table: sources (N, K), values (N, K, D) of the edges, `there` (N, K, 1) zero where an edge stands and minus infinity where
    none does, `heard` (N, 1) one where a node has any and zero where it has none."""

    sources: Tensor
    values: Tensor
    there: Tensor
    heard: Tensor


def table_of(edges: Edges, targets: int) -> Neighbours | None:
    """The table of some edges; None where it would be mostly padding."""
    source, target = edges.ends
    counts = np.bincount(target, minlength=targets)
    width = int(counts.max(initial=1)) or 1
    if width * targets > MOST_PADDING * max(len(target), 1):
        return None
    order = np.argsort(target, kind="stable")
    place = np.arange(len(target)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = target[order]
    sources = np.zeros((targets, width), dtype=np.int64)
    values = np.zeros((targets, width, edges.values.shape[1]), dtype=np.float32)
    there = np.full((targets, width, 1), -np.inf, dtype=np.float32)
    there[counts == 0] = 0.0  # of nothing there is no softmax; `heard` takes its place
    sources[rows, place], values[rows, place], there[rows, place] = source[order], edges.values[order], 0.0
    return Neighbours(
        *(torch.from_numpy(array) for array in (sources, values, there, (counts > 0).astype(np.float32)[:, None]))
    )


def attend(layer: GATv2Conv, source: Tensor, target: Tensor, table: Neighbours) -> Tensor:
    """What the nodes hear, (B, N, heads x C), for states of sources (B, M, H) and targets (B, N, H): Brody et al. 2022, equation 7, as PyG's layer computes it."""
    (batch, nodes, _), width = target.shape, layer.heads * layer.out_channels
    places = table.sources.shape[1]
    said = layer.lin_l(source).index_select(1, table.sources.flatten()).view(batch, nodes, places, width)
    mixed = said + layer.lin_r(target).unsqueeze(2)
    if layer.lin_edge is not None and table.values.shape[-1]:
        mixed += layer.lin_edge(table.values)
    mixed = torch.nn.functional.leaky_relu_(mixed, layer.negative_slope)
    heads = zip(mixed.view(batch, nodes, places, layer.heads, layer.out_channels).unbind(3), layer.att[0], strict=True)
    score = torch.stack([part @ weights for part, weights in heads], dim=3) + table.there
    share = torch.softmax(score, dim=2) * table.heard.unsqueeze(-1)
    heard = (share.unsqueeze(-1) * said.view(batch, nodes, places, layer.heads, layer.out_channels)).sum(2)
    result: Tensor = heard.flatten(2) + layer.bias
    return result
