"""Large files that users bring, CSV or Parquet, read as a frame: columns that must be there, and stamps as Unix seconds.

For books, where every digit counts, `chain.files.cells` reads text cell by cell; logs and price histories have millions of rows of measurements.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError, many

FIRST_YEAR, LAST_YEAR = 2009, 2100
UNORDERED = r"/|^\s*\d{1,2}[.-]\d{1,2}[.-]\d{2}"
"""Dates in which day and month can be mistaken for each other."""


def open_frame(path: Path, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """All rows of a file as they stand, under their row numbers in the file: a spreadsheet's for CSV (the header is row 1), from 1 for Parquet.

    Only an empty cell is empty: a token may be called NA or NULL. `columns` maps names that the contract asks for to names in the file.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, names a column twice, or lacks a column that `columns` names.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    try:
        frame = (
            pd.read_parquet(path)
            if is_parquet
            else pd.read_csv(path, keep_default_na=False, na_values=[""], skip_blank_lines=False, low_memory=False)
        )
    except (OSError, ValueError, EOFError) as error:  # pandas and pyarrow raise subclasses of these
        raise InputError(f"{path} {_unreadable(path, error, is_parquet)}") from error
    if not is_parquet:
        _refuse_doubled_names(path)
    if len(frame.columns) == 1 and any(mark in str(frame.columns[0]) for mark in ";\t|"):
        raise InputError(
            f"{path.name} has no commas between its cells, its header is {str(frame.columns[0])!r}; write it with commas"
        )
    frame = frame.set_axis(pd.RangeIndex(1 if is_parquet else 2, len(frame) + (1 if is_parquet else 2)))
    if not is_parquet:
        frame = frame.loc[frame.notna().any(axis=1).to_numpy()]
    if columns:
        absent = [name for name in columns.values() if name not in frame.columns]
        if absent:
            raise InputError(
                f"{path.name} has no column {', '.join(absent)}; its columns are {', '.join(map(str, frame.columns))}"
            )
        taken = [name for name in columns if name in frame.columns and name not in columns.values()]
        frame = frame.drop(columns=taken).rename(columns={theirs: ours for ours, theirs in columns.items()})
    if frame.empty:
        raise InputError(f"{path.name} has a header and no rows")
    odd = [name for name in frame.columns if frame[name].dtype == object] if is_parquet else []
    return frame.assign(**{name: frame[name].map(_as_text) for name in odd}) if odd else frame


def _refuse_doubled_names(path: Path) -> None:
    """InputError if the header of a readable CSV file has one name twice: pandas would number them, and read the first."""
    names = pd.read_csv(path, header=None, nrows=1, dtype="str", skip_blank_lines=False).iloc[0].dropna()
    twice = names[names.duplicated()].tolist()
    if twice:
        raise InputError(
            f"{path.name} has {many(int((names == twice[0]).sum()), 'column')} named {twice[0]}; leave the right one, and name the others otherwise"
        )


def _unreadable(path: Path, error: Exception, is_parquet: bool) -> str:
    """What is wrong with a file that pandas or pyarrow cannot read, and what to do."""
    if not path.exists():
        return "does not exist; give a CSV or Parquet file"
    if path.is_dir():
        return "is a folder; give a CSV or Parquet file"
    if isinstance(error, PermissionError):
        return "may not be read; change its permissions"
    if is_parquet:
        return "is no readable Parquet; write it again"
    if isinstance(error, pd.errors.EmptyDataError):
        return "is empty; give a header and rows"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text; save it as UTF-8 CSV or as Parquet"
    ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if ragged:
        return (
            f"cannot be read: line {ragged[2]} has {ragged[3]} cells under {ragged[1]} columns; check commas and quotes"
        )
    return "is no readable CSV; save it again, with commas between the cells and closed quotes"


def shown(value: Any) -> str:
    """A value of a cell as it is quoted in a sentence: text in quotes, a number as it was written."""
    return repr(value) if isinstance(value, str) else repr(value.item()) if hasattr(value, "item") else str(value)


def _as_text(value: Any) -> Any:
    """Bytes as hexadecimal, lists and records as text, as CSV would hold them; anything else as it is."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value) if isinstance(value, (list, dict, np.ndarray)) else value


def read_frame(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """As `open_frame`, with the columns that must be there; others are kept as they are.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, lacks a column, or leaves a required cell empty.
    """
    frame = open_frame(path)
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name} has no column {', '.join(missing)}; its columns are {', '.join(map(str, frame.columns))}"
        )
    for name in required:
        empty = np.flatnonzero(frame[name].isna().to_numpy())
        if len(empty):
            raise InputError(
                f"{path.name} row {frame.index[empty[0]]}: {name} is empty ({many(len(empty), 'such row')})"
            )
    return frame


def stamps(path: Path, frame: pd.DataFrame, name: str = "timestamp") -> npt.NDArray[np.float64]:
    """A column of instants as Unix seconds: numbers are seconds, texts and dates are UTC.

    Raises
    ------
    InputError
        If a value is no instant, or lies outside 2009 to 2100 (milliseconds given as seconds do).
    """
    column = frame[name]
    if pd.api.types.is_numeric_dtype(column):
        seconds = column.to_numpy(dtype=np.float64)
    else:
        texts = column.astype("str")
        slashed = np.flatnonzero(texts.str.contains(UNORDERED).to_numpy(dtype=bool))
        if len(slashed):
            raise InputError(
                f"{path.name} row {frame.index[slashed[0]]}: {name} is {shown(column.iloc[slashed[0]])}, and whether day or month comes first is not said; "
                "write Unix seconds or 2021-05-19T12:00:00Z"
            )
        try:
            if not texts.str.match(r"\s*\d{4}").all():
                raise ValueError  # pandas takes a time alone for one of today
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # it warns where it guesses row by row
                since = pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")
        except (ValueError, TypeError, Warning) as error:  # a year beyond what nanoseconds hold is one too
            alone = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
            bad = np.flatnonzero(alone.isna().to_numpy())
            where, value = (
                (f" row {frame.index[bad[0]]}", shown(column.iloc[bad[0]])) if len(bad) else ("", "of several forms")
            )
            raise InputError(
                f"{path.name}{where}: {name} is {value}, which is no instant; write Unix seconds or 2021-05-19T12:00:00Z"
            ) from error
        seconds = since.dt.total_seconds().to_numpy(dtype=np.float64)
    low, high = (pd.Timestamp(year, 1, 1, tz="UTC").timestamp() for year in (FIRST_YEAR, LAST_YEAR))
    wrong = np.flatnonzero(~((seconds >= low) & (seconds < high)))
    if len(wrong):
        raise InputError(
            f"{path.name} row {frame.index[wrong[0]]}: {name} is {shown(column.iloc[wrong[0]])}, which is no time between {FIRST_YEAR} and {LAST_YEAR}; give Unix seconds or UTC text"
        )
    return np.asarray(seconds)


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
