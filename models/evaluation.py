"""Walk-forward evaluation: the same refits, from the same start, for every model; forecasts kept on disk; losses and what they say.

A model is refitted at the start of each fold on all outcomes known by then (an expanding window) and answers for the fold's instants. Cadence and start move
QLIKE by about as much as models differ, so they are no property of a model here but of the evaluation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from chain.errors import InputError
from models.digests import digest
from models.forecaster import Forecaster
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.scores import DieboldMariano, daily, diebold_mariano, log_error, qlike
from models.task import DAY_S

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Fold:
    """Fitted on outcomes known by `from_s`, or by `fit_s` if that is given; asked for forecasts made in [from_s, to_s)."""

    from_s: int
    to_s: int
    fit_s: int | None = None

    @property
    def cutoff_s(self) -> int:
        """The instant by which an outcome must be known to be fitted to."""
        return self.from_s if self.fit_s is None else self.fit_s


def quarters(first: str, last: str) -> list[Fold]:
    """One fold a quarter of a year, from a date to a date (UTC, the last one not included)."""
    edges = [*pd.date_range(first, last, freq="QS", inclusive="left"), pd.Timestamp(last)]
    stamps = [int(edge.timestamp()) for edge in edges]
    return [Fold(start, stop) for start, stop in pairwise(stamps)]


def content_of(samples: Samples) -> str:
    """A hash of everything in some samples, last bits left out (`models.digests`); kept forecasts belong to it."""
    return digest((samples.task, samples.assets, samples.names), samples.as_of_s, samples.x, samples.y)


def walk_forward(
    model: Forecaster,
    samples: Samples,
    panel: Panel,
    folds: Sequence[Fold],
    scored: Callable[[IntArray], IntArray],
    seed: int = 0,
    kept_in: Path | None = None,
    content: str = "",
    progress: Progress | None = None,
) -> FloatArray:
    """Forecasts for the scored instants of all folds, one after the other, shape (instants, N).

    Parameters
    ----------
    scored : mask of the instants that are asked for, from their Unix seconds.
    kept_in : a folder in which each fold's forecasts are kept under a name that says model, settings, seed, fold and `content`; what is there is not fitted again, so
        an evaluation that was stopped goes on where it was.

    Raises
    ------
    InputError
        If a fold has no instant.
    """
    answers = []
    for fold in folds:
        asked = samples.between(fold.from_s, fold.to_s)
        asked = asked.at(scored(asked.as_of_s).astype(bool))
        if not len(asked.as_of_s):
            raise InputError(
                f"the fold from {pd.Timestamp(fold.from_s, unit='s')} has no instant in the panel; take a later panel or earlier folds"
            )
        key = sha256(repr((model, fold, seed, asked.as_of_s.tolist(), content)).encode()).hexdigest()[:20]
        path = kept_in / f"{_file_name(model.name)}-{key}.npy" if kept_in is not None else None
        if path is not None and path.is_file():
            answers.append(np.load(path))
            continue
        if progress is not None:
            progress(f"{model.name}: fit by {pd.Timestamp(fold.cutoff_s, unit='s'):%Y-%m-%d}, seed {seed}")
        answer = model.fit(samples.known_by(fold.cutoff_s), panel, np.random.default_rng(seed)).predict(asked)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part.npy")
            np.save(part, answer)
            part.replace(path)
        answers.append(answer)
    return np.concatenate(answers)


def asked_for(samples: Samples, folds: Sequence[Fold], scored: Callable[[IntArray], IntArray]) -> Samples:
    """The samples that `walk_forward` answers for, in its order."""
    within = np.zeros(len(samples.as_of_s), dtype=bool)
    for fold in folds:
        within |= (samples.as_of_s >= fold.from_s) & (samples.as_of_s < fold.to_s)
    return samples.at(within & scored(samples.as_of_s).astype(bool))


@dataclass(frozen=True)
class Score:
    """One model against a reference on the rows that both answer, and whose outcome is known.

    Attributes
    ----------
    answered : share of known outcomes that the model answers.
    ratio, ratio_without_worst : mean QLIKE over the reference's, on all instants and without the one at which the reference lost most.
    test : Diebold and Mariano on the daily means over assets.
    """

    name: str
    answered: float
    qlike: float
    log_mse: float
    ratio: float
    ratio_without_worst: float
    test: DieboldMariano


def score(
    name: str, y: FloatArray, f: FloatArray, reference: FloatArray, as_of_s: IntArray, horizon_hours: int
) -> Score:
    """Losses of one model and their comparison with a reference's forecasts. Where the model has no answer nothing is compared, and `answered` says how often."""
    own, theirs = qlike(y, f), qlike(y, reference)
    both = np.isfinite(own) & np.isfinite(theirs)
    own, theirs = np.where(both, own, np.nan), np.where(both, theirs, np.nan)
    if not both.any():
        return Score(name, 0.0, np.nan, np.nan, np.nan, np.nan, DieboldMariano(np.nan, np.nan, np.nan))
    worst = int(np.nanargmax(np.where(both.any(axis=1), np.nansum(theirs, axis=1), -np.inf)))
    rest = np.arange(len(y)) != worst
    return Score(
        name,
        float(both.sum() / np.isfinite(qlike(y, reference)).sum()),
        float(np.nanmean(own)),
        float(np.nanmean(np.where(both, log_error(y, f), np.nan))),
        float(np.nanmean(own) / np.nanmean(theirs)),
        float(np.nanmean(own[rest]) / np.nanmean(theirs[rest])),
        diebold_mariano(
            daily(own, as_of_s), daily(theirs, as_of_s), lags_of(len(np.unique(as_of_s // DAY_S)), horizon_hours)
        ),
    )


def lags_of(days: int, horizon_hours: int) -> int:
    """Lags of the long-run variance: the overlap of outcomes in days, and at least the cube root of the number of days."""
    return int(max(-(-horizon_hours // 24) - 1, round(days ** (1 / 3))))


def confidence_set(losses: dict[str, FloatArray], seed: int) -> dict[str, float]:
    """p-value of each model in the model confidence set (Hansen, Lunde and Nason 2011, doi:10.3982/ECTA5771): those above 0.10 are in it.

    Range statistic, stationary bootstrap with blocks of ten days, 1,000 draws (arch). `losses`: daily means by model, of one length.
    """
    from arch.bootstrap import MCS

    frame = pd.DataFrame(losses)
    sets = MCS(frame, size=0.1, reps=1_000, block_size=10, method="R", seed=seed)
    sets.compute()
    return {str(name): float(p) for name, p in sets.pvalues["Pvalue"].items()}


def by_group(y: FloatArray, f: FloatArray, reference: FloatArray, groups: FloatArray) -> dict[str, tuple[int, float]]:
    """Number of rows and ratio of mean QLIKE by the group of each row (texts of shape (A,), (N,) broadcast, or (A, N))."""
    own, theirs = qlike(y, f), qlike(y, reference)
    both = np.isfinite(own) & np.isfinite(theirs)
    of = np.broadcast_to(groups, y.shape)
    return {
        str(name): (
            int((both & (of == name)).sum()),
            float(own[both & (of == name)].mean() / theirs[both & (of == name)].mean()),
        )
        for name in np.unique(of)
        if (both & (of == name)).any()
    }


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
