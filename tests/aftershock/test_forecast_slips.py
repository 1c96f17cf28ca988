"""Moves that markets hardly make are told where they are looked back on: what comes back, what stays, and what all assets do where two files meet."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aftershock.forecasting.forecasts import forecast_file
from aftershock.forecasting.hourly_prices import Priced, read_prices
from aftershock.forecasting.notes import LOOK_BACK_S
from aftershock.forecasting.slips import Slip, told_of_slips
from models.panel import Panel
from tests.aftershock.forecast_inputs import frame_of, put

PRICES = ["open", "high", "low", "close"]


def read(frame: pd.DataFrame, folder: Path, history: pd.DataFrame | None = None) -> Priced:
    frame.to_parquet(folder / "late.parquet")
    if history is None:
        return read_prices(folder / "late.parquet", "close")
    history.to_parquet(folder / "early.parquet")
    return read_prices(folder / "late.parquet", "close", history=folder / "early.parquet")


@pytest.mark.parametrize(("factor", "way"), [(10.0, "up"), (0.1, "down"), (15.0, "up"), (3.0, "up")])
def test_a_change_of_unit_that_counts_as_a_move_is_told(panel: Panel, tmp_path: Path, factor: float, way: str) -> None:
    """AAA is in another unit from its eightieth bar before the end on; the note has the ratio of the two closes around it."""
    closes = frame_of(panel)[["timestamp", "symbol", "close"]].reset_index(drop=True)
    late = (closes["symbol"] == "AAA") & (closes["timestamp"] >= panel.end_s[-80])
    closes.loc[late, "close"] *= factor
    closes.to_parquet(tmp_path / "closes.parquet")
    [said] = [note for note in forecast_file(tmp_path / "closes.parquet").notes if "stays" in note]
    around = closes.loc[closes["symbol"] == "AAA"].set_index("timestamp")["close"].loc[panel.end_s[-81:-79]]
    ratio = around.iloc[1] / around.iloc[0]
    at = pd.Timestamp(int(panel.end_s[-80]), unit="s")
    assert f"AAA goes {way} {max(ratio, 1 / ratio):.4g}-fold at {at:%Y-%m-%d %H:%M} UTC" in said
    assert "taken for a move and not for a change of unit" in said and "put them into one unit or cut" in said


def test_what_is_taken_for_a_change_of_unit_is_told_as_that_alone(panel: Panel, tmp_path: Path) -> None:
    """A factor of a hundred in closes, and of ten in bars, whose opens show that nobody traded there."""
    for columns, factor in ((["close"], 100.0), (PRICES, 10.0)):
        frame = frame_of(panel)[["timestamp", "symbol", *columns]].reset_index(drop=True)
        assert read(frame, tmp_path).slips == ()
        frame.loc[(frame["symbol"] == "AAA") & (frame["timestamp"] >= panel.end_s[-80]), columns] *= factor
        priced = read(frame, tmp_path)
        assert priced.slips == () and len([note for note in priced.panel.notes if "change of unit" in note]) == 1


def test_only_what_is_looked_back_on_is_told(panel: Panel, tmp_path: Path) -> None:
    closes = frame_of(panel)[["timestamp", "symbol", "close"]]
    wrong = (closes["symbol"] == "AAA") & (closes["timestamp"] == panel.end_s[-80])
    put(closes, wrong, close=15 * float(closes.loc[wrong, "close"].iloc[0])).to_parquet(tmp_path / "tick.parquet")
    at = f"{pd.Timestamp(int(panel.end_s[-80]), unit='s'):%Y-%m-%dT%H:%MZ}"
    before = f"{pd.Timestamp(int(panel.end_s[-81]), unit='s'):%Y-%m-%dT%H:%MZ}"
    told = [[note for note in forecast_file(tmp_path / "tick.parquet", at=one).notes if "15" in note and "AAA" in note] for one in (before, at)]  # fmt: skip
    assert [len(notes) for notes in told] == [0, 1]
    slips = [Slip(day * 86_400, kind, f"{kind} {day}") for kind in ("stays", "back") for day in (10, 11, 12, 13, 300)]
    last = np.array([13 * 86_400 + LOOK_BACK_S], dtype=np.int64)
    back, stays = told_of_slips(slips, 11 * 86_400, last)
    assert back.startswith("back 12 (and 1 more such place; ") and stays.startswith("stays 12 (and 1 more such place")
    assert told_of_slips(slips, 20 * 86_400, last) == ()


def test_two_files_in_two_currencies_are_told_where_they_meet(panel: Panel, tmp_path: Path) -> None:
    """Bars 600 on stand in one file, those before in the other, in 1.5 times the currency; the first open repeats the close before, so the factor is one and a half alone."""
    frame = frame_of(panel).reset_index(drop=True)
    early = frame["timestamp"] < panel.end_s[600]
    other = frame[early].copy()
    assert read(frame[~early], tmp_path, other).slips == ()
    one = other.copy()
    one.loc[one["symbol"] == "LINK", PRICES] *= 1.5
    assert not [slip for slip in read(frame[~early], tmp_path, one).slips if slip.kind == "seam"]
    crash = other.copy()
    for symbol, factor in (("AAA", 1.5), ("BTC", 1.2), ("ETH", 1.4), ("LINK", 1.8)):
        crash.loc[crash["symbol"] == symbol, PRICES] *= factor
    assert read(frame[~early], tmp_path, crash).slips == (), "far, and each by as much as it will"
    other[PRICES] *= 1.5
    [slip] = read(frame[~early], tmp_path, other).slips
    at = f"{pd.Timestamp(int(panel.end_s[600]), unit='s'):%Y-%m-%d %H:%M}"
    assert slip.end_s == panel.end_s[600] and slip.sentence.startswith(
        f"where early.parquet ends and late.parquet begins, {at} UTC, all 4 assets that both have move alike, by a factor of 0.6667, "
    )
    [said] = forecast_file(tmp_path / "late.parquet", "close", history=tmp_path / "early.parquet").notes[:1]
    assert said.startswith(slip.sentence) and "put them into one, or leave --history out" in said
    alone = read(frame[~early & (frame["symbol"] == "ETH")], tmp_path, other)
    assert "UTC, ETH moves, by a factor of 0.6667" in alone.slips[0].sentence
