"""Train volatility models on a user's own prices: fit, score on an end that was held out, fit again on everything, write with a card.

What is written answers in turn, as what ships does: of the model that was asked for and the baselines that are fitted beside it, the one with the least QLIKE on the held-out end comes first.
A network that does not win there steps aside, and the card says so. Networks keep a checkpoint an epoch; a run that was stopped goes on to the same weights. torch is imported for networks only.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pandas as pd

from aftershock.forecasting.forecasts import AGAINST_HAR
from aftershock.forecasting.hourly_prices import Priced
from aftershock.forecasting.learners import LEARNERS, Learner, learner_of
from chain.errors import InputError, many, unknown_name
from models.answering import Answering, Law, features_of, law_of
from models.baselines.har import log_har
from models.baselines.simple import rolling_mean
from models.evaluation import score
from models.features import asked_samples
from models.forecaster import Fitted, Forecaster
from models.line_up import HORIZONS, closes_only
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.store import Card, hash_of, save
from models.task import as_of_grid, horizon_returns, hourly_task, outcomes, range_proxy

HELD_OUT = 0.2
LEAST_SCORED = 20
FEW_STRETCHES = 20
"""Fewer horizons side by side than so many in the held-out end: its mean moves by a quarter by chance alone (an outcome's own deviation is about its mean)."""
CHECKPOINTS = "checkpoints"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What is to be trained.

    Attributes
    ----------
    model : one of `aftershock.forecasting.learners.LEARNERS`.
    horizon_hours : 1, 24 or 168.
    epochs, members : of a network: most passes over the training window, and networks with different seeds that are averaged.
    seed : of all that is drawn.
    trials : candidates that tuning tries inside the training window before anything is fitted; none at 0.
    """

    model: str = "boosting"
    horizon_hours: int = 24
    epochs: int = 40
    members: int = 3
    seed: int = 0
    trials: int = 0

    @property
    def options(self) -> str:
        """As they are typed."""
        return f"--model {self.model} --horizon {self.horizon_hours} --epochs {self.epochs} --members {self.members} --seed {self.seed} --tune {self.trials}"

    def __post_init__(self) -> None:
        """Raises InputError or UnknownNameError for a wish that cannot be."""
        if self.model not in LEARNERS:
            raise unknown_name("model", self.model, LEARNERS)
        if self.horizon_hours not in HORIZONS:
            raise InputError(f"--horizon is {self.horizon_hours}; train for {', '.join(map(str, HORIZONS))} hours")
        bounds = (
            ("epochs", self.epochs, 1),
            ("members", self.members, 1),
            ("seed", self.seed, 0),
            ("tune", self.trials, 0),
        )
        for option, given, least in bounds:
            if given < least:
                raise InputError(f"--{option} is {given}; give at least {least}")


@dataclass(frozen=True)
class Trained:
    """Where the model lies, its card, and who answers, first choice first."""

    folder: Path
    card: Card
    names: tuple[str, ...]


@dataclass(frozen=True)
class Lessons:
    """Samples of the whole window, where the held-out end begins, the outcome that forecasts are about (the samples' own is a proxy an hour ahead) and returns."""

    samples: Samples
    cut_s: int
    true: FloatArray
    returns: FloatArray

    @property
    def factor(self) -> float:
        """What brings a forecast of the samples' outcome to the true one on average, from before the cut."""
        early = self.samples.as_of_s + self.samples.task.horizon_s <= self.cut_s
        both = np.isfinite(self.true[early]) & np.isfinite(self.samples.y[early])
        return float(self.true[early][both].sum() / self.samples.y[early][both].sum())


def train_volatility(priced: Priced, out: Path, wish: Wish, tell: Tell = lambda _: None) -> Trained:
    """Train, and write `out`/volatility_<horizon>h.

    Parameters
    ----------
    tell : told what is being done, after every epoch and every trial.

    Raises
    ------
    InputError
        If the prices are too few, or checkpoints in `out` belong to another run.
    """
    refuse_unwritable(out)
    folder = out / f"volatility_{wish.horizon_hours}h"
    kept = out / CHECKPOINTS / f"{wish.horizon_hours}h-{wish.model}"
    tell("features")
    learner = learner_of(wish.model, priced.panel, wish.horizon_hours, wish.epochs, wish.members, priced.graphs)
    lessons = lessons_of(priced.panel, wish.horizon_hours, learner.reads)
    head = lessons.samples.known_by(lessons.cut_s)
    if wish.trials:
        learner = learner.tuned(head, wish.trials, kept, wish.seed, tell)
    makers = candidates(learner, wish.horizon_hours)
    fresh, _ = fit_all(makers, learner, head, wish.seed, kept / "held-out", tell, "held-out end")
    held = lessons.samples.between(lessons.cut_s, int(lessons.samples.as_of_s[-1]) + 1)
    forecasts = [model.predict(held) for model in fresh]
    figures, order = compared(makers, forecasts, held)
    known = lessons.samples.known_by(int(priced.panel.end_s[-1]))
    fitted, lived = fit_all(makers, learner, known, wish.seed, kept / "whole", tell, "whole window")
    learnt = learner.learnt(fitted[makers.index(learner.model)])
    if not learnt:
        order = [n for n in order if makers[n] is not learner.model]
    late = lessons.samples.as_of_s >= lessons.cut_s
    factors = [1.0 if maker.name == rolling_mean().name else lessons.factor for maker in makers]
    laws = [
        law_of(lessons.true[late], lessons.returns[late], forecast * by)
        for forecast, by in zip(forecasts, factors, strict=True)
    ]
    answering = in_order(order, makers, fitted, laws, factors)
    card = Card(
        f"volatility, {wish.horizon_hours} h, {answering.names[0]}",
        lessons.samples.task,
        features_of(answering.models),
        hash_of(priced.panel),
        int(priced.panel.end_s[-1]),
        wish.seed,
        figures,
        (*_notes(priced, lessons, wish, learner, answering.names, learnt), *lived),
        f"models trained on {priced.caption}" if priced.caption else "",
    )
    save(folder, answering, card)
    shutil.rmtree(kept, ignore_errors=True)
    if (out / CHECKPOINTS).is_dir() and not any((out / CHECKPOINTS).iterdir()):
        (out / CHECKPOINTS).rmdir()
    return Trained(folder, card, answering.names)


def refuse_unwritable(out: Path) -> None:
    """InputError unless a folder of models can be written there, so that nobody waits for what cannot be kept: what is missing of the path is made, a file in it, and all is taken away again."""
    try:
        if out.is_file():
            raise InputError(f"--out is {out}, which is a file; name a folder")
        missing = [one for one in (out.absolute(), *out.absolute().parents) if not one.is_dir()]
        try:
            out.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=out):
                pass
        finally:
            for one in missing:
                if one.is_dir():
                    one.rmdir()
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written ({(error.strerror or str(error)).lower()}); name a folder that you may write to"
        ) from error


