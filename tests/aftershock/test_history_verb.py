"""`aftershock history` as people type it, on the development node."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.histories import reading
from tests.aftershock.command import Ask
from tests.devnet.world import World

pytestmark = pytest.mark.devnet


def test_a_history_grows_and_says_what_it_holds(ask: Ask, devnet_world: World, tmp_path: Path) -> None:
    words = ("history", "--deployments", str(devnet_world.deployments), "--rpc", devnet_world.url, "--out", "past")
    half = devnet_world.block_number - 10
    first = ask(*words, "--from", "1", "--to", str(half), "--transfers", "USDC=100000", "--json")
    assert first.code == 0, first.err
    record = json.loads(first.out)
    assert (record["first"], record["last"], record["blocks_read"]) == (1, half, half) and record["rows"][
        "parameter_changes"
    ]
    assert json.loads((tmp_path / "past" / "history.json").read_text())["purpose"]["least"] == {"USDC": "100000"}
    second = ask(*words, "--from", "1", "--transfers", "USDC=100000")
    assert second.code == 0 and f"{devnet_world.block_number - half:,} blocks read" in second.err
    assert (
        f"blocks 1 to {devnet_world.block_number:,}" in second.out and "uniswap-v2 v2: no events are read" in second.out
    )
    ranges = json.loads((tmp_path / "past" / "history.json").read_text())["ranges"]
    assert any(one["files"].get("transfers", {"rows": 0})["rows"] for one in ranges)
    assert devnet_world.url not in (tmp_path / "past" / "history.json").read_text()
    other = ask(*words, "--from", "1", "--tables", "flows")
    assert other.code == 2 and "asked for are flows" in other.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "1", "--transfers", "USDC"), "SYMBOL=AMOUNT"),
        (("--from", "1", "--transfers", "USDC=-1"), "above zero"),
        (("--from", "9", "--to", "3"), "lies before the first"),
        (("--from", "1", "--tables", "flow"), "did you mean flows"),
        (("--from", "99999999"), "not final yet"),
    ],
)
def test_wrong_options_are_one_sentence_and_write_nothing(
    ask: Ask, devnet_world: World, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    answer = ask(
        "history", "--deployments", str(devnet_world.deployments), "--rpc", devnet_world.url, "--out", "past", *words
    )
    assert answer.code in (2, 3) and says in answer.err.strip().splitlines()[-1] and not answer.out
    assert not (tmp_path / "past").exists()


def test_whoever_stops_it_is_told_that_ranges_are_kept(
    ask: Ask, devnet_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, done = reading._read, iter(range(9))

    def stopped(*arguments: Any) -> None:
        if next(done) == 2:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(reading, "_read", stopped)
    words = ("history", "--deployments", str(devnet_world.deployments), "--rpc", devnet_world.url, "--out", "past")
    answer = ask(*words, "--from", "1", "--piece", "20", "--tables", "flows")
    assert answer.code == 130 and "the same command goes on from there" in answer.err
    monkeypatch.undo()
    assert [one["last"] for one in json.loads((tmp_path / "past" / "history.json").read_text())["ranges"]] == [20, 40]
