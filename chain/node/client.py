"""Read-only client: one chain, one pinned block, questions in bulk. Nothing here can send a transaction.

The client says what is asked and what the answers mean. Which node answers, how questions travel and what is tried again is behind it:
`failover` (several of them, bound to the pinned block), `bundles` (many calls in one), `cache`, `recording`. Every fault of a node or of
a contract leaves as one of our errors.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from os import environ
from pathlib import Path
from typing import Any, Self, TypeVar

from chain.as_of import block_at, time_of
from chain.errors import BlockError, ContractError, InputError, NodeError, WrongChainError
from chain.networks import network, node_urls
from chain.node.bundles import Bundles
from chain.node.cache import LOCAL_NODE, Cached
from chain.node.calls import Call, Log, refusal_text
from chain.node.events import Events
from chain.node.facts import Asked, CodeStart, NativeBalance, Slot
from chain.node.failover import Nodes
from chain.node.pacing import Manners, manners_from
from chain.node.questions import At, Question, Source
from chain.node.recording import Recorder, Replay
from chain.node.rpc import Refusal
from chain.snapshot import Anchor

Key = TypeVar("Key", bound=Hashable)


class Client:
    """A chain at one block: `connect`, `pin`, ask, and `confirm` at the end.

    Attributes
    ----------
    chain : CAIP-2 id.
    network : facts about the chain.
    header : header of the pinned block as the node gives it.
    events : how events are read, and whether they are in doubt.
    """

    def __init__(self, source: Source, chain: str) -> None:
        self.network = network(chain)
        self.chain = chain
        self.header: dict[str, Any] = {}
        self._source = source
        self._anchor: Anchor | None = None
        self.events = Events(self.get_logs, self.block_hash)
        self._hashes: dict[int, str] = {}

    @classmethod
    def connect(
        cls, url: str, expected_chain: str, manners: Manners | None = None, record_to: Path | None = None
    ) -> Self:
        """Reach the nodes and ask which chain they serve.

        Parameters
        ----------
        url : address of the node; several separated by commas or new lines, the first is preferred.
        expected_chain : CAIP-2 id.
        manners : how nodes are treated and where answers are kept; as the environment says by default, without limit for the local node.
        record_to : file for a recording of all answers, written when the client is closed.

        Raises
        ------
        InputError, NodeError, WrongChainError
            If an address cannot be used, no node answers, or none serves `expected_chain`.
        """
        facts = network(expected_chain)
        if manners is None:
            manners = manners_from(environ)
            manners = replace(manners, requests_per_second=0.0) if facts.chain_id == LOCAL_NODE else manners
        nodes = Nodes(node_urls(url), expected_chain, manners)
        try:
            nodes.meet()
        except BaseException:
            nodes.close()
            raise
        source: Source = Bundles(nodes, facts, manners)
        if manners.cache is not None:
            source = Cached(source, manners.cache, facts, manners.keeps_recent)
        if record_to is not None:
            source = Recorder(source, record_to)
        return cls(source, expected_chain)

    @classmethod
    def replay(cls, file: Path) -> Self:
        """A client that answers from a recording and pins the block that was recorded.

        Raises
        ------
        InputError, NodeError
            If the file is no recording; later, if it holds no answer to a question.
        """
        recording = Replay(file)
        if recording.anchor is None:
            raise InputError(f"{file} was recorded without a pinned block; record it again")
        return cls(recording, recording.anchor.chain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    @property
    def requests(self) -> int:
        """HTTP requests made so far, retries included."""
        return self._source.requests

    @property
    def anchor(self) -> Anchor:
        """The pinned block; RuntimeError before `pin`."""
        if self._anchor is None:
            raise RuntimeError("pin a block first")
        return self._anchor

    def pin(self, block: int | str | None = None) -> Anchor:
        """Fix the block, by number and hash, that every later question is asked at.

        Parameters
        ----------
        block : a number, `latest`, `latest-12`, `safe`, `finalized`, a time in UTC (`2026-11-20T12:00Z`) for the last block at or before it,
            or None for the head less the chain's finality lag.

        Raises
        ------
        InputError, BlockError
            If the words cannot be read; if the block lies ahead of the head or the node does not have it.
        """
        head = int(self._one("eth_blockNumber"), 16)
        time_s = time_of(str(block))
        if time_s is not None:
            block = block_at(time_s, head, lambda number: int(self.headers([number])[0]["timestamp"], 16))
        wanted = _wanted_block(block, head, self.network.finality_lag_blocks)
        if isinstance(wanted, int) and wanted > head:
            raise BlockError(f"Block {wanted} lies ahead of the head, which is block {head}; give a block up to {head}")
        header = self._one("eth_getBlockByNumber", hex(wanted) if isinstance(wanted, int) else wanted, False)
        if not header:
            raise BlockError(f"{self._who} does not have block {wanted}; its head is block {head}")
        anchor = Anchor(self.chain, int(header["number"], 16), header["hash"].lower(), int(header["timestamp"], 16))
        self._source.pin(anchor, head)
        self.header, self._anchor, self._hashes = header, anchor, {anchor.number: anchor.hash}
        return anchor

    def confirm(self) -> None:
        """Ask again for chain and block; WrongChainError or BlockError if the node now serves another one."""
        asked = [Question("eth_chainId"), Question("eth_getBlockByNumber", (hex(self.anchor.number), False))]
        chain_id, header = self._answered(asked)
        served = f"eip155:{int(chain_id, 16)}"
        if served != self.chain:
            raise WrongChainError(
                f"{self._who} served {self.chain} at first and now {served}; give a node of one chain"
            )
        if not header or header["hash"].lower() != self.anchor.hash:
            raise BlockError(
                f"Block {self.anchor.number} was reorganised while it was read; run again with a block further behind the head"
            )

    def call(self, call: Call) -> Any:
        """The answer to one call, as `ask_many` gives it."""
        return self.ask_many([call])[0]

    def call_many(self, calls: Sequence[Call]) -> list[Any]:
        """The answers to some calls, as `ask_many` gives them."""
        return self.ask_many(calls)

    def ask(self, asks: Mapping[Key, Asked]) -> dict[Key, Any]:
        """Answers under the same names as what is asked; otherwise as `ask_many`."""
        return dict(zip(asks, self.ask_many(list(asks.values())), strict=True))

    def ask_many(self, asks: Sequence[Asked]) -> list[Any]:
        """Answers to calls and to what else may be asked (`facts`), in order, decoded; None where an optional call was refused.

        All of it travels together, as far as the nodes take it.

        Raises
        ------
        ContractError
            If a call that is not optional was refused or its answer does not fit; the sentence names contract, function and block.
        NodeError
            If the node, not the contract, refuses, or answers in two ways.
        """
        asked = [_question(ask) for ask in asks]
        answers = self._source.ask(asked)
        read = [self._read(ask, answer) for ask, answer in zip(asks, answers, strict=True)]
        # bytes that do not fit may be the contract's or the node's: they are the contract's if they come twice
        doubtful = [place for place, answer in enumerate(answers) if isinstance(answer, str) and read[place][1]]
        again = self._source.ask([replace(asked[place], again=1) for place in doubtful])
        for place, answer in zip(doubtful, again, strict=True):
            read[place] = self._read(asks[place], answer)
            if answer != answers[place] and read[place][1]:
                raise NodeError(
                    f"{self._who} answers {self._named(asks[place])} differently each time; use another node"
                )
        for ask, (_, why) in zip(asks, read, strict=True):
            if why and isinstance(ask, Call) and not ask.optional:
                raise ContractError(
                    f"{ask.name} of {ask.address} failed at block {self.anchor.number} ({why}); "
                    "check this address in the deployments file"
                )
        return [value for value, _ in read]

    def codes(self, addresses: Sequence[str]) -> list[str]:
        """How the code at each address begins, its first three bytes; `0x` where there is none."""
        return self.ask_many([CodeStart(address) for address in addresses])

    def slots(self, addresses: Sequence[str], slot: str) -> list[str | None]:
        """The 32 bytes in a storage slot of each address; None where the node refuses to say."""
        return self.ask_many([Slot(address, slot) for address in addresses])

    def native_balances(self, addresses: Sequence[str]) -> list[int]:
        """Native coin at each address in its smallest unit."""
        return self.ask_many([NativeBalance(address) for address in addresses])

    def logs(
        self, addresses: Sequence[str], topic: str | tuple[str, ...], first: int, last: int, has_no_sum: bool = False
    ) -> list[Log]:
        """Events of these contracts whose first topic is `topic`, or any of them, in blocks `first` to `last`, both included, at most the pinned one.

        How wide the ranges are is decided in `logs`. With `has_no_sum` they are asked for until three readings agree: for events
        that no sum on the chain vouches for; see `events`.

        Raises
        ------
        NodeError, BlockError
            If the node refuses a single block or gives other events each time; if it reorganises the pinned block.
        """
        lag = self.network.finality_lag_blocks
        return self.events.read(addresses, topic, first, last, self.anchor, lag, has_no_sum)

    def get_logs(
        self,
        addresses: Sequence[str],
        topics: Sequence[str | Sequence[str] | None],
        first: int,
        last: int,
        again: int = 0,
    ) -> list[Log] | Refusal:
        """One eth_getLogs over blocks `first` to `last`, both included, never split; a refusal of the node is an answer."""
        query = {"address": list(addresses), "topics": list(topics), "fromBlock": hex(first), "toBlock": hex(last)}
        [answer] = self._source.ask([Question("eth_getLogs", (query,), self._beside, again)])
        return answer if isinstance(answer, Refusal) else [_log(item) for item in answer]

    def headers(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Headers of blocks by number, as the node gives them; BlockError if it lacks one."""
        headers = self._many("eth_getBlockByNumber", [(hex(number), False) for number in numbers], self._beside)
        for number, header in zip(numbers, headers, strict=True):
            if not header:
                raise BlockError(f"{self._who} does not have block {number}")
        return headers

    def block_hash(self, number: int) -> str | None:
        """Hash of the block at a height; None if the node does not have it.

        Up to the pinned block a hash is asked once: as long as that block stands, so do all before it, and every answer that names blocks
        by number is refused once it does not.
        """
        if number not in self._hashes:
            [header] = self._many("eth_getBlockByNumber", [(hex(number), False)], self._beside)
            if self._anchor is None or number > self._anchor.number or not header:
                return header["hash"].lower() if header else None
            self._hashes[number] = header["hash"].lower()
        return self._hashes[number]

    @property
    def _beside(self) -> At:
        return "guarded" if self._anchor else ""

    @property
    def _who(self) -> str:
        return self._source.name[0].upper() + self._source.name[1:]

    def _one(self, method: str, *params: Any) -> Any:
        return self._many(method, [params], "")[0]

    def _many(self, method: str, questions: Sequence[tuple[Any, ...]], at: At) -> list[Any]:
        """Answers in order; NodeError if the node refuses any."""
        return self._answered([Question(method, params, at) for params in questions])

    def _answered(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order; NodeError if the node refuses any."""
        answers = self._source.ask(questions)
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, Refusal):
                raise NodeError(f"{self._who} refuses {question.method}: {answer.message}")
        return answers

    def _read(self, ask: Asked, answer: Any) -> tuple[Any, str]:
        """What an answer says, or why it says nothing; NodeError if the node is at fault."""
        if not isinstance(ask, Call):
            if isinstance(answer, Refusal) and not ask.may_refuse:
                raise NodeError(f"{self._who} refuses {ask.question.method}: {answer.message}")
            return ask.read(answer), ""
        if isinstance(answer, Refusal) and not answer.is_execution:
            hint = "" if answer.is_size else "; for old blocks an archive node is needed"
            raise NodeError(f"{self._who} cannot answer {self._named(ask)}: {answer.message}{hint}")
        if isinstance(answer, Refusal):
            return None, refusal_text(answer.data) if answer.data else answer.message or "no reason given"
        try:
            return ask.decoded(bytes.fromhex(answer[2:])), ""
        except ValueError as error:
            return None, f"the answer cannot be read: {error}"

    def _named(self, ask: Asked) -> str:
        what = f"{ask.name} of {ask.address}" if isinstance(ask, Call) else ask.question.method
        return f"{what} at block {self.anchor.number}"


def _question(ask: Asked) -> Question:
    if isinstance(ask, Call):
        return Question("eth_call", (ask.message,), "pinned", may_refuse=ask.optional)
    return ask.question


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
        raise InputError(
            f"Block {block!r} cannot be read; give a number, latest, latest-12, safe, finalized, or a time such as 2026-11-20T12:00Z"
        )
    if number < 0:
        raise InputError(f"Block {block!r} lies before block 0; the head is block {head}")
    return number


def _log(item: dict[str, Any]) -> Log:
    return Log(
        item["address"].lower(),
        tuple(topic.lower() for topic in item["topics"]),
        item["data"].lower(),
        int(item["blockNumber"], 16),
        int(item["logIndex"], 16),
        item["transactionHash"].lower(),
        item["blockHash"].lower(),
    )
