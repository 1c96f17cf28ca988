"""What goes when something is taken out of a snapshot: an account, vault, market, asset or pool, or one relation.

Nothing is left behind that names what went: a market goes with the tokens that stand for supplies to it, an asset with the pools that trade
it and everything that is supplied, owed or backed in it. What only an account had leaves its markets' totals too. Rows of the past
(liquidations, transfers, observations) stay: they happened.
"""

from collections.abc import Callable

import pandas as pd

from chain.errors import InputError
from chain.snapshot import Snapshot
from chain.tables import each_row
from graph.changed_tables import moved, moves_of, with_values, without, without_where
from graph.identity import identify
from graph.protocol_graph import ProtocolGraph
from graph.relations import DEBT_SIDES
from graph.worth import vault_of

REMOVABLE = ("account", "vault", "market", "asset", "pool")
_TOKENS = ("receipt_asset", "debt_asset", "fixed_debt_asset")
"""Columns of a reserve that name the tokens which stand for what is supplied and owed there."""
RELATIONS = ("supplies", "borrows", "holds", "backs", "lists", "governs")


def meant(graph: ProtocolGraph, key: str) -> str:
    """What is removed where this node is named: itself, or the vault whose share it is, for both are one contract."""
    return vault_of(graph, key) or key


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
    return without_where(left, "balances", "holder", _parts(left, "balances", "holder", key))


def _without_positions(graph: ProtocolGraph, snapshot: Snapshot, gone: list[bool]) -> Snapshot:
    """Without these rows of positions, markets' totals reduced; what a vault had there leaves its allocation and its backing too."""
    rows = snapshot["positions"][pd.Series(gone, index=snapshot["positions"].index, dtype=bool)]
    if not len(rows):
        return snapshot
    left = moved(without(snapshot, "positions", gone), moves_of(rows, -1), graph.labels)
    share = identify(snapshot).share
    for row in each_row(rows[rows["owner"].isin(list(share)) & ~rows["side"].isin(DEBT_SIDES)]):
        here = _pair(left, "queues", vault=share[row.owner], market=row.market)
        left = with_values(left, "queues", [hit and _is_known(raw) for hit, raw in zip(here, left["queues"]["allocated_raw"], strict=True)], allocated_raw=0)  # fmt: skip
        behind = _pair(left, "backings", claim=share[row.owner], backing=row.asset)
        held = [raw for raw, hit in zip(left["backings"]["amount_raw"], behind, strict=True) if hit]
        if len(held) == 1:
            left = with_values(left, "backings", behind, amount_raw=max(0, held[0] - row.amount_raw))
    return left


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
        left = without(
            left, table, [pair in pairs for pair in zip(left[table]["market"], left[table]["asset"], strict=True)]
        )
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
    return without(snapshot, table, snapshot[table][one].isin(left) & snapshot[table][other].isin(right))


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


def _is_known(value: object) -> bool:
    return value is not None and not pd.isna(value)
