"""Which networks there are, by name, and how large one is. No torch, so that a command or a stored model can say so without it."""

from dataclasses import dataclass

from chain.errors import InputError

ENCODERS = ("lstm", "gru", "transformer")
"""Of the past of a feature."""
GRAPHS = ("graph", *(f"graph-{encoder}" for encoder in ENCODERS))
"""The graph network over features of now, or over an encoded past."""
NETWORKS = ("mlp", *ENCODERS, *GRAPHS)


@dataclass(frozen=True)
class Shape:
    """Width, depth, attention heads, and the share of hidden units left out at random while learning."""

    hidden: int = 32
    layers: int = 2
    heads: int = 2
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Raises InputError for a shape that no network can have."""
        if min(self.hidden, self.layers, self.heads) < 1 or self.hidden % self.heads or not 0 <= self.dropout < 1:
            raise InputError(
                f"A network of {self.hidden} hidden units, {self.layers} layers, {self.heads} heads and dropout {self.dropout} cannot be built; "
                "counts must be at least 1, heads must divide the hidden units, and dropout must be at least 0 and below 1."
            )
