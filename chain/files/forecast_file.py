"""Reads files of forecasts: as_of, asset, horizon_hours, variance, q05, q25, q50, q75, q95, model [, vq05 ... vq95].

`variance` is the expected sum of squared hourly log returns over (as_of, as_of + horizon], not annualised; q.. are quantiles of the log return
over the horizon, vq.. of that sum.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.files.frames import read_frame, stamps

QUANTILES = ("q05", "q25", "q50", "q75", "q95")
FORECASTS = ("as_of", "asset", "horizon_hours", "variance", *QUANTILES, "model")


def read_forecasts(path: Path) -> pd.DataFrame:
    """Forecasts in the order of (as_of, asset, horizon, model), with `as_of_s` (Unix seconds) beside the columns of the file.

    Raises
    ------
    InputError
        If a column is missing, a cell cannot be used, quantiles fall, or one model states two forecasts of the same.
    """
    frame = read_frame(path, FORECASTS)
    for name in FORECASTS[2:-1]:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        least = 0.0 if name in ("horizon_hours", "variance") else -np.inf
        _refuse(path, frame, name, ~np.isfinite(values) | (values < least), "give a finite number")
        frame[name] = values
    _refuse(path, frame, "horizon_hours", frame["horizon_hours"].to_numpy() == 0, "give hours above zero")
    for names in (QUANTILES, tuple(f"v{name}" for name in QUANTILES)):
        if set(names) <= set(frame.columns):
            falls = (np.diff(frame[list(names)].to_numpy(dtype=np.float64), axis=1) < 0).any(axis=1)
            _refuse(path, frame, names[0], falls, f"{', '.join(names)} must rise from left to right")
    key = ["as_of_s", "asset", "horizon_hours", "model"]
    frame = frame.assign(as_of_s=stamps(path, frame, "as_of"))
    _refuse(
        path,
        frame,
        "as_of",
        frame.duplicated(key).to_numpy(),
        "the model states two forecasts of one asset, instant and horizon; keep one",
    )
    return frame.sort_values(key, kind="stable", ignore_index=True)


def _refuse(path: Path, frame: pd.DataFrame, name: str, wrong: "np.typing.NDArray[np.bool_]", what: str) -> None:
    places = np.flatnonzero(wrong)
    if len(places):
        raise InputError(
            f"{path.name} row {frame.index[places[0]]}: {name} is {frame[name].iloc[places[0]]!r}; {what} ({len(places)} such rows)"
        )