def lessons_of(panel: Panel, horizon_hours: int, reads: tuple[str, ...]) -> Lessons:
    """Samples every six hours (an hour ahead every three); the last fifth of those with an outcome is held out.

    Raises
    ------
    InputError : too few outcomes.
    """
    task = hourly_task(horizon_hours)
    at = as_of_grid(panel, task, int(panel.end_s[0]), int(panel.end_s[-1]) + 1)
    true = outcomes(panel, at, task)
    proxy = range_proxy(panel, at, task)
    y = proxy if horizon_hours == 1 and np.isfinite(proxy).any() else true
    scored = np.flatnonzero(np.isfinite(y).any(axis=1))
    first = len(scored) - round(HELD_OUT * len(scored))
    if len(scored) - first < LEAST_SCORED:
        raise InputError(
            f"the prices give {len(scored)} instants with a known outcome of {horizon_hours} h, and the last fifth must be at least {LEAST_SCORED}; give a longer history"
        )
    samples = replace(asked_samples(panel, at, task, reads), y=y)
    return Lessons(samples, int(at[scored[first]]), true, horizon_returns(panel, at, task))


def candidates(learner: Learner, horizon_hours: int) -> list[Forecaster]:
    """What is fitted: the learner, the regression that it rests on, log-HAR an asset, a regression on closes, the mean of thirty days."""
    found = [learner.model, learner.base, log_har(horizon_hours), closes_only(horizon_hours), rolling_mean()]
    return [model for place, model in enumerate(found) if model.name not in {one.name for one in found[:place]}]


