"""What goes when something is taken out of a snapshot: an account, vault, market, asset or pool, or one relation.

Nothing is left behind that names what went: a market goes with the tokens that stand for supplies to it, an asset with the pools that trade
it and everything that is supplied, owed or backed in it. What only an account had leaves its markets' totals too, and what a vault had is
behind its shares no more (`graph.edits.behind_claims`). Rows of the past (liquidations, transfers, observations) stay: they happened.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from chain.errors import InputError
from chain.snapshot import Snapshot
from graph.edits.behind_claims import without_balances, without_supplies
from graph.edits.tables import moved, moves_of, without, without_where
from graph.identity import identify
from graph.protocol_graph import ProtocolGraph
from graph.relations import DEBT_SIDES
from graph.worth import vault_of

REMOVABLE = ("account", "vault", "market", "asset", "pool")
_TOKENS = ("receipt_asset", "debt_asset", "fixed_debt_asset")
"""Columns of a reserve that name the tokens which stand for what is supplied and owed there."""
_ASSETS: Mapping[str, tuple[str, ...]] = {
    "supplies": (),
    "borrows": (),
    "holds": ("target",),
    "backs": ("source", "target"),
    "lists": ("target",),
    "governs": (),
}
"""Relation that can be removed -> the ends of it that are assets."""
RELATIONS = tuple(_ASSETS)


def meant(graph: ProtocolGraph, key: str) -> str:
    """What is removed where this node is named: itself, or the vault whose share it is, for both are one contract."""
    return vault_of(graph, key) or key


def at_end(graph: ProtocolGraph, key: str, relation: str, end: str) -> str:
    """What a name means at this end of a relation: a token stands for the address that has something, a vault for its share where an asset is."""
    kind = graph.kinds.get(key)  # none of what an earlier entry added
    if end in _ASSETS[relation] and kind == "vault":
        share = graph.nodes["vault"].set_index("node").at[key, "asset"]
        return key if pd.isna(share) else str(share)
    if end == "source" and relation in ("supplies", "borrows", "holds") and kind == "asset":
        address = key.replace("/erc20:", ":")
        return vault_of(graph, key) or (address if address in graph.kinds else key)
    return key


def without_node(graph: ProtocolGraph, snapshot: Snapshot, key: str) -> Snapshot:
    """The snapshot without a node; InputError for a kind that cannot be removed. `graph` says what the node is."""
    kind = graph.node_kind(key)
    if kind == "asset":
        return _without_asset(snapshot, key)
    if kind == "market":
        return _without_market(snapshot, key)
    if kind == "pool":
        return _without_pool(_without_holder(graph, snapshot, key), key)
    if kind == "account":
        return _without_holder(graph, snapshot, key)
    if kind == "vault":
        left = without_where(_without_holder(graph, snapshot, key), "entities", "entity", [key])
        share = graph.nodes["vault"].set_index("node").at[key, "asset"]
        return _without_asset(left, str(share)) if not pd.isna(share) else left
    raise InputError(f"{graph.label(key)} is a {kind}; what can be removed is an {', '.join(REMOVABLE)}")


def without_relation(
    graph: ProtocolGraph, snapshot: Snapshot, relation: str, source: str, target: str, asset: str | None
) -> Snapshot:
    """The snapshot without one relation between two nodes; `asset` narrows `supplies` and `borrows` to one, and no other.

    Ends are those of docs/graph.md: a claim `backs` towards what stands behind it. InputError if there is no such row, or it lies the other way round.
    """
    if asset is not None and relation not in ("supplies", "borrows"):
        raise InputError(
            f"asset: {relation} has none beside source and target; leave it out, only supplies and borrows have one"
        )
    ways: dict[str, Callable[[], Snapshot]] = {
        "supplies": lambda: _without_claims(graph, snapshot, source, target, asset, debt=False),
        "borrows": lambda: _without_claims(graph, snapshot, source, target, asset, debt=True),
        "holds": lambda: _without_pairs(graph, snapshot, "balances", "holder", source, "asset", target),
        "backs": lambda: without(snapshot, "backings", _pair(snapshot, "backings", claim=source, backing=target)),
        "lists": lambda: _unlisted(snapshot, _pair(snapshot, "reserves", market=source, asset=target)),
        "governs": lambda: _without_pairs(graph, snapshot, "authorities", "authority", source, "target", target),
    }
    left = ways[relation]()
    if left is snapshot and relation == "backs" and any(_pair(snapshot, "backings", backing=source, claim=target)):
        raise InputError(
            f"{graph.label(source)} is behind {graph.label(target)}, not the other way round: source is the claim, target what stands "
            f'behind it; write source = "{graph.label(target)}", target = "{graph.label(source)}"'
        )
    if left is snapshot:
        raise InputError(
            f"{graph.label(source)} {relation} {graph.label(target)}{f' in {graph.label(asset)}' if asset else ''}: there is no such "
            "row (docs/graph.md says which end is source and which target)"
        )
    return left


def _without_holder(graph: ProtocolGraph, snapshot: Snapshot, key: str) -> Snapshot:
    """Without all that an address supplied, owes and holds."""
    owners = _parts(snapshot, "positions", "owner", key)
    left = _without_positions(graph, snapshot, snapshot["positions"]["owner"].isin(owners).tolist())
    return _without_balances(left, left["balances"]["holder"].isin(_parts(left, "balances", "holder", key)).tolist())


def _without_balances(snapshot: Snapshot, gone: list[bool]) -> Snapshot:
    """Without these rows of balances, and without what lay in them behind claims."""
    rows = snapshot["balances"][pd.Series(gone, index=snapshot["balances"].index, dtype=bool)]
    return without_balances(without(snapshot, "balances", gone), rows) if len(rows) else snapshot


def _without_positions(graph: ProtocolGraph, snapshot: Snapshot, gone: list[bool]) -> Snapshot:
    """Without these rows of positions, markets' totals reduced; what a vault had there is behind its share no more."""
    rows = snapshot["positions"][pd.Series(gone, index=snapshot["positions"].index, dtype=bool)]
    if not len(rows):
        return snapshot
    left = moved(without(snapshot, "positions", gone), moves_of(rows, -1), graph.labels)
    return without_supplies(left, rows)


