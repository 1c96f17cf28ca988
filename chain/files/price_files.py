"""Price files that users bring, CSV or Parquet: timestamp, symbol, close [, open, high, low, volume, and what else is known of a symbol: EXTRAS].

A stamp is the instant at which the close is known. A file with open, high and low holds bars, and whether a bar is stamped at its open
or its close cannot be seen in it: such a file is refused until that is said. Symbols are labels; spellings that differ in case only are one (`names_read`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError, many
from chain.files.frames import read_frame, shown, stamps

FloatArray = npt.NDArray[np.float64]
Stamp = Literal["open", "close"]
BAR_COLUMNS = ("open", "high", "low")
EXTRAS: dict[str, tuple[float, float]] = {
    "spread_bps": (0.0, np.inf),
    "depth_usd": (0.0, np.inf),
    "imbalance": (-1.0, 1.0),
    "funding_rate": (-np.inf, np.inf),
    "open_interest_usd": (0.0, np.inf),
    "sentiment": (-np.inf, np.inf),
}
"""Columns that a file of prices may have besides, with the least and the largest value: order book (spread, depth, imbalance), perpetual futures, sentiment. A cell may be empty."""
HOUR = 3_600.0
MOST_VOLUME = 1e12
"""Times the middle volume of its symbol: a change of unit may make a billion, and sums of the others keep four digits beside this."""
NAMED = 6
"""So many symbols are listed in a sentence."""
ROUNDING = 1e-9
"""How far, as a ratio, a high may lie below what it should hold: numbers that were written with other digits."""


@dataclass(frozen=True)
class Series:
    """Prices of one symbol in the order of time: four arrays of one length.

    Sample i is known at `end_s[i]` (Unix seconds) and covers the time since `start_s[i]`; between them the price lay in `low`..`high`.
    A file of closes says nothing about what lay between two of them: there a sample covers the time since the last one, and low and high
    are the lower and higher of the two.
    """

    start_s: FloatArray
    end_s: FloatArray
    low: FloatArray
    high: FloatArray
    close: FloatArray


def read_prices(path: Path, stamp: Stamp | None = None, bar_s: float | None = None) -> dict[str, Series]:
    """Series by symbol, each under every spelling that the file has of it as well; parameters and errors as of `read_bars`."""
    bars, named, is_bars, _ = _bars(path, stamp, bar_s, ("low", "high"))
    symbols, _ = bars.pop("symbol"), bars.pop("row")
    start = bars["end_s"] - bar_s if is_bars and bar_s is not None else None
    rows_of = np.split(np.arange(len(symbols)), np.flatnonzero(np.diff(symbols.codes)) + 1)
    series = {
        str(symbols[rows[0]]): _series(
            bars["end_s"][rows],
            {name: values[rows] for name, values in bars.items() if name != "end_s"},
            None if start is None else start[rows],
        )
        for rows in rows_of
    }
    return series | {spelling: series[name] for spelling, name in named.items()}


def folded(symbol: str) -> str:
    """What the spellings of one symbol have in common: all but the case of letters and spaces around it."""
    return symbol.strip().casefold()


def names_read(spellings: Iterable[str]) -> dict[str, str]:
    """Each spelling of a symbol -> the name under which it is read: the spelling with most capitals of those that are `folded` alike, in capitals (as models and snapshots have it) if all its letters are small."""
    alike: dict[str, set[str]] = {}
    for spelling in spellings:
        alike.setdefault(folded(spelling), set()).add(spelling)
    most = {key: max(each, key=lambda one: (sum(map(str.isupper, one)), one)).strip() for key, each in alike.items()}
    return {
        spelling: most[key].upper() if most[key].islower() else most[key]
        for key, each in alike.items()
        for spelling in sorted(each)
    }


def told_of_names(named: Mapping[str, str]) -> tuple[str, ...]:
    """That symbols (as of `names_read`) are read under another name, if any are."""
    other = [(name, spelling.strip()) for spelling, name in named.items() if spelling.strip() != name]
    more = f" and {len(other) - 1} more" if len(other) > 1 else ""
    return tuple(
        f"symbols that differ in small and capital letters only are one asset: {spelling} is read as {name}{more}"
        for name, spelling in sorted(other)[:1]
    )


def read_bars(
    path: Path, stamp: Stamp | None = None, bar_s: float | None = None, among: Collection[str] | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Bars in the order of symbol (as `folded`) and time: end_s (Unix seconds, float), symbol (categorical), close and, where the file has them, open, high, low, volume and EXTRAS, under their row numbers in the file; and a sentence each if symbols are read under another name or rows are repeated.

    Parameters
    ----------
    stamp, bar_s : whether a row is stamped at the open or the close of its bar, and how long a bar is, seconds; a file of closes alone needs neither if its stamps are
        the instants at which the closes are known (`read_prices`, which is given files of both kinds at once, takes them for those instants always).

    among : symbols that count, in any spelling; rows of others are left out before anything is said of them, and a sentence names them. None: all.

    Raises
    ------
    InputError
        If a column is missing, none of `among` is in the file, a stamp, price or volume cannot be used, a high lies below its low, one instant has two prices or two values of another column (a row that repeats all of them counts once), or a file of bars comes without `stamp` and `bar_s`.
    """
    bars, named, is_bars, notes = _bars(path, stamp, bar_s, ("open", "high", "low", "volume", *EXTRAS), among)
    if not is_bars and stamp == "open":
        if bar_s is None:
            raise InputError(
                f"{path.name} holds closes stamped at the open, and it is not said how long a bar is; say it with --bar 1h"
            )
        bars["end_s"] = bars["end_s"] + bar_s
    return pd.DataFrame(bars).set_index("row"), (*told_of_names(named), *notes)


