"""A log of real liquidations against prices: one bonus per collateral and period, and how far each event lies from the prices.

A liquidation at oracle prices p pays `collateral x p_c = debt x p_d x (1 + bonus)` (Aave V2, LiquidationCallManager,
_calculateAvailableCollateralToLiquidate), so each event states the price of its collateral in its debt asset times the bonus. We do not
know the oracle's prices, only hourly ones of markets; a bonus is a constant that governance sets, and `simulations.bonuses` recovers it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.errors import InputError
from chain.files.price_files import Series
from simulations.bonuses import DAY, MOST_ERROR, Period, recover
from simulations.event_prices import against, inside_envelope, price_gaps, ratios, series_of

AGES_S = tuple(range(0, 3_601, 300))
CLOSE_ENOUGH = 0.02
SLIGHTLY = 0.01
OLDER_HOURS = 6.0


@dataclass(frozen=True)
class Replay:
    """Every event against the prices.

    `events` has, beside the columns of the log: price_ratio (collateral in debt asset at the nearest hour, NaN without a price),
    implied_ratio (what the event itself states, given the bonus), error (implied over nearest, less 1), low, high (the envelope of price_ratio
    over the surrounding hours), width (high over low, less 1), fits_older (whether the envelope of six hours before and after holds it).
    `ages` are the oracle ages that were tried, each with its share of all events within 2 %. `controls` say how much the figures mean: the
    same on days that did not decide the bonuses, with no bonus at all, and with every event moved by a day. `price_gaps` counts, for each
    symbol of the log, the gaps of more than 90 minutes in its prices between the first and the last event; `unknown` symbols have no price.
    """

    events: pd.DataFrame
    periods: tuple[Period, ...]
    age_s: float
    hours: float
    ages: tuple[tuple[float, float], ...]
    controls: Mapping[str, float]
    price_gaps: Mapping[str, int]
    unknown: tuple[str, ...] = ()

    def figures(self) -> dict[str, Any]:
        """Shares of all events and of those that have a price; widths of the envelope in percent."""
        table = self.events
        priced = table["error"].notna()
        near = {f"within_{percent}_percent": (table["error"].abs() <= percent / 100) for percent in (1, 2, 5)}
        inside = inside_envelope(table, table["implied_ratio"])
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
        inside = inside_envelope(table, table["implied_ratio"])
        none, day = table["error"].isna(), (table["time_s"] // DAY).astype(np.int64)
        crash = table["width"] > 5 * CLOSE_ENOUGH
        beyond = np.maximum(table["low"] / table["implied_ratio"], table["implied_ratio"] / table["high"]) - 1
        count = table.groupby(["collateral_symbol", "debt_symbol"])["time_s"].transform("size")
        reasons = {
            "no price in the files": none,
            "inside the envelope: the market moved within the hours": inside,
            "outside by at most 1 %: the error of a bonus, the deviation of a feed": beyond <= SLIGHTLY,
            "outside by more, but inside six hours before and after: an older price fits": table["fits_older"],
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
    events : as `chain.files.event_files.read_liquidations` gives them.
    files : prices by symbol, best file first.
    price_symbols : names under which a symbol's prices are filed; its own name where there is none.
    bonuses : (collateral, from second, ratio); a collateral that is not named here gets recovered bonuses.
    age_s : age of the oracle's prices, seconds, one for all events; None to choose the one from 0 to an hour that fits best.
    hours : the envelope spans this many hours before and after.

    Raises
    ------
    InputError
        If the log is empty, or no event of it has a price: then the symbols or the times of the files are others.
    """
    if not len(events):
        raise InputError("the log holds no events")
    series = series_of(events, files, price_symbols)
    unknown = tuple(sorted({*events["collateral_symbol"], *events["debt_symbol"]} - set(series)))
    if ratios(events, series, age_s or 0.0).isna().all():
        raise _uncovered(events, files, unknown)
    candidates = AGES_S if age_s is None else (age_s,)
    tried = [_fitted(events, series, bonuses, age) for age in candidates]
    ages = tuple(
        (float(age), float((error.abs() <= CLOSE_ENOUGH).mean()))
        for age, (_, error) in zip(candidates, tried, strict=True)
    )
    best = _best([error for _, error in tried])
    age, periods = float(candidates[best]), tried[best][0]
    table = against(events, series, age, hours)
    table["implied_ratio"] = table["debt_amount"] * (1 + bonus_of(events, periods)) / table["collateral_amount"]
    table["error"] = table["implied_ratio"] / table["price_ratio"] - 1
    table["fits_older"] = inside_envelope(against(events, series, age, OLDER_HOURS), table["implied_ratio"])
    controls = {
        **_controls(events, series, bonuses, age, hours, periods),
        **_second_half(events, series, bonuses, candidates, hours),
    }
    return Replay(table, periods, age, hours, ages, controls, price_gaps(events, series), unknown)


