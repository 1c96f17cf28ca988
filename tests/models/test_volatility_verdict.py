"""The table at the top of the page on 2023: it is what the tables say, and each bar is met or missed as its figures are."""

import csv
import re
from pathlib import Path

import pytest

from benchmarks.volatility.record import RESULTS
from benchmarks.volatility.verdict import verdict

PAGE = (RESULTS / "volatility.md").read_text(encoding="utf-8")


def rows_of(name: str) -> list[dict[str, str]]:
    with (RESULTS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells(begin: str) -> list[str]:
    """The row of the page's table that begins so: what, wanted, came, met."""
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {begin}")]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def score(hours: int, model: str, reference: str = "log-HAR") -> dict[str, str]:
    [row] = [
        row
        for row in rows_of("volatility.csv")
        if (row["horizon_hours"], row["model"], row["reference"]) == (str(hours), model, reference)
    ]
    return row


def test_the_page_has_what_the_tables_say() -> None:
    assert "\n".join(verdict()) in PAGE
    assert PAGE.index("What was asked for") < PAGE.index("How it was measured") < PAGE.index("## 1 hour ahead")


@pytest.mark.parametrize(
    ("hours", "begin", "most", "level"),
    [(24, "24 h: what answers", 0.865, 0.001), (1, "1 h: the same", 0.86, 1.0), (168, "168 h: the same", 0.90, 1.0)],
)
def test_what_answers_against_log_har(hours: int, begin: str, most: float, level: float) -> None:
    row = score(hours, "boosting on GLM")
    found = re.fullmatch(r"([\d.]+) \(p <?([\d.]+)\)", cells(begin)[2])
    assert found is not None and float(found[1]) == round(float(row["ratio"]), 3)
    assert float(found[2]) == pytest.approx(max(float(row["p"]), 1e-4), abs=5e-5)
    met = float(row["ratio"]) <= most and float(row["p"]) < level
    assert cells(begin)[3] == ("met" if met else "**missed**")


def test_graph_networks_are_those_of_the_table_below() -> None:
    """Their own table further down the page, which the evaluation wrote."""
    for begin, below in (
        ("24 h: graph network over the gamma", r"\| graph, correlation \| gamma GLM \|.*"),
        ("24 h: graph network over its twin", r"\| graph, correlation : shuffled \|.*"),
    ):
        line = re.search(below, PAGE)
        assert line is not None
        said = [cell.strip() for cell in line[0].strip("|").split("|")]
        ratio, p = (said[5], said[6]) if "gamma GLM" in said else (said[1], said[2])
        assert cells(begin)[2] == f"{float(ratio):.3f} (p {p})" and "missed" in cells(begin)[3]


@pytest.mark.parametrize("kind", ["variance", "return"])
def test_intervals_hold_what_the_tables_by_horizon_say(kind: str) -> None:
    each = re.findall(rf"^\| {kind}, adaptive \| ([\d.]+ %)", PAGE, flags=re.MULTILINE)
    shares = [float(one.removesuffix(" %")) for one in each]
    row = cells(f"1, 24, 168 h: 90 % intervals of the {kind}")
    assert len(each) == 3 and row[2] == ", ".join(each)
    met = ["met" if 88 <= share <= 92 else "**missed**" for share in shares]
    assert row[3] in (", ".join(met), met[0] if len(set(met)) == 1 else "")


def test_what_answers_against_the_best_and_what_ships() -> None:
    best, once = [], []
    for hours in (1, 24, 168):
        losses = [
            float(row["qlike"])
            for row in rows_of("volatility.csv")
            if row["horizon_hours"] == str(hours) and row["qlike"]
        ]
        best.append(float(score(hours, "boosting on GLM")["qlike"]) / min(losses))
        once.append(float(score(hours, "boosting on GLM, fitted once")["ratio"]))
    assert cells("1, 24, 168 h: what answers")[2:] == [
        ", ".join(f"{ratio:.3f}" for ratio in best),
        "met, met, **missed**",
    ]
    assert max(best[:2]) <= 1.01 < best[2]
    assert cells("1, 24, 168 h: what ships")[2] == ", ".join(f"{ratio:.3f}" for ratio in once)


def test_how_often_the_year_was_opened_is_the_log() -> None:
    times = [row for row in rows_of("volatility-openings.csv") if row["window"] == "2023"]
    assert f"The year has been opened {len(times)} times, 1 of them for a replication" in PAGE
    assert sum("chooses nothing" in row["reason"] for row in times) == 1


def test_other_figures_make_another_table(tmp_path: Path) -> None:
    for name in ("volatility.csv", "volatility-seeds.csv", "volatility-coverage.csv"):
        (tmp_path / name).write_text((RESULTS / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert verdict(tmp_path) == verdict()
    scores = tmp_path / "volatility.csv"
    line = "24,boosting on GLM,log-HAR,1,0.447696,0.770681,0.900655,0.863353,-2.68199,0.00765395"
    better = line.replace("0.900655", "0.865").replace("0.00765395", "0.0009")
    assert line in scores.read_text(encoding="utf-8")
    scores.write_text(scores.read_text(encoding="utf-8").replace(line, better), encoding="utf-8")
    assert "| at most 0.865, p < .001 | 0.865 (p 0.0009) | met |" in "\n".join(verdict(tmp_path))


def test_the_page_on_volatility_says_what_the_tables_say() -> None:
    text = (RESULTS.parent / "volatility.md").read_text(encoding="utf-8")
    once = [f"{float(score(hours, 'boosting on GLM')['ratio']):.3f}" for hours in (1, 24, 168)]
    assert f"{once[0]}, {once[1]} and {once[2]} ([second look]" in text
    first = {
        row["horizon_hours"]: f"{float(row['ratio']):.3f}"
        for row in rows_of("volatility-first-look.csv")
        if (row["model"], row["reference"]) == ("boosting on GLM", "log-HAR")
    }
    assert f"{first['1']}, **{first['24']}** and **{first['168']}** of log-HAR" in text
    worst = float(score(24, "boosting on GLM")["ratio_without_worst"])
    assert f"({worst:.3f} without it)" in text
    weights = {name: [0.0, 0.0] for name in ("variance 24", "return 24", "variance 168", "return 168")}
    for row in rows_of("volatility-coverage.csv"):
        key = f"{row['quantiles_of']} {row['horizon_hours']}"
        if row["rule"] == "rolling" and key in weights:
            weights[key][0] += int(row["rows"])
            weights[key][1] += int(row["rows"]) * float(row["coverage_90"])
    held = [f"{100 * inside / rows:.1f}" for rows, inside in weights.values()]
    assert f"hold {held[0]} % (variance) and {held[1]} % (return) a day ahead, {held[2]} and {held[3]} % a week" in text
    own = [row for row in rows_of("volatility-validation.csv") if row["horizon_hours"] == "24" and row["reference"] == "log-HAR"]  # fmt: skip
    by_name = {row["model"]: f"{float(row['ratio']):.3f}" for row in own}
    said = (
        f"own lags only {by_name['gamma GLM, lags only']} of log-HAR, own ranges {by_name['gamma GLM, own ranges']}, "
        f"and market ranges {by_name['gamma GLM, own and market ranges']}, the whole regression {by_name['gamma GLM']}, "
        f"trees on it {by_name['boosting on GLM']}; network HAR on the correlation graph {by_name['network HAR (correlation)']}, "
        f"on its shuffled twin {by_name['network HAR (shuffled)']}."
    )
    assert said in text
