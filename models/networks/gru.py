"""A recurrent network over each asset's look-back sequence, GRU units.

References
----------
Cho, K. et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP, arXiv:1406.1078, equations 5 to 8.
"""

from torch import Tensor, nn

from models.networks.shape import Shape


class GruEncoder(nn.Module):
    """The state after the last instant.

    Shapes
    ------
    (batch, L, C) -> (batch, H).
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.recurrence = nn.GRU(width, shape.hidden, batch_first=True)

    def forward(self, sequence: Tensor) -> Tensor:
        """What the sequence comes to."""
        states: Tensor = self.recurrence(sequence)[0]
        return states[:, -1]
