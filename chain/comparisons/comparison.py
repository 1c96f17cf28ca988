"""A comparison of rows with the chain: what was compared, what agreed, what differed and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.snapshot import Check
from chain.tables import Row

Rows = Mapping[str, Sequence[Row]]
Subject = tuple[Any, ...]

NO_EXACT_SUM = {
    ("compound_v2", "debt"),
    ("crvusd", "debt"),
    ("crvusd", "supply"),
    ("liquity_v1", "debt"),
    ("liquity_v1", "supply"),
}
"""Families and sides whose stored amounts have an index each: they add up to nothing (`debt_sums` of `lending_checks` and `crvusd_checks`, `liquity_checks`)."""
FIXED_DEBT_BOUND = 10_000
"""The sum of fixed-rate debts may differ from the protocol's own total by this part of it, and one unit a position."""


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
