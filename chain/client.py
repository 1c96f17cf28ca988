"""Read-only client: one chain, one pinned block, questions in bulk. Nothing here can send a transaction.

Calls travel through Multicall3 where the chain has it at the pinned block, several such bundles in one HTTP request; what the node
refuses for its size is halved and asked again. Every fault of the node or of a contract leaves as one of our errors.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from chain.calls import Call, bundled, refusal_text
from chain.errors import BlockError, ContractError, InputError, NodeError, WrongChainError
from chain.networks import network
from chain.rpc import Refusal, Rpc
from chain.snapshot import Anchor

CALLS_A_BUNDLE = 200
Key = TypeVar("Key", bound=Hashable)
_NOT_ASKED = Refusal(0, "not asked")


@dataclass(frozen=True)
class Log:
    """One event: contract, topics and data as hexadecimal text, and where it stands."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int
    log_index: int
    transaction: str


class Client:
    """A chain at one block: `connect`, `pin`, ask, and `confirm` at the end.

    Attributes
    ----------
    chain : CAIP-2 id.
    network : facts about the chain.
    header : header of the pinned block as the node gives it.
    """

    def __init__(self, url: str, chain: str) -> None:
        self.network = network(chain)
        self.chain = chain
        self.header: dict[str, Any] = {}
        self._rpc = Rpc(url)
        self._anchor: Anchor | None = None
        self._multicall3: str | None = None
        self._bundle = CALLS_A_BUNDLE

    @classmethod
    def connect(cls, url: str, expected_chain: str) -> "Client":
        """Reach the node and ask which chain it serves.

        Raises
        ------
        InputError, NodeError, WrongChainError
            If the address cannot be used, the node does not answer, or it serves another chain than `expected_chain` (CAIP-2).
        """
        client = cls(url, expected_chain)
        served = f"eip155:{client._rpc.number('eth_chainId')}"
        if served != expected_chain:
            raise WrongChainError(
                f"The node at {client._rpc.host} serves {served}, but {expected_chain} is wanted; give the right node"
            )
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._rpc.close()

    @property
    def requests(self) -> int:
        """HTTP requests made so far, retries included."""
        return self._rpc.requests

    @property
    def anchor(self) -> Anchor:
        """The pinned block; RuntimeError before `pin`."""
        if self._anchor is None:
            raise RuntimeError("pin a block first")
        return self._anchor

    def pin(self, block: int | str | None = None) -> Anchor:
        """Fix the block that every later question is asked at.

        Parameters
        ----------
        block : a number, `latest`, `latest-12`, `safe`, `finalized`, or None for the head less the chain's finality lag.

        Raises
        ------
        InputError, BlockError
            If the words cannot be read; if the block lies ahead of the head or the node does not have it.
        """
        head = self._rpc.number("eth_blockNumber")
        wanted = _wanted_block(block, head, self.network.finality_lag_blocks)
        if isinstance(wanted, int) and wanted > head:
            raise BlockError(f"Block {wanted} lies ahead of the head, which is block {head}; give a block up to {head}")
        header = self._rpc.one("eth_getBlockByNumber", hex(wanted) if isinstance(wanted, int) else wanted, False)
        if not header:
            raise BlockError(f"The node at {self._rpc.host} does not have block {wanted}; its head is block {head}")
        self.header = header
        self._anchor = Anchor(self.chain, int(header["number"], 16), header["hash"], int(header["timestamp"], 16))
        self._multicall3 = self.network.multicall3 if self.codes([self.network.multicall3])[0] != "0x" else None
        return self._anchor

    def confirm(self) -> None:
        """Ask again for the pinned block; BlockError if the chain now has another one at that number."""
        header = self._rpc.one("eth_getBlockByNumber", hex(self.anchor.number), False)
        if not header or header["hash"] != self.anchor.hash:
            raise BlockError(
                f"Block {self.anchor.number} was reorganised while it was read; run again with a block further behind the head"
            )

    def call(self, call: Call) -> Any:
        """The answer to one call, as `call_many` gives it."""
        return self.call_many([call])[0]

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """Answers in the order of the calls, decoded; None where an optional call was refused.

        Raises
        ------
        ContractError
            If a call that is not optional was refused or its answer does not fit; the sentence names contract, function and block.
        """
        return [self._decoded(call, answer) for call, answer in zip(calls, self._answers(calls), strict=True)]

    def ask(self, calls: Mapping[Key, Call]) -> dict[Key, Any]:
        """Answers under the same names as the calls; otherwise as `call_many`."""
        return dict(zip(calls, self.call_many(list(calls.values())), strict=True))

    def codes(self, addresses: Sequence[str]) -> list[str]:
        """Code at each address, `0x` where there is none."""
        return [str(code) for code in self._rpc.many("eth_getCode", [[address, self._at] for address in addresses])]

    def native_balances(self, addresses: Sequence[str]) -> list[int]:
        """Native coin at each address in its smallest unit."""
        answers = self._rpc.many("eth_getBalance", [[address, self._at] for address in addresses])
        return [int(text, 16) for text in answers]

    def logs(self, addresses: Sequence[str], topic: str, first: int, last: int) -> list[Log]:
        """Events of these contracts whose first topic is `topic`, in blocks `first` to `last`, both included.

        A range that the node refuses is halved until it answers; NodeError if it refuses a single block.
        """
        found: list[Log] = []
        start, width = first, last - first + 1
        while start <= last and addresses:
            end = min(start + width - 1, last)
            query = {"address": list(addresses), "topics": [topic], "fromBlock": hex(start), "toBlock": hex(end)}
            answer = self._rpc.ask("eth_getLogs", [[query]])[0]
            if isinstance(answer, Refusal) and width == 1:
                raise NodeError(f"The node at {self._rpc.host} refuses the events of block {start}: {answer.message}")
            if isinstance(answer, Refusal):
                width = (end - start + 2) // 2
                continue
            found += [_log(item) for item in answer]
            start, width = end + 1, width * 2
        return found

    @property
    def _at(self) -> str:
        return hex(self.anchor.number)

    def _decoded(self, call: Call, answer: bytes | Refusal) -> Any:
        try:
            if isinstance(answer, bytes):
                return call.decoded(answer)
            why = refusal_text(answer.data) if answer.data else answer.message
        except ValueError as error:
            why = f"the answer cannot be read: {error}"
        if call.optional:
            return None
        raise ContractError(
            f"{call.name} of {call.address} failed at block {self.anchor.number} ({why}); check this address in the deployments file"
        )

    def _answers(self, calls: Sequence[Call]) -> list[bytes | Refusal]:
        """Raw answers. What fails inside a bundle is asked again alone: the bundle may have run out of gas."""
        if self._multicall3 is None or len(calls) == 1:
            return self._alone(calls)
        answers: list[bytes | Refusal] = [_NOT_ASKED] * len(calls)
        pending = [range(len(calls))[start : start + self._bundle] for start in range(0, len(calls), self._bundle)]
        while pending:
            again: list[range] = []
            for indices, parts in zip(pending, self._bundles(calls, pending, self._multicall3), strict=True):
                if parts is None and len(indices) > 1:
                    self._bundle = (len(indices) + 1) // 2
                    again += [indices[: self._bundle], indices[self._bundle :]]
                for index, (succeeded, data) in zip(indices, parts or (), strict=False):
                    if succeeded:
                        answers[index] = data
            pending = again
        missing = [index for index, answer in enumerate(answers) if answer is _NOT_ASKED]
        for index, answer in zip(missing, self._alone([calls[index] for index in missing]), strict=True):
            answers[index] = answer
        return answers

    def _bundles(
        self, calls: Sequence[Call], groups: Sequence[range], multicall3: str
    ) -> list[list[tuple[bool, bytes]] | None]:
        """For each group of calls what aggregate3 answers, (succeeded, data) a call; None where it was refused as a whole."""
        bundles = [bundled(multicall3, [calls[index] for index in indices]) for indices in groups]
        found: list[list[tuple[bool, bytes]] | None] = []
        for bundle, answer in zip(
            bundles, self._rpc.ask("eth_call", [self._question(b) for b in bundles]), strict=True
        ):
            try:
                found.append(None if isinstance(answer, Refusal) else list(bundle.decoded(_bytes(answer))))
            except ValueError:
                found.append(None)
        return found

    def _alone(self, calls: Sequence[Call]) -> list[bytes | Refusal]:
        """Answers to calls that travel one by one; NodeError where the node, not the contract, is at fault."""
        answers: list[bytes | Refusal] = []
        for call, answer in zip(calls, self._rpc.ask("eth_call", [self._question(c) for c in calls]), strict=True):
            if isinstance(answer, Refusal) and not answer.is_execution:
                raise NodeError(
                    f"The node at {self._rpc.host} cannot answer {call.name} of {call.address} at block {self.anchor.number}: "
                    f"{answer.message}; for old blocks an archive node is needed"
                )
            answers.append(answer if isinstance(answer, Refusal) else _bytes(answer))
        return answers

    def _question(self, call: Call) -> list[Any]:
        return [{"to": call.address, "data": "0x" + call.data.hex()}, self._at]


def _wanted_block(block: int | str | None, head: int, finality_lag: int) -> int | str:
    """The block that the words mean: a number, or a tag that only the node can resolve."""
    if block is None:
        return max(head - finality_lag, 0)
    text = str(block).strip().lower()
    name, _, lag = text.partition("-")
    if text in ("safe", "finalized"):
        return text
    if text == "latest" or (name == "latest" and lag.isdecimal()):
        number = head - int(lag or 0)
    elif text.isdecimal():
        number = int(text)
    else:
        raise InputError(f"Block {block!r} cannot be read; give a number, latest, latest-12, safe or finalized")
    if number < 0:
        raise InputError(f"Block {block!r} lies before block 0; the head is block {head}")
    return number


def _bytes(text: Any) -> bytes:
    """Bytes of hexadecimal text; empty for anything else, which no decoder will accept."""
    return bytes.fromhex(text.removeprefix("0x")) if isinstance(text, str) else b""


def _log(item: dict[str, Any]) -> Log:
    return Log(
        item["address"].lower(),
        tuple(item["topics"]),
        item["data"],
        int(item["blockNumber"], 16),
        int(item["logIndex"], 16),
        item["transactionHash"],
    )
