"""How the forecasts of several models compare on the same instants: scores against references, the confidence set, and the spread over seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.baselines.combination import combined
from models.evaluation import confidence_set, lags_of, score
from models.panel import FloatArray
from models.samples import Samples
from models.scores import daily, diebold_mariano, qlike
from models.task import DAY_S

ENOUGH = 0.9


def compared(
    asked: Samples, forecasts: Mapping[str, FloatArray], references: Sequence[str], seed: int
) -> dict[str, Any]:
    """Scores by reference, in the order of the forecasts, and p-values in the model confidence set.

    The set is of the models that answer at least 90 % of the known outcomes, on the rows that all of them answer.
    """
    scores = {
        reference: [
            vars(found) | {"test": vars(found.test)}
            for found in (
                score(name, asked.y, f, forecasts[reference], asked.as_of_s, asked.task.horizon_hours)
                for name, f in forecasts.items()
            )
        ]
        for reference in references
    }
    each = {name: qlike(asked.y, f) for name, f in forecasts.items()}
    known = np.isfinite(asked.y).sum()
    enough = {name: loss for name, loss in each.items() if np.isfinite(loss).sum() >= ENOUGH * known}
    together = np.all([np.isfinite(loss) for loss in enough.values()], axis=0)
    losses = {name: daily(np.where(together, loss, np.nan), asked.as_of_s) for name, loss in enough.items()}
    return {"scores": scores, "confidence_set": confidence_set(losses, seed)}


def spread(asked: Samples, forecasts: Mapping[str, Sequence[FloatArray]], reference: FloatArray) -> dict[str, Any]:
    """What each seed scores against a reference, by model.

    each: ratio of mean QLIKE for each seed; mean, deviation: of those (with n - 1 below); together, p: of the forecasts averaged in logs over the seeds (Diebold and
    Mariano on daily means); above: share of outcomes above that forecast.
    """
    found = {}
    for name, by_seed in forecasts.items():
        each = [against(asked, f, reference)[0] for f in by_seed]
        joint = combined(by_seed)
        ratio, p = against(asked, joint, reference)
        known = np.isfinite(asked.y) & np.isfinite(joint)
        found[name] = {
            "each": each,
            "mean": float(np.mean(each)),
            "deviation": float(np.std(each, ddof=1)) if len(each) > 1 else float("nan"),
            "together": ratio,
            "p": p,
            "above": float((asked.y > joint)[known].mean()),
        }
    return found


def twins(asked: Samples, forecasts: Mapping[str, Sequence[FloatArray]]) -> list[list[Any]]:
    """Graph networks against their twins, each averaged in logs over its seeds: name, which twin, ratio of mean QLIKE, p."""
    joint = {name: combined(by_seed) for name, by_seed in forecasts.items()}
    return [
        [name, twin, *against(asked, joint[name], joint[f"{name}, {twin}"])]
        for name in joint
        for twin in ("identity", "shuffled")
        if f"{name}, {twin}" in joint
    ]


def against(asked: Samples, f: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """Ratio of mean QLIKE on the rows that both answer, and the p-value of Diebold and Mariano."""
    own, theirs = qlike(asked.y, f), qlike(asked.y, reference)
    both = np.isfinite(own) & np.isfinite(theirs)
    ours, others = (daily(np.where(both, loss, np.nan), asked.as_of_s) for loss in (own, theirs))
    lags = lags_of(len(np.unique(asked.as_of_s // DAY_S)), asked.task.horizon_hours)
    return float(own[both].mean() / theirs[both].mean()), diebold_mariano(ours, others, lags).p
