"""Tables keep every digit, refuse what their schema does not allow, and hash by content."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.errors import SchemaError
from chain.snapshot import Anchor, from_rows, load, save
from chain.tables import Row, content_hash, make, read, schemas, write
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
    stored = read(schema, tmp_path / "t.parquet")
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
