"""Quantiles hold what they promise, also while the world drifts; regimes and drift are found where they were put."""

import numpy as np
import pytest
from scipy import stats

from chain.errors import InputError
from models.answering import Answering, law_of
from models.baselines.simple import ewma, rolling_mean
from models.calibration import Adaptive, conformal_quantile, coverage, crps_of_quantiles, pit
from models.drift import Drift, drift_of
from models.regimes import Regimes, fit_regimes
from models.samples import Samples
from models.scores import brier
from models.task import Task

DAY_S = 86_400


def test_the_conformal_rank_is_the_papers() -> None:
    scores = np.arange(1.0, 20.0)  # 19 known: (19 + 1) x 0.95 = 19, (19 + 1) x 0.05 = 1
    assert conformal_quantile(scores, 0.95) == 19 and conformal_quantile(scores, 0.05) == 1
    assert conformal_quantile(scores, 0.9) == 18 and conformal_quantile(np.array([np.nan, 2.0]), 0.95) == 2.0
    assert conformal_quantile(np.arange(1.0, 21.0), 0.95) == 20  # (20 + 1) x 0.95 = 19.95, not 19
    assert np.isnan(conformal_quantile(np.array([np.nan]), 0.5))


@pytest.fixture(scope="module")
def drifting() -> tuple[np.ndarray, np.ndarray]:
    """Scores of 500 days and 8 assets whose spread doubles slowly, and whose assets differ."""
    rng = np.random.default_rng(4)
    at = np.arange(500, dtype=np.int64) * DAY_S
    size = np.linspace(0.7, 1.4, 8)[None, :] * np.linspace(1.0, 2.0, 500)[:, None]
    return at, np.exp(size * rng.normal(size=(500, 8)))


def test_adaptive_intervals_hold_under_drift_where_fixed_ones_do_not(drifting: tuple[np.ndarray, np.ndarray]) -> None:
    at, scores = drifting
    fixed = [conformal_quantile(scores[:150], level) for level in (0.05, 0.95)]
    held_fixed = float(
        coverage(scores[150:], np.full_like(scores[150:], fixed[0]), np.full_like(scores[150:], fixed[1])).mean()
    )
    quantiles = Adaptive(window_days=120, rate=0.01).quantiles(scores, at, DAY_S, (0.05, 0.95))[150:]
    held = coverage(scores[150:], quantiles[..., 0], quantiles[..., 1])
    assert held_fixed < 0.84
    assert np.nanmean(held) == pytest.approx(0.90, abs=0.02)
    assert np.nanmean(held, axis=0) == pytest.approx(np.full(8, 0.90), abs=0.05)


def test_quantiles_never_use_an_outcome_before_it_is_known(drifting: tuple[np.ndarray, np.ndarray]) -> None:
    at, scores = drifting
    rule, horizon_s = Adaptive(window_days=60, rate=0.02), 7 * DAY_S
    before = rule.quantiles(scores, at, horizon_s)
    changed = scores.copy()
    changed[200:] *= 50.0  # known from day 207 on
    after = rule.quantiles(changed, at, horizon_s)
    assert before[:207].tobytes() == after[:207].tobytes()
    assert not np.array_equal(before[207:215], after[207:215])


def test_crps_and_pit_of_a_known_law() -> None:
    levels = tuple((np.arange(1, 200)) / 200)
    outcome = np.random.default_rng(2).normal(size=400)
    quantiles = np.tile(stats.norm.ppf(levels), (400, 1))
    z = outcome  # Gneiting and Raftery 2007, equation 21: CRPS of a standard normal
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps_of_quantiles(outcome, quantiles, levels).mean(), exact.mean(), rtol=0.02)
    inside = np.abs(outcome) < 2
    np.testing.assert_allclose(pit(outcome, quantiles, levels)[inside], stats.norm.cdf(outcome)[inside], atol=1e-3)


