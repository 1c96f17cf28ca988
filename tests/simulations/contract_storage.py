"""Contracts' storage on the local node: find where an entry lies, write words, read many views in one call, send one transaction.

What the benches of all lending protocols share. No slot is assumed: each is found by looking for what a view function answers.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from web3 import Web3
from web3.contract import Contract

from tests.devnet.contracts import MULTICALL3_ADDRESS, multicall3_code
from tests.devnet.node import Node

MOST_SLOTS = 120
GAS = 3_500_000


@dataclass(frozen=True)
class View:
    """One view function to be read again and again, under a name."""

    name: tuple[str, ...]
    contract: Contract
    function: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True)
class Sent:
    """One transaction: its receipt, what it reverted with (None where it did not), and how long the node took."""

    receipt: Mapping[str, Any]
    refusal: str | None
    seconds: float


class Views:
    """Many views in one call of Multicall3; its code is put in place where it is missing."""

    def __init__(self, node: Node, views: Sequence[View]) -> None:
        self.node, self.names = node, [view.name for view in views]
        if node.request("eth_getCode", MULTICALL3_ADDRESS, "latest") == "0x":
            node.request("anvil_setCode", MULTICALL3_ADDRESS, multicall3_code())
        calls: list[tuple[str, bool, bytes]] = [
            (str(v.contract.address), False, _bytes(v.contract.encode_abi(v.function, list(v.arguments))))
            for v in views
        ]
        calls += [
            (MULTICALL3_ADDRESS, False, bytes(Web3.keccak(text=f"{name}()")[:4]))
            for name in ("getCurrentBlockTimestamp", "getBlockNumber")
        ]
        selector = Web3.keccak(text="aggregate3((address,bool,bytes)[])")[:4]
        self.data = "0x" + (selector + encode(["(address,bool,bytes)[]"], [calls])).hex()

    def read(self) -> tuple[dict[tuple[str, ...], tuple[int, ...]], int, int]:
        """(words of each view by its name, time in seconds, number of the block) at the latest block."""
        answer = self.node.request("eth_call", {"to": MULTICALL3_ADDRESS, "data": self.data}, "latest")
        (answers,) = decode(["(bool,bytes)[]"], _bytes(answer))
        words = [
            tuple(int.from_bytes(data[at : at + 32]) for at in range(0, max(len(data), 1), 32)) for _, data in answers
        ]
        return dict(zip(self.names, words, strict=False)), words[-2][0], words[-1][0]


def find_mapping(node: Node, contract: str, key: str, fits: Callable[[int], bool], start: int = 0) -> int:
    """Slot of the mapping in which the entry of an address fits."""
    for slot in range(start, MOST_SLOTS):
        if fits(stored(node, contract, entry(key, slot))):
            return slot
    raise AssertionError(f"no mapping of {contract} has what was looked for")


def find_word(node: Node, contract: str, value: int) -> str:
    """The one slot that holds a value."""
    found = [slot for slot in range(MOST_SLOTS) if stored(node, contract, word(slot)) == value]
    assert len(found) == 1, f"{value} lies in {len(found)} slots of {contract}"
    return word(found[0])


def stored(node: Node, contract: str, slot: str) -> int:
    """One word of storage."""
    return int(node.request("eth_getStorageAt", contract, slot, "latest"), 16)


def entry(key: str, slot: int | str) -> str:
    """Storage slot of a mapping's entry for an address."""
    base = int(slot, 16) if isinstance(slot, str) else slot
    return Web3.keccak(encode(["address", "uint256"], [key, base])).to_0x_hex()


def beside(slot: str, places: int) -> str:
    """The slot some places after another."""
    return word(int(slot, 16) + places)


def word(value: int) -> str:
    """A number as 32 bytes."""
    return "0x" + value.to_bytes(32).hex()


def write(node: Node, words: Sequence[tuple[str, str, int]]) -> None:
    """Put (contract, slot, value) into storage, in one request."""
    node.batch([("anvil_setStorageAt", (where, slot, word(value))) for where, slot, value in words])


def send(node: Node, sender: str, to: str, data: str) -> Sent:
    """One transaction in a block of its own."""
    started = time.perf_counter()
    sent = node.request(
        "eth_sendTransaction", {"from": sender, "to": to, "data": data, "gas": hex(GAS), "gasPrice": "0x0"}
    )
    while (receipt := node.request("eth_getTransactionReceipt", sent)) is None:
        pass  # the node answers a moment before it has mined
    seconds = time.perf_counter() - started
    if int(receipt["status"], 16):
        return Sent(receipt, None, seconds)
    tracer = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
    trace = node.request("debug_traceTransaction", sent, tracer)
    return Sent(receipt, str(trace.get("output") or trace.get("error")), seconds)


def event_words(receipt: Mapping[str, Any], signature: str) -> tuple[int, ...] | None:
    """Words of the data of the first event of this signature, or None."""
    topic = Web3.keccak(text=signature).to_0x_hex()
    for log in receipt["logs"]:
        if log["topics"][0] == topic:
            data = _bytes(log["data"])
            return tuple(int.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32))
    return None


def reason_text(answer: str) -> str:
    """What a contract said when it reverted: the text of `require`, Panic(0x..) or the bare answer."""
    if answer.startswith("0x08c379a0"):
        said = _bytes(answer)[4:]  # a proxy may hand on padding that is not empty, so no strict decoder
        return said[64 : 64 + int.from_bytes(said[32:64])].decode()
    if answer.startswith("0x4e487b71"):
        return f"Panic({int(answer[10:], 16):#04x})"
    return answer


def _bytes(data: object) -> bytes:
    return bytes.fromhex(str(data)[2:])
