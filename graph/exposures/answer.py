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
from graph.exposures.asset import of_asset
from graph.exposures.counted import value_counted
from graph.exposures.direct_holders import tables_of_holders
from graph.exposures.holder import of_holder
from graph.exposures.market import collateral_feeds, market_tables
from graph.exposures.market_figures import figures_of
from graph.exposures.portfolio import final_roots
from graph.exposures.rows import Figures, Tables, largest_first, named, share_of, total
from graph.protocol_graph import ProtocolGraph

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
    asset : outbound backed_by (what a claim has itself), made_of (looked through), feeds, concentration, and for a vault's share supplied,
        held and markets as of the vault; inbound markets (direct and looked through), pools, claims, holders (who has it itself, each unit
        once, and as what: `graph.exposures.direct_holders`), dependents (who finally has some of it, directly or through claims, no claim among them),
        concentration of both. The figure direct_holders_ratio is which part of its supply all direct holders have; of less than nearly all
        there is no concentration.
    account, vault : outbound supplied, held, markets (`lent_through`: where its claims have lent its money too), roots (all of it looked
        through), concentration; inbound borrowed (what it owes), and for a vault holders of its share, concentration.
    pool, protocol that trades : outbound reserves, roots; inbound holders of the liquidity share, concentration.
    protocol : besides, figures gross_usd and net_usd (`graph.exposures.counted`).
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
            figures = figures_of(graph, markets, tables["unmoved_prices"])
            return {**figures, **_counted(graph, key, kind)}, tables, inbound
        figures, outbound, inbound = _of_pools(graph, pools, top)
        return {**figures, **_counted(graph, key, kind)}, outbound, inbound
    if kind == "pool":
        return _of_pools(graph, [key], top)
    if kind == "asset":
        return of_asset(graph, key, top)
    if kind in ("account", "vault"):
        return of_holder(graph, key, kind, top)
    if kind == "feed":
        priced = graph.relations["prices"][graph.relations["prices"]["source"] == key]
        listed = collateral_feeds(graph, sorted(set(priced["market"])))
        own = listed[listed["feed"] == key].reset_index(drop=True)
        return {"collateral_usd": total(own["collateral_usd"])}, {}, {"prices": own}
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
        "holders": tables_of_holders(graph, dict.fromkeys(vaults["asset"].dropna(), ""), top)[0],
    }
    figures = {"value_usd": total(vaults["value_usd"])} if len(vaults) else {}
    return {**figures, **_counted(graph, protocol, "protocol")}, {"parts": parts}, inbound


def _counted(graph: ProtocolGraph, key: str, kind: str) -> Figures:
    """What a protocol reports as its value, and what of it is counted nowhere else; nothing for a market alone."""
    if kind != "protocol":
        return {}
    table = value_counted(graph).set_index("protocol")
    return {name: float(table.at[key, name]) for name in ("gross_usd", "net_usd") if key in table.index}


def _of_pools(graph: ProtocolGraph, pools: list[str], top: int) -> tuple[Figures, Tables, Tables]:
    rows = graph.relations["trades_in"][graph.relations["trades_in"]["target"].isin(pools)]
    rows = named(graph, rows, "target", "pool").assign(
        asset=rows["source"], symbol=[graph.label(key) for key in rows["source"]]
    )
    rows = rows.assign(share_ratio=share_of(rows["reserve_usd"]))
    columns = ["pool", "label", "asset", "symbol", "reserve_raw", "reserve_usd", "share_ratio", "evidence", "status"]
    share_of_pool = graph.snapshot["pools"].set_index("pool")["lp_asset"].reindex(pools).dropna()
    pool_of = {asset: graph.label(pool) for pool, asset in share_of_pool.items()}
    called = {share: f"holders of {pool}" for share, pool in pool_of.items()}
    holders, spread, _ = tables_of_holders(graph, called, top)
    figures: Figures = {"value_usd": total(rows["reserve_usd"])}
    final = final_roots(graph, rows.assign(amount_usd=rows["reserve_usd"])[["asset", "amount_usd", "evidence"]])
    return (
        figures,
        {"reserves": largest_first(rows, "reserve_usd", "asset")[columns], "roots": final},
        {
            "holders": holders.assign(of=holders["asset"].map(pool_of)),
            "concentration": spread,
        },
    )
