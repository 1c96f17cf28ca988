"""What happened on a node, from the receipts of its transactions, decoded by web3 with the published interfaces; and a history beside it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from web3 import Web3
from web3.contract import Contract

from chain import networks
from chain.histories.folder import history_schemas, stored
from chain.histories.reading import BY_DEFAULT, Grown, grow
from chain.node import client
from chain.tables import content_hash
from tests.devnet.node import Node

CHAIN = "eip155:31337"


@dataclass(frozen=True)
class Told:
    """One event as web3 decodes it from a receipt."""

    name: str
    address: str
    block: int
    index: int
    transaction: str
    args: dict[str, Any]


def told(node: Node, contracts: Sequence[Contract]) -> list[Told]:
    """Every event of these contracts in the receipts of all blocks; several interfaces of one address may be given."""
    by_topic: dict[tuple[str, str], Any] = {}
    for contract in contracts:
        for one in cast("Any", contract.events):
            topic = Web3.keccak(text=one.signature).hex()
            by_topic.setdefault((str(contract.address).lower(), topic), one())
    found = []
    for number in range(int(node.request("eth_blockNumber"), 16) + 1):
        for receipt in node.request("eth_getBlockReceipts", hex(number)):
            for log in receipt["logs"]:
                key = (log["address"].lower(), log["topics"][0][2:])
                if key in by_topic:
                    entry = by_topic[key].process_log(_log(log))
                    found.append(
                        Told(
                            entry["event"],
                            key[0],
                            number,
                            int(log["logIndex"], 16),
                            log["transactionHash"],
                            dict(entry["args"]),
                        )
                    )
    return found


def _log(log: dict[str, Any]) -> Any:
    from web3._utils.method_formatters import log_entry_formatter
    from web3.datastructures import AttributeDict

    return AttributeDict(log_entry_formatter(log))


def read(folder: Path, table: str) -> pd.DataFrame:
    history = stored(folder)
    assert history is not None
    return history.table(table)


def rows(folder: Path, table: str) -> dict[tuple[int, int], dict[str, Any]]:
    """Rows by place; one a place."""
    frame = read(folder, table).astype(object)
    found = {
        (row["block_number"], row["log_index"]): row for row in frame.where(frame.notna(), None).to_dict("records")
    }
    assert len(found) == len(frame)
    return found


def token(address: str) -> str:
    return f"{CHAIN}/erc20:{address.lower()}"


def at(who: str) -> str:
    return f"{CHAIN}:{who.lower()}"


def same_places(found: dict[tuple[int, int], Any], events: Sequence[Told]) -> None:
    assert sorted(found) == sorted((one.block, one.index) for one in events) and events


@dataclass(frozen=True)
class Lived:
    """A node with what happened on it, its address book, and the whole history of all tables."""

    node: Node
    book: Path
    folder: Path
    grown: Grown
    events: tuple[Told, ...]
    head: int

    def of(self, *names: str) -> list[Told]:
        return [one for one in self.events if one.name in names]


def hashes(folder: Path) -> dict[str, str]:
    history = stored(folder)
    assert history is not None
    return {name: content_hash(history_schemas()[name], history.table(name)) for name in history_schemas()}


def lag_blocks(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    """Let the newest so many blocks of the local chain not be final."""
    facts = replace(networks.network(CHAIN), finality_lag_blocks=blocks)
    monkeypatch.setattr(client, "network", lambda _: facts)


def split_at_random(lived: Lived, folder: Path, seed: int, tables: Sequence[str] = BY_DEFAULT) -> None:
    """Ask for parts of 1 to the head in a random order, with overlaps, until all of it is there."""
    rng = random.Random(seed)
    for _ in range(rng.randint(2, 4)):
        first, last = sorted((rng.randint(1, lived.head), rng.randint(1, lived.head)))
        grow(lived.node.url, lived.book, folder, first, last, tables, piece_blocks=rng.choice((7, 20, lived.head)))
        history = stored(folder)
        assert history is not None
        ends = [(one.first, one.last) for one in history.ranges]
        assert all(before[1] + 1 == after[0] for before, after in pairwise(ends)), "no gap and no overlap"
    grow(lived.node.url, lived.book, folder, 1, lived.head, tables, piece_blocks=rng.choice((13, lived.head)))
