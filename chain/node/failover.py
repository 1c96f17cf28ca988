"""Several nodes of one chain that answer as one: retries with jitter, sizes that adapt, failover that never mixes heads.

A node is used only after it has served the chain, and once a block is pinned, the pinned hash at the pinned number. From then on each
of its answers is bound to that block: asked by hash (EIP-1898) where the node takes hashes, else by number with the block's header
asked for in the same exchange. What a node does not answer properly is asked again, then asked of the next one.
"""

import random
import time
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from chain.errors import BlockError, NodeError, WrongChainError
from chain.node.pacing import LONGEST_WAIT_SECONDS, Manners, pause_seconds
from chain.node.questions import Question
from chain.node.rpc import Endpoint, Refusal, RequestError, secrets
from chain.snapshot import Anchor
from chain.units import ZERO_ADDRESS

Request = tuple[str, Sequence[Any]]
_NO_SUCH_HASH = "0x" + "5e" * 32


class Nodes:
    """The nodes of one chain, in the order in which they are preferred."""

    def __init__(self, urls: Sequence[str], chain: str, manners: Manners) -> None:
        self.chain = chain
        hidden = sorted({word for url in urls for word in secrets(url)}, key=len, reverse=True)
        self._endpoints = [Endpoint(url, manners, hidden) for url in urls]
        self._manners = manners
        self._rng = random.Random(manners.seed)
        self._anchor: Anchor | None = None

    @property
    def name(self) -> str:
        """The node that answers now."""
        return f"the node at {self._endpoints[0].host}"

    @property
    def requests(self) -> int:
        """HTTP requests made so far, to all nodes, retries included."""
        return sum(endpoint.requests for endpoint in self._endpoints)

    def close(self) -> None:
        """Let go of the connections."""
        for endpoint in self._endpoints:
            endpoint.close()

    def pin(self, anchor: Anchor, head: int) -> None:  # noqa: ARG002 - the head matters to the cache only
        """Bind all later answers to this block, which the first node has just shown; every other has to before it is used again."""
        self._anchor = anchor
        for endpoint in self._endpoints:
            endpoint.admitted_at = ""
        self._bind(self._endpoints[0], anchor)

    def meet(self) -> None:
        """Find a node that answers and serves the chain; NodeError or WrongChainError if there is none."""
        errors: list[NodeError] = []
        for endpoint in self._endpoints:
            try:
                return self._admit(endpoint)
            except NodeError as error:
                errors.append(error)
        raise _together(errors)

    def ask(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order, a refusal being an answer.

        Raises
        ------
        NodeError, WrongChainError, BlockError
            If no node can be used: each is named with its reason.
        """
        answers: dict[int, Any] = {}
        refused: dict[int, Refusal] = {}
        errors: list[NodeError] = []
        again = max((question.again for question in questions), default=0)
        turn = again % len(self._endpoints)
        order = self._endpoints[turn:] + self._endpoints[:turn]
        for endpoint in order:
            pending = [place for place in range(len(questions)) if place not in answers]
            if not pending:
                break
            try:
                self._admit(endpoint)
                self._through(endpoint, questions, pending, answers, refused)
            except NodeError as error:
                endpoint.admitted_at = ""
                errors.append(error)
                continue
            if len(answers) == len(questions) and not again:
                self._endpoints.remove(endpoint)
                self._endpoints.insert(0, endpoint)
        answers = refused | answers
        if len(answers) < len(questions):
            raise _together(errors)
        return [answers[place] for place in range(len(questions))]

    def _admit(self, endpoint: Endpoint) -> None:
        """See that this node serves the chain and the pinned block; otherwise the error that says why it cannot be used."""
        mark = self._anchor.hash if self._anchor else self.chain
        if endpoint.admitted_at != mark:
            self._examine(endpoint)
            endpoint.admitted_at = mark
            if self._anchor is not None:
                self._bind(endpoint, self._anchor)

    def _bind(self, endpoint: Endpoint, anchor: Anchor) -> None:
        """From now on this node answers at the pinned block."""
        endpoint.takes_hashes = self._takes_hashes(endpoint, anchor)
        endpoint.admitted_at = anchor.hash

    def _examine(self, endpoint: Endpoint) -> None:
        """Compare the node's chain and pinned block with what they must be, again while the transport fails or the node lags."""
        failures = 0
        while True:
            try:
                return self._look(endpoint)
            except RequestError as caught:
                fault = caught
            failures += 1
            self._wait(endpoint, fault, failures)

    def _look(self, endpoint: Endpoint) -> None:
        """The comparison, once."""
        asked: list[Request] = [("eth_chainId", [])]
        if self._anchor is not None:
            asked.append(("eth_getBlockByNumber", [hex(self._anchor.number), False]))
        found = _sent(endpoint, asked)
        for (method, _), answer in zip(asked, found, strict=True):
            if isinstance(answer, Refusal):
                raise RequestError(f"it refuses {method}: {answer.message}", is_busy=answer.is_busy)
        served = f"eip155:{int(found[0], 16)}"
        if served != self.chain:
            raise WrongChainError(
                f"The node at {endpoint.host} serves {served}, but {self.chain} is wanted; give the right node"
            )
        if self._anchor is None:
            return
        if not found[1]:
            raise RequestError(
                f"it does not have block {self._anchor.number}, it lags or was reorganised", kind=BlockError
            )
        if found[1]["hash"].lower() != self._anchor.hash.lower():
            raise BlockError(
                f"Block {self._anchor.number} was reorganised while it was read, as the node at {endpoint.host} shows; "
                "run again with a block further behind the head"
            )

    def _takes_hashes(self, endpoint: Endpoint, anchor: Anchor) -> bool:
        """Whether the node answers at the pinned hash, and refuses a hash that no block has: one that ignores the hash would not."""
        asked = [("eth_getBalance", [ZERO_ADDRESS, _at_hash(each)]) for each in (anchor.hash, _NO_SUCH_HASH)]
        try:
            known, unknown = _sent(endpoint, asked)
        except RequestError:
            return False
        return not isinstance(known, Refusal) and isinstance(unknown, Refusal)

    def _wait(self, endpoint: Endpoint, fault: RequestError, failures: int) -> None:
        """Wait before the next try; the error that ends the tries where another is pointless."""
        why = fault.reason
        if fault.wait_seconds > LONGEST_WAIT_SECONDS:
            why += f", and it asks to wait {fault.wait_seconds:.0f} seconds"
        elif not fault.is_final and failures < self._manners.tries:
            time.sleep(pause_seconds(failures, fault.wait_seconds, self._rng))
            return
        raise fault.kind(
            f"The node at {endpoint.host} cannot be used: {why}; check that it runs and that the address is right"
        )

    def _through(
        self,
        endpoint: Endpoint,
        questions: Sequence[Question],
        pending: Sequence[int],
        answers: dict[int, Any],
        refused: dict[int, Refusal],
    ) -> None:
        """Ask one node all that is pending: into `answers`, and into `refused` what another node may know."""
        left, failures = list(pending), 0
        while left:
            chunk = _fitting(questions, left[: endpoint.size.now], self._manners.body)
            found, fault = self._exchange(endpoint, [questions[place] for place in chunk])
            again: dict[int, Refusal] = {}
            for place, answer in zip(chunk, found, strict=False):
                where = {"keep": answers, "again": again, "elsewhere": refused}[
                    _verdict(questions[place], answer, len(chunk))
                ]
                where[place] = answer
            if any(place in refused or (place in again and again[place].is_missing_block) for place in chunk):
                self._examine(endpoint)
            left = (list(again) if found else chunk) + left[len(chunk) :]
            fault = fault or _fault_of(again.values())
            if fault is None:
                failures = 0
                endpoint.size.up()
                continue
            must_wait = fault.is_late or fault.is_busy or not fault.is_size
            if fault.is_size and len(chunk) > 1:
                endpoint.size.down(len(chunk))
            elif not must_wait:
                answers[left.pop(0)] = Refusal(413, fault.reason)
            if not must_wait:
                continue
            failures = 1 if len(again) < len(found) else failures + 1
            if failures >= self._manners.tries and again and all(one.is_missing_block for one in again.values()):
                refused.update(again)
                left, failures = left[len(again) :], 0
            elif failures >= self._manners.tries and fault.is_late and len(chunk) == 1:
                self._examine(endpoint)  # it answers light questions: then this one is too heavy for it
                answers[left.pop(0)], failures = Refusal(408, fault.reason), 0
            else:
                self._wait(endpoint, fault, failures)

    def _exchange(self, endpoint: Endpoint, questions: Sequence[Question]) -> tuple[list[Any], RequestError | None]:
        """Answers to a few questions, or why there are none. Those by number count only with the pinned block beside them."""
        anchor = self._anchor
        asked: list[Request] = [(question.method, self._params(endpoint, question)) for question in questions]
        by_number = any(one.at == "guarded" or (one.at == "pinned" and not endpoint.takes_hashes) for one in questions)
        try:
            if anchor is None or not by_number:
                return endpoint.send(asked), None
            *found, header = _sent(endpoint, [*asked, ("eth_getBlockByNumber", [hex(anchor.number), False])])
        except RequestError as fault:
            return [], fault
        if isinstance(header, Refusal):
            why = f"it refuses block {anchor.number} ({header.message})"
            return [], RequestError(why, is_busy=header.is_busy, is_size=header.is_busy or header.is_size)
        if not header or header["hash"].lower() != anchor.hash.lower():
            self._examine(endpoint)
            return [], RequestError("its head changes from one answer to the next", kind=BlockError)
        return found, None

    def _params(self, endpoint: Endpoint, question: Question) -> list[Any]:
        if question.at != "pinned" or self._anchor is None:
            return list(question.params)
        at = _at_hash(self._anchor.hash) if endpoint.takes_hashes else hex(self._anchor.number)
        return [*question.params, at]


def _fitting(questions: Sequence[Question], places: Sequence[int], most_bytes: int) -> list[int]:
    """The first of these places, at least one, whose questions have so many bytes together."""
    sizes = accumulate(len(questions[place].text) for place in places)
    return [place for place, size in zip(places, sizes, strict=True) if size <= most_bytes] or list(places[:1])


def _sent(endpoint: Endpoint, asked: Sequence[Request]) -> list[Any]:
    """Answers in one HTTP request, or one by one where the node takes no batches."""
    if endpoint.size.now > 1:
        try:
            return endpoint.send(asked)
        except RequestError as fault:
            if len(asked) != 2 or not fault.is_size or fault.is_late or fault.is_busy:
                raise
    return [endpoint.send([one])[0] for one in asked]


def _at_hash(block_hash: str) -> dict[str, Any]:
    return {"blockHash": block_hash, "requireCanonical": True}


def _verdict(question: Question, answer: Any, among: int) -> str:
    """What to do with an answer that came `among` so many: `keep` it, ask `again`, or look `elsewhere`."""
    if not isinstance(answer, Refusal) or answer.is_execution:
        return "keep"
    if answer.is_busy or (answer.is_size and among > 1):
        return "again"
    if question.at != "pinned" or answer.is_size:
        return "keep"
    return "again" if answer.is_missing_block else "elsewhere"


def _fault_of(again: Iterable[Refusal]) -> RequestError | None:
    """What refusals that are asked again mean for the node; None if there are none."""
    reasons = list(again)
    if not reasons:
        return None
    is_busy = any(reason.is_busy for reason in reasons)
    return RequestError(
        f"it answers: {reasons[0].message}", is_busy=is_busy, is_size=is_busy or any(r.is_size for r in reasons)
    )


def _together(errors: Sequence[NodeError]) -> NodeError:
    """One error for all nodes; of their kind if they agree on it."""
    if len(errors) == 1:
        return errors[0]
    kind = type(errors[0]) if len({type(error) for error in errors}) == 1 else NodeError
    return kind(f"None of the {len(errors)} nodes can be used. " + " ".join(str(error) + "." for error in errors))
