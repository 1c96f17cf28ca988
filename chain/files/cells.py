"""Opens a user's table, CSV (UTF-8) or Parquet, as rows of text with their numbers, and holds its columns to what is expected."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from chain.errors import InputError, unknown_name
from chain.files.book_rows import decimal_places

MOST_DIGITS = 40
SHOWN = 200


def read_cells(path: Path, required: Sequence[str], optional: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(row number, cells as text by column) for every row; CSV rows are counted as a spreadsheet does, the header being row 1.

    Raises
    ------
    InputError
        If the file cannot be read, a required column is missing, a column is unknown or occurs twice, or a row is ragged.
    """
    known = [*required, *optional]
    header, body = _opened(path, required)
    missing = [name for name in required if name not in header]
    if missing and len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise InputError(
            f"{path}: the first row is one cell, {header[0][:60]!r}; save the file with commas between the columns"
        )
    if "" in header:
        raise InputError(
            f"{path}: column {header.index('') + 1} has no name; remove the comma at the end of the first row, or name it"
        )
    if missing:
        raise InputError(
            f"{path}: column {', '.join(missing)} is missing; it needs {', '.join(required)} and has {', '.join(header)[:SHOWN]}"
        )
    for name in header:
        if name not in known:
            raise InputError(f"{path}: {unknown_name('column', name, known)}")
    if len(set(header)) < len(header):
        raise InputError(f"{path}: a column occurs twice in {', '.join(header)}; keep one")
    return [(number, dict(zip(header, cells, strict=True))) for number, cells in body]


def column_names(path: Path) -> list[str]:
    """The columns of a table as they are written; none where it cannot be read, which `read_cells` then explains."""
    try:
        return _opened(path, ())[0]
    except InputError:
        return []


def _opened(path: Path, required: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); give a CSV or Parquet file") from error
    if raw[:4] == b"PAR1" or path.suffix.lower() == ".parquet":
        return _parquet(path)
    return _csv(path, raw, required)


def _csv(path: Path, raw: bytes, required: Sequence[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8 CSV or as Parquet"
        ) from error
    if not text.strip():
        raise InputError(f"{path} is empty; it needs the columns {', '.join(required)} and rows")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise InputError(f"{path} is no readable CSV ({error}); save it again as CSV with commas") from error
    header = [name.strip() for name in rows[0]]
    body = [(number, [cell.strip() for cell in cells]) for number, cells in enumerate(rows[1:], start=2) if any(cells)]
    for number, cells in body:
        if len(cells) != len(header):
            raise InputError(
                f"{path} row {number}: {len(cells)} cells under {len(header)} columns; check commas and quotes"
            )
    return header, body


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is no readable Parquet ({str(error).splitlines()[0]}); write it again") from error
    columns = [
        ["" if value is None else str(value).strip() for value in column.to_pylist()] for column in table.columns
    ]
    return list(table.column_names), [
        (number, list(cells)) for number, cells in enumerate(zip(*columns, strict=True), 1)
    ]


def number(where: str, field: str, text: str, above_zero: bool = False) -> Decimal:
    """A finite number that is not negative (or is above zero), read digit by digit; InputError names the row, the field and the value."""
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InputError(f"{where}: {field} is {text!r}; write a plain number such as 12.5") from error
    if not value.is_finite() or value < 0 or (above_zero and value == 0):
        wanted = "above zero" if above_zero else "that is not negative"
        raise InputError(f"{where}: {field} is {text!r}; give a finite number {wanted}")
    if value.adjusted() > MOST_DIGITS or value.adjusted() < -MOST_DIGITS or decimal_places(value) > MOST_DIGITS:
        raise InputError(f"{where}: {field} is {text!r}; that is beyond {MOST_DIGITS} digits before or after the point")
    return value
