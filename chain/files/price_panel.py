"""The rows of a price file in the order of symbol and time, as arrays: what all checks of series work on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
MISSING = 1.5
"""A step longer than this many usual ones leaves rows out."""


@dataclass(frozen=True)
class Panel:
    """Rows sorted by (symbol, time); arrays of one length, except `symbols` and what is by symbol.

    Attributes
    ----------
    symbols : names; `code` is a place in it.
    time_s, close : Unix seconds; prices above zero.
    row, place : row in the file, place in the frame.
    step_s : seconds since the symbol's last row, NaN at its first.
    move : change of log close since then, NaN at its first.
    usual_s, usual_move : by symbol, the middle step, and what a move usually is: 1.4826 times the middle |move|, or what a normal law gives
        from the 9th decile where half of the closes repeat.
    """

    symbols: list[str]
    code: IntArray
    time_s: FloatArray
    close: FloatArray
    row: IntArray
    place: IntArray
    step_s: FloatArray
    move: FloatArray
    usual_s: FloatArray
    usual_move: FloatArray

    @property
    def counts(self) -> IntArray:
        """Rows by symbol."""
        return np.bincount(self.code, minlength=len(self.symbols)).astype(np.int64)

    @property
    def is_gap(self) -> BoolArray:
        """Whether rows are missing before a row."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.step_s > MISSING * self.usual_s[self.code])

    def of(self, code: int) -> slice:
        """The rows of one symbol."""
        return slice(*np.searchsorted(self.code, [code, code + 1]).tolist())

    def at(self, place: int) -> dict[str, Any]:
        """Row in the file and symbol, as a finding names them."""
        return {"row": int(self.row[place]), "symbol": self.symbols[self.code[place]]}


def panel(frame: pd.DataFrame, time_s: FloatArray, close: FloatArray) -> Panel:
    """The usable rows of a frame, one for each symbol and instant (the first); `close` is NaN or not above zero where a row is not usable."""
    usable = np.flatnonzero(np.isfinite(time_s) & (np.nan_to_num(close) > 0) & frame["symbol"].notna().to_numpy())
    codes, names = pd.factorize(frame["symbol"].iloc[usable].astype(str), sort=True)
    order = np.lexsort((usable, time_s[usable], codes))
    place, code = usable[order], codes[order].astype(np.int64)
    same = np.flatnonzero((code[1:] == code[:-1]) & (time_s[place][1:] == time_s[place][:-1])) + 1
    place, code = np.delete(place, same), np.delete(code, same)
    symbols, row = [str(name) for name in names], frame.index.to_numpy()[place].astype(np.int64)
    return in_order(symbols, code, time_s[place], close[place], row, place.astype(np.int64))


def in_order(
    symbols: list[str], code: IntArray, time_s: FloatArray, close: FloatArray, row: IntArray, place: IntArray
) -> Panel:
    """Rows that are in the order of symbol and time already, each once and each symbol at least once; arrays as of `Panel`."""
    is_first = np.ones(len(code), dtype=np.bool_)
    is_first[1:] = code[1:] != code[:-1]
    step = np.where(is_first, np.nan, np.diff(time_s, prepend=np.nan))
    move = np.where(is_first, np.nan, np.diff(np.log(close), prepend=np.nan))
    grouped = pd.DataFrame({"step": step, "move": np.abs(move)}).groupby(code)
    middle = grouped.median()
    usual_move = np.maximum(1.4826 * middle["move"], grouped["move"].quantile(0.9) / 1.645)
    usual_s = middle["step"].to_numpy(dtype=np.float64)
    return Panel(symbols, code, time_s, close, row, place, step, move, usual_s, usual_move.to_numpy(dtype=np.float64))


def when(time_s: float) -> str:
    """An instant in words."""
    return str(pd.Timestamp(time_s, unit="s").strftime("%Y-%m-%d %H:%M"))


def span(seconds: float) -> str:
    """A length of time in words."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}" if seconds % size == 0 else f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
