"""Prices that do not follow a market: which they are, what is posted at them, and what is owed behind them.

Where collateral is priced by a source that does not move, a fall liquidates nobody: what is owed beyond the collateral stays, and suppliers
find their withdrawals frozen instead. Three findings by the steps of a source (table `feeds`): *hard-coded* (nothing behind it moves),
*exchange rate alone* (a vault's or staking contract's own rate, no feed: it sees no market price), *stale* (a feed beyond its heartbeat).
"""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from chain.tables import each_row
from graph.merged_rows import joined, weakest
from graph.protocol_graph import ProtocolGraph

HARD_CODED, RATE_ALONE, STALE = "hard-coded", "exchange rate alone", "stale"
UNMOVED = (HARD_CODED, RATE_ALONE)
"""Findings whose price no fall of the market moves."""
APART = 0.01
"""From which part on a market's own price of an asset is told beside the one at which the asset counts elsewhere."""
COLUMNS = [
    "market", "label", "asset", "symbol", "finding", "source", "collateral_usd", "debt_usd", "borrowed_usd", "evidence", "status"
]  # fmt: skip


def finding(rows: Sequence[Any]) -> str | None:
    """What the steps of one source (rows of `feeds`, in order) show; None where a market price comes through, or nothing is known."""
    feeds = [row for row in rows if row.kind == "feed"]
    moving = [row for row in feeds if row.state != "hard_coded"]
    if moving:
        return STALE if any(row.state == "stale" for row in moving) else None
    if feeds or rows[-1].kind == "fixed" or rows[-1].state == "hard_coded":
        return HARD_CODED
    below = {row.kind for row in rows if row.kind != "unknown"}
    return RATE_ALONE if below and below <= {"rate", "ratio"} and rows[-1].kind != "unknown" else None


def findings(feeds: pd.DataFrame) -> dict[str, str]:
    """Price source -> what was found of it, of sources that do not follow a market."""
    steps: dict[str, list[Any]] = {}
    for row in sorted(each_row(feeds), key=lambda row: (row.source, row.step)):
        steps.setdefault(row.source, []).append(row)
    found = {source: finding(rows) for source, rows in steps.items()}
    return {source: what for source, what in found.items() if what is not None}


def unmoved_prices(graph: ProtocolGraph, markets: list[str]) -> pd.DataFrame:
    """One row for each asset of these markets whose price does not follow a market, the most debt first.

    Returns
    -------
    market, label (of the market), asset, symbol, finding, source; collateral_usd: posted at that price, counting in a health factor;
    debt_usd: all that its holders owe in that market, whatever else they posted; borrowed_usd: owed in the asset itself; evidence, status.
    """
    found, listed = findings(graph.snapshot["feeds"]), graph.relations["lists"]
    prices = graph.snapshot["prices"]
    prices = prices[prices["market"].isin(markets) & prices["source"].isin(set(found))]
    steps = graph.snapshot["feeds"]
    evidence = steps[steps["source"].isin(set(prices["source"]))].groupby("source")["evidence"].agg(joined).to_dict()
    owed = _owed(graph, prices["market"])
    rows = []
    for row in each_row(prices):
        here = listed[(listed["source"] == row.market) & (listed["target"] == row.asset)]
        collateral = float(here["collateral_usd"].astype(float).sum())
        holders = _posting(graph, row.market, row.asset)
        rows.append(
            (
                row.market,
                graph.label(row.market),
                row.asset,
                graph.label(row.asset),
                found[row.source],
                row.source,
                collateral,
                sum(owed.get((row.market, holder), 0.0) for holder in holders),
                float(here["borrowed_usd"].astype(float).sum()),
                evidence[row.source],
                weakest(pd.Series([row.status, *here["status"]])),
            )
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame = frame[(frame["collateral_usd"] > 0) | (frame["borrowed_usd"] > 0)]
    return frame.sort_values(["debt_usd", "market", "asset"], ascending=[False, True, True], ignore_index=True)


def unmoved_debt_usd(graph: ProtocolGraph, table: pd.DataFrame) -> float:
    """What is owed by holders of collateral at prices that no fall moves, each debt once; `table` as `unmoved_prices` gives it."""
    fixed = table[table["finding"].isin(UNMOVED) & (table["collateral_usd"] > 0)]
    owed = _owed(graph, fixed["market"])
    pairs = {(row.market, holder) for row in each_row(fixed) for holder in _posting(graph, row.market, row.asset)}
    return sum(owed.get(pair, 0.0) for pair in sorted(pairs))


def _owed(graph: ProtocolGraph, markets: "pd.Series[str]") -> dict[tuple[str, str], float]:
    """(market, holder) -> USD owed in these markets."""
    rows = graph.relations["borrows"]
    sums = rows[rows["target"].isin(set(markets))].groupby(["target", "source"])["amount_usd"].sum()
    return {(str(market), str(holder)): float(usd) for (market, holder), usd in sums.items()}


def _posting(graph: ProtocolGraph, market: str, asset: str) -> list[str]:
    """Who has the asset as collateral that counts."""
    rows = graph.relations["supplies"]
    rows = rows[(rows["target"] == market) & (rows["asset"] == asset) & rows["collateral_enabled"].astype(bool)]
    return sorted(set(rows["source"]))


def own_prices(graph: ProtocolGraph, markets: Collection[str], asset: str | None = None) -> tuple[str, ...]:
    """A clause for each price of these markets, of one asset or all, that is more than 1 % off the one at which the asset counts elsewhere."""
    usd = graph.nodes["asset"].set_index("node")["price_usd"].to_dict()
    rows = [row for row in each_row(graph.snapshot["prices"]) if row.market in markets and asset in (None, row.asset)]
    return tuple(
        f"{graph.label(row.market)} prices {graph.label(row.asset)} at ${row.price_usd:,.6g}, where most is supplied it is "
        f"${usd[row.asset]:,.6g}: totals of a market, its suppliers and borrowers are at the first; direct holders, and what is counted once, at the second"
        for row in rows
        if row.price_usd > 0 and usd.get(row.asset, 0) > 0 and abs(row.price_usd / usd[row.asset] - 1) > APART
    )
