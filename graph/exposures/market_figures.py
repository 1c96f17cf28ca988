"""What a market or several together state in all: supplied, borrowed, what can leave, and how much of what is lent is used."""

import pandas as pd

from chain.tables import each_row
from graph.exposures.price_findings import unmoved_debt_usd, unmoved_prices
from graph.exposures.rows import largest_first
from graph.pauses import without_withdrawals
from graph.protocol_graph import ProtocolGraph
from graph.reserve_amounts import borrowed_raw, lent_raw


def figures_of(
    graph: ProtocolGraph, markets: list[str], unmoved: pd.DataFrame | None = None
) -> dict[str, float | int | None]:
    """Totals in USD, utilisation, number of holders, what is owed at prices that no fall moves, the part of supply whose holders are known.

    `cash_usd` is what can leave now: nothing of a reserve whose withdrawals are switched off, and None for a book, which states positions and
    not what lies in the reserves.
    `unmoved`: the table `unmoved_prices` of these markets where it is at hand.
    """
    listed = graph.relations["lists"]
    listed = listed[listed["source"].isin(markets)]
    sums = {name: float(listed[name].sum()) for name in ("supplied_usd", "collateral_usd", "borrowed_usd")}
    stays = without_withdrawals(graph.snapshot)
    leaves = [pair not in stays for pair in zip(listed["source"], listed["target"], strict=True)]
    supplies, borrows = (
        graph.relations[name].loc[graph.relations[name]["target"].isin(markets), ["source", "amount_usd"]]
        for name in ("supplies", "borrows")
    )
    seen = float(supplies["amount_usd"].sum())
    lent = _lent_usd(graph, listed.rename(columns={"source": "market", "target": "asset"}))
    owed = float(listed.loc[lent.notna(), "borrowed_usd"].sum())
    drawn_from_nobody = (lent == 0) & (listed["borrowed_usd"] > 0)
    everything = 0.0 if drawn_from_nobody.any() else float(lent.sum())
    return {
        **sums,
        "cash_usd": float(listed.loc[leaves, "cash_usd"].sum()) if _knows_cash(graph) else None,
        "utilisation_ratio": owed / everything if everything > 0 else None,
        "suppliers": int(supplies["source"].nunique()),
        "borrowers": int(borrows["source"].nunique()),
        "unmoved_debt_usd": unmoved_debt_usd(graph, unmoved_prices(graph, markets) if unmoved is None else unmoved),
        "seen_ratio": seen / sums["supplied_usd"] if sums["supplied_usd"] > 0 else None,
    }


def listed_in(graph: ProtocolGraph, markets: list[str]) -> pd.DataFrame:
    """What these markets list: the relation `lists` with its ends called market and asset, and the symbol."""
    listed = graph.relations["lists"]
    listed = listed[listed["source"].isin(markets)].rename(columns={"source": "market", "target": "asset"})
    return listed.assign(symbol=[graph.label(asset) for asset in listed["asset"]])


def reserves_of(graph: ProtocolGraph, markets: list[str]) -> pd.DataFrame:
    """The table `reserves` of `graph.exposures.market.market_tables`. Utilisation is borrowed over what lenders have (`_lent_usd`; a column of forecasts is over all that is supplied); missing where that is nothing."""
    listed = listed_in(graph, markets)
    lent = _lent_usd(graph, listed)
    rows = listed.assign(utilisation_ratio=listed["borrowed_usd"] / lent.where(lent > 0))
    rows = rows if _knows_cash(graph) else rows.assign(cash_usd=float("nan"))
    columns = ["market", "asset", "symbol", "supplied_usd", "borrowed_usd", "cash_usd", "utilisation_ratio"]
    return largest_first(rows[[*columns, "evidence", "status"]], "supplied_usd", "market", "asset")


def _knows_cash(graph: ProtocolGraph) -> bool:
    """Whether what lies in the reserves was read: a book states positions only."""
    return "book" not in graph.snapshot.readers


def _lent_usd(graph: ProtocolGraph, listed: pd.DataFrame) -> "pd.Series[float]":
    """What each reserve's lenders put in, of which utilisation is the borrowed part: cash + borrowed, by row.

    So Aave V3's DefaultReserveInterestRateStrategyV2.calculateInterestRates has it. Compound V2 takes the protocol's reserves off
    (BaseJumpRateModelV2.utilizationRate); that is not done here. A what-if may owe more than lenders have: of such a reserve it is what they
    have, so that utilisation is above 1, or has no value where that is 0. Missing where debt is minted, which nobody lends, and in a book, which states positions only.
    """
    table = graph.snapshot["reserves"]
    reserves = {(row.market, row.asset): row for row in each_row(table[table["market"].isin(listed["market"])])}
    found = []
    for row in each_row(listed):
        reserve = reserves[row.market, row.asset]
        claims = lent_raw(reserve) if reserve.supplied_stored_raw else 0
        owed = borrowed_raw(reserve)
        if not _knows_cash(graph):
            found.append(float("nan"))
        elif reserve.status == "file" and owed > claims:
            found.append(row.borrowed_usd * (claims / owed))
        else:
            found.append(row.cash_usd + row.borrowed_usd if claims else float("nan"))
    return pd.Series(found, index=listed.index, dtype=float)
