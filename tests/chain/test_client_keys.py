"""Keys in node addresses never appear: not in messages, tracebacks, logs, recordings, caches, nor what the command line leaves."""

import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from chain.errors import AftershockError
from chain.networks import node_url, redact
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.pacing import Manners
from chain.node.rpc import scrubbed, secrets
from tests.chain.picky_node import Whims, picky
from tests.devnet.world import World

LOCAL = "eip155:31337"
KEY = "secret-key"
ECHO = b'{"jsonrpc": "2.0", "id": ID, "error": {"code": -32000, "message": "no plan for /v3/secret-key"}}'
FAILURES = {
    "key not accepted": Whims(status=401, body=b"bad key secret-key"),
    "not found": Whims(status=404, body=b"<html>Cannot POST /v3/secret-key</html>"),
    "redirect": Whims(status=301, body=b"/v3/secret-key"),
    "repeats the address": Whims(status=200, body=ECHO),
    "repeats it in a batch": Whims(status=500, body=b"[" + ECHO + b"]"),
    "breaks off": Whims(broken=10**6),
    "busy": Whims(busy=10**6, retry_after="9999"),
    "silent": Whims(silent=10**6),
    "refuses": Whims(refuse={"eth_call": "see http://user:p-secret@127.0.0.1/v3/secret-key"}),
    "other chain": Whims(replace={"eth_chainId": "0x1"}),
}


def test_parts_of_an_address_that_must_not_be_shown() -> None:
    url = "https://user:p-secret@node.example:8545/v3/secret%2Dkey/?token=q-secret&x=1#f-secret"
    text = f"at {url}, that is /v3/secret%2Dkey or secret-key, q-secret, p-secret, f-secret; try node.example"
    shown = scrubbed(text, secrets(url))
    assert "secret" not in shown and "node.example" in shown
    assert scrubbed("plain\nwords\x1b[31m", secrets("http://127.0.0.1:8545")) == "plain words [31m"
    assert scrubbed("see 'https://u:p@b.example/secret?x', now", ()) == "see 'https://b.example', now"
    assert redact(f"{url},\nhttps://b.example/secret") == "https://node.example:8545, https://b.example"


def test_several_addresses_are_read_and_none_is_repeated() -> None:
    several = " http://a.example/secret , http://b.example/\nhttp://a.example/secret\n"
    assert node_url("eip155:1", {"AFTERSHOCK_RPC_1": several}) == "http://a.example/secret\nhttp://b.example/"
    with pytest.raises(AftershockError, match="ftp://b") as caught:
        node_url("eip155:1", {}, "http://a.example/secret,ftp://b.example/secret")
    assert "secret" not in str(caught.value)


@pytest.mark.devnet
@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_shows_a_key(
    devnet_world: World,
    name: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chain.node.pacing.FIRST_WAIT_SECONDS", 0.001)
    caplog.set_level(logging.DEBUG)
    texts = []
    manners = Manners(0, timeout_seconds=0.1, cache=tmp_path / "cache", keeps_recent=True)
    call = Call(devnet_world.pool.address.lower(), "POOL_REVISION()->(uint256)")
    with picky(devnet_world.url, FAILURES[name]) as url:
        for address in (
            url,
            f"{url}?token=q-secret",
            url.replace("//", "//user:p-secret@"),
            f"{url},{url}/more-secret",
        ):
            try:
                with Client.connect(address, LOCAL, manners, tmp_path / "record.jsonl") as client:
                    texts.append(f"{client!r} {vars(client)!r}")
                    client.pin(devnet_world.block_number)
                    client.call(call)
            except AftershockError as error:
                texts.append("".join(traceback.format_exception(error)) + repr(error.__context__))
    files = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    # the frames of a traceback quote source lines, never values
    shown = "\n".join([*texts, *files, caplog.text])
    assert len(texts) >= 4 and "127.0.0.1" in shown
    assert "secret" not in shown
    assert "urllib3" in caplog.text


@pytest.mark.devnet
@pytest.mark.parametrize("name", ["repeats the address", "refuses"])
def test_the_command_line_leaves_no_key(devnet_world: World, name: str, tmp_path: Path) -> None:
    with picky(devnet_world.url, FAILURES[name]) as url:
        command = [sys.executable, "-m", "aftershock", "snapshot"]
        options = ["--deployments", str(devnet_world.deployments), "--out", str(tmp_path / "out")]
        done = subprocess.run(
            [*command, *options],
            env={**os.environ, f"AFTERSHOCK_RPC_{devnet_world.chain_id}": f"{url},{url}?token=q-secret"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3 and "127.0.0.1" in done.stderr + done.stdout
    left = [file.read_bytes().decode(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert "secret" not in "".join([done.stdout, done.stderr, *left])


@pytest.mark.devnet
def test_nodes_given_one_by_one_help_each_other_out(devnet_world: World, tmp_path: Path) -> None:
    with picky(devnet_world.url, FAILURES["refuses"]) as url:
        command = [sys.executable, "-m", "aftershock", "snapshot", "--rpc", url, "--rpc", devnet_world.url]
        options = ["--deployments", str(devnet_world.deployments), "--out", str(tmp_path / "out")]
        done = subprocess.run(
            [*command, *options], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    left = [file.read_bytes().decode(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert len(left) > 5 and "secret" not in "".join([done.stdout, done.stderr, *left])
