"""Checks of a column of instants: can it be read, in which unit, in which zone, and what is left unsaid.

The contract of user files is UTC: Unix seconds, or text that ends in Z. What cannot be seen in a column, whether a stamp is the beginning or the
end of what it stands for, is said to be so.
"""

import re
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.files.file_findings import Noted
from chain.files.frames import FIRST_YEAR, LAST_YEAR

FloatArray = npt.NDArray[np.float64]
HOUR, DAY = 3_600.0, 86_400.0
UNITS = (("nanoseconds", 1e9, 1e17), ("microseconds", 1e6, 1e14), ("milliseconds", 1e3, 1e11))
"""Name, how many make a second, and from which size on a number is one (seconds reach 1e11 in the year 5138)."""
_ZONE = re.compile(r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$")
_UTC = re.compile(r"(?:Z|UTC|GMT|[+-]00:?00)$")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_SLASHES = re.compile(r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")


def instants(noted: Noted, frame: pd.DataFrame, name: str, now_s: float, is_end_said: bool = False) -> FloatArray:
    """The column as Unix seconds, NaN where a cell is no instant; everything that is doubtful is noted.

    Parameters
    ----------
    now_s : the instant of the check; later stamps are noted.
    is_end_said : whether it was stated what a stamp stands for, so that dates without a time are no doubt.
    """
    column = frame[name]
    if pd.api.types.is_datetime64_any_dtype(column):
        seconds = _of_dates(noted, column, name)
    else:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        is_text = np.isnan(values) & column.notna().to_numpy()
        seconds = _of_text(noted, frame, name, is_end_said) if is_text.any() else _of_numbers(noted, values, name)
    low, high = (pd.Timestamp(year, 1, 1, tz="UTC").timestamp() for year in (FIRST_YEAR, LAST_YEAR))
    wrong = column.notna().to_numpy() & ~((seconds >= low) & (seconds < high))
    noted.rows(
        "error",
        "stamp",
        frame,
        name,
        wrong,
        f"is no instant from {FIRST_YEAR} to {LAST_YEAR}; write Unix seconds or 2021-05-19T12:00:00Z",
    )
    seconds = np.where(wrong, np.nan, seconds)
    noted.rows("error", "future", frame, name, seconds > now_s, f"lies after the instant of this check, {_text(now_s)}")
    return seconds


def _of_dates(noted: Noted, column: "pd.Series[pd.Timestamp]", name: str) -> FloatArray:
    zone = getattr(column.dt, "tz", None)
    if zone is None:
        noted.warn("zone_unsaid", "its stamps say no time zone; they are read as UTC", column=name, rows=len(column))
    elif str(zone) not in ("UTC", "UTC+00:00"):
        noted.warn(
            "zone",
            f"its stamps are in the zone {zone}; they are turned into UTC",
            column=name,
            value=zone,
            rows=len(column),
        )
    utc = pd.to_datetime(column, utc=True)
    return np.asarray((utc - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=np.float64))


def _of_numbers(noted: Noted, values: FloatArray, name: str) -> FloatArray:
    known = values[np.isfinite(values)]
    middle = float(np.median(known)) if len(known) else 0.0
    for unit, a_second, least in UNITS:
        if middle >= least:
            noted.error(
                "stamp_unit",
                f"its stamps are {unit}; divide them by {a_second:.0f}",
                column=name,
                value=f"{known[0]:.0f}",
                rows=len(known),
            )
            return values / a_second
    return values


def _of_text(noted: Noted, frame: pd.DataFrame, name: str, is_end_said: bool) -> FloatArray:
    column = frame[name]
    codes, distinct = pd.factorize(column)
    texts = [str(text).strip() for text in distinct]
    kinds = np.array([_kind(text) for text in texts], dtype=object)

    def of_kind(*wanted: str) -> npt.NDArray[np.bool_]:
        found = np.isin(kinds, wanted)[codes] if len(kinds) else np.zeros(len(codes), dtype=np.bool_)
        return np.asarray(found & (codes >= 0))

    is_slashed = of_kind("slashed")
    noted.rows("error", "date_order", frame, name, is_slashed, "day and month can be mistaken here; write 2015-07-30")
    other, bare, date = of_kind("zone"), of_kind("bare"), of_kind("date")
    noted.rows("warning", "zone", frame, name, other, "carries a time zone that is not UTC; it is turned into UTC")
    if other.any() or of_kind("utc").any():
        noted.rows(
            "error", "zone", frame, name, bare | date, "says no time zone, but other rows do; say it in all of them"
        )
    else:
        noted.rows("warning", "zone_unsaid", frame, name, bare, "says no time zone; it is read as UTC")
    if not is_end_said:
        sentence = "is a date without a time: whether the price was known when that day began or only when it ended cannot be seen; write the instant"
        noted.rows("error", "stamp_unsaid", frame, name, date, sentence)
    parsed = pd.to_datetime(pd.Series(texts, dtype="str"), utc=True, format="ISO8601", errors="coerce")
    slashed = np.flatnonzero(kinds == "slashed")
    if len(slashed):
        parsed.iloc[slashed] = pd.to_datetime(
            pd.Series([texts[i] for i in slashed]), utc=True, format="mixed", errors="coerce"
        ).array
    seconds = (parsed - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=np.float64)
    return np.where(codes >= 0, seconds[codes], np.nan)


def _kind(text: str) -> str:
    if _SLASHES.match(text):
        return "slashed"
    if _DATE.match(text):
        return "date"
    if _ZONE.search(text):
        return "utc" if _UTC.search(text) else "zone"
    return "bare" if text[:4].isdigit() else "none"


def daylight(noted: Noted, name: str, time_s: FloatArray, twice_s: FloatArray) -> None:
    """Note a file of local time: in each spring the hour that clocks skip is missing, and in an autumn the hour that they repeat is there twice.

    Parameters
    ----------
    time_s, twice_s : all instants of a file that says no zone; those at which a series has two rows.
    """
    hours, doubled = set(np.unique(time_s // HOUR).tolist()), set(np.unique(twice_s // HOUR).tolist())
    if not doubled:
        return
    years = range(pd.Timestamp(time_s.min(), unit="s").year, pd.Timestamp(time_s.max(), unit="s").year + 1)
    for where, spring, autumn, hour in (("Europe", (3, -1), (10, -1), 2), ("North America", (3, 2), (11, 1), 1)):
        skipped = [_hour(_sunday(year, *spring), 2) for year in years]
        seen = [at for at in skipped if {at - 1, at + 1} <= hours]
        repeated = [at for at in (_hour(_sunday(year, *autumn), hour) for year in years) if at in doubled]
        if seen and repeated and not any(at in hours for at in seen):
            sentence = f"its hours jump and repeat as clocks in {where} do: this is local time; turn it into UTC"
            noted.error(
                "daylight", sentence, column=name, value=_text(repeated[0] * HOUR), rows=len(seen) + len(repeated)
            )
            return


def _sunday(year: int, month: int, number: int) -> date:
    """One Sunday of a month by its number; -1 is the last."""
    first = date(year, month, 1)
    sundays = [first + timedelta(days=day) for day in range((6 - first.weekday()) % 7, 31, 7)]
    return [day for day in sundays if day.month == month][number - 1 if number > 0 else number]


def _hour(day: date, hour: int) -> float:
    return (day - date(1970, 1, 1)).days * 24.0 + hour


def _text(time_s: float) -> str:
    return str(pd.Timestamp(time_s, unit="s").strftime("%Y-%m-%d %H:%M UTC"))
