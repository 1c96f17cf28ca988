"""Choosing how a model learns, inside the training window only: a study that can be interrupted, and a file with what it chose.

A candidate is fitted on the early part of the window and scored by QLIKE on instants after it, several times over with a later and later
cut (Tashman 2000, doi:10.1016/S0169-2070(00)00065-0: rolling origin). Nothing after the window is ever read, so what is chosen may be scored there.

Each trial's draw comes from the seed and the number of finished trials, so a study that was interrupted goes on as if it had not been.

References
----------
Akiba, T. et al. (2019). Optuna. KDD, arXiv:1907.10902. Bergstra, J. et al. (2011). Algorithms for hyper-parameter optimization. NeurIPS: TPE.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from chain.errors import InputError, SchemaError
from models.digests import digest
from models.forecaster import Forecaster
from models.panel import Panel
from models.samples import Samples
from models.scores import qlike

Value = float | int | str | bool
Values = dict[str, Value]
FOLDS, SHARE = 2, 0.3
"""Cuts of the rolling origin, and the share of the instants that they divide."""


@dataclass(frozen=True)
class Between:
    """Numbers from low to high; `log`: orders of magnitude are alike; `whole`: integers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[Value, ...]


Space = Mapping[str, Between | OneOf]


@dataclass(frozen=True)
class Trial:
    """One candidate: its values, its mean QLIKE over the folds, and how many trials there are."""

    number: int
    of: int
    values: Values
    qlike: float


@dataclass(frozen=True)
class Tuned:
    """The best candidate of a study, and all of them in order."""

    best: Trial
    trials: tuple[Trial, ...]


def folds(train: Samples, count: int, share: float) -> list[tuple[Samples, Samples]]:
    """(to fit, to score) with later and later cuts: the last `share` of the instants with a known outcome in `count` consecutive parts, each fitted on outcomes known when it starts.

    Raises
    ------
    InputError : a fold would have nothing to fit or to score.
    """
    known, rows = np.flatnonzero(np.isfinite(train.y).any(axis=1)), np.arange(len(train.as_of_s))
    edges = np.linspace(round(len(known) * (1.0 - share)), len(known), count + 1).round().astype(int)
    made = []
    for start, stop in itertools.pairwise(edges):
        scored = known[start:stop]
        early = train.known_by(int(train.as_of_s[scored[0]])) if len(scored) else train.at(rows < 0)
        if not np.isfinite(early.y).any():
            raise InputError(
                f"{len(known)} instants with a known outcome are too few for {count} folds over the last {share:.0%} of them; give a longer window, or do not tune."
            )
        made.append((early, train.at((rows >= scored[0]) & (rows <= scored[-1]))))
    return made


