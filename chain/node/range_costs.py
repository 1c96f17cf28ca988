"""How many questions the events of many blocks take on a node: what it allows, and the ranges that `logs.read` would then ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chain.inspection import QUIET_TOPIC
from chain.node.calls import Log
from chain.node.client import Client
from chain.node.logs import Window, read
from chain.node.rpc import Refusal

MOST_TRIES = 64


@dataclass
class Allowed:
    """What a node allows in one question for events: so many blocks, and about so many events (`given`: the most that it gave)."""

    blocks: int
    events: float = float("inf")
    given: int = 0

    def learn(self, events: int, refused: float) -> None:
        """The node gave so many events; and had refused a range `refused` times as wide, if not 0: it allows something between them."""
        self.given = max(self.given, events)
        guess = events * refused**0.5 if refused else self.events
        self.events = max(min(self.events, guess), self.given)


@dataclass(frozen=True)
class Seen:
    """A range of the sample: its first block, how many blocks it has, and how many events were in them."""

    first: int
    blocks: int
    events: int


def simulated_questions(
    allowed: Allowed, seen: Sequence[Seen], first: int, last: int, final: int, window: Window
) -> int:
    """How many questions `logs.read` puts to a node that allows so much, if everywhere as much happens as in the nearest range that was seen."""
    middles = [(one.first + other.first) / 2 for one, other in pairwise(seen)]
    density = [each.events / each.blocks for each in seen] or [0.0]
    edges = [first, *middles, last + 1]
    questions = 0

    def node(start: int, end: int) -> Sequence[Log] | Refusal:
        nonlocal questions
        questions += 1
        parts = zip(density, pairwise(edges), strict=True)
        events = sum(each * max(min(end + 1, right) - max(start, left), 0) for each, (left, right) in parts)
        is_much = end > start and (end - start + 1 > allowed.blocks or events > allowed.events)
        return Refusal(0, "too much") if is_much else ()

    read(node, lambda _: "", first, last, final, window=window)
    return questions


def widest_range(client: Client, first: int, last: int) -> int:
    """The widest range that the node takes for a contract without events, as near as a read would find it out."""
    window, taken, refused = Window(), 0, 0
    for _ in range(MOST_TRIES):
        if refused and refused - taken <= 1 + taken // 8:
            break
        width = min(window.width, last - first + 1)
        answer = client.get_logs([client.network.multicall3], [QUIET_TOPIC], last - width + 1, last)
        if isinstance(answer, Refusal):
            refused = width
            window.refused(width)
        elif width == last - first + 1:
            return width
        else:
            taken = width
            window.answered(width)
    return max(taken, 1)
