"""Sums, means and maxima over the last so many bars before each instant, however long the window: two look-ups an instant in running sums, two in running maxima.

Running sums of one array serve all its windows, so whoever needs several asks `Windows.running` once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.panel import FloatArray, IntArray, Panel
from models.task import HOUR_S

ENOUGH_SHARE = 2.0 / 3.0
ENOUGH_BARS = 112
"""A window needs two thirds of its bars, or this many (two thirds of a week of hours), whichever is less: a token listed last week has an answer."""


@dataclass(frozen=True)
class Windows:
    """Where each instant stands in a panel: the bars before row `stop[a]` end by then."""

    stop: IntArray
    bar_s: int

    def bars(self, hours: int) -> int:
        """Bars in a window; a window shorter than a bar is one bar."""
        return max(1, hours * HOUR_S // self.bar_s)

    def running(self, values: FloatArray) -> "Running":
        """Running sums of the known values, shape (T, N), for all windows over them."""
        known = np.isfinite(values)
        alike = known[:, :1] if (known == known[:, :1]).all() else known  # without holes one column counts for all
        total = np.zeros((len(values) + 1, values.shape[1]))
        count = np.zeros((len(values) + 1, alike.shape[1]), np.int32)
        np.cumsum(np.where(known, values, 0.0), axis=0, out=total[1:])
        np.cumsum(alike, axis=0, out=count[1:])
        return Running(self, total, count)

    def mean(self, values: FloatArray, hours: int) -> FloatArray:
        """Mean of the known values of one window; see `Running.mean`."""
        return self.running(values).mean(hours)

    def last(self, values: FloatArray) -> FloatArray:
        """The last row that is known by each instant, shape (A, N); NaN before the first."""
        rows = values[np.maximum(self.stop - 1, 0)]
        return np.where((self.stop > 0)[:, None], rows, np.nan)

    def last_known(self, values: FloatArray, hours: int) -> FloatArray:
        """The last known value at each instant, if it is at most so many hours old, shape (A, N); else NaN."""
        rows = np.arange(len(values), dtype=np.int32)[:, None]
        newest = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)[np.maximum(self.stop - 1, 0)]
        fresh = (newest >= 0) & (self.stop[:, None] - 1 - newest <= self.bars(hours)) & (self.stop > 0)[:, None]
        return np.where(fresh, np.take_along_axis(values, np.maximum(newest, 0), axis=0), np.nan)

    def of_ranges(
        self, ranges: FloatArray, feature: Callable[[], FloatArray], without: Callable[[], FloatArray]
    ) -> FloatArray:
        """A feature of ranges, (A, N), at the instants by which some bar had one; before that, and in a file of closes, what takes its place. So highs that a later bar has change nothing earlier."""
        known = np.flatnonzero(np.isfinite(ranges).any(axis=1))
        if not len(known):
            return without()
        return feature() if known[0] == 0 else np.where((self.stop > known[0])[:, None], feature(), without())

    def largest(self, values: FloatArray, hours: int) -> FloatArray:
        """Largest known value of the window, shape (A, N); NaN where none is known."""
        window, span = self.bars(hours), 1
        best = np.where(np.isfinite(values), values, -np.inf)
        while 2 * span <= window:  # each row becomes the largest of the `span` rows that end with it
            best[span:] = np.maximum(best[span:], best[:-span])
            span *= 2
        end = self.stop - 1
        found = best[np.maximum(end, 0)]
        start = end - window + span  # of the two spans that cover the window, the end of the earlier one
        found = np.where((start >= 0)[:, None], np.maximum(found, best[np.maximum(start, 0)]), found)
        return np.where((end >= 0)[:, None] & np.isfinite(found), found, np.nan)


@dataclass(frozen=True)
class Running:
    """Sum and count of the known values of the rows before each, shape (T + 1, N); the count is of one column where all assets have the same holes."""

    back: Windows
    total: FloatArray
    count: npt.NDArray[np.int32]

    def sums(self, hours: int, ago_hours: int = 0) -> tuple[FloatArray, npt.NDArray[np.int32]]:
        """Sum and count of the known values of the window that ends `ago_hours` before each instant, of shape (A, N) and (A, N) or (A, 1)."""
        stop = np.maximum(self.back.stop - (self.back.bars(ago_hours) if ago_hours else 0), 0)
        start = np.maximum(stop - self.back.bars(hours), 0)
        return self.total[stop] - self.total[start], self.count[stop] - self.count[start]

    def mean(self, hours: int, ago_hours: int = 0) -> FloatArray:
        """Mean of the known values, shape (A, N); NaN where too few are known."""
        total, count = self.sums(hours, ago_hours)
        enough = count >= min(ENOUGH_SHARE * self.back.bars(hours), ENOUGH_BARS)
        result = np.full(total.shape, np.nan)
        np.divide(total, count, out=result, where=enough)
        return result


def lookback(panel: Panel, as_of_s: IntArray) -> Windows:
    """The look-back of a panel at some instants."""
    return Windows(np.searchsorted(panel.end_s, as_of_s, side="right").astype(np.int64), panel.bar_s)


def log_floored(values: FloatArray, floor: float) -> FloatArray:
    """Natural logarithm of what is at least `floor`; NaN stays."""
    return np.asarray(np.log(np.maximum(values, floor)))
