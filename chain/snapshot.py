"""Snapshot: what was read, as one value. All tables at one block per chain, the checks they passed, and a folder that keeps both.

A folder holds one Parquet file a table and `manifest.json`. It is written inside `incomplete_<name>` and moved out of it when it is
whole, so a folder under its final name is never half a snapshot. The content id is a hash over the schema version, the anchors and
the tables' canonical rows: same content, same id, on any machine. What the id leaves out (caption, checks, gaps) is under the manifest's
own hash, so that none of it can be changed by hand without a word.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from chain.errors import SnapshotError
from chain.tables import SCHEMA_VERSION, Row, TableSchema, content_hash, make, read, schemas, write

MANIFEST = "manifest.json"
OWN_HASH = "manifest_sha256"


@dataclass(frozen=True)
class Anchor:
    """The block a chain was read at: CAIP-2 id, number, hash, timestamp (seconds, UTC)."""

    chain: str
    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True)
class Check:
    """One comparison of the tables with the chain: how many subjects were compared and which of them differed.

    `failures` holds one sentence for each difference, with what was expected and found; `note` what else is to be known, such as the
    residual where the chain keeps no exact sum.
    """

    table: str
    name: str
    compared: int
    failures: tuple[str, ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing differed."""
        return not self.failures


@dataclass(frozen=True)
class Snapshot:
    """Tables at one block per chain.

    Attributes
    ----------
    name : label for people, also the folder's name.
    caption : what every number shown from it must be captioned with; empty for a plain read of a live chain.
    anchors : one block per chain.
    tables : every table of `chain/schema`, empty where nothing was read.
    checks : comparisons with the chain that were made while reading.
    gaps : what is known to exist and was not read, in sentences.
    readers : reader name -> version.
    """

    name: str
    anchors: tuple[Anchor, ...]
    tables: Mapping[str, pd.DataFrame]
    checks: tuple[Check, ...] = ()
    gaps: tuple[str, ...] = ()
    readers: Mapping[str, int] = field(default_factory=dict)
    caption: str = ""
    hashed: Mapping[str, tuple[pd.DataFrame, str]] = field(default_factory=dict, repr=False, compare=False)
    """Tables with the hash that `load` found them to have; it holds for that very table."""

    def __getitem__(self, table: str) -> pd.DataFrame:
        """One table by name, what is done to it leaves the snapshot's alone; KeyError for a table that the schema does not have."""
        return self.tables[table].copy(deep=False)

    @property
    def table_hashes(self) -> dict[str, str]:
        """SHA-256 of each table's canonical rows."""
        return {name: self._hash(name, schema) for name, schema in schemas().items()}

    def _hash(self, name: str, schema: TableSchema) -> str:
        frame, known = self.hashed.get(name, (None, ""))
        return known if frame is self.tables[name] else content_hash(schema, self.tables[name])

    @property
    def content_id(self) -> str:
        """`as1-` and 16 hexadecimal digits of the hash over schema version, anchors and tables."""
        return content_id({"anchors": [asdict(anchor) for anchor in self.anchors], "tables": self.table_hashes})


def content_id(content: Mapping[str, Any]) -> str:
    """The id of any content: `as1-` and 16 hexadecimal digits over its canonical JSON and the schema version."""
    text = json.dumps({"schema": SCHEMA_VERSION, **content}, sort_keys=True, separators=(",", ":"))
    return "as1-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def from_rows(name: str, anchors: tuple[Anchor, ...], rows: Mapping[str, Sequence[Row]], **rest: Any) -> Snapshot:
    """A snapshot from rows by table name; tables without rows are empty. SchemaError if a row breaks its schema."""
    return Snapshot(
        name, anchors, {table: make(schema, rows.get(table, ())) for table, schema in schemas().items()}, **rest
    )