def test_the_filter_of_regimes_is_statsmodels() -> None:
    markov = pytest.importorskip("statsmodels.tsa.regime_switching.markov_regression")
    rng = np.random.default_rng(5)
    state = np.zeros(400, dtype=int)
    for day in range(1, 400):
        state[day] = state[day - 1] if rng.random() < 0.95 else 1 - state[day - 1]
    series = np.where(state, 1.0, -1.0) + np.where(state, 0.8, 0.4) * rng.normal(size=400)
    found = fit_regimes(series)
    np.testing.assert_allclose(found.mean, [-1.0, 1.0], atol=0.2)
    np.testing.assert_allclose(found.stay, 0.95, atol=0.04)
    model = markov.MarkovRegression(series, k_regimes=2, trend="c", switching_variance=True)
    theirs = model.filter([found.stay[0], 1 - found.stay[1], *found.mean, *found.deviation**2])
    np.testing.assert_allclose(found.high(series), theirs.filtered_marginal_probabilities[:, 1], atol=1e-8)
    # forecasts of "above the threshold within three days" are as frequent as the event, and better than its frequency
    event = np.array([series[day + 1 : day + 4].max() > found.threshold for day in range(396)])
    told = found.high_within(series, 3)[:396]
    assert told.mean() == pytest.approx(event.mean(), abs=0.05)
    assert brier(event, told) < 0.8 * brier(event, np.full(396, event.mean()))


def test_high_within_is_what_a_simulation_counts() -> None:
    regimes = Regimes(np.array([0.0, 2.0]), np.array([0.5, 0.7]), np.array([0.9, 0.8]))
    rng = np.random.default_rng(6)
    states, hit = np.zeros(40_000, dtype=int), np.zeros(40_000, dtype=bool)
    for _ in range(5):
        states = np.where(rng.random(40_000) < regimes.stay[states], states, 1 - states)
        hit |= rng.normal(regimes.mean[states], regimes.deviation[states]) > regimes.threshold
    far_below = np.array([-40.0])  # a day that leaves no doubt that it was calm
    assert regimes.high(far_below)[0] == pytest.approx(0, abs=1e-9) or regimes.high(far_below)[0] < 1
    calm = Regimes(regimes.mean, np.array([0.5, 0.5]), regimes.stay).high(np.array([0.0]))[0]
    assert calm < 0.01
    told = regimes.high_within(np.array([0.0]), 5)[0]
    high = regimes.high(np.array([0.0]))[0]
    assert told == pytest.approx(hit.mean(), abs=0.01 + high)


def test_drift_is_noticed_after_it_began_and_not_before() -> None:
    rng = np.random.default_rng(8)
    fresh, later = rng.normal(size=180), np.concatenate([rng.normal(size=100), 1.0 + rng.normal(size=100)])
    alarms = np.flatnonzero(drift_of(fresh).alarms(later))
    assert len(alarms) and 100 <= alarms[0] < 135
    assert not Drift(0.0, 1.0).alarms(np.full(50, np.nan)).any()
    with pytest.raises(InputError, match="30 days"):
        drift_of(fresh[:10])


def test_the_first_model_that_can_answers_and_is_named() -> None:
    names = ("ewma", "rv_720")
    x = np.log(np.array([[[4.0, 1.0], [np.nan, 1.0], [np.nan, np.nan]]]) * 1e-4)
    samples = Samples(Task(horizon_hours=24), np.array([0]), ("A", "B", "C"), names, x, np.full((1, 3), np.nan))
    law = law_of(np.array([1.0, 2.0]), np.array([0.1, -0.1]), np.array([1.0, 1.0]))
    both = Answering(("first", "second"), (ewma(), rolling_mean()), (law, law), (1.0, 2.0))
    answer = both.answer(samples)
    np.testing.assert_allclose(answer.variance[0, :2], [4e-4 * 24, 2 * 1e-4 * 24])
    assert answer.model.tolist() == [[0, 1, -1]] and np.isnan(answer.variance[0, 2])
    assert (np.diff(answer.variance_quantiles[0, 0]) >= 0).all()
