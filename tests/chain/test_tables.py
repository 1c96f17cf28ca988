"""Tables keep every digit, refuse what their schema does not allow, and hash by content."""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.errors import SchemaError
from chain.snapshot import Anchor, from_rows, load, save
from chain.tables import Column, Row, TableSchema, content_hash, each_row, make, read, schemas, write
from chain.units import INT256_MAX, INT256_MIN, UINT256_MAX

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UINT256 = st.integers(0, UINT256_MAX) | st.sampled_from([0, 2**53 + 1, 2**63, 2**64, UINT256_MAX])
INT256 = st.integers(INT256_MIN, INT256_MAX) | st.sampled_from([INT256_MIN, -1, INT256_MAX])
TAIL = {"evidence": "test", "status": "unverified"}


def ticks(numbers: list[tuple[int, int]]) -> list[Row]:
    return [
        {"pool": "p", "tick": tick, "liquidity_net_raw": net, "liquidity_gross_raw": gross, **TAIL}
        for tick, (net, gross) in enumerate(numbers)
    ]


@FEW
@given(st.lists(st.tuples(INT256, UINT256), max_size=20))
def test_big_integers_survive_parquet(tmp_path: Path, numbers: list[tuple[int, int]]) -> None:
    schema = schemas()["pool_ticks"]
    write(schema, make(schema, ticks(numbers)), tmp_path / "t.parquet")
    stored, _ = read(schema, tmp_path / "t.parquet")
    assert list(zip(stored["liquidity_net_raw"], stored["liquidity_gross_raw"], strict=True)) == numbers
    assert all(type(value) is int for value in stored["liquidity_gross_raw"])


@settings(FEW, max_examples=8)
@given(st.lists(st.tuples(INT256, UINT256), min_size=1, max_size=20))
def test_a_snapshot_survives_its_folder(tmp_path: Path, numbers: list[tuple[int, int]]) -> None:
    anchors = (Anchor("eip155:1", 7, "0x07", 1_700_000_000),)
    before = from_rows("kept", anchors, {"pool_ticks": ticks(numbers)}, gaps=("a gap",), caption="made up")
    after = load(save(before, tmp_path / "kept"))
    assert after["pool_ticks"]["liquidity_net_raw"].tolist() == [net for net, _ in numbers]
    assert (after.content_id, after.anchors, after.gaps, after.caption) == (
        before.content_id,
        anchors,
        ("a gap",),
        "made up",
    )


@FEW
@given(st.lists(st.tuples(INT256, UINT256), min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_the_hash_knows_content_and_not_order(numbers: list[tuple[int, int]], shuffler: random.Random) -> None:
    schema, rows = schemas()["pool_ticks"], ticks(numbers)
    mixed = rows.copy()
    shuffler.shuffle(mixed)
    assert content_hash(schema, make(schema, rows)) == content_hash(schema, make(schema, mixed))
    changed = [dict(rows[0]) | {"liquidity_gross_raw": (rows[0]["liquidity_gross_raw"] + 1) % UINT256_MAX}, *rows[1:]]
    assert content_hash(schema, make(schema, rows)) != content_hash(schema, make(schema, changed))


WORDS = st.text(max_size=8) | st.sampled_from(['"', "\\", "\n", "é", "\u2028", "\x00", "NaN", "null"])


@FEW
@given(
    st.lists(
        st.tuples(WORDS, st.none() | st.floats(allow_nan=False, allow_infinity=False), st.none() | UINT256), max_size=5
    ),
    st.none() | st.booleans(),
)
def test_the_hash_is_of_json_rows(cells: list[tuple[str, float | None, int | None]], switch: bool | None) -> None:
    """Against Python's own writer of JSON, row by row: any text, float, missing cell and long integer."""
    columns = [("number", "int"), ("name", "string"), ("price", "float"), ("amount_raw", "uint256"), ("switch", "bool")]
    schema = TableSchema(
        "any", tuple(Column(name, kind, "", name == "number", "", False, "") for name, kind in columns)
    )
    rows = [(number, *some, switch) for number, some in enumerate(cells)]
    names = [name for name, _ in columns]
    expected = hashlib.sha256(json.dumps(names).encode())
    for number, name, price, amount, is_on in rows:
        row = [number, name, price, None if amount is None else str(amount), is_on]
        expected.update(b"\n" + json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode())
    table = make(schema, [dict(zip(names, row, strict=True)) for row in rows])
    assert content_hash(schema, table) == expected.hexdigest()
    found = [(row.number, row.name, row.amount_raw) for row in each_row(table)]
    assert found == [(number, name, amount) for number, name, _, amount, _ in rows] and {
        type(row[0]) for row in found
    } <= {int}


def test_cells_do_not_run_into_each_other_in_the_hash() -> None:
    schema = schemas()["protocols"]
    row = {"protocol": "p", "kind": "lending", **TAIL}
    hashes = {
        content_hash(schema, make(schema, [{**row, "name": name, "evidence": evidence}]))
        for name, evidence in (("ab", "c"), ("a", "bc"), ("abc", "-"))
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("liquidity_gross_raw", -1),
        ("liquidity_gross_raw", UINT256_MAX + 1),
        ("liquidity_gross_raw", 1.5),
        ("liquidity_gross_raw", "1"),
        ("liquidity_gross_raw", True),
        ("liquidity_gross_raw", None),
        ("liquidity_net_raw", INT256_MIN - 1),
        ("tick", 2**63),
        ("pool", 5),
        ("status", "certain"),
        ("colour", "red"),
    ],
)
def test_a_wrong_value_is_refused_by_name(column: str, value: Any) -> None:
    row = dict(ticks([(0, 0)])[0]) | {column: value}
    with pytest.raises(SchemaError, match=column):
        make(schemas()["pool_ticks"], [row])


def test_a_key_that_occurs_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="more than once"):
        make(schemas()["pool_ticks"], ticks([(0, 0)]) * 2)
