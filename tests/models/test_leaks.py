"""No forecast may know what came after it. Prices from an instant on are altered, and everything before stays the same to the last byte."""

from dataclasses import replace

import numpy as np
import pytest

from models.baselines.boosting import Boosting
from models.baselines.gamma_glm import GammaGlm
from models.baselines.garch import Garch
from models.baselines.har import Har
from models.baselines.simple import ewma, persistence, rolling_mean
from models.baselines.stochastic_volatility import StochasticVolatility
from models.features import price_features, price_samples
from models.features.correlation import correlation_weights
from models.forecaster import Forecaster
from models.networks.forecaster import NetworkForecaster
from models.networks.relations import correlation_history
from models.networks.shape import Shape
from models.panel import COLUMNS, Panel
from models.samples import Samples
from models.scores import qlike
from models.task import Task, as_of_grid
from models.training import TrainingOptions
from tests.models.drawn_panel import START_S, drawn_panel

DAYS, CUT_DAY, FIT_DAY = 200, 165, 140
CUT_S, FIT_S = START_S + CUT_DAY * 86_400, START_S + FIT_DAY * 86_400
LEVELS = ("abs_range_6", "abs_range_24", "abs_range_168", "abs_range_720")
GLM = GammaGlm("GLM", (*LEVELS, "market_abs_range_24"), LEVELS, ridge=1e-3)
BOOSTING = Boosting(
    "boosting",
    GLM,
    ("abs_range_6", "abs_range_24"),
    ("hour_sin", "return_24"),
    settings={"max_iter": 10, "max_leaf_nodes": 4},
)
MODELS: list[Forecaster] = [
    persistence(24), rolling_mean(), ewma(), Har("HAR", logs=False), Har("log-HAR"), Har("pooled", pooled=True),
    GLM, BOOSTING, Garch("GARCH"), Garch("GJR"), Garch("EGARCH"), StochasticVolatility(),
]  # fmt: skip


def altered(panel: Panel, from_s: int) -> Panel:
    """The same panel, and from an instant on other prices and volumes."""
    rng = np.random.default_rng(11)
    later = panel.end_s > from_s
    columns = {}
    for name in COLUMNS:
        columns[name] = getattr(panel, name).copy()
        columns[name][later] *= np.exp(rng.normal(size=columns[name][later].shape))
    return replace(panel, **columns)


def told_later(panel: Panel, from_s: int, columns: tuple[str, ...]) -> Panel:
    """The same panel, of which some columns are known from an instant on only: what a file of bars behind a file of closes gives."""
    later = (panel.end_s > from_s)[:, None]
    changed = {name: np.where(later, getattr(panel, name), np.nan) for name in columns}
    return replace(panel, **changed)  # type: ignore[arg-type]


def samples_of(panel: Panel) -> Samples:
    task = Task(horizon_hours=24, step_hours=24)
    weights = correlation_weights(panel, as_of_grid(panel, task, START_S, 2**40), days=30, keep=2)
    return price_samples(panel, task, START_S, 2**40, {"correlation": weights})


@pytest.fixture(scope="module")
def worlds() -> tuple[Panel, Samples, Panel, Samples]:
    before = drawn_panel(DAYS)
    after = altered(before, CUT_S)
    return before, samples_of(before), after, samples_of(after)


def test_altering_prices_from_an_instant_changes_no_feature_known_by_then(
    worlds: tuple[Panel, Samples, Panel, Samples],
) -> None:
    _, before, _, after = worlds
    known = before.as_of_s <= CUT_S
    for name in before.names:
        assert before.feature(name)[known].tobytes() == after.feature(name)[known].tobytes(), name
    changed = ~known & (before.as_of_s >= CUT_S + 7 * 86_400)
    assert not np.array_equal(before.x[changed], after.x[changed], equal_nan=True)  # the alteration was felt afterwards
    assert before.known_by(CUT_S).y.tobytes() == after.known_by(CUT_S).y.tobytes()


@pytest.mark.parametrize("columns", [("open", "high", "low"), ("volume",)], ids=lambda columns: columns[-1])
def test_what_a_file_tells_from_an_instant_on_changes_no_feature_known_by_then(columns: tuple[str, ...]) -> None:
    bars = drawn_panel(120)
    late = told_later(bars, CUT_S - 60 * 86_400, columns)
    never = told_later(bars, 2**40, columns)
    at = late.end_s[late.end_s <= CUT_S - 60 * 86_400][23::6]
    before, after = (price_features(panel, at, 24) for panel in (never, late))
    for name, values in before.items():
        assert values.tobytes() == after[name].tobytes(), name
    assert np.isfinite(before["peak_24"]).any() and before["slot_own"].any()  # and there was something to change


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_altering_prices_from_an_instant_changes_no_forecast_made_by_then(
    model: Forecaster, worlds: tuple[Panel, Samples, Panel, Samples]
) -> None:
    answers = []
    for panel, samples in (worlds[:2], worlds[2:]):
        fitted = model.fit(samples.known_by(FIT_S), panel, np.random.default_rng(5))
        answers.append(fitted.predict(samples.between(FIT_S, CUT_S + 1)))
    assert np.isfinite(answers[0]).mean() > 0.9
    assert answers[0].tobytes() == answers[1].tobytes()


def test_altering_prices_from_an_instant_changes_no_forecast_that_a_graph_network_made_by_then(
    worlds: tuple[Panel, Samples, Panel, Samples],
) -> None:
    """Its graphs are made of the same prices, anew every thirty days, up to the end of the file."""
    answers = []
    for panel, samples in (worlds[:2], worlds[2:]):
        known = np.arange(START_S, panel.end_s[-1] + 1, 30 * 86_400)
        history = correlation_history(panel.assets, panel.end_s, panel.log_returns(), known, 30 * 24)
        options = TrainingOptions(epochs=3, patience=3, members=1, learning_rate=1e-2)
        model = NetworkForecaster("graph", GLM, options, Shape(8, 1, 2), history, LEVELS)
        fitted = model.fit(samples.known_by(FIT_S), panel, np.random.default_rng(5))
        assert fitted.lived[0].kept > 0  # it learnt, so it is not the regression alone
        answers.append(fitted.predict(samples.between(FIT_S, CUT_S + 1)))
    assert np.isfinite(answers[0]).mean() > 0.9
    assert answers[0].tobytes() == answers[1].tobytes()


@pytest.mark.parametrize("model", [Har("log-HAR"), GLM, BOOSTING], ids=lambda model: model.name)
def test_shuffled_outcomes_leave_no_skill(model: Forecaster, worlds: tuple[Panel, Samples, Panel, Samples]) -> None:
    """Against the mean of the outcomes; with outcomes in their places the same model beats it."""
    panel, samples = worlds[:2]
    train, test = samples.known_by(FIT_S), samples.between(FIT_S, 2**40)
    mean = np.nanmean(train.y, axis=0, keepdims=True) * np.ones_like(test.y)

    def ratio(y: np.ndarray) -> float:
        fitted = model.fit(replace(train, y=y), panel, np.random.default_rng(5))
        answer = fitted.predict(test)
        scored = np.isfinite(answer) & np.isfinite(test.y)
        return float(qlike(test.y, answer)[scored].mean() / qlike(test.y, mean)[scored].mean())

    shuffled = np.random.default_rng(2).permuted(train.y, axis=0)
    assert ratio(train.y) < 0.8
    assert ratio(shuffled) > 0.95
