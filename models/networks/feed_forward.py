"""A network without memory and without neighbours: what the others must beat to have earned their parts."""

import itertools

from torch import Tensor, nn

from models.networks.head import Head, Picked
from models.networks.layout import Layout
from models.networks.shape import Shape


class FeedForward(nn.Module):
    """Two and more dense layers with GELU over the features of now.

    Shapes
    ------
    x (..., F) -> (..., outputs).
    """

    def __init__(self, layout: Layout, outputs: int, shape: Shape) -> None:
        super().__init__()
        self.present = Picked(layout.present)
        widths = [len(layout.present)] + [shape.hidden] * shape.layers
        layers = [
            nn.Sequential(nn.Linear(before, after), nn.GELU(), nn.Dropout(shape.dropout))
            for before, after in itertools.pairwise(widths)
        ]
        self.layers = nn.Sequential(*layers)
        self.head = Head(shape.hidden, len(layout.present), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Corrections to log variance."""
        present = self.present(x)
        corrections: Tensor = self.head(self.layers(present), present)
        return corrections