def _without_claims(
    graph: ProtocolGraph, snapshot: Snapshot, source: str, market: str, asset: str | None, *, debt: bool
) -> Snapshot:
    owners, table = _parts(snapshot, "positions", "owner", source), snapshot["positions"]
    gone = table["owner"].isin(owners) & (table["market"] == market) & (table["side"].isin(DEBT_SIDES) == debt)
    gone &= True if asset is None else table["asset"] == asset
    return _without_positions(graph, snapshot, gone.tolist())


def _without_asset(snapshot: Snapshot, asset: str) -> Snapshot:
    markets, prices = snapshot["markets"], snapshot["prices"]
    stated = {
        *markets.loc[markets["base_asset"] == asset, "market"],
        *prices.loc[prices["quote_asset"] == asset, "market"],
    }
    if stated:
        raise InputError(
            f"{asset} cannot be removed: {', '.join(sorted(stated))} states its prices in it; remove the market first"
        )
    reserves = snapshot["reserves"]
    for column in _TOKENS:
        stands_for = reserves[reserves[column] == asset]
        if len(stands_for):
            what = "is supplied to" if column == "receipt_asset" else "is owed to"
            raise InputError(
                f"{asset} cannot be removed: it stands for what {what} {', '.join(stands_for['market'])}; remove that market, or the "
                'reserve (relation = "lists", source the market, target what is lent)'
            )
    vaults = snapshot["backings"].loc[snapshot["backings"]["backing"] == asset, "claim"].tolist()
    left = _unlisted(snapshot, (snapshot["reserves"]["asset"] == asset).tolist())
    left = without_where(left, "queues", "vault", [asset, *vaults])
    for table, columns in (
        ("positions", ("asset",)),
        ("prices", ("asset",)),
        ("balances", ("asset",)),
        ("backings", ("claim", "backing")),
        ("backstops", ("asset", "covers_asset")),
        ("auctions", ("collateral_asset", "debt_asset")),
        ("depth", ("sold_asset", "bought_asset")),
        ("assets", ("asset",)),
        ("authorities", ("target",)),
    ):
        for column in columns:
            left = without_where(left, table, column, [asset])
    pools = snapshot["pool_assets"].loc[snapshot["pool_assets"]["asset"] == asset, "pool"].tolist()
    for pool in sorted({*pools, *snapshot["pools"].loc[snapshot["pools"]["lp_asset"] == asset, "pool"]}):
        left = _without_pool(left, pool)
    return left


