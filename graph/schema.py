"""What the graph consists of: node kinds and relation kinds, read from `schema/nodes/*.csv` and `schema/relations/*.csv`.

Each file describes one table, column by column, like the tables of `chain`. In a relation the rows `source` and `target` carry in
`unit` the node kinds that may stand there ("node: account/vault/pool").
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from chain.errors import SchemaError
from chain.tables import TableSchema, of_columns, read_schema

SCHEMA_FOLDER = Path(__file__).parent / "schema"
_VALUES = ("amount_usd", "supplied_usd", "reserve_usd", "capacity_usd")
_ENDS = "node: "


@dataclass(frozen=True)
class RelationSchema:
    """One relation kind: its columns, and the node kinds that it may start from and lead to."""

    table: TableSchema
    sources: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def value_column(self) -> str | None:
        """The column that says how much the relation is worth in USD, if it has one."""
        return next((name for name in _VALUES if name in self.table.names), None)

    @property
    def labels(self) -> list[str]:
        """Key columns other than the ends: what tells two relations of one kind between the same nodes apart."""
        return [name for name in self.table.keys if name not in ("source", "target")]


@cache
def node_schemas() -> dict[str, TableSchema]:
    """Every node kind by name."""
    return {path.stem: read_schema(path) for path in sorted((SCHEMA_FOLDER / "nodes").glob("*.csv"))}


@cache
def relation_schemas() -> dict[str, RelationSchema]:
    """Every relation kind by name; SchemaError if an end names no node kind or one that does not exist."""
    found = {}
    for path in sorted((SCHEMA_FOLDER / "relations").glob("*.csv")):
        table = read_schema(path)
        ends = {column.name: column.unit for column in table.columns}
        found[path.stem] = RelationSchema(
            table, _kinds(path.name, ends.get("source")), _kinds(path.name, ends.get("target"))
        )
    return found


def typed(schema: TableSchema, frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with all columns of the schema, in order, checked and sorted by key; a column it lacks is empty."""
    empty = [None] * len(frame)
    return of_columns(schema, {name: frame[name].tolist() if name in frame else empty for name in schema.names})


def _kinds(file: str, unit: str | None) -> tuple[str, ...]:
    kinds = tuple((unit or "").removeprefix(_ENDS).split("/"))
    unknown = sorted(set(kinds) - set(node_schemas()))
    if unit is None or not unit.startswith(_ENDS) or unknown:
        raise SchemaError(f"{file}: source and target must name node kinds as 'node: a/b', found {unit!r}")
    return kinds
