"""Features that look back only. docs/volatility.md lists each with its unit, its window, and on which data it could be scored."""

from collections.abc import Mapping

import numpy as np

from models.features.surroundings import calendar_features, market_features, neighbour_features
from models.features.trading import trading_features
from models.features.variance import variance_features
from models.features.windows import lookback
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.task import Task, as_of_grid, outcomes, range_proxy

__all__ = ["price_features", "price_samples"]


def price_features(
    panel: Panel, as_of_s: IntArray, horizon_hours: int, relations: Mapping[str, FloatArray] | None = None
) -> dict[str, FloatArray]:
    """All features that prices give, by name, each of shape (A, N).

    Parameters
    ----------
    relations : weights of neighbours by name of the relation, as `neighbour_features` takes them.
    """
    back = lookback(panel, as_of_s)
    features = variance_features(panel, back, horizon_hours)
    own = dict(features)
    features |= market_features(panel, back, own, horizon_hours)
    features |= calendar_features(panel, back, as_of_s, horizon_hours)
    features |= trading_features(panel, back)
    for relation, weights in (relations or {}).items():
        features |= neighbour_features(relation, weights, own)
    return features


def price_samples(
    panel: Panel,
    task: Task,
    from_s: int,
    to_s: int,
    relations: Mapping[str, FloatArray] | None = None,
    more: Mapping[str, FloatArray] | None = None,
) -> Samples:
    """Samples on the task's grid of instants in [from_s, to_s): features, outcomes and, where there are highs and lows, the range proxy.

    Parameters
    ----------
    more : features from tables on the same grid, by name, each of shape (A, N) (see `models.features.tables`).
    """
    at = as_of_grid(panel, task, from_s, to_s)
    features = {**price_features(panel, at, task.horizon_hours, relations), **(more or {})}
    proxy = range_proxy(panel, at, task)
    return Samples(
        task,
        at,
        panel.assets,
        tuple(features),
        np.stack(list(features.values()), axis=2),
        outcomes(panel, at, task),
        proxy if np.isfinite(proxy).any() else None,
    )
