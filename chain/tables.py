"""Typed tables: what a column is, whether a table keeps to its schema, and how it is written to Parquet without losing a digit.

The schema is data: `schema/<table>.csv` has one row a column (name, type, unit, key, required, description). The checks here, the
Parquet types and the schema page of the docs all derive from it. In memory a table is a pandas DataFrame whose uint256 and int256
columns hold Python ints (or None); on disk these are decimal text.
"""

import csv
import hashlib
import json
from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from json.encoder import encode_basestring
from math import isfinite
from operator import lt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from chain.errors import SchemaError, SnapshotError
from chain.units import INT256_MAX, INT256_MIN, UINT256_MAX, to_decimal_text

pd.set_option("mode.string_storage", "python")  # see MANY_ROWS
SCHEMA_VERSION = 1
SCHEMA_FOLDER = Path(__file__).parent / "schema"
_ARROW = {
    "string": pa.string(),
    "enum": pa.string(),
    "uint256": pa.string(),
    "int256": pa.string(),
    "int": pa.int64(),
    "timestamp": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
}
_IN_MEMORY = {
    "string": str,
    "enum": str,
    "uint256": int,
    "int256": int,
    "int": int,
    "timestamp": int,
    "float": float,
    "bool": bool,
}
_TEXT, _MUCH_TEXT = pd.StringDtype("python", na_value=np.nan), pd.StringDtype("pyarrow", na_value=np.nan)
_DTYPES = {  # made once: pandas looks for the meaning of a name as long as it takes to make a short column
    "string": _TEXT,
    "enum": _TEXT,
    "int": pd.Int64Dtype(),
    "timestamp": pd.Int64Dtype(),
    "bool": pd.BooleanDtype(),
}
MANY_ROWS = 10_000
"""From so many rows on, the text of a table is kept as Arrow has it, in less memory. Elsewhere it is Python's (the option above): pandas
makes and reads short lists of that far sooner, and a question is made of them."""
_RANGES = {
    "uint256": (0, UINT256_MAX),
    "int256": (INT256_MIN, INT256_MAX),
    "int": (-(2**63), 2**63 - 1),
    "timestamp": (0, 2**63 - 1),
}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: `kind` is string, enum, uint256, int256, int, timestamp (seconds, UTC), float or bool."""

    name: str
    kind: str
    unit: str
    is_key: bool
    refers_to: str
    required: bool
    description: str
    choices: tuple[str, ...] = ()

    @property
    def is_big(self) -> bool:
        """Whether the values need more than 64 bits."""
        return self.kind in ("uint256", "int256")


@dataclass(frozen=True)
class TableSchema:
    """The columns of one table, in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def keys(self) -> list[str]:
        """Names of the columns that together identify a row."""
        return [column.name for column in self.columns if column.is_key]

    @property
    def names(self) -> list[str]:
        """Names of all columns."""
        return [column.name for column in self.columns]


def read_schema(path: Path) -> TableSchema:
    """Read one schema file; SchemaError names the file and line that cannot be used."""
    columns = []
    with path.open(newline="", encoding="utf-8") as handle:
        for line, row in enumerate(csv.DictReader(handle), start=2):
            kind, _, choices = row["type"].partition(":")
            if kind not in _ARROW or row["required"] not in ("yes", "no"):
                raise SchemaError(
                    f"{path.name} line {line}: type {row['type']!r} or required {row['required']!r} is not known"
                )
            marks = row["key"].split()
            refers_to = next((mark.removeprefix("fk:") for mark in marks if mark.startswith("fk:")), "")
            columns.append(
                Column(
                    row["column"],
                    kind,
                    row["unit"],
                    "pk" in marks,
                    refers_to,
                    row["required"] == "yes",
                    row["description"],
                    tuple(choices.split("/")) if choices else (),
                )
            )
    return TableSchema(path.stem, tuple(columns))


@cache
def schemas() -> dict[str, TableSchema]:
    """Every table of a snapshot by name."""
    return {path.stem: read_schema(path) for path in sorted(SCHEMA_FOLDER.glob("*.csv"))}


def make(schema: TableSchema, rows: Iterable[Row]) -> pd.DataFrame:
    """A checked table from rows; a column that a row does not name is empty.

    Raises
    ------
    SchemaError
        On an unknown or missing column, a value of the wrong type, out of range or not among the choices, or a key that occurs twice.
    """
    records = [dict(row) for row in rows]
    known = set(schema.names)
    for record in records:
        if not known.issuperset(record):
            raise SchemaError(
                f"table {schema.name} has no column {sorted(set(record) - known)}; known are {schema.names}"
            )
    return of_columns(schema, {name: [record.get(name) for record in records] for name in schema.names})


