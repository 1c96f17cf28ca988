"""What one market holds, owes and leans on, as rows asked from the protocol graph: the frames from which an assessment sums."""

from dataclasses import dataclass
from math import fsum

import pandas as pd

from chain.errors import unknown_name
from graph.exposures.price_findings import unmoved_debt_usd, unmoved_prices
from graph.lookthrough import roots
from graph.pauses import pauses
from graph.protocol_graph import ProtocolGraph

OTHER_ROOT = "not looked through"


@dataclass(frozen=True)
class MarketRows:
    """Rows about one market.

    Attributes
    ----------
    market : its key.
    supplies : holder, holder_name, asset, symbol, amount_usd, collateral_enabled, status: claims of holders on the market.
    borrows : holder, asset, symbol, amount_usd: what holders owe it.
    roots : asset, root, share_ratio: what each asset is finally made of, by name; the shares of one asset add up to 1.
    feeds : asset, feed, state: the published feed behind each asset's price in this market, by name.
    unmoved : collateral and debts whose price follows no market; columns as `graph.exposures.price_findings.unmoved_prices`.
    unmoved_debt_usd : what is owed behind prices that no fall moves.
    paused : what is switched off in it, a clause each (`graph.pauses`).
    supplied_usd : supplied by the market's own totals, all holders, also those that were not read.
    """

    market: str
    supplies: pd.DataFrame
    borrows: pd.DataFrame
    roots: pd.DataFrame
    feeds: pd.DataFrame
    supplied_usd: float
    unmoved: pd.DataFrame
    unmoved_debt_usd: float
    paused: tuple[str, ...] = ()


def of_market(graph: ProtocolGraph, market: str) -> MarketRows:
    """The rows about one market of the graph.

    Raises
    ------
    UnknownNameError
        If the graph has no such market.
    """
    if market not in set(graph.nodes["market"]["node"]):
        raise unknown_name("market", market, graph.nodes["market"]["node"].tolist())
    supplies, borrows, lists = (
        table[table[end] == market]
        for table, end in (
            (graph.relations[name], end)
            for name, end in (("supplies", "target"), ("borrows", "target"), ("lists", "source"))
        )
    )
    assets = sorted(set(lists["target"]) | set(supplies["asset"]))
    labels, unmoved = graph.labels, unmoved_prices(graph, [market])

    def claims(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "holder": rows["source"],
                "holder_name": [graph.label(holder) for holder in rows["source"]],
                "asset": rows["asset"],
                "symbol": [labels.get(asset, asset) for asset in rows["asset"]],
                "amount_usd": rows["amount_usd"].astype(float),
                **{column: rows[column] for column in columns},
            }
        ).reset_index(drop=True)

    return MarketRows(
        market=market,
        supplies=claims(supplies, ["collateral_enabled", "status"]),
        borrows=claims(borrows, []),
        roots=_roots(graph, assets),
        feeds=_feeds(graph, market, assets),
        supplied_usd=float(lists["supplied_usd"].astype(float).sum()),
        unmoved=unmoved,
        unmoved_debt_usd=unmoved_debt_usd(graph, unmoved),
        paused=tuple(one.said("this market", labels) for one in pauses(graph.snapshot) if one.market == market),
    )


def _roots(graph: ProtocolGraph, assets: list[str]) -> pd.DataFrame:
    """Shares of each asset by what it is finally made of; what has no known share or leads back to itself is `not looked through`."""
    rows: list[tuple[str, str, float]] = []
    for asset in assets:
        found: dict[str, float] = {}
        for path in roots(graph, asset).itertuples():
            if path.ends == "root" and path.share > 0:
                found[path.label] = found.get(path.label, 0.0) + float(path.share)
        rest = 1 - fsum(found.values())
        if rest > 1e-9:
            found[OTHER_ROOT] = rest
        rows += [(asset, root, share) for root, share in sorted(found.items())]
    return pd.DataFrame(rows, columns=["asset", "root", "share_ratio"])


def _feeds(graph: ProtocolGraph, market: str, assets: list[str]) -> pd.DataFrame:
    """The published feed behind each price: the last step that publishes; adapters before it and rates after it only transform."""
    nodes = graph.nodes["feed"].set_index("node")
    steps = graph.relations["prices"]
    steps = steps[steps["market"] == market].sort_values(["target", "step", "source"])
    last: dict[str, str] = {}
    for row in steps.itertuples():
        publishes = row.source in nodes.index and nodes.at[row.source, "kind"] == "feed"
        if publishes or row.target not in last:
            last[row.target] = row.source
    rows = [
        (
            asset,
            graph.label(last[asset]) if asset in last else "",
            str(nodes.at[last[asset], "state"]) if last.get(asset) in nodes.index else "unknown",
        )
        for asset in assets
    ]
    return pd.DataFrame(rows, columns=["asset", "feed", "state"])
