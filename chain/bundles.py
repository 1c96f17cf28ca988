"""Many contract calls in one: through Multicall3 where the chain has it at the pinned block, else through code that is sent along.

The code that is sent along (`deployless.sol`) runs while it is created and returns what Multicall3 would return. A bundle that is too
much for the node is halved, and larger ones are tried again later. What fails inside a bundle is asked again alone: the bundle may
have run out of gas.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chain.calls import Call, bundled, decoded_bundle, deployless
from chain.networks import Network
from chain.nodes import Nodes
from chain.pacing import Manners, Size
from chain.questions import Question
from chain.rpc import Refusal
from chain.snapshot import Anchor

MOST_DEPLOYLESS = 100
_FILE = Path(__file__).parent / "deployless.json"
_NOT_ASKED = Refusal(0, "not asked")


@cache
def deployless_code() -> bytes:
    """Creation code of `deployless.sol`."""
    return bytes.fromhex(json.loads(_FILE.read_text(encoding="utf-8"))["creation_code"].removeprefix("0x"))


class Bundles:
    """Nodes that are asked contract calls in bundles, and everything else as it is."""

    def __init__(self, nodes: Nodes, network: Network, manners: Manners) -> None:
        self._nodes = nodes
        self._network = network
        self._most = manners.bundle
        self._multicall3 = ""
        self._size = Size(self._most)

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
        """Fix the block, and see whether Multicall3 is there."""
        self._nodes.pin(anchor, head)
        [code] = self._nodes.ask([Question("eth_getCode", (self._network.multicall3,), "pinned")])
        self._multicall3 = self._network.multicall3 if isinstance(code, str) and code != "0x" else ""
        self._size = Size(self._most if self._multicall3 else min(self._most, MOST_DEPLOYLESS))

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order, a refusal being an answer."""
        calls = [
            place
            for place, question in enumerate(questions)
            if question.method == "eth_call" and question.at == "pinned"
        ]
        answers: list[Any] = [_NOT_ASKED] * len(questions)
        if len(calls) > 1 and self._size.most > 1:
            self._bundled(questions, calls, answers)
        rest = [place for place, answer in enumerate(answers) if answer is _NOT_ASKED]
        for place, answer in zip(rest, self._nodes.ask([questions[place] for place in rest]), strict=True):
            answers[place] = answer
        return answers

    def _bundled(self, questions: Sequence[Question], places: Sequence[int], answers: list[Any]) -> None:
        """Fill in the answers of calls that succeed inside bundles."""
        left = [list(places)]
        while left:
            width = self._size.now
            groups = [group[start : start + width] for group in left for start in range(0, len(group), width)]
            asked = [self._question([questions[place].params[0] for place in group]) for group in groups]
            left = []
            for group, answer in zip(groups, self._nodes.ask(asked), strict=True):
                parts = None if isinstance(answer, Refusal) else decoded_bundle(bytes.fromhex(answer[2:]), len(group))
                if parts is None:
                    self._size.down(len(group))
                    left += [group] if len(group) > 1 else []
                    continue
                self._size.up()
                for place, (succeeded, data) in zip(group, parts, strict=True):
                    if succeeded:
                        answers[place] = "0x" + data.hex()

    def _question(self, calls: Sequence[dict[str, str]]) -> Question:
        pairs = [(call["to"], bytes.fromhex(call["data"][2:])) for call in calls]
        if not self._multicall3:
            return Question("eth_call", ({"data": "0x" + deployless(deployless_code(), pairs).hex()},), "pinned")
        bundle: Call = bundled(self._multicall3, pairs)
        return Question("eth_call", ({"to": bundle.address, "data": "0x" + bundle.data.hex()},), "pinned")
