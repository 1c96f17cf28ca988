"""The events that one client asks for: where their ranges are kept, and what is done when an answer is in doubt.

A node whose index is behind leaves events out and says nothing, and no answer proves that it is whole. Two things find it out. Sums on
the chain, where there are any: when they disagree with what was read, `doubt` drops all ranges and the read is made again, each time of
another node first (`reading.take`). Where no sum vouches for the events, they are asked for until one reading was had three times
and holds all that any other gave. A node that leaves out the same events each time, asked alone and about events without a sum, is not found out.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from chain.errors import BlockError, NodeError
from chain.node.calls import Log
from chain.node.logs import HashOf, Ranges, Window, of_contracts, read
from chain.node.rpc import Refusal
from chain.snapshot import Anchor

UNSETTLED_BLOCKS = 32
"""So many blocks before the pinned one are never taken as final for their events, also where the chain's finality lag is shorter."""
MOST_READINGS = 4
"""Readings of the same events that do not agree, until the node is given up."""
EQUAL_WITHOUT_SUM, MOST_WITHOUT_SUM = 3, 6
"""Where no sum vouches for events: equal readings that are enough, and readings until the node is given up."""


class Keeper(Protocol):
    """Where ranges of events outlive the run."""

    def ranges(self, addresses: Sequence[str], topics: Sequence[Any], first: int) -> Ranges:
        """The ranges of one question about events, from block `first` on."""

    def forget_events(self) -> None:
        """Delete the ranges of all questions."""


class Events:
    """Questions about events, up to the pinned block.

    Attributes
    ----------
    keeper : where whole ranges are kept; None to keep none.
    digests : question -> SHA-256 of the events that were read, since the last doubt.
    again : how often the events were in doubt.
    """

    def __init__(self, get_logs: Callable[..., Sequence[Log] | Refusal], hash_of: HashOf) -> None:
        self._get_logs, self._hash_of = get_logs, hash_of
        self._window = Window()
        self.keeper: Keeper | None = None
        self.digests: dict[tuple[Any, ...], str] = {}
        self.again = 0

    def read(
        self,
        addresses: Sequence[str],
        topic: str | tuple[str, ...],
        first: int,
        last: int,
        anchor: Anchor,
        lag: int,
        has_no_sum: bool,
    ) -> list[Log]:
        """Events as `Client.logs` gives them; `lag` is the chain's finality lag in blocks.

        Raises
        ------
        NodeError
            If the node refuses a single block, or gives other events each time.
        BlockError
            If the chain of the events is not that of the pinned block.
        """
        if not addresses or first > last:
            return []
        final = self.final(anchor, lag)
        kept = self.keeper.ranges(addresses, [topic], first) if self.keeper else Ranges()

        def once(ranges: Ranges, again: int) -> list[Log]:
            ask = of_contracts(
                lambda some, topics, start, end: self._get_logs(some, topics, start, end, again), addresses, [topic]
            )
            found = read(ask, self._hash_of, first, last, final, ranges, self._window)
            end = ranges.kept[-1]
            if end.last == anchor.number and end.last_hash != anchor.hash:
                raise BlockError(
                    f"Block {end.last} was reorganised while it was read; run again with a block further behind the head"
                )
            return found

        try:
            found = once(kept, self.again)
            if has_no_sum:
                found = self._agreed(found, kept, once)
        finally:
            kept.close()
        self.digests[tuple(addresses), topic, first, last] = hashlib.sha256(repr(found).encode()).hexdigest()
        return found

    def final(self, anchor: Anchor, lag: int) -> int:
        """Last block that is taken as final for its events."""
        return anchor.number - max(lag, UNSETTLED_BLOCKS)

    def doubt(self) -> None:
        """Drop what was read: the next read asks anew, another node first and in smaller ranges."""
        self.digests = {}
        self.again += 1
        self._window = Window(self._window.width // 2)
        if self.keeper is not None:
            self.keeper.forget_events()

    def _agreed(self, found: list[Log], kept: Ranges, once: Callable[[Ranges, int], list[Log]]) -> list[Log]:
        """The events of a reading that was had often enough and holds all that any other gave; what was kept goes unless it is this one."""
        readings = [found]
        for number in range(1, MOST_WITHOUT_SUM):
            readings.append(once(Ranges(), self.again + number))
            whole = max(readings, key=len)
            if readings.count(whole) >= EQUAL_WITHOUT_SUM and all(set(each) <= set(whole) for each in readings):
                if whole != found:
                    kept.cut(0)
                return whole
        kept.cut(0)
        raise NodeError(differ(MOST_WITHOUT_SUM))


def differ(readings: int = MOST_READINGS) -> str:
    """The sentence for a node that cannot make up its mind."""
    return f"The node gave other events in {readings} readings; what was kept of them is dropped; use another node"
