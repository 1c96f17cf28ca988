"""Features from tables other than prices: books, pools, reserves, events, and columns that a user's file may have.

None of them could be scored on real data (no such table covers the years of the price panels), so they are tested for being right and enter no reported gain.
Rows carry `known_s`, the instant from which they may be used: a snapshot's block time; for a row that sums up a day, the midnight that ends it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.panel import FloatArray, IntArray

DROPS = (0.05, 0.10, 0.20)
DAY_S = 86_400


def known_from_day(day: "pd.Series[str]") -> IntArray:
    """The instant from which rows stamped with a day may be used: the midnight that ends it, Unix seconds."""
    return np.asarray(
        ((pd.to_datetime(day) - pd.Timestamp(0)) // pd.Timedelta(seconds=1)).to_numpy(dtype=np.int64) + DAY_S
    )


def latest_known(
    rows: pd.DataFrame, value: str, assets: Sequence[str], as_of_s: IntArray, oldest_s: int = 7 * DAY_S
) -> FloatArray:
    """The value of the last row of each asset that is known at each instant and at most `oldest_s` old, shape (A, N); NaN where there is none.

    Parameters
    ----------
    rows : known_s, asset and `value`: utilisation, gas, order-book spread, depth or imbalance, funding, open interest, sentiment, ...
    """
    result = np.full((len(as_of_s), len(assets)), np.nan)
    for n, asset in enumerate(assets):
        own = rows[rows["asset"] == asset].sort_values("known_s", kind="stable")
        known, values = own["known_s"].to_numpy(dtype=np.int64), own[value].to_numpy(dtype=np.float64)
        if len(known):
            at = np.searchsorted(known, as_of_s, side="right") - 1
            fresh = (at >= 0) & (as_of_s - known[np.maximum(at, 0)] <= oldest_s)
            result[:, n] = np.where(fresh, values[np.maximum(at, 0)], np.nan)
    return result


def recent_usd(rows: pd.DataFrame, assets: Sequence[str], as_of_s: IntArray, hours: int) -> FloatArray:
    """ln(1 + USD) of what happened to each asset in the `hours` before each instant, shape (A, N): liquidations, large transfers, governance (count them as 1 USD each).

    Parameters
    ----------
    rows : known_s, asset, amount_usd; an event at the very instant counts.
    """
    result = np.zeros((len(as_of_s), len(assets)))
    for n, asset in enumerate(assets):
        own = rows[rows["asset"] == asset].sort_values("known_s", kind="stable")
        known = own["known_s"].to_numpy(dtype=np.int64)
        running = np.concatenate([[0.0], np.cumsum(own["amount_usd"].to_numpy(dtype=np.float64))])
        stop = np.searchsorted(known, as_of_s, side="right")
        start = np.searchsorted(known, as_of_s - hours * 3_600, side="right")
        result[:, n] = np.log1p(np.maximum(running[stop] - running[start], 0.0))
    return result


def liquidation_clusters(positions: pd.DataFrame, assets: Sequence[str], drops: Sequence[float] = DROPS) -> FloatArray:
    """USD of an asset's collateral in positions that become liquidatable if that asset alone falls by at most each drop, shape (N, drops).

    A position is liquidatable when its collateral, each times its threshold, is worth less than its debt. One that already is counts at every drop. An asset
    that a position both holds and owes falls on both sides.

    Parameters
    ----------
    positions : position_id, asset, side (collateral or debt), usd, threshold (0 to 1, of collateral); one row a leg.
    """
    held = positions[positions["side"] == "collateral"]
    weighted = (held["usd"] * held["threshold"]).groupby(held["position_id"]).sum()
    owes = positions[positions["side"] == "debt"]
    debt = owes["usd"].groupby(owes["position_id"]).sum()
    cushion = weighted.subtract(debt, fill_value=0.0)
    owed = owes.groupby(["position_id", "asset"])["usd"].sum()
    result = np.zeros((len(assets), len(drops)))
    for n, asset in enumerate(assets):
        own = held[held["asset"] == asset]
        legs = own.assign(weighted=own["usd"] * own["threshold"]).groupby("position_id")[["usd", "weighted"]].sum()
        if not len(legs):
            continue
        left = cushion.loc[legs.index]
        same = pd.Series([owed.get((key, asset), 0.0) for key in legs.index], index=legs.index)
        for k, drop in enumerate(drops):
            falls = left - drop * (legs["weighted"] - same) < 0
            result[n, k] = float(legs.loc[falls & (legs.index.isin(debt.index)), "usd"].sum())
    return result


def utilisation(reserves: pd.DataFrame, assets: Sequence[str]) -> FloatArray:
    """Borrowed over supplied of each asset, all its reserves together, shape (N,); NaN where nothing is supplied.

    Parameters
    ----------
    reserves : asset, supplied_usd, borrowed_usd.
    """
    sums = reserves.groupby("asset")[["supplied_usd", "borrowed_usd"]].sum().reindex(list(assets))
    supplied = sums["supplied_usd"].to_numpy(dtype=np.float64)
    return np.where(
        supplied > 0, sums["borrowed_usd"].to_numpy(dtype=np.float64) / np.where(supplied > 0, supplied, 1.0), np.nan
    )


def depth_ratio(depth_usd: FloatArray, clusters_usd: FloatArray) -> FloatArray:
    """ln of what pools absorb over what would have to be sold, (N,) each: below zero the pools are too shallow for the cluster. NaN where either is zero."""
    both = (depth_usd > 0) & (clusters_usd > 0)
    return np.where(both, np.log(np.where(both, depth_usd, 1.0) / np.where(both, clusters_usd, 1.0)), np.nan)
