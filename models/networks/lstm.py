"""A recurrent network over each asset's look-back sequence, LSTM units.

References
----------
Hochreiter, S., Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9, 1735-1780, doi:10.1162/neco.1997.9.8.1735.
"""

from torch import Tensor, nn

from models.networks.shape import Shape


class LstmEncoder(nn.Module):
    """The state after the last instant.

    Shapes
    ------
    (batch, L, C) -> (batch, H).
    """

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.recurrence = nn.LSTM(width, shape.hidden, batch_first=True)

    def forward(self, sequence: Tensor) -> Tensor:
        """What the sequence comes to."""
        states: Tensor = self.recurrence(sequence)[0]
        return states[:, -1]
