"""Forecast volatility from a user's price file, with the models that ship with the package: offline, in seconds, without torch.

What is written is the table of `forecasts` (docs/files.md): variance is the expected sum of squared hourly log returns over the horizon, not annualised.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chain.errors import InputError, many
from chain.price_files import Stamp
from models.answering import Answering
from models.calibration import LEVELS
from models.features import price_features
from models.panel import COLUMNS, IntArray, Panel, joined_forward, read_panel
from models.samples import Samples
from models.store import Card, load
from models.task import HOUR_S, Task

SHIPPED = Path(__file__).parent / "sample" / "models"
HORIZONS = (1, 24, 168)
BAR_S = HOUR_S
LEAST_CLOSES = 112
"""Before an instant, for the simplest model to answer."""
UNITS_S = {"m": 60, "h": HOUR_S, "d": 86_400}
QUANTILES = tuple(f"q{round(100 * level):02d}" for level in LEVELS)


@dataclass(frozen=True)
class Forecasts:
    """A table of forecasts and how it came about.

    Attributes
    ----------
    table : as_of, asset, horizon_hours, variance, q05 ... q95 (log return), model, vq05 ... vq95 (variance); one row an answer.
    unanswered : (asset, how many instants) that no model could answer.
    notes : what was changed in the prices on reading.
    card : of the shipped models.
    """

    table: pd.DataFrame
    unanswered: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    card: Card


def duration_s(text: str, option: str) -> int:
    """Seconds of `1h`, `30m` or `1d`; InputError names the option."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS_S or not number.isdigit() or int(number) == 0:
        raise InputError(f"{option} is {text!r}; write a whole number and m, h or d, for example 1h")
    return int(number) * UNITS_S[unit]


def instant_s(text: str, option: str) -> int:
    """Unix seconds of a date or time, UTC if it has no zone; InputError names the option."""
    try:
        found = pd.Timestamp(text)
    except ValueError as error:
        raise InputError(f"{option} is {text!r}, which is no date; write 2023-06-01 or 2023-06-01T12:00Z") from error
    return int((found.tz_localize("UTC") if found.tzinfo is None else found).timestamp())


