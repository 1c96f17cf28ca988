"""The cache of immutable answers: used where nothing can change, harmless where it is damaged, off when it is told to be."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chain.networks import network
from chain.node.cache import LARGEST_BYTES, Cached, read, size_bytes, trim
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.node.pacing import Manners
from chain.node.questions import Question
from chain.node.rpc import Refusal
from chain.snapshot import Anchor
from tests.chain.picky_node import Whims, picky
from tests.devnet.world import World

LOCAL = "eip155:31337"
HASH = "0x" + "ab" * 32
TRANSFER = event_topic("Transfer(address,address,uint256)")


@dataclass
class Counting:
    """A source that answers each question with its own text, and says what it was asked."""

    asked: list[Question] = field(default_factory=list)
    refuses: bool = False
    name: str = "the test"
    requests: int = 0

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        self.asked += questions
        return [Refusal(3, "no") if self.refuses else question.text for question in questions]

    def pin(self, anchor: Anchor, head: int) -> None:
        """Nothing to bind."""

    def close(self) -> None:
        """Nothing to let go of."""


QUESTIONS = [Question("eth_call", ({"to": HASH, "data": f"0x{number:02x}"},), "pinned") for number in range(20)]
NUMBER = Question("eth_blockNumber")


def kept(
    folder: Path, chain: str = "eip155:1", behind: int = 96, block_hash: str = HASH, **rest: Any
) -> list[Question]:
    """What a source is asked when the questions come through a cache in the folder."""
    source = Counting()
    cached = Cached(source, folder, network(chain), **rest)
    cached.pin(Anchor(chain, 1_000, block_hash, 0), 1_000 + behind)
    assert cached.ask([*QUESTIONS, NUMBER]) == [question.text for question in [*QUESTIONS, NUMBER]]
    return source.asked


def test_what_is_final_is_asked_once_and_what_moves_each_time(tmp_path: Path) -> None:
    assert kept(tmp_path) == [*QUESTIONS, NUMBER]
    assert kept(tmp_path) == [NUMBER]
    assert kept(tmp_path, block_hash="0x" + "cd" * 32) == [*QUESTIONS, NUMBER]
    [one, two] = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jsonl"))
    assert (one, two) == (f"1/{HASH}.jsonl", f"1/0x{'cd' * 32}.jsonl")


@pytest.mark.parametrize(("chain", "behind"), [("eip155:1", 95), (LOCAL, 10**6)])
def test_a_block_that_may_be_reorganised_is_not_kept_unless_asked(tmp_path: Path, chain: str, behind: int) -> None:
    kept(tmp_path, chain, behind)
    assert list(tmp_path.iterdir()) == []
    kept(tmp_path, chain, behind, keeps_recent=True)
    assert kept(tmp_path, chain, behind, keeps_recent=True) == [NUMBER]


def test_refusals_are_not_kept(tmp_path: Path) -> None:
    source = Counting(refuses=True)
    cached = Cached(source, tmp_path, network("eip155:1"))
    cached.pin(Anchor("eip155:1", 1_000, HASH, 0), 2_000)
    cached.ask(QUESTIONS)
    assert kept(tmp_path) == [*QUESTIONS, NUMBER]


def test_every_damage_costs_a_question_and_never_an_answer(tmp_path: Path) -> None:
    kept(tmp_path)
    [file] = tmp_path.rglob("*.jsonl")
    whole = file.read_bytes()
    lines = whole.split(b"\n")
    place = next(number for number, line in enumerate(lines) if b'"0x05"' in line or b"0x05" in line)
    changed = lines[place].replace(b"0x05", b"0x06")
    twice = json.loads(lines[place])
    damages = {
        "an answer changed": lines[place].rpartition(b"0x05")[0] + b"0x77" + lines[place].rpartition(b"0x05")[2],
        "an answer to another question": changed,
        "cut off": lines[place][:-7],
        "no JSON": b"\x00\xff\x17",
        "not ours": b'{"a": 1}',
        "a list": b"[1, 2]",
        "no checksum": json.dumps(["", *twice[1:]]).encode(),
    }
    for name, line in damages.items():
        file.write_bytes(b"\n".join([*lines[:place], line, *lines[place + 1 :]]))
        assert kept(tmp_path) == [QUESTIONS[5], NUMBER], name
        assert kept(tmp_path) == [NUMBER], name
    file.write_bytes(whole[:-20])  # cut off in the last line, without a new line
    assert kept(tmp_path) == [QUESTIONS[-1], NUMBER]
    assert kept(tmp_path) == [NUMBER]
    file.unlink()
    file.mkdir()  # cannot be read nor written
    assert kept(tmp_path) == [*QUESTIONS, NUMBER]
    assert read(file) == {}


def blocks(folder: Path, used: dict[str, int], size: int = 1_000) -> dict[str, Path]:
    """Kept blocks (`<chain id>/<name>`) of a size, each last used at a time."""
    files = {name: folder / f"{name}.jsonl" for name in used}
    for name, file in files.items():
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x" * size)
        os.utime(file, (used[name], used[name]))
    return files


def test_the_blocks_unused_for_longest_go_first_and_never_the_one_being_read(tmp_path: Path) -> None:
    used = {"1/0xa": 40, "1/0xb": 10, "8453/0xc": 30, "8453/0xd": 20}
    files = blocks(tmp_path, used)
    other = tmp_path / "1" / "notes.txt"
    other.write_text("not ours")
    assert size_bytes(tmp_path) == 4_000
    trim(tmp_path, 4_000)
    assert all(file.exists() for file in files.values()), "at the limit nothing goes"
    trim(tmp_path, 2_999, files["1/0xb"])
    assert [name for name, file in files.items() if file.exists()] == ["1/0xa", "1/0xb"]
    trim(tmp_path, 0, files["1/0xb"])
    assert [name for name, file in files.items() if file.exists()] == ["1/0xb"]
    assert other.exists() and size_bytes(tmp_path) == 1_000
    trim(tmp_path / "absent", 0)


def test_a_read_keeps_the_cache_below_its_limit_and_counts_as_use(tmp_path: Path) -> None:
    kept(tmp_path, block_hash=HASH)
    one = size_bytes(tmp_path)
    [first] = tmp_path.rglob("*.jsonl")
    os.utime(first, (10, 10))
    blocks(tmp_path, {"1/0xee": 20}, one)
    assert kept(tmp_path, block_hash=HASH, largest_bytes=2 * one) == [NUMBER], "a use, so that it is the last to go"
    assert kept(tmp_path, block_hash="0x" + "cd" * 32, largest_bytes=2 * one) == [*QUESTIONS, NUMBER]
    assert kept(tmp_path, block_hash="0x" + "cd" * 32, largest_bytes=2 * one) == [NUMBER]
    assert {file.stem for file in tmp_path.rglob("*.jsonl")} == {HASH, "0x" + "cd" * 32}
    source = Counting()
    cached = Cached(source, tmp_path, network("eip155:1"), largest_bytes=one // 2)
    cached.pin(Anchor("eip155:1", 1_000, HASH, 0), 2_000)
    assert {file.stem for file in tmp_path.rglob("*.jsonl")} == {HASH}, "the one that is read stays, large as it is"
    cached.ask([Question("eth_call", ({"to": HASH, "data": "0xff"},), "pinned")])
    blocks(tmp_path, {"1/0xee": 20})
    cached.close()
    assert {file.stem for file in tmp_path.rglob("*.jsonl")} == {HASH}, "trimmed at the end too"
    assert LARGEST_BYTES == 2_000_000_000, "docs/readers.md and the doctor say 2 GB"


@pytest.mark.devnet
def test_a_second_read_of_the_same_block_asks_the_node_next_to_nothing(devnet_world: World, tmp_path: Path) -> None:
    whims = Whims()
    token = devnet_world.tokens["USDC"].address.lower()
    calls = [Call(token, "balanceOf(address)->(uint256)", (account.address,)) for account in devnet_world.accounts]
    manners = Manners(0, cache=tmp_path, keeps_recent=True)
    found = []
    with picky(devnet_world.url, whims) as url:
        for _ in range(2):
            whims.methods.clear()
            with Client.connect(url, LOCAL, manners) as client:
                client.pin(devnet_world.block_number)
                logs = client.logs([token], TRANSFER, 0, client.anchor.number)
                found.append((client.call_many(calls), logs, client.codes([token])))
                client.confirm()
        assert not {"eth_call", "eth_getLogs"} & set(whims.methods)
        with Client.connect(url, LOCAL, Manners(0)) as client:
            client.pin(devnet_world.block_number)
            assert (client.call_many(calls), found[0][1:]) == (found[0][0], found[1][1:])
        with devnet_world.undone():  # the same height, another hash
            devnet_world.advance(12)
            with Client.connect(url, LOCAL, manners) as client:
                client.pin("latest")
                whims.methods.clear()
                client.call_many(calls)
                assert "eth_call" in whims.methods
    assert not any(b"secret" in file.read_bytes() for file in tmp_path.rglob("*.jsonl"))
