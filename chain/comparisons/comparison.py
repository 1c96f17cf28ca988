"""A comparison of rows with the chain: what was compared, what agreed, what differed and how."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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


def position_key(row: Row) -> Subject:
    """What names a row of the positions."""
    return row["market"], row["position_id"], row["asset"], row["side"]


def compare(table: str, name: str, pairs: Mapping[Subject, tuple[Any, Any]]) -> Comparison:
    """Compare (ours, the chain's) by subject."""
    differed = {subject for subject, (ours, theirs) in pairs.items() if ours != theirs}
    failures = tuple(
        f"{' '.join(map(str, subject))}: the rows give {pairs[subject][0]}, the chain {pairs[subject][1]}"
        for subject in pairs
        if subject in differed
    )
    return Comparison(Check(table, name, len(pairs), failures), frozenset(pairs.keys() - differed), frozenset(differed))


def within(
    table: str,
    name: str,
    residuals: Mapping[Subject, int],
    bounds: Mapping[Subject, tuple[int, int]],
    is_short: bool = False,
) -> Comparison:
    """A comparison where the chain keeps no exact number: residuals within bounds, and printed (only the largest, if `is_short`)."""
    differed = {key for key, (low, high) in bounds.items() if not low <= residuals[key] <= high}
    told = {
        key: f"{' '.join(map(str, key[:2]))} {residuals[key]:+d} (from {low} to {high})"
        for key, (low, high) in bounds.items()
    }
    largest = max(residuals, key=lambda key: abs(residuals[key]), default=None)
    shown = [told[largest]] if is_short and largest is not None else list(told.values())
    note = ("largest residual: " if is_short else "residuals: ") + ", ".join(shown) if shown else ""
    check = Check(table, name, len(bounds), tuple(told[key] for key in bounds if key in differed), note)
    return Comparison(check, frozenset(bounds.keys() - differed), frozenset(differed))


def spread(found: Comparison, rows: Mapping[Subject, Iterable[Subject]]) -> Comparison:
    """The same comparison, which speaks of the rows that each subject is made of: of their keys."""
    agreed, differed = (
        frozenset(key for subject in subjects for key in rows.get(subject, ()))
        for subjects in (found.agreed, found.differed)
    )
    return replace(found, agreed=agreed, differed=differed)
