"""The daily network panel: tokens that were swapped on Uniswap, what flowed between them day by day, and two sets of prices for them.

*closes*: the daily closes that come with the flows (from June 2020; a day's variance is one squared return). *hours*: the hourly bars of the main panel for
the tokens that are in it (from May 2021; a day's variance is the sum of 24). Both are asked every midnight UTC, and both end before July 2022.

A row stamped day d (a flow, a pool's depth, the gas price) says what happened during d, so it is used from the midnight that ends d on. A price stamped day d
is the one at the midnight that starts it: known then.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.volatility.world import DATA, MAIN, PEGGED, World, stamp
from models.features import price_samples
from models.features.correlation import shuffled_weights
from models.features.surroundings import weights_by_day
from models.networks.relations import ASSET, GraphHistory, flow_edges, from_day_after
from models.panel import FloatArray, IntArray, Panel, joined_forward, read_panel
from models.samples import Samples
from models.task import DAY_S, HOUR_S, Task, as_of_grid

FLOWS = DATA / "defi-econ-uniswap-aave-compound"
FIRST = {"closes": "2020-06-15", "hours": "2021-05-05"}
"""First instants: four weeks after the first flow; thirty days after the first bar."""
WINDOWS = {"validation": ("2021-10-01", "2022-04-01"), "held out": ("2022-04-01", "2022-07-01")}
CHOSEN_BY = "2021-10-01"
"""Which tokens are nodes was decided on what was known by then."""
LEAST_FLOW_DAYS, LEAST_PRICE_DAYS, KNOWN_SHARE = 28, 150, 0.99
PEGGED_A_DAY = 0.01
"""Median absolute daily return below which a token is taken as pegged: thinly traded pegs (EURS 0.8 %, RAI 0.6 %) are quoted noisily, the calmest other token has 1.9 %."""
SAME_PRICE = ("ETH", "BTC", "renBTC")
"""Columns of the closes that repeat WETH and WBTC."""
WRAPPED = {"WETH": "ETH", "WBTC": "BTC"}
"""Names on Uniswap of what the hourly panel calls ETH and BTC."""
ENDS = {"LUNA": "2022-05-13"}
"""After this day the symbol stands for another token (PROVENANCE of the hourly panel)."""
DOLLARS = ("USDC", "USDT", "DAI", "BUSD", "TUSD", "PAX", "FRAX", "FEI", "LUSD", "MIM", "UST")
SHORT, LONG = 7, 28


@dataclass(frozen=True)
class Flows:
    """What the files say, by day (text, UTC).

    Attributes
    ----------
    swaps : day, source, target, weight (USD swapped from source to target; pools of one pair and both versions of the exchange together).
    depth : day, asset, usd (in the month's largest pools).
    gas : day, gwei.
    """

    swaps: pd.DataFrame
    depth: pd.DataFrame
    gas: pd.DataFrame


def read_flows(folder: Path, names: dict[str, str]) -> Flows:
    """The three files of flows; tokens called as `names` says."""
    raw = pd.read_csv(folder / "token_flow_edges.csv.gz", keep_default_na=False)
    swaps = pd.DataFrame(
        {
            "day": raw["date"],
            "source": raw["Source"].replace(names),
            "target": raw["Target"].replace(names),
            "weight": raw["Volume"].astype(float),
        }
    )
    swaps = swaps[(swaps["source"] != "") & (swaps["target"] != "") & (swaps["source"] != swaps["target"])]
    raw = pd.read_csv(folder / "token_pool_tvl_nodes.csv.gz", keep_default_na=False)
    depth = pd.DataFrame(
        {"day": raw["date"], "asset": raw["token"].replace(names), "usd": pd.to_numeric(raw["total_tvl"])}
    )
    raw = pd.read_csv(folder / "avg_gas_fee.csv.gz")
    gas = pd.DataFrame(
        {
            "day": pd.to_datetime(raw["Date(UTC)"], format="%m/%d/%Y").dt.strftime("%Y-%m-%d"),
            "gwei": raw["Value (GWei)"].astype(float),
        }
    )
    return Flows(
        swaps.groupby(["day", "source", "target"], as_index=False)["weight"].sum(),
        depth.groupby(["day", "asset"], as_index=False)["usd"].sum(),
        gas,
    )


def closes_panel(folder: Path) -> Panel:
    """All tokens of the file of daily closes. Its row of day d is the price at 00:00 UTC of d, so the end of the bar before."""
    raw = pd.read_csv(folder / "token_price_daily.csv.gz", index_col="Date").drop(columns=["Unnamed: 0"])
    end = pd.to_datetime(raw.index)
    clock = pd.date_range(end.min(), end.max(), freq="D")
    close = raw.set_axis(end).reindex(clock)
    values = close.where(close > 0).to_numpy(dtype=np.float64)
    nothing = np.full(values.shape, np.nan)
    end_s = ((clock - pd.Timestamp(0)) // pd.Timedelta(seconds=1)).to_numpy(dtype=np.int64)
    return joined_forward(
        Panel(tuple(close.columns), end_s, nothing, nothing.copy(), nothing.copy(), values, nothing.copy(), DAY_S)
    )


def hours_panel(file: Path = MAIN) -> Panel:
    """All assets of the hourly panel until July 2022; a symbol that was given to another token ends."""
    panel = read_panel(file, "open", HOUR_S).until(stamp(WINDOWS["held out"][1]))
    close = panel.close.copy()
    for name, day in ENDS.items():
        if name in panel.assets:
            close[panel.end_s > stamp(day), panel.assets.index(name)] = np.nan
    gone = np.isnan(close)
    opens, highs, lows, volumes = (
        np.where(gone, np.nan, values) for values in (panel.open, panel.high, panel.low, panel.volume)
    )
    return replace(panel, close=close, open=opens, high=highs, low=lows, volume=volumes)


def nodes_of(panel: Panel, flows: Flows) -> tuple[str, ...]:
    """Tokens that by October 2021 have 28 days of flows, 150 days of prices, and 99 % of their bars since their first, and that are not pegged."""
    before = panel.until(stamp(CHOSEN_BY))
    known = np.isfinite(before.close)
    bars = len(known) - known.argmax(axis=0)
    old = known.any(axis=0) & (bars * panel.bar_s >= LEAST_PRICE_DAYS * DAY_S)
    whole = known.sum(axis=0) >= KNOWN_SHARE * bars
    early = flows.swaps[flows.swaps["day"] < CHOSEN_BY]
    days = early[early["source"].isin(panel.assets)].groupby("source")["day"].nunique()
    limit = PEGGED_A_DAY if panel.bar_s == DAY_S else PEGGED
    chosen = []
    for n, name in enumerate(panel.assets):
        if name in SAME_PRICE and panel.bar_s == DAY_S:
            continue
        enough = old[n] and whole[n] and days.get(name, 0) >= LEAST_FLOW_DAYS
        if enough and np.nanmedian(np.abs(before.log_returns()[:, n])) >= limit:
            chosen.append(name)
    return tuple(chosen)


def unpriced(flows: Flows, names: set[str]) -> tuple[int, list[str]]:
    """How many tokens have flows, and those without a price among `names`, the most swapped first."""
    swapped = flows.swaps.groupby("source")["weight"].sum().sort_values(ascending=False)
    return len(set(flows.swaps["source"]) | set(flows.swaps["target"])), [
        name for name in swapped.index if name not in names
    ]


def flow_features(flows: Flows, assets: tuple[str, ...], as_of_s: IntArray) -> dict[str, FloatArray]:
    """Features from the flow files at some instants, each (A, N), NaN where nothing flowed; from days that had ended by then.

    flow_7_28: log of the mean USD swapped a day, last week over last four; net_flow_7: what came in less what went out over both, -1 to 1; dollar_flow_7: what
    went to dollar tokens less what came from them over both; depth_7_28: log of the mean depth, week over four; turnover_7: log of the week's daily swaps over
    the depth; gas_7_28: log of the mean gas price, week over four, the same for all.
    """
    swaps = flows.swaps
    out, into = (swaps.rename(columns={end: "asset"})[["day", "asset", "weight"]] for end in ("source", "target"))
    to_dollars = swaps[swaps["target"].isin(DOLLARS)].rename(columns={"source": "asset"})
    from_dollars = swaps[swaps["source"].isin(DOLLARS)].rename(columns={"target": "asset"})
    depth = flows.depth.rename(columns={"usd": "weight"})
    gas = flows.gas.rename(columns={"gwei": "weight"}).assign(asset="gas")

    def summed(rows: pd.DataFrame, days: int, names: tuple[str, ...] = assets) -> FloatArray:
        return days_summed(rows, names, as_of_s, days)

    both = {days: summed(out, days) + summed(into, days) for days in (SHORT, LONG)}
    dollars = summed(to_dollars, SHORT), summed(from_dollars, SHORT)
    week, month = summed(depth, SHORT), summed(depth, LONG)
    gases = [summed(gas, days, ("gas",)) / days for days in (SHORT, LONG)]
    return {
        "flow_7_28": _log_ratio(both[SHORT] / SHORT, both[LONG] / LONG),
        "net_flow_7": _share(summed(into, SHORT), summed(out, SHORT)),
        "dollar_flow_7": _share(*dollars),
        "depth_7_28": _log_ratio(week / SHORT, month / LONG),
        "turnover_7": _log_ratio(both[SHORT], week),
        "gas_7_28": np.broadcast_to(_log_ratio(*gases), (len(as_of_s), len(assets))).copy(),
    }


def days_summed(rows: pd.DataFrame, assets: tuple[str, ...], as_of_s: IntArray, days: int) -> FloatArray:
    """Sum of `weight` over the last `days` days that have ended by each instant, by asset, shape (A, N). `rows`: day, asset, weight."""
    place = {name: number for number, name in enumerate(assets)}
    own = rows[rows["asset"].isin(place)]
    day = ((pd.to_datetime(own["day"]) - pd.Timestamp(0)) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64)
    first, last = int(as_of_s.min()) // DAY_S - days, int(as_of_s.max()) // DAY_S
    within = (day >= first) & (day < last)
    daily = np.zeros((last - first + 1, len(assets)))
    columns = own["asset"].map(place).to_numpy(dtype=np.int64)
    np.add.at(daily, (day[within] - first + 1, columns[within]), own["weight"].to_numpy(dtype=np.float64)[within])
    running = np.cumsum(daily, axis=0)
    today = as_of_s // DAY_S - first  # the day under way has not ended
    return np.asarray(running[today] - running[today - days])


def flow_history(flows: Flows, assets: tuple[str, ...], first_s: int, last_s: int, days: int) -> GraphHistory:
    """One graph a day: what was swapped between the nodes in the `days` until then, as shares of what flowed into each; known from the end of its last day."""
    swaps = flows.swaps[flows.swaps["source"].isin(assets) & flows.swaps["target"].isin(assets)]
    day = ((pd.to_datetime(swaps["day"]) - pd.Timestamp(0)) // pd.Timedelta(days=1)).to_numpy(dtype=np.int64)
    known, graphs = [], []
    for ended in range(first_s // DAY_S - 1, last_s // DAY_S):
        rows = swaps[(day <= ended) & (day > ended - days)]
        graphs.append((flow_edges(assets, rows["source"].tolist(), rows["target"].tolist(), rows["weight"].tolist()),))
        known.append(from_day_after(ended * DAY_S))
    return GraphHistory(assets, np.array(known, dtype=np.int64), ((ASSET, "flows_to", ASSET),), tuple(graphs))


@dataclass(frozen=True)
class FlowWorld(World):
    """One set of prices and one horizon; `first` is the first instant, `flows` names tokens as the panel does."""

    flows: Flows
    first: str

    @cached_property
    def samples(self) -> Samples:
        """Features and outcomes every midnight (hourly bars: every twelve hours), with neighbours by the last week's flows and by the same flows with other ends."""
        daily = self.panel.bar_s == DAY_S
        task = Task(horizon_hours=self.horizon_hours, bar_s=self.panel.bar_s, step_hours=24 if daily else 12)
        first, last = stamp(self.first), int(self.panel.end_s[-1]) + 1
        at = as_of_grid(self.panel, task, first, last)
        weights = weights_by_day(self.flows.swaps, self.panel.assets, at, SHORT)
        relations = {"flow": weights, "flow_shuffled": shuffled_weights(weights, np.random.default_rng(0))}
        more = flow_features(self.flows, self.panel.assets, at)
        return price_samples(self.panel, task, first, last, relations, more)


def flow_world(prices: str, horizon_hours: int, kept_in: Path, until: str) -> FlowWorld:
    """The world of "closes" or "hours" with what is known until a date."""
    panel = closes_panel(FLOWS) if prices == "closes" else hours_panel()
    flows = read_flows(FLOWS, {} if prices == "closes" else WRAPPED)
    nodes = nodes_of(panel, flows)
    panel = panel.select(nodes).until(stamp(until))
    return FlowWorld(panel, horizon_hours, kept_in, flows=flows, first=FIRST[prices])


def _log_ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    good = (above > 0) & (below > 0)
    return np.where(good, np.log(np.where(good, above, 1.0) / np.where(good, below, 1.0)), np.nan)


def _share(first: FloatArray, second: FloatArray) -> FloatArray:
    total = first + second
    return np.where(total > 0, (first - second) / np.where(total > 0, total, 1.0), np.nan)
