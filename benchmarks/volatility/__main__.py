"""Volatility forecasts, scored: every baseline and network, three horizons, walk-forward; written to docs/results/volatility.md and .csv.

    python -m benchmarks.volatility --window validation
    python -m benchmarks.volatility --window test --open-test "why"

Data in ../shared/data, or the folder in AFTERSHOCK_DATA. Everything was chosen on the validation window (2022-07 to 2022-12) and the quarters before it (`benchmarks.volatility.choice`); the test year 2023 is read from
the file only with --open-test, and each opening is written into docs/results/volatility-openings.csv. Forecasts are kept in --kept by model, settings, seed, fold
and a hash of the samples, so a run that was stopped goes on where it was.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volatility.by_regime import scores_by_regime
from benchmarks.volatility.calibration import calibration
from benchmarks.volatility.compare import against, compared, spread, twins
from benchmarks.volatility.networks import forecasts as network_forecasts
from benchmarks.volatility.networks import hourly_attempts, own_features, sizes
from benchmarks.volatility.page import write_page
from benchmarks.volatility.record import RESULTS, command, log_opening
from benchmarks.volatility.regimes import drift, market_regime, regime_scores
from benchmarks.volatility.swans import swans
from benchmarks.volatility.world import WINDOWS, World, folds_of, hashes, main_panel, months
from models.evaluation import Fold, by_group
from models.forecaster import Forecaster
from models.line_up import HORIZONS, answers, baselines
from models.panel import FloatArray
from models.samples import Samples

REFERENCES = ("log-HAR", "pooled log-HAR", "gamma GLM")
DRAWN = ("EGARCH-t", "boosting on GLM")
"""Baselines that take a seed: paths of EGARCH beyond a day; trees, which draw nothing with these settings. An hour ahead, where a fit has most rows, neither is repeated."""
STUDY = ("pooled log-HAR", "gamma GLM")
SEED = 0
SEEDS = (0, 1, 2)


def main() -> None:
    """Run one window."""
    told = __doc__.splitlines()[0] if __doc__ else None
    parser = argparse.ArgumentParser("python -m benchmarks.volatility", description=told)
    parser.add_argument("--window", choices=list(WINDOWS), default="validation")
    parser.add_argument("--open-test", metavar="REASON", help="read the year 2023; the opening is logged")
    parser.add_argument("--horizons", type=int, nargs="+", default=list(HORIZONS))
    parser.add_argument("--kept", type=Path, default=Path(".cache/volatility"))
    chosen = parser.parse_args()
    if chosen.window == "test" and not chosen.open_test:
        sys.exit("the test year is opened only with --open-test REASON; everything is chosen before 2023")
    start = time.perf_counter()
    if chosen.window == "test":
        log_opening("2023", chosen.open_test)
    panel = main_panel("2024-01-01" if chosen.window == "test" else "2023-01-01")
    found: dict[str, Any] = {"window": chosen.window, "horizons": {}}
    for horizon in chosen.horizons:
        began = time.perf_counter()
        part = _horizon(World(panel, horizon, chosen.kept), chosen.window)
        found["horizons"][horizon] = part | {"seconds": round(time.perf_counter() - began)}
        print(f"{horizon:>3} h done after {time.perf_counter() - start:,.0f} s", flush=True)  # noqa: T201
    day = World(panel, 24, chosen.kept)
    found["regimes"] = regime_scores(day, chosen.window)
    found["study"] = _study(day, chosen.window)
    found["swans"] = swans(chosen.kept, panel, SEED)
    found["run"] = {
        "command": command("benchmarks.volatility"),
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
    models = {model.name: model for model in baselines(world.horizon_hours)}
    forecasts = {name: world.forecast(model, folds, SEED) for name, model in models.items()}
    default = models[answers(world.horizon_hours)]
    reference, best = forecasts["log-HAR"], forecasts[default.name]
    regime = market_regime(world, folds)
    asset = np.array(world.panel.assets)[None, :]
    return {
        "default": default.name,
        **compared(asked, forecasts, REFERENCES, SEED),
        "scores_by_regime": scores_by_regime(asked, forecasts, regime),
        "by_asset": by_group(asked.y, best, reference, asset),
        "calibration": calibration(world, default, before, folds, regime, SEED),
        "drift": drift(world, default, before, folds, SEED),
        "random": _random(world, asked, models, folds, reference),
        **_networks(world, asked, models["gamma GLM"], folds, forecasts["gamma GLM"]),
    }


def _random(
    world: World, asked: Samples, models: dict[str, Forecaster], folds: list[Fold], reference: FloatArray
) -> dict[str, Any]:
    by_seed: dict[str, Sequence[FloatArray]] = {
        name: [world.forecast(models[name], folds, seed) for seed in SEEDS] for name in DRAWN if world.horizon_hours > 1
    }
    return spread(asked, by_seed, reference)


def _networks(world: World, asked: Samples, base: Forecaster, folds: list[Fold], linear: FloatArray) -> dict[str, Any]:
    """Networks on the gamma regression: each seed against it, and graph networks against their twins."""
    names = own_features(world.samples)
    by_seed = network_forecasts(world, base, hourly_attempts(world), folds, names)
    return {
        "networks": spread(asked, by_seed, linear),
        "parameters": sizes(names, hourly_attempts(world)),
        "twins": twins(asked, by_seed),
    }


def _study(world: World, window: str) -> dict[str, Any]:
    """Under the conditions of a study of the same data: a day ahead, linear models refitted every month, trees every quarter; against log-HAR refitted every month."""
    models = {model.name: model for model in baselines(24)}
    quarterly = folds_of(window)[1]
    monthly = months(window)
    asked = world.asked(monthly)
    reference = world.forecast(models["log-HAR"], monthly, SEED)
    found = {name: against(asked, world.forecast(models[name], monthly, SEED), reference) for name in STUDY}
    trees = world.forecast(models["boosting on GLM"], quarterly, SEED)
    found["boosting on GLM, refitted quarterly"] = against(asked, trees, reference)
    found["log-HAR, refitted quarterly"] = against(asked, world.forecast(models["log-HAR"], quarterly, SEED), reference)
    return {name: list(pair) for name, pair in found.items()}


if __name__ == "__main__":
    main()
