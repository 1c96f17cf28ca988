"""The client: what it refuses, what it gets through a picky node, and that it agrees with the same questions asked one by one."""

import socket
from typing import Any

import pytest
from web3.exceptions import Web3Exception

from chain.errors import BlockError, ContractError, InputError, NodeError, WrongChainError
from chain.node.calls import Call, bundled, event_topic
from chain.node.client import Client
from chain.reading import take
from tests.chain.picky_node import Whims, picky, without_creation
from tests.devnet.world import World

LOCAL = "eip155:31337"
BALANCE = "balanceOf(address)->(uint256)"
TRANSFER = event_topic("Transfer(address,address,uint256)")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_node_that_is_not_there_is_named_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.rpc.time.sleep", lambda _: None)
    with pytest.raises(NodeError, match="cannot be used: the connection fails") as caught:
        Client.connect(f"http://127.0.0.1:{closed_port()}/v3/secret-key", LOCAL)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>hello</html>", "JSON-RPC"),
        (200, b'{"jsonrpc": "2.0", "id": ID, "result": "ether"}', "eth_chainId with no number"),
        (200, b'{"jsonrpc": "2.0", "id": ID}', "refuses eth_chainId"),
        (200, b'{"jsonrpc": "2.0", "id": ID, "error": {"code": -32601, "message": "no such thing"}}', "no such thing"),
        (401, b"", "key is missing"),
        (404, b"", "HTTP 404"),
        (503, b"", "HTTP 503"),
    ],
)
def test_an_answer_that_is_no_node_is_named(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, words: str
) -> None:
    monkeypatch.setattr("chain.node.rpc.time.sleep", lambda _: None)
    with (
        picky("http://127.0.0.1:1", Whims(status=status, body=body)) as url,
        pytest.raises(NodeError, match=words) as caught,
    ):
        Client.connect(url, LOCAL)
    assert "secret-key" not in str(caught.value)


@pytest.fixture
def client(devnet_world: World) -> Client:
    client = Client.connect(devnet_world.url, LOCAL)
    client.pin(devnet_world.block_number)
    return client


@pytest.mark.devnet
def test_the_wrong_chain_is_refused(devnet_world: World) -> None:
    with pytest.raises(WrongChainError, match="serves eip155:31337, but eip155:1 is wanted"):
        Client.connect(devnet_world.url, "eip155:1")


@pytest.mark.devnet
def test_the_pinned_block_has_number_hash_and_time(devnet_world: World, client: Client) -> None:
    anchor = client.anchor
    assert (anchor.chain, anchor.number) == (LOCAL, devnet_world.block_number)
    assert (anchor.hash, anchor.timestamp) == (devnet_world.block_hash, devnet_world.timestamp)
    assert client.pin("latest") == anchor == client.pin(None) == client.pin(str(anchor.number))
    assert client.pin("latest-3").number == anchor.number - 3


@pytest.mark.devnet
def test_a_block_that_cannot_be_pinned_is_named(devnet_world: World, client: Client) -> None:
    head = devnet_world.block_number
    with pytest.raises(BlockError, match=f"Block {head + 1} lies ahead of the head, which is block {head}"):
        client.pin(head + 1)
    for words in ("tomorrow", "latest-", "latest-x", "-1", "1.5", ""):
        with pytest.raises(InputError, match="cannot be read"):
            client.pin(words)
    with pytest.raises(InputError, match="before block 0"):
        client.pin(f"latest-{head + 1}")


@pytest.mark.devnet
def test_a_reorganisation_during_the_read_is_seen(devnet_world: World) -> None:
    with Client.connect(devnet_world.url, LOCAL) as client:
        with devnet_world.undone():
            client.pin(devnet_world.advance(12))
            client.confirm()
        with devnet_world.undone():
            devnet_world.advance(13)
            with pytest.raises(BlockError, match="reorganised"):
                client.confirm()
        with pytest.raises(BlockError, match="reorganised"):
            client.confirm()


@pytest.mark.devnet
def test_calls_answer_at_the_pinned_block(devnet_world: World, client: Client) -> None:
    token, holder = devnet_world.tokens["WETH"], devnet_world.pairs["WETH/USDC"].address
    call = Call(token.address.lower(), BALANCE, (holder,))
    before = client.call(call)
    with devnet_world.undone():
        deployer = devnet_world.ledger.deployer
        devnet_world.send("gift", token, "deposit", sender=deployer, value=10**18)
        devnet_world.send("gift", token, "transfer", holder, 10**18, sender=deployer)
        assert token.functions.balanceOf(holder).call() == before + 10**18
        assert client.call_many([call, call]) == [before, before]


@pytest.mark.devnet
def test_a_refused_call_is_an_error_or_an_answer(devnet_world: World, client: Client) -> None:
    pool, nobody = devnet_world.pool.address.lower(), "0x" + "9" * 40
    good = Call(pool, "POOL_REVISION()->(uint256)")
    for address, text in (
        (pool, "paint()->(uint256)"),
        (nobody, "symbol()->(string)"),
        (pool, "getReservesList()->(string)"),
    ):
        name = text.partition("(")[0]
        with pytest.raises(ContractError, match=f"{name} of {address} failed at block {client.anchor.number}"):
            client.call_many([good, Call(address, text)])
        with pytest.raises(ContractError, match=f"{name} of {address} failed"):
            client.call(Call(address, text))
        assert client.call_many([good, Call(address, text, optional=True), good]) == [10, None, 10]


