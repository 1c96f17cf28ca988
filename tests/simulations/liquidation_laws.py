"""What every liquidation rule must satisfy beside its contract: the bar, and how cases are counted against it. Shared by the parity tests."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from simulations.rules.rule import Liquidation, Refusal

NEAR, TIE = 1e-2, 1e-9
"""A state counts as hard this close to a threshold; a decision of the float twin may differ this close to one."""
FLOAT_RELATIVE, FLOAT_UNITS = 1e-9, 2
MOST_TIES = 0.05
"""Share of the cases that the twin may decide otherwise; draws put that many exactly on a threshold or one unit beside it."""


class Outcome(Protocol):
    """What a float twin answers."""

    @property
    def margins(self) -> dict[str, float]:
        """How far from each threshold, value / threshold - 1."""

    @property
    def refused(self) -> str | None:
        """Why it refuses, or None."""


class Case(Protocol):
    """One attempted liquidation of any protocol."""

    @property
    def said(self) -> Liquidation | Refusal:
        """What the rule said."""

    @property
    def about(self) -> Any:
        """What the float twin said."""

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again, as it is now."""

    def differences(self, said: Liquidation | Refusal) -> list[str]:
        """What the contract did otherwise."""


AnyCase = TypeVar("AnyCase", bound=Case)


def near(about: Outcome, thresholds: Sequence[str]) -> list[str]:
    """Names of the thresholds that a state lies within 1 % of."""
    return [name for name in thresholds if abs(about.margins.get(name, 1)) <= NEAR]


def require_shares(what: str, total: int, counts: Mapping[str, int], least: Mapping[str, float]) -> None:
    """Print how many states are hard in which way; fail where it is fewer than the share that is asked."""
    print(f"\n{what}: {total} states, {dict(counts)}")  # noqa: T201
    assert total and not [name for name, share in least.items() if counts[name] < share * total], counts


def require_reasons(cases: Iterable[Any], expected: set[str]) -> None:
    """Every reason to refuse was met by the contract; that each was predicted is part of the comparison."""
    seen = Counter(case.refusal for case in cases if case.refusal)
    assert set(seen) == expected, f"met {dict(seen)}"


def wrong(cases: Iterable[Case]) -> list[list[str]]:
    """What the contract did otherwise than the rule says now, one list a case that differs."""
    return [differences for case in cases if (differences := case.differences(case.rule()))]


def beyond(exact: float, value: float, unit: float) -> bool:
    """Whether a float amount misses the bar: 1e-9 of it or two smallest units, whichever is more."""
    return abs(exact - value) > max(FLOAT_RELATIVE * abs(exact), FLOAT_UNITS * unit * (1 + 1e-9))


def require_twin(
    what: str, cases: Sequence[AnyCase], compare: Callable[[AnyCase], list[str] | None], least: float = 0.8
) -> None:
    """The float twin agrees but for cases within 1e-9 of a threshold, which are counted and shown.

    Parameters
    ----------
    compare : what differs in a case; None where the decision does not depend on amounts and is not compared.
    least : share of the cases that must be compared.
    """
    compared, ties, excused = 0, 0, 0
    for case in cases:
        different = compare(case)
        if different is None:
            continue
        tie = any(abs(margin) <= TIE for margin in case.about.margins.values())
        compared, ties, excused = compared + 1, ties + tie, excused + bool(tie and different)
        assert tie or not different, (different, case.said, case.about)
    counted = f"{compared} compared, {ties} within 1e-9 of a threshold, {excused} of them otherwise"
    print(f"\n{what}: {counted}")  # noqa: T201
    assert compared >= least * len(cases) and excused <= MOST_TIES * len(cases), counted
