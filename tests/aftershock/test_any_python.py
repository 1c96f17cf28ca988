"""One question has one answer on every Python: since 3.12 the built-in sum of floats carries its rounding along, before it did not."""

import builtins
import math
from collections.abc import Iterable
from typing import Any

import pytest

import aftershock


def added_with_care(items: Iterable[Any], /, start: Any = 0) -> Any:
    """The built-in sum as later Pythons have it, more exact still: floats are added exactly and rounded once."""
    parts = [start, *items]
    if any(isinstance(part, float) for part in parts) and all(isinstance(part, int | float) for part in parts):
        return math.fsum(parts)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def test_a_cascade_does_not_depend_on_how_floats_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = aftershock.graph(aftershock.load("sample"))
    before = aftershock.simulate(graph, "eth-30").to_dict()
    monkeypatch.setattr(builtins, "sum", added_with_care)
    assert aftershock.simulate(graph, "eth-30").to_dict() == before
