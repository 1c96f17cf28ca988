"""What a snapshot would ask and give, estimated from a sample: the readers run as they are, on a few of the events and holders.

Events are asked for in a few ranges spread from the first block to the pinned one, and of the accounts that they name the readers see a
few. What was asked about sampled accounts, and the rows it gave, are multiplied by how many accounts there are for each one sampled;
everything else (reserves, pools, feeds, tokens) is read in full and counts once. How many accounts there are is estimated from how
many were named once and twice (Chao, Nonparametric Estimation of the Number of Classes in a Population, Scandinavian Journal of
Statistics 11, 1984, in its bias-corrected form), which is low where most accounts were active once, long ago.

How many questions the events take depends on what the node allows. The widest range is found with a contract that has no events; the most
events in one answer only where a range of the sample was refused for them; then the ranges are gone through as `logs.read` would.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, Log
from chain.node.events import EQUAL_WITHOUT_SUM
from chain.node.logs import Window
from chain.node.range_costs import Allowed, Seen, simulated_questions, widest_range
from chain.node.resumable import ResumableClient
from chain.node.rpc import Refusal
from chain.reading import describe, entries, in_order, read_one
from chain.snapshot import Anchor
from chain.units import ZERO_ADDRESS


@dataclass(frozen=True)
class Sample:
    """How much is asked for an estimate: ranges a question about events, blocks a range, accounts a question."""

    ranges: int = 8
    blocks: int = 1_000
    accounts: int = 200


@dataclass(frozen=True)
class Expected:
    """What reading one protocol takes: calls of contracts, questions for events, events, rows, bytes of answers (as text twice as many)."""

    label: str
    calls: int
    log_requests: int
    events: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """Everything that is expected, and what the estimate itself asked.

    Attributes
    ----------
    share : smallest share of the blocks of a question that was looked at; 1 where the history is short enough to be read whole.
    """

    anchor: Anchor
    parts: tuple[Expected, ...]
    asked_calls: int
    asked_requests: int
    share: float

    @property
    def total(self) -> Expected:
        """The sum of the parts."""
        names = [field.name for field in fields(Expected)[1:]]
        return Expected("in all", *(sum(getattr(part, name) for part in self.parts) for name in names))


def expect(
    url: str, book: Path | Sequence[Deployment], block: int | str | None = None, sample: Sample | None = None
) -> Estimate:
    """Estimate what `reading.take` with the same arguments would ask and give.

    Raises
    ------
    InputError, NodeError, WrongChainError, BlockError, ContractError
        As `reading.take`.
    """
    deployments = in_order(entries(book))
    with _SamplingClient.connect(url, deployments[0].chain) as client:
        assert isinstance(client, _SamplingClient)
        client.sample = sample or Sample()
        found, parts, rows = Findings(client.pin(block)), [], 0.0
        for number in range(len(deployments) + 1):
            client.cost = _Cost()
            if number < len(deployments):
                label = f"{deployments[number].protocol} {deployments[number].instance}"
                read_one(client, deployments[number], found, lambda *_: None)
            else:
                label = "describe"
                describe(client, found, lambda *_: None)
            before, rows = rows, sum(client.row_weight(row) for table in found.rows.values() for row in table)
            cost = client.cost
            counts = (cost.calls, cost.log_requests, cost.events, rows - before, cost.bytes)
            parts.append(Expected(label, *(round(max(count, 0)) for count in counts)))
        return Estimate(client.anchor, tuple(parts), client.tally.calls, client.requests, client.share)


@dataclass
class _Cost:
    """What one protocol takes, estimated so far."""

    calls: float = 0.0
    log_requests: int = 0
    events: float = 0.0
    bytes: float = 0.0


class _SamplingClient(ResumableClient):
    """Answers questions about events from a sample, and weighs every question by how many it stands for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sample = Sample()
        self.cost = _Cost()
        self.share = 1.0
        self._allowed: Allowed | None = None
        self._model = Window()
        self._contracts: set[str] = set()
        self._accounts_for_one: dict[str, float] = {}  # by sampled account
        self._holders_for_one: dict[str, float] = {}  # by token

    def logs(
        self, addresses: Sequence[str], topic: str | tuple[str, ...], first: int, last: int, has_no_sum: bool = False
    ) -> list[Log]:
        """A sample of the events, with few enough accounts in it."""
        logs, share = self._some_ranges(addresses, topic, first, last, has_no_sum)
        self.share = min(self.share, share)
        self.cost.events += len(logs) / share
        self.cost.bytes += sum(len(log.data) // 2 - 1 + 32 * len(log.topics) for log in logs) / share
        named = [(log, _named(log) - {ZERO_ADDRESS} - self._contracts) for log in logs]
        held = Counter((log.address, who) for log, accounts in named for who in accounts)
        accounts = Counter(who for _, who in held.elements())
        chosen = set(_every_nth(sorted(accounts), self.sample.accounts))
        given = [(log, who) for log, who in named if who <= chosen]
        seen = {who for _, some in given for who in some}
        if seen:
            for_one = expected_kinds(accounts.values(), share) / len(seen)
            self._accounts_for_one |= {who: max(for_one, self._accounts_for_one.get(who, 1.0)) for who in seen}
            for_one = expected_kinds(held.values(), share) / len(
                {(log.address, w) for log, some in given for w in some}
            )
            self._holders_for_one |= dict.fromkeys(addresses, for_one)
        return [log for log, _ in given]

    def row_weight(self, row: Mapping[str, Any]) -> float:
        """How many rows a row stands for."""
        token = str(row["evidence"]).partition("@")[2].partition(" ")[0]
        return self._weight(token, {value[-42:] for value in row.values() if isinstance(value, str)})

    def count(self, asked: Mapping[str, Any], found: Mapping[str, str | None]) -> None:
        super().count(asked, found)
        for name, question in asked.items():
            is_call = isinstance(question, Call)
            if is_call:
                self._contracts.add(question.address)
            about = question.arguments if is_call else (question.address,)
            weight = self._weight(
                question.address if is_call else "", {each for each in about if isinstance(each, str)}
            )
            self.cost.calls += weight
            self.cost.bytes += weight * len(found[name] or "") / 2

    def _weight(self, token: str, names: set[str]) -> float:
        """How many questions or rows one stands for: those about a sampled account's balance of a token, or about the account."""
        for_one = [self._accounts_for_one[name] for name in names & self._accounts_for_one.keys()]
        return self._holders_for_one.get(token, max(for_one)) if for_one else 1.0

    def _some_ranges(
        self, addresses: Sequence[str], topic: str | tuple[str, ...], first: int, last: int, has_no_sum: bool
    ) -> tuple[list[Log], float]:
        """Events of ranges spread evenly, the first and the last block among them, and the share of the blocks that they cover."""
        blocks = last - first + 1
        if blocks <= self.sample.ranges * self.sample.blocks:
            before = self.tally.ranges
            logs = super().logs(addresses, topic, first, last, has_no_sum)
            self.cost.log_requests += self.tally.ranges - before
            return logs, 1.0
        if self._allowed is None:
            self._allowed = Allowed(widest_range(self, first, last))
        allowed, seen = self._allowed, list[Seen]()
        logs, width = [], min(self.sample.blocks, allowed.blocks)
        for number in range(self.sample.ranges):
            refused = 0
            while True:
                start = first + (blocks - width) * number // max(self.sample.ranges - 1, 1)
                answer = self.get_logs(addresses, [topic], start, start + width - 1)
                if not isinstance(answer, Refusal) or width == 1:
                    break
                refused, width = width, (width + 1) // 2
            if not isinstance(answer, Refusal):
                logs += answer
                seen.append(Seen(start, width, len(answer)))
                allowed.learn(len(answer), refused / width)
        final = self.events.final(self.anchor, self.network.finality_lag_blocks)
        questions = simulated_questions(allowed, seen, first, last, final, self._model)
        self.cost.log_requests += questions * (EQUAL_WITHOUT_SUM if has_no_sum else 1)
        return logs, max(sum(each.blocks for each in seen), 1) / blocks


def expected_kinds(counts: Iterable[int], share: float) -> float:
    """How many kinds there are when a share of all individuals was seen, so many of each kind: Chao's lower bound, and never more
    than if every individual that was not seen were of a kind of its own."""
    seen = list(counts)
    once, twice = seen.count(1), seen.count(2)
    unseen = sum(seen) * (1 / share - 1)
    return len(seen) + min(once * (once - 1) / (2 * (twice + 1)), unseen)


def _named(log: Log) -> set[str]:
    """The addresses among an event's topics."""
    return {"0x" + topic[-40:].lower() for topic in log.topics[1:] if topic[2:26] == "0" * 24}


def _every_nth(names: Sequence[str], most: int) -> Sequence[str]:
    return names[:: -(-len(names) // most)] if names else names