def save(snapshot: Snapshot, folder: Path, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Write the snapshot to `folder`; a folder of that name is replaced only once the new one is whole.

    Raises
    ------
    SnapshotError
        If `folder` exists and is not a snapshot: nothing that we did not write is overwritten.
    """
    refuse_foreign_folder(folder)
    unfinished = folder.with_name(f"incomplete_{folder.name}") / "tables"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name, schema in schemas().items():
        if len(snapshot.tables[name]):
            progress(name)
            write(schema, snapshot.tables[name], unfinished / f"{name}.parquet")
    (unfinished / MANIFEST).write_text(
        json.dumps(manifest(snapshot), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if folder.exists():
        shutil.rmtree(folder)
    unfinished.rename(folder)
    with suppress(OSError):  # the answers that an unfinished read keeps beside the tables are not ours
        unfinished.parent.rmdir()
    return folder


def refuse_foreign_folder(folder: Path) -> None:
    """SnapshotError if `folder` exists and is not a snapshot: nothing that we did not write is overwritten."""
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise SnapshotError(f"{folder} exists and is not a snapshot; choose another name or move it away")


def manifest(snapshot: Snapshot) -> dict[str, Any]:
    """What stands beside the tables: anchors, row counts, hashes, checks, gaps, and a hash over all of these."""
    hashes = snapshot.table_hashes
    said = {
        "schema_version": SCHEMA_VERSION,
        "content_id": snapshot.content_id,
        "name": snapshot.name,
        "caption": snapshot.caption,
        "anchors": [asdict(anchor) for anchor in snapshot.anchors],
        "skew_seconds": skew_seconds(snapshot),
        "readers": dict(snapshot.readers),
        "tables": {
            name: {"rows": len(table), "sha256": hashes[name]} for name, table in snapshot.tables.items() if len(table)
        },
        "checks": [asdict(check) for check in snapshot.checks],
        "gaps": list(snapshot.gaps),
    }
    return {**said, OWN_HASH: own_hash(said)}


def own_hash(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's canonical JSON, without this hash itself."""
    said = {name: value for name, value in manifest.items() if name != OWN_HASH}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def skew_seconds(snapshot: Snapshot) -> int:
    """How far the times of the chains' blocks lie apart."""
    times = [anchor.timestamp for anchor in snapshot.anchors]
    return max(times) - min(times) if times else 0


def load(folder: Path) -> Snapshot:
    """Read a snapshot and compare every table with the hash in its manifest, and the manifest with its own.

    A manifest of before it had a hash of its own is read, and the gaps say so.

    Raises
    ------
    SnapshotError
        If the folder or a file is missing or damaged, the schema version differs, a table is not the one the manifest describes, or
        the manifest is not the one that was written.
    """
    if folder.name.startswith("incomplete_"):
        raise SnapshotError(f"{folder} is unfinished; run the snapshot again to complete it")
    path = folder / MANIFEST
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        version, tables = stored["schema_version"], stored["tables"]
        anchors = tuple(Anchor(**anchor) for anchor in stored["anchors"])
        checks = tuple(Check(**{**check, "failures": tuple(check["failures"])}) for check in stored["checks"])
        rest = {
            "name": stored["name"],
            "caption": stored["caption"],
            "gaps": tuple(stored["gaps"]),
            "readers": stored["readers"],
        }
    except FileNotFoundError as error:
        raise SnapshotError(f"{folder} is no snapshot: it has no {MANIFEST}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{path} is damaged ({error}); take the snapshot again") from error
    if version != SCHEMA_VERSION:
        raise SnapshotError(
            f"{path} has schema version {version}, this program reads {SCHEMA_VERSION}; take the snapshot again"
        )
    unknown = sorted(set(tables) - set(schemas()))
    if unknown:
        raise SnapshotError(f"{path} lists tables that the schema does not have: {', '.join(unknown)}")
    frames, hashed = {}, {}
    for name, schema in schemas().items():
        file = folder / f"{name}.parquet"
        if name not in tables:
            frames[name] = make(schema, ())
            continue
        if not file.is_file():
            raise SnapshotError(
                f"{file} is missing; the manifest lists {tables[name]['rows']} rows; take the snapshot again or restore the file"
            )
        frames[name], columns = read(schema, file)
        found = content_hash(schema, frames[name], columns)
        if found != tables[name]["sha256"]:
            raise SnapshotError(
                f"{file} is not the table its manifest describes (hash differs); take the snapshot again or restore the file"
            )
        if columns == schema.names:  # not so in files of before a column was added
            hashed[name] = (frames[name], found)
    snapshot = Snapshot(anchors=anchors, tables=frames, checks=checks, hashed=hashed, **rest)
    if OWN_HASH not in stored:
        return replace(snapshot, gaps=(*snapshot.gaps, _unproven(stored.get("content_id"), snapshot.content_id)))
    if stored[OWN_HASH] != own_hash(stored):
        raise SnapshotError(
            f"{path} is not the manifest that was written (its own hash differs): a block, the caption, a check or a gap was changed; "
            "take the snapshot again or restore the file"
        )
    return snapshot


def _unproven(said: object, found: str) -> str:
    """What a manifest without a hash of its own leaves open: its id follows from blocks and tables, where the schema has not grown since."""
    of_id = "" if said == found else f"; its content id is {said}, its blocks and tables now give {found}"
    return f"its manifest has no hash of its own: whether its caption, checks and gaps are as they were written cannot be told{of_id}"
