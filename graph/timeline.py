"""Graphs over time: who is who across snapshots, and a measure as a series.

A node is the same if its key is; a market that moved to another contract is the same if chain, protocol and instance are, and so are its
reserves. Everything else that appears or goes is new or gone.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd

from chain.errors import InputError
from chain.snapshot import Snapshot
from graph.protocol_graph import ProtocolGraph


def aligned(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Market of the later snapshot -> the same market in the earlier one, for markets that moved to another contract.

    Raises
    ------
    InputError
        If two markets of one snapshot claim to be the same.
    """
    earlier, later = _instances(before), _instances(after)
    stayed = set(before["markets"]["market"]) & set(after["markets"]["market"])
    return {
        later[name]: earlier[name]
        for name in later
        if name in earlier and later[name] != earlier[name] and not {later[name], earlier[name]} & stayed
    }


def lasting_keys(snapshots: Sequence[Snapshot]) -> dict[str, str]:
    """Market in any of these snapshots, which are in order of time -> its key in the latest one that has it."""
    first: dict[str, str] = {}  # key in some snapshot -> the first key that this market ever had
    last: dict[str, str] = {}  # that first key -> the latest one
    for number, snapshot in enumerate(snapshots):
        for later, earlier in aligned(snapshots[number - 1], snapshot).items() if number else ():
            first[later] = first.get(earlier, earlier)
        for market in snapshot["markets"]["market"].tolist():
            last[first.setdefault(market, market)] = market
    return {key: last[name] for key, name in first.items()}


def over_time(graphs: Sequence[ProtocolGraph], measure: Callable[[ProtocolGraph], Mapping[str, float]]) -> pd.DataFrame:
    """A measure of nodes as a series.

    Returns
    -------
    timestamp (of the graph's latest anchor, UTC), name (of the snapshot), node (key in the latest graph that has it), label, value, and
    is_new (the node is in no earlier graph); sorted by time and node. A node that is gone has no row from then on.

    Raises
    ------
    InputError
        If the graphs are not in order of time, or one has no anchor.
    """
    times = [time_of(graph) for graph in graphs]
    if times != sorted(set(times)):
        raise InputError("give the snapshots in order of time, each time once")
    lasting = lasting_keys([graph.snapshot for graph in graphs])
    rows = [
        (time, graph.snapshot.name, lasting.get(node, node), graph.label(node), value)
        for graph, time in zip(graphs, times, strict=True)
        for node, value in measure(graph).items()
    ]
    frame = pd.DataFrame(rows, columns=["timestamp", "name", "node", "label", "value"])
    frame["is_new"] = ~frame["node"].duplicated()
    return frame.sort_values(["timestamp", "node"], ignore_index=True)


def _instances(snapshot: Snapshot) -> dict[tuple[str, str, str], str]:
    rows = snapshot["markets"]
    rows = rows[rows["address"] != ""]
    names = list(zip(rows["chain"], rows["protocol"], rows["instance"], strict=True))
    found: dict[tuple[str, str, str], str] = {}
    for name, market in zip(names, rows["market"], strict=True):
        if found.setdefault(name, market) != market:
            raise InputError(
                f"{market} and {found[name]} are both instance {name[2]!r} of {name[1]}; give them different names"
            )
    return found


def time_of(graph: ProtocolGraph) -> datetime:
    """Time of a graph's latest block, UTC; InputError for a graph that stands at no block."""
    if not graph.snapshot.anchors:
        raise InputError(f"snapshot {graph.snapshot.name!r} stands at no block; a series needs times")
    return datetime.fromtimestamp(max(anchor.timestamp for anchor in graph.snapshot.anchors), UTC)
