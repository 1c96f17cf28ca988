"""Hourly prices that a forecast looks back on, a user's or the embedded ones, and the instants that are asked for: the words of the command, checked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aftershock.durations import duration_s
from aftershock.forecasting.slips import Slip, slip_at_seam, slips_of
from chain.errors import InputError, many
from chain.files.price_files import Stamp, folded, names_read, told_of_names
from chain.files.price_panel import span
from models.features.windows import ENOUGH_BARS
from models.panel import COLUMNS, IntArray, Panel, joined_forward, read_panel
from models.task import DAY_S, HOUR_S

if TYPE_CHECKING:
    from graph.protocol_graph import ProtocolGraph

SAMPLE_PRICES = Path(__file__).parent.parent / "sample" / "prices" / "bars.parquet"
SAMPLE_CAPTION = "invented prices"
"""What stands beside every number that comes from the embedded price sample (tests/devnet/sample_prices.py drew it)."""
BAR_S = HOUR_S
LEAST_CLOSES = ENOUGH_BARS + 1
"""Before an instant, for the simplest model to answer: it needs ENOUGH_BARS returns, and a return is of two closes."""
APART, MOST_APART = 0.02, 0.05
"""Closes of two files for one bar contradict each other from this ratio on: exchanges lie nearer, but for single bars of a crash. More than this share of such bars are two different series."""


@dataclass(frozen=True)
class Priced:
    """A panel, and what must stand beside whatever is made of it (nothing for a user's own file).

    Attributes
    ----------
    graphs : protocol graphs, each with the instant (Unix seconds) from which it is known, in order (`aftershock.forecasting.chain_columns`).
    tables : a sentence for each snapshot and history that was given.
    slips : moves that are to be told if they are looked back on.
    """

    panel: Panel
    name: str
    caption: str = ""
    graphs: "tuple[tuple[int, ProtocolGraph], ...]" = ()
    tables: tuple[str, ...] = ()
    slips: tuple[Slip, ...] = ()


def price_names(assets: Sequence[str]) -> dict[str, str]:
    """What an asset may be called on a chain, `folded` -> its symbol in the prices: the symbol itself, or wrapped (WETH for ETH)."""
    return {folded(f"W{asset}"): asset for asset in assets} | {folded(asset): asset for asset in assets}


def instant_s(text: str, option: str) -> int:
    """Unix seconds of a date or time, UTC if it has no zone; InputError names the option."""
    wrong = InputError(f"{option} is {text!r}, which is no date; write 2023-06-01 or 2023-06-01T12:00Z")
    if not text[:1].isdecimal():  # pandas takes "now", "today" and nothing at all for instants
        raise wrong
    try:
        found = pd.to_datetime(text, format="ISO8601")  # of no other form: 05/06 is one of two days, 10:00 one of any
    except ValueError as error:
        raise wrong from error
    return int((found.tz_localize("UTC") if found.tzinfo is None else found).timestamp())


class Span:
    """The instants that are asked for, as the words of the command; what is wrong with the words is said before any file is read.

    With `first`: that instant, and every `every` after it up to `last`, or up to the end of the prices. Without: one instant, the last one by `last` that lies whole steps after
    a midnight (UTC). `at` is that instant alone. All are whole hours.
    """

    def __init__(
        self, every: str = "24h", first: str | None = None, last: str | None = None, at: str | None = None
    ) -> None:
        self.every, self.first, self.last, self.at = every, first, last, at
        self.step_s = duration_s(every, "--every")
        self.first_s = None if first is None else instant_s(first, "--from")
        self.last_s = None if last is None else instant_s(last, "--to")
        self.at_s = None if at is None else instant_s(at, "--at")
        if self.first_s is not None and self.last_s is not None and self.first_s > self.last_s:
            raise InputError(f"--from {first} lies after --to {last}; turn them round")
        for option, text, time_s in (("--at", at, self.at_s), ("--from", first, self.first_s)):
            if time_s is not None and time_s % BAR_S:
                raise InputError(f"{option} is {text}; give a whole hour, such as 2023-06-01T12:00Z")
        if self.step_s % BAR_S:
            raise InputError(f"--every is {every}; forecasts stand at whole hours, so give hours or days, such as 6h")

    def instants(self, name: str, end_s: IntArray) -> IntArray:
        """Those for which the file `name`, whose bars end at `end_s`, has prices; InputError if there are none."""
        begin, end = int(end_s[0]), int(end_s[-1])
        for option, text, time_s in (("--at", self.at, self.at_s), ("--from", self.first, self.first_s)):
            if time_s is not None and time_s > end:
                raise InputError(
                    f"{option} is {text}, and {name} ends at {written(end)} UTC; ask for an earlier instant"
                )
        for option, text, time_s in (("--at", self.at, self.at_s), ("--to", self.last, self.last_s)):
            if time_s is not None and time_s < begin:
                raise InputError(
                    f"{option} is {text}, and {name} begins at {written(begin)} UTC; ask for a later instant"
                )
        if self.at_s is not None:
            return np.array([self.at_s], dtype=np.int64)
        to_s = end if self.last_s is None else min(self.last_s, end)
        midnight_s = to_s // DAY_S * DAY_S
        from_s = to_s - (to_s - midnight_s) % self.step_s if self.first_s is None else self.first_s
        found = np.arange(from_s, to_s + 1, self.step_s, dtype=np.int64)
        found = found[found >= begin]
        if not len(found):
            raise InputError(
                f"{name} knows prices from {written(begin)} to {written(end)} UTC, and none of the instants asked for, {self.every} apart from {written(from_s)} on, lies there; "
                "change --from, --to or --every"
            )
        return found


LAST = Span()


def refuse_unreadable(prices: Path | None, stamp: str | None, bar: str, history: Path | None = None) -> None:
    """InputError unless these options name hourly prices, before anything is read."""
    if stamp not in (None, "open", "close"):
        raise InputError(f"--stamp is {stamp!r}; write open or close")
    if prices is None and (stamp is not None or history is not None):
        raise InputError("--stamp and --history say how to read --prices FILE; name the file, or leave them out")
    for option, path in (("--prices", prices), ("--history", history)):
        if path is not None and not path.is_file():
            is_folder = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"{option} {path} {is_folder}; give a CSV or Parquet file")
    if duration_s(bar, "--bar") != BAR_S:
        raise InputError(
            f"--bar is {bar}; forecasts and training are of hourly bars, so put the prices on hours and say --bar 1h"
        )


def read_prices(
    prices: Path | None,
    stamp: Stamp | None = None,
    bar: str = "1h",
    history: Path | None = None,
    now_s: float | None = None,
) -> Priced:
    """Hourly bars of a user's file and, if given, an earlier one (where both have a bar, `prices` counts); the embedded sample if None. Bars that end after `now_s` are told (Unix seconds; the machine's clock if None).

    Raises
    ------
    InputError
        If a file or an option cannot be used, the two files contradict each other, or no asset has prices an hour apart.
    """
    refuse_unreadable(prices, stamp, bar, history)
    if prices is None:
        return Priced(read_panel(SAMPLE_PRICES, "close", BAR_S), "the embedded sample", SAMPLE_CAPTION)
    panel, name = read_panel(prices, stamp, BAR_S, as_written=True), prices.name
    at_seam: tuple[Slip, ...] = ()
    if history is not None:
        earlier = read_panel(history, stamp, BAR_S, as_written=True, among=panel.assets)
        _require_earlier((name, panel), (history.name, earlier))
        panel, earlier = _named_alike(panel, earlier)
        told = _agree((prices.name, panel), (history.name, earlier))
        at_seam = slip_at_seam((prices.name, panel), (history.name, earlier))
        panel, name = _with_history(panel, earlier, told), f"{prices.name} with {history.name}"
    _require_hours(name, panel)
    told = _told_of_future(name, panel, time.time() if now_s is None else now_s)
    joined = joined_forward(replace(panel, notes=(*panel.notes, *told)))
    return Priced(joined, name, slips=(*slips_of(name, panel, joined), *at_seam))


def require_closes(name: str, panel: Panel, until_s: int) -> None:
    """InputError if no asset has closes enough until then for any model."""
    closes = int(np.isfinite(panel.close[panel.end_s <= until_s]).sum(axis=0).max())
    if closes < LEAST_CLOSES:
        raise InputError(
            f"{name} has {many(closes, 'hourly close')} until {written(until_s)} UTC, and the simplest model looks back on "
            f"{LEAST_CLOSES}; give more, or an earlier file with --history"
        )


def _require_earlier(late: tuple[str, Panel], early: tuple[str, Panel]) -> None:
    """InputError if a history begins after the prices that it should go before have ended."""
    (name, panel), (other, earlier) = late, early
    if earlier.end_s[0] > panel.end_s[-1]:
        raise InputError(
            f"--history {other} begins at {written(int(earlier.end_s[0]))} UTC, after --prices {name} has ended at {written(int(panel.end_s[-1]))} UTC; "
            "--history takes earlier prices, so turn the two round"
        )


def _require_hours(name: str, panel: Panel) -> None:
    """InputError if prices of every asset usually stand further apart than a bar."""
    steps = [np.diff(panel.end_s[np.isfinite(close)]) for close in panel.close.T]
    usual_s = min((float(np.median(step)) for step in steps if len(step)), default=float(BAR_S))
    if usual_s > BAR_S:
        raise InputError(
            f"{name} has prices {span(usual_s)} apart, and the models look back on hourly ones; give one price an hour"
        )


def _told_of_future(name: str, panel: Panel, now_s: float) -> tuple[str, ...]:
    """That bars end after an instant."""
    late = panel.end_s[np.isfinite(panel.close).any(axis=1) & (panel.end_s > now_s)]
    if not len(late):
        return ()
    sentence = (
        f"{name} has prices until {written(int(late[-1]))} UTC, and by the clock of this machine it is {written(int(now_s))}: "
        f"{many(len(late), 'hour')} of them lie in the future, so stamps or clock are wrong, or the prices are invented"
    )
    return (sentence,)


def _named_alike(panel: Panel, earlier: Panel) -> tuple[Panel, Panel]:
    """Two panels of which each asset has one name in both, and a note of it."""
    named = names_read((*panel.assets, *earlier.assets))
    one, other = (replace(part, assets=tuple(named[asset] for asset in part.assets)) for part in (panel, earlier))
    return replace(one, notes=(*one.notes, *told_of_names(named))), other


def _agree(late: tuple[str, Panel], early: tuple[str, Panel]) -> tuple[str, ...]:
    """Two files, each with its name: a sentence for each asset on single bars in which their closes contradict each other; InputError if there are many."""
    (name, panel), (other, earlier) = late, early
    shared, mine, theirs = np.intersect1d(panel.end_s, earlier.end_s, assume_unique=True, return_indices=True)
    told = []
    for asset in panel.assets:
        if asset not in earlier.assets:
            continue
        now = panel.close[mine, panel.assets.index(asset)]
        before = earlier.close[theirs, earlier.assets.index(asset)]
        both = np.isfinite(now) & np.isfinite(before)
        wrong = np.flatnonzero(both & (np.abs(np.log(now / before)) > np.log1p(APART)))
        if not len(wrong):
            continue
        at, bars = wrong[0], f"{len(wrong):,} of {many(int(both.sum()), 'bar')}"
        said = (
            f"in {bars} of {asset} that both files have their closes differ by more than {APART * 100:.0f} %; the first ends at {written(int(shared[at]))} UTC, "
            f"where {name} says {now[at]:.6g} and {other} {before[at]:.6g}"
        )
        if len(wrong) > MOST_APART * both.sum():
            raise InputError(
                f"{said}; give a --history of the same prices in the same currency and stamped alike, or end it before {name} begins"
            )
        told.append(f"{said}; what {name} says counts")
    return tuple(told)


def _with_history(panel: Panel, earlier: Panel, told: Sequence[str]) -> Panel:
    """One panel from two, in the units of their files; where both have a bar the first counts. `told` is added to what they say."""
    first, last = min(panel.end_s[0], earlier.end_s[0]), max(panel.end_s[-1], earlier.end_s[-1])
    clock = np.arange(first, last + 1, BAR_S, dtype=np.int64)
    extras = tuple(dict.fromkeys((*panel.extras, *earlier.extras)))
    columns = {name: np.full((len(clock), len(panel.assets)), np.nan) for name in (*COLUMNS, *extras)}
    for part in (earlier, panel):
        rows = (part.end_s - first) // BAR_S
        given = {name: getattr(part, name) for name in COLUMNS} | dict(part.extras)
        for n, asset in enumerate(panel.assets):
            if asset in part.assets:
                known = np.isfinite(part.close[:, part.assets.index(asset)])
                for name, values in given.items():
                    columns[name][rows[known], n] = values[known, part.assets.index(asset)]
    notes = tuple(dict.fromkeys((*earlier.notes, *panel.notes, *told)))
    opens, highs, lows, closes, volumes = (columns[name] for name in COLUMNS)
    more = {name: columns[name] for name in extras}
    return Panel(panel.assets, clock, opens, highs, lows, closes, volumes, BAR_S, notes, more)


def written(at_s: int) -> str:
    """An instant in UTC as a sentence has it."""
    return f"{pd.Timestamp(at_s, unit='s'):%Y-%m-%d %H:%M}"
