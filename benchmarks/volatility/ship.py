"""Train the volatility models that ship with the package, and write them with their cards.

    python -m benchmarks.volatility.ship

Fitted on what was known by the first of January 2023, so that their scores on 2023 are scores on prices that they never saw (docs/results/volatility.md, the frozen
model); their distributions come from the fresh forecasts of the second half of 2022. No random part.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from aftershock.forecasting.forecasts import AGAINST_HAR, SHIPPED
from benchmarks.volatility.record import RESULTS
from benchmarks.volatility.verdict import FITTED_ONCE
from benchmarks.volatility.world import World, folds_of, main_panel, stamp
from models.answering import Answering, features_of, law_of
from models.baselines.simple import rolling_mean
from models.evaluation import score
from models.forecaster import Forecaster
from models.line_up import HORIZONS, answers, baselines, closes_only
from models.store import Card, hash_of, save
from models.task import outcomes

CUTOFF = "2023-01-01"
TEST_YEAR = RESULTS / "volatility.csv"
NOTES = (
    "For crypto assets that trade freely, on hourly bars; trained on 33 of them, April 2021 to December 2022, from one exchange. Not for pegged assets in a break of their peg: none was in training.",
    "The first model that has what it needs answers: boosted trees on a gamma regression (open, high, low, close, volume), a gamma regression on closes, the mean of thirty days.",
    "Quantiles come from the forecasts of 2022-07 to 2022-12 and do not learn from the user's file.",
    "The models were chosen on quarters before 2023, 2022-07 to 2022-12 among them (docs/results/volatility-choice.md). 2023 is a year that nothing was chosen on; it was opened twice for models that were chosen, and what answers was changed in between (docs/results/volatility.md), and a third time for a replication that chose nothing (docs/results/volatility-study.md).",
)


def unseen(horizon: int, models: Sequence[str]) -> dict[str, float]:
    """Ratios of QLIKE to log-HAR in the test year, from the table of its opening: the first figure that a forecast cites. What ships was fitted once, before that year, so its figure
    is that of the model that was never refitted; the mean of thirty days has nothing to fit."""
    table = pd.read_csv(TEST_YEAR)
    rows = table[(table["horizon_hours"] == horizon) & (table["reference"] == "log-HAR")].set_index("model")["ratio"]
    known = {model: float(rows.get(f"{model}{FITTED_ONCE}", rows[model])) for model in models if model in rows.index}
    return {
        f"{AGAINST_HAR}the unseen year 2023 (fitted once, before it), {model}": ratio for model, ratio in known.items()
    }


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description="Train the volatility models that ship.")
    parser.add_argument("--kept", type=Path, default=Path(".cache/volatility"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    chosen = parser.parse_args()
    panel = main_panel(CUTOFF)
    _, folds = folds_of("validation")
    for horizon in HORIZONS:
        world = World(panel, horizon, chosen.kept)
        lined_up = {model.name: model for model in baselines(horizon)}
        makers: tuple[Forecaster, ...] = (lined_up[answers(horizon)], closes_only(horizon), rolling_mean())
        asked = world.asked(folds)
        true = outcomes(panel, asked.as_of_s, asked.task)
        train = world.samples.known_by(stamp(CUTOFF))
        everything = outcomes(panel, train.as_of_s, train.task)
        both = np.isfinite(everything) & np.isfinite(train.y)
        factor = float(everything[both].sum() / train.y[both].sum())
        fitted = tuple(model.fit(train, panel, np.random.default_rng(0)) for model in makers)
        fresh = [world.forecast(model, folds) for model in makers]
        factors = (factor, factor, 1.0)
        laws = tuple(law_of(true, world.returns(asked), f * by) for f, by in zip(fresh, factors, strict=True))
        reference = world.forecast(lined_up["log-HAR"], folds)
        figures = unseen(horizon, [model.name for model in makers]) | {
            f"{AGAINST_HAR}2022-07 to 2022-12, {model.name}": score(
                model.name, asked.y, f, reference, asked.as_of_s, horizon
            ).ratio
            for model, f in zip(makers, fresh, strict=True)
        }
        card = Card(
            f"volatility, {horizon} h",
            train.task,
            features_of(fitted),
            hash_of(panel),
            stamp(CUTOFF),
            0,
            figures,
            NOTES,
        )
        folder = chosen.out / f"volatility_{horizon}h"
        save(folder, Answering(tuple(model.name for model in makers), fitted, laws, factors), card)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder}: {size / 1e3:,.0f} kB, factor {factor:.3f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
