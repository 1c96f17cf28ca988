"""The real panel until the end of 2022, and the graphs between its assets that the network trials use."""

import numpy as np
import pandas as pd

from models.networks.relations import (
    ASSET,
    Edges,
    GraphHistory,
    category_edges,
    flow_edges,
    from_day_after,
)
from models.panel import Panel, read_panel
from tests.real.files import DATA

PRICES = DATA / "prices-hourly-binance-2021-2023" / "ohlcv_1h.parquet"
FLOWS = DATA / "defi-econ-uniswap-aave-compound" / "token_flow_edges.csv.gz"
DAY_S = 86_400
START, *CUTS, END = (
    int(pd.Timestamp(day).timestamp()) for day in ("2021-05-08", "2022-07-01", "2022-10-01", "2023-01-01")
)
"""A month of history first; everything is fitted anew at each cut on outcomes known by then, and scored until the next one."""
MOST_MISSING = 200
"""Hours that an asset may lack until the end of 2022: 34 remain, Mirror among them, which died in that December; who lives on is not looked up."""
STABLE = ("BUSD", "TUSD", "USDC", "USDP", "UST", "USTC")
CATEGORY = {
    "exchange": "1INCH BAL BNT CAKE CRV KNC LRC PERP RUNE SUSHI UNI ZRX",
    "credit": "AAVE COMP JST KAVA MKR SNX XVS YFI",
    "chain": "AVAX BNB BTC ETH INJ MATIC SOL",
    "service": "BAT GRT LINK REN UMA",
}
"""Our own grouping of the panel's tokens by what they are for; PAXG (gold) has none."""


def panel() -> Panel:
    """Hourly bars of the assets that trade throughout, stablecoins left out, until the end of 2022: nothing of 2023 leaves this function."""
    whole = read_panel(PRICES, "open", 3600)
    known = whole.until(END)
    late = known.end_s >= START
    kept = [
        name
        for number, name in enumerate(known.assets)
        if np.isnan(known.close[late, number]).sum() <= MOST_MISSING and name not in STABLE
    ]
    return known.select(kept)


def flow_history(prices: Panel) -> GraphHistory:
    """USD swapped between assets on Uniswap over 30 days, weekly; a row of day d counts from d + 1. The file ends with July 2022, so its last graph stays."""
    table = pd.read_csv(FLOWS, keep_default_na=False)
    table["date"] = pd.to_datetime(table["date"])
    names = {"WETH": "ETH", "WBTC": "BTC"}
    graphs, known = [], []
    for last in pd.date_range("2021-05-01", "2022-07-31", freq="7D"):
        rows = table[(table["date"] <= last) & (table["date"] > last - pd.Timedelta(days=30))]
        sources, targets = ([names.get(token, token) for token in rows[end]] for end in ("Source", "Target"))
        graphs.append((flow_edges(prices.assets, sources, targets, rows["Volume"].tolist()),))
        known.append(from_day_after(int(last.timestamp())))
    return GraphHistory(prices.assets, np.array(known), ((ASSET, "flows_to", ASSET),), tuple(graphs))


def category_history(prices: Panel) -> GraphHistory:
    """All assets of one category hear each other; the same at all times."""
    category = {name: kind for kind, names in CATEGORY.items() for name in names.split()}
    edges = category_edges(prices.assets, category)
    return GraphHistory(prices.assets, np.array([0]), ((ASSET, "resembles", ASSET),), ((edges,),))


def joined(*histories: GraphHistory) -> GraphHistory:
    """Several relations as edge types of one history, at every instant at which one of them changes."""
    first = max(int(history.known_s[0]) for history in histories)
    known = np.unique(np.concatenate([history.known_s for history in histories]))
    known = known[known >= first]
    places = [history.at(known) for history in histories]
    graphs: list[tuple[Edges, ...]] = [
        tuple(edges for history, place in zip(histories, places, strict=True) for edges in history.graphs[place[row]])
        for row in range(len(known))
    ]
    types = tuple(kinds for history in histories for kinds in history.types)
    return GraphHistory(histories[0].assets, known, types, tuple(graphs))
