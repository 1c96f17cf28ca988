"""Volatility forecasts, scored: every baseline, three horizons, walk-forward; written to docs/results/volatility.md and .csv.

    python -m benchmarks.volatility --window validation
    python -m benchmarks.volatility --window test --open-test "why"

Data in ../shared/data, or the folder in AFTERSHOCK_DATA. Everything was chosen on the validation window (2022-07 to 2022-12); the test year 2023 is read from
the file only with --open-test, and each opening is written into docs/results/volatility-openings.csv. Forecasts are kept in --kept by model, settings, seed, fold
and a hash of the samples, so a run that was stopped goes on where it was.
"""

import argparse
import csv
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.volatility_page import write_page
from benchmarks.volatility_world import DAY_S, MAJORS, WINDOWS, World, folds_of, hashes, main_panel, stamp
from models.calibration import FINE_LEVELS, Adaptive, coverage, crps_of_quantiles, pit
from models.evaluation import Fold, Score, by_group, confidence_set, score
from models.line_up import HORIZONS, answers, baselines, boosting, glm
from models.panel import FloatArray, read_panel
from models.regimes import brier, drift_of, fit_regimes
from models.samples import Samples
from models.scores import daily, qlike

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
OPENINGS = RESULTS / "volatility-openings.csv"
REFERENCES = ("log-HAR", "pooled log-HAR", "gamma GLM")
LEVELS = (0.01, *FINE_LEVELS, 0.99)
SEED = 0
BLACK_SWANS = (
    ("2020-03-12", "majors"),
    ("2021-05-19", "majors"),
    ("2022-06-13", "main"),
    ("2022-11-08", "main"),
    ("2023-03-10", "main"),
)


