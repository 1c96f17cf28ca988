"""The client that a snapshot is read with: it keeps each answer in the folder of the unfinished read and asks only what is not kept.

What is kept of a call is its answer as the ABI writes it (or that it was refused, for calls that may be), under contract, function and
arguments; so reading it again takes the same way as reading it from the chain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.node.calls import Call, Log, encoded, function
from chain.node.client import Client
from chain.node.facts import Asked, CodeStart, NativeBalance
from chain.node.rpc import Refusal
from chain.node.unfinished import Unfinished

QUESTIONS_A_PIECE = 40_000
"""After so many questions the answers are kept; whoever kills a run loses at most these."""
KEPT = (Call, CodeStart, NativeBalance)
"""What is kept; all else is little, and asked again."""


@dataclass
class Tally:
    """What was asked: calls (and codes and balances), questions about events, bytes of the answers before they are written as text."""

    calls: int = 0
    ranges: int = 0
    bytes: int = 0


class ResumableClient(Client):
    """A client whose answers outlive the run. Without `resume` it keeps nothing."""

    unfinished: Unfinished | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tally = Tally()

    def resume(self, unfinished: Unfinished) -> None:
        """Work in this folder, on the pinned block; SnapshotError if another run does."""
        unfinished.begin(self.anchor)
        self.unfinished = self.events.keeper = unfinished

    def ask_many(self, asks: Sequence[Asked]) -> list[Any]:
        """As `Client.ask_many`: calls, codes and balances from what is kept where they are; the rest is asked, and kept piece by piece."""
        order = [_name(ask) for ask in asks]
        asked = dict(zip(order, asks, strict=True))
        asked |= {name: ask for name, ask in zip(order, asks, strict=True) if not _may_refuse(ask)}
        kept: dict[str, str | None] = {}
        if self.unfinished is not None:
            kept = {name: self.unfinished[name] for name in asked if name in self.unfinished}
            kept = {name: text for name, text in kept.items() if text is not None or _may_refuse(asked[name])}
        passing: dict[str, Any] = {}
        for names in _pieces([name for name in asked if name not in kept]):
            answers = dict(zip(names, super().ask_many([asked[name] for name in names]), strict=True))
            new = {name: _written(ask, answers[name]) for name in names if isinstance(ask := asked[name], KEPT)}
            if self.unfinished is not None:
                self.unfinished.keep(new)
            kept |= new
            passing |= {name: answer for name, answer in answers.items() if name not in new}
        self.count({name: ask for name, ask in asked.items() if name in kept}, kept)
        found = passing | {name: _read(asked[name], text) for name, text in kept.items()}
        return [found[name] for name in order]

    def get_logs(self, *question: Any, **options: Any) -> list[Log] | Refusal:
        """As `Client.get_logs`, counted."""
        answer = super().get_logs(*question, **options)
        self.tally.ranges += 1
        if not isinstance(answer, Refusal):
            self.tally.bytes += sum(len(log.data) // 2 - 1 + 32 * len(log.topics) for log in answer)
        return answer

    def count(self, asked: Mapping[str, Any], found: Mapping[str, str | None]) -> None:
        """Note that these questions were put and had these answers."""
        self.tally.calls += len(asked)
        self.tally.bytes += sum(len(answer) // 2 for answer in found.values() if answer)


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), QUESTIONS_A_PIECE):
        yield names[start : start + QUESTIONS_A_PIECE]


def _name(ask: Asked) -> str:
    """Under which name an answer is kept."""
    if isinstance(ask, Call):
        return f"{ask.address} {ask.text} {ask.data[4:].hex()}"
    if isinstance(ask, CodeStart):
        return f"code {ask.address}"
    return f"coin {ask.address}" if isinstance(ask, NativeBalance) else repr(ask)


def _may_refuse(ask: Asked) -> bool:
    return isinstance(ask, Call) and ask.optional


def _written(ask: Asked, answer: Any) -> str | None:
    """The answer as text: of a call as the contract's ABI writes it; None for a refusal."""
    if isinstance(ask, Call):
        types = function(ask.text).outputs
        return None if answer is None else encoded(types, [answer] if len(types) == 1 else answer).hex()
    return f"{answer:064x}" if isinstance(ask, NativeBalance) else str(answer).removeprefix("0x")


def _read(ask: Asked, text: str | None) -> Any:
    if isinstance(ask, Call):
        return None if text is None else ask.decoded(bytes.fromhex(text))
    return int(text or "0", 16) if isinstance(ask, NativeBalance) else f"0x{text}"
