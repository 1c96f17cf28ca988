"""The one protocol that every forecaster has, a baseline and a graph network alike: fit, predict.

Quantiles come from calibration, which wraps a fitted model (`models.calibration`); combining wraps several.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from models.panel import FloatArray, Panel
from models.samples import Samples


@runtime_checkable
class Fitted(Protocol):
    """A fitted model. It may look at a sample's features, and at bars that end by the sample's instant; at nothing else."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the features that it reads; none if it reads bars themselves."""
        return ()

    @property
    def assets(self) -> tuple[str, ...]:
        """Symbols of what it was fitted on; none if there is nothing to fit."""
        return ()

    def predict(self, samples: Samples) -> FloatArray:
        """Expected realised variance over the task's horizon, shape (A, N), above zero; NaN where the model has no answer."""
        ...


@runtime_checkable
class Forecaster(Protocol):
    """A model before it is fitted."""

    @property
    def name(self) -> str:
        """What tables call it; it decides where results are kept, so two settings have two names."""
        ...

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> Fitted:
        """Fit to samples whose outcome is known.

        Parameters
        ----------
        train : samples; those with an unknown outcome teach nothing.
        panel : the bars that the samples were made from, for models that read bars themselves (GARCH); None for the others. They fit on
            bars that end by the last outcome in `train`, and filter later ones only up to the instant of each forecast.
        rng : for whatever is drawn.
        """
        ...
