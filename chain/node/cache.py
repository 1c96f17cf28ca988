"""Answers that can never change, kept on disk: of one chain, at one block hash, to one question.

One file a block, one line an answer, added and never changed, each with a checksum: a line that is damaged or was cut off is passed
over, asked again and added again. Nothing is kept for a block that may still be reorganised, nor for the local node, unless asked.

All files together stay under LARGEST_BYTES: when a read begins and when it ends the blocks that were not used for longest are removed,
whole, whatever their chain. The block that is being read is never removed, so that one read may exceed the limit until the next one begins.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chain.networks import Network
from chain.node.questions import Question, Source
from chain.node.rpc import Refusal
from chain.snapshot import Anchor

LOCAL_NODE = 31337
LARGEST_BYTES = 2_000_000_000
"""Most that is kept on disk, all chains and blocks together."""


class Cached:
    """A source of answers with a cache before it. Refusals are never kept."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        network: Network,
        keeps_recent: bool = False,
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self._source = source
        self._folder = folder
        self._network = network
        self._keeps_recent = keeps_recent
        self._largest_bytes = largest_bytes
        self._file: Path | None = None
        self._known: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The source behind the cache."""
        return self._source.name

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._source.requests

    def close(self) -> None:
        """Let go of the source, and of the oldest answers where there are too many."""
        self._source.close()
        if self._file is not None:
            trim(self._folder, self._largest_bytes, self._file)

    def pin(self, anchor: Anchor, head: int) -> None:
        """Fix the block and read what is kept of it."""
        self._source.pin(anchor, head)
        is_final = head - anchor.number >= self._network.finality_lag_blocks and self._network.chain_id != LOCAL_NODE
        self._file, self._known = None, {}
        if is_final or self._keeps_recent:
            self._file = self._folder / str(self._network.chain_id) / f"{anchor.hash.lower()}.jsonl"
            self._known = read(self._file)
            with suppress(OSError):
                os.utime(self._file)  # used now: it goes last
            trim(self._folder, self._largest_bytes, self._file)

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order: kept ones, and for the rest those of the source, which are kept if they cannot change."""
        if self._file is None:
            return self._source.ask(questions)
        texts = [question.text for question in questions]
        may_keep = [question.at and not question.again for question in questions]
        missing = [place for place, text in enumerate(texts) if not may_keep[place] or text not in self._known]
        found = dict(zip(missing, self._source.ask([questions[place] for place in missing]), strict=True))
        fresh = {
            texts[place]: answer
            for place, answer in found.items()
            if may_keep[place] and not isinstance(answer, Refusal) and answer is not None
        }
        if fresh:
            _add(self._file, fresh)
            self._known |= fresh
        return [found[place] if place in found else self._known[text] for place, text in enumerate(texts)]


def read(file: Path) -> dict[str, Any]:
    """Answers by the text of their question; lines that are damaged are passed over, and so is a file that cannot be read."""
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError:
        return {}
    known = {}
    for line in lines:
        try:
            checksum, text, answer = json.loads(line)
            if checksum == _checksum(text, answer):
                known[text] = answer
        except (ValueError, TypeError, RecursionError):
            continue
    return known


def size_bytes(folder: Path) -> int:
    """What all kept answers take on disk."""
    return sum(size for _, size, _ in _kept(folder))


def trim(folder: Path, largest_bytes: int, spared: Path | None = None) -> None:
    """Remove kept blocks, the one unused for longest first, until all together have at most `largest_bytes`; never `spared`."""
    kept = _kept(folder)
    total = sum(size for _, size, _ in kept)
    for _, size, file in kept:
        if total <= largest_bytes:
            return
        if file != spared:
            with suppress(OSError):
                file.unlink()
                total -= size


def _kept(folder: Path) -> list[tuple[int, int, Path]]:
    """(last use in ns, bytes, file) of every block that is kept, oldest first."""
    found = []
    for file in folder.glob("*/0x*.jsonl"):
        with suppress(OSError):
            facts = file.stat()
            found.append((facts.st_mtime_ns, facts.st_size, file))
    return sorted(found)


def _add(file: Path, answers: dict[str, Any]) -> None:
    """Append answers; a disk that is full or read-only costs the cache, not the reading."""
    lines = [
        json.dumps([_checksum(text, answer), text, answer], separators=(",", ":")) for text, answer in answers.items()
    ]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as handle:
            handle.write(
                ("\n" + "\n".join(lines) + "\n").encode()
            )  # begins a new line: the one before may have been cut off
    except OSError:
        return


def _checksum(text: str, answer: Any) -> str:
    whole = json.dumps([text, answer], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]
