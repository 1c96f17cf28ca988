"""`aftershock doctor` as people type it, on the development node: several nodes, shallow ones, narrow ones, dead ones, wrong address books."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

import aftershock
from aftershock import load
from aftershock.cli import doctor, main
from chain.node.cache import size_bytes
from chain.snapshot import Snapshot
from tests.chain.picky_node import Whims, picky
from tests.devnet.availability import require_devnet
from tests.devnet.node import CHAIN_ID, GENESIS_TIME, Node, free_port
from tests.devnet.world import World

CHAIN = f"eip155:{CHAIN_ID}"
Findings = list[dict[str, str]]
Ask = Callable[..., tuple[int, Findings]]


@cache
def sample() -> Snapshot:
    return load()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Run the verb in an empty folder with an empty cache, and collect exit code and findings; the sample is loaded once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aftershock, "load", sample)
    monkeypatch.setenv("AFTERSHOCK_CACHE", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("AFTERSHOCK_RPC")]:
        monkeypatch.delenv(name)

    def run(*words: str) -> tuple[int, Findings]:
        monkeypatch.setattr(sys, "argv", ["aftershock", "doctor", "--json", "--chain", CHAIN, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return run


def of(findings: Findings, subject: str) -> list[tuple[str, str]]:
    return [(one["state"], one["finding"]) for one in findings if one["subject"] == subject]


def test_without_a_node_it_says_which_variable_names_one(ask: Ask) -> None:
    code, found = ask()
    assert (code, of(found, "node")[0][0]) == (0, "absent")
    assert f"AFTERSHOCK_RPC_{CHAIN_ID}" in of(found, "node")[0][1]
    assert {one["subject"] for one in found} >= {"Python", "web3", "torch", "disk", "cache", "sample"}
    assert not {one["subject"] for one in found} & {"clock", "events", "archive"}


def test_the_cache_is_measured_and_its_limit_is_said(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cache" / "1" / "0xab.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * 3_400_000)
    [(state, text)] = of(ask()[1], "cache")
    assert state == "ok" and text.startswith("3.4 MB") and "at most 2 GB" in text
    assert size_bytes(tmp_path / "cache") == 3_400_000, "the doctor removes nothing"
    monkeypatch.setenv("AFTERSHOCK_CACHE", "off")
    assert of(ask()[1], "cache")[0][0] == "absent"
    monkeypatch.setenv("AFTERSHOCK_REQUESTS_PER_SECOND", "fast")
    assert of(ask()[1], "cache") == [
        ("broken", "AFTERSHOCK_REQUESTS_PER_SECOND is 'fast'; give a number, 0 for no limit")
    ]


def test_missing_extras_and_a_small_disk_are_said(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    monkeypatch.setattr(doctor, "FORECASTING", ("torch-of-nowhere",))
    code, found = ask()
    assert code == 0 and of(found, "disk")[0][0] == "absent" and "1.0 GB free" in of(found, "disk")[0][1]
    assert of(found, "torch-of-nowhere") == [("absent", "not installed; only forecasting needs it")]
    monkeypatch.setattr(doctor, "NEEDED", ("web3-of-nowhere",))
    code, found = ask()
    assert code == 3 and of(found, "web3-of-nowhere")[0][0] == "broken"


@pytest.mark.devnet
def test_every_node_is_looked_at_by_itself_commas_or_not(ask: Ask, devnet_world: World) -> None:
    dead = f"http://127.0.0.1:{free_port()}/v3/secret-key"
    with picky(devnet_world.url, Whims()) as alive:
        for words in (("--rpc", dead, "--rpc", alive), ("--rpc", f"{dead},{alive}")):
            code, found = ask(*words)
            assert (code, [state for state, _ in of(found, "node")]) == (3, ["broken", "ok"])
            for url, (_, text) in zip((dead, alive), of(found, "node"), strict=True):
                assert url.split("/v3")[0] in text
            assert "secret-key" not in json.dumps(found), "keys live in the path"
            assert [len(of(found, subject)) for subject in ("clock", "events", "archive")] == [1, 1, 1]
    code, found = ask("--rpc", "ftp://example.org")
    assert code == 3 and "must start with http" in of(found, "node")[0][1]


@pytest.mark.devnet
def test_a_node_of_another_chain_is_broken(ask: Ask, devnet_world: World) -> None:
    code, found = ask("--rpc", devnet_world.url, "--chain", "eip155:1")
    [(state, text)] = of(found, "node")
    assert (code, state) == (3, "broken") and CHAIN in text and "eip155:1" in text


@pytest.mark.devnet
@pytest.mark.parametrize(("width", "words"), [(10**9, "the whole chain"), (150, "100 blocks"), (5, "refuses")])
def test_the_widest_range_of_events_is_found(ask: Ask, devnet_world: World, width: int, words: str) -> None:
    with devnet_world.undone(), picky(devnet_world.url, Whims(blocks=width)) as url:
        devnet_world.node.request("anvil_mine", hex(300))
        [(state, text)] = of(ask("--rpc", url)[1], "events")
    assert words in text and state == ("broken" if width < 10 else "ok")


@pytest.mark.parametrize(("kept", "words"), [(300, "128 blocks deep"), (50, "no state 128")])
@pytest.mark.devnet
def test_a_node_that_forgets_old_state_is_measured(ask: Ask, kept: int, words: str) -> None:
    """Anvil keeps as many states as it is told to; the head's time is long past by this machine's clock."""
    require_devnet()
    with Node(["--prune-history", str(kept)]) as shallow:
        shallow.request("anvil_mine", hex(700))
        code, found = ask("--rpc", shallow.url)
    assert words in of(found, "archive")[0][1]
    assert of(found, "archive")[0][0] == ("absent" if kept < 128 else "ok")
    state, text = of(found, "clock")[0]
    assert code == 3 and state == "broken" and int(text.split()[3]) > 86_400, (
        f"a head of {GENESIS_TIME} cannot be fresh"
    )


BOOKS = {"right": "", "a wrong symbol": "symbol is LINK, the book says LIMK", "no code": "no code at 0x" + "9" * 40}


@pytest.mark.devnet
@pytest.mark.parametrize("book", BOOKS)
def test_addresses_of_a_book(ask: Ask, devnet_world: World, tmp_path: Path, book: str) -> None:
    """The tokens of the world's book; the feeds are left out, for the mock's description is not its pair."""
    _, entry, tokens = devnet_world.deployments.read_text().rpartition("[[deployments]]")
    text = entry + tokens
    if book == "a wrong symbol":
        text = text.replace('symbol = "LINK"', 'symbol = "LIMK"')
    if book == "no code":
        text = text.replace(devnet_world.tokens["LINK"].address, "0x" + "9" * 40)
    file = tmp_path / "book.toml"
    file.write_text(text)
    with devnet_world.undone():
        devnet_world.advance(round(time.time()) - devnet_world.timestamp)
        code, found = ask("--rpc", devnet_world.url, "--addresses", "--deployments", str(file))
    assert of(found, "Multicall3")[0][0] == "ok"
    broken = [said for state, said in of(found, "erc20 tokens") if state == "broken"]
    assert [BOOKS[book] in said for said in broken] == [True] * bool(BOOKS[book])
    if book == "right":
        assert ("ok", "code at 6 addresses") in of(found, "erc20 tokens")
        assert ("ok", "WETH: symbol is WETH") in of(found, "erc20 tokens")
    assert code == (3 if BOOKS[book] else 0) and of(found, "clock")[0][0] == "ok"


@pytest.mark.devnet
def test_a_chain_without_a_book_says_so(ask: Ask, devnet_world: World) -> None:
    code, found = ask("--rpc", devnet_world.url, "--addresses")
    assert code == 3 and "no address book for eip155:31337" in of(found, "addresses")[0][1]
