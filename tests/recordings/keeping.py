"""How a recording is kept: compressed, without code, with the contracts' source, compiler and settings in its header; and how it is read again.

What a node answers about code is the contract's own bytecode, which is not ours to keep. A kept recording says only whether there is any: `0x`
or `0x01` (`0xef0100` for an account that delegates), and its header says so.
"""

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.bundles import CODE_START
from chain.deployments import read_deployments
from chain.pacing import Manners
from chain.reading import in_order, read_all
from chain.resumable import ResumableClient
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
        kept = [json.dumps({**json.loads(first), **header, "code": CODE_NOTE}, sort_keys=True), *map(without_code, lines)]
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
def replayed(file: Path, change: Mapping[str, str] | None = None) -> Iterator[ResumableClient]:
    """A client that answers from a kept recording, its block pinned; `change` replaces texts in it, to plant a false answer."""
    text = gzip.decompress(file.read_bytes()).decode()
    for old, new in (change or {}).items():
        if old not in text:
            raise ValueError(f"{file.name} has no {old[:100]}")
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, file.stem)
        plain.write_text(text, encoding="utf-8")
        with ResumableClient.replay(plain) as client:
            client.pin("latest")
            yield client


def snapshot_of(client: ResumableClient, book: Path, name: str) -> Snapshot:
    """What `chain.reading.take` makes of the same answers."""
    return read_all(client, in_order(read_deployments(book)), name)
