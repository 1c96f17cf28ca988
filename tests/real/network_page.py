"""The tables of docs/results/volatility-networks.md, between two marks of that page, and its CSV: from what was kept alone."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from statsmodels.stats.multitest import multipletests

from benchmarks.volatility.compare import against, spread
from benchmarks.volatility.record import p_of
from models.baselines.combination import combined
from models.calibration import coverage
from models.evaluation import lags_of
from models.panel import FloatArray
from models.samples import Samples
from models.scores import daily, diebold_mariano, pinball, qlike
from tests.real.network_attempts import LEVELS, Ground

PAGE, TABLE = "volatility-networks.md", "volatility-networks.csv"
FROM, TO = "<!-- tables: python -m tests.real.network_trials -->", "<!-- end of tables -->"
DYING = "MIR"
"""Two days before its prices end, in the validation half-year, this token doubled within an hour."""
TWINS = ("identity", "shuffled")
DAY_S = 86_400
Table = dict[str, Any]


def table_of(
    here: Ground, linear: FloatArray, quantiles: Mapping[str, FloatArray], found: Mapping[str, list[dict[str, Any]]]
) -> Table:
    """Everything that the page says about one horizon."""
    asked = here.fresh
    alive = replace(asked, y=np.where([asset != DYING for asset in asked.assets], asked.y, np.nan))
    by_seed = {name: [each["forecast"] for each in kept] for name, kept in found.items()}
    joint = {name: combined(each) for name, each in by_seed.items()}
    loss = daily(qlike(asked.y, linear), asked.as_of_s)
    taught = {
        name: np.sort(np.exp(np.mean([np.log(each["quantiles"]) for each in kept], axis=0)))
        for name, kept in found.items()
        if "quantiles" in kept[0]
    }
    known = np.isfinite(asked.y) & np.isfinite(linear)
    return {
        "qlike": float(np.nanmean(qlike(asked.y, linear))),
        "days": len(loss),
        "worst": str(np.datetime64(int(np.unique(asked.as_of_s // DAY_S)[loss.argmax()]), "D")),
        "above": float((asked.y > linear)[known].mean()),
        "rows": spread(asked, by_seed, linear),
        "alive": {name: against(alive, f, linear) for name, f in joint.items()},
        "lives": {name: ", ".join("/".join(map(str, each["kept"])) for each in kept) for name, kept in found.items()},
        "fit_s": {
            name: float(np.mean([each["seconds"][0] for each in kept])) / len(here.folds)
            for name, kept in found.items()
        },
        "wall_s": sum(float(each["seconds"][1]) for kept in found.values() for each in kept),
        "commits": sorted({str(each["commit"]) for kept in found.values() for each in kept}),
        "twins": {
            (name, twin): (
                *against(asked, joint[name], joint[f"{name}, {twin}"]),
                *against(alive, joint[name], joint[f"{name}, {twin}"]),
            )
            for name in joint
            for twin in TWINS
            if f"{name}, {twin}" in joint
        },
        "quantiles": {name: _of_quantiles(asked, each, quantiles) for name, each in {**quantiles, **taught}.items()}
        if taught
        else {},
    }


def _of_quantiles(asked: Samples, ours: FloatArray, references: Mapping[str, FloatArray]) -> dict[str, Any]:
    """Mean quantile loss of the log variance over `LEVELS`; over that of each reference, with p; what 90 % intervals hold."""

    def loss(quantiles: FloatArray) -> FloatArray:
        logs, y = np.log(quantiles), np.log(np.maximum(asked.y, 1e-8))
        return np.asarray(np.mean([pinball(y, logs[..., k], level) for k, level in enumerate(LEVELS)], axis=0))

    def against_one(other: FloatArray) -> tuple[float, float]:
        both = np.where(np.isfinite(other), mine, np.nan), np.where(np.isfinite(mine), other, np.nan)
        ours_a_day, theirs_a_day = (daily(each, asked.as_of_s) for each in both)
        lags = lags_of(len(ours_a_day), asked.task.horizon_hours)
        return float(np.nanmean(both[0]) / np.nanmean(both[1])), diebold_mariano(ours_a_day, theirs_a_day, lags).p

    mine = loss(ours)
    return {
        "pinball": float(np.nanmean(mine)),
        "to": {name: against_one(loss(other)) for name, other in references.items()},
        "held_90": float(np.nanmean(coverage(asked.y, ours[..., 0], ours[..., -1]))),
        "below_5": float(np.nanmean(coverage(asked.y, np.zeros_like(asked.y), ours[..., 0]))),
    }


def write_tables(tables: Mapping[int, Table], data: Mapping[str, str], folder: Path) -> None:
    """Put the tables between the marks of the page, and every ratio into the CSV."""
    page = folder / PAGE
    before, _, rest = page.read_text(encoding="utf-8").partition(FROM)
    after = rest.partition(TO)[2]
    lines = [line for horizon, table in tables.items() for line in (*_lines(horizon, table), "")]
    told = [_record(tables, data), ""]
    page.write_text(before + "\n".join([FROM, "", *lines, *told]) + TO + after, encoding="utf-8")
    with (folder / TABLE).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["horizon_hours", "attempt", "against", "ratio", "p", "each_seed"])
        for horizon, table in tables.items():
            for name, row in table["rows"].items():
                each = " ".join(f"{ratio:.6g}" for ratio in row["each"])
                writer.writerow([horizon, name, "gamma GLM", f"{row['together']:.6g}", f"{row['p']:.6g}", each])
            for (name, twin), (ratio, p, _, _) in table["twins"].items():
                writer.writerow([horizon, name, twin, f"{ratio:.6g}", f"{p:.6g}", ""])


def _lines(horizon: int, table: Table) -> list[str]:
    rows = table["rows"]
    if not rows:
        return [f"### {horizon} hours ahead", "", "Nothing was tried yet."]
    fair = [name for name in rows if "under-forecasts" not in name]
    corrected = dict(zip(fair, multipletests([rows[name]["p"] for name in fair], method="holm")[1], strict=True))
    better = [name for name in fair if rows[name]["together"] < 1 and rows[name]["p"] < 0.05]
    least = min((corrected[name] for name in better), default=1.0)
    lines = [
        f"### {horizon} hour{'s' if horizon > 1 else ''} ahead",
        "",
        f"The linear model: QLIKE {table['qlike']:.4f} over {table['days']} days (worst {table['worst']}), {100 * table['above']:.1f} % of the outcomes above its forecast. "
        f"Of {len(fair)} attempts that aim at the mean, {len(better) or 'none'} {'is' if len(better) == 1 else 'are'} better than it with p < .05"
        + (
            f" ({', '.join(better)}), and {'none' if least >= 0.05 else 'some'} after Holm's correction for {len(fair)} attempts (least {least:.2f})."
            if better
            else "."
        ),
        "",
        f"| attempt | each seed : linear model | log-mean : linear model | p | without {DYING} | p | outcomes above | epochs kept | s a fit |",
        "|---|---|--:|--:|--:|--:|--:|---|--:|",
    ]
    for name, row in rows.items():
        each = " ".join(f"{ratio:.4f}" for ratio in row["each"])
        ratio, p = table["alive"][name]
        lines.append(
            f"| {name} | {each} | {row['together']:.4f} | {p_of(row['p'])} | {ratio:.4f} | {p_of(p)} | {100 * row['above']:.1f} % | {table['lives'][name]} | {table['fit_s'][name]:.0f} |"
        )
    lines += ["", f"| true edges against | log-mean ratio | p | without {DYING} | p |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {name} : {twin} | {ratio:.4f} | {p_of(p)} | {other:.4f} | {p_of(q)} |"
        for (name, twin), (ratio, p, other, q) in table["twins"].items()
    ]
    if table["quantiles"]:
        references = list(next(iter(table["quantiles"].values()))["to"])
        lines += [
            "",
            f"| quantiles of | quantile loss × 1,000 | {' | '.join(f'to {name} | p' for name in references)} | 90 % intervals hold | below the 5 % quantile |",
            f"|---|--:|{'--:|--:|' * len(references)}--:|--:|",
        ]
    for name, q in table["quantiles"].items():
        told = " | ".join(f"{ratio:.4f} | {'–' if name == other else p_of(p)}" for other, (ratio, p) in q["to"].items())
        lines.append(
            f"| {name} | {1000 * q['pinball']:.1f} | {told} | {100 * q['held_90']:.1f} % | {100 * q['below_5']:.1f} % |"
        )
    return lines


def _record(tables: Mapping[int, Table], data: Mapping[str, str]) -> str:
    hashes = "; ".join(f"{name} `{value[:16]}`" for name, value in data.items())
    commits = sorted({commit for table in tables.values() for commit in table["commits"]})
    fits = {horizon: sum(len(row["each"]) for row in table["rows"].values()) for horizon, table in tables.items()}
    said = "; ".join(
        f"{horizon} h {fits[horizon]} attempts and seeds in {table['wall_s']:,.0f} s"
        for horizon, table in tables.items()
    )
    return f"Fits at commit {', '.join(commits)}, seeds 1, 2, 3; on the clock of two shared cores: {said}. Data, sha256: {hashes}. All ratios: [{TABLE}]({TABLE})."
