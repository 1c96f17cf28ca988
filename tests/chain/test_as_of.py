"""The block of a time: against a plain search, with blocks that come at any pace."""

import bisect

import numpy as np
import pytest

from chain.as_of import block_at, time_of, words_of
from chain.errors import BlockError, InputError


@pytest.mark.parametrize("seed", range(20))
def test_the_last_block_at_or_before_a_time(seed: int) -> None:
    """Clocks with long halts and several blocks a second: the answer is bisect's, in few questions."""
    draw = np.random.default_rng(seed)
    steps = draw.choice([0, 0, 1, 2, 12, 12, 12, 100_000], size=int(draw.integers(2, 3_000)))
    times = (1_700_000_000 + np.cumsum(steps)).tolist()
    for time_s in draw.integers(times[0], times[-1] + 1, size=10).tolist():
        asked: list[int] = []

        def timestamp(number: int, asked: list[int] = asked) -> int:
            asked.append(number)
            return int(times[number])

        assert block_at(time_s, len(times) - 1, timestamp) == bisect.bisect_right(times, time_s) - 1
        assert len(asked) <= 2 + 2 * len(times).bit_length()


def test_regular_blocks_take_a_handful_of_questions() -> None:
    asked = []

    def timestamp(number: int) -> int:
        asked.append(number)
        return 1_600_000_000 + 12 * number

    assert block_at(1_600_000_000 + 12 * 12_345_678 + 5, 20_000_000, timestamp) == 12_345_678
    assert len(asked) <= 6


@pytest.mark.parametrize(("time_s", "says"), [(99, "before the first block"), (301, "after the head")])
def test_a_time_outside_the_chain_is_refused(time_s: int, says: str) -> None:
    with pytest.raises(BlockError, match=says):
        block_at(time_s, 2, lambda number: 100 * (number + 1))


def test_times_are_utc() -> None:
    assert time_of("2026-11-20T12:00Z") == time_of("2026-11-20 12:00") == time_of("2026-11-20T13:00+01:00")
    assert time_of("2026-11-20") == 1_795_132_800 and words_of(1_795_132_800) == "2026-11-20T00:00:00Z"
    assert time_of("latest-12") is None and time_of("21000000") is None
    with pytest.raises(InputError, match="2026-13-01"):
        time_of("2026-13-01")
