"""What the volatility evaluation runs on: the data, the windows, the samples, and which instants are scored."""

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from chain.files.frames import file_hash
from models.baselines.combination import Combination, combined
from models.evaluation import Fold, asked_for, content_of, quarters, walk_forward
from models.features import price_samples
from models.features.correlation import correlation_weights, shuffled_weights
from models.forecaster import Forecaster
from models.panel import FloatArray, IntArray, Panel, read_panel
from models.samples import Samples
from models.task import DAY_S, HOUR_S, as_of_grid, horizon_returns, hourly_task

DATA = Path(os.environ.get("AFTERSHOCK_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
MAIN = DATA / "prices-hourly-binance-2021-2023" / "ohlcv_1h.parquet"
MAJORS = DATA / "prices-hourly-binance-2017-2022-majors" / "ohlcv_1h.parquet"
FULL_SPAN = 0.99
PEGGED = 2e-4
"""Median absolute hourly return below which an asset is taken as pegged to the dollar."""
WINDOWS = {"validation": ("2022-07-01", "2023-01-01"), "test": ("2023-01-01", "2023-12-31")}
BEFORE = {"validation": "2022-01-01", "test": "2022-07-01"}
"""Half a year of fresh forecasts before each window: what quantiles and the drift detector learn from."""


def stamp(date: str) -> int:
    """Unix seconds of a date, midnight UTC."""
    return int(pd.Timestamp(date).timestamp())


def scored(horizon_hours: int, as_of_s: IntArray) -> IntArray:
    """Which instants are asked for: every six hours an hour ahead, else every midnight UTC."""
    return np.asarray(as_of_s % (DAY_S if horizon_hours >= 24 else 6 * HOUR_S) == 0).astype(np.int64)


@dataclass(frozen=True)
class World:
    """One panel and one horizon; samples and forecasts are made when asked for and kept."""

    panel: Panel
    horizon_hours: int
    kept_in: Path
    tell: bool = field(default=True, kw_only=True)

    @cached_property
    def samples(self) -> Samples:
        """Features and outcomes every six hours, an hour ahead every three. There the range proxy is the outcome, for every model: one squared hourly return is nearly noise."""
        task = hourly_task(self.horizon_hours)
        first, last = int(self.panel.end_s[0]), int(self.panel.end_s[-1]) + 1
        weights = correlation_weights(self.panel, as_of_grid(self.panel, task, first, last))
        relations = {"correlation": weights, "shuffled": shuffled_weights(weights, np.random.default_rng(0))}
        samples = price_samples(self.panel, task, first, last, relations)
        return replace(samples, y=samples.proxy) if self.horizon_hours == 1 and samples.proxy is not None else samples

    @cached_property
    def content(self) -> str:
        """Hash that kept forecasts belong to."""
        return content_of(self.samples)

    def forecast(self, model: Forecaster, folds: list[Fold], seed: int = 0) -> FloatArray:
        """Walk-forward forecasts at the scored instants of the folds; a combination takes those of its parts."""
        if isinstance(model, Combination):
            return combined([self.forecast(part, folds, seed) for part in model.parts])
        return walk_forward(
            model,
            self.samples,
            self.panel,
            folds,
            self.scored,
            seed,
            self.kept_in,
            self.content,
            self.say if self.tell else None,
        )

    def asked(self, folds: list[Fold]) -> Samples:
        """The samples that belong to those forecasts."""
        return asked_for(self.samples, folds, self.scored)

    def returns(self, asked: Samples) -> FloatArray:
        """Log returns over the horizon."""
        return horizon_returns(self.panel, asked.as_of_s, asked.task)

    def scored(self, as_of_s: IntArray) -> IntArray:
        return scored(self.horizon_hours, as_of_s)

    def say(self, text: str) -> None:
        print(f"  {self.horizon_hours:>3} h  {text}", flush=True)  # noqa: T201


def main_panel(until: str) -> Panel:
    """Assets of the main panel that trade from its start to the end of 2022 and are not pegged (choices that the test year did not make), until a date."""
    panel = read_panel(MAIN, "open", HOUR_S)
    before = panel.until(stamp("2023-01-01"))
    whole = np.isfinite(before.close).mean(axis=0) >= FULL_SPAN
    whole[whole] = np.nanmedian(np.abs(before.log_returns()[:, whole]), axis=0) >= PEGGED
    chosen = [name for name, is_whole in zip(panel.assets, whole, strict=True) if is_whole]
    return panel.select(chosen).until(stamp(until))


def folds_of(window: str) -> tuple[list[Fold], list[Fold]]:
    """Quarterly folds of the half-year before a window, and of the window."""
    first, last = WINDOWS[window]
    return quarters(BEFORE[window], first), quarters(first, last)


def months(window: str) -> list[Fold]:
    """Monthly folds of a window, for a study that refitted its linear models every month."""
    first, last = WINDOWS[window]
    edges = [
        int(at.timestamp()) for at in (*pd.date_range(first, last, freq="MS", inclusive="left"), pd.Timestamp(last))
    ]
    return [Fold(start, stop) for start, stop in pairwise(edges)]


def hashes() -> dict[str, str]:
    """sha256 of the data files."""
    return {path.parent.name: file_hash(path) for path in (MAIN, MAJORS)}
