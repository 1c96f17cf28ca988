"""What is known besides prices, as columns on a panel's clock: of a user's file (`chain.files.price_files.EXTRAS`), and of snapshots and histories of chains (`aftershock.forecasting.chain_columns`).

No table that we have covers the years of the price panels, so these features are tested for being right and enter no reported gain; a model that a user trains reads those that are given.
"""

import numpy as np

from models.features.windows import Windows, log_floored
from models.panel import FloatArray, IntArray, Panel

OLDEST_HOURS = 168
FLOORS = {
    "spread_bps": 1e-2,
    "depth_usd": 1.0,
    "open_interest_usd": 1.0,
    "at_risk_5_usd": 1.0,
    "at_risk_10_usd": 1.0,
    "at_risk_20_usd": 1.0,
    "pools_take_usd": 1.0,
    "gas_gwei": 1e-3,
}
"""Sizes that differ by orders of magnitude come as their natural logarithm, of at least so much; the others as they stand."""
EVENTS = ("liquidated_usd", "transferred_usd", "governance_events")
"""Columns that count what happened in each bar; all others say how things stood when it ended."""
EVENT_HOURS = (24, 168)


STATES = (*FLOORS, "imbalance", "funding_rate", "sentiment", "utilisation", "depth_ratio")


def features_of_column(name: str) -> tuple[str, ...]:
    """Names of the features that a column gives."""
    return tuple(f"{name}_{hours}" for hours in EVENT_HOURS) if name in EVENTS else (name,)


COLUMN_FEATURES = frozenset(feature for name in (*STATES, *EVENTS) for feature in features_of_column(name))
"""All that columns can give."""


def column_features(panel: Panel, back: Windows) -> dict[str, FloatArray]:
    """Features of all columns besides prices, by name, each of shape (A, N).

    A cell stands in the row of a bar, so it is known from the end of that bar on. How things stood: the last known value, at most seven days old, NaN where there is none.
    What happened: ln(1 + sum over the last 24 and 168 hours), NaN where fewer of their bars are known than `models.features.windows` asks for.
    """
    features: dict[str, FloatArray] = {}
    for name, values in panel.extras.items():
        if name in EVENTS:
            running = back.running(values)
            for hours, feature in zip(EVENT_HOURS, features_of_column(name), strict=True):
                features[feature] = np.log1p(running.mean(hours) * back.bars(hours))
        else:
            found = back.last_known(values, OLDEST_HOURS)
            features[name] = log_floored(found, FLOORS[name]) if name in FLOORS else found
    return features


def first_bar(end_s: IntArray, known_s: IntArray) -> IntArray:
    """The row of the first bar that ends at or after each instant; the number of bars where none does."""
    return np.searchsorted(end_s, known_s, side="left").astype(np.int64)


def states(end_s: IntArray, known_s: IntArray, values: FloatArray) -> FloatArray:
    """How things stood at some instants, as a column, shape (T, N): each row of `values` (K, N) in the first bar that ends by then or later, the latest instant last; NaN elsewhere."""
    column = np.full((len(end_s), values.shape[1]), np.nan)
    order = np.argsort(known_s, kind="stable")
    for row, told in zip(first_bar(end_s, known_s[order]).tolist(), values[order], strict=True):
        if row < len(column):
            column[row] = np.where(np.isfinite(told), told, column[row])
    return column


def sums(end_s: IntArray, known_s: IntArray, values: FloatArray, covered_s: tuple[int, int]) -> FloatArray:
    """What happened, as a column, shape (T, N): the rows of `values` (K, N) added up by the bar in which they fell; NaN in bars that begin before or end after the time that is covered."""
    bar_s = int(end_s[1] - end_s[0]) if len(end_s) > 1 else 0
    column = np.zeros((len(end_s) + 1, values.shape[1]))
    np.add.at(column, first_bar(end_s, known_s), values)
    whole = (end_s - bar_s >= covered_s[0]) & (end_s <= covered_s[1])
    return np.where(whole[:, None], column[:-1], np.nan)