def _bars(
    path: Path,
    stamp: Stamp | None,
    bar_s: float | None,
    wanted: Sequence[str],
    among: Collection[str] | None = None,
) -> tuple[dict[str, Any], dict[str, str], bool, tuple[str, ...]]:
    """Checked columns in the order of symbol and time, the names of symbols by their spelling, whether the rows are bars, and a sentence each if symbols are left out or rows are repeated."""
    frame, left_out = _only(path, read_frame(path, ("timestamp", "symbol", "close")), among)
    has_bars = [name for name in BAR_COLUMNS if name in frame.columns]
    if has_bars and stamp is not None and bar_s is None:
        raise InputError(
            f"{path.name} holds bars stamped at their {stamp}, and it is not said how long a bar is; say it with --bar 1h"
        )
    if has_bars and stamp is None:
        raise InputError(
            f"{path.name} has the column{'s' if len(has_bars) > 1 else ''} {', '.join(has_bars)}, so its rows are bars, and it does not say whether "
            "timestamp is a bar's open or close; say it with --stamp open|close --bar 1h"
        )
    end = stamps(path, frame)
    if has_bars and bar_s is not None and stamp == "open":
        end = end + bar_s
    spelled, spellings = pd.factorize(frame["symbol"].astype("str"))
    named = names_read(map(str, spellings))
    names = sorted(set(named.values()), key=folded)
    place = {name: number for number, name in enumerate(names)}
    code = np.array([place[named[str(one)]] for one in spellings])[spelled]
    if "" in place:
        nameless = np.flatnonzero(code == place[""])[0]
        raise InputError(f"{path.name} row {frame.index[nameless]}: symbol is empty; name the asset")
    order = np.lexsort((end, code))
    end, code = end[order], code[order]
    columns = {
        name: _column(path, frame, name)[order] for name in ("close", *(n for n in wanted if n in frame.columns))
    }
    if "high" in columns and "low" in columns:
        _refuse_crossed(path, frame, order, columns["high"], columns["low"])
    if "volume" in columns:
        _refuse_absurd(path, frame, order, code, columns["volume"])
    twice = np.flatnonzero((code[1:] == code[:-1]) & (end[1:] == end[:-1]))
    for name, values in columns.items():
        one, other = values[twice], values[twice + 1]
        for pair in twice[(one != other) & ~(np.isnan(one) & np.isnan(other))][:1]:
            first, second = sorted(frame.index[order[[pair, pair + 1]]].tolist())
            what = f"two values of {name}" if name in ("volume", *EXTRAS) else "two prices"
            raise InputError(
                f"{path.name} row {second}: {names[code[pair]]} has {what} at {pd.Timestamp(end[pair], unit='s')}, the other in row {first}; keep the right one"
            )
    once = np.delete(np.arange(len(code)), twice)
    notes = _said_twice(path, frame, order[twice + 1]) if len(twice) else ()
    kept: dict[str, Any] = {name: values[once] for name, values in columns.items()}
    kept["row"] = frame.index.to_numpy()[order[once]]
    symbols = pd.Categorical.from_codes(code[once], names)
    return {"end_s": end[once], "symbol": symbols, **kept}, named, bool(has_bars), (*left_out, *notes)


