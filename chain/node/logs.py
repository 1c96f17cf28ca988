"""Events over many blocks: ranges that fit what the node allows, none left out, none twice, and none of a chain that was reorganised.

A range counts once it is whole, and it carries the hash of its last block. Before a read goes on, that hash is compared with the chain;
ranges that are no longer part of it are taken back and read again. Blocks up to the last final one and blocks after it may be asked for
together but never share a range, so a reorganisation within the finality lag takes back nothing that was kept as final.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chain.errors import BlockError, NodeError
from chain.node.calls import Log
from chain.node.rpc import Refusal

FIRST_WIDTH = 10_000
"""Blocks asked for at first."""
PATIENCE = 16
"""Ranges in a row at the widest known width before a wider one is tried again; twice as many after each try that fails."""
MOST_REORGANISATIONS = 20
"""Reorganisations during one read before it is given up."""

Ask = Callable[[int, int], Sequence[Log] | Refusal]
"""The events of blocks first to last, both included; a refusal if that is too wide, too full or too slow for the node."""
HashOf = Callable[[int], str | None]
"""Hash of the block at a height; None if the node does not have it."""


@dataclass(frozen=True)
class Range:
    """All events of blocks `first` to `last`, both included, on the chain whose block `last` has the hash `last_hash`."""

    first: int
    last: int
    last_hash: str
    logs: tuple[Log, ...]


class Ranges:
    """Whole ranges, one after the other without a gap."""

    def __init__(self, kept: Iterable[Range] = ()) -> None:
        self.kept = list(kept)

    def append(self, whole: Range) -> None:
        """Keep one more."""
        self.kept.append(whole)

    def cut(self, count: int) -> None:
        """Forget all but the first `count`."""
        del self.kept[count:]

    def close(self) -> None:
        """Let go of where they are kept."""


class Window:
    """How many blocks to ask for: halved when the node refuses, then closer and closer to what it takes, and wider again in time.

    Attributes
    ----------
    width : blocks to ask for next.
    """

    def __init__(self, width: int = FIRST_WIDTH) -> None:
        self.width = max(width, 1)
        self._taken = 0  # widest width that was answered and not refused since
        self._refused: int | None = None  # narrowest width that was refused lately
        self._patience, self._calm = PATIENCE, 0
        self._is_trial = False

    def answered(self, width: int) -> None:
        """The node answered a range of `width` blocks; one that was cut short says nothing."""
        if width < self.width:
            return
        self._taken = width
        if self._is_trial:
            self._is_trial, self._refused, self._patience = False, None, PATIENCE
        if self._refused is None:
            self.width = 2 * width
        elif self._refused - width > 1 + width // 8:
            self.width = (width + self._refused) // 2
        else:
            self._calm += 1
            if self._calm >= self._patience:
                self._calm, self._is_trial, self.width = 0, True, 2 * width

    def refused(self, width: int) -> None:
        """The node refused a range of `width` blocks."""
        if self._is_trial and self._taken < width:  # still the old limit: back to what is known to work
            self._is_trial, self._patience, self.width = False, 2 * self._patience, self._taken
            return
        self._refused, self._calm, self._is_trial = width, 0, False
        if self._taken >= width:
            self._taken = 0
        self.width = max((self._taken + width) // 2, 1)


def read(
    ask: Ask,
    hash_of: HashOf,
    first: int,
    last: int,
    final: int,
    ranges: Ranges | None = None,
    window: Window | None = None,
) -> list[Log]:
    """All events of blocks `first` to `last`, both included, in the order in which they happened.

    Parameters
    ----------
    ask, hash_of : the node.
    final : last block that is taken as final; after it, a range counts only if its hash was the same before and after the question.
    ranges : what an earlier read of the same question kept; it starts at `first`, and this read adds to it.
    window : how wide the ranges are; kept between reads, it need not be learnt again.

    Raises
    ------
    NodeError
        If the node refuses a single block, answers with events of other blocks, or does not have a block of the range.
    BlockError
        If the chain is reorganised again and again.
    """
    ranges, window = ranges if ranges is not None else Ranges(), window or Window()
    if ranges.kept and ranges.kept[0].first != first:
        ranges.cut(0)
    _take_back(ranges, hash_of)
    reorganised = 0
    while (start := ranges.kept[-1].last + 1 if ranges.kept else first) <= last:
        end = min(start + window.width - 1, last)
        before = hash_of(end) if end > final else None
        # between the two hashes the range before this one is looked at as well: so both stand on the same chain
        is_linked = end <= final or not _take_back(ranges, hash_of)
        answer = ask(start, end) if is_linked else ()
        if isinstance(answer, Refusal):
            if start == end:
                raise NodeError(f"The node refuses the events of block {start} alone: {answer.message}")
            window.refused(end - start + 1)
            continue
        logs = _in_order(answer, start, end)
        bounds = [final, end] if start <= final < end else [end]
        # the end comes last: if its hash is still that of before, the chain was one all the time
        hashes = {bound: _known(hash_of, bound) for bound in bounds}
        is_same = end <= final or before == hashes[end]
        is_same = is_same and all(hashes.get(log.block_number, log.block_hash) == log.block_hash for log in logs)
        if is_linked and is_same:
            window.answered(end - start + 1)
            for bound, block_hash in hashes.items():
                part = tuple(log for log in logs if start <= log.block_number <= bound)
                ranges.append(Range(start, bound, block_hash, part))
                start = bound + 1
            continue
        reorganised += 1
        if reorganised > MOST_REORGANISATIONS:
            raise BlockError(
                f"The chain was reorganised {reorganised} times near block {end} while its events were read; run again later"
            )
    return [log for kept in ranges.kept for log in kept.logs if log.block_number <= last]


def of_contracts(
    get_logs: Callable[[Sequence[str], Sequence[Any], int, int], Sequence[Log] | Refusal],
    addresses: Sequence[str],
    topics: Sequence[Any],
) -> Ask:
    """The question for the events of some contracts; a single block that is too full is asked for half of the contracts at a time."""

    def ask(first: int, last: int, some: Sequence[str] = tuple(addresses)) -> Sequence[Log] | Refusal:
        answer = get_logs(some, topics, first, last)
        if not isinstance(answer, Refusal) or first < last or len(some) < 2:
            return answer
        halves = [ask(first, last, part) for part in (some[: len(some) // 2], some[len(some) // 2 :])]
        refused = [half for half in halves if isinstance(half, Refusal)]
        return refused[0] if refused else [log for half in halves if not isinstance(half, Refusal) for log in half]

    return ask


def _known(hash_of: HashOf, number: int) -> str:
    """The hash at a height; NodeError if the node does not have the block."""
    found = hash_of(number)
    if found is None:
        raise NodeError(f"The node does not have block {number}, so its events up to there cannot be whole; run again")
    return found


def _take_back(ranges: Ranges, hash_of: HashOf) -> bool:
    """Cut the ranges that the chain no longer holds; a block is part of it only if all before it are. Returns whether any were."""

    def is_gone(number: int) -> bool:
        return hash_of(ranges.kept[number].last) != ranges.kept[number].last_hash

    count = len(ranges.kept)
    if not count or not is_gone(count - 1):
        return False
    ranges.cut(bisect_left(range(count - 1), True, key=is_gone))
    return True


def _in_order(logs: Sequence[Log], first: int, last: int) -> tuple[Log, ...]:
    """The events sorted, each once; NodeError if one stands outside the range, or two differ and claim the same place."""
    placed: dict[tuple[int, int], Log] = {}
    for log in logs:
        if not first <= log.block_number <= last:
            raise NodeError(
                f"The node answers the question for blocks {first} to {last} with an event of block {log.block_number}"
            )
        if placed.setdefault((log.block_number, log.log_index), log) != log:
            raise NodeError(f"The node answers two different events number {log.log_index} of block {log.block_number}")
    return tuple(placed[place] for place in sorted(placed))
