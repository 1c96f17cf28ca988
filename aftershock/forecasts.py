"""Forecast volatility from a price file, or from the embedded one, with the models that ship or with a user's own: offline, in seconds; torch only where a network answers.

What is written is the table of `forecasts` (docs/files.md): variance is the expected sum of squared hourly log returns over the horizon, not annualised.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from chain.errors import InputError, many, unknown_name
from chain.files.price_files import Stamp
from models.answering import Answering
from models.calibration import LEVELS
from models.features import asked_samples
from models.panel import COLUMNS, IntArray, Panel, joined_forward, read_panel
from models.reasons import Reasons, reasons_of
from models.store import Card, load
from models.task import HOUR_S, Task

SAMPLE = Path(__file__).parent / "sample"
SHIPPED = SAMPLE / "models"
SAMPLE_PRICES = SAMPLE / "prices" / "bars.parquet"
SAMPLE_CAPTION = "invented prices"
"""What stands beside every number that comes from the embedded price sample (tests/devnet/sample_prices.py drew it)."""
BAR_S = HOUR_S
LEAST_CLOSES = 112
"""Before an instant, for the simplest model to answer."""
UNITS_S = {"m": 60, "h": HOUR_S, "d": 86_400}
QUANTILES = tuple(f"q{round(100 * level):02d}" for level in LEVELS)
AGAINST_HAR = "QLIKE to log-HAR an asset, "
"""How figures of a card begin that compare a model with log-HAR fitted an asset at a time; window and name of the model follow."""


@dataclass(frozen=True)
class Priced:
    """A panel, and what must stand beside whatever is made of it (nothing for a user's own file)."""

    panel: Panel
    name: str
    caption: str = ""


@dataclass(frozen=True)
class Forecasts:
    """A table of forecasts and how it came about.

    Attributes
    ----------
    table : as_of, asset, horizon_hours, variance, q05 ... q95 (log return), model, vq05 ... vq95 (variance); one row an answer.
    unanswered : (asset, how many instants) that no model could answer.
    notes : what was changed in the prices on reading.
    card : of the models.
    caption : what the prices are, where they are not the user's.
    """

    table: pd.DataFrame
    unanswered: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    card: Card
    caption: str = ""

    def answered_by(self) -> list[dict[str, str | int | float | None]]:
        """Who answers how often, and QLIKE over that of log-HAR fitted an asset at a time, on the window that the card names; None where its card has no such figure."""
        counts = self.table["model"].value_counts(sort=False)
        return [
            {"model": str(name), "forecasts": int(number), **against_har(self.card.scores, str(name))}
            for name, number in counts.items()
        ]


def against_har(scores: Mapping[str, float], model: str) -> dict[str, str | float | None]:
    """QLIKE of a model over that of log-HAR, and where it was measured, from the figures of a card; on unseen prices, if there is such a figure."""
    found = {
        name[len(AGAINST_HAR) : -len(model) - 2]: ratio
        for name, ratio in scores.items()
        if name.startswith(AGAINST_HAR) and name.endswith(f", {model}")
    }
    where = min(found, key=lambda window: ("unseen" not in window, window), default=None)
    return {"qlike_to_log_har": None if where is None else found[where], "measured_on": where}


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
            f"--bar is {bar}; the models that ship were trained on hourly bars, so put the prices on hours and say --bar 1h"
        )


def read_prices(
    prices: Path | None, stamp: Stamp | None = None, bar: str = "1h", history: Path | None = None
) -> Priced:
    """Hourly bars of a user's file and, if given, an earlier one (where both have a bar, `prices` counts); the embedded sample if None.

    Raises
    ------
    InputError
        If a file or an option cannot be used.
    """
    refuse_unreadable(prices, stamp, bar, history)
    if prices is None:
        return Priced(read_panel(SAMPLE_PRICES, "close", BAR_S), "the embedded sample", SAMPLE_CAPTION)
    panel = read_panel(prices, stamp, BAR_S)
    if history is None:
        return Priced(panel, prices.name)
    panel = _with_history(panel, read_panel(history, stamp, BAR_S, None))
    return Priced(panel, f"{prices.name} with {history.name}")


