"""Several rows made one: evidence joined, the weakest status, exact sums."""

from typing import Any

import pandas as pd

STATUSES = ("verified", "derived", "unverified", "file")
"""Values of status, the surest first: seen twice on chain, worked out from that, seen once, said by somebody."""


def joined(values: "pd.Series[Any]") -> str:
    """Distinct texts in order, joined."""
    return "; ".join(dict.fromkeys(values.tolist()))


def weakest(values: "pd.Series[Any]") -> str:
    """The weakest of several statuses."""
    return str(max(values.tolist(), key=STATUSES.index))


def merged(frame: pd.DataFrame, keys: list[str], **how: Any) -> pd.DataFrame:
    """Rows of equal `keys` made one: evidence joined, weakest status, other columns as `how` says. Single rows pass untouched."""
    if len(set(zip(*(frame[key].tolist() for key in keys), strict=True))) == len(frame):
        return frame
    twice = frame.duplicated(keys, keep=False)
    how = {"evidence": joined, "status": weakest, **how}
    rest = frame[twice].groupby(keys, sort=False, as_index=False).agg(how)
    return pd.concat([frame[~twice], rest], ignore_index=True)


def total(values: "pd.Series[Any]") -> Any:
    """Exact sum of Python integers, empty ones left out; None when all are empty."""
    known = [value for value in values.tolist() if not pd.isna(value)]
    return sum(known) if known else None