def main() -> None:
    """Run one window."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--window", choices=list(WINDOWS), default="validation")
    parser.add_argument("--open-test", metavar="REASON", help="read the year 2023; the opening is logged")
    parser.add_argument("--horizons", type=int, nargs="+", default=list(HORIZONS))
    parser.add_argument("--kept", type=Path, default=Path(".cache/volatility"))
    chosen = parser.parse_args()
    if chosen.window == "test" and not chosen.open_test:
        sys.exit("the test year is opened only with --open-test REASON; everything is chosen on --window validation")
    start = time.perf_counter()
    if chosen.window == "test":
        _log_opening(chosen.open_test)
    panel = main_panel("2024-01-01" if chosen.window == "test" else "2023-01-01")
    found: dict[str, Any] = {"window": chosen.window, "horizons": {}}
    for horizon in chosen.horizons:
        world = World(panel, horizon, chosen.kept)
        found["horizons"][horizon] = _horizon(world, chosen.window)
        print(f"{horizon:>3} h done after {time.perf_counter() - start:,.0f} s", flush=True)  # noqa: T201
    found["regimes"] = _regimes(World(panel, 24, chosen.kept), chosen.window)
    found["swans"] = _swans(chosen.kept, panel)
    found["run"] = {
        "command": "python -m benchmarks.volatility " + " ".join(sys.argv[1:]),
        "seed": SEED,
        "data": hashes(),
        "seconds": round(time.perf_counter() - start),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "assets": list(panel.assets),
    }
    RESULTS.mkdir(exist_ok=True)
    (chosen.kept / f"{chosen.window}.json").write_text(json.dumps(found, indent=1))
    write_page(found, RESULTS)


def _horizon(world: World, window: str) -> dict[str, Any]:
    before, folds = folds_of(window)
    asked = world.asked(folds)
    forecasts = {model.name: world.forecast(model, folds, SEED) for model in baselines(world.horizon_hours)}
    h = world.horizon_hours
    default = answers(h)
    scores = {
        reference: [vars(s) | {"test": vars(s.test)} for s in _scores(asked, forecasts, forecasts[reference], h)]
        for reference in REFERENCES
    }
    together = np.all([np.isfinite(qlike(asked.y, f)) for f in forecasts.values()], axis=0)
    losses = {
        name: daily(np.where(together, qlike(asked.y, f), np.nan), asked.as_of_s) for name, f in forecasts.items()
    }
    reference, best = forecasts["log-HAR"], forecasts[default]
    regime = _market_regime(world, folds)[:, None]
    asset = np.array(world.panel.assets)[None, :]
    return {
        "default": default,
        "scores": scores,
        "confidence_set": confidence_set(losses, SEED),
        "by_regime": by_group(asked.y, best, reference, regime),
        "by_asset": by_group(asked.y, best, reference, asset),
        "calibration": _calibration(world, before, folds, default, regime),
        "drift": _drift(world, before, folds, default),
    }


def _scores(asked: Samples, forecasts: dict[str, FloatArray], reference: FloatArray, horizon: int) -> list[Score]:
    return [score(name, asked.y, f, reference, asked.as_of_s, horizon) for name, f in forecasts.items()]


def _model(world: World, name: str) -> Any:
    return next(model for model in baselines(world.horizon_hours) if model.name == name)


def _calibration(
    world: World, before: list[Fold], folds: list[Fold], default: str, regime: FloatArray
) -> dict[str, Any]:
    """Adaptive conformal quantiles of variance and return: they learn from half a year of fresh forecasts before the window, and go on learning inside it."""
    every = world.asked([*before, *folds])
    f = np.concatenate([world.forecast(_model(world, default), part, SEED) for part in (before, folds)])
    inside = every.as_of_s >= folds[0].from_s
    horizon_s = every.task.horizon_s
    result: dict[str, Any] = {}
    for name, outcome, unit in (("variance", every.y, f), ("return", world.returns(every), np.sqrt(f))):
        for label, rule in (("adaptive", Adaptive()), ("rolling", Adaptive(rate=0.0))):
            unit_quantiles = rule.quantiles(outcome / unit, every.as_of_s, horizon_s, LEVELS)
            quantiles = (unit_quantiles * unit[..., None])[inside]
            truth = outcome[inside]
            low, high = quantiles[..., LEVELS.index(0.05)], quantiles[..., LEVELS.index(0.95)]
            hit = coverage(truth, low, high)
            by_asset = np.nanmean(hit, axis=0)
            transform = pit(truth, quantiles, LEVELS)
            counts = np.histogram(transform[np.isfinite(transform)], bins=10, range=(0, 1))[0]
            result[f"{name}, {label}"] = {
                "coverage_90": float(np.nanmean(hit)),
                "least_asset": [world.panel.assets[int(np.argmin(by_asset))], float(by_asset.min())],
                "most_asset": [world.panel.assets[int(np.argmax(by_asset))], float(by_asset.max())],
                "by_regime": {
                    str(r): float(np.nanmean(hit[regime[:, 0] == r]))
                    for r in np.unique(regime)
                    if (regime[:, 0] == r).any()
                },
                "below_1": float(np.nanmean(coverage(truth, np.full_like(truth, -np.inf), quantiles[..., 0])))
                if name == "return"
                else None,
                "below_5": float(np.nanmean(coverage(truth, np.full_like(truth, -np.inf), low))),
                "pit": (counts / counts.sum()).round(4).tolist(),
                "crps": float(np.nanmean(_crps(truth, quantiles, name))),
            }
    return result


def _crps(truth: FloatArray, quantiles: FloatArray, name: str) -> FloatArray:
    """Of the return as it is; of the logarithm of the variance, so that no asset outweighs the others."""
    inner = quantiles[..., 1:-1]
    if name == "variance":
        return crps_of_quantiles(np.log(np.maximum(truth, 1e-8)), np.log(np.maximum(inner, 1e-12)), FINE_LEVELS)
    return crps_of_quantiles(truth, inner, FINE_LEVELS)


def _drift(world: World, before: list[Fold], folds: list[Fold], default: str) -> dict[str, Any]:
    """A model frozen at the start of the window against the refitted one, and the days on which the detector asks for a refit."""
    asked = world.asked(folds)
    frozen = [folds[0], *(Fold(fold.from_s, fold.to_s, folds[0].from_s) for fold in folds[1:])]
    model = _model(world, default)
    old, new = world.forecast(model, frozen, SEED), world.forecast(model, folds, SEED)
    compared = score("frozen", asked.y, old, new, asked.as_of_s, world.horizon_hours)
    earlier = world.asked(before)
    fresh = daily(np.log(np.maximum(earlier.y, 1e-8) / world.forecast(model, before, SEED)), earlier.as_of_s)
    detector = drift_of(fresh)
    series = daily(np.log(np.maximum(asked.y, 1e-8) / old), asked.as_of_s)
    days = np.unique(asked.as_of_s // DAY_S)[np.flatnonzero(detector.alarms(series))]
    return {
        "ratio_frozen_to_refitted": compared.ratio,
        "p": compared.test.p,
        "alarms": [str(pd.Timestamp(int(day) * DAY_S, unit="s").date()) for day in days],
    }


def _market(world: World) -> tuple[FloatArray, FloatArray]:
    """Midnights, and the market's mean log absolute range of the day before each."""
    samples = world.samples
    midnight = samples.as_of_s % DAY_S == 0
    return samples.as_of_s[midnight], samples.feature("market_abs_range_24")[midnight, 0]