def forecast_file(
    prices: Path | None = None,
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
    """Forecasts from a file; parameters as of `read_prices`, `Span` and `forecast`."""
    asked = Span(every, first, last, at)
    return forecast(read_prices(prices, stamp, bar, history), asked, horizon_hours, models)


def forecast(priced: Priced, asked: Span = LAST, horizon_hours: int = 24, models: Path = SHIPPED) -> Forecasts:
    """Forecasts at each instant that is asked for, for each symbol of the prices.

    Parameters
    ----------
    asked : the instants; by default the last midnight (UTC) that the prices know.
    models : folder of trained models, one folder a horizon; those that ship, or what `train volatility` wrote.

    Raises
    ------
    InputError
        If an option cannot be used, there is no model for the horizon, or nothing can be answered.
    """
    panel, name = priced.panel, priced.name
    fitted, card = models_for(models, horizon_hours)
    _require_closes(name, panel, int(panel.end_s[-1]))
    instants = asked.instants(name, panel.end_s)
    _require_closes(name, panel, int(instants[-1]))
    answer = fitted.answer(asked_samples(panel, instants, Task(horizon_hours=horizon_hours), card.features))
    rows, assets = np.nonzero(np.isfinite(answer.variance))
    if not len(rows):
        raise InputError(
            f"{name} has too few prices before {_when(int(instants[-1]))} UTC: the simplest model looks back on {LEAST_CLOSES} hourly closes; give more, or an earlier file with --history"
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
    return Forecasts(table, unanswered, panel.notes, card, priced.caption)


def why(priced: Priced, found: Forecasts, asset: str, models: Path = SHIPPED) -> Reasons:
    """What makes the last forecast for an asset (see `models.reasons`), by the model that answered it.

    Raises
    ------
    UnknownNameError, InputError
        If there is no such forecast, or its model cannot be taken apart.
    """
    table = found.table[found.table["as_of"] == found.table["as_of"].max()].set_index("asset")
    if asset not in table.index:
        raise unknown_name("asset with a forecast", asset, [str(name) for name in table.index])
    fitted, card = models_for(models, int(table["horizon_hours"].iloc[0]))
    at = np.array([int(table.at[asset, "as_of"].timestamp())], dtype=np.int64)
    place = fitted.names.index(str(table.at[asset, "model"]))
    reasons = reasons_of(fitted.models[place], asked_samples(priced.panel, at, card.task, card.features), asset)
    by = fitted.factors[place]
    return replace(reasons, usual=reasons.usual * by, forecast=reasons.forecast * by)


def models_for(folder: Path, horizon_hours: int) -> tuple[Answering, Card]:
    """The models of a horizon in a folder of them.

    Raises
    ------
    InputError
        If there are none for the horizon, or what lies there was not written by `train volatility`.
    """
    found = sorted(
        int(name[1]) for path in folder.glob("volatility_*h") if (name := re.fullmatch(r"volatility_(\d+)h", path.name))
    )
    if horizon_hours not in found:
        has = f"there are models for {', '.join(map(str, found))} hours" if found else "there are no models"
        raise InputError(
            f"--horizon is {horizon_hours}; {has} in {'the package' if folder == SHIPPED else folder}; choose one of them, or run aftershock train volatility"
        )
    path = folder / f"volatility_{horizon_hours}h"
    fitted, card = load(path)
    if not isinstance(fitted, Answering):
        raise InputError(f"{path} holds a {type(fitted).__name__} and not models that answer in turn; train them again")
    if card.task.horizon_hours != horizon_hours:
        raise InputError(f"{path} was trained for {card.task.horizon_hours} hours; put it where its horizon belongs")
    return fitted, card


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
    notes = tuple(dict.fromkeys((*earlier.notes, *panel.notes)))
    opens, highs, lows, closes, volumes = (columns[name] for name in COLUMNS)
    more = {name: columns[name] for name in extras}
    return joined_forward(Panel(panel.assets, clock, opens, highs, lows, closes, volumes, BAR_S, notes, more))


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
