"""Checks whether amounts stand in whole tokens, in smallest units, or in both: the same rule for logs of events and for books.

An amount in smallest units is a whole number, and 10^decimals times what it stands for. Rows are told apart by their digits where the others have
decimals, and by their size where they have none: amounts of one asset that fall into two heaps, the upper one whole numbers of billions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.files.file_findings import Noted

LEAST_WHOLE, LEAST_RATIO, LEAST_ROWS, ALL = 1e4, 1e4, 3, 0.95
RAW_AMOUNT = 1e9
LEAST_DECADES = 4.5
"""Between the centres of two heaps. The stablecoins with fewest decimals have 6, and a heap may lie a decade and a half off; two decimals are too near."""
LEAST_SPREADS = 4.0
"""Distance of the centres in standard deviations inside the heaps: cut in two, a normal law gives 2.6 and a level one 3.5."""
LEAST_STRETCH = 3.0
"""Decades without an amount between two heaps."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def check_units(noted: Noted, frame: pd.DataFrame, symbol: str, amount: str, values: FloatArray) -> None:
    """Note the assets whose amounts are in smallest units: in all rows (`raw_units`), or in some of them (`mixed_units`).

    Parameters
    ----------
    symbol, amount : the columns that name the asset and its amount.
    values : the amounts as floats, NaN where a cell holds none.
    """
    rows = pd.DataFrame({"symbol": frame[symbol].astype("str").to_numpy(), "value": values})
    for name, group in rows[values > 0].groupby("symbol"):
        amounts = group["value"].to_numpy()
        whole = (amounts == np.floor(amounts)) & (amounts >= LEAST_WHOLE)
        raw = _by_digits(amounts, whole)
        raw = raw if raw.any() else _by_size(amounts)
        mixed = bool(raw.any())
        if not mixed:
            if whole.sum() < max(LEAST_ROWS, ALL * len(amounts)) or np.median(amounts[whole]) <= RAW_AMOUNT:
                continue
            raw = whole
        first = int(group.index[np.argmax(raw)])
        where: dict[str, Any] = {
            "row": int(frame.index[first]),
            "column": amount,
            "symbol": str(name),
            "rows": int(raw.sum()),
        }
        where["value"] = f"{values[first]:.0f}"
        if mixed:
            ratio = np.log10(np.median(amounts[raw]) / np.median(amounts[~raw]))
            sentence = f"these rows are whole numbers about 10^{ratio:.0f} times the other {(~raw).sum():,}: smallest units in some rows"
            noted.error("mixed_units", sentence, **where)
        else:
            sentence = "whole numbers of billions and more: smallest units? divide them by 10^decimals"
            noted.error("raw_units", sentence, **where)


def _by_digits(amounts: FloatArray, whole: BoolArray) -> BoolArray:
    """The whole numbers ten thousand times the middle of the others, where most of these have decimals; else none. Round sums of the rich lie nearer."""
    others = amounts[~whole]
    if len(others) < LEAST_ROWS or np.mean(others != np.floor(others)) <= 0.5:
        return np.zeros_like(whole)
    raw = whole & (amounts > LEAST_RATIO * np.median(others))
    enough = LEAST_ROWS <= raw.sum() < ALL * len(amounts)
    return raw if enough else np.zeros_like(whole)


def _by_size(amounts: FloatArray) -> BoolArray:
    """The upper of two heaps, where it holds whole numbers of billions only; else none.

    Two cuts of the sorted log10(amount) are tried: the one that leaves the least squares inside both heaps (two means in one dimension, exact among
    all cuts), and the widest stretch without an amount, which sets single rows apart.
    """
    order = np.argsort(amounts, kind="stable")
    size = np.log10(amounts[order])
    if len(size) > 1:
        below = np.arange(1, len(size))
        above = len(size) - below
        total = np.cumsum(size)
        low, high = total[:-1] / below, (total[-1] - total[:-1]) / above
        inside = np.maximum(np.sum(size**2) - below * low**2 - above * high**2, 0.0)
        steps = np.diff(size)
        means, stretch = int(np.argmin(inside)), int(np.argmax(np.where(size[1:] >= np.log10(RAW_AMOUNT), steps, 0.0)))
        heaps = high - low >= np.maximum(LEAST_DECADES, LEAST_SPREADS * np.sqrt(inside / len(size)))
        alone = (high - low >= LEAST_DECADES) & (steps >= LEAST_STRETCH)
        for cut, apart in ((means, heaps[means]), (stretch, alone[stretch])):
            upper = amounts[order[cut + 1 :]]
            if apart and np.median(upper) >= RAW_AMOUNT and (upper == np.floor(upper)).all():
                return np.isin(np.arange(len(amounts)), order[cut + 1 :])
    return np.zeros(len(amounts), dtype=np.bool_)
