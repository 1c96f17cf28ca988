"""Every score once more by the regime at the instant of the forecast: each model's losses, and each kind of quantiles; as a table of one number a row, and the part of it that the page shows."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.evaluation import score
from models.panel import FloatArray
from models.samples import Samples

REFERENCE = "log-HAR"
OF_FORECASTS, OF_QUANTILES = ("qlike", "log_mse", "ratio"), ("crps", "coverage_90", "below_1", "below_5")
LOSSES = ("0.01", "0.05", "0.95", "0.99")


def scores_by_regime(asked: Samples, forecasts: Mapping[str, FloatArray], regime: FloatArray) -> dict[str, Any]:
    """By model and regime (a name for each instant, shape (A,)): rows that were answered, QLIKE, log-MSE, and QLIKE over that of log-HAR on the same rows."""
    found: dict[str, Any] = {}
    for name, f in forecasts.items():
        for kind in np.unique(regime):
            at = regime == kind
            y, own, theirs = (values[at] for values in (asked.y, f, forecasts[REFERENCE]))
            s = score(name, y, own, theirs, asked.as_of_s[at], asked.task.horizon_hours)
            rows = int((np.isfinite(y) & np.isfinite(own) & np.isfinite(theirs)).sum())
            found.setdefault(name, {})[str(kind)] = {
                "rows": rows,
                **{column: getattr(s, column) for column in OF_FORECASTS},
            }
    return found


def write_regimes(horizons: Mapping[Any, Any], path: Path) -> None:
    """One number a row: horizon, of what (a model, or quantiles), regime, rows, which score, value."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["horizon_hours", "of", "regime", "rows", "score", "value"])
        for horizon, part in horizons.items():
            for name, kinds in part["scores_by_regime"].items():
                for kind, found in kinds.items():
                    for column in OF_FORECASTS:
                        writer.writerow([horizon, name, kind, found["rows"], column, f"{found[column]:.6g}"])
            for name, scored in part["calibration"].items():
                for kind, found in scored["by_regime"].items():
                    values = {column: found[column] for column in OF_QUANTILES} | {
                        f"quantile_loss_{level}": found["pinball"][level] for level in LOSSES
                    }
                    for column, value in values.items():
                        writer.writerow([horizon, f"quantiles of {name}", kind, found["rows"], column, f"{value:.6g}"])


def regimes_page(horizons: Mapping[Any, Any], file: str) -> list[str]:
    """Scores of log-HAR, the gamma regression and what answers, and of the adaptive quantiles, by horizon and regime; `file` has those of every model."""
    rows = [
        "## Every score by regime",
        "",
        f"Regime at the instant of the forecast (Markov switching fitted before the window). Turbulent instants are few and fall on the same days for every asset. All models and quantiles: [{file}]({file}).",
        "",
        "| ahead | regime | rows | model | QLIKE | log-MSE | to log-HAR |",
        "|---|---|--:|---|--:|--:|--:|",
    ]
    for horizon, part in horizons.items():
        for name in dict.fromkeys((REFERENCE, "gamma GLM", part["default"])):
            for kind, s in part["scores_by_regime"][name].items():
                told = f"**{name}**" if name == part["default"] else name
                rows.append(
                    f"| {horizon} h | {kind} | {s['rows']:,} | {told} | {s['qlike']:.4f} | {s['log_mse']:.4f} | {s['ratio']:.3f} |"
                )
    rows += [
        "",
        "| ahead | regime | rows | quantiles of | CRPS | 90 % intervals hold | below the 1 % / 5 % quantile | quantile loss × 1,000 at 1, 5, 95, 99 % |",
        "|---|---|--:|---|--:|--:|---|---|",
    ]
    for horizon, part in horizons.items():
        for name in ("variance, adaptive", "return, adaptive"):
            for kind, s in part["calibration"][name]["by_regime"].items():
                losses = " ".join(f"{1000 * s['pinball'][level]:.1f}" for level in LOSSES)
                rows.append(
                    f"| {horizon} h | {kind} | {s['rows']:,} | {name} | {s['crps']:.4f} | {100 * s['coverage_90']:.1f} % | "
                    f"{100 * s['below_1']:.2f} % / {100 * s['below_5']:.2f} % | {losses} |"
                )
    return rows
