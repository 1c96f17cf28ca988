"""The last layer of every network: linear in what the network found and in the features themselves, and zero before it has learnt."""

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """(hidden, features of now) -> corrections to log variance.

    Weights and bias start at zero, so that the untrained network forecasts exactly what its base forecasts; the features enter once more,
    past all other layers, so that a linear improvement needs no detour (the linear skip of a residual network).

    Shapes
    ------
    hidden (..., H), present (..., P) -> (..., outputs).
    """

    def __init__(self, hidden: int, present: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden + present, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, hidden: Tensor, present: Tensor) -> Tensor:
        """The corrections."""
        corrections: Tensor = self.linear(torch.cat([hidden, present], dim=-1))
        return corrections


class Picked(nn.Module):
    """Takes the columns of now, or the look-back sequence, out of all features.

    Shapes
    ------
    (..., F) -> (..., P) for a flat list of places, (..., L, C) for a list of lists.
    """

    places: Tensor

    def __init__(self, places: tuple[int, ...] | tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The columns."""
        return x[..., self.places]