def check(schema: TableSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the schema's column order and types and its rows sorted by key; SchemaError if it breaks the schema."""
    return of_columns(schema, {name: frame[name].tolist() for name in frame.columns})


def of_columns(schema: TableSchema, columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """A checked table from the values of its columns, which must be those of the schema, in order; rows sorted by key."""
    if list(columns) != schema.names:
        missing, extra = set(schema.names) - set(columns), set(columns) - set(schema.names)
        raise SchemaError(f"table {schema.name}: missing columns {sorted(missing)}, unexpected columns {sorted(extra)}")
    checked = {column.name: _checked(schema, column, columns[column.name]) for column in schema.columns}
    order = _order(schema, [checked[name] for name in schema.keys])
    if order is not None:
        checked = {name: [values[row] for row in order] for name, values in checked.items()}
    return pd.DataFrame({column.name: _array(column, checked[column.name]) for column in schema.columns})


def _order(schema: TableSchema, keys: Sequence[Sequence[Any]]) -> list[int] | None:
    """Rows in the order of their keys, empty ones last; None where they stand in it already. SchemaError if a key occurs twice."""
    rows: list[tuple[Any, ...]] = list(zip(*keys, strict=True))
    if any(None in values for values in keys):
        rows = [tuple((value is None, value if value is not None else 0) for value in row) for row in rows]
    if all(map(lt, rows, rows[1:])):
        return None
    order = sorted(range(len(rows)), key=rows.__getitem__)
    for one, other in pairwise(order):
        if rows[one] == rows[other]:
            key = dict(zip(schema.keys, (values[one] for values in keys), strict=True))
            raise SchemaError(f"table {schema.name}: key {key} occurs more than once")
    return order


def _checked(schema: TableSchema, column: Column, values: Sequence[Any]) -> list[Any]:
    """The values of one column as Python has them, every one checked."""
    if _are_plain(column, values):
        return list(values)
    clean = [
        None if value is None or value is pd.NA or (value.__class__ is float and value != value) else value
        for value in values
    ]
    return clean if _are_plain(column, clean) else _each_checked(schema, column, clean)


def _array(column: Column, values: Sequence[Any]) -> Any:
    """One column in its in-memory type."""
    if column.is_big or column.kind == "float":
        return np.array(values, dtype=object if column.is_big else np.float64)
    is_much = column.kind in ("string", "enum") and len(values) >= MANY_ROWS
    return pd.array(values, dtype=_MUCH_TEXT if is_much else _DTYPES[column.kind])


def _are_plain(column: Column, values: Sequence[Any]) -> bool:
    """Whether a whole column is what it should be, asked at once; if False, each value has to be looked at."""
    kinds = set(map(type, values))
    if type(None) in kinds:
        if column.required:
            return False
        kinds.discard(type(None))
        values = [value for value in values if value is not None]
    if not kinds <= {_IN_MEMORY[column.kind]}:
        return False
    if column.kind in _RANGES and values:
        low, high = _RANGES[column.kind]
        return bool(low <= min(values) and max(values) <= high)
    if column.kind == "float":
        return all(map(isfinite, values))
    return not column.choices or set(values) <= set(column.choices)


def _each_checked(schema: TableSchema, column: Column, values: Sequence[Any]) -> list[Any]:
    clean: list[Any] = []
    for row, value in enumerate(values):
        if value is None or (isinstance(value, float) and value != value):
            if column.required:
                raise SchemaError(f"table {schema.name}, row {row}: {column.name} is required and empty")
            clean.append(None)
            continue
        clean.append(_value(schema, column, row, value))
    return clean


def _value(schema: TableSchema, column: Column, row: int, value: Any) -> Any:
    where = f"table {schema.name}, row {row}, column {column.name}"
    if column.kind in _RANGES:
        low, high = _RANGES[column.kind]
        number = int(value) if not isinstance(value, (str, bool)) and int(value) == value else None
        if number is None or not low <= number <= high:
            raise SchemaError(f"{where}: {value!r} is no {column.kind}")
        return number
    if column.kind in ("string", "enum"):
        if not isinstance(value, str) or (column.choices and value not in column.choices):
            raise SchemaError(
                f"{where}: {value!r} is not " + (f"one of {', '.join(column.choices)}" if column.choices else "text")
            )
        return value
    if column.kind == "bool":
        if not isinstance(value, bool) and not (hasattr(value, "item") and isinstance(value.item(), bool)):
            raise SchemaError(f"{where}: {value!r} is neither true nor false")
        return bool(value)
    number_float = float(value)
    if number_float in (float("inf"), float("-inf")):
        raise SchemaError(f"{where}: {value!r} is not finite")
    return number_float


def each_row(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, one attribute a column, values as Python has them; `itertuples` takes five times as long over text."""
    columns = [column.tolist() for _, column in frame.items()]
    return map(_row_type(tuple(frame.columns))._make, zip(*columns, strict=True))


@cache
def _row_type(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - the columns are not known before


def to_arrow(schema: TableSchema, frame: pd.DataFrame) -> pa.Table:
    """The table in its stored form: big integers as canonical decimal text, column comments from the schema."""
    arrays, fields = [], []
    for column in schema.columns:
        values = frame[column.name].tolist()
        if column.is_big:
            values = [None if value is None else to_decimal_text(value) for value in values]
        values = [
            None if value is pd.NA or (isinstance(value, float) and value != value) else value for value in values
        ]
        arrays.append(pa.array(values, type=_ARROW[column.kind]))
        fields.append(
            pa.field(
                column.name,
                _ARROW[column.kind],
                nullable=not column.required,
                metadata={"unit": column.unit, "type": column.kind},
            )
        )
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def write(schema: TableSchema, frame: pd.DataFrame, path: Path) -> None:
    """Write one table as Parquet (zstd); same rows, same bytes for one pyarrow version."""
    pq.write_table(to_arrow(schema, frame), path, compression="zstd")


def read(schema: TableSchema, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """One table, and the columns that its file has; SnapshotError when it is no readable Parquet, SchemaError when it breaks the schema.

    Columns that a later version of the program added, and that may be empty, are empty in files of before.
    """
    try:
        with pq.ParquetFile(path) as file:
            stored = file.read(use_threads=False)  # threads cost more than columns of this size give
    except (OSError, pa.ArrowException) as error:
        raise SnapshotError(
            f"{path.name} cannot be read as Parquet ({str(error).splitlines()[0]}); take the snapshot again or restore the file"
        ) from error
    data = {name: stored.column(name).to_pylist() for name in stored.column_names}
    data |= {
        later.name: [None] * len(stored) for later in schema.columns if later.name not in data and not later.required
    }
    data = {name: data[name] for name in [*schema.names, *data] if name in data}
    for column in schema.columns:
        if column.is_big and column.name in data:
            data[column.name] = [None if text is None else _parse(schema, column, text) for text in data[column.name]]
    return of_columns(schema, data), list(stored.column_names)


def _parse(schema: TableSchema, column: Column, text: Any) -> int:
    try:
        return int(text)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"table {schema.name}, column {column.name}: {text!r} is no {column.kind}") from error


def content_hash(schema: TableSchema, frame: pd.DataFrame, only: Collection[str] | None = None) -> str:
    """SHA-256 over the rows in key order, each as a canonical JSON list (big integers as text, floats by their shortest text).

    Independent of the file format, the library version and the order in which rows were read. `only`: the columns that count, where a file
    was written before others were added.
    """
    columns = [column for column in schema.columns if only is None or column.name in only]
    digest = hashlib.sha256(json.dumps([column.name for column in columns]).encode())
    for row in zip(*(_canonical(column, frame[column.name].tolist()) for column in columns), strict=True):
        digest.update(("\n[" + ",".join(row) + "]").encode())
    return digest.hexdigest()


def _canonical(column: Column, values: Sequence[Any]) -> list[str]:
    """Each value of a column as JSON, as `json.dumps(value, ensure_ascii=False)` has it."""
    texts: dict[str, Callable[[Any], str]] = {"string": encode_basestring, "enum": encode_basestring, "float": repr}
    texts |= {"uint256": _quoted, "int256": _quoted, "bool": lambda value: "true" if value else "false"}
    text = texts.get(column.kind, str)
    return ["null" if value is None or value is pd.NA or value != value else text(value) for value in values]


def _quoted(value: int) -> str:
    return f'"{to_decimal_text(value)}"'