def tune(
    make: Callable[[Values], Forecaster],
    space: Space,
    train: Samples,
    panel: Panel | None,
    *,
    trials: int,
    study: Path,
    chosen: Path,
    seed: int,
    report: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Look for the values with the least mean QLIKE inside the training window, and write them down.

    Parameters
    ----------
    make : a forecaster from values.
    trials : the budget, those of earlier runs of the study included; of a study that has more the first so many count.
    study : the study's file (SQLite); if it is there, it goes on.
    chosen : the TOML file for what was chosen; written anew after every trial.
    report : told after every trial.

    Raises
    ------
    InputError : no budget; a window too short; or the study was made from other data, space, folds or seed.
    SchemaError : the study's file cannot be read.
    """
    if trials < 1 or not space:
        raise InputError(
            "Tuning needs at least one trial and one value to choose; raise --trials or name what may vary."
        )
    parts = folds(train, FOLDS, SHARE)
    print_of = _fingerprint(space, train, (FOLDS, SHARE, seed))
    study.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = _opened(study)
    if kept.user_attrs.setdefault("made_from", print_of) != print_of:
        raise InputError(f"{study} was made from other data, values, folds or seed; delete it, or name another file.")
    kept.set_user_attr("made_from", print_of)

    def objective(trial: optuna.Trial) -> float:
        forecaster = make(_drawn(trial, space))
        losses = [
            qlike(late.y, forecaster.fit(early, panel, np.random.default_rng((seed, fold))).predict(late))
            for fold, (early, late) in enumerate(parts)
        ]
        for (_, late), loss in zip(parts, losses, strict=True):
            if not np.isfinite(loss).any():
                first, last = (f"{pd.Timestamp(int(late.as_of_s[end]), unit='s'):%Y-%m-%d %H:%M}" for end in (0, -1))
                raise InputError(
                    f"nothing between {first} and {last} UTC can be scored; give prices without that hole, or do not tune"
                )
        return float(np.mean([np.nanmean(loss) for loss in losses]))

    while len(done := _finished(kept, trials)) < trials:
        state = np.random.SeedSequence((seed, len(done))).generate_state(1)
        kept.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
        kept.optimize(objective, n_trials=1)
        done = _finished(kept, trials)
        _write(chosen, _best(done), train, print_of, seed)
        if report is not None:
            report(done[-1])
    _write(chosen, _best(done), train, print_of, seed)
    return _best(done)


def _finished(study: optuna.Study, budget: int) -> tuple[Trial, ...]:
    """The first `budget` trials that came to an end: a study that went further before is taken as far as is asked, so that the same budget gives the same choice."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))[:budget]
    return tuple(
        Trial(number, budget, dict(one.params), float(one.values[0])) for number, one in enumerate(complete, 1)
    )


def _opened(study: Path) -> optuna.Study:
    """The study of a file, which is made if it is not there; SchemaError if it holds none."""
    try:
        # no pool: a connection is closed as soon as it was used, so that none is left open when the study ends
        file = optuna.storages.RDBStorage(f"sqlite:///{study}", engine_kwargs={"poolclass": NullPool})
        found = optuna.create_study(storage=file, study_name="tuning", load_if_exists=True)
        found.get_trials(deepcopy=False)
    except (SQLAlchemyError, OptunaError, RuntimeError, ValueError, KeyError) as error:  # what a damaged file raises
        raise SchemaError(f"{study} is no study of tuning that can be read; delete it to start anew") from error
    return found


def _best(done: tuple[Trial, ...]) -> Tuned:
    return Tuned(min(done, key=lambda trial: trial.qlike), done)


def _drawn(trial: optuna.Trial, space: Space) -> Values:
    values: Values = {}
    for name, allowed in space.items():
        if isinstance(allowed, OneOf):
            drawn = trial.suggest_categorical(name, list(allowed.values))
            assert drawn is not None  # optuna allows None among the choices, we do not
            values[name] = drawn
        elif allowed.whole:
            values[name] = trial.suggest_int(name, int(allowed.low), int(allowed.high), log=allowed.log)
        else:
            values[name] = trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)
    return values


def _fingerprint(space: Space, train: Samples, settings: tuple[float, ...]) -> str:
    said = {name: [type(allowed).__name__, asdict(allowed)] for name, allowed in space.items()}
    given = [said, train.task.as_record(), train.names, train.assets, settings]
    return digest(json.dumps(given), train.as_of_s, train.x, train.y)


def _write(path: Path, tuned: Tuned, train: Samples, print_of: str, seed: int) -> None:
    """The choice as TOML; JSON's strings, numbers and truth values are TOML's too."""
    first, last = (np.datetime64(int(train.as_of_s[place]), "s") for place in (0, -1))
    lines = [
        "# What tuning chose, inside the training window only.",
        f"window = {json.dumps(f'{first} to {last} UTC')}",
        f"data_hash = {json.dumps(print_of)}",
        f"seed = {seed}",
        f"trials = {len(tuned.trials)}",
        f"qlike = {tuned.best.qlike!r}",
        "",
        "[values]",
        *[f"{name} = {json.dumps(value)}" for name, value in sorted(tuned.best.values.items())],
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(path)
