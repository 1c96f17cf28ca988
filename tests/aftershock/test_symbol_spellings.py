"""Symbols that differ in the case of their letters: one asset in a file, in two files and for `--why`, unless prices contradict each other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aftershock
from aftershock.bad_debt import shocked_in
from aftershock.forecast_shocks import ShockLaw
from aftershock.forecasting.forecasts import forecast_file, why
from aftershock.forecasting.hourly_prices import read_prices
from aftershock.forecasting.value_forecasts import holdings, law_at_last, moved_by
from chain.files import price_files
from models.answering import OfAssets, trained_on
from models.baselines.gamma_glm import FittedGlm
from models.baselines.har import FittedHar, Har
from models.panel import Panel
from models.samples import Samples
from models.task import Task
from simulations.book_of_graph import from_graph
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


def test_every_spelling_of_a_file_gives_the_same_numbers(panel: Panel, bars: Path, tmp_path: Path) -> None:
    """What is asserted is that nothing changes: a name is no number. bTC comes second in a list of letters, and last where capitals come first."""
    straight, whole = forecast_file(bars, "close"), frame_of(panel)
    law = law_at_last(straight, read_prices(bars, "close"))
    drawn = law.draw_calibrated(50, np.random.default_rng(0))
    for spell in (str.capitalize, lambda name: "bTC" if name == "BTC" else name):
        whole.assign(symbol=whole["symbol"].map(spell)).to_parquet(tmp_path / "spelt.parquet")
        found = forecast_file(tmp_path / "spelt.parquet", "close")
        assert found.table["asset"].tolist() == [spell(name) for name in straight.table["asset"]]
        pd.testing.assert_frame_equal(found.table.drop(columns="asset"), straight.table.drop(columns="asset"))
        assert not found.leaders_missing and found.unseen == tuple(map(spell, straight.unseen)) == (spell("AAA"),)
        again = law_at_last(found, read_prices(tmp_path / "spelt.parquet", "close"))
        np.testing.assert_array_equal(again.draw_calibrated(50, np.random.default_rng(0)), drawn)


def test_a_model_knows_its_assets_under_every_spelling() -> None:
    """Effects and intercepts written by hand; whoever is not known has an effect of one, and no HAR."""
    one = np.ones(2)
    fitted = FittedGlm((), (), np.zeros(0), np.zeros(0), 0.0, ("Eth", "Btc"), np.array([2.0, 3.0]))
    np.testing.assert_array_equal(fitted.effects_of(("BTC", "eth", "LINK")), [3.0, 2.0, 1.0])
    har = FittedHar(Har("log-HAR", ("rv_24",)), ("Eth", "Btc"), np.zeros((2, 1)), np.log([0.2, 0.3]), one, 0 * one, one)
    x = np.zeros((1, 3, 1))
    samples = Samples(Task(), np.array([0]), ("BTC", "eth", "LINK"), ("rv_24",), x, np.full((1, 3), np.nan))
    np.testing.assert_allclose(har.predict(samples), [[0.3, 0.2, np.nan]])
    np.testing.assert_allclose(OfAssets(har, ("Eth", "Btc"), 0).predict(samples), [[0.3, 0.2, np.nan]])
    assert trained_on((har,)) == {"eth", "btc"}


def test_what_is_held_moves_with_prices_under_every_spelling(tmp_path: Path) -> None:
    """A market that holds 3 lstETH, 10 ETH and 1 WBTC: USD by hand."""
    rows = ["market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps"]
    held = (("lstETH", 3, 2_200), ("ETH", 10, 2_000), ("WBTC", 1, 30_000))
    rows += [f"mine,p,{name},collateral,{amount},{price},8000,500,5000" for name, amount, price in held]
    (tmp_path / "book.csv").write_text("\n".join([*rows, "mine,p,USDC,debt,100,1,,,5000", ""]))
    graph = aftershock.graph(aftershock.load(tmp_path / "book.csv"))
    node = graph.find("mine")
    for names in (("lstETH", "ETH", "BTC"), ("LSTETH", "Eth", "btc"), ("lsteth", "eth", "Wbtc")):
        law = ShockLaw(names, np.ones(3), np.eye(3), 5.0, "by hand")
        moved, still = moved_by(graph, law, holdings(graph, node)[1])
        assert moved == pytest.approx(dict(zip(names, (6_600.0, 20_000.0, 30_000.0), strict=True))) and not still
        assert shocked_in(from_graph(graph), names).known == names
    # the prices of the token that the book has count, and not those of what it wraps, whichever comes first
    assert shocked_in(from_graph(graph), ("btc", "Wbtc")).again == {"btc": "Wbtc"}


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
