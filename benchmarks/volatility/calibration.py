"""Quantiles of what answers, scored: coverage by level, asset and regime, where outcomes fall (PIT), CRPS, quantile loss, and how often an outcome lies below a low quantile."""

from typing import Any

import numpy as np

from benchmarks.volatility.world import World
from models.calibration import FINE_LEVELS, Adaptive, coverage, crps_of_quantiles, pit
from models.evaluation import Fold
from models.forecaster import Forecaster
from models.panel import FloatArray
from models.scores import pinball
from models.task import LEAST_VARIANCE

LEVELS = (0.01, *FINE_LEVELS, 0.99)
CENTRAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)
"""Nominal levels of intervals around the median."""
RULES = {"adaptive": Adaptive(), "rolling": Adaptive(rate=0.0)}


def calibration(
    world: World, model: Forecaster, before: list[Fold], folds: list[Fold], regime: FloatArray, seed: int
) -> dict[str, Any]:
    """Conformal quantiles of variance and return: they learn from half a year of fresh forecasts before the window, and go on learning inside it.

    Parameters
    ----------
    regime : name of the regime at each scored instant, shape (A,).
    """
    every = world.asked([*before, *folds])
    f = np.concatenate([world.forecast(model, part, seed) for part in (before, folds)])
    inside = every.as_of_s >= folds[0].from_s
    result: dict[str, Any] = {}
    for name, outcome, unit in (("variance", every.y, f), ("return", world.returns(every), np.sqrt(f))):
        for label, rule in RULES.items():
            of_one = rule.quantiles(outcome / unit, every.as_of_s, every.task.horizon_s, LEVELS)
            quantiles = (of_one * unit[..., None])[inside]
            result[f"{name}, {label}"] = _scored(outcome[inside], quantiles, name, world.panel.assets, regime)
    return result


def _scored(
    truth: FloatArray, quantiles: FloatArray, name: str, assets: tuple[str, ...], regime: FloatArray
) -> dict[str, Any]:
    hit = _held(truth, quantiles, 0.9)
    by_asset = np.nanmean(hit, axis=0)
    transform = pit(truth, quantiles, LEVELS)
    counts = np.histogram(transform[np.isfinite(transform)], bins=10, range=(0, 1))[0]
    return {
        **_losses(truth, quantiles, name),
        "coverage": {f"{level:g}": float(np.nanmean(_held(truth, quantiles, level))) for level in CENTRAL},
        "least_asset": [assets[int(np.argmin(by_asset))], float(by_asset.min())],
        "most_asset": [assets[int(np.argmax(by_asset))], float(by_asset.max())],
        "by_regime": {
            str(kind): {
                "rows": int(np.isfinite(hit[regime == kind]).sum()),
                **_losses(truth[regime == kind], quantiles[regime == kind], name),
            }
            for kind in np.unique(regime)
        },
        "by_asset": {
            asset: {
                str(kind): [int(np.isfinite(hit[regime == kind, n]).sum()), float(np.nanmean(hit[regime == kind, n]))]
                for kind in np.unique(regime)
            }
            for n, asset in enumerate(assets)
        },
        "pit": (counts / counts.sum()).round(4).tolist(),
    }


def _losses(truth: FloatArray, quantiles: FloatArray, name: str) -> dict[str, Any]:
    """What is said of all rows and of those of one regime."""
    return {
        "coverage_90": float(np.nanmean(_held(truth, quantiles, 0.9))),
        "below_1": _below(truth, quantiles, 0.01),
        "below_5": _below(truth, quantiles, 0.05),
        "crps": float(np.nanmean(_crps(truth, quantiles, name))),
        "pinball": {f"{level:g}": _pinball(truth, quantiles, name, level) for level in (0.01, 0.05, 0.95, 0.99)},
    }


def _held(truth: FloatArray, quantiles: FloatArray, level: float) -> FloatArray:
    """1 where an outcome lies in the interval of that nominal level around the median."""
    low, high = (_at(quantiles, share) for share in ((1 - level) / 2, (1 + level) / 2))
    return coverage(truth, low, high)


def _below(truth: FloatArray, quantiles: FloatArray, level: float) -> float:
    return float(np.nanmean(coverage(truth, np.full_like(truth, -np.inf), _at(quantiles, level))))


def _at(quantiles: FloatArray, level: float) -> FloatArray:
    return np.asarray(quantiles[..., LEVELS.index(round(level, 2))])


def _logs(values: FloatArray, name: str) -> FloatArray:
    """Returns as they are; variances as logarithms, so that no asset outweighs the others."""
    return np.log(np.maximum(values, LEAST_VARIANCE)) if name == "variance" else values


def _crps(truth: FloatArray, quantiles: FloatArray, name: str) -> FloatArray:
    return crps_of_quantiles(_logs(truth, name), _logs(quantiles[..., 1:-1], name), FINE_LEVELS)


def _pinball(truth: FloatArray, quantiles: FloatArray, name: str, level: float) -> float:
    return float(np.nanmean(pinball(_logs(truth, name), _logs(_at(quantiles, level), name), level)))
