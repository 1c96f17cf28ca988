"""Recordings: the same answers without the node, the same file from any node, and no answer that was not given."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.errors import ContractError, InputError, NodeError
from chain.node.calls import Call, Log, event_topic
from chain.node.client import Client
from chain.node.pacing import Manners
from tests.chain.picky_node import Whims, picky, without_creation
from tests.devnet.world import World

LOCAL = "eip155:31337"
TRANSFER = event_topic("Transfer(address,address,uint256)")


def story(client: Client, world: World) -> tuple[Any, list[Log], Any]:
    """Some of everything that can be asked."""
    token, pool = world.tokens["USDC"].address.lower(), world.pool.address.lower()
    calls = [Call(token, "balanceOf(address)->(uint256)", (account.address,)) for account in world.accounts]
    calls.append(Call(pool, "paint()->(uint256)", optional=True))
    answers = client.call_many(calls)
    with pytest.raises(ContractError, match="paint of"):
        client.call(Call(pool, "paint()->(uint256)"))
    logs = client.logs([token], TRANSFER, 0, client.anchor.number)
    client.confirm()
    return answers, logs, (client.codes([token]), client.native_balances([token]), client.headers([3]), client.header)


@pytest.mark.devnet
def test_a_recording_answers_as_the_node_did(devnet_world: World, tmp_path: Path) -> None:
    file, other = tmp_path / "deep" / "one.jsonl", tmp_path / "two.jsonl"
    with Client.connect(devnet_world.url, LOCAL, record_to=file) as client:
        client.pin(devnet_world.block_number)
        told = story(client, devnet_world)
    whims = Whims(batch=3, busy=2, rewrite=without_creation)
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, Manners(0), record_to=other) as client:
        client.pin(devnet_world.block_number)
        assert story(client, devnet_world) == told
    header, *lines = file.read_text().splitlines()
    assert other.read_text().splitlines()[1:] == lines == sorted(lines)
    assert "secret" not in other.read_text()
    assert json.loads(header)["block"]["hash"] == devnet_world.block_hash
    assert json.loads(header)["source"] == f"the node at {devnet_world.url}"
    assert all(json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) == line for line in lines)

    with Client.replay(file) as client:
        assert client.pin(devnet_world.block_number).hash == devnet_world.block_hash
        assert story(client, devnet_world) == told
        assert client.requests == 0
        unknown = Call(devnet_world.pool.address.lower(), "POOL_REVISION()->(uint256)")
        with pytest.raises(NodeError, match=f"holds no answer to .*eth_call.*{unknown.data.hex()}"):
            client.call(unknown)
        with pytest.raises(NodeError, match=r"holds no answer to .*eth_getBlockByNumber.*0x1"):
            client.pin(1)


@pytest.mark.devnet
def test_a_recording_of_a_moving_answer_is_refused(devnet_world: World, tmp_path: Path) -> None:
    with Client.connect(devnet_world.url, LOCAL, record_to=tmp_path / "moving.jsonl") as client:
        client.pin(devnet_world.block_number)
        with pytest.raises(InputError, match="holds one block"):
            client.pin(devnet_world.block_number - 1)
    with devnet_world.undone(), Client.connect(devnet_world.url, LOCAL, record_to=tmp_path / "two.jsonl") as client:
        with devnet_world.undone():
            devnet_world.advance(12)
            client.headers([devnet_world.block_number + 1])
        devnet_world.advance(13)
        with pytest.raises(NodeError, match="differently the second time"):
            client.headers([devnet_world.block_number + 1])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no JSON", '{"format":2,"source":"","block":null}', '{"format":1}\n{']
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=r"bad\.jsonl is no recording"):
        Client.replay(file)
    with pytest.raises(InputError, match="is no recording"):
        Client.replay(tmp_path / "absent.jsonl")


def test_a_recording_without_a_block_cannot_be_replayed(tmp_path: Path) -> None:
    file = tmp_path / "early.jsonl"
    file.write_text('{"block":null,"format":1,"source":"x"}\n')
    with pytest.raises(InputError, match="without a pinned block"):
        Client.replay(file)
