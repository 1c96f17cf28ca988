"""The answer to "how exposed is X, and who is exposed to X?" in one record of tables, each row with its evidence.

`outbound` is what X depends on: a loss there hits X (what a market holds as collateral and who owes it, what an asset is made of).
`inbound` is who depends on X: a loss at X hits them (a market's suppliers, the markets and pools that hold an asset).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from graph.counted import value_counted
from graph.lent_through import lent_through
from graph.lookthrough import LookThrough, look_through, roots
from graph.market_exposure import collateral_feeds, concentrations, figures_of, market_tables, share_of
from graph.portfolio import dependents_and_amounts, final_roots, subject
from graph.protocol_graph import ProtocolGraph
from graph.vault_shares import valued_balances, vault_of

Tables = dict[str, pd.DataFrame]
Figures = dict[str, float | int | None]
FEED_COLUMNS = [
    *("feed", "label", "assets", "collateral_usd", "share_ratio", "state"),
    *("kind", "heartbeat_seconds", "deviation_bps", "asset_count", "evidence"),
]
"""Of `collateral_feeds`, what matters most first."""
KEPT = 16  # answers that a graph keeps; the oldest goes first


@dataclass(frozen=True)
class Exposure:
    """What is asked, and the answer.

    Attributes
    ----------
    subject, kind, label : the node's key, kind and name.
    anchors : chain, block number, hash and time of each block that the graph stands at; empty for a user's file.
    caption : what every number must be captioned with; may be empty.
    figures : single numbers by name; `_usd` and `_ratio` (0 to 1) say the unit; None where unknown.
    outbound, inbound : tables by name; see `exposure` for their columns.
    gaps : what is not in these numbers, in sentences.
    """

    subject: str
    kind: str
    label: str
    anchors: tuple[dict[str, Any], ...]
    caption: str
    figures: Mapping[str, float | int | None]
    outbound: Mapping[str, pd.DataFrame]
    inbound: Mapping[str, pd.DataFrame]
    gaps: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON can hold it: tables as lists of rows, missing values as None, amounts in smallest units as text."""
        return {
            "subject": self.subject,
            "kind": self.kind,
            "label": self.label,
            "anchors": [dict(anchor) for anchor in self.anchors],
            "caption": self.caption,
            "figures": dict(self.figures),
            "outbound": {name: records(table) for name, table in self.outbound.items()},
            "inbound": {name: records(table) for name, table in self.inbound.items()},
            "gaps": list(self.gaps),
        }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as dicts of plain values: missing as None, columns `_raw` as decimal text."""
    columns = {}
    for name in table.columns:
        values = [None if pd.isna(value) else _plain(value) for value in table[name].tolist()]
        columns[name] = [None if value is None else str(value) for value in values] if name.endswith("_raw") else values
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    """A Python value for a NumPy scalar, which JSON does not know."""
    return value.item() if hasattr(value, "item") else value


def exposure(graph: ProtocolGraph, name: str, top: int = 10) -> Exposure:
    """How exposed a market, protocol, asset, account, vault, pool or feed is, and who is exposed to it.

    Parameters
    ----------
    name : whatever `ProtocolGraph.find` understands.
    top : how many of the largest suppliers, borrowers and holders to list.

    Returns
    -------
    market, protocol that lends : outbound collateral, roots, feeds, unmoved_prices, borrowed, borrowers, reserves, concentration; inbound suppliers.
    asset : outbound made_of, feeds, concentration, and for a vault's share supplied, held and markets as of the vault; inbound markets
        (direct and looked through), pools, claims, holders, dependents (everybody who has some of it, directly or through claims),
        concentration.
    account, vault : outbound supplied, held, markets (`lent_through`: where its claims have lent its money too), roots (all of it looked
        through), concentration; inbound borrowed (what it owes), and for a vault holders of its share, concentration.
    pool, protocol that trades : outbound reserves, roots; inbound holders of the liquidity share, concentration.
    protocol : besides, figures gross_usd and net_usd (`graph.counted`).
    protocol without markets and pools (of feeds, vaults or tokens) : outbound parts; inbound prices (what its feeds price), holders (of its
        vaults' shares).
    feed : inbound assets that it prices.
    anything else : its neighbours, out and in.

    Raises
    ------
    UnknownNameError, InputError
        If no node, or more than one, answers to the name, or `top` is less than 1.
    """
    if top < 1:
        raise InputError(f"top is {top}; ask for at least 1 of the largest")
    key = graph.find(name)
    kind = graph.node_kind(key)
    question = ("exposure", key, top)
    if question not in graph.answers:
        while len(graph.answers) >= KEPT:
            graph.answers.pop(next(iter(graph.answers)))
        graph.answers[question] = _answer(graph, key, kind, top)
    figures, outbound, inbound = graph.answers[question]
    return Exposure(
        subject=key,
        kind=kind,
        label=graph.label(key),
        anchors=tuple(asdict(anchor) for anchor in graph.snapshot.anchors),
        caption=graph.snapshot.caption,
        figures=dict(figures),
        # shallow copies are copied when written to (pandas 3), so that nobody changes the answer that is kept
        outbound={name: table.copy(deep=False) for name, table in outbound.items()},
        inbound={name: table.copy(deep=False) for name, table in inbound.items()},
        gaps=(*graph.snapshot.gaps, *graph.gaps),
    )


def _answer(graph: ProtocolGraph, key: str, kind: str, top: int) -> tuple[Figures, Tables, Tables]:
    if kind in ("market", "protocol"):
        table = graph.nodes["market"]
        markets = [key] if kind == "market" else table.loc[table["protocol"] == key, "node"].tolist()
        pools = graph.nodes["pool"].loc[graph.nodes["pool"]["protocol"] == key, "node"].tolist()
        if not markets and not pools:
            return _of_parts(graph, key, top)
        if markets:
            tables = market_tables(graph, markets, top)
            inbound = {"suppliers": tables.pop("suppliers")}
            return {**figures_of(graph, markets), **_counted(graph, key, kind)}, tables, inbound
        figures, outbound, inbound = _of_pools(graph, pools, top)
        return {**figures, **_counted(graph, key, kind)}, outbound, inbound
    if kind == "pool":
        return _of_pools(graph, [key], top)
    if kind == "asset":
        return _of_asset(graph, key, top)
    if kind in ("account", "vault"):
        return _of_holder(graph, key, kind, top)
    if kind == "feed":
        priced = graph.relations["prices"][graph.relations["prices"]["source"] == key]
        listed = collateral_feeds(graph, sorted(set(priced["market"])))
        own = listed[listed["feed"] == key].reset_index(drop=True)
        return {"collateral_usd": _sum(own["collateral_usd"])}, {}, {"prices": own}
    return (
        {},
        {"neighbours": graph.neighbours(key, direction="out")},
        {"neighbours": graph.neighbours(key, direction="in")},
    )


def _of_parts(graph: ProtocolGraph, protocol: str, top: int) -> tuple[Figures, Tables, Tables]:
    """A protocol to which nobody supplies and in which nothing trades: the nodes that `entities` names as its own, and who relies on them."""
    entities = graph.snapshot["entities"]
    rows = [
        (row.entity, graph.kinds[row.entity], graph.label(row.entity), row.evidence, row.status)
        for row in each_row(entities[entities["protocol"] == protocol])
        if row.entity in graph.kinds
    ]
    parts = pd.DataFrame(rows, columns=["node", "kind", "label", "evidence", "status"])
    vaults, priced = graph.nodes["vault"], graph.relations["prices"]
    vaults = vaults[vaults["node"].isin(parts["node"])]
    priced = priced[priced["source"].isin(parts["node"])]
    prices = collateral_feeds(graph, sorted(set(priced["market"])))
    inbound = {
        "prices": prices.loc[prices["feed"].isin(parts["node"]), FEED_COLUMNS].reset_index(drop=True),
        "holders": _holders(graph, vaults["asset"].dropna().tolist(), top),
    }
    figures = {"value_usd": _sum(vaults["value_usd"])} if len(vaults) else {}
    return {**figures, **_counted(graph, protocol, "protocol")}, {"parts": parts}, inbound


def _counted(graph: ProtocolGraph, key: str, kind: str) -> Figures:
    """What a protocol reports as its value, and what of it is counted nowhere else; nothing for a market alone."""
    if kind != "protocol":
        return {}
    table = value_counted(graph).set_index("protocol")
    return {name: float(table.at[key, name]) for name in ("gross_usd", "net_usd") if key in table.index}


def _of_asset(graph: ProtocolGraph, asset: str, top: int) -> tuple[Figures, Tables, Tables]:
    relations = graph.relations
    node = graph.nodes["asset"].set_index("node").loc[asset]
    feeds = relations["prices"][relations["prices"]["target"] == asset]
    feeds = _named(graph, feeds, "source", "feed")[["feed", "label", "market", "step", "evidence", "status"]]
    markets = _markets_made_of(graph, asset)
    traded = _named(graph, relations["trades_in"][relations["trades_in"]["source"] == asset], "target", "pool")
    value = graph.nodes["pool"].set_index("node")["value_usd"]
    traded = traded.assign(pool_usd=traded["pool"].map(value))
    behind = _named(graph, relations["backs"][relations["backs"]["source"] == asset], "target", "claim")
    forms = _named(graph, relations["wraps"][relations["wraps"]["target"] == asset], "source", "claim")
    claims = pd.concat([behind.assign(relation="backs"), forms.assign(relation="wraps")], ignore_index=True)
    inbound = {
        "markets": markets,
        "pools": _sorted(traded, "reserve_usd", "pool")[
            ["pool", "label", "reserve_raw", "reserve_usd", "pool_usd", "evidence", "status"]
        ],
        "claims": _sorted(
            claims.reindex(
                columns=["claim", "label", "relation", "amount_raw", "amount_usd", "rate", "evidence", "status"]
            ),
            "amount_usd",
            "claim",
        ),
        "holders": _holders(graph, [asset], top),
    }
    everybody, amounts = dependents_and_amounts(graph, asset, top)
    made_of = roots(graph, asset)
    held = graph.relations["holds"]
    inbound |= {
        "dependents": everybody,
        "concentration": concentrations(
            ("holders", held[held["target"] == asset]["amount_raw"].astype(float), "relation holds"),
            ("markets, looked through", markets.groupby("market")["collateral_usd"].sum(), "table markets"),
            ("all who have it, looked through", amounts, "table dependents"),
        ).query("count > 0"),
    }
    finally_of = made_of.groupby("root")["share"].sum() if made_of["share"].notna().all() else pd.Series(dtype=float)
    direct = markets[markets["depth"] == 0]
    figures: Figures = {
        "price_usd": None if pd.isna(node["price_usd"]) else float(node["price_usd"]),
        "supplied_usd": _sum(direct["supplied_usd"]),
        "borrowed_usd": _sum(direct["borrowed_usd"]),
        "collateral_usd": _sum(direct["collateral_usd"]),
        "collateral_looked_through_usd": _sum(markets["collateral_usd"]),
        "pool_reserves_usd": _sum(inbound["pools"]["reserve_usd"]),
    }
    outbound = {
        "made_of": made_of,
        **_lent(graph, asset),
        "feeds": feeds.reset_index(drop=True),
        "concentration": concentrations(("final roots", finally_of, "table made_of")).query("count > 0"),
    }
    return figures, outbound, inbound


def _lent(graph: ProtocolGraph, asset: str) -> Tables:
    """What the vault has whose share this is: the tables that asking for the vault gives; nothing for any other asset."""
    vault = vault_of(graph, asset)
    if vault is None:
        return {}
    outbound = _of_holder(graph, vault, "vault", 1)[1]
    return {name: outbound[name] for name in ("supplied", "held", "markets")}


def _markets_made_of(graph: ProtocolGraph, asset: str) -> pd.DataFrame:
    """Every listing of the asset (depth 0) and of what is made of it: amounts in USD times the share that is the asset."""
    known, listed = look_through(graph).until(asset), graph.relations["lists"]
    rows = []
    for posted in sorted(set(listed["target"])):
        for path in known.paths(posted):
            if path.assets[-1] == asset and path.share is not None:
                for row in each_row(listed[listed["target"] == posted]):
                    rows.append(
                        {
                            "market": row.source,
                            "label": graph.label(row.source),
                            "posted": posted,
                            "path": " → ".join(graph.label(key) for key in path.assets),
                            "depth": len(path.assets) - 1,
                            "share_ratio": path.share,
                            "supplied_usd": row.supplied_usd * path.share,
                            "collateral_usd": row.collateral_usd * path.share,
                            "borrowed_usd": row.borrowed_usd * path.share,
                            "evidence": "; ".join(dict.fromkeys((row.evidence, *path.evidence))),
                            "status": row.status if not path.evidence else "derived",
                        }
                    )
    columns = [
        "market",
        "label",
        "posted",
        "path",
        "depth",
        "share_ratio",
        "supplied_usd",
        "collateral_usd",
        "borrowed_usd",
    ]
    frame = pd.DataFrame(rows, columns=[*columns, "evidence", "status"])
    return frame.sort_values(["collateral_usd", "market", "path"], ascending=[False, True, True], ignore_index=True)


def _of_holder(graph: ProtocolGraph, key: str, kind: str, top: int) -> tuple[Figures, Tables, Tables]:
    tables = {}
    for name, relation in (("supplied", "supplies"), ("borrowed", "borrows")):
        rows = graph.relations[relation][graph.relations[relation]["source"] == key]
        rows = _named(graph, rows, "target", "market").assign(symbol=[graph.label(asset) for asset in rows["asset"]])
        rows = rows.assign(share_ratio=share_of(rows["amount_usd"]))
        columns = [
            "market",
            "label",
            "asset",
            "symbol",
            "amount_raw",
            "amount_usd",
            "share_ratio",
            "collateral_enabled",
        ]
        kept = [column for column in columns if column in rows]
        tables[name] = _sorted(rows, "amount_usd", "asset")[[*kept, "evidence", "status"]]
    held = valued_balances(graph, graph.relations["holds"][graph.relations["holds"]["source"] == key])
    held = _named(graph, held, "target", "asset")
    held = _sorted(held, "amount_usd", "asset")[["asset", "label", "amount_raw", "amount_usd", "evidence", "status"]]
    inbound = {"borrowed": tables["borrowed"]}
    supplied, borrowed = _sum(tables["supplied"]["amount_usd"]), _sum(tables["borrowed"]["amount_usd"])
    figures: Figures = {"supplied_usd": supplied, "borrowed_usd": borrowed, "held_usd": _sum(held["amount_usd"])}
    if kind == "vault":
        share = graph.nodes["vault"].set_index("node").at[key, "asset"]
        inbound["holders"] = _holders(graph, [str(share)], top)
        inbound["concentration"] = _of_holders(graph, {str(share): graph.label(str(share))})
    known = look_through(graph)
    markets = lent_through(graph, key, known)
    outbound = {"supplied": tables["supplied"], "held": held, "markets": markets, **_finally(graph, key, known)}
    return figures, outbound, inbound


def _finally(graph: ProtocolGraph, key: str, known: LookThrough) -> Tables:
    """What a holder finally has, and how concentrated that is before and after looking through."""
    assets = subject(graph, key).held
    final = final_roots(graph, assets, known)
    spread = concentrations(
        ("assets", assets["amount_usd"], "relations supplies, holds, trades_in"),
        ("final roots", final["amount_usd"], "table roots"),
    )
    return {"roots": final, "concentration": spread.query("count > 0")}


def _of_holders(graph: ProtocolGraph, shares: Mapping[str, str]) -> pd.DataFrame:
    """Concentration of the holders of liquidity or vault shares, of each (asset -> name) by itself: their units do not add up."""
    rows = graph.relations["holds"]
    found = [(name, rows[rows["target"] == asset]["amount_raw"].astype(float)) for asset, name in shares.items()]
    return concentrations(*[(f"holders of {name}", held, "relation holds") for name, held in found]).query("count > 0")


def _of_pools(graph: ProtocolGraph, pools: list[str], top: int) -> tuple[Figures, Tables, Tables]:
    rows = graph.relations["trades_in"][graph.relations["trades_in"]["target"].isin(pools)]
    rows = _named(graph, rows, "target", "pool").assign(
        asset=rows["source"], symbol=[graph.label(key) for key in rows["source"]]
    )
    rows = rows.assign(share_ratio=share_of(rows["reserve_usd"]))
    columns = ["pool", "label", "asset", "symbol", "reserve_raw", "reserve_usd", "share_ratio", "evidence", "status"]
    share_of_pool = graph.snapshot["pools"].set_index("pool")["lp_asset"].reindex(pools).dropna()
    shares = share_of_pool.tolist()
    pool_of = {asset: graph.label(pool) for pool, asset in share_of_pool.items()}
    figures: Figures = {"value_usd": _sum(rows["reserve_usd"])}
    final = final_roots(graph, rows.assign(amount_usd=rows["reserve_usd"])[["asset", "amount_usd", "evidence"]])
    return (
        figures,
        {"reserves": _sorted(rows, "reserve_usd", "asset")[columns], "roots": final},
        {
            "holders": _holders(graph, shares, top).pipe(lambda held: held.assign(of=held["asset"].map(pool_of))),
            "concentration": _of_holders(graph, pool_of),
        },
    )


def _holders(graph: ProtocolGraph, assets: list[str], top: int) -> pd.DataFrame:
    """The largest holders of some assets by amount; share is of what the table of balances holds."""
    rows = valued_balances(graph, graph.relations["holds"][graph.relations["holds"]["target"].isin(assets)])
    rows = _named(graph, rows, "source", "holder").assign(asset=rows["target"])
    everything = {asset: sum(part["amount_raw"].tolist()) for asset, part in rows.groupby("asset")}
    share = [
        amount / everything[asset] if everything[asset] else None
        for amount, asset in zip(rows["amount_raw"], rows["asset"], strict=True)
    ]
    rows = _sorted(rows.assign(share_ratio=pd.Series(share, index=rows.index, dtype=float)), "share_ratio", "holder")
    return rows.head(top)[["holder", "label", "asset", "amount_raw", "amount_usd", "share_ratio", "evidence", "status"]]


def _named(graph: ProtocolGraph, rows: pd.DataFrame, end: str, name: str) -> pd.DataFrame:
    """The rows with one end called `name` and its label beside it."""
    return rows.assign(**{name: rows[end], "label": [graph.label(key) for key in rows[end]]})


def _sorted(rows: pd.DataFrame, column: str, tie: str) -> pd.DataFrame:
    return rows.sort_values([column, tie], ascending=[False, True], ignore_index=True)


def _sum(values: "pd.Series[float]") -> float:
    return float(values.astype(float).sum())
