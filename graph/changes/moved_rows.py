"""Rows of one table in two graphs without those that did not move, so that a comparison of a million positions looks closely only at the others."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graph.changes.smallest_move import FLOAT_ERROR


def moved_rows(
    before: pd.DataFrame,
    after: pd.DataFrame,
    keys: Sequence[str],
    amounts: Sequence[str],
    moved: Mapping[str, str],
    least: Fraction,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables without the rows that stand in both and whose amounts moved by less than `least` of what they were.

    Parameters
    ----------
    keys : columns that say which row it is; texts. amounts : columns of integers, in one unit on both sides, empty where they were not read.
    moved : value of a key in `after` -> the same in `before`, where it is another.

    What is left out has certainly not moved; of what is left, some may not have either: that is for exact numbers to say.
    """
    place = {key: number for number, key in enumerate(_keys(before, keys, {}))}
    at = np.fromiter((place.get(key, -1) for key in _keys(after, keys, moved)), dtype=np.int64, count=len(after))
    still = at >= 0
    if not still.any():
        return before, after
    for column in amounts:
        still &= _did_not_move(before[column].to_numpy(object)[at], after[column].to_numpy(object), least)
    gone = np.zeros(len(before), dtype=bool)
    gone[at[still]] = True
    return before[~gone], after[~still]


def _keys(table: pd.DataFrame, keys: Sequence[str], moved: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    columns = [table[name].tolist() for name in keys]
    if moved:
        columns = [[moved.get(value, value) for value in values] for values in columns]
    return zip(*columns, strict=True)


def _did_not_move(was: NDArray[Any], now: NDArray[Any], least: Fraction) -> NDArray[np.bool_]:
    """Element by element; an amount that was read on neither side did not move."""
    unread = pd.isna(was), pd.isna(now)
    one, other = (np.where(empty, 0, values) for empty, values in zip(unread, (was, now), strict=True))
    same = (one == other).astype(bool)
    sizes = one.astype(float), other.astype(float)
    with np.errstate(over="ignore"):  # a limit beyond the largest float is infinite, and nothing reaches it
        limit = float(least) * sizes[0] - FLOAT_ERROR * np.maximum(*sizes)
    near = np.abs(sizes[1] - sizes[0]) < limit
    return np.asarray((same | near) & (unread[0] == unread[1]))
