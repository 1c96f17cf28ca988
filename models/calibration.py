"""From a forecast of variance to a distribution: quantiles of the sum of squares and of the return, with fat tails, and kept honest while the world drifts.

A score is what came over what was forecast: y / f for the variance, r / sqrt(f) for the return. Its law is read off the scores that are known: their quantiles with
the finite-sample correction (conformal: Vovk et al. 2005; Lei et al. 2018). Under drift the level at which that law is read is
moved by what was missed (adaptive conformal inference: Gibbs and Candès 2021, equation 2), an asset at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.panel import FloatArray, IntArray
from models.task import DAY_S

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
FINE_LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))


def conformal_quantile(scores: FloatArray, level: float) -> float:
    """The score that the next one lies at or below with at least probability `level`, if scores are exchangeable; above one half the rank is rounded up, below it down.

    With n known scores that is the ceil((n + 1) level)-th of them, or for level < 1/2 the floor((n + 1) level)-th; the largest or smallest where there are too few.
    """
    known = np.sort(scores[np.isfinite(scores)])
    if not len(known):
        return float("nan")
    rank = (len(known) + 1) * level
    place = int(np.ceil(rank - 1e-9)) if level >= 0.5 else int(np.floor(rank + 1e-9))
    return float(known[min(max(place, 1), len(known)) - 1])


@dataclass(frozen=True)
class Adaptive:
    """Adaptive conformal quantiles.

    Attributes
    ----------
    window_days : scores of so many days before the instant, of all assets, make the law.
    rate : by how much the level moves when an outcome falls on the wrong side (Gibbs and Candès: gamma); 0 is plain rolling conformal.
    """

    window_days: int = 180
    rate: float = 0.01

    def quantiles(
        self, scores: FloatArray, as_of_s: IntArray, horizon_s: int, levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of the score at each instant, shape (A, N, levels), from scores that are known by it.

        Parameters
        ----------
        scores : by (instant, asset), shape (A, N), in the order of time; NaN where the outcome is unknown. The score of instant a is used from
            `as_of_s[a] + horizon_s` on. Quantiles are NaN until thirty scores are known.
        """
        result = np.full((*scores.shape, len(levels)), np.nan)
        aimed = np.tile(np.array(levels, dtype=np.float64), (scores.shape[1], 1))
        told = 0
        for a, now in enumerate(as_of_s):
            while as_of_s[told] + horizon_s <= now:
                seen = scores[told][:, None]
                heard = np.isfinite(seen) & np.isfinite(result[told])
                aimed += np.where(heard, self.rate * (np.array(levels) - (seen <= result[told])), 0.0)
                told += 1
            first = int(np.searchsorted(as_of_s, now - horizon_s - self.window_days * DAY_S))
            known = np.sort(scores[first:told][np.isfinite(scores[first:told])])
            if len(known) < 30:
                continue
            for k, level in enumerate(levels):
                rank = (len(known) + 1) * aimed[:, k]
                place = np.ceil(rank - 1e-9) if level >= 0.5 else np.floor(rank + 1e-9)
                result[a, :, k] = known[np.clip(place, 1, len(known)).astype(int) - 1]
        return np.sort(result, axis=2)


def coverage(outcome: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """1 where an outcome lies in its interval, 0 where not, NaN where either is unknown; an end may be infinite."""
    known = np.isfinite(outcome) & ~np.isnan(low) & ~np.isnan(high)
    return np.where(known, (outcome >= low) & (outcome <= high), np.nan).astype(np.float64)


def crps_of_quantiles(outcome: FloatArray, quantiles: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Continuous ranked probability score from evenly spaced quantiles: twice the mean quantile loss over the levels (Gneiting and Raftery 2007, section 4.2)."""
    at = np.array(levels)
    error = outcome[..., None] - quantiles
    return np.asarray(2.0 * np.mean(np.maximum(at * error, (at - 1.0) * error), axis=-1))


def pit(outcome: FloatArray, quantiles: FloatArray, levels: Sequence[float]) -> FloatArray:
    """Probability integral transform, by straight lines between quantiles; below the first and above the last it is half of what is left."""
    at = np.array(levels)
    flat, rows = outcome.reshape(-1), quantiles.reshape(-1, len(at))
    result = np.full(len(flat), np.nan)
    for number in np.flatnonzero(np.isfinite(flat) & np.isfinite(rows).all(axis=1)):
        result[number] = np.interp(flat[number], rows[number], at, left=at[0] / 2, right=(1 + at[-1]) / 2)
    return result.reshape(outcome.shape)
