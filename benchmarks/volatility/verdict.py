"""What was asked of the forecasts on the test year, what came, and which page is final: the top of docs/results/volatility.md, from the tables of that folder alone.

    python -m benchmarks.volatility.verdict

writes it into the page anew. No forecast is made and no price is read, so the year is not opened.
"""

import csv
import re
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.volatility.record import RESULTS, openings, p_of, replications

FITTED_ONCE = ", fitted once"
GRAPH = "graph, correlation"
BEGIN, END = "## What was asked for, and what came", "## How it was measured"
PAGES = (
    ("this page", "**final**: what answers now, on 2023; opened for it once, after the first look"),
    ("[choice](volatility-choice.md)", "what it was chosen on: the quarters from 2019 to 2022; flatters"),
    ("[second half of 2022](volatility-validation.md)", "what networks and baselines were chosen on, scored as here; flatters"),
    ("[first look](volatility-first-look.md)", "**superseded**: an earlier choice on 2023, and the first opening"),
    ("[an earlier study](volatility-study.md)", "a replication on 2023, the third opening; chose nothing"),
    ("[networks](volatility-networks.md)", "attempts before 2023, none of which answers"),
    ("[token flows](volatility-flows.md), [chosen on](volatility-flows-validation.md)", "attempts on another panel, 2021-10 to 2022-06, none of which answers"),
)  # fmt: skip


def write_seeds(found: dict[str, Any], path: Path) -> None:
    """What is drawn, three seeds averaged in logs, against what it stands on; and graph networks against their twins."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["horizon_hours", "model", "reference", "ratio", "p"])
        for horizon, part in found["horizons"].items():
            for reference, group in (("log-HAR", "random"), ("gamma GLM", "networks")):
                for name, s in part[group].items():
                    writer.writerow([horizon, name, reference, f"{s['together']:.4f}", p_of(s["p"])])
            for name, twin, ratio, p in part["twins"]:
                writer.writerow([horizon, name, f"{name}, {twin}", f"{ratio:.4f}", p_of(p)])


def verdict(folder: Path = RESULTS) -> list[str]:
    """The lines from BEGIN to before END."""
    times, again = openings("2023"), replications("2023")
    pages = [f"| {page} | {what} |" for page, what in PAGES]
    return [
        BEGIN,
        "",
        (
            f"The year has been opened {times} times, {again} of them for a replication that chose nothing ([log](volatility-openings.csv)). Ratios are of QLIKE; below 1 is better. "
            "Every figure is one of [volatility.csv](volatility.csv), [volatility-seeds.csv](volatility-seeds.csv) and [volatility-coverage.csv](volatility-coverage.csv)."
        ),
        "",
        "| on 2023 | asked for | came | met or missed |",
        "|---|---|---|---|",
        *_bars(folder),
        "",
        "| page | what it is |",
        "|---|---|",
        *pages,
        "",
    ]


def _bars(folder: Path) -> list[str]:
    """A row a bar, and one for what ships."""
    scores, seeds = (pd.read_csv(folder / f"volatility{name}.csv") for name in ("", "-seeds"))
    horizons = [int(hours) for hours in scores["horizon_hours"].unique()]
    once = scores[scores["model"].str.endswith(FITTED_ONCE)].set_index("horizon_hours")
    default = once["model"].str.removesuffix(FITTED_ONCE)
    to_har = {
        hours: scores[(scores["horizon_hours"] == hours) & (scores["reference"] == "log-HAR")].set_index("model")
        for hours in horizons
    }
    own = {hours: table.loc[default[hours]] for hours, table in to_har.items()}
    of = {hours: (float(row["ratio"]), float(row["p"])) for hours, row in own.items()}
    best = [float(own[hours]["qlike"] / to_har[hours]["qlike"].min()) for hours in horizons]
    graph = seeds[(seeds["horizon_hours"] == 24) & (seeds["model"] == GRAPH)].set_index("reference")
    linear, twin = (_drawn(graph.loc[reference]) for reference in ("gamma GLM", f"{GRAPH}, shuffled"))
    every = ", ".join(map(str, horizons))
    rows = [
        _row(
            "24 h: what answers, over log-HAR fitted an asset at a time",
            "at most 0.865, p < .001",
            _pair(of[24]),
            [of[24][0] <= 0.865 and of[24][1] < 0.001],
        ),
        _row("1 h: the same, on the range proxy", "at most 0.86", _pair(of[1]), [of[1][0] <= 0.86]),
        _row("168 h: the same", "at most 0.90", _pair(of[168]), [of[168][0] <= 0.90]),
        _row(
            "24 h: graph network over the gamma GLM that it stands on",
            "at most 0.985, p < .05",
            _pair(linear),
            [linear[0] <= 0.985 and linear[1] < 0.05],
        ),
        _row(
            "24 h: graph network over its twin with shuffled edges",
            "below 1, p < .05",
            _pair(twin),
            [twin[0] < 1 and twin[1] < 0.05],
        ),
    ]
    for kind in ("variance", "return"):
        held = [_held(folder, hours, kind) for hours in horizons]
        came = ", ".join(f"{100 * share:.1f} %" for share in held)
        what = f"{every} h: 90 % intervals of the {kind} hold, adaptive"
        rows.append(_row(what, "88 to 92 %", came, [0.88 <= share <= 0.92 for share in held]))
    what, came = f"{every} h: what answers, over the best of all models", ", ".join(f"{ratio:.3f}" for ratio in best)
    rows.append(_row(what, "at most 1.01", came, [ratio <= 1.01 for ratio in best]))
    shipped = ", ".join(f"{once.at[hours, 'ratio']:.3f}" for hours in horizons)
    what = f"{every} h: what ships, fitted once before the year, over log-HAR refitted each quarter"
    return [*rows, f"| {what} | nothing was asked for | {shipped} | – |"]


def _drawn(row: pd.Series) -> tuple[float, float]:
    """Ratio and p of a row of the seeds, whose p is as a page shows it; below the least that is shown, half of that."""
    p = str(row["p"])
    return float(row["ratio"]), float(p) if p[0] != "<" else float(p[1:]) / 2


def _row(what: str, wanted: str, came: str, met: list[bool]) -> str:
    words = ["met" if one else "**missed**" for one in met]
    return f"| {what} | {wanted} | {came} | {', '.join(words) if len(set(words)) > 1 else words[0]} |"


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.3f} (p {p_of(pair[1])})"


def _held(folder: Path, hours: int, kind: str) -> float:
    """Share of all outcomes inside their 90 % interval, from the shares by asset and regime."""
    table = pd.read_csv(folder / "volatility-coverage.csv")
    part = table[(table["horizon_hours"] == hours) & (table["quantiles_of"] == kind) & (table["rule"] == "adaptive")]
    return float((part["rows"] * part["coverage_90"]).sum() / part["rows"].sum())


def main() -> None:
    """Write the section into the page."""
    page = RESULTS / "volatility.md"
    text = page.read_text(encoding="utf-8")
    part = re.compile(rf"^{re.escape(BEGIN)}$.*?(?=^{re.escape(END)}$)", flags=re.MULTILINE | re.DOTALL)
    fresh, times = part.subn(lambda _: "\n".join(verdict()) + "\n", text)
    if times != 1:
        raise SystemExit(f"{page.name} has the section {times} times; it is written by benchmarks.volatility.page")
    page.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
