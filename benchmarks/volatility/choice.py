"""What the regression and the trees that answer were chosen on: every quarter before 2023 that has a history, not one half-year. Written to docs/results/volatility-choice.md.

    python -m benchmarks.volatility.choice

Two records: twelve majors from 2019 to June 2022, through the calm of 2019 and the crashes of 2020 and 2021; and the main panel from October 2021 to December 2022 (an hour
ahead the main panel alone). Walk-forward, a refit each quarter, QLIKE over that of log-HAR fitted an asset at a time; the mean of both records decides. Nothing of 2023 is read.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.volatility.record import RESULTS, command
from benchmarks.volatility.world import MAJORS, World, hashes, main_panel, stamp
from models.baselines.combination import Combination
from models.baselines.har import log_har
from models.evaluation import Fold, quarters
from models.forecaster import Forecaster
from models.line_up import HORIZONS, INDEX, RIDGE, boosting, glm
from models.panel import FloatArray, read_panel
from models.scores import qlike
from models.task import HOUR_S

FIRST_TREES = {"learning_rate": 0.05, "max_iter": 60, "max_leaf_nodes": 31, "min_samples_leaf": 300, "l2_regularization": 1.0}  # fmt: skip
FIRST_TREES_OF_A_WEEK = {**FIRST_TREES, "max_leaf_nodes": 8, "min_samples_leaf": 1_000}
FIRST_CHOICE = "first choice: regression and its trees"
"""What answered when 2023 was first opened: chosen on 2022-07 to 2022-12 alone."""

HEAD = (
    "QLIKE over that of log-HAR fitted an asset at a time, walk-forward, a refit each quarter. Each line is the one above it with one change, trees on the regression above them. "
    "Two stretches were scored, twelve large assets from 2019 to June 2022 and the main panel from October 2021 to December 2022 (an hour ahead the second alone), and the mean of their two ratios decides, but what differs by half a hundredth or less is told apart by nothing, and there one kind of model was kept for every horizon; everything here was chosen on what it shows, so it flatters. Nothing of 2023 was read."
)


@dataclass(frozen=True)
class Record:
    """A panel, the folds that are scored, and how its columns are called: by year or by quarter."""

    name: str
    world: World
    folds: list[Fold]
    by: str

    def ratios(self, model: Forecaster) -> dict[str, float]:
        """Mean QLIKE over that of log-HAR, by period and in all, where both answer."""
        asked = self.world.asked(self.folds)
        own, reference = (
            qlike(asked.y, self.world.forecast(each, self.folds)) for each in (model, log_har(self.world.horizon_hours))
        )
        both = np.isfinite(own) & np.isfinite(reference)
        own, reference = np.where(both, own, np.nan), np.where(both, reference, np.nan)
        period = pd.to_datetime(asked.as_of_s, unit="s").to_period(self.by).astype(str).to_numpy()
        found = {str(p): _ratio(own[period == p], reference[period == p]) for p in np.unique(period)}
        return found | {self.name: _ratio(own, reference)}


def candidates(horizon_hours: int) -> Iterator[tuple[str, Forecaster]]:
    """The first choice, then one change after the other up to what answers now."""
    now, trees = glm(horizon_hours), boosting(horizon_hours)
    first_trees = FIRST_TREES if horizon_hours < 168 else FIRST_TREES_OF_A_WEEK
    features = tuple(name for name in now.features if name not in INDEX)
    first = replace(now, features=features, ridge=RIDGE, level=None, cap=None, effects=None)
    yield "first choice: regression", first
    yield FIRST_CHOICE, replace(trees, offset=first, cap=None, settings=first_trees)
    held = replace(now, features=features, cap=None, effects=None)
    yield "ridge on the distance from the own level", held
    if now.features != features:
        yield "and the index", replace(now, cap=None, effects=None)
    yield "and outcomes held down to ten times the forecast", replace(now, effects=None)
    if now.effects is not None:
        yield "and an effect of each asset: **the regression**", now
    yield "trees of the first choice on it, outcomes held down", replace(trees, settings=first_trees)
    yield "fewer, larger trees: **what answers**", trees
    yield "mean of logs of the last regression and its trees", Combination("combination", (now, trees))


def records(horizon_hours: int, kept: Path) -> list[Record]:
    """Where a horizon is judged."""
    main = World(main_panel("2023-01-01"), horizon_hours, kept, tell=False)
    found = [Record("2021-10 to 2022-12", main, quarters("2021-10-01", "2023-01-01"), "Q")]
    if horizon_hours > 1:
        majors = World(read_panel(MAJORS, "open", HOUR_S).until(stamp("2022-07-01")), horizon_hours, kept, tell=False)
        found.insert(0, Record("majors, 2019 to 2022-06", majors, quarters("2019-01-01", "2022-07-01"), "Y"))
    return found


def main() -> None:
    """Score all candidates and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kept", type=Path, default=Path(".cache/volatility"))
    chosen = parser.parse_args()
    start = time.perf_counter()
    lines = [
        "# What the regression and the trees were chosen on: before 2023",
        "",
        HEAD,
    ]
    for horizon in HORIZONS:
        rows: dict[str, dict[str, float]] = {}
        judged = records(horizon, chosen.kept)
        for name, model in candidates(horizon):
            rows[name] = {key: value for record in judged for key, value in record.ratios(model).items()}
            if len(judged) > 1:
                rows[name]["mean"] = float(np.mean([rows[name][record.name] for record in judged]))
            print(f"  {horizon:>3} h  {name}: {list(rows[name].values())[-1]:.4f}", flush=True)  # noqa: T201
        lines += ["", f"## {horizon} hour{'s' if horizon > 1 else ''} ahead", "", *_table(rows)]
    lines += [
        "",
        f"Command: `{command('benchmarks.volatility.choice')}`; seed 0; data, sha256: "
        + "; ".join(f"{name} {digest[:16]}" for name, digest in hashes().items())
        + f"; {time.perf_counter() - start:,.0f} s, forecasts that were kept from an earlier run not counted.",
    ]
    (RESULTS / "volatility-choice.md").write_text("\n".join(lines) + "\n")


def _table(rows: dict[str, dict[str, float]]) -> list[str]:
    columns = list(next(iter(rows.values())))
    return [
        f"| model | {' | '.join(columns)} |",
        "|---|" + "--:|" * len(columns),
        *(f"| {name} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |" for name, row in rows.items()),
    ]


def _ratio(own: FloatArray, reference: FloatArray) -> float:
    return float(np.nanmean(own) / np.nanmean(reference))


if __name__ == "__main__":
    main()
