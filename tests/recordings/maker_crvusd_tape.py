"""Recordings of whole reads: made once against contracts that no package carries, replayed without them.

The recipes beside this file build the contracts from their public sources, outside the repository, and keep only what the node answered: no
source, no bytecode. Where a reader asks whether there is code at an address, the recording keeps `0x01` for yes, and the reading that is recorded
sees no more, so that it asks what a replay will ask: a minimal proxy (EIP-1167) looks like any contract. The first line names sources, commits,
compilers and block.
"""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chain import reading
from chain.comparisons import checks
from chain.deployments import read_deployments
from chain.findings import Findings
from chain.node.client import Client
from chain.node.facts import Asked, CodeStart
from chain.node.pacing import Manners
from chain.node.questions import Question
from chain.node.resumable import ResumableClient
from chain.node.rpc import Refusal
from chain.snapshot import Snapshot, from_rows
from chain.tables import Row

FOLDER = Path(__file__).resolve().parent
LOCAL = "eip155:31337"
CODE_METHODS = ("code_start", "eth_getCode")
CODE_PRESENT = "0x01"


class Blindfolded(ResumableClient):
    """A client that sees of code only whether there is any."""

    def ask_many(self, asks: Sequence[Asked]) -> list[Any]:
        """As the client's own; of code `0x01` where there is any, else `0x`."""
        answers = super().ask_many(asks)
        is_code = [isinstance(ask, CodeStart) and answer != "0x" for ask, answer in zip(asks, answers, strict=True)]
        return [CODE_PRESENT if hides else answer for hides, answer in zip(is_code, answers, strict=True)]


def snapshot_of(client: ResumableClient, book: Path) -> Snapshot:
    """Everything that a book names, read once by this client at its pinned block, compared as every snapshot is."""
    found = Findings(client.anchor)
    reading._block(client, found)
    entries = reading.in_order(read_deployments(book))
    for entry in entries:
        reading.read_one(client, entry, found, lambda *_: None)
    reading.describe(client, found, lambda *_: None)
    client.confirm()
    comparisons = checks.run(found.rows, found.witnesses)
    checks.settle(found.rows, comparisons)
    return from_rows(
        "replayed",
        (found.anchor,),
        {table: list[Row](rows) for table, rows in found.rows.items()},
        checks=(*(comparison.check for comparison in comparisons), checks.references(found.rows)),
        gaps=tuple(found.gaps),
        readers={entry.reader: reading.READERS[entry.reader][1] for entry in entries},
    )


def view(client: Client, to: str, data: bytes, sender: str | None = None) -> bytes:
    """The answer of a contract to one call at the pinned block, from anybody; for what a test compares rows with."""
    call = {"to": to, "data": "0x" + data.hex()} | ({"from": sender} if sender else {})
    [answer] = client._source.ask([Question("eth_call", (call,), "pinned")])
    assert not isinstance(answer, Refusal), f"{to} refuses {data.hex()}: {answer}"
    return bytes.fromhex(str(answer)[2:])


def record(
    url: str,
    book: str,
    file: Path,
    about: Mapping[str, Any],
    more: Callable[[ResumableClient, Snapshot, Mapping[str, str]], object],
) -> Snapshot:
    """Read the node's latest block by this book and keep every answer, also those that `more` asks for; the book goes into the first line."""
    raw, written = file.with_suffix(".raw"), file.with_suffix(".toml")
    written.write_text(book, encoding="utf-8")
    try:
        with Blindfolded.connect(url, LOCAL, Manners(0), record_to=raw) as client:
            client.pin("latest")
            snapshot = snapshot_of(client, written)
            more(client, snapshot, read_deployments(written)[0].addresses)
        first, *lines = raw.read_text(encoding="utf-8").splitlines()
        header = json.loads(first) | {"source": "a local anvil node", "about": dict(about), "book": book}
        kept = [json.dumps(header, sort_keys=True, separators=(",", ":")), *map(_without_code, lines)]
        packed = gzip.compress(("\n".join(kept) + "\n").encode(), mtime=0)
        file.write_bytes(packed)
    finally:
        raw.unlink(missing_ok=True)
        written.unlink(missing_ok=True)
    return snapshot


def without(*topics: str) -> Callable[[Sequence[str]], list[str]]:
    """A recording of a node that leaves out all events of some kinds."""

    def change(lines: Sequence[str]) -> list[str]:
        changed = []
        for line in lines:
            one = json.loads(line)
            if "ask" in one and one["ask"][1] == "eth_getLogs" and one["ask"][2]["topics"][0] in topics:
                one["answer"] = []
            changed.append(json.dumps(one))
        return changed

    return change


def replayed(
    file: Path, folder: Path, change: Callable[[Sequence[str]], Sequence[str]] = lambda lines: lines
) -> tuple[ResumableClient, Path]:
    """A client that answers from a recording, at its block, and the book it was made with; both unpacked into `folder`."""
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    tape, book = folder / "tape.jsonl", folder / "book.toml"
    tape.write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    book.write_text(json.loads(lines[0])["book"], encoding="utf-8")
    client = ResumableClient.replay(tape)
    client.pin("latest")
    return client, book


def header_of(file: Path) -> dict[str, Any]:
    """First line of a recording."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return dict(json.loads(next(lines)))


def _without_code(line: str) -> str:
    one = json.loads(line)
    if one["ask"][1] in CODE_METHODS and one.get("answer", "0x") != "0x":
        one["answer"] = CODE_PRESENT
    return json.dumps(one, sort_keys=True, separators=(",", ":"))
