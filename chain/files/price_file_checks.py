"""Checks of a price file: stamps, doubled and missing rows, bars that cannot be, series that do not belong together. What prices do: `price_moves`."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from chain.errors import many
from chain.files import price_moves
from chain.files.file_findings import Noted, alike, needed, numbers
from chain.files.price_files import BAR_COLUMNS, MOST_VOLUME, ROUNDING, Stamp, names_read, usual_volume
from chain.files.price_panel import MISSING, FloatArray, Panel, panel, span, when
from chain.files.stamp_checks import daylight, instants

PRICES = ("timestamp", "symbol", "close")
GRID_SHARE, SAME_STEP, LEAST_STEPS = 0.9, 0.01, 5
SHORT_SHARE, LATE_SHARE, LEAST_SERIES = 0.5, 0.25, 10
RAW_PRICE = 1e12
LONGEST_TICKER = 12

Say = Callable[[str], None]


def check_prices(
    noted: Noted,
    frame: pd.DataFrame,
    now_s: float,
    stamp: Stamp | None = None,
    bar_s: float | None = None,
    say: Say = lambda _: None,
) -> Panel | None:
    """Note all problems of a price file.

    Parameters
    ----------
    frame : as `chain.files.frames.open_frame` gives it.
    now_s : the instant of the check.
    stamp, bar_s : what a stamp of a bar is, and how long a bar is, where it was said.
    say : told what is looked at.

    Returns
    -------
    Panel, optional
        The usable rows, at the instants at which their closes are known; None if there are none.
    """
    if not needed(noted, frame, PRICES):
        return None
    has_bars = [name for name in BAR_COLUMNS if name in frame.columns]
    if has_bars and stamp is not None and bar_s is None:
        sentence = f"the file holds bars ({', '.join(has_bars)}) stamped at their {stamp}, and it is not said how long a bar is; add --bar 1h"
        noted.error("stamp_unsaid", sentence, column="timestamp", rows=len(frame))
    elif has_bars and stamp is None:
        sentence = f"the file holds bars ({', '.join(has_bars)}) and does not say whether a stamp is a bar's open or close; say --stamp open|close --bar 1h"
        noted.error("stamp_unsaid", sentence, column="timestamp", rows=len(frame))
    say("stamps")
    time_s = instants(noted, frame, "timestamp", now_s, is_end_said=bool(has_bars))
    if has_bars and stamp == "open" and bar_s is not None:
        time_s = time_s + bar_s
    say("values")
    values = {name: numbers(noted, frame, name) for name in ("close", *has_bars, "volume") if name in frame.columns}
    for name in ("close", *has_bars):
        noted.rows("error", "not_above_zero", frame, name, values[name] <= 0, "is not above zero")
    _bars(noted, frame, values)
    alike(noted, frame, ("symbol",), "read as one asset")
    frame = frame.assign(symbol=_as_read(frame["symbol"]))
    say("doubled rows")
    twice_s = _doubled(noted, frame, time_s, values)
    sorted_rows = panel(frame, time_s, values["close"])
    if not len(sorted_rows.code):
        return None
    if any(one.kind == "zone_unsaid" for one in noted.found):
        daylight(noted, "timestamp", sorted_rows.time_s, twice_s)
    say("gaps")
    _gaps(noted, sorted_rows)
    _grid(noted, sorted_rows, bar_s if has_bars else None)
    _series(noted, sorted_rows)
    _volume(noted, frame, values.get("volume"))
    say("moves")
    price_moves.moves(noted, sorted_rows)
    price_moves.frozen(noted, sorted_rows)
    return sorted_rows


def _as_read(symbols: pd.Series) -> pd.Series:
    """Symbols under the names that reading gives them; empty cells as they are."""
    named = names_read(map(str, symbols.dropna().unique()))
    return symbols.map({one: named[str(one)] for one in symbols.dropna().unique()})


def _bars(noted: Noted, frame: pd.DataFrame, values: dict[str, FloatArray]) -> None:
    for name, sign, words in (("high", 1.0, "the high lies below"), ("low", -1.0, "the low lies above")):
        for other in ("open", "close", "low" if name == "high" else "high"):
            if name in values and other in values:
                with np.errstate(invalid="ignore"):
                    wrong = sign * (values[name] - values[other]) < -ROUNDING * np.abs(values[other])
                noted.rows("error", "ohlc", frame, name, wrong, f"{words} the {other} of its bar")


def _volume(noted: Noted, frame: pd.DataFrame, volume: FloatArray | None) -> None:
    if volume is None:
        return
    symbols = frame["symbol"].astype(str).to_numpy()
    sentence = "is beyond all measure of the other volumes of its symbol; correct it or leave it empty"
    noted.rows("error", "range", frame, "volume", volume > MOST_VOLUME * usual_volume(volume, symbols), sentence)
    silent = np.flatnonzero(volume == 0)
    for symbol, places in pd.Series(silent).groupby(symbols[silent]):
        row = int(frame.index[places.iloc[0]])
        sentence = "bars without any trade: their prices are carried over"
        noted.warn("zero_volume", sentence, row=row, column="volume", symbol=str(symbol), value=0, rows=len(places))


def _doubled(noted: Noted, frame: pd.DataFrame, time_s: FloatArray, values: dict[str, FloatArray]) -> FloatArray:
    """Note rows of one symbol and instant; the instants of those."""
    key = pd.DataFrame({"symbol": frame["symbol"].to_numpy(), "time": time_s})
    again = key.duplicated(keep=False).to_numpy() & np.isfinite(time_s) & frame["symbol"].notna().to_numpy()
    if not again.any():
        return np.empty(0)
    places = np.flatnonzero(again)
    rows = key.iloc[places].assign(place=places, **{name: column[places] for name, column in values.items()})
    group = rows.groupby(["symbol", "time"], sort=False)
    differs = {name: (group[name].transform("nunique", dropna=False) > 1).to_numpy() for name in values}
    is_later = (group.cumcount() > 0).to_numpy()
    is_other = np.logical_or.reduce(list(differs.values()))
    earlier = group["place"].transform("first").to_numpy()
    for kind, mask in (("contradicting", is_later & is_other), ("repeated", is_later & ~is_other)):
        for symbol, found in pd.Series(np.flatnonzero(mask)).groupby(rows["symbol"].astype(str).to_numpy()[mask]):
            place = int(found.iloc[0])
            row, one = int(frame.index[places[place]]), rows.iloc[place]
            first = f"{when(one['time'])} is already in row {frame.index[earlier[place]]}"
            where = {"row": row, "symbol": str(symbol), "value": f"{one['close']:.10g}", "rows": len(found)}
            if kind == "contradicting":
                name = next(name for name in values if differs[name][place])
                noted.error(kind, f"{first} with another {name}; keep the right one", column=name, **where)
            else:
                noted.warn(kind, f"{first}; it counts once", column="timestamp", **where)
    return np.asarray(rows["time"].to_numpy(dtype=np.float64))


def _gaps(noted: Noted, rows: Panel) -> None:
    gaps = np.flatnonzero(rows.is_gap)
    missing = np.rint(rows.step_s[gaps] / rows.usual_s[rows.code[gaps]]) - 1
    for code in np.unique(rows.code[gaps]):
        mine = np.flatnonzero(rows.code[gaps] == code)
        most = mine[np.argmax(missing[mine])]
        place = int(gaps[most])
        total, between = (
            int(missing[mine].sum()),
            f"between {when(rows.time_s[place - 1])} and {when(rows.time_s[place])}",
        )
        where = (
            f", {between}"
            if len(mine) == 1
            else f" in {len(mine):,} gaps, {int(missing[most]):,} of them in the longest, {between}"
        )
        sentence = f"{many(total, 'row')} {'is' if total == 1 else 'are'} missing{where}"
        noted.warn("gap", sentence, column="timestamp", rows=total, **rows.at(place))


def _grid(noted: Noted, rows: Panel, bar_s: float | None) -> None:
    """Note steps that are not what was said, differ between or within series, or stand on no grid."""
    known = np.flatnonzero(np.isfinite(rows.usual_s))
    if not len(known):
        return
    usual = float(np.median(rows.usual_s[known]))
    if bar_s is not None and abs(usual / bar_s - 1) > SAME_STEP:
        sentence = f"its rows are {span(usual)} apart and --bar says {span(bar_s)}"
        noted.error(
            "bar_length", sentence, column="timestamp", row=int(rows.row[0]), value=span(usual), rows=len(rows.code)
        )
    for code in known[(rows.usual_s[known] > MISSING * usual) | (rows.usual_s[known] < usual / MISSING)]:
        own = span(rows.usual_s[code])
        sentence = f"its rows are {own} apart, most others {span(usual)}"
        noted.warn("mixed_bars", sentence, column="timestamp", value=own, **rows.at(rows.of(int(code)).start))
    ratio = rows.step_s / rows.usual_s[rows.code]
    with np.errstate(invalid="ignore"):
        same = np.abs(rows.step_s[1:] / rows.step_s[:-1] - 1) < SAME_STEP
        long = np.append(False, same & (ratio[1:] > MISSING) & (ratio[:-1] > MISSING))
        short = np.append(False, same & (ratio[1:] < 1 / MISSING) & (ratio[:-1] < 1 / MISSING))
    for mask in (long, short):
        count = np.bincount(rows.code[mask], minlength=len(rows.symbols))
        for code in np.flatnonzero(count >= LEAST_STEPS):
            place = int(np.flatnonzero(mask & (rows.code == code))[0])
            step = span(rows.step_s[place])
            sentence = f"rows {step} apart beside rows {span(rows.usual_s[code])} apart in one series"
            noted.warn("mixed_bars", sentence, column="timestamp", value=step, rows=int(count[code]), **rows.at(place))
    counted = ratio[np.isfinite(ratio) & (ratio < MISSING)]
    off = np.flatnonzero(np.isfinite(ratio) & (ratio < MISSING) & (np.abs(ratio - 1) > SAME_STEP))
    if len(counted) and len(off) > (1 - GRID_SHARE) * len(counted):
        sentence = f"{len(off) / len(counted):.0%} of the steps are not the usual {span(usual)}: rows stand on no grid; do not take them for bars"
        value = span(rows.step_s[off[0]])
        noted.warn("irregular", sentence, row=int(rows.row[off[0]]), column="timestamp", value=value, rows=len(off))


def _series(noted: Noted, rows: Panel) -> None:
    """Note what series look like beside each other."""
    bounds = np.searchsorted(rows.code, np.arange(len(rows.symbols) + 1))
    first, last = bounds[:-1], bounds[1:] - 1
    spans, counts = rows.time_s[last] - rows.time_s[first], rows.counts
    middle, whole = float(np.median(spans)), float(rows.time_s.max() - rows.time_s.min())
    for code in np.flatnonzero((spans < SHORT_SHARE * middle) & (len(rows.symbols) > 2)).tolist():
        sentence = (
            f"{many(int(counts[code]), 'row')} over {span(spans[code])}; half of the series span {span(middle)} or more"
        )
        noted.warn("short", sentence, column="symbol", rows=int(counts[code]), **rows.at(first[code]))
    late = rows.time_s[first] > rows.time_s.min() + whole / 10
    ended = rows.time_s[last] < rows.time_s.max() - whole / 20
    if len(rows.symbols) >= LEAST_SERIES and late.mean() > LATE_SHARE and not ended.any():
        sentence = f"{late.sum()} of {len(late)} series begin later than the first and none has ended; what ended may have been left out"
        noted.warn("survivors", sentence, column="symbol", rows=len(late))
    by_stem: dict[str, list[int]] = {}
    for number, name in enumerate(rows.symbols):
        by_stem.setdefault(re.sub(r"\d+$", "", name).lower() or name, []).append(number)
    for codes in by_stem.values():
        names = [rows.symbols[code] for code in codes]
        if len(codes) > 1:
            sentence = f"stands beside {', '.join(names[:-1])}: one may be another coin; compare their prices"
        elif names[0][-1:].isdigit() and not names[0].isdigit() and len(names[0]) <= LONGEST_TICKER:
            sentence = (
                "ends in a digit: some sources number the tickers of coins that share a name; check which coin it is"
            )
        else:
            continue
        noted.warn("look_alike", sentence, column="symbol", value=names[-1], **rows.at(first[codes[-1]]))
    for place in np.flatnonzero(np.bincount(rows.code, rows.close > RAW_PRICE, len(rows.symbols)) > counts / 2):
        sentence = "prices beyond 1e12: in smallest units of the quote?"
        value = f"{rows.close[first[place]]:.6g}"
        noted.warn("raw_units", sentence, column="close", value=value, **rows.at(first[place]))