def _only(path: Path, frame: pd.DataFrame, among: Collection[str] | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of some symbols, in any spelling (all if None), and a sentence if others are left out; InputError if no row is left."""
    if among is None:
        return frame, ()
    wanted, spelt = {folded(name) for name in among}, frame["symbol"].astype("str")
    others = [str(one) for one in spelt.unique() if folded(str(one)) not in wanted]
    kept = frame[~spelt.isin(others)]
    names = sorted(set(names_read(others).values()), key=folded)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    if not len(kept):
        raise InputError(
            f"{path.name} has prices of {', '.join(names[:NAMED])}{more} and of none of {', '.join(list(among)[:NAMED])}; give a file of the same assets, or write symbols alike"
        )
    told = f"{path.name} has prices of {', '.join(names[:NAMED])}{more}, which the later prices do not have, so they are not used"
    return kept, (told,) if names else ()


def _said_twice(path: Path, frame: pd.DataFrame, places: npt.NDArray[np.int64]) -> tuple[str, ...]:
    """A sentence on rows (places in the frame) whose symbol, instant and values an earlier row has."""
    first, verbs = int(places.min()), "repeats" if len(places) == 1 else "repeat"
    which = f"row {frame.index[first]}, {frame['symbol'].iloc[first]} at {frame['timestamp'].iloc[first]}"
    return (
        f"{path.name}: {many(len(places), 'row')} {verbs} the symbol, instant and values of an earlier one, and such rows count once; the first is {which}",
    )


def _refuse_crossed(
    path: Path, frame: pd.DataFrame, order: npt.NDArray[np.int64], high: FloatArray, low: FloatArray
) -> None:
    """InputError if the high of a bar lies below its low; both are in `order` of the frame's rows."""
    wrong = np.flatnonzero(high < low * (1 - ROUNDING))
    if len(wrong):
        first = int(wrong[np.argmin(order[wrong])])
        row, symbol = frame.index[order[first]], frame["symbol"].iloc[order[first]]
        raise InputError(
            f"{path.name} row {row}: high is {high[first]:.10g} and low {low[first]:.10g} of {symbol}; "
            f"put the larger one under high ({many(len(wrong), 'such row')}; aftershock check says more)"
        )


def usual_volume(volume: FloatArray, symbols: npt.NDArray[Any]) -> FloatArray:
    """Beside each volume the middle one of its symbol, of those above zero; NaN where there is none."""
    return np.asarray(pd.Series(np.where(volume > 0, volume, np.nan)).groupby(symbols).transform("median"))


def _refuse_absurd(
    path: Path, frame: pd.DataFrame, order: npt.NDArray[np.int64], code: npt.NDArray[np.int64], volume: FloatArray
) -> None:
    """InputError if a volume is beyond all measure of its own symbol's: beside it sums of the others lose their digits, for good. Arrays are in `order` of the frame's rows."""
    usual = usual_volume(volume, code)
    wrong = np.flatnonzero(volume > MOST_VOLUME * usual)
    if len(wrong):
        first = int(wrong[np.argmin(order[wrong])])
        row, symbol = frame.index[order[first]], frame["symbol"].iloc[order[first]]
        raise InputError(
            f"{path.name} row {row}: volume is {volume[first]:.6g}, and that of {symbol} is {usual[first]:.6g} in the middle; "
            f"correct it or leave it empty ({many(len(wrong), 'such row')})"
        )


def _series(end: FloatArray, columns: Mapping[str, FloatArray], start: FloatArray | None) -> Series:
    close = columns["close"]
    before = np.concatenate([close[:1], close[:-1]])
    low, high = np.minimum(before, close), np.maximum(before, close)
    if start is not None:
        low, high = columns.get("low", low), columns.get("high", high)
        return Series(start, end, np.minimum(low, close), np.maximum(high, close), close)
    return Series(np.concatenate([end[:1], end[:-1]]), end, low, high, close)


def _column(path: Path, frame: pd.DataFrame, name: str) -> FloatArray:
    if name == "volume":
        return _measured(path, frame, name, "volume", 0.0, np.inf)
    return _measured(path, frame, name, "number", *EXTRAS[name]) if name in EXTRAS else _prices(path, frame, name)


def _prices(path: Path, frame: pd.DataFrame, name: str) -> FloatArray:
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values <= 0))
    if len(wrong):
        raise InputError(
            f"{path.name} row {frame.index[wrong[0]]}: {name} is {shown(frame[name].iloc[wrong[0]])}; give a finite price above zero ({many(len(wrong), 'such row')})"
        )
    return np.asarray(values)