def fit_all(
    makers: list[Forecaster], learner: Learner, train: Samples, seed: int, kept: Path, tell: Tell, when: str
) -> tuple[list[Fitted], tuple[str, ...]]:
    """Every candidate fitted to the same samples, and sentences about how the learning of a network went."""
    fitted: list[Fitted] = []
    said: tuple[str, ...] = ()
    for maker in makers:
        tell(f"{when}: {maker.name}")
        if maker is learner.model:
            model, said = learner.fit(train, seed, kept, lambda text: tell(f"{when}: {text}"))
            fitted.append(model)
        else:
            fitted.append(maker.fit(train, None, np.random.default_rng(seed)))
    return fitted, said


def compared(
    makers: list[Forecaster], forecasts: list[FloatArray], held: Samples
) -> tuple[dict[str, float], list[int]]:
    """Figures for the card, and the places of the candidates in the order in which they answer: the best first; a tie to three digits goes to the simpler, the later one."""
    places = {maker.name: number for number, maker in enumerate(makers)}
    reference = forecasts[places["log-HAR"]]
    days = held.as_of_s[np.isfinite(held.y).any(axis=1)]
    first, last = (f"{pd.Timestamp(int(at), unit='s'):%Y-%m-%d}" for at in (days[0], days[-1]))
    ratios = {
        maker.name: score(maker.name, held.y, f, reference, held.as_of_s, held.task.horizon_hours).ratio
        for maker, f in zip(makers, forecasts, strict=True)
    }
    figures = {
        f"{AGAINST_HAR}{first} to {last}, {name}": ratio for name, ratio in ratios.items() if math.isfinite(ratio)
    }
    best = sorted(ratios, key=lambda n: (round(ratios[n], 3) if math.isfinite(ratios[n]) else math.inf, -places[n]))
    return figures, [places[name] for name in best]


def in_order(
    order: list[int], makers: list[Forecaster], fitted: list[Fitted], laws: list[Law], factors: list[float]
) -> Answering:
    """The candidates as they answer; one whose law is not known, because it had no fresh forecast, cannot; after the mean of thirty days, which needs least, nobody comes to answer."""
    can = [n for n in order if np.isfinite(laws[n].variance).all() and np.isfinite(laws[n].return_).all()]
    names = [makers[n].name for n in can]
    if rolling_mean().name in names:
        can = can[: names.index(rolling_mean().name) + 1]
    if not can:
        raise InputError("no model has an answer on the held-out end; give a longer history")
    return Answering(
        tuple(makers[n].name for n in can),
        tuple(fitted[n] for n in can),
        tuple(laws[n] for n in can),
        tuple(factors[n] for n in can),
    )


def _notes(
    priced: Priced, lessons: Lessons, wish: Wish, learner: Learner, names: tuple[str, ...], learnt: bool
) -> tuple[str, ...]:
    panel, samples, asked = priced.panel, lessons.samples, learner.model.name
    held_s = int(samples.as_of_s[np.isfinite(samples.y).any(axis=1)][-1]) - lessons.cut_s
    stretches = 1 + held_s // samples.task.horizon_s
    first, cut, last = (
        f"{pd.Timestamp(int(at), unit='s'):%Y-%m-%d %H:%M}" for at in (panel.end_s[0], lessons.cut_s, panel.end_s[-1])
    )
    listed = ", ".join(panel.assets[:12]) + (" ..." if len(panel.assets) > 12 else "")
    notes = (
        (
            f"Trained on {priced.name}{f' ({priced.caption})' if priced.caption else ''}: {many(len(panel.assets), 'asset')} ({listed}), {len(panel.end_s):,} hourly bars from {first} to {last} UTC, "
            f"{int(np.isfinite(samples.y).sum()):,} outcomes at {len(samples.as_of_s):,} instants."
        ),
        (
            f"Figures and distributions are of the held-out end from {cut} UTC on, answered by models that had seen nothing of it; what answers was then fitted again on everything. "
            "Who answers first was chosen on the same end, so its figure flatters a little."
        ),
        *(
            [
                f"The held-out end is {stretches} times {wish.horizon_hours} hours long, so its figures and the distributions made of it say little: give a longer history."
            ]
            if stretches < FEW_STRETCHES
            else []
        ),
        f"Asked for: {wish.options}.",
        *([learner.chosen] if learner.chosen else []),
        f"In order of answering: {', '.join(names)}.",
        *(f"Beside the prices: {told}." for told in priced.tables),
    )
    if not learnt:
        return (*notes, f"{asked} was asked for and learnt nothing from the whole window, so it does not answer.")
    if names[0] == asked:
        return notes
    return (*notes, f"{asked} was asked for and did not win on the held-out end, so {names[0]} answers first.")
