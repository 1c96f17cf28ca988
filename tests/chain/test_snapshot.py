"""A damaged snapshot is refused with a sentence, and nothing of the user's is overwritten."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from chain.errors import SnapshotError
from chain.snapshot import MANIFEST, Anchor, Check, Snapshot, from_rows, load, save
from chain.tables import Column, Row, make, schemas, write


def small(name: str = "USD") -> Snapshot:
    row: Row = {
        "asset": f"iso4217:{name}",
        "symbol": name,
        "decimals": 2,
        "kind": "fiat",
        "evidence": "test",
        "status": "unverified",
    }
    block = Anchor("eip155:1", 5, "0x5e", 1_700_000_000)
    return from_rows(
        "small",
        (block,),
        {"assets": [row]},
        checks=(Check("assets", "a check", 2, ("one differs",)),),
        gaps=("pools were not read",),
        readers={"x": 1},
        caption="generated – not a chain",
    )


def truncate(folder: Path) -> None:
    file = folder / "assets.parquet"
    file.write_bytes(file.read_bytes()[:-20])


def flip(folder: Path) -> None:
    file = folder / "assets.parquet"
    middle = file.stat().st_size // 3
    raw = bytearray(file.read_bytes())
    raw[middle] ^= 0xFF
    file.write_bytes(raw)


def exchange(folder: Path) -> None:
    schema = schemas()["assets"]
    write(schema, make(schema, small("EUR")["assets"].to_dict("records")), folder / "assets.parquet")


def edit(folder: Path, **fields: object) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated table": (truncate, "assets.parquet"),
    "flipped byte": (flip, "assets.parquet"),
    "another table": (exchange, "hash differs"),
    "missing table": (lambda folder: (folder / "assets.parquet").unlink(), "missing"),
    "missing manifest": (lambda folder: (folder / MANIFEST).unlink(), "no snapshot"),
    "manifest is no JSON": (lambda folder: (folder / MANIFEST).write_text("{"), "damaged"),
    "manifest is a list": (lambda folder: (folder / MANIFEST).write_text("[]"), "damaged"),
    "manifest without anchors": (lambda folder: edit(folder, anchors=[{"number": 1}]), "damaged"),
    "another schema version": (lambda folder: edit(folder, schema_version=99), "schema version 99"),
    "another caption": (lambda folder: edit(folder, caption=""), "its own hash differs"),
    "another name": (lambda folder: edit(folder, name="large"), "its own hash differs"),
    "another content id": (lambda folder: edit(folder, content_id="as1-0000000000000000"), "its own hash differs"),
    "another block": (lambda folder: edit(folder, anchors=[]), "its own hash differs"),
    "a gap less": (lambda folder: edit(folder, gaps=[]), "its own hash differs"),
    "a check less": (lambda folder: edit(folder, checks=[]), "its own hash differs"),
    "no own hash, but the name of one": (lambda folder: edit(folder, manifest_sha256=""), "its own hash differs"),
    "an unknown table": (lambda folder: edit(folder, tables={"ghosts": {"rows": 1, "sha256": ""}}), "ghosts"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_seen_and_named(tmp_path: Path, damage: str) -> None:
    folder = save(small(), tmp_path / "kept")
    load(folder)
    harm, words = DAMAGES[damage]
    harm(folder)
    with pytest.raises(SnapshotError, match=words) as caught:
        load(folder)
    assert caught.value.exit_code == 3


def test_an_unfinished_folder_is_no_snapshot(tmp_path: Path) -> None:
    folder = save(small(), tmp_path / "kept")
    folder = folder.rename(tmp_path / "incomplete_kept")
    with pytest.raises(SnapshotError, match="unfinished"):
        load(folder)


def test_a_run_that_breaks_leaves_no_folder_under_the_final_name(tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(small(), tmp_path / "kept", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["incomplete_kept"]
    assert load(save(small(), tmp_path / "kept"))["assets"].shape[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_of_the_user_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(SnapshotError, match="not a snapshot"):
        save(small(), tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "dear"


def test_checks_and_readers_survive(tmp_path: Path) -> None:
    stored = load(save(small(), tmp_path / "kept"))
    assert stored.checks == (Check("assets", "a check", 2, ("one differs",)),)
    assert not stored.checks[0].passed
    assert dict(stored.readers) == {"x": 1}


def test_a_snapshot_of_before_a_column_was_added_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved with a schema that lacks an optional column, loaded with the whole: the column is empty, and damage is still seen."""
    whole = schemas()
    early = {**whole, "assets": replace(whole["assets"], columns=_without(whole["assets"].columns, "name"))}
    rows = [{key: value for key, value in row.items() if key != "name"} for row in small()["assets"].to_dict("records")]
    with monkeypatch.context() as before:
        before.setattr("chain.snapshot.schemas", lambda: early)
        folder = save(from_rows("small", (), {"assets": rows}), tmp_path / "kept")
    loaded = load(folder)["assets"]
    assert list(loaded.columns) == whole["assets"].names and loaded["name"].isna().all()
    exchange(folder)
    with pytest.raises(SnapshotError, match="hash differs"):
        load(folder)


def _without(columns: tuple[Column, ...], name: str) -> tuple[Column, ...]:
    return tuple(column for column in columns if column.name != name)


def test_what_is_done_to_a_table_leaves_the_loaded_snapshot_and_its_id_alone(tmp_path: Path) -> None:
    stored = load(save(small(), tmp_path / "small"))
    identity, table = stored.content_id, stored["assets"]
    table.loc[0, "symbol"] = "EUR"
    table["more"] = 0
    assert stored["assets"].columns.tolist() == schemas()["assets"].names and stored["assets"]["symbol"].tolist() == [
        "USD"
    ]
    assert stored.content_id == identity == small().content_id
    changed = replace(stored, tables={**stored.tables, "assets": stored["assets"].iloc[1:]})
    assert changed.content_id == from_rows("small", stored.anchors, {}).content_id != identity


def test_the_manifest_is_hashed_as_it_says(tmp_path: Path) -> None:
    """Its own hash follows from the file's text alone: keys sorted, no blanks, everything but the hash."""
    stored = json.loads((save(small(), tmp_path / "kept") / MANIFEST).read_text(encoding="utf-8"))
    said = stored.pop("manifest_sha256")
    assert said == sha256(json.dumps(stored, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_a_manifest_of_before_it_had_a_hash_is_read_and_told(tmp_path: Path) -> None:
    """What cannot be proven is said; a block that was changed is seen by the content id even there."""
    folder = save(small(), tmp_path / "kept")
    stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del stored["manifest_sha256"]
    (folder / MANIFEST).write_text(json.dumps(stored))
    *before, told = load(folder).gaps
    assert before == ["pools were not read"] and "cannot be told" in told and "content id" not in told
    edit(folder, anchors=[{**stored["anchors"][0], "number": 6}])
    told = load(folder).gaps[-1]
    assert f"content id is {small().content_id}, its blocks and tables now give as1-" in told
