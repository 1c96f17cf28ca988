"""Forecast volatility from a price file, or from the embedded one, with the models that ship or with a user's own: offline, in seconds; torch only where a network answers.

What is written is the table of `forecasts` (docs/files.md): variance is the expected sum of squared hourly log returns over the horizon, not annualised.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aftershock.forecasting.hourly_prices import (
    LAST,
    LEAST_CLOSES,
    Priced,
    Span,
    read_prices,
    require_closes,
    written,
)
from aftershock.forecasting.notes import (
    LOOK_BACK_S,
    Hole,
    holes,
    leaders_missing,
    leaders_thin,
    told_of_assets,
    told_of_holes,
    told_of_ranges,
    told_of_series,
    told_of_span,
    told_of_tables,
    told_of_training,
    told_of_volume,
)
from aftershock.forecasting.slips import told_of_slips
from chain.errors import InputError, unknown_name
from chain.files.price_files import Stamp, folded
from models.answering import Answering, features_of, trained_on
from models.calibration import LEVELS
from models.features import asked_samples
from models.features.trading import TRADING_FEATURES
from models.reasons import Reasons, reasons_of
from models.store import MODEL, Card, hash_of, hash_of_model, load
from models.task import Task

SAMPLE = Path(__file__).parent.parent / "sample"
SHIPPED = SAMPLE / "models"
QUANTILES = tuple(f"q{round(100 * level):02d}" for level in LEVELS)
OF_ONE_HORIZON = re.compile(r"volatility_(\d+)h")
AGAINST_HAR = "QLIKE to log-HAR an asset, "
"""How figures of a card begin that compare a model with log-HAR fitted an asset at a time; window and name of the model follow."""


@dataclass(frozen=True)
class Forecasts:
    """A table of forecasts and how it came about.

    Attributes
    ----------
    table : as_of, asset, horizon_hours, variance, q05 ... q95 (log return), model, vq05 ... vq95 (variance); one row an answer.
    unanswered : (asset, how many instants) that no model could answer.
    notes : what was changed in the prices on reading, and what else must be said of them and of the models, a sentence each.
    card : of the models.
    caption : what the prices are, where they are not the user's, and what the models were trained on, where that was not the user's.
    holes : bars that are missing in what was looked back on, of assets with an answer.
    unseen : assets with a forecast that were not in training.
    leaders_missing : BTC or ETH, where the models that answer read them and the prices do not have them, or too few of them at an instant: the market's moves stand in their place.
    decided_by : all that decides the numbers, for content ids: hash of the prices, hash of the model's file, instants (seconds UTC), horizon.
    """

    table: pd.DataFrame
    unanswered: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    card: Card
    caption: str = ""
    holes: tuple[Hole, ...] = ()
    unseen: tuple[str, ...] = ()
    leaders_missing: tuple[str, ...] = ()
    decided_by: Mapping[str, Any] = field(default_factory=dict)

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


def forecast_file(
    prices: str | Path | None = None,
    stamp: Stamp | None = None,
    bar: str = "1h",
    history: str | Path | None = None,
    every: str = "24h",
    first: str | None = None,
    last: str | None = None,
    horizon_hours: int = 24,
    models: str | Path = SHIPPED,
    at: str | None = None,
) -> Forecasts:
    """Forecasts from a file; parameters as of `read_prices`, `Span` and `forecast`."""
    asked = Span(every, first, last, at)
    files = [None if file is None else Path(file) for file in (prices, history)]
    return forecast(read_prices(files[0], stamp, bar, files[1]), asked, horizon_hours, Path(models))


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
    require_closes(name, panel, int(panel.end_s[-1]))
    instants = asked.instants(name, panel.end_s)
    require_closes(name, panel, int(instants[-1]))
    asked_with = asked_samples(panel, instants, Task(horizon_hours=horizon_hours), card.features)
    _refuse_without(asked_with.names, card, models, name)
    answer = fitted.answer(asked_with)
    rows, assets = np.nonzero(np.isfinite(answer.variance))
    if not len(rows):
        raise InputError(
            f"{name} has too few prices before {written(int(instants[-1]))} UTC: the simplest model looks back on {LEAST_CLOSES} hourly closes; give more, or an earlier file with --history"
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
    answers = np.isfinite(answer.variance)
    # nothing is said of what is not used: neither of assets without an answer nor of models that gave none
    missing = tuple(one for one in holes(panel, instants) if one.asset in set(table["asset"]))
    features = [features_of([model]) for model in fitted.models]
    used = tuple(dict.fromkeys(name for place in np.unique(answer.model[answers]) for name in features[place]))
    traded = np.array([bool(set(names) & set(TRADING_FEATURES)) for names in features])
    leaders, thin = leaders_missing(panel.assets, used), leaders_thin(asked_with, used, answers)
    trained = trained_on(fitted.models)
    unseen = tuple(
        name for name in panel.assets if trained and folded(name) not in trained and (table["asset"] == name).any()
    )
    notes = (
        *panel.notes,
        *told_of_slips(priced.slips, int(instants[0]) - LOOK_BACK_S, instants),
        *told_of_tables(priced.tables, asked_with, card.features),
        *told_of_volume(panel, instants, answers & traded[answer.model]),
        *told_of_span(asked, panel),
        *told_of_holes(missing),
        *told_of_series(panel, int(instants[-1]), answers),
        *told_of_assets(unseen, leaders, thin, len(instants)),
        *told_of_ranges(table),
        *told_of_training(instants, card.cutoff_s),
    )
    decided_by = {
        "prices": hash_of(panel),
        "model": hash_of_model(_folder(models, horizon_hours)),
        "instants_s": instants.tolist(),
        "horizon_hours": horizon_hours,
    }
    caption = ", ".join(one for one in (priced.caption, card.caption) if one)
    return Forecasts(table, unanswered, notes, card, caption, missing, unseen, (*leaders, *thin), decided_by)


def _refuse_without(names: Sequence[str], card: Card, models: Path, prices: str) -> None:
    """InputError if the models read what is not known beside these prices."""
    missing = [name for name in card.features if name not in names]
    if missing:
        raise InputError(
            f"the models in {models} read {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}, and nothing beside {prices} says that; "
            "give the columns or the --tables that they were trained with, or train without"
        )


def why(priced: Priced, found: Forecasts, asset: str, models: Path = SHIPPED) -> Reasons:
    """What makes the last forecast for an asset (see `models.reasons`), by the model that answered it.

    Raises
    ------
    UnknownNameError, InputError
        If there is no such forecast, or its model cannot be taken apart.
    """
    table = found.table[found.table["as_of"] == found.table["as_of"].max()].set_index("asset")
    asset = {folded(name): str(name) for name in table.index}.get(folded(asset), asset)
    if asset not in table.index:
        raise unknown_name("asset with a forecast", asset, [str(name) for name in table.index])
    fitted, card = models_for(models, int(table["horizon_hours"].iloc[0]))
    at = np.array([int(table.at[asset, "as_of"].timestamp())], dtype=np.int64)
    place = fitted.names.index(str(table.at[asset, "model"]))
    reasons = reasons_of(fitted.models[place], asked_samples(priced.panel, at, card.task, card.features), asset)
    by = fitted.factors[place]
    return replace(
        reasons, usual_variance=reasons.usual_variance * by, forecast_variance=reasons.forecast_variance * by
    )


def models_for(folder: Path, horizon_hours: int) -> tuple[Answering, Card]:
    """The models of a horizon in a folder of them, or in the folder of that horizon itself.

    Raises
    ------
    InputError
        If there are none for the horizon, or what lies there was not written by `train volatility`.
    """
    places = [folder] if _is_of_one_horizon(folder) else folder.glob("volatility_*h")
    found = sorted(int(name[1]) for path in places if (name := OF_ONE_HORIZON.fullmatch(path.resolve().name)))
    if horizon_hours not in found:
        has = f"there are models for {', '.join(map(str, found))} hours" if found else "there are no models"
        raise InputError(
            f"--horizon is {horizon_hours}; {has} in {'the package' if folder == SHIPPED else folder}; {'choose one of them, or ' if found else ''}run aftershock train volatility"
        )
    path = _folder(folder, horizon_hours)
    fitted, card = load(path)
    if not isinstance(fitted, Answering):
        raise InputError(f"{path} holds a {type(fitted).__name__} and not models that answer in turn; train them again")
    if card.task.horizon_hours != horizon_hours:
        raise InputError(f"{path} was trained for {card.task.horizon_hours} hours; put it where its horizon belongs")
    return fitted, card


def _folder(models: Path, horizon_hours: int) -> Path:
    return models if _is_of_one_horizon(models) else models / f"volatility_{horizon_hours}h"


def _is_of_one_horizon(folder: Path) -> bool:
    """Whether a folder is what `train volatility` prints, the models of one horizon, and not the folder around it."""
    return OF_ONE_HORIZON.fullmatch(folder.resolve().name) is not None and (folder / MODEL).is_file()


def write(forecasts: Forecasts, path: Path) -> None:
    """Write the table as Parquet or CSV, whole or not at all; InputError if it cannot be."""
    with _beside(path) as part:
        if path.suffix == ".parquet":
            forecasts.table.to_parquet(part, index=False)
        else:
            forecasts.table.to_csv(part, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")
        part.replace(path)


def refuse_unwritable(path: Path) -> None:
    """InputError unless forecasts can be written there, so that nobody waits for what cannot be kept: the file that `write` would fill first is made, and taken away again."""
    with _beside(path):
        pass


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A new, empty file beside another one, of this process alone, that is gone at the end whatever happens; InputError if there is none to be had or it cannot be filled."""
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"--out is {path}; write to a file that ends in .parquet or .csv")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise InputError(f"--out {path} is a folder; name a file in it")
        try:
            part.open("wb").close()
            yield part
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {path} cannot be written ({(error.strerror or str(error)).lower()}); name a file in a folder that is there, that has room and that you may write to"
        ) from error
