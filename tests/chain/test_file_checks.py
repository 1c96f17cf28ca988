"""Every kind of problem is planted into a clean file, and found at its row and column; the clean file has none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError
from chain.files.depth_file import read_quotes
from chain.files.event_files import read_depth
from chain.files.file_checks import CONTRACTS, CheckedFile, check_files
from chain.files.file_findings import KINDS, FileFinding
from chain.files.forecast_file import read_forecasts
from chain.files.frames import open_frame
from simulations.venues.depth import of_quotes

NOW = pd.Timestamp("2024-01-01", tz="UTC").timestamp()
START = pd.Timestamp("2022-01-01", tz="UTC").timestamp()
HOURS = 400
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")


def clean(hours: int = HOURS, start: float = START) -> pd.DataFrame:
    """Hourly closes of four series that walk on their own, stamped in UTC."""
    rng = np.random.default_rng(3)
    parts = []
    for number, symbol in enumerate(SYMBOLS):
        close = 100.0 * 3**number * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
        stamps = pd.to_datetime(start + 3_600 * np.arange(hours), unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")
        parts.append(pd.DataFrame({"timestamp": stamps, "symbol": symbol, "close": close}))
    return pd.concat(parts, ignore_index=True)


def checked(folder: Path, frame: pd.DataFrame, **said: object) -> CheckedFile:
    path = folder / "file.csv"
    frame.to_csv(path, index=False)
    [found] = check_files([path], NOW, **said)  # type: ignore[arg-type]
    return found


def only(found: CheckedFile, kind: str) -> FileFinding:
    mine = [one for one in found.findings if one.kind == kind]
    assert len(mine) == 1, [one.kind for one in found.findings]
    return mine[0]


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
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_at_its_row(tmp_path: Path, name: str) -> None:
    plant, kind, severity, row, column, rows = PLANTED[name]
    found = checked(tmp_path, plant(clean()))
    one = only(found, kind)
    assert {each.kind for each in found.findings} <= {kind} | BESIDE.get(name, set())
    assert (one.severity, one.row, one.column, one.rows) == (severity, row, column, rows), one
    assert one.file == "file.csv" and one.sentence


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
    found = checked(tmp_path, broken, stamp="open", bar_s=3_600.0)
    assert {(one.kind, one.row, one.column) for one in found.findings} == {
        ("ohlc", 32, "high"),
        ("zero_volume", 42, "volume"),
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


LOG = "timestamp,pool,user,collateral_symbol,collateral_amount,debt_symbol,debt_amount,transaction\n"


def log(folder: Path, rows: list[str]) -> CheckedFile:
    (folder / "log.csv").write_text(LOG + "\n".join(rows) + "\n", encoding="utf-8")
    return check_files([folder / "log.csv"], NOW)[0]


def test_a_log_of_liquidations_in_two_units_is_found_out(tmp_path: Path) -> None:
    rows = [f"{START + 100 * n:.0f},p,u{n},WETH,{1.25 + n},USDC,{2000.5 + n},t{n}" for n in range(20)]
    assert not log(tmp_path, rows).findings
    raw = [f"{START + 5000 + n:.0f},p,u{n},WETH,{(125 + n) * 10**16},USDC,{2000500000 + n},r{n}" for n in range(10)]
    found = log(tmp_path, rows + raw)
    assert {(one.kind, one.row, one.column, one.symbol, one.rows) for one in found.findings} == {
        ("mixed_units", 22, "collateral_amount", "WETH", 10),
        ("mixed_units", 22, "debt_amount", "USDC", 10),
    }
    assert {one.kind for one in log(tmp_path, raw).findings} == {"raw_units"}
    twice = log(tmp_path, [*rows, rows[3], rows[4].replace(",t4", ",t9"), rows[5].replace(",p,", ",q,")])
    assert {(one.kind, one.row) for one in twice.findings} == {
        ("repeated", 22),
        ("repeated", 23),
        ("several_pools", 24),
    }


BOOK = "market,position_id,asset,side,amount,price,threshold_bps"


def book(folder: Path, amounts: dict[str, list[str]]) -> list[tuple[str, int | None, str, str, int]]:
    """Findings of a book in which each asset has these amounts, one position a row, assets one after the other."""
    rows = [
        f"m,p{n},{asset},collateral,{text},1,8000" for asset, texts in amounts.items() for n, text in enumerate(texts)
    ]
    (folder / "book.csv").write_text("\n".join([BOOK, *rows]) + "\n", encoding="utf-8")
    [found] = check_files([folder / "book.csv"], NOW)
    assert found.kind == "book"
    return [(one.kind, one.row, one.column, one.symbol, one.rows) for one in found.findings]


def test_a_book_in_two_units_is_found_out_at_its_rows(tmp_path: Path) -> None:
    whole = {"ETH": ["10", "25", "3"], "USDC": ["14000", "900", "2500000"], "WBTC": ["2", "1", "0.5"]}
    assert book(tmp_path, whole) == []
    raw = {
        "ETH": ["10", "25000000000000000000", "3"],
        "USDC": ["14000000000", "900", "2500000000000"],
        "WBTC": ["2", "1", "5000000000"],
    }
    assert book(tmp_path, raw) == [
        ("mixed_units", 3, "amount", "ETH", 1),
        ("mixed_units", 5, "amount", "USDC", 2),
        ("mixed_units", 10, "amount", "WBTC", 1),
    ]
    assert book(tmp_path, {"ETH": ["7", "7000000000000000000"]}) == [("mixed_units", 3, "amount", "ETH", 1)]
    assert book(tmp_path, {"ETH": [f"{n}000000000000000000" for n in range(1, 9)]}) == [
        ("raw_units", 2, "amount", "ETH", 8)
    ]
    some = [f"{n + 0.25}" for n in range(6)] + [
        f"{n}250000" for n in range(1, 6)
    ]  # no billions: told apart by their digits
    assert book(tmp_path, {"USDC": some}) == [("mixed_units", 8, "amount", "USDC", 5)]


def test_large_positions_and_dust_are_one_unit(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    wide = [f"{size:.6f}" for size in 10 ** rng.normal(1, 2.5, 400)]
    assert book(tmp_path, {"DAI": [*wide, "1500000000", "0.000001"]}) == []  # a whale of 1.5 billion beside dust
    assert book(tmp_path, {"DAI": ["1", "5", "20", "400", "6000", "90000", "1000000", "20000000", "3000000000"]}) == []
    assert book(tmp_path, {"DAI": [*wide, "150000000000000000000"]}) == [("mixed_units", 402, "amount", "DAI", 1)]


def test_round_amounts_are_two_units_only_when_they_are_billions_and_apart(tmp_path: Path) -> None:
    assert book(tmp_path, {"USDC": ["5000", "900", "2500000000", "12000"]}) == [("mixed_units", 4, "amount", "USDC", 1)]
    assert book(tmp_path, {"USDC": ["1", "2", "3000000", "4"]}) == []
    assert book(tmp_path, {"PEPE": [str(10**power) for power in range(15)]}) == []  # wide, and nowhere apart


def test_a_list_of_amounts_is_checked_for_its_units_as_well(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"account": list("abcd"), "symbol": "ETH", "amount": [1, 2, 3 * 10**18, 4], "amount_usd": [1e3, 2e3, 3e12, 4e3]}
    )
    found = checked(tmp_path, frame)
    assert [(one.kind, one.row, one.column) for one in found.findings if "units" in one.kind] == [
        ("mixed_units", 4, "amount")
    ]


def test_depth_quotes_must_rise_and_bend_down(tmp_path: Path) -> None:
    path = tmp_path / "depth.csv"

    def quotes(rows: str) -> CheckedFile:
        path.write_text("sold_asset,bought_asset,amount_in,amount_out\n" + rows, encoding="utf-8")
        return check_files([path], NOW)[0]

    good = "ETH,USDC,1,2000\nETH,USDC,10,19500.5\nETH,USDC,100,150000\nUSDC,ETH,1000,0.4\n"
    assert not quotes(good).findings
    assert read_quotes(path, {"USDC": 6})["ETH", "USDC"] == (
        (10**18, 2_000_000_000), (10**19, 19_500_500_000), (10**20, 150_000_000_000),
    )  # fmt: skip
    assert read_depth(path)["amount_out"].tolist() == [2000, 19500.5, 150000, 0.4]
    table = of_quotes(read_quotes(path)["ETH", "USDC"])
    assert table.quote(0, 1, 55 * 10**18) == 19500_500000000000000000 + 65249_750000000000000000
    for rows, kind, row, said in (
        ("ETH,USDC,1,2000\nETH,USDC,10,1900\n", "not_rising", 3, "less than for the smaller sale of row 2"),
        ("ETH,USDC,1,2000\nETH,USDC,10,20500\n", "not_concave", 3, "a unit brings more"),
        ("ETH,USDC,1,2000\nETH,USDC,1,2001\n", "contradicting", 3, "quoted in row 2 already"),
        ("ETH,ETH,1,2000\n", "contradicting", 2, "name two assets"),
        ("ETH,USDC,1,0\n", "not_above_zero", 2, "above zero"),
    ):
        found = quotes(rows)
        assert [(one.kind, one.row) for one in found.findings] == [(kind, row)]
        with pytest.raises(InputError, match=said):
            read_quotes(path)
    assert {
        one.kind
        for one in quotes("ETH,USDC,1000000000000000000,2000000000\nETH,USDC,2000000000000000000,3990000000\n").findings
    } == {"raw_units"}


FORECAST = "as_of,asset,horizon_hours,variance,q05,q25,q50,q75,q95,model\n"


def test_forecasts_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "forecasts.csv"

    def written(rows: str) -> CheckedFile:
        path.write_text(FORECAST + rows, encoding="utf-8")
        return check_files([path], NOW)[0]

    good = "2022-01-02T00:00:00Z,ETH,24,0.0016,-0.066,-0.027,0,0.027,0.066,har\n2022-01-01T00:00:00Z,ETH,24,0.0016,-0.066,-0.027,0,0.027,0.066,har\n"
    assert not written(good).findings
    assert read_forecasts(path)["as_of_s"].tolist() == [START, START + 86_400]
    line = good.splitlines()[0]
    for rows, kind, said in (
        (line.replace("-0.027,0,", "0.03,0,"), "quantiles", "rise from left to right"),
        (line.replace("0.0016", "-1"), "not_above_zero", "finite number"),
        (line + "\n" + line.replace("0.0016", "0.002"), "contradicting", "two forecasts"),
        (line.replace(",24,", ",0,"), "not_above_zero", "hours above zero"),
    ):
        assert [one.kind for one in written(rows).findings] == [kind]
        with pytest.raises(InputError, match=said):
            read_forecasts(path)
    assert [one.kind for one in written(line.replace("0.0016", "14")).findings] == ["quantiles"]  # a year's variance


def test_books_and_exposures_are_checked_through(tmp_path: Path) -> None:
    book = "market,position_id,asset,side,amount,price,threshold_bps\n"
    for name, text, expected in (
        ("book", book + "m,a,ETH,collateral,1,2000,8000\nm,a,USDC,debt,900,1,\n", []),
        (
            "book",
            book + "m,a,ETH,collateral,1,0,8000\nm,a,ETH,collateral,-1,5,8000\n",
            [("not_above_zero", 2), ("not_above_zero", 3), ("contradicting", 3)],
        ),
        ("book", book + "m,a,ETH,collateral,1,2000,\nm,a,USDC,debt,900,1,\n", [("contradicting", 2)]),
        ("exposures", "holder,claim_on,amount_usd\na,B,5\nB,C,6\n", []),
        (
            "exposures",
            "holder,claim_on,amount_usd\na,a,5\nb,C,6\nb,C,-1\n",
            [("not_above_zero", 4), ("contradicting", 2), ("contradicting", 4)],
        ),
    ):
        (tmp_path / "x.csv").write_text(text, encoding="utf-8")
        [found] = check_files([tmp_path / "x.csv"], NOW)
        assert found.kind == name and [(one.kind, one.row) for one in found.findings] == expected


def test_a_file_that_is_no_table_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3,4,5\n", encoding="utf-8")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for name, words in (("broken.csv", "line 3"), ("broken.parquet", "Parquet")):
        [found] = check_files([tmp_path / name], NOW)
        assert only(found, "unreadable").severity == "error" and words in found.findings[0].sentence
    with pytest.raises(InputError, match="did you mean prices"):
        check_files([tmp_path / "broken.csv"], NOW, kind="price")


def test_columns_by_other_names_blank_lines_and_tokens_called_na(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "Date,close,Last,ticker\n\n2022-01-01T00:00:00Z,9,1,NA\n\n2022-01-01T01:00:00Z,9,0,NULL\n", encoding="utf-8"
    )
    mapping = {"timestamp": "Date", "close": "Last", "symbol": "ticker"}
    frame = open_frame(path, mapping)
    assert (
        frame["symbol"].tolist() == ["NA", "NULL"]
        and frame["close"].tolist() == [1, 0]
        and frame.index.tolist() == [3, 5]
    )
    [found] = check_files([path], NOW, columns=mapping)
    assert (found.kind, only(found, "not_above_zero").row, only(found, "not_above_zero").symbol) == (
        "prices",
        5,
        "NULL",
    )
    [found] = check_files([path], NOW, columns={"close": "Price"})
    assert "no column Price" in only(found, "unreadable").sentence


def test_any_table_is_looked_at_for_what_can_be_seen(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"name": [f"n{n}" for n in range(40)], "x": np.arange(40) + 0.5, "raw": [str(10**20 + n) for n in range(40)]}
    )
    frame.loc[7, "name"], frame.loc[9, "x"], frame.loc[11, "name"] = "n6", -1.0, None
    [found] = [check_files([path], NOW)[0] for path in [tmp_path / "t.csv"] if frame.to_csv(path, index=False) is None]
    assert found.kind == "table"
    assert {(one.kind, one.row, one.column, one.rows) for one in found.findings} == {
        ("empty", 13, "name", 1), ("not_above_zero", 11, "x", 1), ("raw_units", 2, "raw", 40),
    }  # fmt: skip


def test_every_kind_of_problem_is_in_the_documents() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    assert [kind for kind, meaning in KINDS.items() if f"| {kind} | {meaning} |" not in page] == []
    assert all(f"`{kind}`" in page for kind in CONTRACTS)
