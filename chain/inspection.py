"""Looks at a node and at the contracts of an address book: what answers, how far back, and whether the contracts are what the book says."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chain.address_books import SHIPPED
from chain.deployments import Deployment
from chain.errors import AftershockError
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.pacing import Manners
from chain.protocols import PROTOCOLS

DEPTHS = (None, 1_000_000, 100_000, 10_000, 1_000, 128)
"""How many blocks behind the head state is asked for, deepest first; None is block 1."""
LOG_WIDTHS = (1_000_000, 100_000, 10_000, 1_000, 100, 10)
LATE_SECONDS = 300
UNCACHED = Manners(tries=2)
"""What was answered before is no answer to what the node has now."""
QUIET_TOPIC = "0x" + "00" * 31 + "01"


@dataclass(frozen=True)
class Finding:
    """What was looked at, its state (`ok`, `absent`, `broken`), and a sentence."""

    subject: str
    state: str
    text: str


def shipped() -> dict[str, Path]:
    """The shipped address books by the name of their file."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def clock(client: Client, now: float) -> Finding:
    """How old the head is by this machine's clock (`now`, seconds since 1970); the head must be pinned."""
    age = round(now - client.anchor.timestamp)
    if abs(age) <= LATE_SECONDS:
        return Finding("clock", "ok", f"the head is {age} s old by this machine's clock")
    which = "old: the node lags, or this clock is ahead" if age > 0 else "ahead of this machine's clock"
    return Finding("clock", "broken", f"the head is {abs(age)} s {which}")


def archive_depth(url: str, chain: str) -> Finding:
    """The deepest of a few blocks whose state the node still has."""
    with Client.connect(url, chain, UNCACHED) as client:
        head = client.pin("latest").number
        for depth in DEPTHS:
            block = 1 if depth is None else head - depth
            if not 0 < block <= head:
                continue
            try:
                client.pin(block)
                client.codes([client.network.multicall3])
            except AftershockError:
                continue
            return Finding("archive", "ok", f"state from block {block} on ({head - block:,} blocks deep)")
    return Finding("archive", "absent", f"no state {DEPTHS[-1]} blocks back; snapshots of the head only")


def log_limit(client: Client) -> Finding:
    """The widest of a few ranges that the node takes in one question for events."""
    head = client.anchor.number
    for width in LOG_WIDTHS:
        first = max(head - width + 1, 0)
        try:
            answer = client.get_logs([client.network.multicall3], [QUIET_TOPIC], first, head)
        except AftershockError:
            continue
        if isinstance(answer, Sequence):
            whole = "the whole chain" if first == 0 else f"{width:,} blocks"
            return Finding("events", "ok", f"{whole} in one question, for a contract without events")
    return Finding("events", "broken", f"the node refuses the events of {LOG_WIDTHS[-1]} blocks; give another node")


def addresses(client: Client, deployments: Iterable[Deployment]) -> list[Finding]:
    """Each contract of the book at the pinned block: is there code, and does it answer as what the book says it is?

    The answers of an addresses provider must be the book's other addresses, a feed's description its pair, a token's symbol its symbol.
    """
    found = [_coded(client, "Multicall3", [client.network.multicall3])]
    for entry in deployments:
        label = f"{entry.protocol} {entry.instance}"
        listed = [feed.address for feed in entry.feeds] + [token.address for token in entry.tokens]
        coded = _coded(client, label, [*entry.addresses.values(), *listed])
        found.append(coded)
        if coded.state == "ok":
            found += _identities(client, label, entry)
    return found


def _coded(client: Client, label: str, where: Sequence[str]) -> Finding:
    bare = [address for address, code in zip(where, client.codes(where), strict=True) if code == "0x"]
    if bare:
        return Finding(label, "broken", f"no code at {', '.join(bare)} at block {client.anchor.number}")
    return Finding(label, "ok", f"code at {len(where)} addresses")


def _identities(client: Client, label: str, entry: Deployment) -> list[Finding]:
    questions = [
        (
            of.role,
            of.function,
            Call(entry.addresses[of.role], of.function, of.arguments, optional=True),
            entry.addresses.get(of.same_as, ""),
        )
        for of in PROTOCOLS[entry.reader].identities
        if of.role in entry.addresses
    ]
    text = "description()->(string)"
    questions += [(feed.pair, text, Call(feed.address, text, optional=True), feed.pair) for feed in entry.feeds]
    text = "symbol()->(string)"
    questions += [
        (token.symbol, text, Call(token.address, text, optional=True), token.symbol) for token in entry.tokens
    ]
    answers = client.call_many([call for _, _, call, _ in questions])
    found = []
    for (subject, text, call, wanted), answer in zip(questions, answers, strict=True):
        function = text.split("(")[0]
        if answer is None:
            found.append(Finding(label, "broken", f"{subject} {call.address} does not answer {function}"))
        elif wanted and answer != wanted:
            found.append(
                Finding(label, "broken", f"{subject} {call.address}: {function} is {answer}, the book says {wanted}")
            )
        else:
            found.append(Finding(label, "ok", f"{subject}: {function} is {answer}"))
    return found


def node(url: str, chain: str, now: float | None = None) -> list[Finding]:
    """Head and clock, archive depth, and how wide a range of events the node answers.

    Raises
    ------
    InputError, NodeError, WrongChainError
        If the node cannot be reached or serves another chain.
    """
    with Client.connect(url, chain, UNCACHED) as client:
        anchor = client.pin("latest")
        found = [
            Finding("node", "ok", f"serves {chain}, block {anchor.number}"),
            clock(client, time.time() if now is None else now),
            log_limit(client),
        ]
    return [*found, archive_depth(url, chain)]
