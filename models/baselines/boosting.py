"""Gradient boosting on a linear forecast as offset: trees correct what the line gets wrong, and the line extrapolates the level.

QLIKE does not change when outcome and forecast are divided by the same number, so boosting with a gamma deviance on y / f, where f is the offset's forecast, *is*
boosting on the offset ln f: no weights are needed. Trees see level-free features only (each log level less the asset's own 30-day level).
The trees come from scikit-learn's HistGradientBoostingRegressor (Ke et al. 2017, histogram splits) and are kept as plain arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.baselines.gamma_glm import held_down
from models.baselines.levels import level_free
from models.forecaster import Fitted, Forecaster
from models.panel import FloatArray, Panel
from models.samples import Samples

LEAST_RATIO = 1e-6


@dataclass(frozen=True)
class Trees:
    """A sum of regression trees, nodes one after another; `roots` are the first nodes of the trees.

    At a node that is no leaf a row goes left if its feature is at most the threshold, or is missing and `missing_left` says so.
    """

    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int16]
    threshold: FloatArray
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    value: FloatArray
    baseline: float

    def sums(self, x: FloatArray) -> FloatArray:
        """Sum over trees for each row of x, shape (R,)."""
        total, everybody = np.full(len(x), self.baseline), np.arange(len(x))
        columns = np.ascontiguousarray(x.T)
        missing = np.isnan(columns)
        fields = (self.feature, self.threshold, self.left, self.right, self.missing_left, self.value)
        nodes = list(zip(*(field.tolist() for field in fields), strict=True))
        for root in self.roots.tolist():
            waiting = [(root, everybody)]
            while waiting:  # the rows that come to a node are parted, until each part stands at a leaf
                node, rows = waiting.pop()
                feature, threshold, left, right, missing_left, value = nodes[node]
                if feature < 0:
                    total[rows] += value
                elif len(rows):
                    goes_left = columns[feature][rows] <= threshold
                    if missing_left:
                        goes_left |= missing[feature][rows]
                    waiting += [(left, rows[goes_left]), (right, rows[~goes_left])]
        return total


def trees_of(model: Any) -> Trees:
    """A fitted HistGradientBoostingRegressor as arrays. Reads `_predictors` and `_baseline_prediction` of scikit-learn 1.9."""
    parts = [predictor[0].nodes for predictor in model._predictors]
    starts = np.concatenate([[0], np.cumsum([len(nodes) for nodes in parts])[:-1]]).astype(np.int32)
    nodes = np.concatenate(parts)
    shift = np.repeat(starts, [len(part) for part in parts])
    leaf = nodes["is_leaf"].astype(bool)
    return Trees(
        starts,
        np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)).astype(np.int16),
        nodes["num_threshold"].astype(np.float64),
        (nodes["left"].astype(np.int64) + shift).astype(np.int32),
        (nodes["right"].astype(np.int64) + shift).astype(np.int32),
        nodes["missing_go_to_left"].astype(bool),
        nodes["value"].astype(np.float64),
        float(np.ravel(model._baseline_prediction)[0]),
    )


@dataclass(frozen=True)
class Boosting:
    """Boosted trees on another forecaster's answer.

    Attributes
    ----------
    offset : what is fitted first.
    levels, free : features that are logs of levels (`level` is taken off each), and those that have no level.
    settings : of HistGradientBoostingRegressor.
    cap : as of the gamma regression: trees learn from at most this many times the offset's forecast, and the mean is put right after.
    """

    name: str
    offset: Forecaster
    levels: Sequence[str]
    free: Sequence[str]
    level: str = "abs_range_720"
    cap: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedBoosting":
        """The offset on all rows, then trees on outcome over its forecast."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        offset = self.offset.fit(train, panel, rng)
        ratio = (train.y / offset.predict(train)).reshape(-1)
        x = level_free(train, self.levels, self.free, self.level)
        good = np.isfinite(ratio)
        model = HistGradientBoostingRegressor(
            loss="gamma", early_stopping=False, random_state=int(rng.integers(2**31)), **self.settings
        )
        given = np.maximum(ratio[good], LEAST_RATIO)
        model.fit(x[good], held_down(given, 1.0, self.cap))
        trees = trees_of(model)
        if self.cap is not None:
            trees = replace(
                trees, baseline=trees.baseline + float(np.log(np.mean(given * np.exp(-trees.sums(x[good])))))
            )
        return FittedBoosting(offset, trees, tuple(self.levels), tuple(self.free), self.level)


@dataclass(frozen=True)
class FittedBoosting:
    """The offset's forecast times the exponential of the trees' sum."""

    offset: Fitted
    trees: Trees
    levels: tuple[str, ...]
    free: tuple[str, ...]
    level: str

    @property
    def reads(self) -> tuple[str, ...]:
        """What the trees read, then the offset's."""
        return (*self.levels, *self.free, self.level, *self.offset.reads)

    @property
    def assets(self) -> tuple[str, ...]:
        """Those of the offset; trees know none."""
        return self.offset.assets

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        sums = self.trees.sums(level_free(samples, self.levels, self.free, self.level))
        return self.offset.predict(samples) * np.exp(sums).reshape(samples.y.shape)