def _market_regime(world: World, folds: list[Fold]) -> FloatArray:
    """calm or turbulent at each scored instant: filtered by regimes fitted on what was known before the first fold, at the midnight before."""
    at, series = _market(world)
    regimes = fit_regimes(series[at < folds[0].from_s])
    high = regimes.high(series) > 0.5
    asked = world.asked(folds)
    rows = np.searchsorted(at, asked.as_of_s, side="right") - 1
    return np.where(high[rows], "turbulent", "calm")


def _regimes(world: World, window: str) -> dict[str, Any]:
    """Probability that some day within h lies above the threshold: Markov switching against climatology and a logistic regression, refitted each quarter."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    at, series = _market(world)
    x = np.stack(
        [world.samples.feature(f"market_abs_range_{w}")[world.samples.as_of_s % DAY_S == 0, 0] for w in (24, 168, 720)],
        axis=1,
    )
    result = {}
    for days in (1, 7):
        happened, markov, climate, logistic = [], [], [], []
        for fold in folds_of(window)[1]:
            known = (at <= fold.from_s - 0) & np.isfinite(series)
            regimes = fit_regimes(series[known])
            ahead = np.array(
                [
                    np.nanmax(series[i + 1 : i + 1 + days]) if i + days < len(series) else np.nan
                    for i in range(len(series))
                ]
            )
            event = np.where(np.isfinite(ahead), ahead > regimes.threshold, np.nan)
            train = (at + days * DAY_S <= fold.from_s) & np.isfinite(event) & np.isfinite(x).all(axis=1)
            ask = (at >= fold.from_s) & (at < fold.to_s) & np.isfinite(event)
            fitted = LogisticRegression(C=10.0).fit(x[train], event[train])
            happened.append(event[ask])
            markov.append(regimes.high_within(series, days)[ask])
            climate.append(np.full(ask.sum(), event[train].mean()))
            logistic.append(fitted.predict_proba(x[ask])[:, 1])
        truth = np.concatenate(happened)
        result[f"{24 * days}"] = {"days": len(truth), "events": int(truth.sum())} | {
            name: {
                "brier": brier(truth, np.concatenate(p)),
                "auprc": float(average_precision_score(truth, np.concatenate(p))) if truth.any() else None,
            }
            for name, p in (("Markov switching", markov), ("climatology", climate), ("logistic", logistic))
        }
    return result


def _swans(kept: Path, main: Any) -> list[dict[str, Any]]:
    """Eight days from each date, by models fitted on outcomes known seven days before."""
    result = []
    majors = read_panel(MAJORS, "open", 3_600)
    for date, where in BLACK_SWANS:
        if where == "main" and stamp(date) + 8 * DAY_S > int(main.end_s[-1]):
            continue
        at = stamp(date)
        panel = main if where == "main" else majors
        young = np.isfinite(panel.until(at - 7 * DAY_S).close).sum(axis=0) < 90 * 24
        panel = panel.select([name for name, is_young in zip(panel.assets, young, strict=True) if not is_young]).until(
            at + 16 * DAY_S
        )
        world = World(panel, 24, kept)
        fold = [Fold(at - DAY_S, at + 7 * DAY_S, at - 7 * DAY_S)]
        asked = world.asked(fold)
        row: dict[str, Any] = {
            "date": date,
            "panel": where,
            "assets": len(panel.assets),
            "days_of_history": int((at - panel.end_s[0]) // DAY_S),
        }
        for model in (_model(world, "log-HAR"), glm(24), boosting(24)):
            f = world.forecast(model, fold, SEED)
            row[model.name] = {
                "qlike": float(np.nanmean(qlike(asked.y, f))),
                "largest_y_over_f": float(np.nanmax(asked.y / f)),
                "under": float(np.nanmean(asked.y > f)),
            }
        result.append(row)
    return result


def _log_opening(reason: str) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    is_new = not OPENINGS.is_file()
    with OPENINGS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(["when_utc", "commit", "reason"])
        writer.writerow([f"{pd.Timestamp.now('UTC'):%Y-%m-%d %H:%M}", commit, reason])


if __name__ == "__main__":
    main()
