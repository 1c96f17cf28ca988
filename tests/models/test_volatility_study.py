"""The study's regression: statsmodels with the own variance as offset, and a level that goes straight through."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.volatility.study_models import OnOwnLevel, WithIntercepts, readings
from models.baselines.gamma_glm import GammaGlm
from models.baselines.levels import is_level, is_variance
from models.features import price_samples
from models.samples import Samples
from models.task import Task
from tests.models.drawn_panel import drawn_panel

LINE = OnOwnLevel("line", ("abs_range_24", "rv_24", "market_rv_168"), ("weekday_1",))


@pytest.fixture(scope="module")
def samples() -> Samples:
    panel = drawn_panel(days=90)
    return price_samples(panel, Task(), int(panel.end_s[0]), int(panel.end_s[-1]) + 1)


@pytest.mark.parametrize(("level", "each"), [("abs_range_720", False), ("rv_720", False), ("abs_range_720", True)])
def test_the_own_level_is_an_offset_with_coefficient_one(samples: Samples, level: str, each: bool) -> None:
    sm = pytest.importorskip("statsmodels.api")
    answer = replace(LINE, level=level, each=each).fit(samples, None, np.random.default_rng(0)).predict(samples)
    own = samples.feature(level) * (1 if level == "rv_720" else 2)  # the log of a variance
    market = samples.feature("market_rv_168") - (samples.feature("market_rv_720") if each else own)
    near = [samples.feature("abs_range_24") - own / 2, samples.feature("rv_24") / 2 - own / 2, market / 2]
    x = np.stack([*near, samples.feature("weekday_1")], axis=2).reshape(-1, 4)
    y, offset = samples.y.reshape(-1), own.reshape(-1)
    good = np.isfinite(y) & np.isfinite(x).all(axis=1) & np.isfinite(offset)
    family = sm.families.Gamma(sm.families.links.Log())
    theirs = sm.GLM(y[good], sm.add_constant(x[good]), family, offset=offset[good]).fit()
    np.testing.assert_allclose(answer.reshape(-1)[good], theirs.fittedvalues, rtol=2e-3)  # ours has a ridge of 0.0001


def test_a_market_twice_as_wild_is_forecast_four_times_the_variance(samples: Samples) -> None:
    train = samples.between(int(samples.as_of_s[0]), int(samples.as_of_s[-8 * 4]))
    shift = [np.log(2.0) * (2 if is_variance(name) else 1) * is_level(name) for name in samples.names]
    wild = replace(samples, x=samples.x + np.array(shift))
    for model in readings(24).values():
        if isinstance(model, OnOwnLevel):
            fitted = model.fit(train, None, np.random.default_rng(0))
            np.testing.assert_allclose(fitted.predict(wild), 4 * fitted.predict(samples), rtol=1e-9)


def test_intercepts_are_those_of_statsmodels_and_an_unknown_asset_has_none(samples: Samples) -> None:
    sm = pytest.importorskip("statsmodels.api")
    names = ("abs_range_24", "rv_168")
    fitted = WithIntercepts("line", GammaGlm("", names, names)).fit(samples, None, np.random.default_rng(0))
    x = samples.with_features(names).x.reshape(-1, 2)
    own = np.tile(np.eye(len(samples.assets)), (len(samples.as_of_s), 1))
    y = samples.y.reshape(-1)
    good = np.isfinite(y) & np.isfinite(x).all(axis=1)
    family = sm.families.Gamma(sm.families.links.Log())
    theirs = sm.GLM(y[good], np.column_stack([x, own])[good], family).fit()
    np.testing.assert_allclose(fitted.predict(samples).reshape(-1)[good], theirs.fittedvalues, rtol=2e-3)
    order = (1, 0, 2, 3)
    turned = replace(
        samples, assets=tuple(samples.assets[n] for n in order), x=samples.x[:, order], y=samples.y[:, order]
    )
    np.testing.assert_allclose(fitted.predict(turned), fitted.predict(samples)[:, order])
    renamed = fitted.predict(replace(samples, assets=("Z", *samples.assets[1:])))
    np.testing.assert_allclose(renamed[:, 1:], fitted.predict(samples)[:, 1:])
    assert np.isfinite(renamed[np.isfinite(fitted.predict(samples))]).all()
