"""Transactions in batches: queue many, mine them as whole blocks, check every receipt.

Nothing is estimated: gas, gas price and nonces are given here, so that a transaction costs one small request and two
builds of the same world send the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3
from web3.contract import Contract

from tests.devnet.contracts import Artifact
from tests.devnet.node import Node, NodeError

TRANSACTIONS_PER_BLOCK = 250
CALL_GAS = 3_500_000
DEPLOY_GAS = 16_000_000


class RevertedError(RuntimeError):
    """A transaction of the world failed; the message has its label and the contract's or the node's answer."""


@dataclass(frozen=True)
class _Queued:
    label: str
    sender: str
    to: str | None
    data: str
    value: int
    gas: int


def address_of(name: str) -> str:
    """Return the address that belongs to a name: the last 20 bytes of the name's hash.

    Nobody has a key for it and nobody needs one: the node unlocks every address.
    """
    return str(Web3.to_checksum_address(Web3.keccak(text=f"aftershock devnet: {name}")[-20:]))


class Ledger:
    """Queue of transactions in front of a node.

    Parameters
    ----------
    node : Node
        Where they go.
    deployer : str
        Sender of what has no other sender.
    """

    def __init__(self, node: Node, deployer: str) -> None:
        self.node = node
        self.deployer = deployer
        self._queue: list[_Queued] = []

    def call(
        self,
        label: str,
        contract: Contract,
        function: str,
        *args: object,
        sender: str | None = None,
        value: int = 0,
        gas: int = CALL_GAS,
    ) -> None:
        """Queue a call of a contract's function. `function` is a name, or a signature where the name is overloaded."""
        data = contract.encode_abi(function, args=list(args))
        self._queue.append(_Queued(label, sender or self.deployer, str(contract.address), str(data), value, gas))

    def deploy(self, artifact: Artifact, *args: object, libraries: Mapping[str, str] | None = None) -> Contract:
        """Deploy a contract at once, after what is queued, and return it."""
        self.mine()
        factory = self.node.w3.eth.contract(abi=artifact.abi, bytecode=artifact.linked(libraries or {}))
        data = str(factory.constructor(*args).data_in_transaction)
        self._queue.append(_Queued(f"deploy {artifact.name}", self.deployer, None, data, 0, DEPLOY_GAS))
        receipt = self.mine()[0]
        return self.at(artifact, receipt["contractAddress"])

    def at(self, artifact: Artifact, address: str) -> Contract:
        """Return the contract at an address with the interface of `artifact`."""
        return self.node.w3.eth.contract(address=Web3.to_checksum_address(address), abi=artifact.abi)

    def mine(self) -> list[dict[str, Any]]:
        """Send what is queued and mine it, 12 seconds a block; return the receipts in the order of the queue.

        Raises
        ------
        RevertedError
            One of them failed.
        RuntimeError
            The node did not keep the order of arrival.
        """
        queue, self._queue = self._queue, []
        if not queue:
            return []
        self.node.request("evm_setAutomine", False)
        receipts: list[dict[str, Any]] = []
        try:
            for start in range(0, len(queue), TRANSACTIONS_PER_BLOCK):
                receipts += self._mine_block(queue[start : start + TRANSACTIONS_PER_BLOCK])
        finally:
            self.node.request("evm_setAutomine", True)
        return receipts

    def _mine_block(self, queue: Sequence[_Queued]) -> list[dict[str, Any]]:
        senders = list(dict.fromkeys(one.sender for one in queue))
        counts = self.node.batch([("eth_getTransactionCount", (sender, "latest")) for sender in senders])
        nonces = {sender: int(count, 16) for sender, count in zip(senders, counts, strict=True)}
        hashes = []
        for one in queue:  # one by one: the node may reorder what comes in one JSON-RPC batch
            transaction = {
                "from": one.sender,
                "data": one.data,
                "value": hex(one.value),
                "nonce": hex(nonces[one.sender]),
                "gas": hex(one.gas),
                "gasPrice": "0x0",
            }
            if one.to:
                transaction["to"] = one.to
            nonces[one.sender] += 1
            try:
                hashes.append(self.node.request("eth_sendTransaction", transaction))
            except NodeError as error:
                raise RevertedError(f"{one.label}: refused by the node, {error}") from error
        self.node.request("evm_mine")
        receipts: list[dict[str, Any]] = self.node.request("eth_getBlockReceipts", "latest")
        if [receipt["transactionHash"] for receipt in receipts] != hashes:
            raise RuntimeError("the node did not mine the transactions in the order in which they were sent")
        for one, receipt in zip(queue, receipts, strict=True):
            if int(receipt["status"], 16) != 1:
                raise RevertedError(f"{one.label}: reverted with {self._answer(receipt['transactionHash'])}")
        return receipts

    def _answer(self, transaction: str) -> str:
        """What the contract said when it reverted: four-byte error and arguments, or a message."""
        trace = self.node.request("debug_traceTransaction", transaction, {"tracer": "callTracer"})
        return str(trace.get("revertReason") or trace.get("output") or trace.get("error") or "no data")
