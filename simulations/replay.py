"""A log of real liquidations against prices: one bonus per collateral and period, and how far each event lies from the prices.

A liquidation at oracle prices p pays `collateral x p_c = debt x p_d x (1 + bonus)` (Aave V2, LiquidationCallManager,
_calculateAvailableCollateralToLiquidate), so each event states the price of its collateral in its debt asset times the bonus. We do not
know the oracle's prices, only hourly ones of markets; a bonus is a constant that governance sets. `recover` finds that constant and the
days on which it changed: for each collateral the path of bonuses on a grid of 25 bps with the least absolute log error, where each change
costs a penalty (dynamic programming over days, Viterbi). A day counts as at most three events: their
greatest error is less than a change costs, so no single day makes a period of its own. Periods that differ by less than 100 bps, less
than such prices can show, are joined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError
from chain.price_files import HOUR, FloatArray, Series, joined, nearest

DAY = 86_400
GRID = np.arange(0, 101) * 0.0025
CHANGE_COST = 0.2
SMALLEST_CHANGE = 4
MOST_ERROR = 0.05
EVENTS_PER_DAY = 3
REACH_S = 1.5 * HOUR
AGES_S = tuple(range(0, 3_601, 300))
CLOSE_ENOUGH = 0.02
ROUNDING = 1e-9


@dataclass(frozen=True)
class Period:
    """A bonus of one collateral: from the day of the first event that shows it; `last_before` is the last event under the one before."""

    symbol: str
    since_s: float
    last_before_s: float | None
    bonus_ratio: float
    events: int


@dataclass(frozen=True)
class Replay:
    """Every event against the prices.

    `events` has, beside the columns of the log: price_ratio (collateral in debt asset at the nearest hour, NaN without a price),
    implied_ratio (what the event itself states, given the bonus), error (implied over nearest, less 1), low, high (the envelope of price_ratio
    over the surrounding hours), width (high over low, less 1).
    `ages` are the oracle ages that were tried, each with its share of all events within 2 %. `controls` say how much the figures mean: the
    same on days that did not decide the bonuses, with no bonus at all, and with every event moved by a day. `price_gaps` counts, for each
    symbol of the log, the gaps of more than 90 minutes in its prices between the first and the last event.
    """

    events: pd.DataFrame
    periods: tuple[Period, ...]
    age_s: float
    hours: float
    ages: tuple[tuple[float, float], ...]
    controls: Mapping[str, float]
    price_gaps: Mapping[str, int]

    def figures(self) -> dict[str, Any]:
        """Shares of all events and of those that have a price; widths of the envelope in percent."""
        table = self.events
        priced = table["error"].notna()
        near = {f"within_{percent}_percent": (table["error"].abs() <= percent / 100) for percent in (1, 2, 5)}
        inside = _inside(table, table["implied_ratio"])
        width = 100 * table.loc[priced, "width"]
        return {
            "events": len(table),
            "priced": int(priced.sum()),
            **{name: float(hit.mean()) for name, hit in near.items()},
            "inside_envelope": float(inside.mean()),
            "envelope_hours": self.hours,
            "envelope_width_percent": {str(q): float(width.quantile(q / 100)) for q in (50, 90, 95, 99)}
            if len(width)
            else {},
            "median_error_percent": float(100 * table["error"].abs().median()) if priced.any() else None,
            "oracle_age_s": self.age_s,
            **self.controls,
        }

    def left(self) -> dict[str, int]:
        """Why events are further than 2 % from the nearest price; each counted once, in this order."""
        table = self.events
        far = ~(table["error"].abs() <= CLOSE_ENOUGH)
        inside = _inside(table, table["implied_ratio"])
        none, day = table["error"].isna(), (table["time_s"] // DAY).astype(np.int64)
        crash = table["width"] > 5 * CLOSE_ENOUGH
        count = table.groupby(["collateral_symbol", "debt_symbol"])["time_s"].transform("size")
        reasons = {
            "no price in the files": none,
            "inside the envelope: the market moved within the hours": inside,
            "outside, in hours that moved by more than 10 %": crash,
            "outside, in a pair with fewer than 20 events": count < 20,
            "outside, otherwise": ~day.isna(),
        }
        counted, rest = {}, far
        for reason, hit in reasons.items():
            counted[reason] = int((rest & hit).sum())
            rest = rest & ~hit
        return counted


def replay(
    events: pd.DataFrame,
    files: Sequence[Mapping[str, Series]],
    price_symbols: Mapping[str, Sequence[str]],
    bonuses: Sequence[tuple[str, float, float]] = (),
    age_s: float | None = None,
    hours: float = 1.0,
) -> Replay:
    """Compare a log with prices.

    Parameters
    ----------
    events : as `chain.event_files.read_liquidations` gives them.
    files : prices by symbol, best file first.
    price_symbols : names under which a symbol's prices are filed; its own name where there is none.
    bonuses : (collateral, from second, ratio); a collateral that is not named here gets recovered bonuses.
    age_s : age of the oracle's prices, seconds, one for all events; None to choose the one from 0 to an hour that fits best.
    hours : the envelope spans this many hours before and after.
    """
    if not len(events):
        raise InputError("the log holds no events")
    series = _joined(events, files, price_symbols)
    candidates = AGES_S if age_s is None else (age_s,)
    tried = [_fitted(events, series, bonuses, age) for age in candidates]
    ages = tuple(
        (float(age), float((error.abs() <= CLOSE_ENOUGH).mean()))
        for age, (_, error) in zip(candidates, tried, strict=True)
    )
    best = int(np.argmin([error.abs().fillna(MOST_ERROR).clip(upper=MOST_ERROR).mean() for _, error in tried]))
    age, periods = float(candidates[best]), tried[best][0]
    table = _against(events, series, age, hours)
    table["implied_ratio"] = table["debt_amount"] * (1 + bonus_of(events, periods)) / table["collateral_amount"]
    table["error"] = table["implied_ratio"] / table["price_ratio"] - 1
    return Replay(
        table, periods, age, hours, ages, _controls(events, series, bonuses, age, hours, periods), _gaps(events, series)
    )


def bonus_of(events: pd.DataFrame, periods: Sequence[Period]) -> pd.Series:
    """The bonus of each event's collateral at its time; NaN before the first period of a collateral."""
    found = pd.Series(np.nan, index=events.index)
    for period in sorted(periods, key=lambda one: one.since_s):
        found[(events["collateral_symbol"] == period.symbol) & (events["time_s"] >= period.since_s)] = (
            period.bonus_ratio
        )
    return found


