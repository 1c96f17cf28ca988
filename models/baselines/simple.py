"""Forecasts without a parameter to fit: what every other model must beat."""

from dataclasses import dataclass

import numpy as np

from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import LEAST_VARIANCE


@dataclass(frozen=True)
class Lookback:
    """The mean variance of a bar in a window, times the bars of the horizon: one class for persistence, the rolling mean and EWMA."""

    name: str
    feature: str

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "Lookback":  # noqa: ARG002
        """Nothing to fit."""
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        """The one feature."""
        return (self.feature,)

    @property
    def assets(self) -> tuple[str, ...]:
        """None: nothing was fitted."""
        return ()

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        return np.asarray(np.maximum(np.exp(samples.feature(self.feature)) * samples.task.horizon_bars, LEAST_VARIANCE))


def persistence(horizon_hours: int) -> Lookback:
    """The horizon will be as the same stretch of time before it was; an hour by its range, because one squared return is nearly noise."""
    return Lookback("persistence", f"rv_{horizon_hours}" if horizon_hours > 1 else "range_1")


def rolling_mean() -> Lookback:
    """The mean of the last thirty days."""
    return Lookback("rolling mean 30 d", "rv_720")


def ewma() -> Lookback:
    """Exponentially weighted, 0.94 a day (RiskMetrics 1996)."""
    return Lookback("EWMA 0.94", "ewma")
