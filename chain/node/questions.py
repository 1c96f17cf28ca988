"""One question to a node, apart from which node answers it and how it travels; and what a source of answers is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from chain.snapshot import Anchor

At = Literal["", "pinned", "guarded"]


@dataclass(frozen=True)
class Question:
    """One JSON-RPC request.

    Attributes
    ----------
    method : name of the method.
    params : its parameters; without the block where the question is about the pinned one.
    at : `pinned`, the pinned block is added as the last parameter; `guarded`, the question names blocks by number, and its answer
        counts only if the node still has the pinned block in the same exchange; empty, neither.
    may_refuse : whether it does not matter why a contract refuses, only that it does.
    again : how often the answer was in doubt before: each time another node is asked first, if there is one, and never the cache.
    """

    method: str
    params: tuple[Any, ...] = ()
    at: At = ""
    again: int = 0
    may_refuse: bool = False

    @property
    def text(self) -> str:
        """The question in one canonical line: the same question, the same text."""
        mark = f" again {self.again}" if self.again > 1 else " again" * self.again
        mark += " may refuse" * self.may_refuse
        return json.dumps(
            [self.at + mark, self.method, *self.params],
            sort_keys=True,
            separators=(",", ":"),
        )


class Source(Protocol):
    """Whatever answers questions: nodes, a recording, a cache before either."""

    @property
    def name(self) -> str:
        """What to call it in a message; never holds a key."""

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order; a Refusal is an answer."""

    def pin(self, anchor: Anchor, head: int) -> None:
        """Fix the block of all `pinned` and `guarded` questions; `head` is the newest block that was seen."""

    def close(self) -> None:
        """Let go of connections and files."""
