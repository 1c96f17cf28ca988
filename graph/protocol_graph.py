"""ProtocolGraph: who depends on whom. Typed tables of nodes and relations; every row says where it was read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import pandas as pd

from chain.errors import InputError, UnknownNameError, unknown_name
from chain.networks import placed
from chain.snapshot import Snapshot
from graph.identity import short
from graph.names import Names, NodeTexts
from graph.schema import relation_schemas
from graph.validation import structure, totals

Direction = Literal["out", "in", "both"]
NEIGHBOUR_COLUMNS = [
    "relation",
    "direction",
    "neighbour",
    "neighbour_kind",
    "detail",
    "amount_usd",
    "evidence",
    "status",
]
LISTED_BY = "`aftershock query names`"


@dataclass(frozen=True)
class ProtocolGraph:
    """Tables of nodes and relations over one snapshot. The tables are the truth; networks of other libraries are views of them.

    Attributes
    ----------
    snapshot : what the graph was built from.
    nodes : node kind -> table, columns as in `graph/schema/nodes`.
    relations : relation kind -> table, columns as in `graph/schema/relations`.
    gaps : what the snapshot holds and the graph cannot show or value, in sentences.
    is_part : a subgraph; its sums are not those of the tables.
    """

    snapshot: Snapshot
    nodes: Mapping[str, pd.DataFrame]
    relations: Mapping[str, pd.DataFrame]
    gaps: tuple[str, ...] = ()
    is_part: bool = False

    @cached_property
    def answers(self) -> dict[tuple[Any, ...], Any]:
        """Answers already worked out, by question; right as long as nobody writes into the graph's tables."""
        return {}

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What several questions ask for first, by name, once worked out; on the same condition."""
        return {}

    @property
    def is_of_claims(self) -> bool:
        """Whether it is the graph of a user's file of exposures, which states claims and nothing else."""
        return "exposures" in self.snapshot.readers

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Node key -> node kind."""
        return NodeTexts(self.nodes, lambda kind, rows: [kind] * len(rows))

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Node key -> name for people; with its chain where the snapshot holds several."""
        if len(self._chains) < 2:
            return self.own_labels

        def text(_: str, rows: pd.DataFrame) -> list[str]:
            names = zip(rows["label"].tolist(), rows["node"].tolist(), strict=True)
            return [placed(label, key, self._chains) for label, key in names]

        return NodeTexts(self.nodes, text)

    @cached_property
    def _chains(self) -> tuple[str, ...]:
        return tuple(anchor.chain for anchor in self.snapshot.anchors)

    @cached_property
    def own_labels(self) -> Mapping[str, str]:
        """Node key -> name without its chain, as the tables have it."""
        return NodeTexts(self.nodes, lambda _, rows: rows["label"].tolist())

    @cached_property
    def _names(self) -> Names:
        return Names(self.nodes, self.snapshot["markets"], self._chains)

    @cached_property
    def unstated(self) -> frozenset[str]:
        """What a file of exposures does not state though its graph has it, so that no name means it: the market that prices claims, its protocol, the dollar."""
        if not self.is_of_claims:
            return frozenset()
        return frozenset(
            key for key, kind in self.kinds.items() if kind in ("market", "protocol") or key.startswith("iso4217:")
        )

    def node_kind(self, key: str) -> str:
        """The kind of a node by its exact key; UnknownNameError if there is no such node."""
        if key not in self.kinds:
            raise self._unknown(key, None)
        return self.kinds[key]

    def label(self, key: str) -> str:
        """The name of a node for people; the short form of a key that is no node."""
        return self.labels.get(key) or short(key)

    def name_for(self, key: str) -> str:
        """A name that means this node where it is asked for: its label, or the whole key if something else answers to that too."""
        try:
            return self.label(key) if self.find(self.label(key)) == key else key
        except InputError:
            return key

    def find(self, name: str, kind: str | None = None) -> str:
        """The node that a person means.

        Parameters
        ----------
        name : exact key, symbol, label, protocol slug, market instance, address, or the beginning of an address (0x and four digits).
        kind : only nodes of this kind.

        Returns
        -------
        The node's key. An exact key wins, then a name as written, then in any case, then the beginning of an address. A token that
        is also a vault or part of a feed is one contract with several parts: its name and address mean the asset.

        Raises
        ------
        InputError
            If several nodes answer to the name; it lists them.
        UnknownNameError
            If none does; it says what is near.
        """
        name = name.strip()
        unstated = self.unstated
        if self.kinds.get(name) is not None and kind in (None, self.kinds[name]) and name not in unstated:
            return name
        for answers in self._names.answering(name):
            found = {key: of for key, of in answers.items() if kind in (None, of) and key not in unstated}
            tokens = [key for key, of in found.items() if of == "asset"]
            if len(found) == 1:
                return next(iter(found))
            if len(tokens) == 1 and len({_place(key) for key in found}) == 1:
                return tokens[0]
            if found:
                raise self._ambiguous(name, found)
        raise self._unknown(name, kind)

    def neighbours(self, key: str, relation: str | None = None, direction: Direction = "both") -> pd.DataFrame:
        """What a node is joined to, largest amount first.

        Parameters
        ----------
        key : a node's key.
        relation : only this relation kind.
        direction : "out" for relations that start at the node, "in" for those that lead to it.

        Returns
        -------
        One row a relation: relation, direction, neighbour, neighbour_kind, detail (what tells relations between the same two nodes
        apart: asset, holder, market and step, power), amount_usd, evidence, status.
        """
        self.node_kind(key)
        schemas = relation_schemas()
        if relation is not None and relation not in schemas:
            raise unknown_name("relation", relation, schemas)
        parts = []
        for name in [relation] if relation else schemas:
            table, schema = self.relations[name], schemas[name]
            for way, end, other in (("out", "source", "target"), ("in", "target", "source")):
                rows = table[table[end] == key] if direction in (way, "both") else table[:0]
                if len(rows):
                    detail = [" ".join(map(str, values)) for values in rows[schema.labels].itertuples(index=False)]
                    amount = rows[schema.value_column] if schema.value_column else float("nan")
                    rows = rows.assign(
                        relation=name, direction=way, neighbour=rows[other], detail=detail, amount_usd=amount
                    )
                    rows = rows.assign(neighbour_kind=rows["neighbour"].map(self.kinds))
                    parts.append(rows[NEIGHBOUR_COLUMNS])
        if not parts:
            return pd.DataFrame(columns=NEIGHBOUR_COLUMNS)
        found = pd.concat(parts, ignore_index=True)
        order = ["amount_usd", "relation", "neighbour", "detail"]
        return found.sort_values(order, ascending=[False, True, True, True], ignore_index=True)

    def subgraph(self, keys: Collection[str]) -> "ProtocolGraph":
        """These nodes and the relations between them; UnknownNameError for a key that is no node."""
        kept = set(keys)
        for key in kept:
            self.node_kind(key)
        nodes = {kind: _rows(table, table["node"].isin(kept)) for kind, table in self.nodes.items()}
        relations = {
            kind: _rows(table, table["source"].isin(kept) & table["target"].isin(kept))
            for kind, table in self.relations.items()
        }
        return replace(self, nodes=nodes, relations=relations, is_part=True)

    def validate(self) -> list[str]:
        """Problems, one sentence each; empty for a sound graph. A subgraph's sums are not compared with the tables."""
        return structure(self) or ([] if self.is_part else totals(self))

    def _ambiguous(self, name: str, found: Mapping[str, str]) -> InputError:
        shown = sorted(f"{key} ({kind} {self.label(key)})" for key, kind in found.items())
        more = f" and {len(shown) - 8} more" if len(shown) > 8 else ""
        return InputError(f"{name!r} can mean {len(shown)} things: {', '.join(shown[:8])}{more}; write the whole key.")

    def _unknown(self, name: str, kind: str | None) -> UnknownNameError:
        kinds = [kind] if kind else [other for other in self.nodes if other not in ("account", "feed")]
        known = {
            self.labels[key] for other in kinds if other in self.nodes for key in self.nodes[other]["node"].tolist()
        }
        known |= set(self.nodes["protocol"]["node"].tolist()) if kind in (None, "protocol") else set()
        if self.is_of_claims:
            wanted = ("asset", "account") if kind is None else (kind,)
            known = {
                self.labels[key] for key, other in self.kinds.items() if other in wanted and key not in self.unstated
            }
        return unknown_name(kind or "market, protocol, asset or account", name, known, LISTED_BY)


def _place(key: str) -> tuple[str, str]:
    """Chain and address in a key, whatever its form; the key itself where it has none."""
    start = key.rfind("0x")
    return (":".join(key.replace("/", ":").split(":")[:2]), key[start : start + 42]) if start >= 0 else ("", key)


def _rows(table: pd.DataFrame, keep: "pd.Series[bool]") -> pd.DataFrame:
    return table[keep].reset_index(drop=True)
