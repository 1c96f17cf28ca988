"""Snapshots of several chains as one. Rows of different chains have different keys; what has the same key must say the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from chain.errors import SchemaError
from chain.networks import network
from chain.snapshot import Check, Snapshot
from chain.tables import TableSchema, check, schemas


def merged(name: str, parts: Sequence[Snapshot]) -> Snapshot:
    """One snapshot of several, each of one chain.

    Checks of one name are added up; gaps and failures begin with the name of their chain. A protocol on two chains is one row whose
    evidence names both.

    Raises
    ------
    SchemaError
        If two parts have a row of the same key that says something else: the same chain twice, say.
    """
    if len(parts) == 1:
        return replace(parts[0], name=name)
    tables = {table: _together(schema, [part[table] for part in parts]) for table, schema in schemas().items()}
    return Snapshot(
        name,
        tuple(anchor for part in parts for anchor in part.anchors),
        tables,
        checks=_checks(parts),
        gaps=tuple(f"{_chains(part)}: {gap}" for part in parts for gap in part.gaps),
        readers=_readers(parts),
        caption="; ".join(dict.fromkeys(part.caption for part in parts if part.caption)),
    )


def _together(schema: TableSchema, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return frames[0]
    whole = pd.concat([frame.astype(object) for frame in filled], ignore_index=True)
    if not whole.duplicated(schema.keys).any():
        return check(schema, whole)
    told = [name for name in schema.names if name not in ("evidence", "status")]
    rows = []
    for key, same in whole.groupby(schema.keys, sort=False, dropna=False):
        if len(same[told].astype(str).drop_duplicates()) > 1:
            raise SchemaError(f"{schema.name}: {key} says one thing on one chain and another on the next")
        rows.append(same.iloc[:1].assign(evidence="; ".join(dict.fromkeys(same["evidence"]))))
    return check(schema, pd.concat(rows, ignore_index=True))


def _checks(parts: Sequence[Snapshot]) -> tuple[Check, ...]:
    found: dict[tuple[str, str], Check] = {}
    for part in parts:
        for one in part.checks:
            key = one.table, one.name
            failures = tuple(f"{_chains(part)}: {failure}" for failure in one.failures)
            note = f"{_chains(part)}: {one.note}" if one.note else ""
            before = found.get(key, Check(*key, 0))
            found[key] = Check(
                *key,
                before.compared + one.compared,
                before.failures + failures,
                "; ".join(text for text in (before.note, note) if text),
            )
    return tuple(found.values())


def _readers(parts: Sequence[Snapshot]) -> Mapping[str, int]:
    return {reader: version for part in parts for reader, version in sorted(part.readers.items())}


def _chains(part: Snapshot) -> str:
    return " and ".join(network(anchor.chain).name for anchor in part.anchors)
