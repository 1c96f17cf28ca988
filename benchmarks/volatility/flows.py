"""The daily network panel, scored: every baseline, and graph networks over real token flows against twins without them; docs/results/volatility-flows.md and .csv.

    python -m benchmarks.volatility.flows --window validation
    python -m benchmarks.volatility.flows --window "held out" --open "why"

Everything was chosen on October 2021 to March 2022. April to June 2022 is read from the files only with --open, and each opening is written into
docs/results/volatility-openings.csv. Forecasts are kept as those of `benchmarks.volatility` are.
"""

import argparse
import itertools
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volatility.calibration import calibration
from benchmarks.volatility.compare import against, compared, spread, twins
from benchmarks.volatility.flow_page import write_page
from benchmarks.volatility.flow_world import (
    FLOWS,
    WINDOWS,
    WRAPPED,
    FlowWorld,
    closes_panel,
    flow_history,
    flow_world,
    hours_panel,
    read_flows,
    unpriced,
)
from benchmarks.volatility.networks import Attempt, forecasts, graph_attempts, own_features, sizes
from benchmarks.volatility.record import RESULTS, command, log_opening
from benchmarks.volatility.regimes import market_regime, regime_scores_of
from benchmarks.volatility.world import MAIN
from chain.files.frames import file_hash
from models.baselines.boosting import Boosting
from models.baselines.combination import Combination
from models.baselines.gamma_glm import GammaGlm
from models.baselines.har import network_har
from models.evaluation import Fold, by_group, quarters
from models.forecaster import Forecaster
from models.line_up import (
    CALENDAR,
    MARKET_RV,
    RETURNS,
    RIDGE,
    TREES,
    TREES_OF_A_WEEK,
    baselines,
    boosting,
    closes_only,
    glm,
)
from models.panel import FloatArray
from models.task import DAY_S

HORIZONS = (24, 168)
REFERENCES = ("log-HAR", "pooled log-HAR", "gamma GLM")
SEED = 0
GRAPH_DAYS = 28
"""Days of flows in one graph."""
POOLS = ("flow_7_28", "net_flow_7", "dollar_flow_7", "depth_7_28", "turnover_7", "gas_7_28")
NEIGHBOURS = ("rv_24", "rv_168")


def line_up(prices: str, horizon_hours: int) -> tuple[Forecaster, ...]:
    """The line-up's models of closes alone, then what is tried on flows; the last four before boosting are the regression with neighbours by flow, with the same from shuffled edges, with what the pools say, with all."""
    base = replace(closes_only(horizon_hours) if prices == "closes" else glm(horizon_hours), name="gamma GLM")
    lags = tuple(f"rv_{w}" for w in (24, 168, 720))

    def with_more(name: str, *more: str) -> GammaGlm:
        return replace(base, name=f"gamma GLM, {name}", features=(*base.features, *more))

    flow, shuffled = (tuple(f"{relation}_{name}" for name in NEIGHBOURS) for relation in ("flow", "flow_shuffled"))
    trees = boosting_of(prices, horizon_hours, base)
    of_closes = itertools.takewhile(lambda model: not model.name.startswith("network HAR"), baselines(horizon_hours))
    return (
        *of_closes,
        network_har("flow", horizon_hours),
        network_har("flow_shuffled", horizon_hours),
        GammaGlm("gamma GLM, lags only", lags, lags, RIDGE),
        base,
        with_more("neighbours by flow", *flow),
        with_more("shuffled neighbours", *shuffled),
        with_more("pools and gas", *POOLS),
        with_more("all of these", *flow, *POOLS),
        trees,
        Combination("combination", (base, trees)),
    )


def boosting_of(prices: str, horizon_hours: int, base: GammaGlm) -> Boosting:
    """The line-up's trees; closes have no ranges, so there the levels are absolute returns."""
    if prices == "hours":
        return replace(boosting(horizon_hours), offset=base)
    settings = TREES if horizon_hours < 168 else TREES_OF_A_WEEK
    levels = (*RETURNS[1:3], "rv_24", "rv_168", *MARKET_RV[1:3], "index_rv_168")
    signed = ("return_24", "return_168", "market_return_24", "market_return_168")
    return Boosting("boosting on GLM", base, levels, (*CALENDAR, *signed), "abs_return_720", settings=settings)


def graphs_of(world: FlowWorld) -> Iterator[Attempt]:
    """The dense network, and the graph network with its twins."""
    yield Attempt("MLP", "mlp")
    first, last = int(world.samples.as_of_s[0]), int(world.panel.end_s[-1]) + DAY_S
    history = flow_history(world.flows, world.panel.assets, first, last, GRAPH_DAYS)
    yield from graph_attempts(f"graph, flows of {GRAPH_DAYS} days", history)