def _without_pool(snapshot: Snapshot, pool: str) -> Snapshot:
    shares = snapshot["pools"].loc[snapshot["pools"]["pool"] == pool, "lp_asset"].dropna().tolist()
    left = snapshot
    for table, column in (
        ("pools", "pool"),
        ("pool_assets", "pool"),
        ("pool_ticks", "pool"),
        ("pool_positions", "pool"),
        ("balances", "holder"),
        ("depth", "venue"),
        ("authorities", "target"),
    ):
        left = without_where(left, table, column, [pool])
    return _without_assets(left, shares)


def _without_market(snapshot: Snapshot, market: str) -> Snapshot:
    left = _unlisted(snapshot, (snapshot["reserves"]["market"] == market).tolist())
    for table in ("positions", "prices", "categories", "queues", "backstops", "bands", "auctions", "markets"):
        left = without_where(left, table, "market", [market])
    return without_where(left, "authorities", "target", [market])


def _unlisted(snapshot: Snapshot, gone: list[bool]) -> Snapshot:
    """Without these reserves, what was supplied and owed in them, their prices, and the tokens that stand for either."""
    rows = snapshot["reserves"][pd.Series(gone, index=snapshot["reserves"].index, dtype=bool)]
    if not len(rows):
        return snapshot
    pairs, left = set(zip(rows["market"], rows["asset"], strict=True)), without(snapshot, "reserves", gone)
    for table in ("positions", "prices"):
        here = [pair in pairs for pair in zip(left[table]["market"], left[table]["asset"], strict=True)]
        if table == "positions" and any(here):
            left = without_supplies(left, left[table][here])
        left = without(left, table, here)
    tokens = pd.concat([rows[name] for name in _TOKENS])
    return _without_assets(left, tokens.dropna().tolist())


def _without_assets(snapshot: Snapshot, assets: list[str]) -> Snapshot:
    for asset in sorted(set(assets) & set(snapshot["assets"]["asset"])):
        snapshot = _without_asset(snapshot, asset)
    return snapshot


def _without_pairs(
    graph: ProtocolGraph, snapshot: Snapshot, table: str, one: str, source: str, other: str, target: str
) -> Snapshot:
    """Without the rows of a table whose two addresses are these two nodes."""
    left, right = (_parts(snapshot, table, column, key) for column, key in ((one, source), (other, target)))
    if table == "authorities" and graph.node_kind(target) == "asset":
        address = target[target.rfind("0x") :]
        right = [
            key for key in snapshot[table][other].dropna().unique() if key == target or key.endswith(f":{address}")
        ]
    gone = (snapshot[table][one].isin(left) & snapshot[table][other].isin(right)).tolist()
    return _without_balances(snapshot, gone) if table == "balances" else without(snapshot, table, gone)


def _parts(snapshot: Snapshot, table: str, column: str, key: str) -> list[str]:
    """Values of a column that are this node: itself, or the contract of this market."""
    node = identify(snapshot).node
    return [value for value in snapshot[table][column].dropna().unique().tolist() if key in (value, node(value))]


def _pair(snapshot: Snapshot, table: str, **wanted: str) -> list[bool]:
    frame = snapshot[table]
    chosen = pd.Series(True, index=frame.index, dtype=bool)
    for column, key in wanted.items():
        chosen &= (frame[column] == key).astype(bool)
    return [bool(hit) for hit in chosen]
