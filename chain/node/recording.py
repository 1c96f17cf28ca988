"""Answers of a real node in a file, so that a test can ask the same questions again without the node.

The first line says where the answers come from and which block is pinned; the others are one question and its answer each, sorted, in
canonical JSON, so that the same answers make the same file. Questions are written as the client asks them, not as they travelled:
bundles, batches and the node's manners leave no trace. A question that the file does not answer is refused by name.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chain.errors import InputError, NodeError
from chain.node.questions import Question, Source
from chain.node.rpc import Refusal
from chain.snapshot import Anchor

FORMAT = 1
_MOVING = ("eth_blockNumber",)


class Recorder:
    """A source of answers that writes down what it is asked; the file is written by `close`."""

    def __init__(self, source: Source, file: Path, origin: str = "") -> None:
        self._source = source
        self._file = file
        self._origin = origin or source.name
        self._lines: dict[str, str] = {}
        self._anchor: Anchor | None = None

    @property
    def name(self) -> str:
        """The source that is recorded."""
        return self._source.name

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._source.requests

    def pin(self, anchor: Anchor, head: int) -> None:
        """Fix the block; a recording has one."""
        if self._anchor not in (None, anchor):
            raise InputError("A recording holds one block; record the other one into another file")
        self._source.pin(anchor, head)
        self._anchor = anchor

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers of the source, written down."""
        answers = self._source.ask(questions)
        for question, answer in zip(questions, answers, strict=True):
            line = _json({"ask": json.loads(question.text), **_outcome(answer)})
            if self._lines.setdefault(question.text, line) != line and question.method not in _MOVING:
                raise NodeError(
                    f"{self.name.capitalize()} answers {question.method} differently the second time; "
                    "a recording holds one answer a question, record at a block that is final"
                )
        return answers

    def close(self) -> None:
        """Write the file and let go of the source."""
        block = asdict(self._anchor) if self._anchor else None
        header = _json({"format": FORMAT, "source": self._origin, "block": block})
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text("\n".join([header, *sorted(self._lines.values())]) + "\n", encoding="utf-8")
        self._source.close()


class Replay:
    """A recording that answers as the node did.

    Attributes
    ----------
    origin : what the recording says of its source.
    anchor : the pinned block it was made at; None if none was pinned.
    requests : always 0.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.requests = 0
        try:
            header, *lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']}")
            self.origin = str(header["source"])
            self.anchor = Anchor(**header["block"]) if header["block"] else None
            self._answers = {_json(line["ask"]): _answer(line) for line in lines}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is no recording that can be replayed ({error}); record it again") from error

    @property
    def name(self) -> str:
        """The file."""
        return f"the recording {self._file.name}"

    def pin(self, anchor: Anchor, head: int) -> None:  # noqa: ARG002 - a recording has one head
        """See that the block is the recorded one."""
        if anchor != self.anchor:
            raise InputError(f"{self._file} was recorded at another block than {anchor.number}; record it again")

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Recorded answers in order, asked again the same; NodeError, with the question, for one that was not recorded."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Any:
        for text in (question.text, replace(question, again=0).text):
            if text in self._answers:
                return self._answers[text]
        raise NodeError(f"{self._file} holds no answer to {question.text[:300]}; record it again")

    def close(self) -> None:
        """Nothing to let go of."""


def _outcome(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        return {"refusal": [answer.code, answer.message, "0x" + answer.data.hex()]}
    return {"answer": answer}


def _answer(line: dict[str, Any]) -> Any:
    if "refusal" in line:
        code, message, data = line["refusal"]
        return Refusal(code, message, bytes.fromhex(data[2:]))
    return line["answer"]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
