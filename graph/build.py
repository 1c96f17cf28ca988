"""Snapshot -> ProtocolGraph: who an address is, what things are worth, every relation, every node, then the checks.

The order matters only once: one-to-one forms come first, because prices travel along them. A graph that fails its own checks is
never returned. What the tables hold and the graph cannot show is kept in words (`ProtocolGraph.gaps`).
"""

from collections.abc import Mapping

import pandas as pd

from chain.errors import SnapshotError, many
from chain.snapshot import Snapshot
from chain.tables import each_row
from graph import relations as rows
from graph.identity import Identities, identify, short
from graph.merged_rows import merged
from graph.protocol_graph import ProtocolGraph
from graph.schema import node_schemas, relation_schemas, typed
from graph.validation import coverage, without_assets
from graph.valuation import DOLLAR, Prices, prices

Tables = dict[str, pd.DataFrame]


def build(snapshot: Snapshot) -> ProtocolGraph:
    """The protocol graph of a snapshot: of a live chain, of a generated world, or of a user's file book.

    Raises
    ------
    SnapshotError
        If the tables contradict each other: a relation leads nowhere or to the wrong kind of node, or the positions of a market do
        not add up to what the market itself says.
    """
    _refuse(snapshot, without_assets(snapshot))
    identities = identify(snapshot)
    wraps = rows.wraps(snapshot)
    table = prices(snapshot, wraps)
    governs, unplaced = _governs(snapshot, identities)
    raw = {
        "lists": rows.lists(snapshot, table),
        "supplies": rows.supplies(snapshot, identities, table),
        "borrows": rows.borrows(snapshot, identities, table),
        "backs": rows.backs(snapshot, table),
        "wraps": wraps,
        "redeems_for": rows.redeems_for(snapshot, table),
        "holds": rows.holds(snapshot, identities, table),
        "prices": rows.feed_prices(snapshot, identities),
        "trades_in": rows.trades_in(snapshot, table),
        "allocates_to": rows.allocates_to(snapshot, identities, table),
        "bridges": rows.bridges(snapshot, identities),
        "governs": governs,
    }
    relations = {kind: typed(schema.table, raw[kind]) for kind, schema in relation_schemas().items()}
    nodes = {
        kind: typed(schema, _nodes(kind, snapshot, identities, table, relations))
        for kind, schema in node_schemas().items()
    }
    graph = ProtocolGraph(
        snapshot, nodes, relations, gaps=(*unplaced, *_unpriced(snapshot, table), *coverage(snapshot))
    )
    _refuse(snapshot, graph.validate())
    return graph


def _refuse(snapshot: Snapshot, problems: list[str]) -> None:
    if problems:
        raise SnapshotError(
            f"snapshot {snapshot.name!r} does not fit together ({many(len(problems), 'problem')}): {' '.join(problems[:3])} "
            "Take the snapshot again, or correct the file it was made from."
        )


def _nodes(kind: str, snapshot: Snapshot, identities: Identities, table: Prices, relations: Tables) -> pd.DataFrame:
    makers = {
        "protocol": lambda: snapshot["protocols"].rename(columns={"protocol": "node", "name": "label"}),
        "market": lambda: _markets(snapshot, relations),
        "asset": lambda: _assets(snapshot, table, relations),
        "pool": lambda: _pools(snapshot, relations),
        "feed": lambda: _feeds(snapshot, identities),
        "chain": lambda: _chains(snapshot),
        "authority": lambda: _authorities(snapshot, identities),
    }
    return makers[kind]() if kind in makers else _addresses(kind, identities, relations)


def _sums(nodes: "pd.Series[str]", relation: pd.DataFrame, end: str, column: str) -> list[float]:
    """Sum of a USD column for each node; what has no price is left out and named in the graph's gaps."""
    sums = relation.groupby(end)[column].sum().to_dict()
    return [sums.get(node, 0.0) for node in nodes.tolist()]


def _markets(snapshot: Snapshot, relations: Tables) -> pd.DataFrame:
    frame = snapshot["markets"].rename(columns={"market": "node"})
    names = snapshot["protocols"].set_index("protocol")["name"]
    spelt = [
        (str(names.get(slug, slug)), label) for slug, label in zip(frame["protocol"], frame["instance"], strict=True)
    ]
    for column in ("supplied_usd", "borrowed_usd"):
        frame[column] = _sums(frame["node"], relations["lists"], "source", column)
    return frame.assign(
        label=[label if label.lower().startswith(name.lower()) else f"{name} {label}" for name, label in spelt]
    )


def _assets(snapshot: Snapshot, table: Prices, relations: Tables) -> pd.DataFrame:
    """All assets, and the native coin behind a wrapped one where the tables name only the latter."""
    frame = snapshot["assets"].rename(columns={"asset": "node", "symbol": "label"}).astype(object)
    known = frame.set_index("node")
    added = []
    for row in each_row(relations["wraps"]):
        if row.target not in known.index and known.at[row.source, "kind"] == "wrapped_native":
            label = str(known.at[row.source, "label"]).removeprefix("W")
            source = f"native coin of {known.at[row.source, 'label']}: {row.evidence}"
            added.append(
                {
                    "node": row.target,
                    "label": label,
                    "kind": "native",
                    "decimals": table.decimals[row.target],
                    "evidence": source,
                }
            )
    frame = pd.concat([frame, pd.DataFrame(added).astype(object)], ignore_index=True) if added else frame
    found = [table.of_asset.get(asset) for asset in frame["node"]]
    return frame.assign(
        price_usd=[price.usd if price else None for price in found],
        price_path=[price.path if price else None for price in found],
    )


