"""Scores and tests of difference against other libraries; walk-forward that keeps what it has done."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models.baselines.combination import combined
from models.baselines.har import Har
from models.evaluation import (
    Fold,
    asked_for,
    by_group,
    confidence_set,
    content_of,
    lags_of,
    quarters,
    score,
    walk_forward,
)
from models.features import price_samples
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.scores import daily, diebold_mariano, qlike
from models.task import Task
from tests.models.drawn_panel import START_S, drawn_panel

DAY_S = 86_400


def test_qlike_is_zero_at_the_truth_and_has_a_floor() -> None:
    np.testing.assert_allclose(qlike(np.array([1.0, 2.0]), np.array([1.0, 1.0])), [0.0, 2.0 - np.log(2.0) - 1.0])
    assert (
        np.isfinite(qlike(np.array([0.0]), np.array([1e-6])))[0]
        and np.isnan(qlike(np.array([np.nan]), np.array([1.0])))[0]
    )


def test_diebold_mariano_is_a_regression_on_a_constant_with_hac_errors() -> None:
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2.0, size=300), rng.gamma(2.1, size=300)
    lags, n = 6, 300
    theirs = sm.OLS(a - b, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": False})
    harvey = np.sqrt((n + 1 - 2 * 7 + 7 * 6 / n) / n)
    found = diebold_mariano(a, b, lags)
    assert found.statistic == pytest.approx(theirs.tvalues[0] * harvey, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.statistic), n - 1), rel=1e-12)
    assert found.difference == pytest.approx((a - b).mean()) and diebold_mariano(a, a, lags).p == 1.0


def test_a_better_forecast_is_found_to_be_better_and_a_twin_is_not() -> None:
    rng = np.random.default_rng(2)
    truth = np.exp(rng.normal(size=(250, 5)))
    y = truth * rng.gamma(4.0, 0.25, size=truth.shape)
    at = np.arange(250, dtype=np.int64) * DAY_S
    plain = np.full_like(truth, truth.mean())
    good = score("good", y, truth, plain, at, 24)
    assert good.ratio < 0.4 and good.test.p < 1e-6 and good.answered == 1.0
    half = np.where(np.arange(5) < 2, truth, np.nan)
    assert score("half", y, half, plain, at, 24).answered == pytest.approx(0.4)
    losses = {"good": daily(qlike(y, truth), at), "plain": daily(qlike(y, plain), at)}
    found = confidence_set(losses, 0)
    assert found["good"] > 0.1 > found["plain"]
    groups = by_group(y, truth, plain, np.array(list("AABBB"))[None, :])
    assert groups["A"][0] == 500 and groups["B"][0] == 750


def test_without_the_worst_instant_one_crash_does_not_decide() -> None:
    y = np.full((30, 2), 1.1)
    y[7] = 1_000.0
    reference, other = np.ones((30, 2)), np.where(np.arange(30)[:, None] == 7, 900.0, 2.0) * np.ones((30, 2))
    found = score("other", y, other, reference, np.arange(30, dtype=np.int64) * DAY_S, 24)
    assert found.ratio < 0.1 and found.ratio_without_worst > 1


def test_lags_cover_the_overlap() -> None:
    assert lags_of(363, 24) == 7 and lags_of(27, 168) == 6 and lags_of(27, 24) == 3


@dataclass(frozen=True)
class Counting:
    """Log-HAR that writes down each fit."""

    name: str = "counting"
    fits: list[int] = field(default_factory=list, repr=False, compare=False)

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> object:
        self.fits.append(int(train.as_of_s[-1]))
        return Har("log-HAR").fit(train, panel, rng)


def midnight(at: IntArray) -> IntArray:
    return np.asarray(at % DAY_S == 0).astype(np.int64)


def test_walk_forward_fits_on_the_past_and_goes_on_where_it_was(tmp_path: Path) -> None:
    panel = drawn_panel()
    task = Task(horizon_hours=24)
    samples = price_samples(panel, task, START_S, 2**40)
    folds = [Fold(START_S + 60 * DAY_S, START_S + 70 * DAY_S), Fold(START_S + 70 * DAY_S, START_S + 80 * DAY_S)]
    asked = asked_for(samples, folds, midnight)
    assert len(asked.as_of_s) == 20
    first = Counting()
    kept: FloatArray = walk_forward(first, samples, panel, folds[:1], midnight, 0, tmp_path, content_of(samples))  # type: ignore[arg-type]
    assert first.fits == [folds[0].from_s - DAY_S]  # the last outcome known at the cutoff began a day before
    second = Counting()
    both = walk_forward(second, samples, panel, folds, midnight, 0, tmp_path, content_of(samples))  # type: ignore[arg-type]
    assert len(second.fits) == 1 and both.shape == asked.y.shape
    np.testing.assert_array_equal(both[:10], kept)
    other = price_samples(panel.select(panel.assets[:3]), task, START_S, 2**40)
    assert content_of(other) != content_of(samples)
    third = Counting()
    walk_forward(third, samples, panel, folds, midnight, 0, tmp_path, "other data")  # type: ignore[arg-type]
    assert len(third.fits) == 2


def test_quarters_meet_and_a_frozen_fold_knows_less() -> None:
    found = quarters("2022-07-01", "2022-12-31")
    assert [pd.Timestamp(fold.from_s, unit="s").month for fold in found] == [7, 10]
    assert found[0].to_s == found[1].from_s and Fold(10, 20, 5).cutoff_s == 5


def test_a_combination_is_the_geometric_mean_of_who_answers() -> None:
    np.testing.assert_allclose(combined([np.array([1.0, 4.0]), np.array([4.0, np.nan])]), [2.0, 4.0])
