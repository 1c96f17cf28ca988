"""Black swans: a few dates on which everything moved, each scored by models that know nothing of the seven days before."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volatility.world import MAJORS, World, stamp
from models.baselines.har import log_har
from models.evaluation import Fold
from models.line_up import boosting, glm
from models.panel import Panel, read_panel
from models.scores import qlike
from models.task import DAY_S, HOUR_S

DATES = (
    ("2020-03-12", "majors"),
    ("2020-03-12", "main"),
    ("2021-05-19", "majors"),
    ("2021-05-19", "main"),
    ("2022-06-13", "main"),
    ("2022-11-08", "main"),
    ("2023-03-10", "main"),
)
"""Date, and the panel that it is looked up in."""
LEAST_DAYS = 90
"""Of history that an asset needs seven days before the date."""


def swans(kept: Path, main: Panel, seed: int) -> list[dict[str, Any]]:
    """Eight midnights from the day before each date; a date without enough history says how much there was, one beyond the panel that it was not read."""
    majors = read_panel(MAJORS, "open", HOUR_S)
    return [swan(date, where, main if where == "main" else majors, kept, seed) for date, where in DATES]


def swan(date: str, where: str, panel: Panel, kept: Path, seed: int) -> dict[str, Any]:
    """One date in one panel: QLIKE of three models, or `why` there is none."""
    at = stamp(date)
    row: dict[str, Any] = {"date": date, "panel": where, "assets": 0}
    if at + 8 * DAY_S > int(panel.end_s[-1]):
        return row | {"why": "not read: it lies beyond this window"}
    days = np.isfinite(panel.until(at - 7 * DAY_S).close).sum(axis=0) * panel.bar_s / DAY_S
    row["days_of_history"] = max(int((at - 7 * DAY_S - int(panel.end_s[0])) // DAY_S), 0)
    row["too_young"] = {name: int(age) for name, age in zip(panel.assets, days, strict=True) if age < LEAST_DAYS}
    old = [name for name in panel.assets if name not in row["too_young"]]
    if not old:
        first = np.datetime64(int(panel.end_s[0]), "s").astype("datetime64[D]")
        return row | {"why": f"not enough history: the panel begins on {first}"}
    world = World(panel.select(old).until(at + 16 * DAY_S), 24, kept)
    fold = [Fold(at - DAY_S, at + 7 * DAY_S, at - 7 * DAY_S)]
    asked = world.asked(fold)
    row["assets"] = len(old)
    for model in (log_har(24), glm(24), boosting(24)):
        f = world.forecast(model, fold, seed)
        row[model.name] = {
            "qlike": float(np.nanmean(qlike(asked.y, f))),
            "largest_y_over_f": float(np.nanmax(asked.y / f)),
            "under": float(np.nanmean(asked.y > f)),
        }
    return row
