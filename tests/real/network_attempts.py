"""What the network trials stand on, by horizon, and what is tried there: networks, graphs and their twins, losses.

Every network corrects one linear model, the gamma regression on all features of now, and is fitted anew at the same two cuts. A day ahead everything is tried; an hour
and a week ahead what a day ahead told apart, and what had not been tried there.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.volatility.networks import (
    PATIENT,
    PLAIN,
    SMALL,
    Attempt,
    Kept,
    correlation_history,
    graph_attempts,
    own_features,
)
from models.baselines.gamma_glm import GammaGlm
from models.calibration import Adaptive, conformal_quantile
from models.evaluation import content_of
from models.features import price_samples
from models.features.past import MARK, with_past
from models.networks.forecaster import NetworkForecaster
from models.networks.relations import GraphHistory
from models.networks.shape import Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import Task
from models.training import Lesson, TrainingOptions
from models.tuning import Values
from tests.real.network_histories import CUTS, DAY_S, END, START, category_history, flow_history, joined

HORIZONS = (24, 168, 1)
LINEAR, RIDGE = "gamma GLM", 0.1
"""Chosen a day ahead on the validation half-year among 1e-4 to 0.3; it favours the linear model, so nothing here."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
QUANTILES = replace(PLAIN, loss="quantile", levels=LEVELS, learning_rate=3e-3, epochs=40)
"""Quantiles start where the linear model stands, all at one place, and have far to go: larger steps."""
STEP_HOURS, HOUR_S = 6, 3_600
SHORT_PAST, LONG_PAST = {1: 7, 24: 13, 168: 13}, 27
"""Steps back by horizon: of six hours an hour ahead, else of a day."""
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Tried(Attempt):
    """What is tried here only: another shape, features that all assets share, a look-back sequence of so many steps."""

    shape: Shape = SMALL
    shared_too: bool = False
    steps: int = 0


