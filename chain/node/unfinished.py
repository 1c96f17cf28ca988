"""An unfinished read: the folder `incomplete_<name>` with what the chain answered so far, so that the next run asks only for the rest.

    run.json            which chain, block, address book and readers the answers belong to
    answers.jsonl       answers to calls at that block
    events_<id>.jsonl   whole ranges of events, one file a question; they outlive the block, for they carry hashes of their own

Only what the chain answered is kept: no address of a node, no refusal, nothing of the environment. While a run works in the folder it
holds a lock on it, which ends with the process however that ends.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chain.deployments import Deployment
from chain.errors import InputError, SnapshotError
from chain.node.calls import Log
from chain.node.logs import Range, Ranges
from chain.node.record_file import RecordFile
from chain.snapshot import Anchor

FORMAT = 1
_RUN, _ANSWERS, _LOCK = "run.json", "answers.jsonl", "lock"
_OURS = re.compile(r"run\.json(\.new)?|answers\.jsonl|lock|tables|events_[0-9a-f]+\.jsonl")


@dataclass(frozen=True)
class Purpose:
    """What a read is for; two reads with the same purpose and the same block have the same answers.

    Attributes
    ----------
    chain : CAIP-2 id.
    deployments : SHA-256 of the entries of the address book.
    readers : reader -> version.
    asked : the block in the user's words; empty for none.
    """

    chain: str
    deployments: str
    readers: Mapping[str, int]
    asked: str


class Unfinished:
    """The folder of one unfinished read. Nothing is made on disk before `begin`.

    Attributes
    ----------
    folder : `incomplete_<name>`.
    anchor : the block that the kept answers belong to; None if there are none that fit the purpose.
    story : what became of an earlier run, in a sentence; empty if there was none.
    """

    def __init__(self, folder: Path, purpose: Purpose) -> None:
        """Look at what an earlier run left.

        Raises
        ------
        InputError
            If it left the read of another chain.
        SnapshotError
            If its description cannot be read, or the folder holds files of somebody else.
        """
        self.folder, self.purpose = folder, purpose
        self.anchor: Anchor | None = None
        self.story = ""
        self._answers: dict[str, str | None] = {}
        self._file: RecordFile | None = None
        self._lock = -1
        strangers = [name for name in _names(folder) if not _OURS.fullmatch(name)]
        if strangers:
            raise SnapshotError(
                f"{folder} holds {strangers[0]}, which no read left there; move it or give another --out"
            )
        self._seen = _stored(folder / _RUN)
        if self._seen is None:
            return
        earlier, anchor = self._seen
        if earlier.chain != purpose.chain:
            raise InputError(
                f"{folder} holds an unfinished read of {earlier.chain}, the deployments name {purpose.chain}; "
                "finish that one, delete its folder, or give another --out"
            )
        reason = _difference(earlier, purpose, anchor)
        if reason:
            self.story = f"started over: {reason}; events that were read are kept"
        else:
            self.anchor = anchor

    def begin(self, anchor: Anchor) -> None:
        """Work on this block: go on with the answers that are kept if they are of this very block, else without them.

        Raises
        ------
        SnapshotError
            If another run works in the folder, or it cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._hold()
        if _stored(self.folder / _RUN) != self._seen:
            raise SnapshotError(f"Another run has just worked in {self.folder}; run the same command again")
        path = self.folder / _ANSWERS
        if self.anchor and self.anchor != anchor:
            self.story = (
                f"started over: the unfinished read is of block {self.anchor.number} {self.anchor.hash[:10]}, "
                f"which the chain no longer has or which is not block {anchor.number}; events that were read are kept"
            )
        if self.anchor != anchor:
            path.unlink(missing_ok=True)
            self.anchor = anchor
            _write_whole(
                self.folder / _RUN, {"format": FORMAT, "purpose": asdict(self.purpose), "anchor": asdict(anchor)}
            )
        self._file = RecordFile(path, self._answers.update)
        if self._answers:
            self.story = f"continues at block {anchor.number} with {len(self._answers):,} answers"

    def __contains__(self, question: str) -> bool:
        return question in self._answers

    def __getitem__(self, question: str) -> str | None:
        return self._answers[question]

    def keep(self, answers: Mapping[str, str | None]) -> None:
        """Keep answers, all of them or (when the run is killed meanwhile) none."""
        if answers:
            if self._file is None:
                raise RuntimeError("begin before keeping answers")
            self._file.append(answers)
            self._answers |= answers

    def ranges(self, addresses: Sequence[str], topics: Sequence[Any], first: int) -> Ranges:
        """The ranges of one question about events, from block `first` on."""
        question = json.dumps([self.purpose.chain, sorted(addresses), list(topics), first])
        return KeptRanges(self.folder / f"events_{hashlib.sha256(question.encode()).hexdigest()[:16]}.jsonl")

    def forget_events(self) -> None:
        """Delete the ranges of all questions about events."""
        for path in self.folder.glob("events_*.jsonl"):
            path.unlink()

    def close(self) -> None:
        """Let go of the folder; what is in it stays."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Delete the folder: the read is finished."""
        (self.folder / _RUN).unlink(missing_ok=True)  # first, so that half a folder is never taken up
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hold(self) -> None:
        self._lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SnapshotError(
                f"Another run is working in {self.folder}; wait for it or give another --out"
            ) from error


class KeptRanges(Ranges):
    """Ranges that are also in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = RecordFile(path, lambda record: self.kept.append(_range(record)))

    def append(self, whole: Range) -> None:
        self.file.append([whole.first, whole.last, whole.last_hash, [list(asdict(log).values()) for log in whole.logs]])
        super().append(whole)

    def cut(self, count: int) -> None:
        self.file.cut(count)
        super().cut(count)

    def close(self) -> None:
        self.file.close()


def _range(record: Any) -> Range:
    first, last, last_hash, logs = record
    return Range(first, last, last_hash, tuple(Log(address, tuple(topics), *rest) for address, topics, *rest in logs))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def asked_before(folder: Path) -> str:
    """The block that the read left in this folder was asked for, in the user's words; empty if there is none."""
    seen = _stored(folder / _RUN)
    return seen[0].asked if seen else ""


def fingerprint(deployments: Sequence[Deployment]) -> str:
    """SHA-256 of what an address book says; where it stands and its comments do not matter."""
    return hashlib.sha256(json.dumps([asdict(entry) for entry in deployments], default=dict).encode()).hexdigest()


def _stored(path: Path) -> tuple[Purpose, Anchor] | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']}, this program reads {FORMAT}")
        return Purpose(**stored["purpose"]), Anchor(**stored["anchor"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"{path} cannot be read ({error}); delete {path.parent} to start over") from error


def _difference(earlier: Purpose, now: Purpose, anchor: Anchor) -> str:
    """Why the answers of an earlier run do not serve this one; empty if they do."""
    if earlier.deployments != now.deployments:
        return "the deployments file is another than that of the unfinished read"
    changed = sorted(
        name for name in {*earlier.readers, *now.readers} if earlier.readers.get(name) != now.readers.get(name)
    )
    if changed:
        return f"the readers {_words(changed)} have another version than in the unfinished read"
    if now.asked not in (earlier.asked, str(anchor.number)):
        return f"the unfinished read is of block {anchor.number}, this one of {now.asked or 'the newest final block'}"
    return ""


def _words(names: Iterable[str]) -> str:
    return ", ".join(names)


def _write_whole(path: Path, content: Any) -> None:
    """Write a file so that it is there whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    new.replace(path)
