"""How a recording is kept: compressed, without code, with the contracts' source, compiler and settings in its header; and how it is read again.

What a node answers about code is the contract's own bytecode, which is not ours to keep. A kept recording says only whether there is any: `0x`
or `0x01` (`0xef0100` for an account that delegates), and its header says so.
"""

import gzip
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.deployments import read_deployments
from chain.findings import Findings
from chain.node.bundles import CODE_START
from chain.node.pacing import Manners
from chain.node.resumable import ResumableClient
from chain.reading import describe, in_order, read_all, read_one
from chain.snapshot import Snapshot

FOLDER = Path(__file__).parent
ABOUT_CODE = (CODE_START, "eth_getCode")
DELEGATED = "0xef0100"
CODE_NOTE = "of code only whether there is any: 0x, 0x01, 0xef0100"


@contextmanager
def recorded(url: str, chain: str, to: Path, header: Mapping[str, str]) -> Iterator[ResumableClient]:
    """A client of the head of a node, whose answers are kept in the file `to` (.jsonl.gz) when it is done with."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "recording.jsonl")
        with ResumableClient.connect(url, chain, Manners(0), record_to=file) as client:
            client.pin("latest")
            yield client
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        kept = [
            json.dumps({**json.loads(first), **header, "code": CODE_NOTE}, sort_keys=True),
            *map(without_code, lines),
        ]
        to.write_bytes(gzip.compress(("\n".join(kept) + "\n").encode(), 9, mtime=0))


def without_code(line: str) -> str:
    """A line of a recording; an answer about code becomes whether there is any."""
    content: dict[str, Any] = json.loads(line)
    method, answer = content["ask"][1], content.get("answer")
    if method not in ABOUT_CODE or answer in (None, "0x"):
        return line
    content["answer"] = DELEGATED if str(answer).lower().startswith(DELEGATED) else "0x01"
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@contextmanager
def replayed(file: Path) -> Iterator[ResumableClient]:
    """A client that answers from a kept recording, its block pinned."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, file.stem)
        plain.write_bytes(gzip.decompress(file.read_bytes()))
        with ResumableClient.replay(plain) as client:
            client.pin("latest")
            yield client


def header_of(file: Path) -> dict[str, Any]:
    """First line of a kept recording."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        header: dict[str, Any] = json.loads(next(lines))
    return header


def about_code(file: Path) -> set[str]:
    """Every answer about code in a kept recording."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        kept = [json.loads(line) for line in list(lines)[1:]]
    return {str(line.get("answer")) for line in kept if line["ask"][1] in ABOUT_CODE}


def findings_of(client: ResumableClient, book: Path) -> Findings:
    """What the readers find, not yet compared, so that a test can change it first."""
    found = Findings(client.anchor)
    for deployment in in_order(read_deployments(book)):
        read_one(client, deployment, found, lambda *_: None)
    describe(client, found, lambda *_: None)
    return found


def snapshot_of(client: ResumableClient, book: Path, name: str) -> Snapshot:
    """What `chain.reading.take` makes of the same answers."""
    return read_all(client, in_order(read_deployments(book)), name)


def tell(taken: Snapshot, file: Path) -> None:
    """Say how it went: comparisons that failed, gaps, residuals, and how large the file is."""
    failed = [sentence for check in taken.checks for sentence in check.failures]
    notes = [check.note for check in taken.checks if check.note]
    lines = [
        *failed,
        *taken.gaps,
        *notes,
        f"{file.name}: {file.stat().st_size:,} bytes, {len(failed)} comparisons failed",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
