"""Goes through files that users bring and lists what is wrong with them, before a number is computed from them.

What a file is, is seen from its columns. Two price files are compared with each other as well: the same prices one bar apart mean that one of
them is stamped at the other end of its bars.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chain.errors import InputError, unknown_name
from chain.files import event_file_checks as events
from chain.files.book_file import REQUIRED as BOOK
from chain.files.book_file import read_book
from chain.files.book_file_checks import check_book
from chain.files.cells import column_names
from chain.files.event_files import DEPTH, LIQUIDATIONS
from chain.files.exposure_file import REQUIRED as EXPOSURES
from chain.files.exposure_file import read_exposures
from chain.files.file_findings import FileFinding, Noted
from chain.files.forecast_file import FORECASTS
from chain.files.frames import open_frame
from chain.files.price_comparison import compare
from chain.files.price_file_checks import PRICES, check_prices
from chain.files.price_files import Stamp
from chain.files.price_panel import FloatArray, Panel

CONTRACTS: Mapping[str, tuple[str, ...]] = {
    "prices": PRICES,
    "liquidations": LIQUIDATIONS,
    "book": BOOK,
    "exposures": EXPOSURES,
    "depth": DEPTH,
    "forecasts": FORECASTS,
    "table": (),
}
"""What a file can be, and its columns."""
MARKS = {
    "liquidations": {"collateral_symbol", "debt_symbol"},
    "book": {"position_id", "side"},
    "exposures": {"holder", "claim_on"},
    "depth": {"sold_asset", "bought_asset"},
    "forecasts": {"as_of", "horizon_hours"},
    "prices": {"symbol", "close"},
}
"""Columns by which a file is known."""


@dataclass(frozen=True)
class CheckedFile:
    """One file: what it was taken for, its size, and what was found; first and last instant in Unix seconds where it has instants."""

    file: str
    kind: str
    rows: int
    series: int
    first_s: float | None
    last_s: float | None
    findings: tuple[FileFinding, ...]

    @property
    def is_readable(self) -> bool:
        """Whether there was a table to look at."""
        return not any(one.kind == "unreadable" and one.row is None for one in self.findings)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(one.severity == "error" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return {
            "file": self.file,
            "kind": self.kind,
            "rows": self.rows,
            "series": self.series,
            "first": _iso(self.first_s),
            "last": _iso(self.last_s),
            "findings": [one.to_dict() for one in self.findings],
        }


def check_files(
    paths: Sequence[Path],
    now_s: float,
    kind: str | None = None,
    stamp: Stamp | None = None,
    bar_s: float | None = None,
    columns: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[CheckedFile, ...]:
    """Check files one by one, and price files against the first of them.

    Parameters
    ----------
    now_s : the instant of the check, Unix seconds.
    kind : a name of CONTRACTS; None to see it from the columns.
    stamp, bar_s : for price files that hold bars.
    columns : name in the contract -> name in the file.
    say : told what is being looked at.

    Raises
    ------
    InputError
        If `kind` is no kind. What is wrong with a file is never raised: it is found.
    """
    if kind is not None and kind not in CONTRACTS:
        raise unknown_name("kind of file", kind, CONTRACTS)
    checked, first = [], None
    for path in paths:
        noted = Noted(path.name)
        say(f"{path.name}: open")
        try:
            frame = open_frame(path, columns)
        except InputError as error:
            events.not_readable(noted, error, path)
            is_a = kind or _kind(column_names(path))
            checked.append(CheckedFile(path.name, is_a, 0, 0, None, None, tuple(noted.found)))
            continue
        is_a = kind or _kind(frame.columns)
        _case_of_columns(noted, frame.columns, is_a)
        time_s, series, rows = _check(
            noted, path, frame, is_a, now_s, stamp, bar_s, partial(_say, say, path.name), columns
        )
        if rows is not None and first is not None:
            say(f"{path.name}: compare with {first[0]}")
            compare(noted, rows, *first)
        first = first or ((path.name, rows) if rows is not None else None)
        known = time_s[np.isfinite(time_s)] if time_s is not None else np.empty(0)
        first_s, last_s = (float(known.min()), float(known.max())) if len(known) else (None, None)
        checked.append(CheckedFile(path.name, is_a, len(frame), series, first_s, last_s, tuple(noted.found)))
    return tuple(checked)


def _check(
    noted: Noted,
    path: Path,
    frame: pd.DataFrame,
    kind: str,
    now_s: float,
    stamp: Stamp | None,
    bar_s: float | None,
    say: Callable[[str], None],
    columns: Mapping[str, str] | None,
) -> tuple[FloatArray | None, int, Panel | None]:
    """Instants, number of series, sorted prices: what there is of them."""
    if kind == "prices":
        rows = check_prices(noted, frame, now_s, stamp, bar_s, say)
        return (rows.time_s, len(rows.symbols), rows) if rows is not None else (None, 0, None)
    if kind == "liquidations":
        return events.check_liquidations(noted, frame, now_s), 0, None
    if kind == "forecasts":
        return events.check_forecasts(noted, frame, now_s), 0, None
    if kind == "depth":
        events.check_depth(noted, frame)
    elif kind == "table":
        events.check_table(noted, frame)
    else:
        (check_book if kind == "book" else events.check_exposures)(noted, frame)
        if not columns:
            try:
                (read_book if kind == "book" else read_exposures)(path)
            except InputError as error:
                events.not_readable(noted, error, path, list(frame.columns))
    return None, 0, None


def _say(say: Callable[[str], None], name: str, what: str) -> None:
    say(f"{name}: {what}")


def _kind(columns: Iterable[str]) -> str:
    names = set(columns)
    return next((kind for kind, marks in MARKS.items() if marks <= names), "table")


def _case_of_columns(noted: Noted, columns: Iterable[str], kind: str) -> None:
    """Note columns that would make the file a known one if they were written in small letters."""
    meant = _kind(str(name).lower() for name in columns)
    if kind == "table" != meant:
        wrong = [str(name) for name in columns if str(name) != str(name).lower() in (*CONTRACTS[meant], *MARKS[meant])]
        noted.error(
            "column", f"a file of {meant} has {', '.join(wrong)} in small letters; write them so", column=wrong[0]
        )


def _iso(time_s: float | None) -> str | None:
    return None if time_s is None else pd.Timestamp(time_s, unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")
