"""The answer to "through which ways does a loss at Y reach X, and how much can each carry?".

X loses when Y fails. All of Y's worth is gone; each step passes a loss on in proportion to its share in the worth of what loses, and never
more than is at stake in it. What arrives at X is the way's USD. Ways overlap, so they are not added up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from graph.dependences import dependences, keeper, node_label, reserve
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph
from graph.strongest import LossNetwork, Way

MOST = 1_000


@dataclass(frozen=True)
class Hop:
    """One step: who loses, on whom it depends, what is at stake (None where not known), what arrives here, and where that was read."""

    source: str
    source_label: str
    relation: str
    target: str
    target_label: str
    amount_usd: float | None
    share: float
    passed_usd: float
    evidence: str
    status: str


@dataclass(frozen=True)
class LossPath:
    """One way from X down to Y: USD that X can lose through it, the step that limits it, and its steps from X on."""

    amount_usd: float
    narrowest: int
    hops: tuple[Hop, ...]

    @property
    def text(self) -> str:
        """The names that the way passes."""
        return " → ".join([self.hops[0].source_label, *(hop.target_label for hop in self.hops)])


@dataclass(frozen=True)
class Paths:
    """What was asked and the answer.

    Attributes
    ----------
    loser, cause : X and Y, keys of the graph; `loser_label`, `cause_label` for people.
    anchors, caption : as in `graph.exposures.answer.Exposure`.
    paths : the strongest first.
    are_all : whether there are no others.
    gaps : what is not in the graph, in sentences.
    """

    loser: str
    loser_label: str
    cause: str
    cause_label: str
    anchors: tuple[Mapping[str, Any], ...]
    caption: str
    paths: tuple[LossPath, ...]
    are_all: bool
    gaps: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON can hold it."""
        record = asdict(self)
        for row, path in zip(record["paths"], self.paths, strict=True):
            row["text"] = path.text
        return record


@dataclass(frozen=True)
class PathIndex:
    """A graph made ready to be asked for many paths; building it costs one pass over all relations."""

    graph: ProtocolGraph

    @cached_property
    def steps(self) -> pd.DataFrame:
        """Every step (`graph.dependences.dependences`)."""
        return dependences(self.graph)

    @cached_property
    def names(self) -> list[str]:
        """Nodes of the steps, sorted."""
        return sorted({*self.steps["source"].tolist(), *self.steps["target"].tolist()})

    @cached_property
    def place(self) -> dict[str, int]:
        """Node -> its place in `names`."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def network(self) -> LossNetwork:
        """The steps as arrays; rows stand in the order of `steps`."""
        ends = [self.steps[end].map(self.place).to_numpy(np.int64) for end in ("source", "target")]
        amount = self.steps["amount_usd"].fillna(np.inf).to_numpy(float)
        return LossNetwork(len(self.names), ends[0], ends[1], self.steps["share"].to_numpy(float), amount)

    def paths(self, loser: str, cause: str, top: int = 10) -> Paths:
        """The strongest distinct ways by which a failure of `cause` costs `loser`.

        Parameters
        ----------
        loser, cause : whatever `ProtocolGraph.find` understands. As loser, a market means all its reserves, a protocol all its markets
            and pools; as cause, a vault or pool means its share, anything else also what it keeps, issues or prices for others.
        top : how many, 1 to 1,000.

        Raises
        ------
        UnknownNameError, InputError
            If no node, or more than one, answers to a name, one is a part of the other, or `top` is out of range.
        """
        if not 1 <= top <= MOST:
            raise InputError(f"top is {top}; ask for 1 to {MOST:,} paths")
        graph = self.graph
        losing, failing = graph.find(loser), graph.find(cause)
        starts, lost = self._losing(losing), self._failing(failing)
        ends = lost - starts
        if not starts:
            raise InputError(
                f"{loser} has neither markets nor pools, so nothing can be lost there; name a holder, a market or an asset"
            )
        if starts <= lost or (lost & starts and not any(node in self.place for node in ends)):
            raise InputError(
                f"{loser} and {cause} are the same, or one is a part of the other; name two different things"
            )
        above, below = ({self.place[node] for node in nodes if node in self.place} for nodes in (starts, ends))
        found = self.network.strongest(above, below, top + 1) if above and below else []
        labels = self._labels(found[:top])
        return Paths(
            loser=losing,
            loser_label=graph.label(losing),
            cause=failing,
            cause_label=graph.label(failing),
            anchors=tuple(asdict(anchor) for anchor in graph.snapshot.anchors),
            caption=graph.snapshot.caption,
            paths=tuple(self._path(way, labels) for way in found[:top]),
            are_all=len(found) <= top,
            gaps=(*graph.snapshot.gaps, *graph.gaps),
        )

    def _losing(self, key: str) -> set[str]:
        """The nodes where a loss of this one is counted."""
        nodes = self.graph.nodes
        kind = self.graph.kinds[key]
        if kind == "protocol":
            parts = pd.concat([table[table["protocol"] == key]["node"] for table in (nodes["market"], nodes["pool"])])
            return {node for part in parts.tolist() for node in self._losing(part)}
        if kind == "market":
            return {key, *self._reserves(key)}
        if kind == "vault" and key not in self.place:
            return {key, *nodes["vault"].set_index("node")["asset"].reindex([key]).dropna().tolist()}
        return {key}

    def _failing(self, key: str) -> set[str]:
        """The nodes that are lost with this one."""
        nodes = self.graph.nodes
        kind = self.graph.kinds[key]
        found = {key, keeper(key)}
        if kind == "protocol":
            parts = pd.concat([table[table["protocol"] == key]["node"] for table in (nodes["market"], nodes["pool"])])
            found |= {node for part in parts.tolist() for node in self._failing(part)}
        if kind == "market":
            found |= self._reserves(key)
        if kind == "vault":
            found |= set(nodes["vault"].set_index("node")["asset"].reindex([key]).dropna().tolist())
        if kind == "pool":
            found |= set(self.graph.snapshot["pools"].set_index("pool")["lp_asset"].reindex([key]).dropna().tolist())
        return found

    def _reserves(self, market: str) -> set[str]:
        listed = self.graph.relations["lists"]
        return {reserve(market, asset) for asset in listed[listed["source"] == market]["target"].tolist()}

    def label(self, node: str) -> str:
        """The name of a node of the steps for people."""
        return node_label(self.graph, node)

    def _labels(self, ways: Sequence[Way]) -> dict[str, str]:
        """Names of all nodes of some ways; of those with one name each has the end of its key."""
        rows = self.steps.iloc[sorted({edge for way in ways for edge in way.edges})]
        return told_apart({node: self.label(node) for node in (*rows["source"], *rows["target"])})

    def _path(self, way: Way, labels: Mapping[str, str]) -> LossPath:
        hops = []
        for row, usd in zip(each_row(self.steps.iloc[list(way.edges)]), way.worth, strict=True):
            amount = None if pd.isna(row.amount_usd) else float(row.amount_usd)
            ends = (row.source, labels[row.source], row.relation, row.target, labels[row.target])
            hops.append(Hop(*ends, amount, float(row.share), usd, row.evidence, row.status))
        at_stake = [np.inf if hop.amount_usd is None else hop.amount_usd for hop in hops]
        return LossPath(way.worth[-1], int(np.argmin(at_stake)), tuple(hops))