ANSWERS = {
    ("closes", 24): "EWMA 0.94",
    ("closes", 168): "EWMA 0.94",
    ("hours", 24): "gamma GLM, neighbours by flow",
    ("hours", 168): "combination",
}
"""The best on validation, by prices and horizon: what is judged on the held-out quarter."""
BEFORE = {
    ("closes", "validation"): "2021-04-01",
    ("hours", "validation"): "2021-07-01",
    ("closes", "held out"): "2021-10-01",
    ("hours", "held out"): "2021-10-01",
}
"""From when on fresh forecasts before the window teach the quantiles: half a year, but for hourly bars before the validation window, whose first instant is in May 2021."""


def main() -> None:
    """Run one window, both sets of prices, both horizons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--window", choices=list(WINDOWS), default="validation")
    parser.add_argument("--open", metavar="REASON", help="read April to June 2022; the opening is logged")
    parser.add_argument("--kept", type=Path, default=Path(".cache/volatility-flows"))
    chosen = parser.parse_args()
    if chosen.window != "validation":
        if not chosen.open:
            sys.exit(
                "April to June 2022 is opened only with --open REASON; everything is chosen on --window validation"
            )
        log_opening("network panel, 2022-04 to 2022-06", chosen.open)
    start = time.perf_counter()
    found: dict[str, Any] = {"window": chosen.window, "parts": []}
    for prices in ("closes", "hours"):
        for horizon in HORIZONS:
            began = time.perf_counter()
            world = flow_world(prices, horizon, chosen.kept, WINDOWS[chosen.window][1])
            part = part_of(world, prices, chosen.window)
            found["parts"].append(part | {"seconds": round(time.perf_counter() - began)})
    flows = read_flows(FLOWS, WRAPPED)
    priced = {WRAPPED.get(name, name) for name in closes_panel(FLOWS).assets} | set(hours_panel().assets)
    count, without = unpriced(flows, priced)
    found["flows"] = {"tokens": count, "unpriced": len(without), "largest": without[:6]}
    found["run"] = {
        "command": command("benchmarks.volatility.flows"),
        "seed": SEED,
        "data": {path.name: file_hash(path) for path in (*sorted(FLOWS.glob("token_[fp]*.gz")), MAIN)},
        "seconds": round(time.perf_counter() - start),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    (chosen.kept / f"{chosen.window}.json").write_text(json.dumps(found, indent=1))
    write_page(found, RESULTS)


def part_of(world: FlowWorld, prices: str, window: str) -> dict[str, Any]:
    """Scores of one set of prices and horizon."""
    folds = quarters(*WINDOWS[window])
    asked = world.asked(folds)
    models = line_up(prices, world.horizon_hours)
    made = {model.name: world.forecast(model, folds, SEED) for model in models}
    base, answer = (
        next(model for model in models if model.name == name)
        for name in ("gamma GLM", ANSWERS[prices, world.horizon_hours])
    )
    names = own_features(world.samples)
    by_seed = forecasts(world, base, graphs_of(world), folds, names)
    relations = [
        [name, other, *against(asked, made[name], made[other])]
        for name, other in (
            ("network HAR (flow)", "network HAR (flow_shuffled)"),
            ("gamma GLM, neighbours by flow", "gamma GLM, shuffled neighbours"),
        )
    ]
    drawn = (
        [model for model in models if model.name in ("EGARCH-t", "boosting on GLM")] if window == "validation" else []
    )
    random = spread(
        asked,
        {model.name: [world.forecast(model, folds, seed) for seed in range(3)] for model in drawn},
        made["log-HAR"],
    )
    return {
        "prices": prices,
        "horizon": world.horizon_hours,
        "assets": list(world.panel.assets),
        "answers": answer.name,
        "days": len(np.unique(asked.as_of_s)),
        "rows": int(np.isfinite(asked.y).sum()),
        "first": str(np.datetime64(int(world.samples.as_of_s[0]), "s"))[:10],
        **compared(asked, made, REFERENCES, SEED),
        **distribution(world, answer, made, prices, window, folds),
        "networks": spread(asked, by_seed, made["gamma GLM"]),
        "random": random,
        "twins": twins(asked, by_seed),
        "relations": relations,
        "parameters": sizes(names, graphs_of(world)),
    }


def distribution(
    world: FlowWorld, answer: Forecaster, made: dict[str, FloatArray], prices: str, window: str, folds: list[Fold]
) -> dict[str, Any]:
    """Quantiles of what answers, learnt from fresh forecasts before the window; its score by regime; a day ahead of hourly bars the regimes themselves."""
    before = quarters(BEFORE[prices, window], WINDOWS[window][0])
    regime, asked = market_regime(world, folds), world.asked(folds)
    seen = world.samples.known_by(before[0].cutoff_s).as_of_s
    found: dict[str, Any] = {
        "calibration": calibration(world, answer, before, folds, regime, SEED),
        "learnt_from": {
            "first": BEFORE[prices, window],
            "days": len(world.asked(before).as_of_s),
            "fitted_days": len(np.unique(seen // DAY_S)),
        },
        "by_regime": by_group(asked.y, made[answer.name], made["log-HAR"], regime[:, None]),
    }
    return found | (
        {"regimes": regime_scores_of(world, folds)} if (prices, world.horizon_hours) == ("hours", 24) else {}
    )


if __name__ == "__main__":
    main()
