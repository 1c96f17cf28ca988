"""A real chain of a few hundred blocks with events, whose last blocks can be replaced, and nodes before it that refuse and break off."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from web3.contract import Contract

from chain.node.calls import Log, event_topic
from chain.node.rpc import Refusal
from tests.devnet.contracts import artifact
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of

TRANSFER = event_topic("Transfer(address,address,uint256)")
OLD_BLOCKS, YOUNG_BLOCKS = 150, 14
BURST, BURST_BLOCK = 45, 90


class StoppedError(Exception):
    """Stands for whatever ends a process in the middle."""


@dataclass
class EventChain:
    """Blocks 1 to `final` stay; the ones after it, up to the head, can be replaced.

    Attributes
    ----------
    node, tokens : the real node, and two contracts whose events are read.
    final : last block that is never replaced.
    """

    node: Node
    ledger: Ledger
    tokens: tuple[Contract, ...]
    final: int = 0
    _before: dict[int, str] = field(default_factory=dict)
    _supply: int = 0

    @property
    def addresses(self) -> list[str]:
        """The two contracts."""
        return [str(token.address).lower() for token in self.tokens]

    @property
    def head(self) -> int:
        """Number of the newest block."""
        return int(self.node.request("eth_blockNumber"), 16)

    def mine(self, events: int) -> None:
        """One more block with so many events, none of them like an earlier one."""
        self._before[self.head + 1] = self.node.request("evm_snapshot")
        for number in range(events):
            self._supply += 1
            self.ledger.call("mint", self.tokens[number % 2], "mint(address,uint256)", address_of("x"), self._supply)
        self.ledger.mine() if events else self.node.mine()

    def replace(self, depth: int, counts: Sequence[int]) -> None:
        """Take back the newest `depth` blocks and mine others, with so many events each."""
        self.node.request("evm_revert", self._before[self.head - depth + 1])
        for events in counts:
            self.mine(events)

    def young_again(self, seed: int) -> None:
        """Replace everything after `final`."""
        counts = np.random.default_rng(seed).integers(0, 3, YOUNG_BLOCKS).tolist()
        if self.head > self.final:
            self.node.request("evm_revert", self._before[self.final + 1])
        for events in counts:
            self.mine(events)

    def hash_of(self, number: int) -> str | None:
        """What the node says about a height."""
        header = self.node.request("eth_getBlockByNumber", hex(number), False)
        return str(header["hash"]) if header else None

    def logs(self, first: int, last: int) -> list[Log]:
        """What the node answers to one question about all of these blocks."""
        query = {"address": self.addresses, "topics": [TRANSFER], "fromBlock": hex(first), "toBlock": hex(last)}
        return [
            Log(
                item["address"],
                tuple(item["topics"]),
                item["data"],
                int(item["blockNumber"], 16),
                int(item["logIndex"], 16),
                item["transactionHash"],
                item["blockHash"],
            )
            for item in self.node.request("eth_getLogs", query)
        ]


@contextmanager
def event_chain() -> Iterator[EventChain]:
    """Start it."""
    with Node() as node:
        ledger = Ledger(node, address_of("deployer"))
        tokens = [ledger.deploy(artifact("TestnetERC20"), name, name, 18, ledger.deployer) for name in ("One", "Two")]
        chain = EventChain(node, ledger, tuple(tokens))
        counts = np.random.default_rng(1).choice([0, 0, 0, 1, 2, 5], OLD_BLOCKS)
        for number, events in enumerate(counts.tolist()):
            chain.mine(BURST if number == BURST_BLOCK else events)
        chain.final = chain.head
        chain.young_again(2)
        yield chain


@dataclass
class Moody:
    """The node as public ones are: at most so many blocks and events an answer; and at some questions something happens.

    Attributes
    ----------
    blocks, events : limits.
    moods : what happens at each question: `late` (no answer), `stop` (the process ends), `before` or `after` (the newest blocks are
        replaced just before or just after the answer); with depth and events of the new blocks.
    asked : ranges so far, and whether they were answered.
    """

    chain: EventChain
    blocks: int = 10**9
    events: int = 10**9
    moods: list[tuple[str, int, list[int]]] = field(default_factory=list)
    asked: list[tuple[int, int, bool]] = field(default_factory=list)

    def __call__(self, first: int, last: int) -> Sequence[Log] | Refusal:
        mood, depth, counts = self.moods.pop(0) if self.moods else ("", 0, [])
        if mood == "stop":
            raise StoppedError
        if mood == "before":
            self.chain.replace(depth, counts)
        answer = self.chain.logs(first, last)
        if mood == "after":
            self.chain.replace(depth, counts)
        taken = last - first < self.blocks and len(answer) <= self.events and mood != "late"
        self.asked.append((first, last, taken))
        return answer if taken else Refusal(-32005, "query exceeds what this node allows")
