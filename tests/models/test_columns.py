"""Features from what is known besides prices, by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aftershock.forecasting.hourly_prices import read_prices
from models.features import asked_samples
from models.features.columns import column_features, states, sums
from models.features.windows import lookback
from models.panel import Panel
from models.task import Task


def test_how_things_stood_is_known_from_the_end_of_the_bar_in_which_it_was_told() -> None:
    """Told within a bar, at the end of one, twice in one bar (the later counts), and after the last."""
    end = 3_600 * np.arange(1, 5, dtype=np.int64)
    told = np.array([3_601, 3_600, 7_000, 14_401], dtype=np.int64)
    column = states(end, told, np.array([[2.0, np.nan], [1.0, 5.0], [3.0, 6.0], [9.0, 9.0]]))
    np.testing.assert_array_equal(column, [[1.0, 5.0], [3.0, 6.0], [np.nan, np.nan], [np.nan, np.nan]])
    partly = states(end, told[[0, 2]], np.array([[2.0, 4.0], [3.0, np.nan]]))
    np.testing.assert_array_equal(partly[1], [3.0, 4.0])


def test_what_happened_is_added_up_by_bar_and_only_whole_bars_of_the_covered_time_are_known() -> None:
    end = 3_600 * np.arange(1, 6, dtype=np.int64)
    at = np.array([4_000, 7_200, 7_201], dtype=np.int64)
    column = sums(end, at, np.array([[1.0], [10.0], [100.0]]), (3_600, 14_400))
    np.testing.assert_array_equal(column[:, 0], [np.nan, 11.0, 100.0, 0.0, np.nan])


def test_events_are_those_of_the_last_day_and_week() -> None:
    """A dollar an hour from the 100th hour on, for one of two assets; the other's time is not covered."""
    panel = file_panel()
    happened = np.full((400, 2), np.nan)
    happened[:, 0] = np.where(np.arange(400) >= 100, 1.0, 0.0)
    panel = replace(panel, extras={"liquidated_usd": happened, "at_risk_5_usd": np.full((400, 2), 0.1)})
    found = column_features(panel, lookback(panel, panel.end_s[[99, 100, 110, 399]]))
    np.testing.assert_allclose(np.expm1(found["liquidated_usd_24"][:, 0]), [0.0, 1.0, 11.0, 24.0])
    assert np.expm1(found["liquidated_usd_168"][3, 0]) == pytest.approx(168.0)
    assert np.isnan(found["liquidated_usd_24"][:, 1]).all()
    assert (found["at_risk_5_usd"] == 0.0).all()  # the logarithm of at least a dollar


def file_panel(hours: int = 400) -> Panel:
    """Two assets; the first has a spread in every bar but some, the second a sentiment once."""
    end = 3_600 * np.arange(1, hours + 1, dtype=np.int64) + 1_640_995_200
    price = np.ones((hours, 2))
    spread, mood = np.full((hours, 2), np.nan), np.full((hours, 2), np.nan)
    spread[:, 0] = np.arange(hours) + 1.0
    spread[50:60, 0] = np.nan
    mood[100, 1] = -0.5
    return Panel(
        ("A", "B"), end, price, price, price, price, price, 3_600, extras={"spread_bps": spread, "sentiment": mood}
    )


def test_what_a_file_says_besides_prices_is_known_from_the_end_of_its_bar_and_for_a_week() -> None:
    panel = file_panel()
    at = panel.end_s[[0, 49, 55, 60, 99, 100, 101, 268, 269]]
    found = column_features(panel, lookback(panel, at))
    expected = np.log([1.0, 50.0, 50.0, 61.0, 100.0, 101.0, 102.0, 269.0, 270.0])
    np.testing.assert_allclose(found["spread_bps"][:, 0], expected)
    assert np.isnan(found["spread_bps"][:, 1]).all()
    np.testing.assert_array_equal(found["sentiment"][:, 1], [np.nan] * 5 + [-0.5] * 3 + [np.nan])
    before = column_features(panel, lookback(panel, panel.end_s[[0]] - 1))
    assert np.isnan(before["spread_bps"]).all()


def test_the_columns_of_a_file_reach_the_samples_a_model_is_asked_with(tmp_path: Path) -> None:
    """Read from the file and its history, at the instant asked for and k days earlier."""
    panel = file_panel()
    rows = [
        {"timestamp": int(end), "symbol": asset, "close": 1.0, "spread_bps": panel.extras["spread_bps"][t, n]}
        for t, end in enumerate(panel.end_s)
        for n, asset in enumerate(panel.assets)
    ]
    frame = pd.DataFrame(rows)
    cut = panel.end_s[200]
    frame[frame["timestamp"] <= cut].to_csv(tmp_path / "early.csv", index=False)
    frame[frame["timestamp"] > cut].to_csv(tmp_path / "late.csv", index=False)
    read = read_prices(tmp_path / "late.csv", history=tmp_path / "early.csv").panel
    asked = asked_samples(read, panel.end_s[[210]], Task(), ("spread_bps", "spread_bps@1"))
    assert asked.feature("spread_bps")[0, 0] == pytest.approx(np.log(211.0))
    assert asked.feature("spread_bps@1")[0, 0] == pytest.approx(np.log(187.0))
