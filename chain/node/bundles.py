"""Many questions in one: through code that is sent along (`deployless.sol`), else through Multicall3, else one by one.

The code that is sent along comes first: its answers are packed and cost a tenth of the bytes of Multicall3's, it runs at every block,
and it stops by itself where gas or room ends. A node may refuse calls without a recipient; then Multicall3 serves, where the chain has
it at the pinned block. A bundle that is too much for the node is halved, one that is answered in part goes on with the rest, and larger
ones are tried again later. What fails inside a bundle is asked again alone, as it may have run out of gas or the reason may matter;
only a refusal that left most of its gas counts as the contract's own where any refusal is an answer.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chain.networks import Network
from chain.node.calls import Call, bundled, decoded_bundle
from chain.node.failover import Nodes
from chain.node.pacing import Manners, Size
from chain.node.packing import CODE_START_BYTES, Ask, Missing, is_packable, packed, unpacked
from chain.node.questions import Question
from chain.node.rpc import Refusal
from chain.snapshot import Anchor

CODE_START = "code_start"
"""A question of ours: how the code at an address begins. Nodes are asked for the whole code where it cannot be bundled."""
MOST_INITCODE = 49_152
"""Bytes of code and arguments that a call without a recipient may have (EIP-3860)."""
MOST_MULTICALL3 = 200
_FILE = Path(__file__).parent / "deployless.json"
_NOT_ASKED = Refusal(0, "not asked")
_REFUSED = Refusal(3, "the contract refuses")


@cache
def deployless_code() -> bytes:
    """Creation code of `deployless.sol`."""
    return bytes.fromhex(json.loads(_FILE.read_text(encoding="utf-8"))["creation_code"].removeprefix("0x"))


def deployless(runs: bytes) -> Question:
    """The question that makes the packed calls: the code and its argument, which is `bytes` as the ABI writes them."""
    argument = (32).to_bytes(32, "big") + len(runs).to_bytes(32, "big") + runs + bytes(-len(runs) % 32)
    return Question("eth_call", ({"data": "0x" + (deployless_code() + argument).hex()},), "pinned")


class Bundles:
    """Nodes that are asked what can be bundled in bundles, and everything else as it is."""

    def __init__(self, nodes: Nodes, network: Network, manners: Manners) -> None:
        self._nodes = nodes
        self._network = network
        self._most = manners.bundle
        self._is_known, self._packs, self._multicall3 = False, True, ""
        self._sizes = _sizes(self._most)

    @property
    def name(self) -> str:
        """The node that answers now."""
        return self._nodes.name

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._nodes.requests

    def close(self) -> None:
        """Let go of the connections."""
        self._nodes.close()

    def pin(self, anchor: Anchor, head: int) -> None:
        """Fix the block."""
        self._nodes.pin(anchor, head)
        self._is_known, self._packs, self._multicall3 = False, True, ""
        self._sizes = _sizes(self._most)

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order, a refusal being an answer. What cannot be bundled travels beside the first bundles."""
        answers: list[Any] = [_NOT_ASKED] * len(questions)
        if not self._bundled(questions, answers):
            self._learn()
            self._bundled(questions, answers)
        self._exchange([], questions, answers, [place for place, one in enumerate(answers) if one is _NOT_ASKED])
        return answers

    def _exchange(
        self, bundles: Sequence[Question], questions: Sequence[Question], answers: list[Any], alone: Sequence[int]
    ) -> list[Any]:
        """The answers to bundles; beside them, the questions at the places `alone` are asked as they are, into `answers`."""
        found = self._nodes.ask([*bundles, *(_alone(questions[place]) for place in alone)])
        for place, answer in zip(alone, found[len(bundles) :], strict=True):
            is_cut = questions[place].method == CODE_START and isinstance(answer, str)
            answers[place] = answer[: 2 + 2 * CODE_START_BYTES] if is_cut else answer
            if questions[place].may_refuse and isinstance(answer, Refusal) and answer.is_execution:
                answers[place] = _REFUSED
        return found[: len(bundles)]

    def _learn(self) -> None:
        """See which way bundles can go at the pinned block, where the first one failed; a bundle without calls tells."""
        [answer] = self._nodes.ask([deployless(b"")])
        self._packs = answer == "0x0000"
        if not self._packs:
            [code] = self._nodes.ask([Question("eth_getCode", (self._network.multicall3,), "pinned")])
            self._multicall3 = self._network.multicall3 if isinstance(code, str) and code != "0x" else ""
            self._sizes = _sizes(min(self._most, MOST_MULTICALL3) if self._multicall3 else 1)
        self._is_known = True

    def _ask(self, question: Question) -> Ask | None:
        """The question as it goes into a bundle; None if it cannot."""
        if question.at != "pinned":
            return None
        if question.method == CODE_START:
            return Ask(bytes.fromhex(question.params[0][2:]), b"") if self._packs else None
        if question.method != "eth_call":
            return None
        data = bytes.fromhex(question.params[0]["data"][2:])
        if self._packs and not is_packable(data):
            return None
        return Ask(bytes.fromhex(question.params[0]["to"][2:]), data[:4], data[4:])

    def _bundled(self, questions: Sequence[Question], answers: list[Any]) -> bool:
        """Fill in the answers of what succeeds inside bundles; False if the first one failed and the way is not known yet."""
        asks = {place: ask for place, question in enumerate(questions) if (ask := self._ask(question)) is not None}
        left = list(asks) if len(asks) > 1 and self._sizes[False].most > 1 else []
        beside = [place for place, answer in enumerate(answers) if answer is _NOT_ASKED and place not in asks]
        while left:
            groups, bundles = self._bundles(left, asks)
            left, found = [], self._exchange(bundles, questions, answers, beside)
            beside = []
            for group, answer in zip(groups, found, strict=True):
                parts = None if isinstance(answer, Refusal) else self._parts(bytes.fromhex(answer[2:]), len(group))
                if not parts and not self._is_known:
                    return False
                self._is_known = True
                size = self._sizes[asks[group[0]].is_code]
                if not parts:
                    size.down(len(group))
                    left += group if len(group) > 1 else []
                    continue
                if len(parts) < len(group):
                    size.down(2 * len(parts))
                    left += group[len(parts) :]
                else:
                    size.up()
                for place, part in zip(group, parts, strict=False):
                    if isinstance(part, bytes):
                        answers[place] = "0x" + (part[-CODE_START_BYTES:] if asks[place].is_code else part).hex()
                    elif part is Missing.REFUSED and questions[place].may_refuse:
                        answers[place] = _REFUSED
        return True

    def _bundles(self, places: Sequence[int], asks: dict[int, Ask]) -> tuple[list[Sequence[int]], list[Question]]:
        """The questions at these places, group by group, calls apart from codes, and the bundle that each group becomes."""
        groups: list[Sequence[int]] = []
        bundles, room = [], MOST_INITCODE - len(deployless_code()) - 96
        for is_code, size in self._sizes.items():
            mine, start = [place for place in places if asks[place].is_code == is_code], 0
            while start < len(mine):
                group = mine[start : start + size.now]
                some = [asks[place] for place in group]
                if self._packs:
                    runs, count = packed(some, room)
                    group, bundle = group[:count], deployless(runs)
                else:
                    pairs = [("0x" + ask.address.hex(), ask.selector + ask.arguments) for ask in some]
                    call: Call = bundled(self._multicall3, pairs)
                    bundle = Question("eth_call", ({"to": call.address, "data": "0x" + call.data.hex()},), "pinned")
                groups.append(group)
                bundles.append(bundle)
                start += len(group)
        return groups, bundles

    def _parts(self, answer: bytes, count: int) -> list[bytes | Missing] | None:
        """What the calls of a bundle answered, the first of them if not all; None if this is no answer."""
        if self._packs:
            return unpacked(answer, count)
        parts = decoded_bundle(answer, count)
        return None if parts is None else [data if succeeded else Missing.UNKNOWN for succeeded, data in parts]


def _sizes(most: int) -> dict[bool, Size]:
    """How many calls, and (by True) how many questions for codes, are bundled: a code costs little, a call what it costs."""
    return {False: Size(most), True: Size(most)}


def _alone(question: Question) -> Question:
    if question.method != CODE_START:
        return question
    return Question("eth_getCode", question.params, question.at, question.again)
