"""Graphs over time: who is who across snapshots, a measure as a series, and what changed between two of them, as a table and in words.

A node is the same if its key is; a market that moved to another contract is the same if chain, protocol and instance are, and so are its
reserves. Everything else that appears or goes is new or gone.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import BPS, WAD
from graph.protocol_graph import ProtocolGraph

CHANGE_COLUMNS = ["topic", "node", "label", "what", "before", "after", "change_usd", "evidence"]
SMALLEST_MOVE = 0.01
"""A relative change of an amount in USD below this is not listed."""

_SWITCHES = {"paused": ("paused", "unpaused"), "frozen": ("frozen", "unfrozen"), "active": ("activated", "deactivated")}
_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "markets": ("revision", "address", "oracle", "family", "loss_rule"),
    "reserves": (
        "ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad", "liquidation_fee_wad", "close_factor_wad",
        "supply_cap_raw", "borrow_cap_raw", "debt_ceiling_raw", "reserve_factor_wad", "borrowable", "siloed", "liquidatable",
        "rate_model", "rate_optimal_ray", "rate_base_ray", "rate_slope1_ray", "rate_slope2_ray", "price_source",
    ),
    "categories": (
        "ltv_wad", "liquidation_threshold_wad", "liquidation_bonus_wad", "collateral_bitmap", "borrowable_bitmap", "price_source",
    ),
    "feeds": ("kind", "address", "cap_raw", "heartbeat_seconds", "deviation_bps", "state"),
    "entities": ("implementation",),
    "authorities": ("delay_seconds", "threshold", "members"),
}  # fmt: skip
_TOPICS = {
    "markets": "market",
    "reserves": "reserve",
    "categories": "category",
    "feeds": "feed",
    "entities": "contract",
    "authorities": "authority",
}
_KEYS = {
    "markets": ("market",),
    "reserves": ("market", "asset"),
    "categories": ("market", "category"),
    "feeds": ("source", "step"),
    "entities": ("entity",),
    "authorities": ("authority", "target", "power"),
}
_UPGRADES = {("markets", "revision"), ("markets", "address"), ("entities", "implementation")}


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


def changes(before: ProtocolGraph, after: ProtocolGraph, smallest_move: float = SMALLEST_MOVE) -> pd.DataFrame:
    """What differs between two graphs of the same chains.

    Parameters
    ----------
    smallest_move : relative change from which an amount or price in USD is listed.

    Returns
    -------
    topic (market, reserve, category, feed, contract, authority, price, amount), node (key in the later graph, in the earlier one for what is
    gone), label, what (added, removed, upgraded, paused, unpaused, frozen, unfrozen, activated, deactivated, or the column), before, after
    (as text), change_usd (missing where it is no amount), evidence (of the later row; of the earlier one for what is gone); in the order of
    the topics, amounts from the largest change down.

    Raises
    ------
    InputError
        If the graphs do not stand on the same chains.
    """
    chains = [sorted(anchor.chain for anchor in graph.snapshot.anchors) for graph in (before, after)]
    if chains[0] != chains[1]:
        raise InputError(
            f"snapshot {before.snapshot.name!r} is of {', '.join(chains[0]) or 'no chain'}, {after.snapshot.name!r} of "
            f"{', '.join(chains[1]) or 'no chain'}; compare two of the same chains"
        )
    moved = aligned(before.snapshot, after.snapshot)
    rows: list[dict[str, Any]] = []
    for table in _PARAMETERS:
        rows += _table_changes(table, before, after, moved)
    rows += _price_moves(before, after, smallest_move) + _amounts(before, after, moved, smallest_move)
    return pd.DataFrame(rows, columns=CHANGE_COLUMNS).astype({"change_usd": float})


def in_words(found: pd.DataFrame) -> list[str]:
    """The changes as sentences, in the order of the table."""
    return [_sentence(row) for row in found.to_dict("records")]


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


def _table_changes(
    table: str, before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str]
) -> list[dict[str, Any]]:
    old = {_key(table, row): row for row in before.snapshot[table].to_dict("records")}
    new = {_key(table, row, moved): row for row in after.snapshot[table].to_dict("records")}
    rows = []
    for key in sorted(old.keys() | new.keys(), key=str):
        row, graph = (new[key], after) if key in new else (old[key], before)
        base = {"topic": _TOPICS[table], "node": str(row[_KEYS[table][0]]), "label": _label(table, row, graph)}
        if table == "entities" and not (key in old and key in new):
            continue  # addresses come and go with every transfer
        if key not in old or key not in new:
            gone = key not in new
            rows.append(base | {"what": "removed" if gone else "added", "evidence": row["evidence"]})
            continue
        for column in (*_SWITCHES, *_PARAMETERS[table]) if table == "reserves" else _PARAMETERS[table]:
            was, now = old[key][column], row[column]
            if _same(was, now):
                continue
            what = column
            if column in _SWITCHES:
                what = _SWITCHES[column][0 if now else 1]
            elif (table, column) in _UPGRADES:
                what = "upgraded"
            rows.append(
                base
                | {"what": what, "before": _text(column, was), "after": _text(column, now), "evidence": row["evidence"]}
            )
    return rows


def _amounts(
    before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str], smallest_move: float
) -> list[dict[str, Any]]:
    old = {(row.source, row.target): row for row in each_row(before.relations["lists"])}
    new = {(moved.get(row.source, row.source), row.target): row for row in each_row(after.relations["lists"])}
    rows = []
    for key in old.keys() & new.keys():
        for column in ("supplied_usd", "borrowed_usd", "cash_usd"):
            was, now = getattr(old[key], column), getattr(new[key], column)
            if not pd.isna(was) and not pd.isna(now) and abs(now - was) > smallest_move * max(was, now):
                label = f"{after.label(key[1])} in {after.label(new[key].source)}"
                rows.append(
                    {"topic": "amount", "node": new[key].source, "label": label, "what": column, "before": f"{was:.2f}",
                     "after": f"{now:.2f}", "change_usd": now - was, "evidence": new[key].evidence}
                )  # fmt: skip
    return sorted(rows, key=lambda row: (-abs(row["change_usd"]), row["label"], row["what"]))


def _price_moves(before: ProtocolGraph, after: ProtocolGraph, smallest_move: float) -> list[dict[str, Any]]:
    old, new = (graph.nodes["asset"].set_index("node") for graph in (before, after))
    rows = []
    for asset in sorted(set(old.index) & set(new.index)):
        was, now = old.at[asset, "price_usd"], new.at[asset, "price_usd"]
        if not pd.isna(was) and not pd.isna(now) and abs(now - was) > smallest_move * max(was, now):
            rows.append(
                {"topic": "price", "node": asset, "label": after.label(asset), "what": "price_usd", "before": f"{was:.6g}",
                 "after": f"{now:.6g}", "evidence": new.at[asset, "evidence"]}
            )  # fmt: skip
    return rows


def _key(table: str, row: Mapping[Any, Any], moved: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    return tuple((moved or {}).get(row[name], row[name]) for name in _KEYS[table])


def _label(table: str, row: Mapping[Any, Any], graph: ProtocolGraph) -> str:
    def name(key: Any) -> str:
        return graph.labels.get(str(key), str(key))

    if table == "reserves":
        return f"{name(row['asset'])} in {name(row['market'])}"
    if table == "categories":
        return f"category {row['category']} of {name(row['market'])}"
    if table == "feeds":
        return str(row["description"] or name(row["address"]))
    if table == "authorities":
        return f"{name(row['authority'])} ({row['power']} of {name(row['target'])})"
    return name(row[_KEYS[table][0]])


def _same(one: Any, other: Any) -> bool:
    return bool((pd.isna(one) and pd.isna(other)) or (not pd.isna(one) and not pd.isna(other) and one == other))


def _text(column: str, value: Any) -> str:
    """A value as people read it: shares as per cent, switches as words, the rest as it is."""
    if pd.isna(value):
        return "none"
    if column.endswith("_wad"):
        return f"{int(value) * BPS / WAD / 100:g} %"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _sentence(row: Mapping[Any, Any]) -> str:
    what, label = str(row["what"]), str(row["label"])
    if what in ("added", "removed"):
        return f"{label} was {what}."
    if any(what in words for words in _SWITCHES.values()):
        return f"{label} was {what}."
    if row["topic"] == "amount":
        word, rise = what.removesuffix("_usd"), row["change_usd"] > 0
        return f"{label}: {word} {'rose' if rise else 'fell'} by ${abs(row['change_usd']):,.0f} to ${float(row['after']):,.0f}."
    if row["topic"] == "price":
        was, now = float(row["before"]), float(row["after"])
        return f"{label} {'rose' if now > was else 'fell'} by {abs(now / was - 1):.1%} to ${now:,.6g}."
    if what == "upgraded":
        return f"{label} was upgraded from {row['before']} to {row['after']}."
    word = what.removesuffix("_wad").removesuffix("_raw").removesuffix("_ray").replace("_", " ")
    return f"{label}: {word} went from {row['before']} to {row['after']}."


def time_of(graph: ProtocolGraph) -> datetime:
    """Time of a graph's latest block, UTC; InputError for a graph that stands at no block."""
    if not graph.snapshot.anchors:
        raise InputError(f"snapshot {graph.snapshot.name!r} stands at no block; a series needs times")
    return datetime.fromtimestamp(max(anchor.timestamp for anchor in graph.snapshot.anchors), UTC)
