"""Each baseline against an independent library, or a case whose answer is known."""

import numpy as np
import pytest

from models.baselines.boosting import trees_of
from models.baselines.gamma_glm import GammaGlm, fit_gamma
from models.baselines.garch import aggregated, estimate, variances
from models.baselines.har import Har, har_models, log_har, network_har
from models.baselines.stochastic_volatility import Noise, StochasticVolatility, filtered
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import HOUR_S, Task

RNG = np.random.default_rng(7)


def samples_of(x: FloatArray, y: FloatArray, names: tuple[str, ...]) -> Samples:
    at = np.arange(1, len(y) + 1, dtype=np.int64) * 86_400
    return Samples(Task(horizon_hours=24), at, tuple("ABCDEFG"[: y.shape[1]]), names, x, y)


def test_the_gamma_regression_is_statsmodels() -> None:
    sm = pytest.importorskip("statsmodels.api")
    x = np.column_stack([np.ones(2_000), RNG.normal(size=(2_000, 3))])
    mean = np.exp(x @ [-3.0, 0.5, -0.2, 0.1])
    y = RNG.gamma(2.0, mean / 2.0)
    theirs = sm.GLM(y, x, family=sm.families.Gamma(sm.families.links.Log())).fit(tol=1e-12)
    np.testing.assert_allclose(fit_gamma(x, y, np.zeros(4)), theirs.params, rtol=1e-5, atol=1e-6)


def test_a_gamma_model_fills_in_what_is_missing_but_not_the_level() -> None:
    x = RNG.normal(size=(300, 2, 2))
    samples = samples_of(x, np.exp(x[:, :, 0]) * RNG.gamma(5.0, 0.2, size=(300, 2)), ("level", "free"))
    fitted = GammaGlm("glm", ("level", "free"), ("level",)).fit(samples, None, RNG)
    holed = x.copy()
    holed[0, 0, 0], holed[0, 1, 1] = np.nan, np.nan
    answer = fitted.predict(samples_of(holed, samples.y, samples.names))
    assert np.isnan(answer[0, 0]) and np.isfinite(answer[0, 1])
    assert answer[5, 0] == pytest.approx(np.exp(x[5, 0, 0]), rel=0.25)


def test_what_is_missing_in_training_stands_at_the_mean_of_what_is_known() -> None:
    sm = pytest.importorskip("statsmodels.api")
    samples = levels_of(3)
    holed, given = np.random.default_rng(4).random(samples.x.shape) < [0.0, 0.2, 0.4], samples.x.copy()
    holed_samples = samples_of(np.where(holed, np.nan, given), samples.y, samples.names)
    fitted = GammaGlm("holed", samples.names, ("abs_range_720",), 0.0).fit(holed_samples, None, RNG)
    rows = np.ma.masked_array(given, holed).reshape(-1, 3)
    design = sm.add_constant(rows.filled(rows.mean(axis=0)[None].repeat(len(rows), axis=0)))
    family = sm.families.Gamma(sm.families.links.Log())
    theirs = sm.GLM(samples.y.reshape(-1), design, family=family).fit(tol=1e-12)
    np.testing.assert_allclose(fitted.slopes, theirs.params[1:], atol=1e-5)
    np.testing.assert_allclose(fitted.predict(holed_samples).reshape(-1), theirs.fittedvalues, rtol=1e-5)
    assert (
        holed_samples.x[:, :, 1:][holed[:, :, 1:]].size and np.isnan(holed_samples.x[holed]).all()
    )  # nothing filled in place


