"""What the page of the network trials says is what the forecasts come to: drawn ones with ratios known by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import mean_pinball_loss

from benchmarks.volatility.networks import Kept
from models.baselines.gamma_glm import GammaGlm
from models.panel import FloatArray
from models.samples import Samples
from models.task import Task
from tests.models.drawn_panel import drawn_panel
from tests.real.network_attempts import LEVELS, Ground
from tests.real.network_histories import CUTS, DAY_S, END
from tests.real.network_page import FROM, PAGE, TABLE, TO, table_of, write_tables

ASSETS = ("BTC", "MIR")


def drawn() -> Ground:
    """Gamma outcomes with mean one at every midnight that is asked; nothing is fitted."""
    at = np.arange(CUTS[0], END, DAY_S, dtype=np.int64)
    y = np.random.default_rng(3).gamma(2.0, 0.5, (len(at), 2))
    samples = Samples(Task(step_hours=24), at, ASSETS, ("none",), np.zeros((*y.shape, 1)), y)
    return Ground(drawn_panel(), samples, Kept(GammaGlm("gamma GLM", ("none",))))


def test_tables_say_what_forecasts_come_to(tmp_path: Path) -> None:
    here = drawn()
    y = here.fresh.y
    ones = np.ones_like(y)
    laws = np.quantile(y, LEVELS)[None, None, :] * ones[..., None]

    def kept(level: float, **more: object) -> dict[str, object]:
        said = {"forecast": level * ones, "kept": np.array([1, 2]), "seconds": np.array([3.0, 4.0]), "commit": "abc"}
        return said | more

    found = {
        "graph, x": [kept(0.5), kept(2.0)],
        "graph, x, shuffled": [kept(2.0), kept(2.0)],
        "MLP, quantiles": [kept(1.0, quantiles=laws * 1.5)],
    }
    table = table_of(here, ones, {"gamma GLM": laws}, found)

    def qlike(level: float, rows: FloatArray) -> float:
        return float(np.mean(rows / level - np.log(rows / level) - 1))

    assert table["rows"]["graph, x"]["each"] == pytest.approx([qlike(0.5, y) / qlike(1, y), qlike(2, y) / qlike(1, y)])
    assert table["rows"]["graph, x"]["together"] == pytest.approx(1.0)
    assert table["twins"]["graph, x", "shuffled"][0] == pytest.approx(qlike(1, y) / qlike(2, y))
    assert table["alive"]["graph, x, shuffled"][0] == pytest.approx(qlike(2, y[:, :1]) / qlike(1, y[:, :1]))
    assert table["quantiles"]["gamma GLM"]["held_90"] == pytest.approx(0.9, abs=0.005)
    by_level = [
        mean_pinball_loss(np.log(y).ravel(), np.log(laws[..., k]).ravel(), alpha=level)
        for k, level in enumerate(LEVELS)
    ]
    assert table["quantiles"]["gamma GLM"]["pinball"] == pytest.approx(np.mean(by_level))
    wide = table["quantiles"]["MLP, quantiles"]
    assert wide["to"]["gamma GLM"][0] > 1 and wide["below_5"] == pytest.approx((y < 1.5 * laws[..., 0]).mean())
    (tmp_path / PAGE).write_text(f"before\n{FROM}\nwhat was there\n{TO}\nafter\n")
    for _ in range(2):
        write_tables({24: table}, {"prices": "ff00"}, tmp_path)
    page = (tmp_path / PAGE).read_text()
    assert (
        page.startswith("before\n") and page.endswith("\nafter\n") and "was there" not in page and page.count(FROM) == 1
    )
    assert f"| graph, x | {qlike(0.5, y) / qlike(1, y):.4f} {qlike(2, y) / qlike(1, y):.4f} | 1.0000 |" in page
    with (tmp_path / TABLE).open() as file:
        rows = {(row["attempt"], row["against"]): float(row["ratio"]) for row in csv.DictReader(file)}
    assert rows["graph, x", "shuffled"] == pytest.approx(qlike(1, y) / qlike(2, y), rel=1e-5)
