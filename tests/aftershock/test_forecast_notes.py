"""Sentences beside a forecast: each follows from what is in the file, and nothing is said of what no forecast used."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import aftershock
from aftershock.forecasting.forecasts import Forecasts, forecast_file
from aftershock.forecasting.notes import told_of_ranges
from models.panel import Panel
from tests.aftershock.forecast_inputs import frame_of, put


def asked(frame: pd.DataFrame, folder: Path, history: pd.DataFrame | None = None) -> Forecasts:
    """Forecasts of a frame of bars, with an earlier one."""
    frame.to_parquet(folder / "prices.parquet")
    if history is None:
        return forecast_file(folder / "prices.parquet", "close")
    history.to_parquet(folder / "early.parquet")
    return forecast_file(folder / "prices.parquet", "close", history=folder / "early.parquet")


def test_an_asset_with_volume_in_every_row_is_not_said_to_lack_it(panel: Panel, tmp_path: Path) -> None:
    """LINK begins 200, 120 or 20 hours or one before the end, each time with a volume in every row; then it has volumes, but none in the last thirty days."""
    frame = frame_of(panel)
    link = frame["symbol"] == "LINK"
    for bars in (200, 120, 20, 1):
        found = asked(frame[~link | (frame["timestamp"] > panel.end_s[-bars - 1])], tmp_path)
        assert not [note for note in found.notes if "volume" in note], bars
    closes = frame.assign(open=np.nan, high=np.nan, low=np.nan)[["timestamp", "symbol", "close"]]
    assert not [note for note in asked(closes, tmp_path).notes if "volume" in note], "who answers reads none"
    month = link & (frame["timestamp"] > panel.end_s[-1] - 30 * 86_400)
    [note] = [note for note in asked(put(frame, month, volume=np.nan), tmp_path).notes if "volume" in note]
    assert note.startswith("the prices have no volume of LINK:"), "what was traded before that is not looked back on"


def test_nothing_is_said_of_an_asset_without_an_answer(panel: Panel, tmp_path: Path) -> None:
    """LINK has 60 bars, of which three are missing in the middle: too few for an answer."""
    frame = frame_of(panel)
    few = (frame["symbol"] == "LINK") & (frame["timestamp"] <= panel.end_s[-61])
    gone = (frame["symbol"] == "LINK") & frame["timestamp"].isin(panel.end_s[-33:-30])
    found = asked(frame[~few & ~gone], tmp_path)
    assert found.unanswered == (("LINK", 1),)
    assert {hole.asset for hole in found.holes} == {"AAA", "BTC"}
    assert not [note for note in found.notes if "LINK" in note]


def test_of_an_asset_that_stands_in_the_history_alone_only_that_is_said(panel: Panel, tmp_path: Path) -> None:
    frame = frame_of(panel)
    late = frame["timestamp"] > panel.end_s[-200]
    others = frame["symbol"] != "BTC"
    wrong = (frame["symbol"] == "BTC") & (frame["timestamp"] == panel.end_s[5])
    early = put(frame, wrong, low=float(2 * frame.loc[wrong, "close"].iloc[0]), high=1e9).query("timestamp > 0")
    early = early[~late.to_numpy()].replace({"symbol": {"BTC": "btc"}})
    found = asked(frame[late & others], tmp_path, early)
    straight = asked(frame[late & others], tmp_path, early[early["symbol"] != "btc"])
    pd.testing.assert_frame_equal(found.table, straight.table)
    told = "early.parquet has prices of BTC, which the later prices do not have, so they are not used"
    assert [note for note in found.notes if note not in straight.notes] == [told]
    with pytest.raises(
        aftershock.AftershockError, match=r"early.parquet has prices of BTC and of none of AAA, ETH, LINK"
    ):
        asked(frame[late & others], tmp_path, early[early["symbol"] == "btc"])


def test_a_history_that_begins_after_the_prices_is_refused(panel: Panel, tmp_path: Path) -> None:
    """The panel's first bar ends at 2022-01-01 01:00 UTC, one an hour after it: bar 600 at 2022-01-26 00:00."""
    frame = frame_of(panel)
    late = frame["timestamp"] > panel.end_s[599]
    with pytest.raises(aftershock.AftershockError) as refused:
        asked(frame[~late], tmp_path, frame[late])
    said = str(refused.value)
    assert "early.parquet begins at 2022-01-26 01:00 UTC, after --prices prices.parquet has ended at 2022-01-26 00:00 UTC" in said  # fmt: skip
    assert "takes earlier prices" in said
    asked(frame[~late], tmp_path, frame[frame["timestamp"] >= panel.end_s[599]])  # one bar in common


