"""What nodes are called, and which nodes answer to a name.

A graph of a million positions has some hundred thousand accounts. One question asks for a few of their names, so columns are searched, and no
list of all names is made unless all are asked for.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import pandas as pd

from chain.networks import chain_name, placed
from chain.tables import MANY_ROWS
from graph.identity import short

MOST_SEARCHES = 100  # of long tables, one key at a time; from then on all keys are listed, which takes as long
_PREFIX = 6  # characters of an address prefix that are enough to look for: 0x and four digits
Tables = Mapping[str, pd.DataFrame]
Texts: TypeAlias = "pd.Series[str]"


class NodeTexts(Mapping[str, str]):
    """Node key -> one text about the node, from a table of nodes for each kind.

    `text`: kind and some rows of its table -> their texts.
    """

    def __init__(self, nodes: Tables, text: Callable[[str, pd.DataFrame], list[str]]) -> None:
        self._nodes, self._text = nodes, text
        self._long = {kind: table for kind, table in nodes.items() if len(table) >= MANY_ROWS}
        self._searched: dict[str, str | None] = {}

    @cached_property
    def _short(self) -> dict[str, str]:
        return self._listed({kind: table for kind, table in self._nodes.items() if kind not in self._long})

    @cached_property
    def _all(self) -> dict[str, str]:
        return self._listed(self._nodes)

    def _listed(self, nodes: Tables) -> dict[str, str]:
        return {
            key: text
            for kind, table in nodes.items()
            for key, text in zip(table["node"].tolist(), self._text(kind, table), strict=True)
        }

    def __getitem__(self, key: str) -> str:
        """The text of one node; KeyError for a key that is no node."""
        if "_all" in vars(self) or not self._long or len(self._searched) >= MOST_SEARCHES:
            return self._all[key]
        if key in self._short:
            return self._short[key]
        if key not in self._searched:
            found = (self._text(kind, table[table["node"] == key]) for kind, table in self._long.items())
            self._searched[key] = next((texts[0] for texts in found if texts), None)
        text = self._searched[key]
        if text is None:
            raise KeyError(key)
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


class Named(NamedTuple):
    """A node: key, kind, and every name that it answers to: key, label with and without the chain, short and full address, of a market its instance."""

    key: str
    kind: str
    names: frozenset[str]


@dataclass(frozen=True)
class Names:
    """The names of all nodes. `nodes`: kind -> table with node and label. `markets`: the snapshot's table. `chains`: CAIP-2, of the snapshot."""

    nodes: Tables
    markets: pd.DataFrame
    chains: Collection[str]

    def answering(self, name: str) -> Iterator[dict[str, str]]:
        """Key -> kind of the nodes that answer to a name: to it as written, then in any case and without blanks, then those whose address begins with it."""
        places = [f" on {chain_name(chain)}" for chain in self.chains]
        written = [name, *(name.removesuffix(place) for place in places)]
        end = name.rpartition("…")[2]
        near = self._near(lambda keys, labels: labels.isin(written) | keys.str.endswith(end))
        yield {one.key: one.kind for one in near if name in one.names}

        lower, end = folded(name), _spaced(folded(end))
        whole = "|".join(_spaced(one) for one in (lower, *(lower.removesuffix(folded(place)) for place in places)))
        near = self._near(lambda keys, labels: _has(keys, f"{end} *$") | _has(labels, f"^ *(?:{whole}) *$"))
        yield {one.key: one.kind for one in near if any(folded(text) == lower for text in one.names)}

        if len(lower) >= _PREFIX and lower.startswith("0x"):
            near = self._near(lambda keys, labels: _has(keys, re.escape(lower)) | _has(labels, f"^{re.escape(lower)}"))
            yield {one.key: one.kind for one in near if any(text.lower().startswith(lower) for text in one.names)}

    def _near(self, is_near: Callable[[Texts, Texts], "pd.Series[bool]"]) -> list[Named]:
        """All nodes of short tables, and those of long ones whose key and label look near; nobody may be left out who answers."""
        return self._of_short + [
            one
            for kind, table in self.nodes.items()
            if len(table) >= MANY_ROWS
            for one in self._named(kind, table[is_near(table["node"], table["label"]) | (kind == "market")])
        ]

    @cached_property
    def _of_short(self) -> list[Named]:
        short_ones = {kind: table for kind, table in self.nodes.items() if len(table) < MANY_ROWS}
        return [one for kind, table in short_ones.items() for one in self._named(kind, table)]

    def _named(self, kind: str, rows: pd.DataFrame) -> Iterator[Named]:
        for key, label in zip(rows["node"].tolist(), rows["label"].tolist(), strict=True):
            called = {label, self._instances[key]} if key in self._instances else {label}
            names = {*called, *(placed(one, key, self.chains) for one in called), key, short(key)}
            yield Named(key, kind, frozenset(names | {key[max(0, key.rfind("0x")) :]}))

    @cached_property
    def _instances(self) -> dict[str, str]:
        return dict(zip(self.markets["market"].tolist(), self.markets["instance"].tolist(), strict=True))


def _has(texts: Texts, pattern: str) -> "pd.Series[bool]":
    """Which texts have a pattern, in any case; those beyond ASCII all do, as their case and blanks are Python's to judge."""
    return texts.str.contains(pattern, case=False) | texts.str.contains(r"[^ -~…]")


def _spaced(text: str) -> str:
    """The pattern of a text with any blanks between its characters."""
    return " *".join(map(re.escape, text))


def folded(name: str) -> str:
    """A name without case and blanks: `ETH/USD` means the feed `ETH / USD`."""
    return "".join(name.lower().split())
