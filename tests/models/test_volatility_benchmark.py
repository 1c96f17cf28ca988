"""What the evaluation says beside its numbers: what it says of the prices themselves, dates without enough history, commands without this machine's paths, the spread over seeds, and both pictures."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks.forecasts import bars_of, drawn_prices
from benchmarks.volatility.compare import spread, twins
from benchmarks.volatility.networks import correlation_history
from benchmarks.volatility.page import _looks, _openings
from benchmarks.volatility.pictures import reliability, transforms
from benchmarks.volatility.prices import SHRINKS, WEEK_S, next_weeks, shrink_errors, standing_still
from benchmarks.volatility.record import RESULTS, command, openings, replications
from benchmarks.volatility.regimes import drift
from benchmarks.volatility.swans import swan
from benchmarks.volatility.world import World
from models.baselines.simple import rolling_mean
from models.evaluation import Fold
from models.panel import read_panel
from models.samples import Samples
from models.task import DAY_S, Task
from tests.models.drawn_panel import START_S, drawn_panel


def test_a_date_without_enough_history_says_how_much_there_is(tmp_path: Path) -> None:
    panel = drawn_panel(days=90)  # from 1 January 2022
    row = swan("2022-03-10", "main", panel, tmp_path, 0)
    assert row["days_of_history"] == 60
    assert "not enough history: the panel begins on 2022-01-01" in row["why"]
    assert row["too_young"] == {"BTC": 60, "ETH": 61, "AAA": 61, "BBB": 59}
    assert "gamma GLM" not in row and not list(tmp_path.iterdir())


def test_a_date_beyond_the_panel_is_not_read(tmp_path: Path) -> None:
    assert swan("2022-03-28", "main", drawn_panel(days=90), tmp_path, 0)["why"].startswith("not read")


def test_commands_name_no_folder_of_this_machine() -> None:
    given = ["--window", "test", "--kept", "/somewhere/else", "--open-test", "two words"]
    assert command("a.b", given) == 'python -m a.b --window test --open-test "two words"'


def test_pages_say_how_often_the_log_has_the_year_opened() -> None:
    with (RESULTS / "volatility-openings.csv").open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file) if row["window"] == "2023"]
    assert (openings("2023"), replications("2023")) == (len(reasons), sum("chooses nothing" in r for r in reasons))
    said = f"opened {len(reasons) - replications('2023')} times** for models that were chosen"
    page = (RESULTS / "volatility.md").read_text()
    assert said in page and _looks(openings("2023"), replications("2023")) in page
    for name in ("volatility", "volatility-validation"):
        assert _openings() in (RESULTS / f"{name}.md").read_text()


def test_spread_over_seeds() -> None:
    rng = np.random.default_rng(4)
    y = rng.gamma(2.0, 0.5, (60, 3))
    as_of = np.arange(60, dtype=np.int64) * 86_400
    asked = Samples(Task(), as_of, ("A", "B", "C"), ("none",), np.zeros((60, 3, 1)), y)
    reference, seeds = np.full(y.shape, 1.0), [np.full(y.shape, level) for level in (0.5, 2.0, 0.8)]

    def mean_qlike(level: float) -> float:
        return float(np.mean(y / level - np.log(y / level) - 1))

    each = [mean_qlike(level) / mean_qlike(1.0) for level in (0.5, 2.0, 0.8)]
    found = spread(asked, {"m": seeds}, reference)["m"]
    assert found["each"] == pytest.approx(each)
    assert found["mean"] == pytest.approx(sum(each) / 3)
    assert found["deviation"] == pytest.approx(np.sqrt(sum((e - sum(each) / 3) ** 2 for e in each) / 2))
    assert found["together"] == pytest.approx(mean_qlike(0.8 ** (1 / 3)) / mean_qlike(1.0))  # 0.5 x 2 x 0.8
    assert found["above"] == pytest.approx((y > 0.8 ** (1 / 3)).mean())


def test_twins_are_compared_with_the_network_of_their_name() -> None:
    rng = np.random.default_rng(5)
    y = rng.gamma(2.0, 0.5, (60, 3))
    asked = Samples(Task(), np.arange(60, dtype=np.int64) * DAY_S, ("A", "B", "C"), ("none",), np.zeros((60, 3, 1)), y)
    levels = {"one": (0.5, 2.0), "one, shuffled": (0.8, 0.8), "one, identity": (1.5, 1.5), "MLP": (3.0, 3.0)}
    by_seed = {name: [np.full(y.shape, level) for level in each] for name, each in levels.items()}

    def mean_qlike(level: float) -> float:
        return float(np.mean(y / level - np.log(y / level) - 1))

    found = {(name, twin): ratio for name, twin, ratio, _ in twins(asked, by_seed)}
    assert found == {
        ("one", "identity"): pytest.approx(mean_qlike(1.0) / mean_qlike(1.5)),
        ("one", "shuffled"): pytest.approx(mean_qlike(1.0) / mean_qlike(0.8)),
    }


def test_the_graph_of_a_month_is_of_the_sixty_days_before_it() -> None:
    panel = drawn_panel(130)
    history = correlation_history(panel)
    place = [str(np.datetime64(int(at), "s")) for at in history.known_s].index("2022-04-01T00:00:00")
    returns = pd.DataFrame(panel.log_returns(), index=pd.to_datetime(panel.end_s, unit="s"))
    alike = returns["2022-01-31 01:00":"2022-04-01 00:00"].corr().to_numpy()
    edges = history.graphs[place][0]
    assert edges.ends.shape == (2, 12)  # of four assets each hears the three others
    np.testing.assert_allclose(edges.values[:, 0], alike[edges.ends[1], edges.ends[0]], rtol=1e-9)


def horizons() -> dict[str, Any]:
    levels = ("0.1", "0.5", "0.9")
    one = {"coverage": dict.fromkeys(levels, 0.5) | {"0.9": 0.82}, "pit": [0.19, *[0.09] * 9]}
    return {h: {"calibration": {"variance, adaptive": one, "return, adaptive": one}} for h in ("1", "24", "168")}


@pytest.mark.parametrize("draw", [reliability, transforms])
def test_pictures_are_whole_and_say_their_finding(draw: Any) -> None:
    drawn = draw(horizons(), "a span")
    root = ElementTree.fromstring(drawn)
    said = " ".join(text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert all(ahead in said for ahead in ("an hour ahead", "a day ahead", "a week ahead"))
    assert ("40.0\u202fpp" if draw is reliability else "19 to 19\u202f%") in said
    assert all(float(x) <= 700 for x in re.findall(r' x="([\d.]+)"', drawn))


def test_bars_are_as_high_as_their_share() -> None:
    root = ElementTree.fromstring(transforms(horizons(), "a span"))
    bars = [bar for bar in root.iter("{http://www.w3.org/2000/svg}rect") if float(bar.attrib["height"]) < 150]
    assert len(bars) == 60
    first, second = (float(bar.attrib["height"]) for bar in bars[:2])
    assert first / second == pytest.approx(0.19 / 0.09, rel=0.01)


def test_correlations_are_compared_with_those_of_the_week_after() -> None:
    panel = drawn_panel(days=120)
    instants = next_weeks(panel)
    assert (np.diff(instants) == WEEK_S).all() and instants[-1] == panel.end_s[-1] - WEEK_S
    assert panel.end_s[0] + 90 * 86_400 <= instants[0] < panel.end_s[0] + 90 * 86_400 + WEEK_S
    returns = pd.DataFrame(np.log(panel.close), index=panel.end_s).diff()
    at, off = int(instants[1]), ~np.eye(len(panel.assets), dtype=bool)
    known = returns.loc[at - 90 * 86_400 + 1 : at].corr().to_numpy()
    came = returns.loc[at + 1 : at + WEEK_S].dropna().corr().to_numpy()
    found = shrink_errors(panel, instants)[1]
    mean = known[off].mean()
    for by, error in zip(SHRINKS, found, strict=True):
        assert error == pytest.approx((((1 - by) * known + by * mean - came)[off] ** 2).mean(), rel=1e-9)


def test_hours_without_a_move_are_counted_where_forecasts_stand() -> None:
    panel = drawn_panel(days=31)
    begin = int(np.flatnonzero(panel.end_s % 21_600 == 0)[4])
    panel.close[begin + 1, 1] = panel.close[begin, 1]  # after a scored instant
    panel.close[begin + 4, 1] = panel.close[begin + 3, 1]  # between two
    shares, low = standing_still(panel, ("2022-01-01", "2022-02-01"))
    # four a day for 31 days, less the first midnight, before which no price is known
    assert shares.tolist() == [0, 1 / 123, *(0 for _ in shares[2:])] and low > 0


def test_the_drawn_file_of_the_benchmark_is_read_as_it_was_drawn(tmp_path: Path) -> None:
    drawn = drawn_prices(3, 48)
    bars_of(drawn, 1_640_995_200).to_parquet(tmp_path / "bars.parquet", index=False)
    read = read_panel(tmp_path / "bars.parquet", "close", 3_600)
    assert read.assets == drawn.assets and read.notes == ()
    assert (read.end_s - 1_640_995_200).tolist() == drawn.end_s.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(read, name), getattr(drawn, name))


def test_a_refit_is_asked_for_on_the_day_of_the_forecast_that_went_wrong_although_days_are_missing(
    tmp_path: Path,
) -> None:
    """Three days without a price, then, from midnight of day 200 on, moves five times as large: forecasts of that midnight and of those after it go wrong, and none before."""
    panel = drawn_panel(240)
    day = (panel.end_s - START_S - 1) // DAY_S
    scale = np.where(day >= 200, 5.0, 1.0)[:, None]
    close = np.exp(np.nancumsum(scale * panel.log_returns(), axis=0))
    gone = np.isin(day, (160, 161, 162))[:, None]
    columns = {name: np.where(gone, np.nan, close) for name in ("open", "high", "low", "close")}
    world = World(replace(panel, **columns), 24, tmp_path, tell=False)  # type: ignore[arg-type]
    edges = [START_S + at * DAY_S for at in (60, 140, 239)]
    found = drift(world, rolling_mean(), [Fold(*edges[:2])], [Fold(*edges[1:])], 0)
    asked = [(pd.Timestamp(at).timestamp() - START_S) / DAY_S for at in found["alarms"]]
    assert 200 <= min(at for at in asked if at > 190) <= 202
