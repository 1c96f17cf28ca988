"""A comparison of rows with the chain: what was compared, what agreed, what differed and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.snapshot import Check
from chain.tables import Row

Rows = Mapping[str, Sequence[Row]]
Subject = tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """A check, with the keys of the rows (of the check's table) that agreed and those that did not."""

    check: Check
    agreed: frozenset[Subject]
    differed: frozenset[Subject]


def compare(table: str, name: str, pairs: Mapping[Subject, tuple[int, int]]) -> Comparison:
    """Compare (ours, the chain's) by subject."""
    differed = {subject for subject, (ours, theirs) in pairs.items() if ours != theirs}
    failures = tuple(
        f"{' '.join(map(str, subject))}: the rows give {pairs[subject][0]}, the chain {pairs[subject][1]}"
        for subject in pairs
        if subject in differed
    )
    return Comparison(Check(table, name, len(pairs), failures), frozenset(pairs.keys() - differed), frozenset(differed))