def _pools(snapshot: Snapshot, relations: Tables) -> pd.DataFrame:
    frame = snapshot["pools"].rename(columns={"pool": "node"})
    names = snapshot["protocols"].set_index("protocol")["name"]
    symbols = snapshot["assets"].set_index("asset")["symbol"]
    slots = snapshot["pool_assets"].sort_values(["pool", "slot"])
    pairs = (
        slots.assign(symbol=slots["asset"].map(symbols)).groupby("pool")["symbol"].agg("/".join) if len(slots) else {}
    )
    value = _sums(frame["node"], relations["trades_in"], "target", "reserve_usd")
    labels = [
        f"{names.get(row.protocol, row.protocol)} {pairs.get(row.node, short(row.node))}" for row in each_row(frame)
    ]
    return frame.assign(label=labels, value_usd=value)


def _feeds(snapshot: Snapshot, identities: Identities) -> pd.DataFrame:
    """One node a contract; where it is a step of several sources, the row that says most (a feed before an adapter) describes it."""
    frame = snapshot["feeds"].rename(columns={"address": "node"})
    frame = frame[frame["node"].map(identities.kinds) == "feed"] if len(frame) else frame
    frame = frame.assign(order=frame["kind"] != "feed").sort_values(["order", "step", "source"]).drop_duplicates("node")
    labels = [
        row.description if isinstance(row.description, str) else identities.entity(row.node).label
        for row in each_row(frame)
    ]
    return frame.assign(label=labels)


def _chains(snapshot: Snapshot) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "node": anchor.chain,
                "label": anchor.chain,
                "block_number": anchor.number,
                "timestamp": anchor.timestamp,
                "evidence": f"block {anchor.number} {anchor.hash}",
            }
            for anchor in snapshot.anchors
        ]
    )


def _authorities(snapshot: Snapshot, identities: Identities) -> pd.DataFrame:
    """One node an authority, with the shortest of its delays."""
    frame = snapshot["authorities"].rename(columns={"authority": "node"})
    frame = frame[frame["node"].map(identities.kinds) == "authority"] if len(frame) else frame
    frame = frame.sort_values(["node", "delay_seconds"]).drop_duplicates("node")
    return frame.assign(label=[identities.entity(node).label for node in frame["node"]])


def _addresses(kind: str, identities: Identities, relations: Tables) -> pd.DataFrame:
    """Accounts, vaults, issuers and bridges: addresses that `entities` describes."""
    members = identities.of_kind(kind)
    known = [identities.entity(member) for member in members]
    frame = pd.DataFrame(
        {
            "node": members,
            "label": [entity.label for entity in known],
            "kind": [entity.kind for entity in known],
            "evidence": [entity.evidence for entity in known],
        },
        dtype=object,
    )
    if kind == "account":
        for column, relation in (("supplied_usd", "supplies"), ("borrowed_usd", "borrows")):
            frame[column] = _sums(frame["node"], relations[relation], "source", "amount_usd")
    if kind == "vault":
        frame["asset"] = [identities.share.get(member) for member in members]
        behind = relations["backs"].groupby("target")["amount_usd"].sum(min_count=1)
        parts = [relations[name][["source", "amount_usd"]] for name in ("supplies", "holds")]
        kept = pd.concat(parts).groupby("source")["amount_usd"].sum(min_count=1)
        frame["value_usd"] = frame["asset"].map(behind).fillna(frame["node"].map(kept))
    if kind == "bridge":
        minted = relations["bridges"].set_index("target")["source"]
        locked = relations["backs"].assign(bridge=relations["backs"]["target"].map(minted))
        frame["locked_usd"] = frame["node"].map(locked.groupby("bridge")["amount_usd"].sum(min_count=1))
    return frame


def _governs(snapshot: Snapshot, identities: Identities) -> tuple[pd.DataFrame, list[str]]:
    """The relation, and a sentence for each target that is no node (a proxy's implementation, say)."""
    table = snapshot["authorities"]
    named = {*snapshot["markets"]["market"], *snapshot["protocols"]["protocol"], *snapshot["assets"]["asset"]}
    tokens = {(row.chain, row.address): row.asset for row in each_row(snapshot["assets"])}
    places = each_row(snapshot["entities"][["entity", "chain", "address"]])
    token = {row.entity: tokens.get((row.chain, row.address)) for row in places}
    target = [
        key if key in named else identities.node(key) if key in identities.kinds else token.get(key)
        for key in table["target"]
    ]
    lost = [
        f"{row.authority} may change {row.target}, which is no node of the graph."
        for row, to in zip(each_row(table), target, strict=True)
        if to is None
    ]
    frame = table.assign(
        source=identities.nodes(table["authority"]), target=pd.Series(target, index=table.index, dtype=object)
    )
    frame = frame.dropna(subset="target").astype(object)
    return merged(frame, ["source", "target", "power"], delay_seconds="min"), lost


def _unpriced(snapshot: Snapshot, table: Prices) -> list[str]:
    """A sentence for each asset that is listed or traded and has no USD price: its USD values are empty and in no sum."""
    symbols: Mapping[str, str] = snapshot["assets"].set_index("asset")["symbol"].to_dict()
    seen = {*zip(snapshot["reserves"]["market"], snapshot["reserves"]["asset"], strict=True)}
    seen |= {*zip(snapshot["pool_assets"]["pool"], snapshot["pool_assets"]["asset"], strict=True)}
    return [
        f"{symbols.get(asset, asset)} in {place} has no USD price; its value is in no sum."
        for place, asset in sorted(seen)
        if asset != DOLLAR and table.usd(asset, place) is None
    ]
