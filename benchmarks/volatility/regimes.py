"""Calm and turbulent markets in the evaluation: probabilities scored, the regime of each instant, and what happens to a model that is frozen."""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.volatility.world import World, folds_of
from models.drift import drift_of
from models.evaluation import Fold, score
from models.forecaster import Forecaster
from models.panel import FloatArray
from models.regimes import fit_regimes
from models.scores import brier, daily
from models.task import DAY_S, LEAST_VARIANCE


def market(world: World) -> tuple[FloatArray, FloatArray]:
    """Midnights, and the market's mean log absolute range of the day before each; of closes alone its mean log variance of the week before, as one squared return is nearly noise."""
    samples = world.samples
    midnight = samples.as_of_s % DAY_S == 0
    ranges, squares = (samples.feature(name)[midnight, 0] for name in ("market_abs_range_24", "market_rv_168"))
    return samples.as_of_s[midnight], ranges if np.isfinite(ranges).any() else squares


def market_regime(world: World, folds: list[Fold]) -> FloatArray:
    """calm or turbulent at each scored instant, shape (A,): filtered by regimes fitted on what was known before the first fold, at the midnight before."""
    at, series = market(world)
    regimes = fit_regimes(series[at < folds[0].from_s])
    high = regimes.high(series) > 0.5
    rows = np.searchsorted(at, world.asked(folds).as_of_s, side="right") - 1
    return np.where(high[rows], "turbulent", "calm")


def regime_scores(world: World, window: str) -> dict[str, Any]:
    """`regime_scores_of` the quarters of a window."""
    return regime_scores_of(world, folds_of(window)[1])


def regime_scores_of(world: World, folds: list[Fold]) -> dict[str, Any]:
    """Probability that some day within h lies above the threshold: Markov switching against climatology and a logistic regression, refitted with each fold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score

    at, series = market(world)
    midnight = world.samples.as_of_s % DAY_S == 0
    x = np.stack([world.samples.feature(f"market_abs_range_{w}")[midnight, 0] for w in (24, 168, 720)], axis=1)
    result = {}
    for days in (1, 7):
        happened, markov, climate, logistic = [], [], [], []
        ahead = np.full(len(series), np.nan)
        ahead[:-days] = np.nanmax(np.lib.stride_tricks.sliding_window_view(series[1:], days), axis=1)
        for fold in folds:
            regimes = fit_regimes(series[(at <= fold.from_s) & np.isfinite(series)])
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


def drift(world: World, model: Forecaster, before: list[Fold], folds: list[Fold], seed: int) -> dict[str, Any]:
    """A model frozen at the start of the window against the refitted one, and the days of the forecasts whose outcomes, known a horizon later, make the detector ask for a refit."""
    asked = world.asked(folds)
    frozen = [folds[0], *(Fold(fold.from_s, fold.to_s, folds[0].from_s) for fold in folds[1:])]
    old, new = world.forecast(model, frozen, seed), world.forecast(model, folds, seed)
    compared = score("frozen", asked.y, old, new, asked.as_of_s, world.horizon_hours)
    earlier = world.asked(before)
    fresh = daily(np.log(np.maximum(earlier.y, LEAST_VARIANCE) / world.forecast(model, before, seed)), earlier.as_of_s)
    error = np.log(np.maximum(asked.y, LEAST_VARIANCE) / old)
    known = np.unique(asked.as_of_s[np.isfinite(error).any(axis=1)] // DAY_S)
    days = known[np.flatnonzero(drift_of(fresh).alarms(daily(error, asked.as_of_s)))]
    return {
        "ratio_frozen_to_refitted": compared.ratio,
        "p": compared.test.p,
        "alarms": [str(pd.Timestamp(int(day) * DAY_S, unit="s").date()) for day in days],
    }
