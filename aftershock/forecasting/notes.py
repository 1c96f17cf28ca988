"""What must be said beside a forecast of prices: bars that are missing, series that ended or hardly move, assets that no model was trained on, and when the models were trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aftershock.forecasting.hourly_prices import LEAST_CLOSES, Span, written
from chain.errors import many
from chain.files.price_files import folded
from models.features.columns import COLUMN_FEATURES
from models.features.surroundings import LEADERS
from models.panel import BoolArray, IntArray, Panel
from models.samples import Samples
from models.task import DAY_S

LOOK_BACK_S = 90 * DAY_S
"""Behind the first instant, where a missing bar is told: twelve weeks are the longest window of a feature, ninety days that of correlations."""
TRADED_S = 30 * DAY_S
"""The longest window of a feature of trading."""
STALE_S = DAY_S
OLD_S = 366 * DAY_S
"""From when on a model is called old, after the end of its training."""
PEGGED = 2e-4
"""Median absolute log return of an hour below which an asset is taken to be pegged."""
NAMED = 6
NINE_IN_TEN = 3.2897
"""Deviations that nine in ten draws of a normal law span; a Student t of the same deviation spans less, with 2.5 degrees of freedom 0.70 of it."""
LEAST_SPAN, MOST_SPAN, FAR_MEDIAN = 0.65, 1.1, 0.15
"""Between these the calibrated span is one of the stated deviation, and a median return of fewer deviations is none."""


@dataclass(frozen=True)
class Hole:
    """Bars of one asset that are missing between bars that are there: how many, in how many gaps, and the longest gap with the end of its first and last bar."""

    asset: str
    bars: int
    gaps: int
    longest_bars: int
    longest_from_s: int
    longest_to_s: int

    def to_dict(self) -> dict[str, str | int]:
        """As it goes into JSON, instants in UTC."""
        first, last = (
            f"{pd.Timestamp(at, unit='s'):%Y-%m-%dT%H:%M:%SZ}" for at in (self.longest_from_s, self.longest_to_s)
        )
        return {
            "asset": self.asset,
            "bars": self.bars,
            "gaps": self.gaps,
            "longest_bars": self.longest_bars,
            "longest_from": first,
            "longest_to": last,
        }


def holes(panel: Panel, instants: IntArray) -> tuple[Hole, ...]:
    """What is missing in the look-back of some instants, most bars first.

    Bars before an asset's first one are not missing; nor are those after its last one, if that lies more than a day before the last instant: `told_of_series` says so.
    """
    until_s = int(instants[-1])
    end_s = panel.end_s[panel.end_s <= until_s]
    found = []
    for asset, close in zip(panel.assets, panel.close.T, strict=True):
        known = np.flatnonzero(np.isfinite(close[: len(end_s)]))
        if not len(known):
            continue
        has_ended = until_s - end_s[known[-1]] > STALE_S
        first = max(int(known[0]), int(np.searchsorted(end_s, int(instants[0]) - LOOK_BACK_S, side="right")))
        missing = first + np.flatnonzero(np.isnan(close[first : known[-1] + 1 if has_ended else len(end_s)]))
        if len(missing):
            runs = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
            longest = max(runs, key=len)
            found.append(
                Hole(asset, len(missing), len(runs), len(longest), int(end_s[longest[0]]), int(end_s[longest[-1]]))
            )
    return tuple(sorted(found, key=lambda one: (-one.bars, one.asset)))


def told_of_holes(found: Sequence[Hole]) -> tuple[str, ...]:
    """Which bars are missing, in one sentence."""
    if not found:
        return ()
    each = []
    for one in found:
        where = f"from {written(one.longest_from_s)} UTC"
        if one.gaps > 1:
            where = f"in {many(one.gaps, 'gap')}, the longest {one.longest_bars} {where}"
        each.append(f"{one.asset} {many(one.bars, 'bar')} {where}")
    return (f"bars are missing in what is looked back on, and nothing is filled in: {_listed(each, '; ')}",)


def told_of_tables(tables: Sequence[str], asked: Samples, features: Sequence[str]) -> tuple[str, ...]:
    """What was given beside the prices, that nobody reads it, or how often what is read is not known.

    Parameters
    ----------
    tables : a sentence for each (`aftershock.forecasting.hourly_prices.Priced`). asked : what the models are asked with. features : those that they read.
    """
    told = [f"beside the prices: {one}" for one in tables]
    read = [name for name in features if name in COLUMN_FEATURES]
    if tables and not read:
        told.append(
            "these models read nothing of what stands beside the prices; train volatility --tables makes models that do"
        )
    lacking = {name: int(np.isnan(asked.feature(name)).sum()) for name in read}
    if any(lacking.values()):
        each = [f"{name} {count:,}" for name, count in lacking.items() if count]
        told.append(
            f"of {asked.y.size:,} forecasts so many do not know what models read beside the prices: {_listed(each)}; the mean in training stands there, and the score is not one of such forecasts"
        )
    return tuple(told)


def told_of_volume(panel: Panel, instants: IntArray, reading: BoolArray) -> tuple[str, ...]:
    """Of which assets no bar that is looked back on has a volume, while a model that reads volumes answers for them.

    `reading` by (instant, asset): whether such a model answers there.
    """
    seen = (panel.end_s > int(instants[0]) - TRADED_S) & (panel.end_s <= int(instants[-1]))
    known = np.isfinite(panel.volume[seen]).any(axis=0)
    names = [panel.assets[number] for number in np.flatnonzero(~known & reading.any(axis=0))]
    whose = f"no volume of {_listed(names)}" if known.any() else "no volume"
    told = f"the prices have {whose}: what models read of trading is the mean in training, and the score is not one of such forecasts"
    return (told,) if names else ()


def told_of_span(asked: Span, panel: Panel) -> tuple[str, ...]:
    """That instants were asked for that lie before or after the prices."""
    begin, end = int(panel.end_s[0]), int(panel.end_s[-1])
    told = []
    if asked.first_s is not None and asked.first_s < begin:
        told.append(
            f"--from is {asked.first}, and the prices begin at {written(begin)} UTC: nothing is forecast before"
        )
    if asked.last_s is not None and asked.last_s > end:
        told.append(f"--to is {asked.last}, and the prices end at {written(end)} UTC: nothing is forecast after")
    return tuple(told)


def told_of_series(panel: Panel, until_s: int, answered: BoolArray) -> tuple[str, ...]:
    """What must be said of series that are answered: that one ended before the last instant, or that it hardly moves, while no model was trained on such an asset.

    `answered` by (instant, asset): whether there is a forecast; the last instant is `until_s`.
    """
    seen, told = panel.end_s <= until_s, []
    for n in np.flatnonzero(answered.any(axis=0)):
        asset, close = panel.assets[n], panel.close[seen, n]
        known = np.flatnonzero(np.isfinite(close))
        last_s = int(panel.end_s[seen][known[-1]])
        if answered[-1, n] and until_s - last_s > STALE_S:
            told.append(
                f"{asset} has no price after {written(last_s)} UTC: its forecast looks back on what was known then"
            )
        if np.median(np.abs(np.diff(np.log(close[known[-LEAST_CLOSES:]])))) < PEGGED:
            told.append(
                f"{asset} hardly moves: models were trained on assets that trade freely, and it lowers what others see as the market; leave it out"
            )
    return tuple(told)


def leaders_missing(assets: Sequence[str], features: Sequence[str]) -> tuple[str, ...]:
    """Bitcoin or Ether, where some features are of them and the prices do not have them (`models.features.surroundings` puts the market's there)."""
    return tuple(
        leader
        for leader in LEADERS
        if folded(leader) not in map(folded, assets) and any(name.startswith(f"{leader.lower()}_") for name in features)
    )


def leaders_thin(asked: Samples, features: Sequence[str], answered: BoolArray) -> dict[str, int]:
    """Bitcoin or Ether, where the prices have them and too few of them for what the models read: at how many of the instants with an answer (`answered`, by instant and asset) the market's moves stand there."""
    found = {}
    for place, asset in enumerate(asked.assets):
        stems = [name.partition("_") for name in features if name.partition("_")[0] == folded(asset)]
        own = [asked.feature(stem)[:, place] for _, _, stem in stems if stem in asked.names]
        if asset.upper() in LEADERS and own and (thin := np.isnan(own).any(axis=0) & answered.any(axis=1)).any():
            found[asset] = int(thin.sum())
    return found


def told_of_assets(
    unseen: Sequence[str], leaders: Sequence[str], thin: Mapping[str, int], instants: int
) -> tuple[str, ...]:
    """Assets that were not in training, and leaders whose place the market takes, at each of the instants or (`thin`) at some of them, a sentence each."""
    told = []
    if unseen:
        were, their = ("was", "its") if len(unseen) == 1 else ("were", "their")
        told.append(f"{_listed(unseen)} {were} not in training: answered from {their} own moves and the market's alone")
    if leaders:
        what = "it" if len(leaders) == 1 else "them"
        told.append(
            f"no {' and no '.join(leaders)} among the prices: what models read of {what} is the mean of all assets there instead"
        )
    for name, count in thin.items():
        where = f"at {count:,} of {many(instants, 'instant')}" if instants > 1 else "at the instant"
        told.append(
            f"too few prices of {name} are known {where}: what models read of it is the mean of all assets there instead"
        )
    return tuple(told)


def told_of_ranges(table: pd.DataFrame) -> tuple[str, ...]:
    """Of which models that answer the calibrated returns are not those of the stated deviation, a sentence each; `table` as of `aftershock.forecasting.forecasts.Forecasts`."""
    deviation = np.sqrt(table["variance"])
    spans = ((table["q95"] - table["q05"]) / deviation / NINE_IN_TEN).groupby(table["model"], sort=False).median()
    medians = (table["q50"] / deviation).groupby(table["model"], sort=False).median()
    return tuple(
        f"{model}: the ranges of returns do not fit the deviations; nine in ten span {spans[model]:.2f} times what a normal law of that deviation does, around a median of {medians[model]:+.2f} deviations, "
        "as they did when it was scored, and draws follow them; its scored window was no usual one, so train on a longer history"
        for model in spans.index
        if not LEAST_SPAN <= spans[model] <= MOST_SPAN or abs(medians[model]) > FAR_MEDIAN
    )


def told_of_training(instants: IntArray, cutoff_s: int) -> tuple[str, ...]:
    """What must be said of when models were trained: forecasts for instants that training saw, and models that are old."""
    seen, until, told = int((instants < cutoff_s).sum()), written(cutoff_s), []
    if seen:
        which = f"{seen:,} of {many(len(instants), 'instant')}" if len(instants) > 1 else "the instant"
        told.append(
            f"{which} {'lies' if seen == 1 else 'lie'} before {until} UTC, until which the models were trained: "
            "a forecast there is of prices that training may have seen, and no score stands for it"
        )
    if int(instants[-1]) - cutoff_s > OLD_S:
        told.append(
            f"the models were trained until {until} UTC, more than a year before the last instant; aftershock train volatility trains newer ones"
        )
    return tuple(told)


def _listed(names: Sequence[str], between: str = ", ") -> str:
    """The first few names, and how many more."""
    more = len(names) - NAMED
    return between.join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
