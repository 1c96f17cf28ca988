"""Several forecasters as one: the mean of the logs of their answers (Clements and Harvey 2009 for logs; equal weights, Timmermann 2006)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.forecaster import Fitted, Forecaster
from models.panel import FloatArray, Panel
from models.samples import Samples


def combined(forecasts: Sequence[FloatArray]) -> FloatArray:
    """Mean of logs: the geometric mean of several models' forecasts; a model without an answer is left out of its row."""
    logs = np.log(np.stack(forecasts))
    known = np.isfinite(logs)
    count = known.sum(axis=0)
    total = np.where(known, logs, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, np.exp(total / np.maximum(count, 1)), np.nan))


@dataclass(frozen=True)
class Combination:
    """Several forecasters as one, by the mean of their logs (each is fitted; weights are equal, because fitted ones do worse: Timmermann 2006)."""

    name: str
    parts: tuple[Forecaster, ...]

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedCombination":
        """Each part on the same samples."""
        return FittedCombination(tuple(part.fit(train, panel, rng) for part in self.parts))


@dataclass(frozen=True)
class FittedCombination:
    """Fitted parts."""

    parts: tuple[Fitted, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Of all parts."""
        return tuple(name for part in self.parts for name in part.reads)

    @property
    def assets(self) -> tuple[str, ...]:
        """Of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.assets))

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        return combined([part.predict(samples) for part in self.parts])
