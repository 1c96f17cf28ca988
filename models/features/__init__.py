"""Features that look back only. docs/volatility.md lists each with its unit, its window, and on which data it could be scored."""

from collections.abc import Iterable, Mapping

import numpy as np

from models.features.columns import column_features
from models.features.past import MARK, with_past
from models.features.surroundings import calendar_features, market_features, neighbour_features
from models.features.trading import trading_features
from models.features.variance import variance_features
from models.features.windows import lookback
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.task import DAY_S, Task, as_of_grid, outcomes, range_proxy

__all__ = ["asked_samples", "price_features", "price_samples"]

PAST_STEP_S = DAY_S
"""Between two instants of a look-back sequence: `name@k` is the feature as it stood k days earlier."""


def price_features(
    panel: Panel, as_of_s: IntArray, horizon_hours: int, relations: Mapping[str, FloatArray] | None = None
) -> dict[str, FloatArray]:
    """All features that a file of prices gives, by name, each of shape (A, N).

    Parameters
    ----------
    relations : weights of neighbours by name of the relation, as `neighbour_features` takes them.
    """
    back = lookback(panel, as_of_s)
    features = variance_features(panel, back, horizon_hours)
    own = dict(features)
    features |= market_features(panel, back, own, horizon_hours)
    features |= calendar_features(panel, back, as_of_s, horizon_hours)
    features |= trading_features(panel, back) | column_features(panel, back)
    for relation, weights in (relations or {}).items():
        features |= neighbour_features(relation, weights, own)
    return features


def asked_samples(panel: Panel, as_of_s: IntArray, task: Task, read: Iterable[str] = ()) -> Samples:
    """Samples at some instants without outcomes: what a fitted model is asked with.

    Parameters
    ----------
    read : names that the model reads; `name@k` among them bring the feature as it stood k days earlier.
    """
    past = [name.rpartition(MARK) for name in read if MARK in name]
    steps = max((int(step) for _, _, step in past), default=0)
    stems = tuple(dict.fromkeys(stem for stem, _, _ in past))
    wanted = np.unique(np.concatenate([as_of_s - step * PAST_STEP_S for step in range(steps + 1)]))
    features = price_features(panel, wanted, task.horizon_hours)
    x = np.stack(list(features.values()), axis=2)
    whole = Samples(task, wanted, panel.assets, tuple(features), x, np.full(x.shape[:2], np.nan))
    asked = whole.at(np.isin(wanted, as_of_s))
    return with_past(asked, stems, steps, PAST_STEP_S, whole) if steps else asked


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
    more : other features on the same grid, by name, each of shape (A, N).
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
