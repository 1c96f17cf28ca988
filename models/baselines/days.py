"""What models of days share: a day ends at the hour of the forecast, so each hour at which one is asked for has days of its own."""

from collections.abc import Callable, Sequence

import numpy as np

from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.task import DAY_S

Ahead = Callable[[Panel, list[int], int], tuple[IntArray, FloatArray]]
"""(bars of some assets, their places in training, hour of the day in seconds) -> ends of days (D,), and what is forecast at the end of each (D, assets)."""


def answered_by_day(samples: Samples, panel: Panel, assets: Sequence[str], ahead: Ahead) -> FloatArray:
    """What the day that ended last by each instant forecasts, shape (A, N); NaN before the first, and for an asset that is not among `assets`. No bar after the last instant is read."""
    place = {name: number for number, name in enumerate(assets)}
    known = [n for n, name in enumerate(samples.assets) if name in place]
    names = [samples.assets[n] for n in known]
    bars = panel.select(names).until(int(samples.as_of_s[-1]))
    result = np.full(samples.y.shape, np.nan)
    for hour in np.unique(samples.as_of_s % DAY_S):
        ends, found = ahead(bars, [place[name] for name in names], int(hour))
        instants = np.flatnonzero(samples.as_of_s % DAY_S == hour)
        rows = np.searchsorted(ends, samples.as_of_s[instants], side="right") - 1
        result[instants[:, None], known] = np.where((rows >= 0)[:, None], found[np.maximum(rows, 0)], np.nan)
    return result
