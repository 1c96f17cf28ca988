"""Large files that users bring, CSV or Parquet, read as a frame: columns that must be there, and stamps as Unix seconds.

For books, where every digit counts, `chain.cells` reads text cell by cell; logs and price histories have millions of rows of measurements.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError

FIRST_YEAR, LAST_YEAR = 2009, 2100


def read_frame(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """All rows of a file (CSV, also compressed, or Parquet), with the columns that must be there; others are kept as they are.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, lacks a column, or leaves a required cell empty.
    """
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, EOFError) as error:  # pandas and pyarrow raise subclasses of these
        raise InputError(
            f"{path} cannot be read as {'Parquet' if path.suffix == '.parquet' else 'CSV'}: {error}"
        ) from error
    missing = [name for name in required if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path.name} has no column {', '.join(missing)}; its columns are {', '.join(map(str, frame.columns))}"
        )
    if frame.empty:
        raise InputError(f"{path.name} has a header and no rows")
    for name in required:
        empty = np.flatnonzero(frame[name].isna().to_numpy())
        if len(empty):
            raise InputError(f"{path.name} row {empty[0] + 1}: {name} is empty ({len(empty)} such rows)")
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
        try:
            instants = pd.to_datetime(column, utc=True)
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path.name}: {name} holds a value that is no instant ({error}); write Unix seconds or 2021-05-19T12:00:00Z"
            ) from error
        seconds = (instants - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=np.float64)
    low, high = (pd.Timestamp(year, 1, 1, tz="UTC").timestamp() for year in (FIRST_YEAR, LAST_YEAR))
    wrong = np.flatnonzero(~((seconds >= low) & (seconds < high)))
    if len(wrong):
        raise InputError(
            f"{path.name} row {wrong[0] + 1}: {name} is {column.iloc[wrong[0]]!r}, which is no time between {FIRST_YEAR} and {LAST_YEAR}; give Unix seconds or UTC text"
        )
    return np.asarray(seconds)


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
