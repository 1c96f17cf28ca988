"""Forecast volatility from a user's price file, with the models that ship with the package: offline, in seconds, without torch.

What is written is the table of `forecasts` (docs/files.md): variance is the expected sum of squared hourly log returns over the horizon, not annualised.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.price_files import Stamp
from models.answering import Answering
from models.calibration import LEVELS
from models.features import price_features
from models.panel import COLUMNS, Panel, joined_forward, read_panel
from models.samples import Samples
from models.store import Card, load
from models.task import HOUR_S, Task

SHIPPED = Path(__file__).parent / "sample" / "models"
HORIZONS = (1, 24, 168)
BAR_S = HOUR_S
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
) -> Forecasts:
    """Forecasts at each multiple of `every` (since 1970, UTC) from `first` to `last`, for each symbol of the file.

    Parameters
    ----------
    prices : timestamp, symbol, close [, open, high, low, volume]; hourly bars.
    stamp, bar : what a row's timestamp is, and how long a bar is.
    history : an earlier file of the same form; where both have a bar, `prices` counts.
    first, last : instants; by default the last one only that the file knows.
    models : folder of trained models, one folder a horizon.

    Raises
    ------
    InputError
        If the file or an option cannot be used, or nothing can be answered.
    """
    if duration_s(bar, "--bar") != BAR_S:
        raise InputError(
            f"--bar is {bar}; the models that ship were trained on hourly bars, so put the prices on hours and say --bar 1h"
        )
    if horizon_hours not in HORIZONS:
        raise InputError(f"--horizon is {horizon_hours}; there are models for {', '.join(map(str, HORIZONS))} hours")
    step = duration_s(every, "--every")
    panel = read_panel(prices, stamp, BAR_S)
    if history is not None:
        panel = _with_history(panel, read_panel(history, stamp, BAR_S, None))
    end = int(panel.end_s[-1])
    to_s = min(instant_s(last, "--to"), end) if last is not None else end
    from_s = instant_s(first, "--from") if first is not None else to_s // step * step
    at = np.arange(-(-from_s // step) * step, to_s + 1, step, dtype=np.int64)
    at = at[at >= panel.end_s[0]]
    if not len(at):
        raise InputError(
            f"{prices.name} knows prices from {_when(int(panel.end_s[0]))} to {_when(end)} UTC and no multiple of {every} lies in the span asked for; change --from, --to or --every"
        )
    task = Task(horizon_hours=horizon_hours)
    fitted, card = load(models / f"volatility_{horizon_hours}h")
    if not isinstance(fitted, Answering):
        raise InputError(
            f"{models} holds a {type(fitted).__name__} and not models that answer in turn; train them again"
        )
    features = price_features(panel, at, horizon_hours)
    shape = (len(at), len(panel.assets))
    samples = Samples(
        task, at, panel.assets, tuple(features), np.stack(list(features.values()), axis=2), np.full(shape, np.nan)
    )
    answer = fitted.answer(samples)
    rows, assets = np.nonzero(np.isfinite(answer.variance))
    if not len(rows):
        raise InputError(
            f"{prices.name} has too few prices before {_when(int(at[-1]))} UTC: the simplest model needs 112 hourly closes; give more, or --history with an earlier file"
        )
    table = pd.DataFrame(
        {
            "as_of": pd.to_datetime(at[rows], unit="s", utc=True),
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
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            forecasts.table.to_parquet(part, index=False)
        elif path.suffix == ".csv":
            forecasts.table.to_csv(part, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        else:
            raise InputError(f"--out is {path}; write to a file that ends in .parquet or .csv")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _when(at_s: int) -> str:
    return f"{pd.Timestamp(at_s, unit='s'):%Y-%m-%d %H:%M}"
