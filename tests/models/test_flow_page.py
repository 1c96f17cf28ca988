"""The page of the network panel: distributions where they were scored, one sentence where they were not."""

import csv
from pathlib import Path
from typing import Any

from benchmarks.volatility.flow_page import UNSCORED, write_page

SCORE = {
    "name": "EWMA 0.94",
    "answered": 1.0,
    "qlike": 0.3,
    "log_mse": 0.7,
    "ratio": 0.98,
    "ratio_without_worst": 0.97,
    "test": {"p": 0.04},
}
ONE_RULE = {
    "coverage_90": 0.884,
    "least_asset": ["AAA", 0.811],
    "most_asset": ["BBB", 0.957],
    "by_regime": {"calm": {"coverage_90": 0.9}, "turbulent": {"coverage_90": 0.8}},
    "by_asset": {"AAA": {"calm": [90, 0.8222], "turbulent": [10, 0.7]}, "BBB": {"calm": [100, 0.957]}},
    "below_1": 0.0123,
    "below_5": 0.0456,
    "crps": 0.41234,
    "pinball": {"0.01": 0.0011, "0.05": 0.0022, "0.95": 0.0033, "0.99": 0.0044},
    "pit": [0.1] * 10,
}


def found(window: str, days: int, **more: Any) -> dict[str, Any]:
    part = {
        "prices": "hours",
        "horizon": 24,
        "assets": ["AAA", "BBB"],
        "answers": "EWMA 0.94",
        "days": 100,
        "rows": 200,
        "first": "2021-05-05",
        "seconds": 1,
        "scores": {name: [SCORE] for name in ("log-HAR", "pooled log-HAR", "gamma GLM")},
        "confidence_set": {},
        "networks": {},
        "random": {},
        "parameters": {},
        "twins": [["graph", "shuffled", 0.99, 0.3]],
        "relations": [],
    }
    scored = {
        "calibration": {"variance, adaptive": ONE_RULE},
        "by_regime": {"calm": (90, 0.95), "turbulent": (10, 0.7)},
        "learnt_from": {"first": "2021-07-01", "days": 92, "fitted_days": days},
    }
    flows = {"tokens": 9, "unpriced": 1, "largest": ["SHIB"]}
    closes = part | {"prices": "closes"} | (scored if days else {})
    run = {"command": "c", "seed": 0, "data": {}, "seconds": 1, "machine": "m"}
    parts = [part | (scored if days else {}) | more, closes]
    return {"window": window, "parts": parts, "flows": flows, "run": run}


def test_distributions_are_told_with_how_little_they_learnt_from(tmp_path: Path) -> None:
    regimes = {
        "24": {"days": 9, "events": 2}
        | {key: {"brier": 0.1, "auprc": None} for key in ("Markov switching", "climatology", "logistic")}
    }
    write_page(found("validation", 57, regimes=regimes), tmp_path)
    page = (tmp_path / "volatility-flows-validation.md").read_text()
    assert UNSCORED not in page and "57 days; that is too little history" in page
    row = "| variance, adaptive | 88.4 % | AAA 81.1 %, BBB 95.7 % | calm 90.0 %, turbulent 80.0 % | 1.23 % / 4.56 % | 0.4123 | 1.1 2.2 3.3 4.4 |"
    assert page.count(row) == 2 and "| 24 h | 9, 2 | logistic | 0.1000 | – |" in page
    with (tmp_path / "volatility-flows-validation-coverage.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and (rows[0]["rule"], rows[0]["rows"], rows[0]["coverage_90"]) == ("adaptive", "90", "0.8222")
    write_page(found("validation", 90), tmp_path)
    assert "too little history" not in (tmp_path / "volatility-flows-validation.md").read_text()


def test_a_window_without_distributions_says_so_once(tmp_path: Path) -> None:
    write_page(found("held out", 0), tmp_path)
    page = (tmp_path / "volatility-flows.md").read_text()
    assert page.count(UNSCORED) == 1 and "90 % intervals" not in page
    assert [path.name for path in tmp_path.iterdir() if "coverage" in path.name] == []


def test_the_page_of_the_held_out_window_says_the_same() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "results" / "volatility-flows.md"
    assert page.read_text(encoding="utf-8").count(UNSCORED) == 1