def test_113_closes_are_answered_and_112_are_refused_for_want_of_one(panel: Panel, tmp_path: Path) -> None:
    """The mean of thirty days asks for 112 returns: 113 closes."""
    frame = frame_of(panel.select(["ETH"]))
    assert len(asked(frame.tail(113), tmp_path).table) == 1
    with pytest.raises(
        aftershock.AftershockError, match=r"has 112 hourly closes until .* looks back on 113; give more"
    ):
        asked(frame.tail(112), tmp_path)


def test_a_leader_of_too_few_prices_is_said_to_be_replaced(panel: Panel, tmp_path: Path) -> None:
    frame = frame_of(panel).replace({"symbol": {"ETH": "Eth"}})
    ether = frame["symbol"] == "Eth"
    last = frame["timestamp"] == panel.end_s[-1]
    found = asked(frame[~ether | last], tmp_path)
    assert found.leaders_missing == ("Eth",) and found.unanswered == (("Eth", 1),)
    told = (
        "too few prices of Eth are known at the instant: what models read of it is the mean of all assets there instead"
    )
    assert told in found.notes
    without = asked(frame[~ether], tmp_path)
    assert without.leaders_missing == ("ETH",) and not asked(frame, tmp_path).leaders_missing
    # at two of eight midnights: its last two days are missing
    gone = ether & (frame["timestamp"] > panel.end_s[-1] - 86_400 * 2)
    frame[~gone].to_parquet(tmp_path / "gone.parquet")
    some = forecast_file(tmp_path / "gone.parquet", "close", first="2022-02-23", last="2022-03-02")
    assert some.leaders_missing == ("Eth",)
    assert [note for note in some.notes if "too few prices of Eth are known at 2 of 8 instants" in note]


def test_a_range_that_is_none_of_the_stated_deviation_is_told() -> None:
    """Quantiles of SciPy's normal law and Student t, of the stated deviation, of others, and shifted."""
    levels, deviation = (0.05, 0.25, 0.5, 0.75, 0.95), np.array([0.01, 0.05])

    def told(standard: np.ndarray, by: float = 1.0, shift: float = 0.0) -> tuple[str, ...]:
        rows = deviation[:, None] * (by * standard + shift)
        table = pd.DataFrame(rows, columns=["q05", "q25", "q50", "q75", "q95"])
        return told_of_ranges(table.assign(variance=deviation**2, model="mine"))

    normal, fat = stats.norm.ppf(levels), stats.t.ppf(levels, 2.5) * np.sqrt(0.2)
    assert told(normal) == told(fat) == told(normal, 1.05) == told(normal, 1.0, -0.1) == ()
    [wide], [narrow], [shifted] = told(normal, 1.74), told(fat, 0.9), told(normal, 1.0, -0.6)
    assert "mine: the ranges" in wide and "1.74 times what a normal law" in wide and "+0.00 dev" in wide
    assert "0.63 times" in narrow and "1.00 times" in shifted and "a median of -0.60 deviations" in shifted


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_what_ships_has_ranges_of_its_deviations(panel: Panel, tmp_path: Path, hours: int) -> None:
    frame_of(panel).to_parquet(tmp_path / "prices.parquet")
    notes = forecast_file(tmp_path / "prices.parquet", "close", horizon_hours=hours).notes
    assert not [note for note in notes if "ranges of returns" in note]