def _uncovered(events: pd.DataFrame, files: Sequence[Mapping[str, Series]], unknown: Sequence[str]) -> InputError:
    """Why no event has a price: the log's symbols and days beside those of the price files."""

    def day(time_s: float) -> str:
        return str(pd.Timestamp(time_s, unit="s").date())

    known = {name: one for file in files for name, one in file.items()}
    there = (
        f"prices of {', '.join(sorted(known)[:8])} from {day(min(one.end_s[0] for one in known.values()))} to {day(max(one.end_s[-1] for one in known.values()))}"
        if known
        else "no prices"
    )
    lacking = f", without {', '.join(unknown[:8])}" if unknown else ""
    return InputError(
        f"no event of the log has a price: its events are from {day(events['time_s'].min())} to {day(events['time_s'].max())}, the files have {there}{lacking}; "
        "give prices of those days, and name a symbol that is filed otherwise in --params (symbol, price_symbol)"
    )


def bonus_of(events: pd.DataFrame, periods: Sequence[Period]) -> pd.Series:
    """The bonus of each event's collateral at its time; NaN before the first period of a collateral."""
    found = pd.Series(np.nan, index=events.index)
    for period in sorted(periods, key=lambda one: one.since_s):
        found[(events["collateral_symbol"] == period.symbol) & (events["time_s"] >= period.since_s)] = (
            period.bonus_ratio
        )
    return found


def _fitted(
    events: pd.DataFrame,
    series: Mapping[str, Series],
    bonuses: Sequence[tuple[str, float, float]],
    age_s: float,
    learn: npt.NDArray[np.bool_] | None = None,
) -> tuple[tuple[Period, ...], pd.Series]:
    """(periods, error of every event) at one age; only events in `learn` decide about recovered bonuses."""
    ratio = ratios(events, series, age_s)
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
    none = against(events, series, age_s, hours)
    moved = against(events, series, age_s + DAY, hours)
    with_bonus = implied * (1 + bonus_of(events, periods))
    held_out = _held_out(events, series, bonuses, age_s)
    controls = {} if held_out is None else {"within_2_percent_on_days_not_fitted": held_out}
    for name, table, ratio in (("without_bonus", none, implied), ("a_day_earlier", moved, with_bonus)):
        controls[f"within_2_percent_{name}"] = float(((ratio / table["price_ratio"] - 1).abs() <= CLOSE_ENOUGH).mean())
        controls[f"inside_envelope_{name}"] = float(inside_envelope(table, ratio).mean())
    return controls


def _best(errors: Sequence[pd.Series]) -> int:
    """The errors with the least mean, each counted as 5 % at most and as 5 % where there is none."""
    return int(np.argmin([error.abs().fillna(MOST_ERROR).clip(upper=MOST_ERROR).mean() for error in errors]))


def _second_half(
    events: pd.DataFrame,
    series: Mapping[str, Series],
    bonuses: Sequence[tuple[str, float, float]],
    candidates: Sequence[float],
    hours: float,
) -> dict[str, float]:
    """The age chosen on the first half of the events alone, and with it the shares in the second half; nothing if all are of one instant.

    Bonuses change, so those of the second half are recovered in it, once from all its days and once (not fitted) from its other days.
    """
    time = events["time_s"].to_numpy()
    late = time >= np.sort(time)[len(time) // 2]
    if late.all():
        return {}
    age = float(candidates[_best([_fitted(events, series, bonuses, one, ~late)[1][~late] for one in candidates])])
    periods, error = _fitted(events, series, bonuses, age, late)
    table = against(events[late], series, age, hours)
    stated = (events["debt_amount"] * (1 + bonus_of(events, periods)) / events["collateral_amount"])[late]
    odd = (time // DAY % 2).astype(np.bool_)
    hits = sum(
        int((_fitted(events, series, bonuses, age, late & learn)[1][late & ~learn].abs() <= CLOSE_ENOUGH).sum())
        for learn in (odd, ~odd)
    )
    return {
        "age_s_chosen_on_first_half": age,
        "within_2_percent_second_half": float((error[late].abs() <= CLOSE_ENOUGH).mean()),
        "within_2_percent_second_half_on_days_not_fitted": hits / int(late.sum()),
        "inside_envelope_second_half": float(inside_envelope(table, stated).mean()),
    }


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
