"""Which features carry the level of volatility, and how far they stand from the asset's own: what is left has no level, so it means the same in a calm and in a wild year."""

from collections.abc import Sequence

import numpy as np

from models.panel import FloatArray
from models.samples import Samples

OF_MOVES = ("abs_range", "abs_return")
OF_VARIANCES = ("rv", "gk", "ewma")


def is_variance(name: str) -> bool:
    """Whether a log level is that of a variance (its half is the log of a move)."""
    return any(part in OF_VARIANCES for part in name.split("_")) or name.startswith("range_")


def is_level(name: str) -> bool:
    """Whether a feature is the log of a level: of a variance, or of a mean absolute move."""
    return is_variance(name) or any(part in name for part in OF_MOVES)


def level_free(samples: Samples, levels: Sequence[str], free: Sequence[str], level: str) -> FloatArray:
    """Features without a level, shape (A x N, levels + free): each of `levels` as its distance from the asset's own, in units of a log move."""
    own = log_move(samples, level)
    columns = [log_move(samples, name) - own for name in levels] + [samples.feature(name) for name in free]
    return np.stack(columns, axis=2).reshape(-1, len(columns))


def log_move(samples: Samples, name: str) -> FloatArray:
    """A log level in units of a log move, shape (A, N): that of a variance counts half."""
    return samples.feature(name) * (0.5 if is_variance(name) else 1.0)


def from_own_level(features: Sequence[str], level: str) -> FloatArray:
    """The matrix T, shape (F, F), with which features x become x @ T: each other level as its distance from the asset's own, everything else as it stands."""
    own = list(features).index(level)
    turned = np.eye(len(features))
    for place, name in enumerate(features):
        if is_level(name) and place != own:
            turned[place, place] = 0.5 if is_variance(name) else 1.0
            turned[own, place] = -1.0
    return turned
