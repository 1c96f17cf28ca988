"""Features from books, pools and events, by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aftershock.hourly_prices import read_prices
from models.features import asked_samples, price_samples
from models.features.file_columns import file_features
from models.features.tables import (
    depth_ratio,
    known_from_day,
    latest_known,
    liquidation_clusters,
    recent_usd,
    utilisation,
)
from models.features.windows import lookback
from models.panel import Panel
from models.task import Task, as_of_grid
from tests.models.drawn_panel import drawn_panel

DAY_S = 86_400


def test_clusters_by_hand() -> None:
    """a: 100 ETH at 0.8 against 76 -> falls when ETH drops by 5 %; b: the same against 73 -> 8.75 %; c: half in BTC, so 10 % of ETH is 4 of 80 against 77;
    d: owes ETH against ETH: a fall of ETH never hurts it; e: no debt; f: already under water."""
    rows = [
        ("a", "ETH", "collateral", 100.0, 0.8), ("a", "USDC", "debt", 76.01, np.nan),
        ("b", "ETH", "collateral", 100.0, 0.8), ("b", "USDC", "debt", 73.0, np.nan),
        ("c", "ETH", "collateral", 50.0, 0.8), ("c", "BTC", "collateral", 50.0, 0.8), ("c", "USDC", "debt", 77.0, np.nan),
        ("d", "ETH", "collateral", 100.0, 0.8), ("d", "ETH", "debt", 79.0, np.nan),
        ("e", "ETH", "collateral", 100.0, 0.8),
        ("f", "BTC", "collateral", 10.0, 0.5), ("f", "USDC", "debt", 6.0, np.nan),
    ]  # fmt: skip
    positions = pd.DataFrame(rows, columns=["position_id", "asset", "side", "usd", "threshold"])
    found = liquidation_clusters(positions, ("ETH", "BTC", "UNI"))
    assert found.tolist() == [[100.0, 250.0, 250.0], [10.0, 60.0, 60.0], [0.0, 0.0, 0.0]]


def test_utilisation_and_depth() -> None:
    reserves = pd.DataFrame(
        {"asset": ["A", "A", "B"], "supplied_usd": [60.0, 40.0, 0.0], "borrowed_usd": [50.0, 30.0, 0.0]}
    )
    found = utilisation(reserves, ("A", "B", "C"))
    assert found[0] == pytest.approx(0.8) and np.isnan(found[1:]).all()
    ratio = depth_ratio(np.array([20.0, 0.0]), np.array([10.0, 5.0]))
    assert ratio[0] == pytest.approx(np.log(2)) and np.isnan(ratio[1])


def test_a_row_is_used_from_the_instant_at_which_it_is_known_and_grows_old() -> None:
    rows = pd.DataFrame({"known_s": [100, 200], "asset": ["A", "A"], "spread": [1.0, 2.0]})
    at = np.array([99, 100, 199, 200, 700, 701])
    assert np.array_equal(
        latest_known(rows, "spread", ("A",), at, 500)[:, 0], [np.nan, 1, 1, 2, 2, np.nan], equal_nan=True
    )
    stamped = known_from_day(pd.Series(["2022-01-05"]))
    assert stamped.tolist() == [int(pd.Timestamp("2022-01-06").timestamp())]


def test_recent_events_are_those_of_the_window() -> None:
    rows = pd.DataFrame({"known_s": [0, 3_600, 7_200], "asset": ["A"] * 3, "amount_usd": [1.0, 10.0, 100.0]})
    found = np.expm1(recent_usd(rows, ("A", "B"), np.array([3_599, 3_600, 7_200]), 1))
    np.testing.assert_allclose(found, [[1.0, 0.0], [10.0, 0.0], [100.0, 0.0]], atol=1e-9)


def test_a_table_s_feature_stands_in_the_samples_from_the_instant_at_which_it_is_known() -> None:
    """As docs/volatility.md has it: a row of 10 January counts from the 11th on, a week long, for its asset alone."""
    panel, task = drawn_panel(30), Task()
    from_s, to_s = int(panel.end_s[0]), int(panel.end_s[-1])
    known = known_from_day(pd.Series(["2022-01-10"]))
    rows = pd.DataFrame({"known_s": known, "asset": "ETH", "utilisation": 0.8})
    at = as_of_grid(panel, task, from_s, to_s)
    more = {"utilisation": latest_known(rows, "utilisation", panel.assets, at)}
    samples = price_samples(panel, task, from_s, to_s, more=more)
    found = samples.feature("utilisation")
    day = samples.as_of_s // DAY_S - int(pd.Timestamp("2022-01-10").timestamp()) // DAY_S
    told = (day >= 1) & (samples.as_of_s <= known[0] + 7 * DAY_S)
    assert told.any() and (~told).any()
    np.testing.assert_array_equal(found[:, panel.assets.index("ETH")], np.where(told, 0.8, np.nan))
    assert np.isnan(found[:, panel.assets.index("BTC")]).all()
    assert "rv_24" in samples.names


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
    found = file_features(panel, lookback(panel, at))
    expected = np.log([1.0, 50.0, 50.0, 61.0, 100.0, 101.0, 102.0, 269.0, 270.0])
    np.testing.assert_allclose(found["spread_bps"][:, 0], expected)
    assert np.isnan(found["spread_bps"][:, 1]).all()
    np.testing.assert_array_equal(found["sentiment"][:, 1], [np.nan] * 5 + [-0.5] * 3 + [np.nan])
    before = file_features(panel, lookback(panel, panel.end_s[[0]] - 1))
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
