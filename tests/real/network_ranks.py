"""Who ranks first in the two real networks, day by day, how sure that is, and what of it is only the source's way of choosing pools."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graph.balance_sheets import Floats, Network
from graph.centrality import katz, pagerank
from graph.debtrank import debtrank
from graph.ranking import ranking, uncertain
from tests.real.network_days import Flows, Pools, standing

MEASURES = ("pagerank", "katz", "debtrank")
DRAWS, SEED = 200, 7


def lost_with(network: Network) -> Floats:
    """Share of all USD in the pools that is lost elsewhere when a token is worth nothing (DebtRank on `standing`)."""
    return debtrank(standing(network))


SCORES = {"pagerank": pagerank, "katz": katz, "debtrank": lost_with}


def days_of(flows: Flows, days: Sequence[str]) -> pd.DataFrame:
    """By (date, token): the three measures, USD in the pools, and USD that others were swapped for into it (bought)."""
    parts = {}
    for day in days:
        network = flows.network(day)
        columns = {name: score(network) for name, score in SCORES.items()}
        columns |= {"tvl_usd": network.external_assets, "bought_usd": network.obligations}
        parts[day] = pd.DataFrame(columns, index=pd.Index(network.names, name="token"))
    return pd.concat(parts, names=["date"])


def changes(scores: "pd.Series[float]") -> "pd.Series[float]":
    """By date: half the sum of changes of shares since the day before, 0 to 1; a token that is not there has 0."""
    table = scores.unstack("token").fillna(0.0)
    shares = table.div(table.sum(axis=1), axis=0)
    return shares.diff().abs().sum(axis=1).iloc[1:] / 2


def is_first_of_month(dates: "pd.Index[str]") -> Floats:
    """1 on days on which the source chooses its pools anew."""
    return np.array([day.endswith("-01") for day in dates], dtype=float)


def agreement(table: pd.DataFrame, one: str, other: str) -> float:
    """Median over days of Spearman's rank correlation of two columns."""
    return float(table.groupby("date").apply(lambda day: day[one].corr(day[other], method="spearman")).median())


def sure(flows: Flows, day: str, measure: str) -> pd.DataFrame:
    """The ranking of a day with what flows vary from day to day drawn anew, seed SEED; USD in the pools is taken as known."""
    network = flows.network(day)
    return ranking(network, SCORES[measure], uncertain(network, flows.sigma(day)), draws=DRAWS, seed=SEED)


def tokens_of_pools(pools: Pools, days: Sequence[str]) -> pd.DataFrame:
    """By (date, token): PageRank among tokens (adds up to 1) and share of the USD in pools."""
    parts = {}
    for day in days:
        network = pools.network(day)
        is_token = np.array([not name.startswith("pool ") for name in network.names])
        weight, held = pagerank(network)[is_token], network.obligations[is_token]
        names = [name for name, wanted in zip(network.names, is_token, strict=True) if wanted]
        columns = {"pagerank": weight / weight.sum(), "held": held / held.sum()}
        parts[day] = pd.DataFrame(columns, index=pd.Index(names, name="token"))
    return pd.concat(parts, names=["date"])


def lasting(pools: Pools, since: str, least: float = 0.95) -> Pools:
    """Only pools that have a row on so many of the days from `since` on, and only those days."""
    recent = pools.usd[pools.usd.index.get_level_values("date") >= since]
    days = recent.index.get_level_values("date").nunique()
    rows = recent.reset_index()[["date", "pool"]].drop_duplicates()
    kept = rows["pool"].value_counts()
    kept = kept[kept >= least * days]
    return Pools(recent[recent.index.get_level_values("pool").isin(kept.index)], pools.found)