@pytest.mark.devnet
def test_the_reason_of_a_refusal_is_passed_on(devnet_world: World, client: Client) -> None:
    pair = devnet_world.pairs["WETH/USDC"].address.lower()
    with pytest.raises(ContractError, match="UniswapV2: FORBIDDEN"):
        client.call(Call(pair, "initialize(address,address)->()", (pair, pair)))


def answers_bundles_with_a_word(question: Any) -> Any:
    if question["method"] == "eth_call" and "to" not in question["params"][0]:
        return {"result": "0x" + "0" * 64}
    return question


WHIMS = {
    "patient": Whims(),
    "no batches": Whims(batch=1),
    "small batches": Whims(batch=3, call_bytes=4_000),
    "small bodies": Whims(body_bytes=5_000),
    "one call at a time": Whims(call_bytes=700),
    "block by block": Whims(blocks=1),
    "seven blocks": Whims(blocks=7),
    "busy": Whims(busy=2, broken=1),
    "busy inside a batch": Whims(busy_inside=2),
    "no calls without a recipient": Whims(rewrite=without_creation),
    "nor Multicall3": Whims(rewrite=without_creation, replace={"eth_getCode": "0x"}),
    "another answer to every bundle": Whims(rewrite=answers_bundles_with_a_word),
}


@pytest.mark.devnet
@pytest.mark.parametrize("name", WHIMS)
def test_a_picky_node_gives_the_same_answers(
    devnet_world: World, client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whims = WHIMS[name]
    monkeypatch.setattr("chain.node.rpc.time.sleep", lambda _: None)
    token = devnet_world.tokens["USDC"].address.lower()
    people = [account.address for account in devnet_world.accounts]
    calls = [Call(token, BALANCE, (who,)) for who in people]
    expected = [devnet_world.tokens["USDC"].functions.balanceOf(who).call() for who in people]
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL) as other:
        other.pin(devnet_world.block_number)
        assert other.call_many(calls) == expected
        logs = other.logs([token], TRANSFER, 1, devnet_world.block_number)
        assert logs == client.logs([token], TRANSFER, 1, devnet_world.block_number)
    raw = devnet_world.w3.eth.get_logs(
        {
            "address": devnet_world.tokens["USDC"].address,
            "topics": [TRANSFER],
            "fromBlock": 1,
            "toBlock": devnet_world.block_number,
        }
    )
    assert [(log.block_number, log.log_index) for log in logs] == [(log["blockNumber"], log["logIndex"]) for log in raw]
    assert len(logs) > 50


@pytest.mark.devnet
def test_a_bundle_that_runs_out_of_gas_is_not_believed(devnet_world: World, client: Client) -> None:
    """Where the gas of one call ends inside a heavy question, the bundle succeeds and says that the contract refused."""
    pool, multicall3 = devnet_world.pool.address.lower(), client.network.multicall3
    text = "getUserAccountData(address)->(uint256,uint256,uint256,uint256,uint256,uint256)"
    questions = [(pool, Call(pool, text, (account.address,)).data) for account in devnet_world.accounts[:40]]
    heavy = Call(multicall3, "aggregate((address,bytes)[])->(uint256,bytes[])", (questions,), optional=True)
    light = Call(pool, "POOL_REVISION()->(uint256)")
    both = bundled(multicall3, [(light.address, light.data), (heavy.address, heavy.data)])
    gas = max(gas for gas in range(1_000_000, 3_000_000, 10_000) if half_fails(devnet_world, both, gas))
    with picky(devnet_world.url, Whims(gas=gas)) as url, Client.connect(url, LOCAL) as other:
        other.pin(devnet_world.block_number)
        assert other.call_many([light, heavy]) == [10, client.call(heavy)]


def half_fails(world: World, both: Call, gas: int) -> bool:
    try:
        answer = world.w3.eth.call({"to": world.w3.to_checksum_address(both.address), "data": both.data, "gas": gas})
    except Web3Exception:
        return False
    return [succeeded for succeeded, _ in both.decoded(bytes(answer))] == [True, False]


@pytest.mark.devnet
def test_a_node_without_history_is_named(devnet_world: World) -> None:
    whims = Whims(refuse={"eth_call": "missing trie node 5e5e"})
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL) as client:
        client.pin(devnet_world.block_number)
        with pytest.raises(NodeError, match="archive node"):
            client.call(Call(devnet_world.pool.address.lower(), "POOL_REVISION()->(uint256)"))


@pytest.mark.devnet
def test_a_node_that_fails_half_way_stops_the_reading(devnet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.rpc.time.sleep", lambda _: None)
    whims = Whims()

    def fail_at_accounts(*step: object) -> None:
        if step[-1] == "accounts":
            whims.broken = 99

    with picky(devnet_world.url, whims) as url, pytest.raises(NodeError, match="the connection fails"):
        take(url, devnet_world.deployments, devnet_world.block_number, progress=fail_at_accounts)
