"""Several snapshots of the same chains in order of time: a row for each market, reserve and asset, a column for each snapshot, and what changed in between.

Books and files of claims stand at no time: they stay in the order in which they are given. Of a file of claims there is a row for each name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pandas as pd

from aftershock.differences import Differences, differences
from chain.errors import InputError
from chain.tables import each_row
from chain.units import WAD, whole_tokens
from graph.exposures.answer import records
from graph.exposures.market_figures import figures_of, reserves_of
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph
from graph.timeline import lasting_keys, time_of

FIGURES = ("supplied_usd", "borrowed_usd", "utilisation_ratio", "status", "price_usd")
"""Of markets and reserves; the last of assets."""
OF_CLAIMS = ("claimed_usd", "covered_ratio")
"""Of names in files of claims: what is claimed on them, and the part of it that their own claims cover, at most 1; none where they have no claim themselves."""


@dataclass(frozen=True)
class Timeline:
    """The answer.

    Attributes
    ----------
    names : of the snapshots, in order of time.
    rows : kind (market, reserve, asset, name), node (key in the latest snapshot that has it), asset (of a reserve), label, figure (of FIGURES,
        of a name of OF_CLAIMS), values (one for each snapshot: a number, a status in words, or None where the snapshot does not have it).
    between : what changed, one for each pair of neighbours.
    """

    names: tuple[str, ...]
    rows: pd.DataFrame
    between: tuple[Differences, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; missing values are None."""
        between = zip(pairwise(self.names), self.between, strict=True)
        rows = zip(records(self.rows.drop(columns="values")), self.rows["values"], strict=True)
        return {
            "rows": [row | {"values": list(values)} for row, values in rows],
            "changes": [
                {"from": one, "to": other, "words": list(found.words), "changes": records(found.changes)}
                | {"compared": found.compared, "not_compared": list(found.not_compared)}
                for (one, other), found in between
            ],
        }


