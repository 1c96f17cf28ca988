"""Networks that read each asset's look-back sequence: an encoder (LSTM, GRU, Transformer), then the head. Assets do not see each other."""

from torch import Tensor, nn

from chain.errors import InputError, unknown_name
from models.networks.head import Head, Picked
from models.networks.layout import Layout
from models.networks.recurrent import RecurrentEncoder
from models.networks.shape import ENCODERS, Shape
from models.networks.transformer import TransformerEncoder


def encoder_of(name: str, layout: Layout, shape: Shape) -> nn.Module:
    """The encoder (batch, L, C) -> (batch, H) of that name.

    Raises
    ------
    UnknownNameError : no such encoder.
    InputError : the samples hold no look-back sequence.
    """
    if not layout.sequence:
        raise InputError(
            "The samples hold no look-back sequence (features named like name@1); add one, or take the network 'mlp'."
        )
    match name:
        case "lstm" | "gru":
            return RecurrentEncoder(name, layout.width, shape)
        case "transformer":
            return TransformerEncoder(layout.width, layout.steps, shape)
    raise unknown_name("encoder", name, ENCODERS)


class SequenceNetwork(nn.Module):
    """An encoder over the sequence of every asset by itself.

    Shapes
    ------
    x (..., F) -> (..., outputs).
    """

    def __init__(self, encoder: str, layout: Layout, outputs: int, shape: Shape) -> None:
        super().__init__()
        self.encoder = encoder_of(encoder, layout, shape)
        self.present, self.sequence = Picked(layout.present), Picked(layout.sequence)
        self.dropout = nn.Dropout(shape.dropout)
        self.head = Head(shape.hidden, len(layout.present), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Corrections to log variance."""
        sequence = self.sequence(x)
        state = self.encoder(sequence.reshape(-1, *sequence.shape[-2:])).reshape(*x.shape[:-1], -1)
        corrections: Tensor = self.head(self.dropout(state), self.present(x))
        return corrections
