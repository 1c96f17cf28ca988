"""Every kind of problem is planted into a clean file of prices, and found at its row and column; the clean file has none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.files.file_checks import check_files
from tests.chain.checked_files import HOURS, NOW, START, SYMBOLS, checked, clean, only


def test_a_clean_file_has_no_findings(tmp_path: Path) -> None:
    found = checked(tmp_path, clean())
    assert found.findings == () and (found.kind, found.rows, found.series) == ("prices", 4 * HOURS, 4)
    assert found.first_s == START and found.last_s == START + 3_600 * (HOURS - 1)


def _scaled(frame: pd.DataFrame, first: int, last: int, factor: float) -> pd.DataFrame:
    frame.loc[first:last, "close"] *= factor
    return frame


def _dropped(frame: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    return frame.drop(index=range(first, last + 1))


def _set(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def _still(frame: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    frame.loc[first:last, "close"] = frame.loc[first, "close"]
    return frame


def _doubled(frame: pd.DataFrame, row: int, factor: float) -> pd.DataFrame:
    again = frame.loc[[row]].assign(close=frame.loc[row, "close"] * factor)
    return pd.concat([frame.loc[:row], again, frame.loc[row + 1 :]], ignore_index=True)


B = HOURS  # place of the first row of BBB; in the file its row is B + 2
PLANTED: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, str, int, str, int]] = {
    # plant, kind, severity, row in the file, column, how many rows
    "a price of zero": (lambda f: _set(f, B + 7, "close", 0), "not_above_zero", "error", B + 9, "close", 1),
    "a negative price": (lambda f: _set(f, B + 7, "close", -5), "not_above_zero", "error", B + 9, "close", 1),
    "words for a price": (lambda f: _set(f, B + 7, "close", "n/a"), "number", "error", B + 9, "close", 1),
    "no price": (lambda f: _set(f, B + 7, "close", None), "empty", "error", B + 9, "close", 1),
    "no symbol": (lambda f: _set(f, 9, "symbol", None), "empty", "error", 11, "symbol", 1),
    "no instant": (lambda f: _set(f, 9, "timestamp", "noon"), "stamp", "error", 11, "timestamp", 1),
    "another century": (lambda f: _set(f, 9, "timestamp", "1821-05-19T13:00:00Z"), "stamp", "error", 11, "timestamp", 1),
    "tomorrow": (lambda f: _set(f, HOURS - 1, "timestamp", "2024-01-02T00:00:00Z"), "future", "error", HOURS + 1, "timestamp", 1),
    "another zone": (lambda f: _set(f, 9, "timestamp", "2022-01-01T11:00:00+02:00"), "zone", "warning", 11, "timestamp", 1),
    "no zone in one row": (lambda f: _set(f, 9, "timestamp", "2022-01-01 09:00:00"), "zone", "error", 11, "timestamp", 1),
    "a date": (lambda f: _set(f, 0, "timestamp", "2022-01-01"), "stamp_unsaid", "error", 2, "timestamp", 1),
    "a day and a month": (lambda f: _set(f, 0, "timestamp", "01/02/2022"), "date_order", "error", 2, "timestamp", 1),
    "twice the same": (lambda f: _doubled(f, B + 7, 1.0), "repeated", "warning", B + 10, "timestamp", 1),
    "two prices": (lambda f: _doubled(f, B + 7, 1.001), "contradicting", "error", B + 10, "close", 1),
    "two prices far apart, the first of which counts": (lambda f: _doubled(f, B + 7, 3.0), "contradicting", "error", B + 10, "close", 1),
    "a hole": (lambda f: _dropped(f, B + 7, B + 16), "gap", "warning", B + 9, "timestamp", 10),
    "a tenth": (lambda f: _scaled(f, B + 200, B + HOURS - 1, 0.1), "redenomination", "error", B + 202, "close", 1),
    "a hundredfold": (lambda f: _scaled(f, B + 200, B + HOURS - 1, 100), "redenomination", "error", B + 202, "close", 1),
    "another coin": (lambda f: _scaled(f, B + 200, B + HOURS - 1, 37), "splice", "error", B + 202, "close", 1),
    "another coin after a hole": (
        lambda f: _dropped(_scaled(f, B + 200, B + HOURS - 1, 7), B + 190, B + 199), "splice", "error", B + 192, "close", 1,
    ),
    "other units": (lambda f: _scaled(f, B + 200, B + 299, 1e6), "unit_slip", "error", B + 202, "close", 100),
    "other units for a row": (lambda f: _scaled(f, B + 200, B + 200, 1e-18), "unit_slip", "error", B + 202, "close", 1),
    "a glitch": (lambda f: _scaled(f, B + 200, B + 202, 3), "spike", "warning", B + 202, "close", 3),
    "a fall": (lambda f: _scaled(f, B + 200, B + HOURS - 1, 0.5), "jump", "warning", B + 202, "close", 1),
    "standing still": (lambda f: _still(f, B + 200, B + 230), "frozen", "warning", B + 202, "close", 31),
    "another ticker": (lambda f: f.replace({"symbol": {"DDD": "CCC1"}}), "look_alike", "warning", 3 * HOURS + 2, "symbol", 1),
    "a series of days": (lambda f: pd.concat([f.iloc[: 3 * HOURS], f.iloc[3 * HOURS :: 24]]), "mixed_bars", "warning", 3 * HOURS + 2, "timestamp", 1),
    "a series of hours, then of four hours": (lambda f: f.drop(index=[B + 300 + n for n in range(100) if n % 4]), "mixed_bars", "warning", B + 304, "timestamp", 23),
    "a short series": (lambda f: f.iloc[: 3 * HOURS + 50], "short", "warning", 3 * HOURS + 2, "symbol", 50),
    "wei": (lambda f: _scaled(f, 0, HOURS - 1, 1e18), "raw_units", "warning", 2, "close", 1),
}  # fmt: skip

LOST = {"gap"}
"""A row that cannot be used is missing in its series."""
BESIDE = {
    **dict.fromkeys(
        (
            "a price of zero",
            "a negative price",
            "words for a price",
            "no price",
            "no symbol",
            "no instant",
            "another century",
        ),
        LOST,
    ),
    "tomorrow": {"gap"},
    "a day and a month": {"contradicting"},
    "a date": {"zone"},
    "another zone": {"repeated", "contradicting", "gap"},
    "another coin after a hole": {"gap"},
    "a series of days": {"gap"},
    "a series of hours, then of four hours": {"gap"},
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_at_its_row(tmp_path: Path, name: str) -> None:
    plant, kind, severity, row, column, rows = PLANTED[name]
    planted = plant(clean())
    found = checked(tmp_path, planted)
    one = only(found, kind)
    assert {each.kind for each in found.findings} <= {kind} | BESIDE.get(name, set())
    assert (one.severity, one.row, one.column, one.rows) == (severity, row, column, rows), one
    assert one.file == "file.csv" and one.sentence and one.symbol == (planted["symbol"].iloc[row - 2] or "")


def test_gaps_are_told_in_numbers_that_agree(tmp_path: Path) -> None:
    """Of 400 hourly rows 3, 1 and 10 are taken out; what is said of them adds up to 14."""
    holes = _dropped(_dropped(_dropped(clean(), B + 7, B + 9), B + 20, B + 20), B + 100, B + 109)
    found = only(checked(tmp_path, holes), "gap")
    start = pd.Timestamp(START, unit="s")
    last, following = (f"{start + pd.Timedelta(hours=hour):%Y-%m-%d %H:%M}" for hour in (99, 110))
    assert (found.rows, found.value) == (14, "")
    assert found.sentence == f"14 rows are missing in 3 gaps, 10 of them in the longest, between {last} and {following}"
    one = only(checked(tmp_path, _dropped(clean(), B + 7, B + 7)), "gap")
    assert one.sentence == "1 row is missing, between 2022-01-01 06:00 and 2022-01-01 08:00"


def test_a_crash_of_all_series_is_no_fault_of_the_file(tmp_path: Path) -> None:
    frame = clean()
    for number in range(4):
        _scaled(frame, number * HOURS + 200, (number + 1) * HOURS - 1, 0.6)
    assert not checked(tmp_path, frame).findings


def test_stamps_in_milliseconds_are_named_and_read(tmp_path: Path) -> None:
    frame = clean()
    seconds = (pd.to_datetime(clean()["timestamp"], utc=True) - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    found = checked(tmp_path, frame.assign(timestamp=(1_000 * seconds).astype("int64")))
    assert only(found, "stamp_unit").severity == "error" and found.first_s == START and len(found.findings) == 1


def test_local_time_is_known_by_its_clocks(tmp_path: Path) -> None:
    start = pd.Timestamp("2022-01-01", tz="Europe/Berlin")
    frame = clean(hours=24 * 330, start=start.timestamp())
    local = pd.to_datetime(frame["timestamp"], utc=True).dt.tz_convert("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M:%S")
    found = checked(tmp_path, frame.assign(timestamp=local))
    assert only(found, "daylight").value == "2022-10-30 02:00 UTC"
    bare = frame["timestamp"].str.replace("T", " ").str.removesuffix("Z")
    kinds = {one.kind for one in checked(tmp_path, frame.assign(timestamp=bare)).findings}
    assert kinds == {"zone_unsaid"}


def test_bars_must_say_their_stamp_and_hold_together(tmp_path: Path) -> None:
    frame = clean().assign(volume=1.0)
    frame = frame.assign(open=frame["close"], high=frame["close"] * 1.01, low=frame["close"] * 0.99)
    assert only(checked(tmp_path, frame), "stamp_unsaid").severity == "error"
    assert not checked(tmp_path, frame, stamp="open", bar_s=3_600.0).findings
    assert only(checked(tmp_path, frame, stamp="open", bar_s=300.0), "bar_length").value == "1 h"
    broken = _set(_set(frame.copy(), 30, "high", frame["close"][30] * 0.995), 40, "volume", 0.0)
    broken = _set(broken, 50, "volume", 1e15)
    found = checked(tmp_path, broken, stamp="open", bar_s=3_600.0)
    assert {(one.kind, one.row, one.column) for one in found.findings} == {
        ("ohlc", 32, "high"),
        ("zero_volume", 42, "volume"),
        ("range", 52, "volume"),
    }


def test_rows_off_the_grid_are_no_bars(tmp_path: Path) -> None:
    frame = clean()
    seconds = (pd.to_datetime(frame["timestamp"], utc=True) - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()
    shaken = seconds + np.random.default_rng(1).uniform(0, 600, len(seconds))
    assert only(checked(tmp_path, frame.assign(timestamp=shaken)), "irregular").column == "timestamp"


def test_series_that_only_begin_may_hide_those_that_ended(tmp_path: Path) -> None:
    frame = pd.concat([clean().assign(symbol=lambda f, n=number: f["symbol"] + "xyz"[n]) for number in range(3)])
    late = frame.groupby("symbol").cumcount() >= 100
    begun = frame[late | frame["symbol"].isin(["AAAx", "BBBx", "CCCx"])]
    assert only(checked(tmp_path, begun), "survivors").rows == 12
    ended = begun[(begun["symbol"] != "AAAx") | (begun.groupby("symbol").cumcount() < 300)]
    assert not [one for one in checked(tmp_path, ended).findings if one.kind == "survivors"]


def test_files_that_are_a_bar_apart_are_found_out(tmp_path: Path) -> None:
    closes, bars = tmp_path / "closes.csv", tmp_path / "bars.csv"
    frame = clean()
    frame.to_csv(closes, index=False)
    opened = pd.to_datetime(frame["timestamp"]) - pd.Timedelta(hours=1)
    opened = frame.assign(
        timestamp=opened.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), open=frame["close"], high=frame["close"], low=frame["close"]
    )
    opened.to_csv(bars, index=False)
    right = check_files([closes, bars], NOW, stamp="open", bar_s=3_600.0)
    wrong = check_files([closes, bars], NOW, stamp="close", bar_s=3_600.0)
    assert {one.kind for one in right[1].findings} == {"copied"} and only(right[1], "copied").rows == 4 * HOURS
    assert only(wrong[1], "shifted").value == "1 h"
    assert "1 h earlier" in only(wrong[1], "shifted").sentence
    opened.assign(close=opened["close"] * 1.05).to_csv(bars, index=False)
    other = check_files([closes, bars], NOW, stamp="open", bar_s=3_600.0)[1]
    assert [one.symbol for one in other.findings if one.kind == "disagrees"] == list(SYMBOLS)