def timeline(
    graphs: Sequence[ProtocolGraph],
    smallest_move: float | Fraction = 0.01,
    names: Sequence[str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Timeline:
    """Line up snapshots as `in_order` has them; markets that moved to another contract stay in one row.

    `names`: what to call them where their own names do not tell them apart.

    Raises
    ------
    InputError
        If there are fewer than two, they are not of one kind or not of the same chains, or two stand at one time.
    """
    if len(graphs) < 2:
        raise InputError("a timeline needs at least two snapshots; name more folders")
    called = names or [graph.snapshot.name for graph in graphs]
    order = in_order(graphs, called)
    graphs, called = [graphs[place] for place in order], [called[place] for place in order]
    found = []
    for number, (one, other) in enumerate(pairwise(graphs), start=1):
        told = _told_of(progress, f"{called[number - 1]} to {called[number]}, {number} of {len(graphs) - 1}")
        found.append(differences(one, other, smallest_move, told))
    progress("figures of markets")
    return Timeline(tuple(called), _rows(graphs), tuple(found))


def _told_of(progress: Callable[[str], None], pair: str) -> Callable[[str], None]:
    """Progress of one pair, with its name."""
    return lambda text: progress(f"{pair}: {text}")


def in_order(graphs: Sequence[ProtocolGraph], names: Sequence[str]) -> list[int]:
    """Places of graphs that stand at a block by their time, in whichever order they are given; of files, which stand at none, as they are given.

    Raises
    ------
    InputError
        If some stand at a block and others do not, or two stand at one time.
    """
    timed = [bool(graph.snapshot.anchors) for graph in graphs]
    if not any(timed):
        return list(range(len(graphs)))
    if not all(timed):
        file, snapshot = names[timed.index(False)], names[timed.index(True)]
        raise InputError(
            f"{file} is a file and stands at no block, {snapshot} is a snapshot; give snapshots alone, which stand in order of time, "
            "or files alone, in the order that you want"
        )
    order = sorted(range(len(graphs)), key=lambda place: time_of(graphs[place]))
    for one, other in pairwise(order):
        if time_of(graphs[one]) == time_of(graphs[other]):
            raise InputError(
                f"{names[one]} and {names[other]} both stand at {time_of(graphs[one]):%Y-%m-%d %H:%M:%S} UTC; give each time once, "
                "or compare the two with `aftershock diff`"
            )
    return order


def _rows(graphs: Sequence[ProtocolGraph]) -> pd.DataFrame:
    lasting = lasting_keys([graph.snapshot for graph in graphs])
    values: dict[tuple[str, str, str, str], list[Any]] = {}
    labels: dict[tuple[str, str], str] = {}
    for number, graph in enumerate(graphs):
        names = {
            key: name
            for kind in ("market", "asset")
            for key, name in told_apart({key: graph.label(key) for key in graph.nodes[kind]["node"].tolist()}).items()
        }
        for kind, node, asset, figure, value in _states(graph):
            key = (kind, lasting.get(node, node), asset, figure)
            values.setdefault(key, [None] * len(graphs))[number] = value
            labels[key[1], asset] = f"{names[asset]} in {names[node]}" if asset else names[node]
    order = {"market": 0, "reserve": 1, "asset": 2, "name": 3}
    rows = [
        (kind, node, asset or None, labels[node, asset], figure, tuple(found))
        for (kind, node, asset, figure), found in values.items()
    ]
    rows.sort(key=lambda row: (order[row[0]], row[3], row[1]))
    return pd.DataFrame(rows, columns=["kind", "node", "asset", "label", "figure", "values"])


def _states(graph: ProtocolGraph) -> list[tuple[str, str, str, str, Any]]:
    """(kind, node, asset, figure, value) of one graph."""
    if graph.is_of_claims:
        return _claimed(graph)
    markets = graph.nodes["market"]["node"].tolist()
    status = {(row.market, row.asset): _status(row) for row in each_row(graph.snapshot["reserves"])}
    found: list[tuple[str, str, str, str, Any]] = []
    for market in markets:
        figures = figures_of(graph, [market])
        found += [("market", market, "", name, figures[name]) for name in FIGURES[:3]]
        found.append(
            ("market", market, "", "status", _together([word for key, word in status.items() if key[0] == market]))
        )
    for row in each_row(reserves_of(graph, markets)):
        for name in FIGURES[:3]:
            value = getattr(row, name)
            found.append(("reserve", row.market, row.asset, name, None if pd.isna(value) else value))
        found.append(("reserve", row.market, row.asset, "status", status.get((row.market, row.asset))))
    for row in each_row(graph.nodes["asset"]):
        if not pd.isna(row.price_usd):
            found.append(("asset", row.node, "", "price_usd", row.price_usd))
    return found


def _claimed(graph: ProtocolGraph) -> list[tuple[str, str, str, str, Any]]:
    """The names of a file of claims; a claim is stated in USD."""
    backings = graph.snapshot["backings"]
    rates = dict(zip(backings["claim"], backings["rate_wad"], strict=True))
    found: list[tuple[str, str, str, str, Any]] = []
    for row in each_row(graph.snapshot["assets"].dropna(subset="total_supply_raw")):
        found.append(("name", row.asset, "", "claimed_usd", whole_tokens(row.total_supply_raw, row.decimals)))
        covered = rates[row.asset] / WAD if row.asset in rates else None
        found.append(("name", row.asset, "", "covered_ratio", covered))
    return found


def _status(reserve: Any) -> str:
    """What the switches of a reserve say; where none was read, it counts as open."""
    if not pd.isna(reserve.paused) and reserve.paused:
        return "paused"
    if not pd.isna(reserve.frozen) and reserve.frozen:
        return "frozen"
    return "inactive" if not pd.isna(reserve.active) and not reserve.active else "open"


def _together(words: Sequence[str]) -> str | None:
    """One word for a market whose reserves agree; else how many are not open."""
    if len(set(words)) <= 1:
        return next(iter(words), None)
    return ", ".join(f"{words.count(word)} of {len(words)} {word}" for word in sorted(set(words) - {"open"}))
