"""A network by its name, and what it answers for a batch of instants."""

import numpy as np
import torch
from torch import Tensor, nn

from chain.errors import InputError, unknown_name
from models.networks.attention import attend
from models.networks.batches import GraphBatches
from models.networks.feed_forward import FeedForward
from models.networks.graph import GraphNetwork
from models.networks.layout import Layout
from models.networks.relations import ASSET, GraphHistory, Ints
from models.networks.sequence import SequenceNetwork
from models.networks.shape import GRAPHS, NETWORKS, Shape


def build(name: str, layout: Layout, outputs: int, shape: Shape, history: GraphHistory | None, seed: int) -> nn.Module:
    """The untrained network; the same seed gives the same weights, and torch's own random state is left as it was.

    Raises
    ------
    UnknownNameError : no such network.
    InputError : a graph network without a graph history, or a network of sequences without one.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    if name in GRAPHS and history is None:
        raise InputError(f"The network {name!r} needs a graph history; give one, or take the network 'mlp'.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if history is not None and name in GRAPHS:
            return GraphNetwork(name.partition("-")[2] or None, layout, outputs, shape, history)
        if name == "mlp":
            return FeedForward(layout, outputs, shape)
        return SequenceNetwork(name, layout, outputs, shape)


def corrections(network: nn.Module, graphs: GraphBatches | None, as_of_s: Ints, x: Tensor) -> Tensor:
    """Corrections to log variance, (B, N, outputs), for instants (B,) and scaled features (B, N, F)."""
    if isinstance(network, GraphNetwork):
        assert graphs is not None
        answered: Tensor = network(*graphs.at(as_of_s, x))
    else:
        answered = network(x)
    return answered.reshape(*x.shape[:2], -1)


def answers(network: nn.Module, graphs: GraphBatches | None, as_of_s: Ints, x: Tensor) -> Tensor:
    """The same corrections from a network that learns nothing any more: a graph network hears by tables of neighbours, all instants of one graph at once."""
    if not isinstance(network, GraphNetwork) or graphs is None:
        return corrections(network, graphs, as_of_s, x)
    places, parts = graphs.history.at(as_of_s), {}
    for place in np.unique(places).tolist():
        rows = np.flatnonzero(places == place)
        tables = graphs.tables(place)
        if tables is None:
            parts[place] = rows, corrections(network, graphs, as_of_s[rows], x[torch.from_numpy(rows)])
            continue
        known = {ASSET: x[torch.from_numpy(rows)]} | graphs.around(place, len(rows))
        told = network.told(known, lambda layer, kinds, s, t, by=tables: attend(layer, s, t, by[kinds]))  # type: ignore[misc]
        parts[place] = rows, told
    order = torch.from_numpy(np.argsort(np.concatenate([rows for rows, _ in parts.values()])))
    return torch.cat([told.reshape(*told.shape[:2], -1) for _, told in parts.values()])[order]


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())
