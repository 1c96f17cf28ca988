"""Waiting, rates and sizes: how a node is treated, without a node."""

import random
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from chain.errors import InputError
from chain.node import pacing
from chain.node.pacing import Manners, Pace, Size, manners_from, pause_seconds
from chain.node.rpc import _wait_seconds


def test_a_size_goes_down_at_once_and_up_after_a_row_of_successes() -> None:
    size = Size(20)
    size.down(20)
    size.down(10)
    assert size.now == 5
    for _ in range(400):
        size.up()
    assert size.now == 20
    for _ in range(10):
        size.down(1)
    assert size.now == 1


def test_a_fixed_limit_costs_fewer_and_fewer_failures() -> None:
    size, failures = Size(64), []
    for step in range(1_000):
        if size.now > 10:
            failures.append(step)
            size.down(size.now)
        else:
            size.up()
    assert size.now in (8, 16) and len(failures) < 12
    gaps = [later - earlier for earlier, later in pairwise(failures[3:])]
    assert gaps == sorted(gaps) and gaps[-1] > 100


def test_pauses_double_with_jitter_and_repeat_with_the_seed() -> None:
    def pauses(seed: int) -> list[float]:
        rng = random.Random(seed)
        return [pause_seconds(attempt, 0, rng) for attempt in range(1, 6)]

    assert pauses(1) == pauses(1) != pauses(2)
    for attempt, pause in enumerate(pauses(3), start=1):
        assert 0.5 <= pause / (pacing.FIRST_WAIT_SECONDS * 2 ** (attempt - 1)) <= 1.5
    assert 7 < pause_seconds(1, 7, random.Random(0)) < 8


def test_no_second_sees_more_requests_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("chain.node.pacing.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("chain.node.pacing.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    pace, at = Pace(5), []
    for number in range(40):
        pace.wait()
        at.append(clock[0])
        clock[0] += 3 if number == 20 else 0.01
    assert all(later - earlier > 0.999 for earlier, later in zip(at, at[5:], strict=False))
    assert at[20] - at[0] < 4.1


def test_retry_after_is_a_number_or_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.rpc.time.time", lambda: 1_700_000_000.0)
    assert _wait_seconds("7") == 7
    assert _wait_seconds(formatdate(1_700_000_030, usegmt=True)) == 30
    assert [_wait_seconds(text) for text in ("", "soon", "-5", formatdate(0), "1e400", "٣")] == [0, 0, 0, 0, 0, 3]


def test_the_environment_decides_rate_and_cache(tmp_path: Path) -> None:
    assert manners_from({"AFTERSHOCK_CACHE": "off"}) == Manners()
    assert manners_from({"AFTERSHOCK_CACHE": str(tmp_path)}).cache == tmp_path
    assert manners_from({"XDG_CACHE_HOME": str(tmp_path)}).cache == tmp_path / "aftershock" / "answers"
    assert manners_from({"AFTERSHOCK_REQUESTS_PER_SECOND": "2.5"}).requests_per_second == 2.5
    for text in ("fast", "-1", "nan", "inf"):
        with pytest.raises(InputError, match="AFTERSHOCK_REQUESTS_PER_SECOND"):
            manners_from({"AFTERSHOCK_REQUESTS_PER_SECOND": text})
