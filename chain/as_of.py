"""The block of a time: the last one at or before it, so that chains with their own clocks are read at one instant."""

from collections.abc import Callable
from datetime import UTC, datetime

from chain.errors import BlockError, InputError


def time_of(words: str) -> int | None:
    """Unix seconds of a time in UTC (`2026-11-20`, `2026-11-20T12:00Z`); None if the words are no date.

    Raises
    ------
    InputError
        If they begin as a date and are none.
    """
    text = words.strip().upper()
    if len(text) < 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"the time {words!r} cannot be read; write 2026-11-20 or 2026-11-20T12:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def words_of(time_s: int) -> str:
    """A time as `time_of` reads it."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def block_at(time_s: int, head: int, timestamp: Callable[[int], int]) -> int:
    """Number of the last block at or before `time_s`, by bisection between the first block and the head.

    The next block to look at is guessed from the times at both ends, which takes a handful of questions where blocks come regularly; every
    other guess is the middle, so that it never takes more than twice the bisection.

    Parameters
    ----------
    timestamp : Unix seconds of a block by number; never falls from one block to the next.

    Raises
    ------
    BlockError
        If the time lies before the first block, or after the head, where blocks may still come.
    """
    low, high = 0, head
    low_s, high_s = timestamp(low), timestamp(high)
    if time_s > high_s:
        raise BlockError(
            f"{words_of(time_s)} lies after the head, block {head} of {words_of(high_s)}; give an earlier time, or wait"
        )
    if time_s < low_s:
        raise BlockError(f"{words_of(time_s)} lies before the first block, of {words_of(low_s)}; give a later time")
    if time_s == high_s:
        return high
    turn = 0
    while high - low > 1:  # low is at or before the time, high after it
        turn += 1
        share = (time_s - low_s) / (high_s - low_s) if turn % 2 else 0.5
        middle = min(max(low + int(share * (high - low)), low + 1), high - 1)
        middle_s = timestamp(middle)
        if middle_s <= time_s:
            low, low_s = middle, middle_s
        else:
            high, high_s = middle, middle_s
    return low
