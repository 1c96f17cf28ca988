"""The client that a snapshot is read with: it keeps each answer in the folder of the unfinished read and asks only what is not kept.

What is kept of a call is its answer as the ABI writes it (or that it was refused, for calls that may be), under contract, function and
arguments; so reading it again takes the same way as reading it from the chain.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chain.calls import Call, Log, encoded, function
from chain.client import Client
from chain.rpc import Refusal
from chain.unfinished import Unfinished

QUESTIONS_A_PIECE = 40_000
"""After so many questions the answers are kept; whoever kills a run loses at most these."""

Question = TypeVar("Question")


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

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """As `Client.call_many`, from what is kept where it is."""
        asked = {f"{call.address} {call.text} {call.data[4:].hex()}": call for call in calls}
        kept = self._kept(asked, super().call_many, _written, lambda call: call.optional)
        found = {name: _read(call, kept[name]) for name, call in asked.items()}
        return [found[f"{call.address} {call.text} {call.data[4:].hex()}"] for call in calls]

    def codes(self, addresses: Sequence[str]) -> list[str]:
        """As `Client.codes`, from what is kept where it is."""
        kept = self._kept({f"code {address}": address for address in addresses}, super().codes, _code)
        return [f"0x{kept[f'code {address}']}" for address in addresses]

    def native_balances(self, addresses: Sequence[str]) -> list[int]:
        """As `Client.native_balances`, from what is kept where it is."""
        kept = self._kept({f"coin {address}": address for address in addresses}, super().native_balances, _number)
        return [int(kept[f"coin {address}"] or "0", 16) for address in addresses]

    def get_logs(self, *question: Any, **options: Any) -> list[Log] | Refusal:
        """As `Client.get_logs`, counted."""
        answer = super().get_logs(*question, **options)
        self.tally.ranges += 1
        if not isinstance(answer, Refusal):
            self.tally.bytes += sum(len(log.data) // 2 - 1 + 32 * len(log.topics) for log in answer)
        return answer

    def _kept(
        self,
        asked: Mapping[str, Question],
        ask: Callable[[Sequence[Question]], Sequence[Any]],
        written: Callable[[Question, Any], str | None],
        may_refuse: Callable[[Question], bool] = lambda _: False,
    ) -> Mapping[str, str | None]:
        """Answers by name, as text; those that are not kept are asked, and kept piece by piece."""
        found: dict[str, str | None] = {}
        if self.unfinished is not None:
            found = {name: self.unfinished[name] for name in asked if name in self.unfinished}
            found = {name: answer for name, answer in found.items() if answer is not None or may_refuse(asked[name])}
        for names in _pieces([name for name in asked if name not in found]):
            answers = ask([asked[name] for name in names])
            new = {name: written(asked[name], answer) for name, answer in zip(names, answers, strict=True)}
            if self.unfinished is not None:
                self.unfinished.keep(new)
            found |= new
        self.count(asked, found)
        return found

    def count(self, asked: Mapping[str, Any], found: Mapping[str, str | None]) -> None:
        """Note that these questions were put and had these answers."""
        self.tally.calls += len(asked)
        self.tally.bytes += sum(len(answer) // 2 for answer in found.values() if answer)


def _pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), QUESTIONS_A_PIECE):
        yield names[start : start + QUESTIONS_A_PIECE]


def _written(call: Call, answer: Any) -> str | None:
    """The answer as the contract's ABI writes it; None for a refusal."""
    types = function(call.text).outputs
    return None if answer is None else encoded(types, [answer] if len(types) == 1 else answer).hex()


def _read(call: Call, text: str | None) -> Any:
    return None if text is None else call.decoded(bytes.fromhex(text))


def _code(_: str, code: str) -> str:
    return code.removeprefix("0x")


def _number(_: str, amount: int) -> str:
    return f"{amount:064x}"
