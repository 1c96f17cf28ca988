"""Several nodes, and nodes that answer badly: the same answers as from a good one, or an error that says what is wrong."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from chain.errors import BlockError, NodeError, WrongChainError
from chain.node.calls import Call, Log, event_topic
from chain.node.client import Client
from chain.node.pacing import Manners
from tests.chain.picky_node import Whims, picky
from tests.devnet.node import Node
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
LOCAL = "eip155:31337"
TRANSFER = event_topic("Transfer(address,address,uint256)")
QUICK = Manners(requests_per_second=0, timeout_seconds=0.4, batch=20, bundle=10)
NO_SUCH = {"code": -32602, "message": "invalid argument: hex string expected"}


@dataclass(frozen=True)
class Expected:
    """Questions, and their answers as plain web3 gives them."""

    calls: list[Call]
    balances: list[int]
    logs: list[tuple[int, int, str]]
    token: str


@pytest.fixture(scope="module")
def expected(devnet_world: World) -> Expected:
    token, last = devnet_world.tokens["USDC"], devnet_world.block_number
    people = [account.address for account in devnet_world.accounts]
    calls = [Call(token.address.lower(), "balanceOf(address)->(uint256)", (who,)) for who in people]
    raw = devnet_world.w3.eth.get_logs(
        {"address": token.address, "topics": [TRANSFER], "fromBlock": 0, "toBlock": last}
    )
    logs = [(int(log["blockNumber"]), log["logIndex"], log["transactionHash"].to_0x_hex()) for log in raw]
    return Expected(calls, [token.functions.balanceOf(who).call() for who in people], logs, token.address.lower())


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chain.node.pacing.FIRST_WAIT_SECONDS", 0.002)


def hear(client: Client, expected: Expected) -> None:
    """Everything asked through the client is as expected."""
    assert client.call_many(expected.calls) == expected.balances
    assert places(client.logs([expected.token], TRANSFER, 0, client.anchor.number)) == expected.logs
    assert client.codes([expected.token])[0] != "0x"
    assert client.native_balances([expected.token]) == [0]


def places(logs: list[Log]) -> list[tuple[int, int, str]]:
    return [(log.block_number, log.log_index, log.transaction) for log in logs]


def without_hashes(question: Any) -> bool:
    return any(isinstance(param, dict) and "blockHash" in param for param in question["params"])


def items(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: [change(one) for one in answer] if isinstance(answer, list) else change(answer)


SPOILS: dict[str, Callable[[Any], Any]] = {
    "wrong ids": items(lambda one: {**one, "id": one["id"] + 10_000}),
    "ids as text": items(lambda one: {**one, "id": str(one["id"])}),
    "no ids": items(lambda one: {name: one[name] for name in one if name != "id"}),
    "one id for all": lambda answer: (
        [{**one, "id": answer[0]["id"]} for one in answer] if isinstance(answer, list) else {}
    ),
    "missing items": lambda answer: answer[:-1] if isinstance(answer, list) else {},
    "first item missing": lambda answer: answer[1:] if isinstance(answer, list) else {},
    "an id twice": lambda answer: [*answer, {**answer[1], "id": answer[0]["id"]}] if isinstance(answer, list) else {},
    "a stranger among them": lambda answer: [*answer, {**answer[0], "id": 10**9}] if isinstance(answer, list) else {},
    "truncated": lambda answer: json.dumps(answer).encode()[:-10],
    "cut in half": lambda answer: json.dumps(answer).encode()[: len(json.dumps(answer)) // 2],
    "empty": lambda _: b"",
    "html": lambda _: b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    "null": lambda _: None,
    "a number": lambda _: 17,
    "deep": lambda _: b"[" * 100_000,
    "long number": lambda _: b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b"}",
    "no result": items(lambda one: {"jsonrpc": "2.0", "id": one["id"]}),
    "odd digits": items(lambda one: {**one, "result": "0x123"} if isinstance(one.get("result"), str) else one),
    "not hexadecimal": items(lambda one: {**one, "result": "0xzz"}),
    "out of range": items(lambda one: {**one, "result": "0x" + "f" * 80}),
    "negative": items(lambda one: {**one, "result": "-0x1"}),
    "a list": items(lambda one: {**one, "result": [1, 2]}),
}


@pytest.mark.parametrize("name", SPOILS)
@pytest.mark.parametrize("good", [1, 3])
def test_an_answer_that_is_spoilt_twice_is_asked_again(
    devnet_world: World, expected: Expected, name: str, good: int
) -> None:
    whims = Whims()
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
        client.pin(devnet_world.block_number)
        for _ in range(good):
            hear(client, expected)
            whims.spoil, whims.spoils = SPOILS[name], 2
        hear(client, expected)


@pytest.mark.parametrize("name", SPOILS)
def test_a_node_that_spoils_all_answers_is_named_and_the_next_one_answers(
    devnet_world: World, expected: Expected, name: str
) -> None:
    whims = Whims(spoil=SPOILS[name])
    with picky(devnet_world.url, whims) as url:
        with Client.connect(url, LOCAL, QUICK) as client:
            client.pin(devnet_world.block_number)
            whims.spoils = 10**6
            with pytest.raises(NodeError, match=r"http://127\.0\.0\.1:\d+ |they are no whole words") as caught:
                hear(client, expected)
            assert "secret" not in str(caught.value)
        whims.spoils = 0
        with Client.connect(f"{url}\n{devnet_world.url}", LOCAL, QUICK) as client:
            client.pin(devnet_world.block_number)
            whims.spoils = 10**6
            hear(client, expected)


TROUBLES = {
    "413": Whims(batch=2, batch_status=413),
    "429": Whims(batch=2, batch_status=429),
    "504": Whims(batch=2, batch_status=504),
    "an error": Whims(batch=2),
    "bodies": Whims(body_bytes=9_000),
    "time-outs": Whims(silent=2),
    "503": Whims(broken=3),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_batches_shrink_when_a_node_refuses_and_grow_again(devnet_world: World, expected: Expected, name: str) -> None:
    whims = TROUBLES[name]
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
        client.pin(devnet_world.block_number)
        hear(client, expected)
        if name not in ("time-outs", "503"):
            assert max(whims.batches[-5:]) <= max(whims.batch, 2) or name == "bodies"
        whims.batch, whims.body_bytes, whims.batch_status = 10**6, 10**9, 0
        for _ in range(12):
            assert client.call_many(expected.calls * 3) == expected.balances * 3
        whims.batches.clear()
        assert client.call_many(expected.calls * 3) == expected.balances * 3
        assert max(whims.batches) == QUICK.batch


def test_a_node_that_asks_for_a_pause_gets_it(devnet_world: World) -> None:
    whims = Whims()
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
        client.pin(devnet_world.block_number)
        whims.busy, whims.retry_after = 1, "1"
        before = len(whims.times)
        client.confirm()
        assert whims.times[before + 1] - whims.times[before] >= 1
        whims.busy, whims.retry_after = 1, "3600"
        started = time.monotonic()
        with pytest.raises(NodeError, match="asks to wait 3600 seconds"):
            client.confirm()
        assert time.monotonic() - started < 60, "it waited"


def test_the_rate_is_kept_for_each_node(devnet_world: World) -> None:
    whims = Whims()
    with (
        picky(devnet_world.url, whims) as url,
        Client.connect(url, LOCAL, Manners(requests_per_second=20)) as client,
    ):
        client.pin(devnet_world.block_number)
        for _ in range(10):
            client.confirm()
    assert len(whims.times) > 12
    assert whims.times[-1] - whims.times[0] > (len(whims.times) - 1) / 20 * 0.95


@pytest.fixture
def other_chain() -> Iterator[Node]:
    """A node with the same chain id that has other blocks, more of them than the world."""
    with Node() as node:
        node.request("anvil_mine", hex(100))
        yield node


def test_a_node_with_another_head_is_never_mixed_in(devnet_world: World, expected: Expected, other_chain: Node) -> None:
    whims = Whims()
    with (
        picky(devnet_world.url, whims) as url,
        Client.connect(f"{url},{other_chain.url}, {devnet_world.url}", LOCAL, QUICK) as client,
    ):
        client.pin(devnet_world.block_number)
        whims.broken = 10**6
        hear(client, expected)
        client.confirm()
    whims.broken = 0
    with picky(devnet_world.url, whims) as url, Client.connect(f"{url},{other_chain.url}", LOCAL, QUICK) as client:
        client.pin(devnet_world.block_number)
        whims.broken = 10**6
        with pytest.raises(NodeError, match=r"None of the 2 nodes.*connection fails.*was reorganised") as caught:
            hear(client, expected)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("takes_hashes", [True, False])
def test_a_node_that_lags_is_set_aside(devnet_world: World, expected: Expected, takes_hashes: bool) -> None:
    """It has all blocks but the pinned one, and answers questions about that with what it has."""
    behind = hex(devnet_world.block_number - 1)

    def lag(question: Any) -> Any:
        params = [behind if param == hex(devnet_world.block_number) else param for param in question["params"]]
        if question["method"] == "eth_getBlockByNumber" and params != question["params"]:
            return {"result": None}
        if without_hashes(question):
            return {"error": {"code": -32000, "message": "header not found"} if takes_hashes else NO_SUCH}
        return {**question, "params": params}

    first, lagging = Whims(), Whims(rewrite=lag)
    with (
        picky(devnet_world.url, first) as one,
        picky(devnet_world.url, lagging) as two,
        Client.connect(f"{one},{two},{devnet_world.url}", LOCAL, QUICK) as client,
    ):
        client.pin(devnet_world.block_number)
        first.broken = 10**6
        hear(client, expected)
        assert "eth_call" not in lagging.methods and "eth_getLogs" not in lagging.methods


def test_a_node_without_the_state_is_helped_out_by_one_that_has_it(devnet_world: World, expected: Expected) -> None:
    whims = Whims(refuse={"eth_call": "missing trie node 5e5e"})
    with (
        picky(devnet_world.url, whims) as url,
        Client.connect(f"{url}\n{devnet_world.url}", LOCAL, QUICK) as client,
    ):
        client.pin(devnet_world.block_number)
        hear(client, expected)


def ignores_hashes(question: Any) -> Any:
    """A node that takes any block argument it does not understand for the latest block."""
    return {**question, "params": [*question["params"][:-1], "latest"]} if without_hashes(question) else question


def refuses_hashes(question: Any) -> Any:
    return {"error": NO_SUCH} if without_hashes(question) else question


@pytest.mark.parametrize("rewrite", [ignores_hashes, refuses_hashes])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_node_that_takes_no_hashes_gives_the_same_answers(
    devnet_world: World, expected: Expected, rewrite: Callable[[Any], Any], batch: int
) -> None:
    whims = Whims(rewrite=rewrite, batch=batch)
    with devnet_world.undone():
        deployer = devnet_world.ledger.deployer
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
            client.pin(devnet_world.block_number)
            usdc = devnet_world.tokens["USDC"]
            holder = next(who for who, has in zip(expected.calls, expected.balances, strict=True) if has)
            devnet_world.send("take", usdc, "transfer", deployer, 1, sender=holder.arguments[0])
            hear(client, expected)


@pytest.mark.parametrize("rewrite", [None, ignores_hashes, refuses_hashes])
@pytest.mark.parametrize("depth", [1, 12])
def test_a_reorganisation_stops_the_next_question(
    devnet_world: World, rewrite: Callable[[Any], Any] | None, depth: int
) -> None:
    pool = devnet_world.pool.address.lower()
    call = Call(pool, "POOL_REVISION()->(uint256)")
    with picky(devnet_world.url, Whims(rewrite=rewrite)) as url, Client.connect(url, LOCAL, QUICK) as client:
        for ask in (
            lambda: client.call(call),
            lambda: client.call_many([call] * 30),
            lambda: client.codes([pool]),
            lambda: client.logs([pool], TRANSFER, 1, client.anchor.number),
            lambda: client.get_logs([pool], [TRANSFER], 1, 5),
            client.confirm,
        ):
            with devnet_world.undone():
                for _ in range(depth):
                    devnet_world.advance(12)
                client.pin("latest")
                ask()
            with devnet_world.undone():
                for _ in range(depth + 2):
                    devnet_world.advance(13)
                with pytest.raises(BlockError, match="reorganised"):
                    ask()


def test_a_chain_id_that_changes_half_way_is_named(devnet_world: World, other_chain: Node) -> None:
    whims = Whims()
    call = Call(devnet_world.pool.address.lower(), "POOL_REVISION()->(uint256)")
    with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
        client.pin(devnet_world.block_number)
        client.call(call)
        whims.replace = {"eth_chainId": "0x1"}
        with pytest.raises(WrongChainError, match=r"served eip155:31337 at first and now eip155:1"):
            client.confirm()
        whims.elsewhere = other_chain.url
        for ask in (lambda: client.call(call), lambda: client.get_logs([call.address], [TRANSFER], 1, 5)):
            with pytest.raises(WrongChainError, match=r"serves eip155:1, but eip155:31337 is wanted"):
                ask()


def test_events_that_were_not_asked_are_not_believed(devnet_world: World, expected: Expected) -> None:
    def change(**fields: Any) -> Callable[[Any], Any]:
        def spoil(answer: Any) -> Any:
            whole = answer if isinstance(answer, list) else [answer]
            for one in whole:
                if isinstance(one.get("result"), list) and one["result"]:
                    one["result"][0] = {**one["result"][0], **fields}
            return answer

        return spoil

    wrong: list[dict[str, Any]] = [
        {"blockNumber": hex(10**6)},
        {"blockNumber": "0x" + "f" * 30},
        {"blockNumber": None},
        {"address": "0x" + "9" * 40},
        {"address": 5},
        {"topics": ["0x" + "9" * 64]},
        {"topics": []},
        {"topics": None},
        {"data": "0x1"},
        {"removed": True},
        {"logIndex": "first"},
        {"transactionHash": "0x12"},
    ]
    for fields in wrong:
        whims = Whims(spoil=change(**fields))
        with picky(devnet_world.url, whims) as url, Client.connect(url, LOCAL, QUICK) as client:
            client.pin(devnet_world.block_number)
            whims.spoils = 1
            hear(client, expected)
            whims.spoils = 10**6
            with pytest.raises(NodeError, match="eth_getLogs with"):
                client.get_logs([expected.token], [TRANSFER], 0, client.anchor.number)


def test_no_node_left_is_said_with_every_reason(devnet_world: World) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(picky(devnet_world.url, Whims(status=401)))
        two = stack.enter_context(picky(devnet_world.url, Whims(replace={"eth_chainId": "0x1"})))
        with pytest.raises(NodeError, match=r"None of the 2 nodes.*key is missing.*serves eip155:1"):
            Client.connect(f"{one},{two}", LOCAL, QUICK)
        with pytest.raises(WrongChainError, match="None of the 2 nodes"):
            Client.connect(f"{two},{two}?again=yes", LOCAL, QUICK)