class Span:
    """The instants that are asked for, as the words of the command; what is wrong with the words is said before any file is read."""

    def __init__(self, every: str, first: str | None, last: str | None, at: str | None = None) -> None:
        self.every, self.first, self.last, self.at = every, first, last, at
        self.step_s = duration_s(every, "--every")
        self.first_s = None if first is None else instant_s(first, "--from")
        self.last_s = None if last is None else instant_s(last, "--to")
        self.at_s = None if at is None else instant_s(at, "--at")
        if self.first_s is not None and self.last_s is not None and self.first_s > self.last_s:
            raise InputError(f"--from {first} lies after --to {last}; turn them round")
        if self.at_s is not None and self.at_s % BAR_S:
            raise InputError(f"--at is {at}; give a whole hour, such as 2023-06-01T12:00Z")

    def instants(self, name: str, end_s: IntArray) -> IntArray:
        """Those for which the file `name`, whose bars end at `end_s`, has prices; InputError if there are none."""
        begin, end = int(end_s[0]), int(end_s[-1])
        for option, text, time_s in (("--at", self.at, self.at_s), ("--from", self.first, self.first_s)):
            if time_s is not None and time_s > end:
                raise InputError(f"{option} is {text}, and {name} ends at {_when(end)} UTC; ask for an earlier instant")
        for option, text, time_s in (("--at", self.at, self.at_s), ("--to", self.last, self.last_s)):
            if time_s is not None and time_s < begin:
                raise InputError(
                    f"{option} is {text}, and {name} begins at {_when(begin)} UTC; ask for a later instant"
                )
        if self.at_s is not None:
            return np.array([self.at_s], dtype=np.int64)
        to_s = end if self.last_s is None else min(self.last_s, end)
        from_s = to_s // self.step_s * self.step_s if self.first_s is None else self.first_s
        found = np.arange(-(-from_s // self.step_s) * self.step_s, to_s + 1, self.step_s, dtype=np.int64)
        found = found[found >= begin]
        if not len(found):
            raise InputError(
                f"{name} knows prices from {_when(begin)} to {_when(end)} UTC and no multiple of {self.every} lies in the span asked for; "
                "change --from, --to or --every"
            )
        return found


def require_hourly(bar: str, horizon_hours: int) -> None:
    """InputError unless there is a model for bars of this length and this many hours ahead."""
    if duration_s(bar, "--bar") != BAR_S:
        raise InputError(
            f"--bar is {bar}; the models that ship were trained on hourly bars, so put the prices on hours and say --bar 1h"
        )
    if horizon_hours not in HORIZONS:
        raise InputError(f"--horizon is {horizon_hours}; there are models for {', '.join(map(str, HORIZONS))} hours")


def forecast_file(
    prices: Path,
    stamp: Stamp | None = None,
    bar: str = "1h",
    history: Path | None = None,
    every: str = "24h",
    first: str | None = None,
    last: str | None = None,
    horizon_hours: int = 24,
    models: Path = SHIPPED,
    at: str | None = None,
) -> Forecasts:
    """Forecasts at each multiple of `every` (since 1970, UTC) from `first` to `last`, for each symbol of the file.

    Parameters
    ----------
    prices : timestamp, symbol, close [, open, high, low, volume]; hourly bars.
    stamp, bar : what a row's timestamp is, and how long a bar is.
    history : an earlier file of the same form; where both have a bar, `prices` counts.
    first, last : instants; by default the last one only that the file knows.
    models : folder of trained models, one folder a horizon.
    at : one instant on the hour, instead of `every`, `first` and `last`.

    Raises
    ------
    InputError
        If the file or an option cannot be used, or nothing can be answered.
    """
    require_hourly(bar, horizon_hours)
    asked = Span(every, first, last, at)
    panel = read_panel(prices, stamp, BAR_S)
    if history is not None:
        panel = _with_history(panel, read_panel(history, stamp, BAR_S, None))
    together = prices.name if history is None else f"{prices.name} with {history.name}"
    _require_closes(together, panel, int(panel.end_s[-1]))
    instants = asked.instants(prices.name, panel.end_s)
    _require_closes(together, panel, int(instants[-1]))
    task = Task(horizon_hours=horizon_hours)
    fitted, card = load(models / f"volatility_{horizon_hours}h")
    if not isinstance(fitted, Answering):
        raise InputError(
            f"{models} holds a {type(fitted).__name__} and not models that answer in turn; train them again"
        )
    features = price_features(panel, instants, horizon_hours)
    shape = (len(instants), len(panel.assets))
    samples = Samples(
        task, instants, panel.assets, tuple(features), np.stack(list(features.values()), axis=2), np.full(shape, np.nan)
    )
    answer = fitted.answer(samples)
    rows, assets = np.nonzero(np.isfinite(answer.variance))
    if not len(rows):
        raise InputError(
            f"{prices.name} has too few prices before {_when(int(instants[-1]))} UTC: the simplest model looks back on {LEAST_CLOSES} hourly closes; give more, or an earlier file with --history"
        )
    table = pd.DataFrame(
        {
            "as_of": pd.to_datetime(instants[rows], unit="s", utc=True),
            "asset": np.array(panel.assets, dtype=object)[assets],
            "horizon_hours": horizon_hours,
            "variance": answer.variance[rows, assets],
            **{name: answer.return_quantiles[rows, assets, k] for k, name in enumerate(QUANTILES)},
            "model": np.array(answer.names, dtype=object)[answer.model[rows, assets]],
            **{f"v{name}": answer.variance_quantiles[rows, assets, k] for k, name in enumerate(QUANTILES)},
        }
    )
    silent = (~np.isfinite(answer.variance)).sum(axis=0)
    unanswered = tuple((name, int(count)) for name, count in zip(panel.assets, silent, strict=True) if count)
    return Forecasts(table, unanswered, panel.notes, card)


def _require_closes(name: str, panel: Panel, until_s: int) -> None:
    """InputError if no asset has closes enough until then for any model."""
    closes = int(np.isfinite(panel.close[panel.end_s <= until_s]).sum(axis=0).max())
    if closes < LEAST_CLOSES:
        raise InputError(
            f"{name} has {many(closes, 'hourly close')} until {_when(until_s)} UTC, and the simplest model looks back on "
            f"{LEAST_CLOSES}; give more, or an earlier file with --history"
        )


def _with_history(panel: Panel, earlier: Panel) -> Panel:
    """One panel from two; where both have a bar the first counts."""
    first, last = min(panel.end_s[0], earlier.end_s[0]), max(panel.end_s[-1], earlier.end_s[-1])
    clock = np.arange(first, last + 1, BAR_S, dtype=np.int64)
    columns = {name: np.full((len(clock), len(panel.assets)), np.nan) for name in COLUMNS}
    for part in (earlier, panel):
        rows = (part.end_s - first) // BAR_S
        for n, asset in enumerate(panel.assets):
            if asset in part.assets:
                known = np.isfinite(part.close[:, part.assets.index(asset)])
                for name in COLUMNS:
                    columns[name][rows[known], n] = getattr(part, name)[known, part.assets.index(asset)]
    notes = tuple(dict.fromkeys((*earlier.notes, *panel.notes)))
    opens, highs, lows, closes, volumes = (columns[name] for name in COLUMNS)
    return joined_forward(Panel(panel.assets, clock, opens, highs, lows, closes, volumes, BAR_S, notes))


def write(forecasts: Forecasts, path: Path) -> None:
    """Write the table as Parquet or CSV, whole or not at all."""
    refuse_unwritable(path)
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            forecasts.table.to_parquet(part, index=False)
        else:
            forecasts.table.to_csv(part, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """InputError unless forecasts can be written there, so that nobody waits for what cannot be kept."""
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"--out is {path}; write to a file that ends in .parquet or .csv")
    if path.is_dir() or not path.absolute().parent.is_dir() or not os.access(path.absolute().parent, os.W_OK):
        raise InputError(
            f"--out {path} cannot be written; name a file in a folder that is there and that you may write to"
        )


def _when(at_s: int) -> str:
    return f"{pd.Timestamp(at_s, unit='s'):%Y-%m-%d %H:%M}"
