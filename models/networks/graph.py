"""The graph network: assets, and protocols, markets or pools around them, that attend to their neighbours by relation. PyG's layers.

Every asset's past is encoded first (or its present features, where there is no past); then each layer adds to every node what its
neighbours say, one attention for each edge type, with the edge's own numbers in it. Full batches: a batch is whole graphs side by side.

References
----------
Brody, S., Alon, U., Yahav, E. (2022). How attentive are graph attention networks? ICLR, arXiv:2105.14491: GATv2.
Schlichtkrull, M. et al. (2018). Modeling relational data with graph convolutional networks. ESWC, arXiv:1703.06103, equation 2: sum over relations.
We differ: a node's own state is kept by addition, not by a self-loop, so a node without neighbours is a feed-forward network.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATv2Conv

from models.networks.head import Head, Picked
from models.networks.layout import Layout
from models.networks.relations import ASSET, EdgeType, GraphHistory
from models.networks.sequence import encoder_of
from models.networks.shape import Shape

Hear = Callable[[GATv2Conv, EdgeType, Tensor, Tensor], Tensor]
"""(layer, edge type, states of sources, states of targets) -> what the targets hear."""


class GraphNetwork(nn.Module):
    """Attention over edges of several types.

    Parameters
    ----------
    encoder : "lstm", "gru" or "transformer" over the look-back sequence, or None to read the features of now only.
    history : gives kinds, edge types and widths; its numbers are not kept here.

    Shapes
    ------
    x of assets (n, F), of other kinds (m, F of that kind) -> corrections of assets (n, outputs).
    """

    def __init__(self, encoder: str | None, layout: Layout, outputs: int, shape: Shape, history: GraphHistory) -> None:
        super().__init__()
        self.types = history.types
        self.present = Picked(layout.present)
        self.encoder = encoder_of(encoder, layout, shape) if encoder else None
        self.sequence = Picked(layout.sequence) if encoder else None
        width = len(layout.present) + (shape.hidden if encoder else 0)
        self.enter = nn.ModuleDict({ASSET: nn.Linear(width, shape.hidden)})
        for nodes in history.others:
            self.enter[nodes.kind] = nn.Linear(len(nodes.names), shape.hidden)
        each = shape.hidden // shape.heads
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    key_of(kinds): GATv2Conv(
                        (shape.hidden, shape.hidden),
                        each,
                        shape.heads,
                        edge_dim=history.edge_width(kinds) or None,
                        add_self_loops=False,
                    )
                    for kinds in history.types
                }
            )
            for _ in range(shape.layers)
        )
        self.activate = nn.Sequential(nn.GELU(), nn.Dropout(shape.dropout))
        self.head = Head(shape.hidden, len(layout.present), outputs)

    def forward(self, x: dict[str, Tensor], ends: dict[EdgeType, Tensor], values: dict[EdgeType, Tensor]) -> Tensor:
        """Corrections to the log variance of the assets.

        Parameters
        ----------
        x : features by kind of node.
        ends : places of sources and targets by edge type, (2, E).
        values : what edges carry, (E, D).
        """

        def hear(layer: GATv2Conv, kinds: EdgeType, source: Tensor, target: Tensor) -> Tensor:
            told = values[kinds] if values[kinds].shape[1] else None
            message: Tensor = layer((source, target), ends[kinds], told)
            return message

        return self.told(x, hear)

    def told(self, x: dict[str, Tensor], hear: Hear) -> Tensor:
        """Corrections from features (..., F) by kind and a way to hear neighbours: PyG's layer, or its twin over tables (`models.networks.attention`)."""
        present = self.present(x[ASSET])
        entered = present
        if self.encoder is not None and self.sequence is not None:
            sequence = self.sequence(x[ASSET])
            past = self.encoder(sequence.reshape(-1, *sequence.shape[-2:])).reshape(*present.shape[:-1], -1)
            entered = torch.cat([present, past], dim=-1)
        state = {
            kind: self.activate(self.enter[kind](entered if kind == ASSET else numbers)) for kind, numbers in x.items()
        }
        for layer in self.layers:
            heard: dict[str, Tensor] = {}
            for kinds in self.types:
                source, _, target = kinds
                message = hear(layer[key_of(kinds)], kinds, state[source], state[target])  # type: ignore[index]
                heard[target] = heard[target] + message if target in heard else message
            state = {kind: old + self.activate(heard[kind]) if kind in heard else old for kind, old in state.items()}
        corrections: Tensor = self.head(state[ASSET], present)
        return corrections


def key_of(kinds: EdgeType) -> str:
    """The name of an edge type's layer among the weights. Names of kinds and relations hold no dot."""
    return "__".join(kinds)
