"""What a user's file says besides prices: order book, perpetual futures, sentiment (`chain.files.price_files.EXTRAS`).

No table that we have covers the years of the price panels, so these are tested for being right and enter no reported gain; a model that a user trains reads them where the file has them.
"""

import numpy as np

from models.features.windows import Lookback
from models.panel import FloatArray, Panel

OLDEST_HOURS = 168
FLOORS = {"spread_bps": 1e-2, "depth_usd": 1.0, "open_interest_usd": 1.0}
"""Sizes that differ by orders of magnitude come as their natural logarithm, of at least so much; the others as they stand."""


def file_features(panel: Panel, back: Lookback) -> dict[str, FloatArray]:
    """By the name of its column, the last known value of each asset at each instant, at most seven days old, shape (A, N); NaN where there is none.

    A cell stands in the row of a bar, so it is known from the end of that bar on.
    """
    features = {}
    for name, values in panel.extras.items():
        found = back.last_known(values, OLDEST_HOURS)
        features[name] = np.log(np.maximum(found, FLOORS[name])) if name in FLOORS else found
    return features
