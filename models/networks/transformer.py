"""A temporal Transformer over each asset's look-back sequence.

References
----------
Vaswani, A. et al. (2017). Attention is all you need. NeurIPS, arXiv:1706.03762. We differ: layers normalise first (Xiong et al. 2020,
arXiv:2002.04745), which learns without a warm-up; positions are learnt; the answer is read at the last instant, where nothing lies ahead,
so no mask is needed.
"""

import torch
from torch import Tensor, nn

from models.networks.shape import Shape


class TransformerEncoder(nn.Module):
    """What the last instant makes of all instants.

    Shapes
    ------
    (batch, L, C) -> (batch, H).
    """

    def __init__(self, width: int, steps: int, shape: Shape) -> None:
        super().__init__()
        self.enter = nn.Linear(width, shape.hidden)
        self.position = nn.Parameter(torch.randn(steps, shape.hidden) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                shape.hidden, shape.heads, 2 * shape.hidden, shape.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(shape.layers)
        )
        self.leave = nn.LayerNorm(shape.hidden)

    def forward(self, sequence: Tensor) -> Tensor:
        """What the sequence comes to."""
        state = self.enter(sequence) + self.position
        for layer in self.layers:
            state = layer(state)
        last: Tensor = self.leave(state[:, -1])
        return last
