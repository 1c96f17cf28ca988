"""How good a forecast was: losses of a variance row by row, the score of a probability, and the tests that compare two series of losses.

QLIKE is y / f - ln(y / f) - 1 (Patton 2011, doi:10.1016/j.jeconom.2010.03.034): with it, and with squared error, a noisy but unbiased outcome ranks
forecasts as the true variance would. Outcomes are at least LEAST_VARIANCE (`models.task`).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from models.panel import FloatArray, IntArray
from models.task import DAY_S, LEAST_VARIANCE


def qlike(y: FloatArray, f: FloatArray) -> FloatArray:
    """QLIKE of each row; NaN where the outcome or the forecast is unknown."""
    ratio = np.maximum(y, LEAST_VARIANCE) / f
    return np.asarray(ratio - np.log(ratio) - 1.0)


def log_error(y: FloatArray, f: FloatArray) -> FloatArray:
    """Squared error of the logarithm, row by row."""
    return np.asarray((np.log(np.maximum(y, LEAST_VARIANCE)) - np.log(f)) ** 2)


def pinball(y: FloatArray, quantile: FloatArray, level: float) -> FloatArray:
    """Quantile loss, row by row (Koenker and Bassett 1978)."""
    return np.asarray(np.maximum(level * (y - quantile), (level - 1.0) * (y - quantile)))


def brier(happened: FloatArray, probability: FloatArray) -> float:
    """Mean squared error of a probability."""
    return float(np.mean((probability - happened) ** 2))


def daily(loss: FloatArray, as_of_s: IntArray) -> FloatArray:
    """Mean over assets and instants of each day (UTC), in order; days without a known loss are left out. One number a day, shape (D,)."""
    day = as_of_s // DAY_S
    means = [np.nanmean(loss[day == d]) for d in np.unique(day) if np.isfinite(loss[day == d]).any()]
    return np.array(means)


@dataclass(frozen=True)
class DieboldMariano:
    """Mean difference of two series of losses (negative: the first is better), its statistic and two-sided p-value."""

    difference: float
    statistic: float
    p: float


def diebold_mariano(first: FloatArray, second: FloatArray, lags: int) -> DieboldMariano:
    """Are the losses of two forecasts the same on average?

    Diebold and Mariano 1995; long-run variance by Newey and West 1987 with Bartlett weights, `lags` at least the overlap of outcomes, less one; small-sample
    correction and t distribution of Harvey, Leybourne and Newbold 1997 (doi:10.1016/S0169-2070(96)00719-4), equation 9.
    """
    d = np.asarray(first - second, dtype=np.float64)
    n = len(d)
    centred = d - d.mean()
    variance = centred @ centred / n
    for lag in range(1, min(lags, n - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag]) / n
    if variance <= 0:
        return DieboldMariano(float(d.mean()), 0.0, 1.0)
    h = lags + 1
    corrected = np.sqrt(max(n + 1 - 2 * h + h * (h - 1) / n, 1.0) / n) * d.mean() / np.sqrt(variance / n)
    return DieboldMariano(float(d.mean()), float(corrected), float(2 * stdtr(n - 1, -abs(corrected))))
