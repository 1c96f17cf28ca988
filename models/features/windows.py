"""Sums and means over the last so many bars before each instant, by running sums: two look-ups an instant, however long the window."""

from dataclasses import dataclass

import numpy as np

from models.panel import FloatArray, IntArray, Panel
from models.task import HOUR_S

ENOUGH_SHARE = 2.0 / 3.0
ENOUGH_BARS = 112
"""A window needs two thirds of its bars, or this many (two thirds of a week of hours), whichever is less: a token listed last week has an answer."""


@dataclass(frozen=True)
class Lookback:
    """Where each instant stands in a panel: the bars before row `stop[a]` end by then."""

    stop: IntArray
    bar_s: int

    def bars(self, hours: int) -> int:
        """Bars in a window; a window shorter than a bar is one bar."""
        return max(1, hours * HOUR_S // self.bar_s)

    def sums(self, values: FloatArray, hours: int, ago_hours: int = 0) -> tuple[FloatArray, FloatArray]:
        """Sum and count of the known values of the window that ends `ago_hours` before each instant, each of shape (A, N)."""
        known = np.isfinite(values)
        stop = np.maximum(self.stop - (self.bars(ago_hours) if ago_hours else 0), 0)
        start = np.maximum(stop - self.bars(hours), 0)
        return _difference(np.where(known, values, 0.0), start, stop), _difference(known.astype(float), start, stop)

    def mean(self, values: FloatArray, hours: int, ago_hours: int = 0) -> FloatArray:
        """Mean of the known values, shape (A, N); NaN where too few are known."""
        total, count = self.sums(values, hours, ago_hours)
        window = self.bars(hours)
        enough = count >= min(ENOUGH_SHARE * window, ENOUGH_BARS)
        return np.where(enough, total / np.where(count > 0, count, 1.0), np.nan)

    def last(self, values: FloatArray) -> FloatArray:
        """The last row that is known by each instant, shape (A, N); NaN before the first."""
        rows = values[np.maximum(self.stop - 1, 0)]
        return np.where((self.stop > 0)[:, None], rows, np.nan)

    def largest(self, values: FloatArray, hours: int) -> FloatArray:
        """Largest known value of the window, shape (A, N); NaN where none is known."""
        window = self.bars(hours)
        rows = self.stop[:, None] - 1 - np.arange(window)[None, :]
        filled = np.where(np.isfinite(values), values, -np.inf)
        best = np.full((len(self.stop), values.shape[1]), -np.inf)
        for column in rows.T:
            best = np.where((column >= 0)[:, None], np.maximum(best, filled[np.maximum(column, 0)]), best)
        return np.where(np.isfinite(best), best, np.nan)


def lookback(panel: Panel, as_of_s: IntArray) -> Lookback:
    """The look-back of a panel at some instants."""
    return Lookback(np.searchsorted(panel.end_s, as_of_s, side="right").astype(np.int64), panel.bar_s)


def log_floored(values: FloatArray, floor: float) -> FloatArray:
    """Natural logarithm of what is at least `floor`; NaN stays."""
    return np.asarray(np.log(np.maximum(values, floor)))


def _difference(values: FloatArray, start: IntArray, stop: IntArray) -> FloatArray:
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(running[stop] - running[start])
