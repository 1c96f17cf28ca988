"""The joint law of shocks: its deviations, correlations and tails."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from aftershock.forecast_shocks import (
    ShockLaw,
    correlation_at,
    implied_freedom,
)
from models.panel import Panel
from tests.aftershock.forecast_inputs import drawn_prices


def test_the_joint_law_has_the_deviations_correlations_and_tails_that_it_says() -> None:
    correlation = np.array([[1.0, 0.6], [0.6, 1.0]])
    law = ShockLaw(("A", "B"), np.array([0.05, 0.1]), correlation, 4.0, "by hand")
    drawn = law.draw(200_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.std(axis=0), law.deviation, rtol=0.03)
    np.testing.assert_allclose(stats.kendalltau(*drawn[:20_000].T).statistic, 2 / np.pi * np.arcsin(0.6), atol=0.02)
    expected = stats.t.ppf(0.99, 4) / np.sqrt(2) * 0.05
    assert np.quantile(drawn[:, 0], 0.99) == pytest.approx(expected, rel=0.03)
    assert implied_freedom(float(stats.t.ppf(0.95, 5.0) * np.sqrt(3 / 5)), 9.9) == pytest.approx(5.0, rel=0.03)
    for freedom in (3.0, 4.0, 8.0):  # the same law, said to have a deviation 1.74 times less: the tails are as fat
        own = stats.t.ppf([0.25, 0.95], freedom) * np.sqrt((freedom - 2) / freedom)
        assert implied_freedom(1.74 * float(own[1]), float(-own[1] / own[0])) == pytest.approx(freedom, rel=0.03)


def test_a_correlation_is_that_of_the_hours_that_both_have_whatever_else_is_in_the_file() -> None:
    panel = drawn_prices(0.99)
    last = int(panel.end_s[-1])
    whole, told = correlation_at(panel, last)
    returns = panel.log_returns()[-90 * 24 :]
    np.testing.assert_allclose(whole, np.corrcoef(returns.T), atol=1e-12)
    np.testing.assert_allclose(correlation_at(panel.select(["A", "B"]), last)[0], whole[:2, :2], atol=1e-12)
    close = panel.close.copy()
    close[:-480, 1] = np.nan  # B is twenty days old, and of A every seventh close is missing
    close[::7, 0] = np.nan
    young, said = correlation_at(replace(panel, close=close), last)
    both = np.isfinite(np.diff(np.log(close[-481:, :2]), axis=0)).all(axis=1)
    assert 240 < both.sum() < 480 and not said and not told
    assert young[0, 1] == pytest.approx(np.corrcoef(np.diff(np.log(close[-481:, :2]), axis=0)[both].T)[0, 1], rel=1e-9)
    assert young[0, 1] > 0.98 and np.linalg.eigvalsh(young).min() > 0


def test_what_is_known_for_too_few_hours_gets_the_mean_of_the_others_and_that_is_told() -> None:
    panel = drawn_prices(0.9)
    close = panel.close.copy()
    close[:-200, 3] = np.nan
    found, told = correlation_at(replace(panel, close=close), int(panel.end_s[-1]))
    mean = (found[0, 1] + found[0, 2] + found[1, 2]) / 3
    np.testing.assert_allclose(found[3, :3], mean, rtol=1e-9)
    assert len(told) == 1 and told[0].startswith("D: fewer than 240 hourly returns")
    same = np.stack([panel.close[:, 0]] * 2, axis=1)  # one series under two names can still be drawn from
    none = np.full(same.shape, np.nan)
    twins, _ = correlation_at(Panel(("A", "B"), panel.end_s, none, none, none, same, none, 3_600), int(panel.end_s[-1]))
    assert np.isfinite(np.linalg.cholesky(twins)).all() and twins[0, 1] == pytest.approx(1.0, abs=1e-7)
