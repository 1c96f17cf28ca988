"""Heterogeneous autoregression (Corsi 2009, doi:10.1093/jjfinec/nbp001): variance from its own means over a day, a week and a month.

Where we differ from the paper: squared hourly returns instead of five-minute ones; the last thirty days instead of the last month of business days;
the log form comes back from logs by the mean of the residuals' exponentials (Duan 1983, smearing), not by half their variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chain.files.price_files import folded
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import LEAST_VARIANCE

LAGS = ("rv_24", "rv_168", "rv_720")
LAGS_OF_AN_HOUR = ("rv_6", *LAGS)
LEAST_ROWS = 100


@dataclass(frozen=True)
class Har:
    """HAR by least squares.

    Attributes
    ----------
    logs : fit and forecast the logarithm; else the level, and a forecast is held inside what the asset showed in training (Bollerslev, Patton and Quaedvlieg 2016).
    pooled : one set of slopes for all assets with an intercept for each; else one model an asset.
    features : the regressors, logs of a mean variance.
    """

    name: str
    features: Sequence[str] = LAGS
    logs: bool = True
    pooled: bool = False

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedHar":  # noqa: ARG002
        """Least squares; an asset with fewer than 100 rows gets no answer."""
        x, y = self._design(train), train.y
        target = np.log(np.maximum(y, LEAST_VARIANCE)) if self.logs else y
        good = np.isfinite(target) & np.isfinite(x).all(axis=2)
        assets, width = len(train.assets), x.shape[2]
        slopes, intercepts = np.full((assets, width), np.nan), np.full(assets, np.nan)
        factor, least, most = np.ones(assets), np.full(assets, LEAST_VARIANCE), np.full(assets, np.inf)
        enough = [n for n in range(assets) if good[:, n].sum() >= LEAST_ROWS]
        means = {n: (x[good[:, n], n].mean(axis=0), target[good[:, n], n].mean()) for n in enough}
        shared = None
        if self.pooled and enough:
            within_x = np.concatenate([x[good[:, n], n] - means[n][0] for n in enough])
            within_y = np.concatenate([target[good[:, n], n] - means[n][1] for n in enough])
            shared = np.linalg.lstsq(within_x, within_y, rcond=None)[0]
        for n in enough:
            rows = good[:, n]
            own = np.linalg.lstsq(x[rows, n] - means[n][0], target[rows, n] - means[n][1], rcond=None)[0]
            slopes[n] = own if shared is None else shared
            intercepts[n] = means[n][1] - means[n][0] @ slopes[n]
            if self.logs:
                factor[n] = np.exp(target[rows, n] - intercepts[n] - x[rows, n] @ slopes[n]).mean()
            else:
                least[n], most[n] = max(y[rows, n].min(), LEAST_VARIANCE), y[rows, n].max()
        return FittedHar(self, train.assets, slopes, intercepts, factor, least, most)

    def _design(self, samples: Samples) -> FloatArray:
        x = samples.x[:, :, samples.columns(self.features)]
        return x if self.logs else np.exp(x) * samples.task.horizon_bars


@dataclass(frozen=True)
class FittedHar:
    """Slopes (N, F), intercepts, smearing factors and bounds (N,), by asset in the order of `assets`."""

    model: Har
    assets: tuple[str, ...]
    slopes: FloatArray
    intercepts: FloatArray
    factor: FloatArray
    least: FloatArray
    most: FloatArray

    @property
    def reads(self) -> tuple[str, ...]:
        """Its regressors."""
        return tuple(self.model.features)

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`; an asset that was not in training has NaN."""
        place = {folded(name): number for number, name in enumerate(self.assets)}
        at = [place.get(folded(name), -1) for name in samples.assets]
        linear = np.einsum("anf,nf->an", self.model._design(samples), self.slopes[at]) + self.intercepts[at]
        result = np.exp(linear) * self.factor[at] if self.model.logs else linear
        bounded = np.clip(result, self.least[at], self.most[at])
        return np.where(np.array(at)[None, :] >= 0, bounded, np.nan)


def log_har(horizon_hours: int) -> Har:
    """Log-HAR fitted an asset at a time: what every score is a ratio to. An hour ahead the last six hours are one more lag."""
    return Har("log-HAR", LAGS if horizon_hours > 1 else LAGS_OF_AN_HOUR)


def har_models(horizon_hours: int) -> list[Har]:
    """The HAR family for a horizon."""
    own = log_har(horizon_hours)
    return [replace(own, name="HAR", logs=False), own, replace(own, name="pooled log-HAR", pooled=True)]


def network_har(relation: str, horizon_hours: int) -> Har:
    """Log-HAR with the neighbours' last day and week as two more lags, pooled."""
    own = log_har(horizon_hours).features
    return Har(f"network HAR ({relation})", (*own, f"{relation}_rv_24", f"{relation}_rv_168"), pooled=True)
