"""The schema files: every table of the design is there, and each file can be built on."""

import pytest

from chain.tables import SCHEMA_FOLDER, schemas

DESIGNED = [
    "entities",
    "assets",
    "protocols",
    "markets",
    "reserves",
    "categories",
    "positions",
    "feeds",
    "prices",
    "pools",
    "pool_assets",
    "pool_ticks",
    "pool_positions",
    "bands",
    "depth",
    "backings",
    "balances",
    "queues",
    "backstops",
    "auctions",
    "authorities",
    "liquidations",
    "rates",
    "transfers",
    "parameter_changes",
    "deficits",
    "proposals",
    "observations",
    "blocks",
]


def test_every_designed_table_has_a_schema() -> None:
    assert sorted(schemas()) == sorted(DESIGNED)
    assert {path.suffix for path in SCHEMA_FOLDER.iterdir()} == {".csv"}


@pytest.mark.parametrize("name", DESIGNED)
def test_a_schema_is_whole(name: str) -> None:
    schema = schemas()[name]
    assert len(set(schema.names)) == len(schema.names)
    assert schema.keys, "a table needs a key"
    assert all(column.required for column in schema.columns if column.is_key)
    assert {"evidence", "status"} <= {column.name for column in schema.columns if column.required}
    for column in schema.columns:
        assert column.description and not column.description.endswith("."), column
        assert column.kind != "enum" or len(column.choices) > 1, column
        assert not column.name.endswith("_usd") or column.unit.startswith("USD"), column
        assert not column.name.endswith(("_wad", "_ray")) or column.unit.startswith("1e-"), column


def test_every_reference_leads_to_a_column() -> None:
    for schema in schemas().values():
        for column in schema.columns:
            if column.refers_to:
                table, _, target = column.refers_to.partition(".")
                assert target in schemas()[table].names, f"{schema.name}.{column.name} refers to {column.refers_to}"
                assert target in schemas()[table].keys, f"{column.refers_to} is no part of its table's key"
