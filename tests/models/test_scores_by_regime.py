"""Scores by regime: sums written out on drawn forecasts, parts that add up to the whole, and one number a row of the table."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.volatility.by_regime import regimes_page, scores_by_regime, write_regimes
from benchmarks.volatility.calibration import LEVELS, _scored
from models.samples import Samples
from models.task import Task

DAY_S = 86_400
REGIME = np.array(["calm"] * 45 + ["turbulent"] * 15)


def drawn() -> tuple[Samples, dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    y, as_of = rng.gamma(2.0, 0.5, (60, 3)), np.arange(60, dtype=np.int64) * DAY_S
    y[3, 1] = y[50, 2] = np.nan
    asked = Samples(Task(), as_of, ("A", "B", "C"), ("none",), np.zeros((60, 3, 1)), y)
    made = {"log-HAR": np.full(y.shape, 1.1), "gamma GLM": rng.gamma(20.0, 0.05, y.shape)}
    made["gamma GLM"][48] = np.nan
    return asked, made


def test_each_regime_has_the_losses_of_its_own_rows() -> None:
    asked, made = drawn()
    found = scores_by_regime(asked, made, REGIME)
    for kind, rows in (("calm", slice(0, 45)), ("turbulent", slice(45, 60))):
        y, f = asked.y[rows], made["gamma GLM"][rows]
        both = np.isfinite(y) & np.isfinite(f)
        loss, other = (y / v - np.log(y / v) - 1 for v in (f, np.full(y.shape, 1.1)))
        s = found["gamma GLM"][kind]
        assert s["rows"] == both.sum() == {"calm": 134, "turbulent": 41}[kind]
        assert s["qlike"] == pytest.approx(loss[both].mean())
        assert s["ratio"] == pytest.approx(loss[both].mean() / other[both].mean())
        assert s["log_mse"] == pytest.approx(((np.log(y) - np.log(f))[both] ** 2).mean())


def test_quantiles_of_both_regimes_together_are_those_of_all_rows() -> None:
    asked, _ = drawn()
    quantiles = np.broadcast_to(np.quantile(asked.y[np.isfinite(asked.y)], LEVELS) * 0.9, (*asked.y.shape, len(LEVELS)))
    found = _scored(asked.y, np.asarray(quantiles), "variance", asked.assets, REGIME)
    parts = list(found["by_regime"].values())
    weight = np.array([part["rows"] for part in parts])
    assert weight.tolist() == [134, 44]
    for name in ("coverage_90", "crps", "below_1", "below_5"):
        assert weight @ [part[name] for part in parts] / weight.sum() == pytest.approx(found[name])
    for level, loss in found["pinball"].items():
        assert weight @ [part["pinball"][level] for part in parts] / weight.sum() == pytest.approx(loss)
    calm = asked.y[:45][np.isfinite(asked.y[:45])]
    low, high = quantiles[0, 0, LEVELS.index(0.05)], quantiles[0, 0, LEVELS.index(0.95)]
    assert found["by_regime"]["calm"]["coverage_90"] == pytest.approx(np.mean((calm >= low) & (calm <= high)))


def test_the_table_has_every_score_of_the_page(tmp_path: Path) -> None:
    asked, made = drawn()
    quantiles = np.broadcast_to(np.quantile(asked.y[np.isfinite(asked.y)], LEVELS), (*asked.y.shape, len(LEVELS)))
    scored = _scored(asked.y, np.asarray(quantiles), "variance", asked.assets, REGIME)
    part = {
        "default": "gamma GLM",
        "scores_by_regime": scores_by_regime(asked, made, REGIME),
        "calibration": {"variance, adaptive": scored, "return, adaptive": scored},
    }
    write_regimes({24: part}, tmp_path / "regimes.csv")
    with (tmp_path / "regimes.csv").open(newline="") as file:
        rows = {(row["of"], row["regime"], row["score"]): row for row in csv.DictReader(file)}
    assert len(rows) == 2 * 2 * 3 + 2 * 2 * 8
    page = "\n".join(regimes_page({24: part}, "regimes.csv"))
    of = rows["gamma GLM", "turbulent", "qlike"]
    assert f"| 24 h | turbulent | {of['rows']} | **gamma GLM** | {float(of['value']):.4f} |" in page
    crps = rows["quantiles of variance, adaptive", "calm", "crps"]
    assert f"| 24 h | calm | 134 | variance, adaptive | {float(crps['value']):.4f} |" in page
