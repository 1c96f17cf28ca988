"""Prices of several assets on one regular clock: what every forecast of volatility looks back on.

A row of the clock is the *end* of a bar, the instant at which it is known. Nothing here fills a hole: what a file does not have is NaN.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError, many, unknown_name
from chain.files.price_files import EXTRAS, ROUNDING, Stamp, read_bars

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

COLUMNS = ("open", "high", "low", "close", "volume")
JUMP_OF_BARS = np.log(2.0)
"""Between the close of a bar and the open of the next one: trading does not halve or double a price while nobody trades."""
JUMP_OF_CLOSES = np.log(20.0)
"""Between two closes, where what lay between them is not known: larger than any move of a traded token in one bar that we have seen."""
CLOCK_TOLERANCE_S = 1.0
YEAR_S = 365.25 * 86_400
LONGEST_GAP_S = 2 * YEAR_S
"""Without a bar of any asset, where the file has less than that in bars: what lies beyond is a wrong stamp."""


@dataclass(frozen=True)
class Panel:
    """Bars by (end of bar, asset).

    Attributes
    ----------
    assets : symbols as in the file, N of them.
    end_s : ends of bars, Unix seconds UTC, shape (T,), `bar_s` apart without a hole.
    open, high, low, close : price, shape (T, N); NaN where missing. A file of closes has no open, high and low.
    volume : in the asset's own unit, shape (T, N); NaN where missing.
    bar_s : length of a bar, seconds.
    notes : one sentence for every thing that was changed on reading.
    extras : what else the file had (`chain.files.price_files.EXTRAS`), by column, each of shape (T, N); NaN where a cell was empty.
    """

    assets: tuple[str, ...]
    end_s: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    bar_s: int
    notes: tuple[str, ...] = ()
    extras: Mapping[str, FloatArray] = field(default_factory=dict)

    def until(self, t_s: int) -> "Panel":
        """What is known at an instant: the bars that end by then."""
        return self._part(slice(0, int(np.searchsorted(self.end_s, t_s, side="right"))), slice(None), self.assets)

    def select(self, assets: Sequence[str]) -> "Panel":
        """Some assets, in the order given. An unknown name is an UnknownNameError."""
        place = {name: number for number, name in enumerate(self.assets)}
        for name in assets:
            if name not in place:
                raise unknown_name("asset", name, place)
        return self._part(slice(None), [place[name] for name in assets], tuple(assets))

    def log_returns(self) -> FloatArray:
        """ln(close / close of the bar before), shape (T, N); NaN where either is missing, and in the first row."""
        returns = np.full(self.close.shape, np.nan)
        returns[1:] = np.diff(np.log(self.close), axis=0)
        return returns

    def _part(self, rows: slice, columns: slice | list[int], assets: tuple[str, ...]) -> "Panel":
        parts = {name: getattr(self, name)[rows][:, columns] for name in COLUMNS}
        extras = {name: values[rows][:, columns] for name, values in self.extras.items()}
        return replace(self, assets=assets, end_s=self.end_s[rows], extras=extras, **parts)


def read_panel(
    path: Path, stamp: Stamp | None, bar_s: int, as_written: bool = False, among: Collection[str] | None = None
) -> Panel:
    """A panel from a user's price file (CSV or Parquet: timestamp, symbol, close [, open, high, low, volume]).

    Parameters
    ----------
    stamp : whether a row of a file of bars is stamped at the open or the close of its bar; a file of closes needs none.
    bar_s : length of a bar, seconds.
    as_written : leave every price in the unit that the file has, for who joins files first.
    among : symbols that count, as of `chain.files.price_files.read_bars`; all if None.

    Returns
    -------
    The panel, all assets of the file by name. Symbols that differ in case only are one (`chain.files.price_files.names_read`), and a note says so. Rows that repeat an earlier one count once, and a note says how many. A high below, or a low above, its own open or close is moved there, and a note says how often and where first. Where the unit of a price changes (see `joined_forward`),
    later prices are put into the unit of the earlier ones, and a note for each asset says so.

    Raises
    ------
    InputError
        As `chain.files.price_files.read_bars`; or if stamps do not lie on a clock of `bar_s`, or some lie years from all others.
    """
    frame, told = read_bars(path, stamp, bar_s, among)
    assets = tuple(frame["symbol"].cat.categories)
    columns = frame["symbol"].cat.codes.to_numpy(dtype=np.int64)
    end = _on_clock(path, frame["end_s"].to_numpy(), assets, columns, bar_s)
    _refuse_stray(path, end, assets, columns, frame.index.to_numpy(), bar_s)
    first, last = int(end.min()), int(end.max())
    clock = np.arange(first, last + 1, bar_s, dtype=np.int64)
    rows = (end - first) // bar_s
    values: dict[str, FloatArray] = {}
    for name in (*COLUMNS, *(name for name in EXTRAS if name in frame.columns)):
        values[name] = np.full((len(clock), len(assets)), np.nan)
        if name in frame.columns:
            values[name][rows, columns] = frame[name].to_numpy(dtype=np.float64)
    most, least = np.fmax(values["open"], values["close"]), np.fmin(values["open"], values["close"])
    moved = (values["high"] < most * (1 - ROUNDING)) | (values["low"] > least * (1 + ROUNDING))
    values["high"], values["low"] = np.maximum(values["high"], most), np.minimum(values["low"], least)
    opens, highs, lows, closes, volumes = (values[name] for name in COLUMNS)
    extras = {name: part for name, part in values.items() if name in EXTRAS}
    notes = tuple(
        f"{path.name}: the high or the low of {bars:,} of {many(len(clock), 'bar')} of {asset} did not hold their open and close, and was moved there; "
        f"the first ends at {pd.Timestamp(int(clock[np.argmax(moved[:, n])]), unit='s'):%Y-%m-%d %H:%M} UTC, and aftershock check lists them with row and value"
        for n, (asset, bars) in enumerate(zip(assets, moved.sum(axis=0).tolist(), strict=True))
        if bars
    )
    panel = Panel(assets, clock, opens, highs, lows, closes, volumes, bar_s, (*told, *notes), extras)
    return panel if as_written else joined_forward(panel)


def joined_forward(panel: Panel) -> Panel:
    """The panel with changes of unit (redenominations, a symbol given to another token) taken out.

    A change of unit is a jump between the close of one known bar and the open of the next known one of more than a factor of two, either way; without opens,
    between two closes of more than a factor of twenty. From there on prices are multiplied, and volumes divided, by what makes the return of the jump
    zero. Prices before it stay as they are, so that nothing that was known changes. A jump across a hole is judged by the same rule.
    """
    columns = {name: getattr(panel, name).copy() for name in COLUMNS}
    notes = list(panel.notes)
    for n, asset in enumerate(panel.assets):
        known = np.flatnonzero(np.isfinite(columns["close"][:, n]))
        closes, opens = columns["close"][known, n], columns["open"][known, n]
        has_open = np.isfinite(opens[1:])
        jump = np.log(np.where(has_open, opens[1:], closes[1:]) / closes[:-1])
        changes = np.flatnonzero(np.abs(jump) > np.where(has_open, JUMP_OF_BARS, JUMP_OF_CLOSES)) + 1
        for at in changes:
            row, factor = known[at], float(np.exp(-jump[at - 1]))
            for name in COLUMNS:
                columns[name][row:, n] *= factor if name != "volume" else 1 / factor
        for at in changes[:1]:
            factor = float(np.exp(jump[at - 1]))
            more = f"; so are {many(len(changes) - 1, 'more such jump')} of {asset}" if len(changes) > 1 else ""
            notes.append(
                f"{asset}: the price jumps by a factor of {factor:.4g} between two bars at {pd.Timestamp(int(panel.end_s[known[at]]), unit='s')} UTC; "
                f"taken as a change of unit, later prices are multiplied by {1 / factor:.4g}{more}"
            )
    return replace(panel, **columns, notes=tuple(notes))


def _refuse_stray(
    path: Path, end: IntArray, assets: Sequence[str], columns: IntArray, row: IntArray, bar_s: int
) -> None:
    """InputError if years without any bar lie in the file, more than it has bars: the clock would be laid through them, for a stamp that is wrong."""
    known = np.unique(end)
    gaps = np.diff(known)
    most = int(np.argmax(gaps)) if len(gaps) else 0
    if not len(gaps) or gaps[most] <= LONGEST_GAP_S or gaps[most] <= len(known) * bar_s:
        return
    is_late = len(known) - 1 - most <= most + 1  # the lesser part is the stray one
    stray = np.flatnonzero(end > known[most]) if is_late else np.flatnonzero(end <= known[most])
    at = int(stray[np.argmin(row[stray])])
    near = known[most] if is_late else known[most + 1]
    raise InputError(
        f"{path.name} row {row[at]}: {assets[columns[at]]} has a bar that ends at {_minute(int(end[at]))} UTC, {abs(int(end[at]) - int(near)) / YEAR_S:.1f} years {'after' if is_late else 'before'} "
        f"the {'last' if is_late else 'first'} of the others, {_minute(int(near))} UTC, and the whole file has bars of {many(len(known), 'instant')}; "
        f"correct the stamp or take the row out ({many(len(stray), 'such row')}), or cut the file there"
    )


def _minute(at_s: int) -> str:
    return f"{pd.Timestamp(at_s, unit='s'):%Y-%m-%d %H:%M}"


def _on_clock(path: Path, end_s: FloatArray, assets: Sequence[str], columns: IntArray, bar_s: int) -> IntArray:
    """Ends of bars as whole multiples of the bar, `columns` their places in `assets`; a second of tolerance, because some exchanges stamp a close one millisecond early."""
    nearest = np.round(end_s / bar_s) * bar_s
    wrong = np.flatnonzero(np.abs(end_s - nearest) > CLOCK_TOLERANCE_S)
    if len(wrong):
        at = pd.Timestamp(end_s[wrong[0]], unit="s")
        raise InputError(
            f"{path.name}: {assets[columns[wrong[0]]]} has a bar that ends at {at} UTC, which is no multiple of {bar_s} s ({len(wrong):,} such rows of {len(end_s):,}); "
            "say the true length with --bar, write stamps in UTC, or put the prices on a regular clock first"
        )
    result = nearest.astype(np.int64)
    same = (columns[1:] == columns[:-1]) & (result[1:] == result[:-1])
    if same.any():
        first = int(np.flatnonzero(same)[0])
        raise InputError(
            f"{path.name}: {assets[columns[first]]} has two bars that end at {pd.Timestamp(int(result[first]), unit='s')} UTC; keep the right one"
        )
    return result
