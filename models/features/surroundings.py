"""What moved around an asset: the market as a whole, Bitcoin and Ether, the calendar, and neighbours by a relation."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from chain.files.price_files import folded
from models.features.variance import LEAST_OF_A_BAR, WINDOWS
from models.features.windows import Windows, log_floored
from models.panel import FloatArray, IntArray, Panel
from models.task import DAY_S, HOUR_S

LEADERS = ("BTC", "ETH")
NEIGHBOUR_WINDOWS = (24, 168)
WEEK_HOURS, SLOT_WEEKS, LEAST_SLOT_WEEKS = 168, 12, 4


def market_features(
    panel: Panel, back: Windows, own: Mapping[str, FloatArray], horizon_hours: int
) -> dict[str, FloatArray]:
    """Market factors, the same for every asset at an instant, each of shape (A, N).

    market_M_W, btc_M_W, eth_M_W for M in (abs_range, rv), W as above: mean over assets of the asset's own feature, and that of the leader; a leader that is not in the panel is
    replaced by the market. index_rv_W: variance of the equally weighted index, so what assets moved together. market_return_24, market_return_168.
    """
    shape = (len(back.stop), len(panel.assets))
    features: dict[str, FloatArray] = {}
    place = {folded(name): number for number, name in enumerate(panel.assets)}
    for measure in ("abs_range", "rv"):
        for hours in sorted({*WINDOWS, horizon_hours}):
            name = f"{measure}_{hours}"
            market = _mean(own[name])
            features[f"market_{name}"] = market
            for leader in LEADERS:
                values = own[name][:, place[folded(leader)]] if folded(leader) in place else market
                features[f"{leader.lower()}_{name}"] = np.where(np.isfinite(values), values, market)
    index = _mean(panel.log_returns())[:, None]
    in_squares, in_index = back.running(index**2), back.running(index)
    for hours in WINDOWS:
        features[f"index_rv_{hours}"] = log_floored(in_squares.mean(hours), LEAST_OF_A_BAR)[:, 0]
    for hours in (24, 168):
        features[f"market_return_{hours}"] = in_index.sums(hours)[0][:, 0]
    return {name: np.broadcast_to(values[:, None], shape) for name, values in features.items()}


def calendar_features(panel: Panel, back: Windows, as_of_s: IntArray, horizon_hours: int) -> dict[str, FloatArray]:
    """weekday_0 (Monday) to weekday_6 of the instant; hour_sin, hour_cos; slot_market, slot_own: log of the mean range in the same hours of the
    week that the horizon covers, over the last 12 weeks, against the mean of all hours of those weeks (0 where fewer than 4 weeks are known); absolute returns take the place of ranges until a bar has one."""
    shape = (len(as_of_s), len(panel.assets))
    hour = (as_of_s // HOUR_S) % 24
    weekday = (as_of_s // DAY_S + 3) % 7  # 1970-01-01 was a Thursday
    features = {f"weekday_{day}": np.broadcast_to((weekday == day).astype(float)[:, None], shape) for day in range(7)}
    features["hour_sin"] = np.broadcast_to(np.sin(2 * np.pi * hour / 24)[:, None], shape)
    features["hour_cos"] = np.broadcast_to(np.cos(2 * np.pi * hour / 24)[:, None], shape)
    ranges, moves = np.log(panel.high / panel.low), np.abs(panel.log_returns())

    def slot(own: FloatArray, instead: FloatArray) -> FloatArray:
        with_ranges, without = (partial(_slot, back, each, horizon_hours) for each in (own, instead))
        return back.of_ranges(ranges, with_ranges, without)

    features["slot_market"] = np.broadcast_to(slot(_mean(ranges)[:, None], _mean(moves)[:, None]), shape)
    features["slot_own"] = slot(ranges, moves)
    return features


def neighbour_features(relation: str, weights: FloatArray, own: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Weighted mean of the neighbours' rv and abs_range: `relation`_rv_W and `relation`_abs_range_W, each of shape (A, N).

    Parameters
    ----------
    weights : what the row's asset takes from the column's, at least zero, shape (N, N), or (A, N, N) for edges that change; the diagonal is not used.
        An asset without a known neighbour has NaN.
    """
    each = np.broadcast_to(weights, (len(next(iter(own.values()))), *weights.shape[-2:])) * (
        1 - np.eye(weights.shape[-1])
    )
    features = {}
    for measure in ("rv", "abs_range"):
        for hours in NEIGHBOUR_WINDOWS:
            values = own[f"{measure}_{hours}"]
            known = np.isfinite(values)
            total = np.einsum("anm,am->an", each, np.where(known, values, 0.0))
            weight = np.einsum("anm,am->an", each, known.astype(float))
            features[f"{relation}_{measure}_{hours}"] = np.where(
                weight > 0, total / np.where(weight > 0, weight, 1), np.nan
            )
    return features


def weights_by_day(edges: pd.DataFrame, assets: tuple[str, ...], as_of_s: IntArray, days: int = 7) -> FloatArray:
    """Edges stamped with a day, as weights at each instant, shape (A, N, N); source is the row.

    A row stamped day d holds what happened during d, so it is used from the midnight that ends d on: at `as_of` the last `days` complete days are
    summed, then each row is divided by its sum (an asset without an edge keeps zeros).

    Parameters
    ----------
    edges : day (date), source, target (assets), weight.
    """
    place = {name: number for number, name in enumerate(assets)}
    rows = edges[edges["source"].isin(place) & edges["target"].isin(place)]
    day = (pd.to_datetime(rows["day"]) - pd.Timestamp(0)) // pd.Timedelta(days=1)
    first, last = (int(as_of_s.min()) // DAY_S - days, int(as_of_s.max()) // DAY_S)
    daily = np.zeros((last - first + 2, len(assets), len(assets)))
    within = (day >= first) & (day <= last)
    at = (day[within] - first).to_numpy(dtype=np.int64)
    source, target = (rows.loc[within, end].map(place).to_numpy(dtype=np.int64) for end in ("source", "target"))
    np.add.at(daily, (at + 1, source, target), rows.loc[within, "weight"].to_numpy(dtype=np.float64))
    running = np.cumsum(daily, axis=0)
    today = as_of_s // DAY_S - first  # the day that is under way: its own rows are not known yet
    summed = running[today] - running[today - days]
    total = summed.sum(axis=2, keepdims=True)
    return np.asarray(np.where(total > 0, summed / np.where(total > 0, total, 1.0), 0.0))


def _slot(back: Windows, moves: FloatArray, horizon_hours: int) -> FloatArray:
    same, weeks = np.zeros((2, len(back.stop), moves.shape[1]))
    running = back.running(moves)
    for week in range(1, SLOT_WEEKS + 1):
        ago = week * WEEK_HOURS - horizon_hours
        if ago < 0:
            continue
        mean = running.mean(horizon_hours, ago)
        same += np.where(np.isfinite(mean), mean, 0.0)
        weeks += np.isfinite(mean)
    everything = running.mean(SLOT_WEEKS * WEEK_HOURS)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(same / weeks / everything)
    return np.where((weeks >= LEAST_SLOT_WEEKS) & np.isfinite(ratio), ratio, 0.0)


def _mean(values: FloatArray) -> FloatArray:
    """Mean over assets of what is known, shape (rows,); NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
