"""Faults that need another node: a reorganisation, a node that is behind, a node of another chain.

All nodes are real. Two worlds of the same seed have the same blocks, hash for hash; `Twins` lets both live on, the same up to a fork
and differently after it, so that a reorganisation during a read is a change from one node to the other.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from chain.reading import take
from chain.snapshot import Snapshot
from tests.chain.faults.proxy import Exchange, Json, Proxy, Reply
from tests.devnet.node import Node
from tests.devnet.transactions import address_of
from tests.devnet.world import World, build_world

MORE_BLOCKS = 12
MAIN, FORK, STRANGER = 0, 1, 2
OTHER_CHAIN = 31338


@dataclass
class Twins:
    """A world that lived on for twelve blocks, its twin that can fork from it, and a node of another chain with nothing on it.

    Attributes
    ----------
    depth : how many of the last blocks of the twin differ.
    known : fault-free readings by block hash.
    """

    main: World
    fork: World
    stranger: Node
    depth: int = 0
    base: str = ""
    known: dict[str, Snapshot] = field(default_factory=dict)

    @cached_property
    def head(self) -> int:
        """Number of the last block of the main node."""
        return int(self.main.w3.eth.block_number)

    @property
    def urls(self) -> tuple[str, str, str]:
        """Addresses in the order MAIN, FORK, STRANGER."""
        return self.main.url, self.fork.url, self.stranger.url

    def fork_at(self, depth: int) -> None:
        """Let the twin share all but the last `depth` blocks with the main node, and be one block longer."""
        if depth == self.depth:
            return
        if self.base:
            self.fork.node.request("evm_revert", self.base)
        self.base = self.fork.node.request("evm_snapshot")
        live_on(self.fork, range(MORE_BLOCKS - depth), "shared")
        live_on(self.fork, range(MORE_BLOCKS - depth, MORE_BLOCKS + 1), "fork")
        self.depth = depth

    def fault_free(self, snapshot: Snapshot) -> Snapshot:
        """What a reading without faults gives at the block that this one was pinned to, from the node that has this block."""
        [anchor] = snapshot.anchors
        if anchor.hash not in self.known:
            has = [world for world in (self.main, self.fork) if _hash(world, anchor.number) == anchor.hash]
            assert has, f"no node has block {anchor.number} {anchor.hash}"
            self.known[anchor.hash] = take(has[0].url, has[0].deployments, anchor.number)
        return self.known[anchor.hash]


@contextmanager
def twins(accounts: int = 25, seed: int = 7) -> Iterator[Twins]:
    """Build the three nodes."""
    with (
        build_world(accounts, seed) as main,
        build_world(accounts, seed) as fork,
        Node() as stranger,
    ):
        for world in (main, fork):
            pass_around(world)
        assert main.w3.eth.get_block("latest")["hash"] == fork.w3.eth.get_block("latest")["hash"]
        stranger.request("anvil_setChainId", OTHER_CHAIN)
        stranger.request("anvil_mine", hex(main.block_number + 100))
        live_on(main, range(MORE_BLOCKS), "shared")
        yield Twins(main, fork, stranger)


def pass_around(world: World) -> None:
    """Eighty transfers of a receipt token in four blocks, so that a limit of 100 events a request bites."""
    lender = next(account for account in world.accounts if account.kind == "lender")
    token = world.market.receipt_tokens[next(iter(lender.collateral))]
    for number in range(80):
        receiver = world.accounts[number % len(world.accounts)].address
        world.ledger.call("pass on", token, "transfer", receiver, 1 + number, sender=lender.address)
        if number % 20 == 19:
            world.ledger.mine()


def live_on(world: World, blocks: range, branch: str) -> None:
    """One transfer of a receipt token to somebody new in each block; another branch has other receivers and other times."""
    lender = next(account for account in world.accounts if account.kind == "lender")
    token = world.market.receipt_tokens[next(iter(lender.collateral))]
    for number in blocks:
        receiver = address_of(f"{branch} {number}")
        if branch == "fork":
            world.node.request("anvil_setBlockTimestampInterval", 13)
        world.send("pass on", token, "transfer", receiver, 1000 + number, sender=lender.address)
        world.node.request("anvil_setBlockTimestampInterval", 12)


def _hash(world: World, number: int) -> str:
    block = world.node.request("eth_getBlockByNumber", hex(number), False)
    return str(block["hash"]) if block else ""


@dataclass
class Switch:
    """From request `first` on another node answers, for `length` requests or for good (0)."""

    proxy: Proxy
    other: int
    first: int
    length: int = 0
    fired: int = 0
    seen: int = 0

    def __call__(self, exchange: Exchange) -> None:
        """Choose the node; the exchange itself passes."""
        del exchange
        self.seen += 1
        away = self.seen >= self.first and not (self.length and self.seen >= self.first + self.length)
        self.proxy.node = self.other if away else MAIN
        self.fired += away

    def heal(self) -> None:
        """A reorganisation stays; a wrong node goes away."""
        if self.length or self.other == STRANGER:
            self.first = 10**9


@dataclass
class Lag:
    """For `length` requests a node answers that has not seen the last `blocks` blocks.

    As running nodes do: later blocks are null, calls at them are errors, and events are those of the blocks it has, without a word.
    """

    blocks: int
    first: int
    length: int
    fired: int = 0
    seen: int = 0

    def __call__(self, exchange: Exchange) -> Reply | None:
        """Answer as a node that is behind."""
        self.seen += 1
        if not self.first <= self.seen < self.first + self.length:
            return None
        self.fired += 1
        [head] = exchange.forward([{"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}])
        last = int(head["result"], 16) - self.blocks
        return exchange.reply([_behind(exchange, question, last) for question in exchange.questions])

    def heal(self) -> None:
        """Catch up."""
        self.length = 0


@dataclass
class Outage:
    """For `length` requests the connection breaks, so that a reader with a second endpoint goes there."""

    first: int
    length: int
    fired: int = 0
    seen: int = 0

    def __call__(self, exchange: Exchange) -> Reply | None:
        """Break off, or let pass."""
        del exchange
        self.seen += 1
        if not self.first <= self.seen < self.first + self.length:
            return None
        self.fired += 1
        return Reply(how="reset")

    def heal(self) -> None:
        """Come back."""
        self.length = 0


def second_endpoint(name: str, nodes: Twins, draw: random.Random) -> Proxy | None:
    """The endpoint that a reader falls back to in an outage of the first; None for the faults of one endpoint."""
    if name == "lagging second endpoint":
        return Proxy(nodes.urls, [Lag(draw.randint(1, 14), 1, 10**9)])
    return Proxy(nodes.urls, node=FORK) if name == "forked second endpoint" else None


def _behind(exchange: Exchange, question: Json, last: int) -> Json:
    method, params = question["method"], question["params"]
    answer = {"jsonrpc": "2.0", "id": question["id"]}
    if method == "eth_blockNumber":
        return {**answer, "result": hex(last)}
    if method in ("eth_getBlockByNumber", "eth_getBlockByHash"):
        if params[0] in ("latest", "safe", "finalized"):
            question = {**question, "params": [hex(last), *params[1:]]}
        [found] = exchange.forward([question])
        block = found.get("result")
        return {**answer, "result": None} if block and int(block["number"], 16) > last else found
    if method == "eth_getLogs" and "toBlock" in params[0]:
        query = params[0]
        if int(query["fromBlock"], 16) > last:
            return {**answer, "result": []}
        clipped = {**query, "toBlock": hex(min(int(query["toBlock"], 16), last))}
        return exchange.forward([{**question, "params": [clipped]}])[0]
    if (
        method in ("eth_call", "eth_getCode", "eth_getBalance", "eth_getStorageAt")
        and _number(exchange, params[-1] if method != "eth_call" else params[1]) > last
    ):
        return {**answer, "error": {"code": -32000, "message": "header not found"}}
    return exchange.forward([question])[0]


def _number(exchange: Exchange, block: str | Mapping[str, str]) -> int:
    """Number of a block that is given by number or (EIP-1898) by hash."""
    if isinstance(block, str):
        return int(block, 16) if block.startswith("0x") else 0
    if "blockNumber" in block:
        return int(block["blockNumber"], 16)
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByHash", "params": [block["blockHash"], False]}
    found = exchange.forward([question])[0].get("result")
    return int(found["number"], 16) if found else 10**18


def node_faults(proxy: Proxy, draw: random.Random) -> dict[str, Switch | Lag | Outage]:
    """One fault of each kind, at a random place."""
    first, length = draw.randint(2, 25), draw.randint(1, 8)
    return {
        "reorganisation": Switch(proxy, FORK, first),
        "there and back": Switch(proxy, FORK, first, length),
        "lagging node": Lag(draw.randint(1, 14), first, length),
        "another chain": Switch(proxy, STRANGER, first),
        "another chain for a while": Switch(proxy, STRANGER, first, length),
        "lagging second endpoint": Outage(first, 4 + length),
        "forked second endpoint": Outage(first, 4 + length),
    }
