"""The exposure of one market or several together: what is posted and what it is made of, who supplies, who owes, which feeds decide.

Shares are of the priced amounts in the same table. Supplied and borrowed are the protocols' own totals; collateral is the sum of the
positions that count in a health factor.
"""

from typing import Any

import numpy as np
import pandas as pd

from chain.tables import each_row
from graph.exposures.market_figures import listed_in, reserves_of
from graph.exposures.price_findings import unmoved_prices
from graph.exposures.rows import concentrations, largest_first, largest_of, share_of
from graph.lookthrough import LookThrough, look_through
from graph.merged_rows import joined, weakest
from graph.protocol_graph import ProtocolGraph


def market_tables(graph: ProtocolGraph, markets: list[str], top: int) -> dict[str, pd.DataFrame]:
    """All tables of a market exposure.

    Returns
    -------
    collateral : market, asset, symbol, collateral_usd, share_ratio, root (largest), root_label, root_ratio (its share), feeds (their
        labels, in the order in which they are asked), liquidation_threshold, evidence, status.
    roots : root, label, ends (root, recursive, circular or small), collateral_usd, share_ratio, posted (symbols), evidence.
    feeds : see `collateral_feeds`.
    borrowed : market, asset, symbol, borrowed_usd, share_ratio, evidence, status.
    suppliers, borrowers : holder, kind, label, amount_usd, share_ratio (of all holders), assets (symbols), evidence, status.
    unmoved_prices : collateral and debts whose price follows no market; columns as `graph.exposures.price_findings.unmoved_prices`.
    reserves : market, asset, symbol, supplied_usd, borrowed_usd, cash_usd, utilisation_ratio, evidence, status.
    concentration : of, count, hhi, effective_number, top10_ratio, evidence.
    """
    listed = listed_in(graph, markets)
    collateral = _collateral(graph, listed)
    supplied, suppliers = _holders(graph, "supplies", markets, top)
    owed, borrowers = _holders(graph, "borrows", markets, top)
    borrowed = listed[listed["borrowed_usd"] != 0]
    borrowed = borrowed.assign(share_ratio=share_of(borrowed["borrowed_usd"]))
    return {
        "collateral": collateral,
        "roots": _collateral_roots(graph, collateral),
        "feeds": collateral_feeds(graph, markets),
        "unmoved_prices": unmoved_prices(graph, markets),
        "borrowed": largest_first(
            borrowed[["market", "asset", "symbol", "borrowed_usd", "share_ratio", "evidence", "status"]],
            "borrowed_usd",
            "market",
            "asset",
        ),
        "suppliers": suppliers,
        "borrowers": borrowers,
        "reserves": reserves_of(graph, markets),
        "concentration": concentrations(
            ("suppliers", supplied, "relation supplies"),
            ("borrowers", owed, "relation borrows"),
            ("collateral by asset", collateral.groupby("asset")["collateral_usd"].sum(), "relation lists"),
        ),
    }


def collateral_feeds(graph: ProtocolGraph, markets: list[str]) -> pd.DataFrame:
    """Each contract on the way to a price, and the collateral that it decides about in these markets; the largest first.

    Of equal ones what publishes a price comes before what turns it into another, and of feeds the last asked, as a report names it.

    Shares overlap: an adapter and the feed it reads both decide about the same collateral, so the column does not add up to 1.

    Returns
    -------
    feed, label, kind (of the step), state, heartbeat_seconds, deviation_bps, assets (symbols), asset_count (above 1: shared),
    collateral_usd, share_ratio (of all collateral of these markets), evidence.
    """
    priced, listed = graph.relations["prices"], graph.relations["lists"]
    listed = listed[listed["source"].isin(markets)]
    rows = priced[priced["market"].isin(markets)].merge(
        listed[["source", "target", "collateral_usd"]].rename(columns={"source": "market", "target": "asset"}),
        left_on=["market", "target"],
        right_on=["market", "asset"],
    )
    rows = rows.drop_duplicates(["source", "market", "target"])
    described: dict[str, Any] = {}
    for step in sorted(each_row(graph.snapshot["feeds"]), key=lambda row: (row.kind != "feed", row.step, row.source)):
        described.setdefault(step.address, step)
    everything = float(listed["collateral_usd"].sum())
    parts: dict[str, list[Any]] = {}
    for row in each_row(rows):
        parts.setdefault(row.source, []).append(row)
    found = []
    publishes = {feed: known.kind == "feed" for feed, known in described.items()}
    for feed, part in sorted(
        parts.items(),
        key=lambda item: (not publishes.get(item[0], False), -max(row.step for row in item[1]), item[0]),
    ):
        usd = float(np.nansum([row.collateral_usd for row in part]))
        largest = sorted(part, key=lambda row: (pd.isna(row.collateral_usd), -row.collateral_usd))
        known = described.get(feed)
        found.append(
            {
                "feed": feed,
                "label": graph.label(feed),
                **{
                    name: None if known is None else getattr(known, name)
                    for name in ("kind", "state", "heartbeat_seconds", "deviation_bps")
                },
                "assets": ", ".join(dict.fromkeys(graph.label(row.target) for row in largest)),
                "asset_count": len({row.target for row in part}),
                "collateral_usd": usd,
                "share_ratio": usd / everything if everything > 0 else None,
                "evidence": "; ".join(dict.fromkeys(row.evidence for row in part)),
            }
        )
    columns = ["feed", "label", "kind", "state", "heartbeat_seconds", "deviation_bps", "assets", "asset_count"]
    frame = pd.DataFrame(found, columns=[*columns, "collateral_usd", "share_ratio", "evidence"])
    return frame.sort_values("collateral_usd", ascending=False, kind="stable", ignore_index=True)


