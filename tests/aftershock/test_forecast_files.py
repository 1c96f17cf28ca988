"""Price files with something odd in them: what `aftershock forecast` refuses, and what it answers and says."""

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aftershock
from aftershock.forecasting.forecasts import SHIPPED, Forecasts, forecast, forecast_file, models_for, write
from aftershock.forecasting.hourly_prices import read_prices
from aftershock.forecasting.notes import holes, leaders_missing
from models.answering import trained_on
from models.panel import Panel
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import frame_of, put

TRAINED = "prices that training may have seen"


def test_a_volume_that_is_only_large_changes_its_own_windows_alone(panel: Panel, bars: Path, tmp_path: Path) -> None:
    """A billion times the middle volume, 45 days before the last instant: beyond thirty days sums must have all their digits back."""
    frame = frame_of(panel)
    large = (frame["symbol"] == "LINK") & (frame["timestamp"] == panel.end_s[-45 * 24])
    put(frame, large, volume=1e9 * float(frame["volume"].median())).to_parquet(tmp_path / "large.parquet")
    found, usual = (forecast_file(path, "close").table["variance"] for path in (tmp_path / "large.parquet", bars))
    np.testing.assert_allclose(found, usual, rtol=1e-6)


def test_a_suffix_in_capitals_is_the_same_suffix(bars: Path, tmp_path: Path) -> None:
    shutil.copy(bars, tmp_path / "BARS.PARQUET")
    pd.testing.assert_frame_equal(
        forecast_file(tmp_path / "BARS.PARQUET", "close").table, forecast_file(bars, "close").table
    )


