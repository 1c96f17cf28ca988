"""Write docs/schema.md: every table, node kind and relation kind with its columns, straight from the schema files.

Run it as `make docs-schema` after a change of a schema file; a test compares the committed page with what this would write.
"""

import sys
from pathlib import Path

from chain.tables import SCHEMA_VERSION, Column, TableSchema, read_schema, schemas

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "schema.md"
GRAPH_SCHEMA = ROOT / "graph" / "schema"
RANGED = ("liquidations", "rates", "transfers", "parameter_changes", "deficits", "proposals", "observations", "blocks")
REPEATED = ("evidence", "status")  # the last columns of every table: described once

INTRODUCTION = f"""# The schema

*Written from the schema files by `make docs-schema`; do not edit by hand.* Schema version {SCHEMA_VERSION}.

Tables are the truth, graphs are views of them. A column may be added; its meaning, type and unit never change
([decision 0003](decisions/0003-tables-beyond-the-plan.md); [three foreign designs](foreign-designs.md) show that none has to).

- **Key**: the columns marked *key* identify a row together; `→ table.column` names the column a value refers to.
- **Type**: `uint256` and `int256` are exact integers, stored as decimal text ([decision 0002](decisions/0002-big-integers-as-text.md));
  `timestamp` is seconds since 1970, UTC; an enumeration lists its values.
- A column may be empty unless it is marked *required*.
- Every row ends with `evidence` and, but for nodes of the graph, `status`:
"""


def page() -> str:
    """The whole page."""
    tables = schemas()
    repeated = [column for column in next(iter(tables.values())).columns if column.name in REPEATED]
    parts = [INTRODUCTION + "\n".join(f"  - `{column.name}`: {column.description}" for column in repeated)]
    parts.append("## Tables of a snapshot, at one block")
    parts += [section(schema) for name, schema in tables.items() if name not in RANGED]
    parts.append("## Tables over a range of blocks\n\nAppend only, no gaps, no doubles.")
    parts += [section(tables[name]) for name in sorted(RANGED)]
    for folder, title in (("nodes", "Node kinds of the graph"), ("relations", "Relation kinds of the graph")):
        parts.append(f"## {title}")
        parts += [section(read_schema(path)) for path in sorted((GRAPH_SCHEMA / folder).glob("*.csv"))]
    return "\n\n".join(parts) + "\n"


def section(schema: TableSchema) -> str:
    """One table of columns, under its name."""
    head = ["| column | type | unit | key | description |", "|---|---|---|---|---|"]
    return "\n".join([f"### {schema.name}", "", *head, *(line(c) for c in schema.columns if c.name not in REPEATED)])


def line(column: Column) -> str:
    """One column as a row of Markdown."""
    kind = " · ".join(column.choices) if column.choices else column.kind
    marks = [
        "key" if column.is_key else "required" if column.required else "",
        f"→ {column.refers_to}" if column.refers_to else "",
    ]
    cells = [f"`{column.name}`", kind, column.unit, " ".join(filter(None, marks)), column.description]
    escaped = [cell.replace("|", "\\|").replace("<", "&lt;").replace("**", "\\*\\*") for cell in cells]
    return "| " + " | ".join(escaped) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(schemas())} tables\n")
