"""Symbols that differ in the case of their letters: one asset in a file, in two files and for `--why`, unless prices contradict each other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from aftershock.forecasting.forecasts import forecast_file, why
from aftershock.forecasting.hourly_prices import read_prices
from chain.files import price_files
from models.panel import Panel
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import frame_of


def test_symbols_in_small_letters_are_those_in_capitals(panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole, straight = frame_of(panel), forecast_file(bars, "close")
    small = whole.assign(symbol=whole["symbol"].str.lower())
    late = whole["timestamp"] >= panel.end_s[-300]
    for name, frame, earlier in (("small", small, None), ("mixed", small[late], whole[~late])):
        frame.to_parquet(tmp_path / f"{name}.parquet")
        if earlier is not None:
            earlier.to_parquet(tmp_path / "earlier.parquet")
        found = forecast_file(
            tmp_path / f"{name}.parquet", "close", history=None if earlier is None else tmp_path / "earlier.parquet"
        )
        pd.testing.assert_frame_equal(found.table, straight.table)
        assert len(found.notes) == len(straight.notes) + 1
        assert "are one asset: aaa is read as AAA and 3 more" in " ".join(found.notes)


def test_one_asset_in_two_spellings_of_a_file_is_one_asset(ask: Ask, panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole, straight = frame_of(panel).reset_index(drop=True), forecast_file(bars, "close")
    ether, late = whole["symbol"] == "ETH", whole["timestamp"] >= panel.end_s[-300]
    halves = whole.assign(symbol=whole["symbol"].mask(ether & late, "eth"))
    halves.to_parquet(tmp_path / "halves.parquet")
    found = forecast_file(tmp_path / "halves.parquet", "close")
    pd.testing.assert_frame_equal(found.table, straight.table)
    told = "symbols that differ in small and capital letters only are one asset: eth is read as ETH"
    assert [note for note in found.notes if note not in straight.notes] == [told] and not found.unanswered
    halves.to_csv(tmp_path / "halves.csv", index=False)
    record = json.loads(ask("check", "halves.csv", "--stamp", "close", "--bar", "1h", "--json").out)["files"][0]
    row = int(np.flatnonzero((ether & late).to_numpy())[0]) + 2
    [alike] = [one for one in record["findings"] if one["kind"] == "look_alike"]
    assert (alike["row"], alike["symbol"], alike["rows"], record["series"]) == (row, "eth", 300, 4)
    assert not {"short", "survivors"} & {one["kind"] for one in record["findings"]}
    # a bar that both spellings have, with other prices
    both = pd.concat([halves, halves[ether & ~late].tail(1).assign(symbol="eth", close=0.5, low=0.5)])
    both.to_csv(tmp_path / "both.csv", index=False)
    refused = ask("forecast", "--prices", "both.csv", "--stamp", "close")
    first = int(np.flatnonzero((ether & ~late).to_numpy())[-1]) + 2
    said = " ".join(refused.err.split())
    assert refused.code == 2 and f"both.csv row {len(both) + 1}: ETH has two prices at" in said and f"the other in row {first}" in said  # fmt: skip
    record = json.loads(ask("check", "both.csv", "--stamp", "close", "--bar", "1h", "--json").out)["files"][0]
    assert [one["row"] for one in record["findings"] if one["kind"] == "contradicting"] == [len(both) + 1]
    # spellings of two files
    whole[late].replace({"symbol": {"AAA": "aaA"}}).to_parquet(tmp_path / "late.parquet")
    whole[~late].replace({"symbol": {"AAA": "Aaa"}}).to_parquet(tmp_path / "early.parquet")
    joined = forecast_file(tmp_path / "late.parquet", "close", history=tmp_path / "early.parquet")
    variance = joined.table.set_index("asset")["variance"].rename({"aaA": "AAA"})
    np.testing.assert_allclose(variance[straight.table["asset"]], straight.table["variance"], rtol=1e-12)
    assert any("are one asset: Aaa is read as aaA" in note for note in joined.notes)


def test_why_takes_any_spelling(bars: Path) -> None:
    found = forecast_file(bars, "close")
    asked = [why(read_prices(bars, "close"), found, name) for name in ("ETH", "eth", " Eth")]
    assert asked[0].asset == "ETH" and asked[1:] == asked[:1] * 2


def test_a_replay_finds_prices_under_every_spelling_of_their_file(tmp_path: Path) -> None:
    hours, symbols = [1_640_995_200 + 3_600 * hour for hour in range(4)], ["steth", "stETH", "stETH", "steth"]
    frame = pd.DataFrame({"timestamp": hours, "symbol": symbols, "close": [1.0, 2.0, 3.0, 4.0]})
    pd.concat([frame, frame.assign(symbol="usdc")]).to_csv(tmp_path / "closes.csv", index=False)
    found = price_files.read_prices(tmp_path / "closes.csv")
    assert set(found) == {"stETH", "steth", "usdc", "USDC"}
    assert found["steth"] is found["stETH"] and found["steth"].close.tolist() == [1.0, 2.0, 3.0, 4.0]