def levels_of(seed: int, assets: int = 2) -> Samples:
    """Outcomes of a gamma law whose mean follows two levels of the asset and one feature without level."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1_500, assets, 3))
    x[:, :, 1] += x[:, :, 0]
    y = np.exp(x @ [1.0, 0.6, 0.3]) * rng.gamma(4.0, 0.25, size=x.shape[:2])
    return samples_of(x, y, ("abs_range_720", "abs_range_24", "free"))


def test_how_levels_are_told_changes_nothing_without_a_ridge() -> None:
    samples, needed = levels_of(1), ("abs_range_720",)
    plain = GammaGlm("plain", samples.names, needed, 0.0).fit(samples, None, RNG)
    turned = GammaGlm("turned", samples.names, needed, 0.0, level="abs_range_720").fit(samples, None, RNG)
    np.testing.assert_allclose(turned.slopes, plain.slopes, atol=1e-5)
    np.testing.assert_allclose(turned.predict(samples), plain.predict(samples), rtol=1e-5)


def test_a_strong_ridge_leaves_the_own_level_to_itself() -> None:
    sm = pytest.importorskip("statsmodels.api")
    samples = levels_of(2)
    fitted = GammaGlm("held", samples.names, ("abs_range_720",), 1e9, level="abs_range_720").fit(samples, None, RNG)
    own = sm.add_constant(samples.feature("abs_range_720").reshape(-1))
    family = sm.families.Gamma(sm.families.links.Log())
    theirs = sm.GLM(samples.y.reshape(-1), own, family=family).fit(tol=1e-12)
    np.testing.assert_allclose(fitted.slopes, [theirs.params[1], 0.0, 0.0], atol=1e-5)


def test_one_wild_outcome_moves_capped_slopes_little_and_the_mean_stays_right() -> None:
    samples, needed = levels_of(3), ("abs_range_720",)
    wild = Samples(samples.task, samples.as_of_s, samples.assets, samples.names, samples.x, samples.y.copy())
    wild.y[7, 0] *= 2_000.0
    plain, capped = (GammaGlm("g", samples.names, needed, 0.0, cap=cap).fit(wild, None, RNG) for cap in (None, 10.0))
    off = [np.abs(model.slopes - [1.0, 0.6, 0.3]).max() for model in (plain, capped)]
    assert off[1] < 0.1 < off[0]
    assert np.mean(wild.y / capped.predict(wild)) == pytest.approx(1.0, rel=1e-9)


def test_an_asset_that_was_under_forecast_has_its_own_factor() -> None:
    samples = levels_of(4, assets=4)
    samples.y[:, 2] *= 2.0
    with_effects = GammaGlm("g", samples.names, ("abs_range_720",), 0.0, effects=500.0).fit(samples, None, RNG)
    plain = GammaGlm("g", samples.names, ("abs_range_720",), 0.0).fit(samples, None, RNG)
    outcomes = len(samples.as_of_s) * samples.task.step_hours / 24  # asked every six hours, of a day each
    ratio = (samples.y / plain.predict(samples)).mean(axis=0)
    expected = (outcomes * ratio + 500.0) / (outcomes + 500.0)
    np.testing.assert_allclose(with_effects.predict(samples) / plain.predict(samples), np.tile(expected, (1_500, 1)))
    assert expected[2] > 1.2 and (expected[[0, 1, 3]] < 1.0).all()
    renamed = Samples(samples.task, samples.as_of_s, ("Z", "B", "C", "D"), samples.names, samples.x, samples.y)
    np.testing.assert_allclose(with_effects.predict(renamed)[:, 0], plain.predict(samples)[:, 0])


def test_log_har_is_least_squares_with_smearing() -> None:
    sm = pytest.importorskip("statsmodels.api")
    x = RNG.normal(size=(400, 1, 3))
    y = np.exp(0.2 + x @ [0.4, 0.3, 0.2] + 0.5 * RNG.normal(size=(400, 1)))
    samples = samples_of(x, y, ("rv_24", "rv_168", "rv_720"))
    theirs = sm.OLS(np.log(y[:, 0]), sm.add_constant(x[:, 0])).fit()
    expected = np.exp(theirs.fittedvalues) * np.exp(theirs.resid).mean()
    np.testing.assert_allclose(Har("log-HAR").fit(samples, None, RNG).predict(samples)[:, 0], expected, rtol=1e-9)


def test_pooled_log_har_shares_its_slopes_and_keeps_each_level() -> None:
    x = RNG.normal(size=(400, 2, 3))
    y = np.exp(np.array([0.0, 3.0]) + x @ [0.4, 0.3, 0.2])
    fitted = Har("pooled", pooled=True).fit(samples_of(x, y, ("rv_24", "rv_168", "rv_720")), None, RNG)
    np.testing.assert_allclose(fitted.slopes, np.tile([0.4, 0.3, 0.2], (2, 1)), atol=1e-9)
    np.testing.assert_allclose(fitted.intercepts, [0.0, 3.0], atol=1e-9)
    unseen = samples_of(x, y, ("rv_24", "rv_168", "rv_720"))
    renamed = Samples(unseen.task, unseen.as_of_s, ("A", "Z"), unseen.names, x, y)
    assert np.isfinite(fitted.predict(renamed)[:, 0]).all() and np.isnan(fitted.predict(renamed)[:, 1]).all()


def test_har_looks_back_on_a_day_a_week_and_a_month_and_an_hour_ahead_on_six_hours_too() -> None:
    month = ("rv_24", "rv_168", "rv_720")
    for hours, lags in ((168, month), (24, month), (1, ("rv_6", *month))):
        assert log_har(hours) == Har("log-HAR", lags)
        by_name = {model.name: model for model in (*har_models(hours), network_har("swaps", hours))}
        assert [model.features for model in by_name.values()] == [
            lags,
            lags,
            lags,
            (*lags, "swaps_rv_24", "swaps_rv_168"),
        ]
        told = {name: (model.logs, model.pooled) for name, model in by_name.items()}
        assert told == {
            "HAR": (False, False),
            "log-HAR": (True, False),
            "pooled log-HAR": (True, True),
            "network HAR (swaps)": (True, True),
        }


def test_trees_as_arrays_answer_as_scikit_learn() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    x = RNG.normal(size=(2_000, 4))
    x[::7, 2] = np.nan
    y = np.exp(np.where(x[:, 0] > 0, 0.5, -0.5) + 0.2 * np.nan_to_num(x[:, 2])) * RNG.gamma(2.0, 0.5, size=2_000)
    model = ensemble.HistGradientBoostingRegressor(loss="gamma", max_iter=30, random_state=1).fit(x, y)
    np.testing.assert_allclose(np.exp(trees_of(model).sums(x)), model.predict(x), rtol=1e-12)


@pytest.mark.parametrize(("kind", "vol", "o"), [("GARCH", "GARCH", 0), ("GJR", "GARCH", 1), ("EGARCH", "EGARCH", 1)])
def test_garch_is_carried_on_as_arch_does(kind: str, vol: str, o: int) -> None:
    arch = pytest.importorskip("arch")
    returns = 3.0 * RNG.standard_t(6, size=600) * np.repeat([0.6, 1.4, 0.8], 200)
    parameters = estimate(kind, returns[:500])  # type: ignore[arg-type]
    ours = variances(kind, parameters[None], returns[:, None])[:, 0]  # type: ignore[arg-type]
    model = arch.arch_model(returns, mean="Constant", vol=vol, p=1, o=o, q=1, dist="t")
    given = parameters if o else np.delete(parameters, 3)
    forecast = model.fix(given).forecast(
        horizon=7, start=400, reindex=False, method="analytic" if kind != "EGARCH" else "simulation", simulations=4_000
    )
    theirs = forecast.variance.to_numpy()
    np.testing.assert_allclose(ours[400:], theirs[:, 0], rtol=2e-3)  # their start differs and is forgotten
    weekly = aggregated(kind, parameters[None], ours[400:, None], 7.0, 1)[:, 0]  # type: ignore[arg-type]
    np.testing.assert_allclose(weekly * 1e4, theirs.sum(axis=1), rtol=2e-3 if kind != "EGARCH" else 0.1)


def test_egarch_does_not_hang_on_the_count_of_threads() -> None:
    pytest.importorskip("arch")
    pools = pytest.importorskip("threadpoolctl")
    returns = 3.0 * np.random.default_rng(5).standard_t(6, size=600) * np.repeat([0.6, 1.4, 0.8], 200)
    found = []
    for threads in (1, 2):
        with pools.threadpool_limits(limits=threads, user_api="blas"):
            found.append(estimate("EGARCH", returns).tobytes())
    assert found[0] == found[1]


def test_the_filter_with_constant_noise_is_statsmodels() -> None:
    sarimax = pytest.importorskip("statsmodels.tsa.statespace.sarimax")
    n, phi, xi2, c = 300, 0.9, 0.3, 0.5
    state = np.zeros(n)
    for day in range(1, n):
        state[day] = phi * state[day - 1] + np.sqrt(xi2) * RNG.normal()
    seen = 5.0 + state + np.sqrt(c) * RNG.normal(size=n)
    ahead, likelihood = filtered(
        seen[:, None], np.array([5.0]), np.array([phi]), np.array([xi2]), np.array([c]), Noise(0.0, 0.0)
    )
    theirs = sarimax.SARIMAX(seen - 5.0, order=(1, 0, 0), measurement_error=True).smooth([phi, c, xi2])
    assert likelihood[0] == pytest.approx(theirs.llf, rel=1e-9)
    assert ahead[-1, 0] == pytest.approx(5.0 + theirs.forecast(1)[0], rel=1e-9)


def test_the_stochastic_volatility_estimate_finds_the_persistence_it_was_drawn_with() -> None:
    """Bars of a Heston process with known parameters: the estimate of its daily persistence is near, and forecasts beat the mean."""
    days, phi, theta, xi = 900, 0.93, 1e-3, 0.004
    v = np.empty(days)
    v[0] = theta
    for day in range(1, days):
        v[day] = max((1 - phi) * theta + phi * v[day - 1] + xi * np.sqrt(v[day - 1]) * RNG.normal(), 1e-5)
    returns = np.sqrt(np.repeat(v, 24) / 24) * RNG.normal(size=24 * days)
    close = np.exp(np.cumsum(returns))[:, None]
    nothing = np.full(close.shape, np.nan)
    end = np.arange(1, len(close) + 1, dtype=np.int64) * HOUR_S
    panel = Panel(("A",), end, nothing, nothing, nothing, close, nothing, HOUR_S)
    at = np.arange(1, days, dtype=np.int64) * 86_400
    y = np.array([(returns[24 * d : 24 * d + 24] ** 2).sum() for d in range(1, days)])[:, None]
    samples = Samples(Task(horizon_hours=24), at, ("A",), (), np.zeros((days - 1, 1, 0)), y)
    fitted = StochasticVolatility().fit(samples.at(np.arange(days - 1) < 600), panel, RNG)
    assert 1 - fitted.parameters[0, 0] == pytest.approx(phi, abs=0.05)
    forecast, truth = fitted.predict(samples)[600:, 0], v[601:]
    assert np.mean((forecast - truth) ** 2) < 0.5 * np.mean((theta - truth) ** 2)
