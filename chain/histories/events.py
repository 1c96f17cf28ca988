"""One kind of event: how a contract declares it, and how the values of one are read back.

A declaration is copied from the contract's source, `Transfer(address indexed from, address indexed to, uint256 value)`; that text gives the
topic, the names and the types. Enumerations are written as the uint8 that they are on the wire, structures as the types of their fields in
brackets, without names: `(address,uint256)[] actions`; none within another.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from chain.errors import NodeError
from chain.node.calls import Log, event_topic

Rows = Iterable[tuple[str, dict[str, Any]]]
"""(table, columns) without those that every row of an event has: chain, block, place, time, transaction, evidence, status."""
ToRows = Callable[[Mapping[str, Any], Log], Rows]
BETWEEN = re.compile(r",(?![^(]*\))")
"""A comma between values, not one inside the brackets of a structure."""


@dataclass(frozen=True)
class Event:
    """A declaration: name, topic, and (type, name) of what stands in topics and in data."""

    name: str
    topic: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]

    def values(self, log: Log) -> dict[str, Any]:
        """Values by name; addresses in lower case.

        Raises
        ------
        NodeError
            If the log does not hold such an event.
        """
        try:
            if len(log.topics) != 1 + len(self.indexed):
                raise ValueError(f"{len(log.topics) - 1} indexed values")
            found = {
                name: decode([kind], bytes.fromhex(topic[2:]))[0]
                for (kind, name), topic in zip(self.indexed, log.topics[1:], strict=True)
            }
            data = decode([kind for kind, _ in self.plain], bytes.fromhex(log.data[2:]), strict=False)
        except (DecodingError, ValueError, OverflowError) as error:
            raise NodeError(
                f"Event {log.log_index} of block {log.block_number} of {log.address} is no {self.name} ({error}); check the deployments file"
            ) from error
        return found | dict(zip([name for _, name in self.plain], data, strict=True))


def event(text: str) -> Event:
    """Read a declaration; ValueError if it is none."""
    name, bracket, rest = text.partition("(")
    if not bracket or not rest.endswith(")") or not name.isidentifier():
        raise ValueError(f"{text!r} is no event; write Name(type indexed name, type name)")
    words = [part.split() for part in BETWEEN.split(rest[:-1]) if part.strip()]
    parts = [(word[0], "indexed" in word[1:], word[-1]) for word in words]
    return Event(
        name,
        event_topic(f"{name}({','.join(kind for kind, _, _ in parts)})"),
        tuple((kind, label) for kind, is_indexed, label in parts if is_indexed),
        tuple((kind, label) for kind, is_indexed, label in parts if not is_indexed),
    )


@dataclass(frozen=True)
class Source:
    """Contracts whose events are read together, and what rows each of their events gives."""

    label: str
    addresses: tuple[str, ...]
    shapes: Mapping[str, tuple[Event, ToRows]]

    @property
    def topics(self) -> tuple[str, ...]:
        """First topics that are asked for."""
        return tuple(self.shapes)

    def rows(self, log: Log) -> Rows:
        """The rows of one log."""
        shape, to_rows = self.shapes[log.topics[0]]
        for table, columns in to_rows(shape.values(log), log):
            yield (
                table,
                {
                    **columns,
                    "evidence": f"event {shape.name} @{log.address} block {log.block_number} log {log.log_index}",
                },
            )


def source(label: str, addresses: Sequence[str], shapes: Mapping[str, ToRows]) -> Source:
    """A source from declarations."""
    read = {text: event(text) for text in shapes}
    return Source(label, tuple(addresses), {shape.topic: (shape, shapes[text]) for text, shape in read.items()})
