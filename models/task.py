"""What is forecast from what, how far ahead, and what is known when.

The outcome is realised variance (Andersen and Bollerslev 1998, doi:10.2307/2527343): the sum of squared log returns of the bars in
(t, t + horizon], not annualised. At t the bars that end by t are known, and no other.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from chain.errors import InputError
from models.panel import FloatArray, IntArray, Panel

HOUR_S, DAY_S = 3_600, 86_400
RANGE_TO_VARIANCE = 1.0 / (4.0 * np.log(2.0))
"""Parkinson 1980 (doi:10.1086/296071), equation 1: variance of a driftless Brownian motion from its squared log range."""
LEAST_VARIANCE = 1e-8
"""No forecast, and no outcome in a score, is below (0.01 %)^2: an hour in which nothing was traded does not promise another, and an outcome of zero has no finite QLIKE."""


@dataclass(frozen=True)
class Task:
    """One forecasting task; it is stored with every fitted model.

    Attributes
    ----------
    target : the only one is "realised variance".
    horizon_hours : how far ahead.
    bar_s : length of a bar, seconds; the horizon is a whole number of bars.
    step_hours : between two forecasts, in training and in evaluation.
    least_known : share of the horizon's returns that must be known. If some are missing, the sum is scaled up to the full number.
    """

    target: str = "realised variance"
    horizon_hours: int = 24
    bar_s: int = HOUR_S
    step_hours: int = 6
    least_known: float = 0.9

    def __post_init__(self) -> None:
        if self.target != "realised variance":
            raise InputError(f"a task's target is {self.target!r}; the only one known is 'realised variance'")
        if self.horizon_hours <= 0 or self.horizon_s % self.bar_s:
            raise InputError(
                f"a horizon of {self.horizon_hours} hours is not a whole number of bars of {self.bar_s} s; give a multiple of the bar"
            )

    @property
    def horizon_s(self) -> int:
        """Seconds from the forecast to the end of what it is about."""
        return self.horizon_hours * HOUR_S

    @property
    def horizon_bars(self) -> int:
        """Bars in the horizon."""
        return self.horizon_s // self.bar_s

    def as_record(self) -> dict[str, Any]:
        """The task as plain values, for a model's file."""
        return asdict(self)


def hourly_task(horizon_hours: int) -> Task:
    """What is learnt and scored on hourly bars: a forecast every six hours, an hour ahead every three."""
    return Task(horizon_hours=horizon_hours, step_hours=6 if horizon_hours > 1 else 3)


def as_of_grid(panel: Panel, task: Task, from_s: int, to_s: int) -> IntArray:
    """Instants of forecasts in [from_s, to_s): whole multiples of the step since 1970, so that 24 hours means midnight UTC, inside the panel."""
    step = task.step_hours * HOUR_S
    first = -(-max(from_s, int(panel.end_s[0])) // step) * step
    return np.arange(first, min(to_s, int(panel.end_s[-1]) + 1), step, dtype=np.int64)


def outcomes(panel: Panel, as_of_s: IntArray, task: Task) -> FloatArray:
    """Realised variance over (t, t + horizon], shape (instants, assets).

    NaN where fewer than `task.least_known` of the horizon's returns are known, and where the panel does not hold the whole horizon. A return is
    known if its bar and the one before it have a close.
    """
    return _summed(panel, panel.log_returns() ** 2, as_of_s, task)


def range_proxy(panel: Panel, as_of_s: IntArray, task: Task) -> FloatArray:
    """Sum of ln(high / low)^2 / (4 ln 2) over the same bars: a less noisy measure of the same variance, for short horizons. NaN as `outcomes`."""
    return _summed(panel, RANGE_TO_VARIANCE * np.log(panel.high / panel.low) ** 2, as_of_s, task)


def horizon_returns(panel: Panel, as_of_s: IntArray, task: Task) -> FloatArray:
    """Log return over (t, t + horizon], shape (instants, assets): between the closes of the bars that end then; NaN if one is missing."""
    start = np.searchsorted(panel.end_s, as_of_s, side="right") - 1
    stop = start + task.horizon_bars
    inside = (start >= 0) & (stop < len(panel.end_s))
    logs = np.log(panel.close)
    return np.where(inside[:, None], logs[np.where(inside, stop, 0)] - logs[np.where(inside, start, 0)], np.nan)


def _summed(panel: Panel, per_bar: FloatArray, as_of_s: IntArray, task: Task) -> FloatArray:
    known = np.isfinite(per_bar)
    start = np.searchsorted(panel.end_s, as_of_s, side="right")
    stop = start + task.horizon_bars
    inside = (stop <= len(panel.end_s)) & (as_of_s >= panel.end_s[0] - panel.bar_s)
    start, stop = np.where(inside, start, 0), np.where(inside, stop, 0)
    counts = _between(known.astype(np.float64), start, stop)
    enough = inside[:, None] & (counts >= task.least_known * task.horizon_bars - 1e-9)
    # A sum of squares is not negative; the difference of two running sums can be, by rounding.
    totals = np.maximum(_between(np.where(known, per_bar, 0.0), start, stop), 0.0)
    return np.where(enough, totals * task.horizon_bars / np.where(enough, counts, 1.0), np.nan)


def _between(values: FloatArray, start: IntArray, stop: IntArray) -> FloatArray:
    """Sums of the rows start to stop - 1, by running sums."""
    running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray(running[stop] - running[start])
