"""A recurrent network over each asset's look-back sequence, of LSTM or GRU units.

References
----------
Hochreiter, S., Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9, 1735-1780, doi:10.1162/neco.1997.9.8.1735.
Cho, K. et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP, arXiv:1406.1078, equations 5 to 8.
"""

from torch import Tensor, nn

from models.networks.shape import Shape

UNITS = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentEncoder(nn.Module):
    """The state after the last instant; `units` is a name of UNITS.

    Shapes
    ------
    (batch, L, C) -> (batch, H).
    """

    def __init__(self, units: str, width: int, shape: Shape) -> None:
        super().__init__()
        self.recurrence = UNITS[units](width, shape.hidden, batch_first=True)

    def forward(self, sequence: Tensor) -> Tensor:
        """What the sequence comes to."""
        states: Tensor = self.recurrence(sequence)[0]
        return states[:, -1]