def recover(symbol: str, time_s: FloatArray, stated: FloatArray) -> list[Period]:
    """Bonuses of one collateral with their change dates.

    Parameters
    ----------
    stated : collateral value over debt value of each event, at market prices; `time_s` in order.
    """
    days, place, size = np.unique(time_s // DAY, return_inverse=True, return_counts=True)
    off = np.minimum(np.abs(np.log(stated)[:, None] - np.log1p(GRID)), MOST_ERROR)
    cost = np.zeros((len(days), len(GRID)))
    np.add.at(cost, place, off)
    cost *= (np.minimum(size, EVENTS_PER_DAY) / size)[:, None]
    total, came_from = cost[0], []
    for today in cost[1:]:
        changed = total.min() + CHANGE_COST
        came_from.append(np.where(total <= changed, np.arange(len(GRID)), total.argmin()))
        total = np.minimum(total, changed) + today
    path = [int(total.argmin())]
    for step in reversed(came_from):
        path.append(int(step[path[-1]]))
    level = _without_small_changes(np.array(path[::-1]), cost)[place]
    starts = [0, *(np.flatnonzero(np.diff(level)) + 1).tolist()]
    ends = [*starts[1:], len(level)]
    return [
        Period(
            symbol,
            float(time_s[start] // DAY * DAY),
            float(time_s[start - 1]) if start else None,
            float(GRID[level[start]]),
            end - start,
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _without_small_changes(path: npt.NDArray[np.int64], cost: FloatArray) -> npt.NDArray[np.int64]:
    """Join neighbours that differ by less than SMALLEST_CHANGE, smallest difference first; the best single level of both stands."""
    while True:
        cuts = np.flatnonzero(np.diff(path)) + 1
        edges = [0, *cuts.tolist(), len(path)]
        steps = [abs(int(path[cut] - path[cut - 1])) for cut in cuts]
        if not steps or min(steps) >= SMALLEST_CHANGE:
            return path
        first = int(np.argmin(steps))
        both = slice(edges[first], edges[first + 2])
        path[both] = cost[both].sum(axis=0).argmin()


def _fitted(
    events: pd.DataFrame,
    series: Mapping[str, Series],
    bonuses: Sequence[tuple[str, float, float]],
    age_s: float,
    learn: npt.NDArray[np.bool_] | None = None,
) -> tuple[tuple[Period, ...], pd.Series]:
    """(periods, error of every event) at one age; only events in `learn` decide about recovered bonuses."""
    ratio = _ratios(events, series, age_s)
    stated = (events["collateral_amount"] * ratio / events["debt_amount"]).to_numpy()
    given = {symbol for symbol, _, _ in bonuses}
    periods = _stated_periods(events, bonuses)
    usable = np.isfinite(stated) if learn is None else np.isfinite(stated) & learn
    for symbol, places in events.groupby("collateral_symbol").indices.items():
        known = places[usable[places]]
        if symbol not in given and len(known):
            found = recover(str(symbol), events["time_s"].to_numpy()[known], stated[known])
            periods += [replace(found[0], since_s=0.0), *found[1:]]
    error = (1 + bonus_of(events, periods)) / stated - 1
    return tuple(periods), pd.Series(error, index=events.index)


def _stated_periods(events: pd.DataFrame, bonuses: Sequence[tuple[str, float, float]]) -> list[Period]:
    periods = []
    for symbol, since, bonus in bonuses:
        later = min((other for name, other, _ in bonuses if name == symbol and other > since), default=np.inf)
        mine = (events["collateral_symbol"] == symbol) & (events["time_s"] >= since) & (events["time_s"] < later)
        if mine.any():
            periods.append(Period(symbol, since, None, bonus, int(mine.sum())))
    return periods


def _controls(
    events: pd.DataFrame,
    series: Mapping[str, Series],
    bonuses: Sequence[tuple[str, float, float]],
    age_s: float,
    hours: float,
    periods: Sequence[Period],
) -> dict[str, float]:
    implied = events["debt_amount"] / events["collateral_amount"]
    none = _against(events, series, age_s, hours)
    moved = _against(events, series, age_s + DAY, hours)
    with_bonus = implied * (1 + bonus_of(events, periods))
    held_out = _held_out(events, series, bonuses, age_s)
    controls = {} if held_out is None else {"within_2_percent_on_days_not_fitted": held_out}
    for name, table, ratio in (("without_bonus", none, implied), ("a_day_earlier", moved, with_bonus)):
        controls[f"within_2_percent_{name}"] = float(((ratio / table["price_ratio"] - 1).abs() <= CLOSE_ENOUGH).mean())
        controls[f"inside_envelope_{name}"] = float(_inside(table, ratio).mean())
    return controls


def _inside(table: pd.DataFrame, ratio: pd.Series) -> pd.Series:
    """Whether a ratio lies in the envelope, to 1e-9; an event without a price does not."""
    return (ratio >= table["low"] * (1 - ROUNDING)) & (ratio <= table["high"] * (1 + ROUNDING))


def _gaps(events: pd.DataFrame, series: Mapping[str, Series]) -> dict[str, int]:
    first, last = events["time_s"].min(), events["time_s"].max()
    inside = {name: (one.end_s >= first) & (one.end_s <= last) for name, one in series.items()}
    return {name: int((np.diff(series[name].end_s[mine]) > REACH_S).sum()) for name, mine in inside.items()}


def _held_out(
    events: pd.DataFrame, series: Mapping[str, Series], bonuses: Sequence[tuple[str, float, float]], age_s: float
) -> float | None:
    """Share within 2 % on odd days with bonuses recovered on even days, and the other way round; None where all bonuses were given."""
    if set(events["collateral_symbol"]) <= {symbol for symbol, _, _ in bonuses}:
        return None
    odd = (events["time_s"].to_numpy() // DAY % 2).astype(np.bool_)
    hits = sum(
        int((_fitted(events, series, bonuses, age_s, learn)[1][~learn].abs() <= CLOSE_ENOUGH).sum())
        for learn in (odd, ~odd)
    )
    return hits / len(events)


def _joined(
    events: pd.DataFrame, files: Sequence[Mapping[str, Series]], names: Mapping[str, Sequence[str]]
) -> dict[str, Series]:
    series = {}
    for symbol in sorted({*events["collateral_symbol"], *events["debt_symbol"]}):
        found = joined([file[name] for file in files for name in names.get(symbol, (symbol,)) if name in file])
        if found is not None:
            series[symbol] = found
    return series


def _ratios(events: pd.DataFrame, series: Mapping[str, Series], age_s: float) -> pd.Series:
    """Price of the collateral in the debt asset at the nearest sample to the time of the oracle's prices."""
    at = events["time_s"].to_numpy() - age_s
    sides = []
    for column in ("collateral_symbol", "debt_symbol"):
        price = np.full(len(events), np.nan)
        for symbol, places in events.groupby(column).indices.items():
            if str(symbol) in series:
                one = series[str(symbol)]
                near = nearest(one.end_s, at[places])
                price[places] = np.where(np.abs(one.end_s[near] - at[places]) <= REACH_S, one.close[near], np.nan)
        sides.append(price)
    return pd.Series(sides[0] / sides[1], index=events.index)


def _against(events: pd.DataFrame, series: Mapping[str, Series], age_s: float, hours: float) -> pd.DataFrame:
    at = events["time_s"].to_numpy() - age_s
    bounds = {}
    for column in ("collateral_symbol", "debt_symbol"):
        low, high = np.full(len(events), np.nan), np.full(len(events), np.nan)
        for symbol, places in events.groupby(column).indices.items():
            if str(symbol) not in series:
                continue
            one = series[str(symbol)]
            first = np.searchsorted(one.end_s, at[places] - hours * HOUR)
            last = np.searchsorted(one.start_s, at[places] + hours * HOUR, side="right")
            for place, begin, end in zip(places, first, last, strict=True):
                if end > begin:
                    low[place], high[place] = one.low[begin:end].min(), one.high[begin:end].max()
        bounds[column] = (low, high)
    collateral, debt = bounds["collateral_symbol"], bounds["debt_symbol"]
    ratio = _ratios(events, series, age_s)
    known = ratio.notna().to_numpy()
    table = events.assign(
        price_ratio=ratio,
        low=np.where(known, collateral[0] / debt[1], np.nan),
        high=np.where(known, collateral[1] / debt[0], np.nan),
    )
    return table.assign(width=table["high"] / table["low"] - 1)
