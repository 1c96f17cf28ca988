"""What answers: several fitted models in order of preference, and the law of what came over what they forecast.

For each node the first model that has an answer gives it, and is named; the last one needs nothing but a few days of closes. So a close-only file, a token listed last week
and an asset that nobody trained on all get an answer, and everybody can see whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chain.files.price_files import folded
from models.calibration import LEVELS, conformal_quantile
from models.forecaster import Fitted
from models.panel import FloatArray
from models.samples import Samples
from models.task import LEAST_VARIANCE


@dataclass(frozen=True)
class Law:
    """Quantiles of y / f and of r / sqrt(f) at LEVELS, from fresh forecasts: what makes a distribution of a forecast f."""

    variance: FloatArray
    return_: FloatArray


def law_of(outcome: FloatArray, returns: FloatArray, forecast: FloatArray) -> Law:
    """Conformal quantiles of the scores of forecasts that were made before their outcome was known, all assets together."""
    variance, moves = outcome / forecast, returns / np.sqrt(forecast)
    return Law(
        np.array([conformal_quantile(variance, level) for level in LEVELS]),
        np.array([conformal_quantile(moves, level) for level in LEVELS]),
    )


@dataclass(frozen=True)
class Answer:
    """Forecasts with their quantiles.

    Attributes
    ----------
    variance : shape (A, N); NaN where nobody has an answer.
    model : place of the model that answers in `names`, -1 where nobody does, shape (A, N).
    names : of the models.
    variance_quantiles, return_quantiles : at LEVELS, shape (A, N, 5).
    """

    variance: FloatArray
    model: npt.NDArray[np.int64]
    names: tuple[str, ...]
    variance_quantiles: FloatArray
    return_quantiles: FloatArray


@dataclass(frozen=True)
class Answering:
    """Fitted models, best first, each with its law and with `factors`, what brings its forecast to the task's outcome on average (1 unless it was fitted to a proxy)."""

    names: tuple[str, ...]
    models: tuple[Fitted, ...]
    laws: tuple[Law, ...]
    factors: tuple[float, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Of all of them."""
        return features_of(self.models)

    @property
    def assets(self) -> tuple[str, ...]:
        """Of all of them."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.assets))

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        return self.answer(samples).variance

    def answer(self, samples: Samples) -> Answer:
        """The first answer for each instant and asset."""
        shape = samples.x.shape[:2]
        variance, chosen = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
        in_variance, in_return = (np.full((*shape, len(LEVELS)), np.nan) for _ in range(2))
        for number, (model, law, factor) in enumerate(zip(self.models, self.laws, self.factors, strict=True)):
            if (chosen >= 0).all():
                break
            found = np.maximum(model.predict(samples) * factor, LEAST_VARIANCE)
            new = (chosen < 0) & np.isfinite(found)
            variance[new], chosen[new] = found[new], number
            in_variance[new] = found[new][:, None] * law.variance
            in_return[new] = np.sqrt(found[new])[:, None] * law.return_
        return Answer(variance, chosen, self.names, in_variance, in_return)


@dataclass(frozen=True)
class OfAssets:
    """A model that knows its own assets only, in their order (a graph network): others have no answer, what is missing of its own is unknown to it, and before `from_s` it is silent."""

    model: Fitted
    assets: tuple[str, ...]
    from_s: int

    @property
    def reads(self) -> tuple[str, ...]:
        """As the model."""
        return self.model.reads

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        answer = np.full(samples.y.shape, np.nan)
        late = samples.as_of_s >= self.from_s
        mine, theirs = ([folded(name) for name in names] for names in (self.assets, samples.assets))
        shared = [name for name in mine if name in theirs]
        if not shared or not late.any():
            return answer
        asked = samples.at(late)
        here, there = ([names.index(name) for name in shared] for names in (mine, theirs))
        x = np.full((late.sum(), len(self.assets), samples.x.shape[2]), np.nan)
        x[:, here] = asked.x[:, there]
        found = self.model.predict(replace(asked, assets=self.assets, x=x, y=np.full(x.shape[:2], np.nan), proxy=None))
        rows = np.flatnonzero(late)
        answer[rows[:, None], np.array(there)[None, :]] = found[:, here]
        return answer


def features_of(models: Sequence[Fitted]) -> tuple[str, ...]:
    """Names of all features that some fitted models read, for a card."""
    return tuple(dict.fromkeys(name for model in models for name in model.reads))


def trained_on(models: Sequence[Fitted]) -> frozenset[str]:
    """Assets that some fitted models were fitted on, `folded`; empty if there was nothing to fit."""
    return frozenset(folded(name) for model in models for name in model.assets)