def test_what_is_odd_but_usable_is_answered_and_told(panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole = frame_of(panel)
    straight = forecast_file(bars, "close").table

    def answered(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        frame.to_parquet(tmp_path / "odd.parquet")
        found = forecast_file(tmp_path / "odd.parquet", "close")
        assert TRAINED in found.notes[-1] and "AAA was not in training" in found.notes[-2]
        return found.table, tuple(note for note in found.notes[:-2] if not note.startswith("bars are missing"))

    late = (whole["symbol"] == "AAA") & (whole["timestamp"] > panel.end_s[700])
    thousand = {name: whole.loc[late, name] * 1_000 for name in ("open", "high", "low", "close")}
    table, notes = answered(whole.assign(**{name: whole[name].where(~late, thousand[name]) for name in thousand}))
    assert "jumps by a factor of 1000" in notes[0] and len(notes) == 1
    np.testing.assert_allclose(table["variance"], straight["variance"], rtol=0.01)
    berlin = pd.to_datetime(whole["timestamp"], unit="s", utc=True).dt.tz_convert("Europe/Berlin")
    pd.testing.assert_frame_equal(answered(whole.assign(timestamp=berlin))[0], straight)
    table, notes = answered(pd.concat([whole, whole.head(9)]))
    pd.testing.assert_frame_equal(table, straight)
    assert len(notes) == 1 and "odd.parquet: 9 rows repeat the symbol, instant and values" in notes[0]
    assert f"the first is row {len(whole) + 1}, {whole['symbol'].iloc[0]} at" in notes[0]
    table, notes = answered(whole.assign(high=whole["low"]))
    assert (
        len(notes) == 4 and "odd.parquet: the high or the low of" in notes[0] and "bars of AAA did not hold" in notes[0]
    )
    assert "the first ends at 2022-01-01 01:00 UTC" in notes[0] and "aftershock check" in notes[0]
    hole = whole[(whole["timestamp"] < panel.end_s[-60]) | (whole["timestamp"] > panel.end_s[-3])]
    assert set(answered(hole)[0]["model"]) == {"rolling mean 30 d"}


def test_only_what_is_answered_is_said_to_look_back(panel: Panel, tmp_path: Path) -> None:
    """GONE stands still and has too few closes for any answer; OLD has answers, but no more at the last instant."""
    frame = frame_of(panel)
    ether = frame[frame["symbol"] == "ETH"]
    gone = ether[ether["timestamp"] <= panel.end_s[49]].assign(symbol="GONE", open=1.0, high=1.0, low=1.0, close=1.0)
    old = ether[ether["timestamp"] <= panel.end_s[24 * 14]].assign(symbol="OLD")
    pd.concat([frame, gone, old]).to_parquet(tmp_path / "gone.parquet")
    found = forecast_file(tmp_path / "gone.parquet", "close", first="2022-01-10")
    silent = dict(found.unanswered)
    assert set(silent) == {"GONE", "OLD"} and (found.table["asset"] == "OLD").any() and silent["OLD"] > 10
    assert not [note for note in found.notes if note.startswith(("GONE has", "GONE hardly", "OLD has"))]


def test_two_files_that_contradict_each_other_are_refused_and_single_bars_are_told(
    panel: Panel, tmp_path: Path
) -> None:
    whole, late, early = frame_of(panel).reset_index(drop=True), tmp_path / "late.parquet", tmp_path / "early.parquet"
    start, end = (int(panel.end_s[at]) for at in (-300, -201))
    whole[whole["timestamp"] >= start].to_parquet(late)
    prices = ["open", "high", "low", "close"]
    ether = whole["symbol"] == "ETH"

    def joined(changed: pd.Series, by: float) -> Forecasts:
        frame = whole[whole["timestamp"] <= end].copy()
        frame.loc[changed[frame.index], prices] *= by
        frame.to_parquet(early)
        return forecast_file(late, "close", history=early)

    straight = joined(ether & False, 1.0)
    assert not [note for note in straight.notes if "both files" in note]
    close = float(whole.loc[ether & (whole["timestamp"] == start), "close"].iloc[0])
    with pytest.raises(aftershock.AftershockError) as refused:
        joined(ether, 1.5)
    first = f"the first ends at {pd.Timestamp(start, unit='s'):%Y-%m-%d %H:%M} UTC"
    values = f"where late.parquet says {close:.6g} and early.parquet {1.5 * close:.6g}"
    assert f"in 100 of 100 bars of ETH that both files have their closes differ by more than 2 %; {first}, {values}; give a --history" in str(refused.value)  # fmt: skip
    # another exchange is no contradiction
    assert not [note for note in joined(ether, 1.01).notes if "both files" in note]
    # a few bars of a crash: what the first file says counts, and it is told
    crash = joined(ether & whole["timestamp"].between(start + 7_200, start + 10_800), 1.5)
    pd.testing.assert_frame_equal(crash.table, straight.table)
    assert [note for note in crash.notes if "in 2 of 100 bars of ETH" in note and "what late.parquet says counts" in note]  # fmt: skip


def test_a_change_of_unit_in_both_files_contradicts_nothing(panel: Panel, tmp_path: Path) -> None:
    whole = frame_of(panel)
    later = (whole["symbol"] == "AAA") & (whole["timestamp"] > panel.end_s[-400])
    for name in ("open", "high", "low", "close"):
        whole[name] *= np.where(later, 1_000.0, 1.0)
    whole.to_parquet(tmp_path / "whole.parquet")
    straight = forecast_file(tmp_path / "whole.parquet", "close").table
    whole[whole["timestamp"] >= panel.end_s[-300]].to_parquet(tmp_path / "late.parquet")
    whole[whole["timestamp"] <= panel.end_s[-200]].to_parquet(tmp_path / "early.parquet")
    found = forecast_file(tmp_path / "late.parquet", "close", history=tmp_path / "early.parquet")
    assert len([note for note in found.notes if "jumps by a factor of 1000" in note]) == 1
    order = ["as_of", "asset"]
    pd.testing.assert_frame_equal(
        found.table.sort_values(order, ignore_index=True), straight.sort_values(order, ignore_index=True), rtol=1e-9
    )


def test_an_asset_with_a_single_close_is_left_out(panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole = frame_of(panel)
    once = whole.tail(1).assign(symbol="NEW")
    pd.concat([whole, once]).to_parquet(tmp_path / "once.parquet")
    found = forecast_file(tmp_path / "once.parquet", "close")
    pd.testing.assert_frame_equal(found.table, forecast_file(bars, "close").table)
    assert found.unanswered == (("NEW", 1),)


def test_a_close_that_moves_far_and_comes_back_is_told(panel: Panel, tmp_path: Path) -> None:
    closes = frame_of(panel)[["timestamp", "symbol", "close"]]
    wrong = (closes["symbol"] == "AAA") & (closes["timestamp"] == panel.end_s[-80])
    put(closes, wrong, close=15 * float(closes.loc[wrong, "close"].iloc[0])).to_parquet(tmp_path / "tick.parquet")
    [said] = [note for note in forecast_file(tmp_path / "tick.parquet").notes if "is back 1 h later" in note]
    assert said.startswith("tick.parquet: AAA moves") and "take the bar out" in said


def test_prices_without_volume_are_told(panel: Panel, bars: Path, tmp_path: Path) -> None:
    frame = frame_of(panel)
    frame.drop(columns="volume").to_parquet(tmp_path / "none.parquet")
    put(frame, frame["symbol"] == "AAA", volume=np.nan).to_parquet(tmp_path / "some.parquet")
    told = [
        [note for note in forecast_file(path, "close").notes if "volume" in note]
        for path in (bars, tmp_path / "none.parquet", tmp_path / "some.parquet")
    ]
    assert [len(notes) for notes in told] == [0, 1, 1]
    assert told[1][0].startswith("the prices have no volume:") and "no volume of AAA:" in told[2][0]


def test_prices_of_the_future_are_told(panel: Panel, bars: Path) -> None:
    last = int(panel.end_s[-1])
    assert read_prices(bars, "close", now_s=last).panel.notes == ()
    (note,) = read_prices(bars, "close", now_s=last - 2 * 3_600).panel.notes
    assert (
        "2 hours of them lie in the future" in note
        and f"until {pd.Timestamp(last, unit='s'):%Y-%m-%d %H:%M} UTC" in note
    )


def test_closes_stamped_at_the_open_are_known_an_hour_later(panel: Panel, tmp_path: Path) -> None:
    closes = frame_of(panel)[["timestamp", "symbol", "close"]]
    closes.to_parquet(tmp_path / "known.parquet")
    closes.assign(timestamp=closes["timestamp"] - 3_600).to_parquet(tmp_path / "opened.parquet")
    known = forecast_file(tmp_path / "known.parquet").table
    pd.testing.assert_frame_equal(forecast_file(tmp_path / "opened.parquet", "open").table, known)
    assert not forecast_file(tmp_path / "opened.parquet", "close").table["variance"].equals(known["variance"])


def test_what_training_has_seen_and_what_is_long_after_it_is_told(panel: Panel, tmp_path: Path) -> None:
    frame, last = frame_of(panel), int(panel.end_s[-1])
    for name, end, told in (("seen", "2022-06-01", True), ("fresh", "2023-06-01", False)):
        moved = frame["timestamp"] - last + int(pd.Timestamp(end).timestamp())
        frame.assign(timestamp=moved).to_parquet(tmp_path / f"{name}.parquet")
        assert any(TRAINED in note for note in forecast_file(tmp_path / f"{name}.parquet", "close").notes) == told
    over = frame["timestamp"] - last + int(pd.Timestamp("2023-01-11").timestamp())
    frame.assign(timestamp=over).to_parquet(tmp_path / "over.parquet")
    note = forecast_file(tmp_path / "over.parquet", "close", first="2022-12-30", last="2023-01-10").notes[-1]
    assert note.startswith("2 of 12 instants lie before 2023-01-01")
    old = frame["timestamp"] - last + int(pd.Timestamp("2027-06-01").timestamp())
    frame.assign(timestamp=old).to_parquet(tmp_path / "old.parquet")
    note = forecast_file(tmp_path / "old.parquet", "close").notes[-1]
    assert "more than a year before" in note and "train volatility" in note


def test_the_shipped_models_do_not_read_what_no_panel_had(panel: Panel, bars: Path, tmp_path: Path) -> None:
    more = frame_of(panel).assign(spread_bps=3.0, funding_rate=1e-4, sentiment=np.nan)
    more.to_parquet(tmp_path / "more.parquet")
    found = forecast_file(tmp_path / "more.parquet", "close").table
    pd.testing.assert_frame_equal(found, forecast_file(bars, "close").table)
    read = read_prices(tmp_path / "more.parquet", "close").panel
    assert set(read.extras) == {"spread_bps", "funding_rate", "sentiment"}


def test_a_series_that_ended_and_one_that_hardly_moves_are_told(panel: Panel, tmp_path: Path) -> None:
    frame = frame_of(panel)
    ended = (frame["symbol"] == "LINK") & (frame["timestamp"] > panel.end_s[-1] - 10 * 86_400)
    still = frame["symbol"] == "ETH"
    for name in ("open", "high", "low", "close"):
        frame[name] = np.where(still, 1 + 1e-5 * (frame["timestamp"] // 3_600 % 2), frame[name])
    frame[~ended].to_parquet(tmp_path / "odd.parquet")
    notes = forecast(read_prices(tmp_path / "odd.parquet", "close")).notes
    assert any(note.startswith("LINK has no price after") for note in notes)
    assert any(note.startswith("ETH hardly moves") for note in notes)
    assert not [note for note in notes if note.startswith(("BTC has", "AAA has", "BTC hardly", "AAA hardly"))]


def test_a_model_that_lies_where_another_horizon_belongs_is_refused(bars: Path, tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "volatility_24h", tmp_path / "volatility_168h")
    with pytest.raises(aftershock.AftershockError, match=r"volatility_168h was trained for 24 hours; put it where"):
        forecast_file(bars, "close", horizon_hours=168, models=tmp_path)
    with pytest.raises(aftershock.AftershockError, match="--horizon is 24; there are models for 168 hours in"):
        forecast_file(bars, "close", models=tmp_path)


def test_from_an_instant_to_itself_is_that_instant_and_steps_are_counted_from_it(panel: Panel, bars: Path) -> None:
    def instants(every: str = "24h", first: str | None = None, last: str | None = None) -> list[str]:
        found = forecast_file(bars, "close", every=every, first=first, last=last).table["as_of"].drop_duplicates()
        return [f"{one:%m-%d %H}" for one in found]

    alone = forecast_file(bars, "close", first="2022-02-20T07:00", last="2022-02-20T07:00").table
    pd.testing.assert_frame_equal(alone, forecast_file(bars, "close", at="2022-02-20T07:00").table)
    assert set(alone["as_of"]) == {pd.Timestamp("2022-02-20T07:00Z")} and len(alone) == len(panel.assets)
    assert instants(first="2022-02-20", last="2022-02-22T23:00") == ["02-20 00", "02-21 00", "02-22 00"]
    assert instants(first="2022-02-20T07:00", last="2022-02-21T07:00") == ["02-20 07", "02-21 07"]
    assert instants(first="2022-02-20", last="2022-02-20T23:00", every="5h") == [
        f"02-20 {hour}" for hour in ("00", "05", "10", "15", "20")
    ]
    # without a first instant there is one: the last that lies whole steps after a midnight
    for every, last in (("24h", "02-20 00"), ("1h", "02-20 17"), ("5h", "02-20 15"), ("7d", "02-20 00")):
        assert instants(last="2022-02-20T17:30", every=every) == [last]
    with pytest.raises(aftershock.AftershockError, match="--from is 2022-02-20T07:30; give a whole hour"):
        instants(first="2022-02-20T07:30")
    with pytest.raises(aftershock.AftershockError, match="--every is 90m; forecasts stand at whole hours"):
        instants(every="90m")


def test_what_lies_outside_the_prices_is_told(bars: Path) -> None:
    early, late = forecast_file(bars, "close", first="2021-12-30", last="2022-03-30", every="7d").notes[:2]
    assert early == "--from is 2021-12-30, and the prices begin at 2022-01-01 01:00 UTC: nothing is forecast before"
    assert late == "--to is 2022-03-30, and the prices end at 2022-03-02 00:00 UTC: nothing is forecast after"


def test_missing_bars_are_counted_by_asset_on_both_channels(ask: Ask, panel: Panel, tmp_path: Path) -> None:
    """The drawn panel lacks bar 701 of BTC and bars 501 to 530 of AAA; 3, 5 and 2 of LINK are taken out, the last two at the end."""
    frame = frame_of(panel)
    gone = np.concatenate([panel.end_s[20:23], panel.end_s[900:905], panel.end_s[-2:]])
    frame[~((frame["symbol"] == "LINK") & frame["timestamp"].isin(gone))].to_parquet(tmp_path / "holes.parquet")
    asked = ("forecast", "--prices", "holes.parquet", "--stamp", "close")
    said, record = ask(*asked), json.loads(ask(*asked, "--json").out)
    assert [(one["asset"], one["bars"], one["gaps"], one["longest_bars"]) for one in record["missing_bars"]] == [
        ("AAA", 30, 1, 30),
        ("LINK", 10, 3, 5),
        ("BTC", 1, 1, 1),
    ]
    first, last = (f"{pd.Timestamp(panel.end_s[row], unit='s'):%Y-%m-%dT%H:%M:%SZ}" for row in (900, 904))
    assert (record["missing_bars"][1]["longest_from"], record["missing_bars"][1]["longest_to"]) == (first, last)
    sentence = f"LINK 10 bars in 3 gaps, the longest 5 from {first[:10]} {first[11:16]} UTC; BTC 1 bar from 2022-01-30 05:00 UTC"
    assert sentence in " ".join(said.out.split()) and any(sentence in note for note in record["notes"])
    assert "bars missing: 30 of AAA, and of 2 other assets" in said.err
    assert json.loads(ask("forecast", "--json").out)["missing_bars"] == []


def test_only_holes_that_can_be_looked_back_on_count(panel: Panel) -> None:
    hours = 24 * 200
    close = np.ones((hours, 1))
    end_s = panel.end_s[0] + 3_600 * np.arange(hours, dtype=np.int64)
    for row in (24 * 100, 24 * 150, hours - 30):
        close[row : row + 4] = np.nan
    whole = Panel(("A",), end_s, close, close, close, close, close, bar_s=3_600)
    last, early = end_s[[-1]], end_s[[24 * 180, -1]]
    assert [(one.bars, one.gaps) for one in holes(whole, last)] == [(8, 2)]
    assert [(one.bars, one.gaps) for one in holes(whole, early)] == [(12, 3)]
    assert [(one.bars, one.gaps) for one in holes(whole, end_s[[24 * 150 - 1]])] == [(4, 1)]
    close[-25:] = np.nan  # it ended more than a day ago, which is told in another sentence
    assert [(one.bars, one.gaps) for one in holes(whole, last)] == [(8, 2)]


def test_assets_that_no_model_saw_and_leaders_that_are_not_there_are_named(
    ask: Ask, panel: Panel, tmp_path: Path
) -> None:
    frame_of(panel).to_parquet(tmp_path / "all.parquet")
    frame_of(panel.select(["LINK", "AAA"])).to_parquet(tmp_path / "few.parquet")
    for name, leaders in (("all", []), ("few", ["BTC", "ETH"])):
        record = json.loads(ask("forecast", "--prices", f"{name}.parquet", "--stamp", "close", "--json").out)
        assert record["not_in_training"] == ["AAA"] and record["replaced_by_the_market"] == leaders
    said = " ".join(ask("forecast", "--prices", "few.parquet", "--stamp", "close").out.split())
    assert (
        "AAA was not in training: answered from its own moves" in said and "no BTC and no ETH among the prices" in said
    )
    fitted, card = models_for(SHIPPED, 24)
    # its card says on how many assets it was trained; the trees know it from the regression under them, the average was not trained
    assert f"trained on {len(trained_on(fitted.models[:1]))} of them" in card.notes[0]
    assert not trained_on(fitted.models[2:])
    assert leaders_missing(["AAA"], ["rv_24", "market_rv_24"]) == ()


def test_crossed_bars_are_refused_or_listed_by_every_verb_that_reads_them(
    ask: Ask, panel: Panel, tmp_path: Path
) -> None:
    frame = frame_of(panel)
    late = frame["timestamp"] == panel.end_s[-1]
    put(frame, late & (frame["symbol"] == "ETH"), high=0.5, low=0.6).to_csv(tmp_path / "bad.csv", index=False)
    row = int(np.flatnonzero((late & (frame["symbol"] == "ETH")).to_numpy())[0]) + 2
    for verb in (("forecast",), ("train", "volatility", "--out", "mine")):
        refused = ask(*verb, "--prices", "bad.csv", "--stamp", "close")
        told = " ".join(refused.err.split())
        assert refused.code == 2 and f"bad.csv row {row}: high is 0.5 and low 0.6 of ETH; put the larger" in told, told
        assert "aftershock check" in told and not (tmp_path / "mine").exists()
    checked = json.loads(ask("check", "bad.csv", "--stamp", "close", "--bar", "1h", "--json").out)
    found = [one for one in checked["files"][0]["findings"] if one["kind"] == "ohlc"]
    assert {(one["row"], one["symbol"]) for one in found} == {(row, "ETH")} and checked["errors"] >= len(found) > 0
    # numbers that were rounded differently are no crossed bar, and not told
    close = frame["close"]
    flat = frame.assign(open=close, high=close * (1 - 1e-12), low=close * (1 + 1e-12))
    flat.to_parquet(tmp_path / "flat.parquet")
    assert not [note for note in forecast_file(tmp_path / "flat.parquet", "close").notes if "did not hold" in note]


def test_nothing_is_left_where_forecasts_cannot_be_written(ask: Ask, bars: Path, tmp_path: Path) -> None:
    (tmp_path / "here.csv").mkdir()
    asked = ("forecast", "--prices", str(bars), "--stamp", "close", "--out")
    for out in ("here.csv", "nowhere/f.csv", f"{'x' * 252}.csv", "/proc/f.csv"):
        refused = ask(*asked, out)
        assert refused.code == 2 and refused.err.startswith("aftershock: --out") and not refused.out, refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["here.csv"]
    found = forecast_file(bars, "close", first="2022-02-01", last="2022-03-01")
    for name in ("f.csv", "f.parquet"):
        (tmp_path / name).write_text("as it was")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            with pytest.raises(aftershock.AftershockError, match=rf"--out .*{name} cannot be written \(.*too large"):
                write(found, tmp_path / name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (tmp_path / name).read_text() == "as it was"
    assert {path.name for path in tmp_path.iterdir()} == {"here.csv", "f.csv", "f.parquet"}