@dataclass(frozen=True)
class Ground:
    """One horizon: samples with their past, what is fitted at each cut and asked until the next, and the linear model."""

    panel: Panel
    samples: Samples
    base: Kept

    @property
    def horizon_hours(self) -> int:
        """How far ahead."""
        return self.samples.task.horizon_hours

    @cached_property
    def folds(self) -> list[tuple[Samples, Samples]]:
        """(what is learnt from, what is asked), for each cut."""
        return [
            (self.samples.between(START, cut).known_by(cut), self.samples.between(cut, end).known_by(END))
            for cut, end in itertools.pairwise([*CUTS, END])
        ]

    @cached_property
    def fresh(self) -> Samples:
        """All that is asked."""
        return self.samples.between(CUTS[0], END).known_by(END)

    @cached_property
    def content(self) -> str:
        """Hash that kept forecasts belong to."""
        return content_of(self.samples)

    @cached_property
    def graphs(self) -> dict[str, GraphHistory]:
        """The graphs by name."""
        found = {
            "correlation": correlation_history(self.panel),
            "token flow": flow_history(self.panel),
            "category": category_history(self.panel),
        }
        return found | {"all three": joined(*found.values())}

    def forecaster(self, attempt: Tried, seed: int) -> NetworkForecaster:
        """The network before it is fitted."""
        of_now = features_of_now(self.samples.names)
        read = of_now if attempt.shared_too else own_features(self.samples.with_features(of_now))
        past = (name for name in self.samples.names if 0 < int(name.partition(MARK)[2] or 0) <= attempt.steps)
        graph = attempt.graph(seed) if attempt.graph else None
        return NetworkForecaster(attempt.network, self.base, attempt.options, attempt.shape, graph, (*read, *past))

    def linear(self) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Forecasts of the linear model, and its quantiles at `LEVELS` by how they were made.

        They are conformal: what came over what was forecast on the end of each window, as a fit to the rest had it. The adaptive ones go on learning with what comes.
        """
        forecasts, held, tails = [], [], []
        for train, asked in self.folds:
            forecast = self.base.fit(train, None, RNG).predict(asked)
            head, tail = (train.at(rows) for rows in _parted(train))
            came = tail.y / self.base.fit(head, None, RNG).predict(tail)
            law = np.array([conformal_quantile(came, level) for level in LEVELS])
            forecasts.append(forecast)
            held.append(forecast[..., None] * law)
            tails.append((tail.as_of_s, came))
        forecast = np.concatenate(forecasts)
        at, came = tails[0]
        scores, times = np.concatenate([came, self.fresh.y / forecast]), np.concatenate([at, self.fresh.as_of_s])
        law_by_row = Adaptive().quantiles(scores, times, self.fresh.task.horizon_s, LEVELS)[len(at) :]
        return forecast, {LINEAR: np.concatenate(held), f"{LINEAR}, adaptive": forecast[..., None] * law_by_row}


def ground(prices: Panel, horizon_hours: int) -> Ground:
    """Instants every six hours and a past in daily steps; an hour ahead a past in steps of six hours, and there the range proxy is the outcome."""
    hour = horizon_hours == 1
    stems = ("rv_6", "abs_range_6", "abs_range_1") if hour else ("rv_24", "abs_range_24", "return_24", "volume_24_720")
    step_s, steps = (STEP_HOURS * HOUR_S, SHORT_PAST[1]) if hour else (DAY_S, LONG_PAST)
    task = Task(horizon_hours=horizon_hours, step_hours=STEP_HOURS)
    made = price_samples(prices, task, START - (steps + 1) * step_s, END)
    if hour and made.proxy is not None:
        made = replace(made, y=made.proxy)
    samples = with_past(made, stems, steps, step_s)
    linear = GammaGlm(LINEAR, features_of_now(samples.names), ("rv_24", "abs_range_24"), RIDGE)
    return Ground(prices, samples, Kept(linear))


def features_of_now(names: tuple[str, ...]) -> tuple[str, ...]:
    """The linear model reads every feature of now."""
    return tuple(name for name in names if MARK not in name)


def attempts(here: Ground, tuned: Values | None) -> Iterator[Tried]:
    """Everything that is tried at a horizon, in the order of the page."""
    day, steps = here.horizon_hours == 24, SHORT_PAST[here.horizon_hours]
    span = f"{steps + 1} days" if here.horizon_hours > 1 else "2 days"

    def graphs(label: str, name: str, options: TrainingOptions = PLAIN, more: int = 0) -> Iterator[Tried]:
        for each in graph_attempts(label, here.graphs[name], options):
            yield Tried(**{**vars(each), "network": "graph-gru" if more else "graph"}, steps=more)

    yield Tried("MLP", "mlp")
    for name, network in (("LSTM", "lstm"), ("GRU", "gru"), ("Transformer", "transformer")):
        yield Tried(f"{name}, {span}", network, steps=steps)
    for name in here.graphs if day else ("correlation", "all three"):
        yield from graphs(f"graph, {name}", name)
    yield from graphs("graph over GRU, all three", "all three", more=steps)
    if here.horizon_hours > 1:
        yield from graphs("graph, all three, patient", "all three", PATIENT)
        yield Tried("GRU, 28 days", "gru", steps=LONG_PAST)
    yield Tried("MLP, loss of logs", "mlp", replace(PLAIN, loss="log"))
    for weight in (3.0, 9.0):
        options = replace(PLAIN, loss="asymmetric", under_weight=weight)
        yield Tried(f"MLP, under-forecasts x {weight:.0f}", "mlp", options)
    yield Tried("MLP, quantiles", "mlp", QUANTILES)
    if day:
        yield Tried("MLP, market features too", "mlp", shared_too=True)
        yield Tried("MLP, patient", "mlp", PATIENT)
        yield Tried("MLP, wide", "mlp", shape=replace(SMALL, hidden=64, layers=2))
        yield Tried("MLP, strong decay", "mlp", replace(PLAIN, weight_decay=0.3))
    if day and tuned is not None:
        learning, shape = tuned_mlp(tuned)
        yield Tried("MLP, tuned", "mlp", learning, shape=shape)


def tuned_mlp(values: Values) -> tuple[TrainingOptions, Shape]:
    """Options and shape from the values that tuning chose."""
    shape = replace(SMALL, hidden=int(values["hidden"]), dropout=float(values["dropout"]))
    learning = replace(
        PLAIN,
        learning_rate=float(values["learning_rate"]),
        weight_decay=float(values["weight_decay"]),
        tail_share=float(values["tail_share"]),
    )
    return learning, shape


def _parted(train: Samples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The instants that teach a network, and those that choose its epoch."""
    nothing = np.zeros((len(train.as_of_s), 0, 0), np.float32)
    y = train.y.astype(np.float32)
    parts = Lesson(train.task, train.as_of_s, nothing, np.zeros_like(y), y).split(PLAIN.tail_share)
    head, tail = (np.isin(np.arange(len(y)), part) for part in parts)
    return head, tail
