"""What is wrong with a user's file, as values: one finding a kind of problem, with the file, the first row, the column and the value.

A reader stops at the first problem; a check goes through the whole file and lists them. `error`: a number read from the file would be wrong, or
the file cannot be read. `warning`: it may be right, and somebody should know.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Severity = Literal["error", "warning"]
MOST_VALUE = 60

KINDS = {
    "unreadable": "the file is no table: damaged, ragged, no commas between its cells",
    "refused": "a row, or a column, that a reader refuses for a reason that is none of those below",
    "column": "a column that the contract asks for is missing, or one has no name",
    "empty": "empty cells: an error where the contract needs a value",
    "number": "text where a number must be",
    "range": "a number outside the range of its column, or no whole one where one must be",
    "not_above_zero": "a price or an amount that is zero or negative",
    "digits": "whole numbers beyond 2^53 held as decimals: their last digits are lost",
    "stamp": "no instant, or one outside 2009 to 2100",
    "stamp_unit": "milli-, micro- or nanoseconds where seconds are asked for",
    "stamp_unsaid": "nothing says whether a stamp is the beginning or the end of what it stands for",
    "zone": "stamps carry a time zone other than UTC, or only some carry one",
    "zone_unsaid": "stamps without a time zone; they are read as UTC",
    "daylight": "an hour is missing in spring and doubled in autumn: local time, not UTC",
    "date_order": "day and month can be mistaken for each other",
    "future": "stamps after the instant of the check",
    "bar_length": "the usual distance of two rows is not the length of a bar that was stated",
    "mixed_bars": "bars of several lengths in one file or one series",
    "irregular": "rows do not stand on a grid of time",
    "repeated": "a row stands there twice",
    "contradicting": "one instant, or one asset of a market, has two prices; one pair or position has two rows",
    "gap": "rows are missing in a series",
    "jump": "a series moves alone, far beyond what it usually does, and stays there",
    "spike": "the same, and comes back within two days (or two rows, where rows are rarer)",
    "redenomination": "a series moves by a power of ten and stays there",
    "splice": "two series under one name: the level changes after a gap or more than twentyfold at once",
    "unit_slip": "some rows of a series are a power of ten off the others",
    "raw_units": "amounts in smallest units where whole tokens are asked for",
    "mixed_units": "amounts of one asset in smallest units in some rows and in whole tokens in others",
    "frozen": "equal closes for much longer than in the rest of the series",
    "zero_volume": "bars in which nothing was traded",
    "ohlc": "the high is not the highest or the low not the lowest of a bar",
    "short": "a series much shorter than the others",
    "survivors": "series begin at different times and none has ended: what died may have been left out",
    "look_alike": "names that differ by a digit at the end (a source's ticker of another coin?) or by case only (in prices one asset, elsewhere several)",
    "per_cent": "a share in per cent, or from 0 to 1, where basis points are asked for",
    "no_identity": "events without a transaction: two equal ones cannot be told from one written twice",
    "several_pools": "events of several markets in one log",
    "not_rising": "a larger sale brings less",
    "not_concave": "a unit of a larger sale brings more than one of a smaller sale",
    "quantiles": "quantiles that cross, or do not fit the variance",
    "shifted": "the same prices as in another file, one or more bars apart",
    "disagrees": "prices that differ from another file's, or from another market's in one book",
    "copied": "the very prices of another file: no second source",
    "same_key": "rows whose texts are equal and whose numbers are not",
}
"""Kind of finding -> what it means."""


@dataclass(frozen=True)
class FileFinding:
    """One problem: `row` is the first that has it (as in the file; None for the whole file), `rows` how many do."""

    kind: str
    severity: Severity
    file: str
    row: int | None
    column: str
    symbol: str
    value: str
    rows: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return asdict(self)


@dataclass
class Noted:
    """Collects the findings of one file."""

    file: str
    found: list[FileFinding] = field(default_factory=list)

    def note(
        self,
        severity: Severity,
        kind: str,
        sentence: str,
        row: int | None = None,
        column: str = "",
        symbol: str = "",
        value: Any = "",
        rows: int = 1,
    ) -> None:
        """Add one; KeyError if its kind is not listed above."""
        text = KINDS[kind] and str(value)
        text = text if len(text) <= MOST_VALUE else text[: MOST_VALUE - 1] + "…"
        self.found.append(FileFinding(kind, severity, self.file, row, column, symbol, text, rows, sentence))

    def error(self, kind: str, sentence: str, **where: Any) -> None:
        """Add an error."""
        self.note("error", kind, sentence, **where)

    def warn(self, kind: str, sentence: str, **where: Any) -> None:
        """Add a warning."""
        self.note("warning", kind, sentence, **where)

    def rows(
        self,
        severity: Severity,
        kind: str,
        frame: pd.DataFrame,
        column: str,
        wrong: npt.NDArray[np.bool_],
        sentence: str,
    ) -> None:
        """Add one for all rows where `wrong`, if any: the first row and its value, how many they are."""
        places = np.flatnonzero(wrong)
        if len(places):
            cells = [frame[name].iloc[places[0]] if name in frame.columns else "" for name in (column, "symbol")]
            value, symbol = ("" if pd.isna(cell) else cell for cell in cells)
            row = int(frame.index[places[0]])
            self.note(
                severity, kind, sentence, row=row, column=column, symbol=str(symbol), value=value, rows=len(places)
            )


def needed(noted: Noted, frame: pd.DataFrame, required: tuple[str, ...], may_be_empty: tuple[str, ...] = ()) -> bool:
    """Whether all columns are there; empty cells in them are errors, those in other columns warnings unless they may be empty."""
    missing = [name for name in required if name not in frame.columns]
    for name in missing:
        noted.error(
            "column", f"column {name} is missing; its columns are {', '.join(map(str, frame.columns))}", column=name
        )
    empties(noted, frame.drop(columns=[name for name in may_be_empty if name in frame.columns]), required)
    return not missing


def empties(noted: Noted, frame: pd.DataFrame, required: tuple[str, ...] = ()) -> None:
    """Note empty cells column by column, and columns without a name."""
    for name in frame.columns:
        empty = frame[name].isna().to_numpy()
        share = empty.mean()
        if not share:
            continue
        first = frame.index[np.flatnonzero(~empty)[0]] if share < 1 else None
        filled = "no cell is filled" if first is None else f"the first that is filled is in row {first}"
        noted.rows(
            "error" if name in required else "warning",
            "empty",
            frame,
            str(name),
            empty,
            f"{share:.1%} of the cells are empty; {filled}",
        )
    for name in frame.columns:
        if str(name).startswith("Unnamed:"):
            noted.warn("column", "this column has no name: an index that was written with the table?", column=str(name))


def numbers(noted: Noted, frame: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """A column as floats, NaN where a cell is empty or no number, which is noted."""
    column = frame[name]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(values) & column.notna().to_numpy()
    noted.rows("error", "number", frame, name, wrong, "is no finite number; write plain numbers such as 12.5")
    return np.where(np.isfinite(values), values, np.nan)


def above_zero(noted: Noted, frame: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """The same, NaN also where a number is zero or negative, which is noted."""
    values = numbers(noted, frame, name)
    noted.rows("error", "not_above_zero", frame, name, values <= 0, "is not above zero")
    return np.where(values > 0, values, np.nan)


def repeated(noted: Noted, frame: pd.DataFrame) -> None:
    """Note rows that stand there twice."""
    again = frame.duplicated().to_numpy()
    noted.rows("error", "repeated", frame, str(frame.columns[0]), again, "the whole row equals an earlier one")


def contradicting(noted: Noted, frame: pd.DataFrame, key: list[str], column: str) -> None:
    """Note rows whose key, all of it filled, is an earlier row's."""
    again = frame.duplicated(key).to_numpy() & frame[key].notna().all(axis=1).to_numpy()
    sentence = f"{', '.join(key)} are those of an earlier row; keep one, or add them up"
    noted.rows("error", "contradicting", frame, column, again, sentence)


def alike(noted: Noted, frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Note names that differ by case only, over all of the columns together; `what` they are then, in words."""
    names = pd.concat([frame[name].dropna().astype("str").to_frame("name").assign(column=name) for name in columns])
    names = names.rename_axis("row").reset_index().sort_values("row", kind="stable")
    for _, same in names.groupby(names["name"].str.lower()):
        first, other = same.iloc[0], same[same["name"] != same["name"].iloc[0]]
        if len(other):
            row = other.iloc[0]
            sentence = f"differs by case only from {first['name']} in row {first['row']}: they are {what}"
            where = {"row": int(row["row"]), "column": row["column"], "symbol": row["name"], "value": row["name"]}
            noted.warn("look_alike", sentence, rows=len(other), **where)
