"""What a fitted model says of itself: the features that it reads, and the assets that it was fitted on. A forecast needs the named features, every one of them, and no other."""

import numpy as np
import pytest

from chain.errors import InputError
from models.answering import Answering, Law, OfAssets, features_of, trained_on
from models.baselines.boosting import Boosting
from models.baselines.combination import Combination
from models.baselines.gamma_glm import GammaGlm
from models.baselines.garch import Garch
from models.baselines.har import log_har
from models.baselines.simple import rolling_mean
from models.baselines.stochastic_volatility import StochasticVolatility
from models.calibration import LEVELS
from models.features import price_samples
from models.forecaster import Fitted, Forecaster
from models.networks.forecaster import NetworkForecaster
from models.panel import Panel
from models.samples import Samples
from models.task import Task
from models.training import TrainingOptions
from tests.models.drawn_panel import START_S, drawn_panel

GLM = GammaGlm("GLM", ("abs_range_24", "market_abs_range_24", "weekday_0"), ("abs_range_24",))
TREES = Boosting("trees", GLM, ("abs_return_24",), ("return_24",), "abs_range_168", settings={"max_iter": 5})
NETWORK = NetworkForecaster("mlp", GLM, TrainingOptions(epochs=1, members=1), features=("rv_24", "vwap_24"))
MODELS: list[Forecaster] = [rolling_mean(), log_har(24), GLM, TREES, Combination("both", (TREES, log_har(24))), NETWORK]
BARE = (Garch("GARCH"), StochasticVolatility())


@pytest.fixture(scope="module")
def world() -> tuple[Panel, Samples]:
    panel = drawn_panel(130)
    return panel, price_samples(panel, Task(horizon_hours=24, step_hours=24), START_S, 2**40)


@pytest.fixture(scope="module")
def fitted(world: tuple[Panel, Samples]) -> dict[str, Fitted]:
    panel, samples = world
    alone = {model.name: model.fit(samples, panel, np.random.default_rng(0)) for model in MODELS}
    law = Law(np.ones(len(LEVELS)), np.ones(len(LEVELS)))
    parts = alone["trees"], alone["log-HAR"]
    return alone | {
        "in turn": Answering(("trees", "log-HAR"), parts, (law, law), (1.0, 1.0)),
        "of assets": OfAssets(alone["trees"], samples.assets, START_S),
    }


@pytest.mark.parametrize("name", [*(model.name for model in MODELS), "in turn", "of assets"])
def test_a_forecast_needs_what_the_model_says_it_reads_and_no_more(
    name: str, world: tuple[Panel, Samples], fitted: dict[str, Fitted]
) -> None:
    samples, reads = world[1], features_of([fitted[name]])
    whole = fitted[name].predict(samples)
    assert len(reads) < len(samples.names) and np.isfinite(whole).any()
    assert fitted[name].predict(samples.with_features(reads)).tobytes() == whole.tobytes()
    for lost in reads:
        rest = samples.with_features(other for other in samples.names if other != lost)
        with pytest.raises(InputError, match=f"no feature {lost}"):
            fitted[name].predict(rest)


def test_a_model_of_bars_reads_no_feature(world: tuple[Panel, Samples]) -> None:
    panel, samples = world
    for model in BARE:
        alone = model.fit(samples, panel, np.random.default_rng(0))
        assert features_of([alone]) == () and trained_on([alone]) == {"btc", "eth", "aaa", "bbb"}
        assert np.isfinite(alone.predict(samples.with_features(()))).any()


def test_everybody_but_an_average_knows_the_assets_of_its_training(fitted: dict[str, Fitted]) -> None:
    known = {name: set(trained_on([model])) for name, model in fitted.items()}
    assert known.pop(rolling_mean().name) == set()
    assert all(names == {"btc", "eth", "aaa", "bbb"} for names in known.values()) and len(known) == 7