def _collateral(graph: ProtocolGraph, listed: pd.DataFrame) -> pd.DataFrame:
    known = look_through(graph)
    posted = listed[listed["collateral_usd"] != 0]
    posted = posted.assign(share_ratio=share_of(posted["collateral_usd"]))
    asked: dict[tuple[str, str], list[str]] = {}
    for step in sorted(each_row(graph.relations["prices"]), key=lambda row: (row.step, row.source)):
        asked.setdefault((step.market, step.target), []).append(graph.label(step.source))
    rows = []
    for row in each_row(posted):
        ends: dict[str, float] = {}
        for path in known.paths(row.asset):
            ends[path.assets[-1]] = ends.get(path.assets[-1], 0.0) + (path.share or 0.0)
        root = max(sorted(ends), key=lambda key: ends[key])
        names = dict.fromkeys(asked.get((row.market, row.asset), ()))
        rows.append((root, graph.label(root), ends[root], " → ".join(names)))
    for place, name in enumerate(("root", "root_label", "root_ratio", "feeds")):
        posted[name] = [row[place] for row in rows]
    columns = [
        "market",
        "asset",
        "symbol",
        "collateral_usd",
        "share_ratio",
        "root",
        "root_label",
        "root_ratio",
        "feeds",
    ]
    return largest_first(
        posted[[*columns, "liquidation_threshold", "evidence", "status"]], "collateral_usd", "market", "asset"
    )


def _collateral_roots(graph: ProtocolGraph, collateral: pd.DataFrame) -> pd.DataFrame:
    """What the collateral is finally made of. Where a share is not known (no price), the asset stands for itself."""
    known = look_through(graph)
    rows = []
    for row in each_row(collateral):
        below = list(known.paths(row.asset))
        if any(path.share is None for path in below):
            below = list(LookThrough({}).paths(row.asset))
        for path in below:
            usd = row.collateral_usd * (path.share or 0.0)
            rows.append((path.assets[-1], path.ends, usd, row.symbol, (row.evidence, *path.evidence)))
    frame = pd.DataFrame(rows, columns=["root", "ends", "collateral_usd", "posted", "evidence"])
    found = [
        {
            "root": root,
            "label": graph.label(str(root)),
            "ends": ends,
            "collateral_usd": float(part["collateral_usd"].sum()),
            "posted": ", ".join(dict.fromkeys(part["posted"])),
            "evidence": "; ".join(dict.fromkeys(text for texts in part["evidence"] for text in texts)),
        }
        for (root, ends), part in frame.groupby(["root", "ends"])
    ]
    table = pd.DataFrame(found, columns=["root", "label", "ends", "collateral_usd", "posted", "evidence"])
    table.insert(4, "share_ratio", share_of(table["collateral_usd"]))
    return table.sort_values(["collateral_usd", "root"], ascending=[False, True], ignore_index=True)


def _holders(
    graph: ProtocolGraph, relation: str, markets: list[str], top: int
) -> tuple["pd.Series[float]", pd.DataFrame]:
    """Every holder's amount to these markets, all assets together, largest first; and a table of the largest."""
    rows = graph.relations[relation]
    here = rows["target"].isin(markets)
    amounts = rows.loc[here, ["source", "amount_usd"]].groupby("source", sort=False)["amount_usd"].sum()
    largest = pd.DataFrame(largest_of(amounts, top), columns=["holder", "amount_usd"])
    holders = largest["holder"].tolist()
    rows = rows[here & rows["source"].isin(holders)].sort_values(["amount_usd", "asset"], ascending=[False, True])
    of = dict(iter(rows.groupby("source", sort=False)))
    spread = amounts.sort_values(ascending=False)
    everything = float(spread.sum())
    largest = largest.assign(
        share_ratio=largest["amount_usd"] / (everything if everything > 0 else float("nan")),
        kind=[graph.node_kind(holder) for holder in holders],
        label=[graph.label(holder) for holder in holders],
        assets=[", ".join(dict.fromkeys(map(graph.own_labels.__getitem__, of[holder]["asset"]))) for holder in holders],
        evidence=[joined(of[holder]["evidence"]) for holder in holders],
        status=[weakest(of[holder]["status"]) for holder in holders],
    )
    columns = ["holder", "kind", "label", "amount_usd", "share_ratio", "assets", "evidence", "status"]
    return spread, largest[columns]
