"""The bonus of one collateral and the days on which it changed, from what each liquidation of it states at market prices.

`recover` finds the path of bonuses on a grid of 25 bps with the least absolute log error, where each change costs a penalty (dynamic
programming over days, Viterbi). A day counts as at most three events: their greatest error is less than a change costs, so no single day
makes a period of its own. Periods that differ by less than 100 bps, less than such prices can show, are joined.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chain.files.price_files import FloatArray

DAY = 86_400
GRID = np.arange(0, 101) * 0.0025
CHANGE_COST = 0.2
SMALLEST_CHANGE = 4
MOST_ERROR = 0.05
EVENTS_PER_DAY = 3


@dataclass(frozen=True)
class Period:
    """A bonus of one collateral: from the day of the first event that shows it; `last_before` is the last event under the one before."""

    symbol: str
    since_s: float
    last_before_s: float | None
    bonus_ratio: float
    events: int


def recover(symbol: str, time_s: FloatArray, stated: FloatArray) -> list[Period]:
    """Bonuses of one collateral with their change dates.

    Parameters
    ----------
    stated : collateral value over debt value of each event, at market prices; `time_s` in order.
    """
    days, place, size = np.unique(time_s // DAY, return_inverse=True, return_counts=True)
    off = np.minimum(np.abs(np.log(stated)[:, None] - np.log1p(GRID)), MOST_ERROR)
    cost = np.zeros((len(days), len(GRID)))
    np.add.at(cost, place, off)
    cost *= (np.minimum(size, EVENTS_PER_DAY) / size)[:, None]
    total, came_from = cost[0], []
    for today in cost[1:]:
        changed = total.min() + CHANGE_COST
        came_from.append(np.where(total <= changed, np.arange(len(GRID)), total.argmin()))
        total = np.minimum(total, changed) + today
    path = [int(total.argmin())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    level = _without_small_changes(np.array(path[::-1]), cost)[place]
    starts = [0, *(np.flatnonzero(np.diff(level)) + 1).tolist()]
    ends = [*starts[1:], len(level)]
    return [
        Period(
            symbol,
            float(time_s[start] // DAY * DAY),
            float(time_s[start - 1]) if start else None,
            float(GRID[level[start]]),
            end - start,
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _without_small_changes(path: npt.NDArray[np.int64], cost: FloatArray) -> npt.NDArray[np.int64]:
    """Join neighbours that differ by less than SMALLEST_CHANGE, smallest difference first; the best single level of both stands."""
    while True:
        cuts = np.flatnonzero(np.diff(path)) + 1
        edges = [0, *cuts.tolist(), len(path)]
        steps = [abs(int(path[cut] - path[cut - 1])) for cut in cuts]
        if not steps or min(steps) >= SMALLEST_CHANGE:
            return path
        first = int(np.argmin(steps))
        both = slice(edges[first], edges[first + 2])
        path[both] = cost[both].sum(axis=0).argmin()
