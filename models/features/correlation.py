"""A graph from prices alone: who moved with whom. The placebo of every claim that a graph helps is the same graph with random ends."""

import numpy as np

from models.panel import FloatArray, IntArray, Panel
from models.task import DAY_S

LEAST_SHARE = 0.5


def correlation_weights(panel: Panel, as_of_s: IntArray, days: int = 90, keep: int = 5) -> FloatArray:
    """Correlation of hourly returns with the `keep` assets that moved most alike, shape (A, N, N), zero elsewhere and on the diagonal.

    At each instant the bars of the `days` before the last midnight on the first of a month count, so the graph changes once a month. An asset with less than half
    of those bars has no neighbours.
    """
    returns = panel.log_returns()
    months = as_of_s.astype("datetime64[s]").astype("datetime64[M]")
    result = np.zeros((len(as_of_s), len(panel.assets), len(panel.assets)))
    for month in np.unique(months):
        first = int(month.astype("datetime64[s]").astype(np.int64))
        stop = int(np.searchsorted(panel.end_s, first, side="right"))
        window = returns[max(stop - days * DAY_S // panel.bar_s, 0) : stop]
        result[months == month] = _nearest(window, keep)
    return result


def shuffled_weights(weights: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The same weights with the assets at their far ends permuted, one permutation for all instants: the placebo."""
    assets = weights.shape[-1]
    while assets > 2:
        order = rng.permutation(assets)
        if (order != np.arange(assets)).all():
            return np.asarray(weights[..., order])
    return weights


def _nearest(window: FloatArray, keep: int) -> FloatArray:
    known = np.isfinite(window)
    usable = known.mean(axis=0) >= LEAST_SHARE if len(window) else np.zeros(window.shape[1], dtype=bool)
    filled = np.where(known & usable, window, 0.0)
    norms = np.sqrt((filled**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        alike = np.nan_to_num((filled.T @ filled) / np.outer(norms, norms))
    np.fill_diagonal(alike, -np.inf)
    far = np.argsort(-alike, axis=1)[:, keep:]
    np.put_along_axis(alike, far, 0.0, axis=1)
    np.fill_diagonal(alike, 0.0)
    return np.asarray(np.maximum(alike, 0.0))