def _measured(path: Path, frame: pd.DataFrame, name: str, what: str, least: float, most: float) -> FloatArray:
    """Numbers within bounds, NaN where the cell is empty: not every source has them."""
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero((~np.isfinite(values) & frame[name].notna().to_numpy()) | (values < least) | (values > most))
    if len(wrong):
        bounds = f"from {least:g} to {most:g}" if np.isfinite(most) else "of at least zero" if least == 0 else ""
        raise InputError(
            f"{path.name} row {frame.index[wrong[0]]}: {name} is {shown(frame[name].iloc[wrong[0]])}; give a {what}{f' {bounds}' if bounds else ''}, or leave it empty ({many(len(wrong), 'such row')})"
        )
    return np.asarray(values)


def joined(sources: Sequence[Series], reach_s: float = HOUR) -> Series | None:
    """One series from several, best first: a later one adds only samples further than `reach_s` from any sample before it."""
    kept: list[Series] = []
    for source in sources:
        far = np.ones(len(source.end_s), dtype=np.bool_)
        for better in kept:
            far &= distance_s(better.end_s, source.end_s) > reach_s
        if far.any():
            kept.append(Series(*(getattr(source, name)[far] for name in ("start_s", "end_s", "low", "high", "close"))))
    if not kept:
        return None
    columns: list[Any] = [
        np.concatenate([getattr(one, name) for one in kept]) for name in ("start_s", "end_s", "low", "high", "close")
    ]
    order = np.argsort(columns[1], kind="stable")
    return Series(*(column[order] for column in columns))


def nearest(times: FloatArray, at: FloatArray) -> npt.NDArray[np.int64]:
    """Index of the nearest of the sorted `times` to each `at`; the earlier one in a tie."""
    right = np.clip(np.searchsorted(times, at), 0, len(times) - 1)
    left = np.clip(right - 1, 0, None)
    return np.where(np.abs(at - times[left]) <= np.abs(times[right] - at), left, right)


def distance_s(times: FloatArray, at: FloatArray) -> FloatArray:
    """Seconds from each `at` to the nearest of the sorted `times`."""
    return np.asarray(np.abs(times[nearest(times, at)] - at))
