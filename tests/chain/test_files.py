"""A user's book becomes exact tables, and whatever cannot be used is named with file, row, field and value."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.errors import InputError
from chain.files.book_file import read_book
from chain.snapshot import Snapshot, load, save

HEADER = "market,position_id,asset,side,amount,price,quote,threshold_bps,bonus_bps,close_factor_bps,owner,category"
GOOD = """m,a,ETH,collateral,10.1,2000.05,USD,8250,500,5000,alice,
m,a,USDC,debt,10000,1,USD,,,4000,alice,
m,b,ETH,collateral,0.0012345678901234567,2000.05,USD,8250,500,5000,,
n,b,ETH,collateral,2,1,stETH,9000,,,,1"""


def book(folder: Path, rows: str, header: str = HEADER) -> Snapshot:
    path = folder / "book.csv"
    path.write_text(f"{header}\n{rows}\n", encoding="utf-8")
    return read_book(path)


def test_a_good_book_becomes_exact_tables(tmp_path: Path) -> None:
    snapshot = book(tmp_path, GOOD)
    positions = snapshot["positions"].set_index(["market", "position_id", "asset", "side"])
    assets = snapshot["assets"].set_index("asset")
    ether = 10 ** int(assets.loc["file:ETH", "decimals"])
    assert assets.loc["file:ETH", "symbol"] == "ETH"
    assert positions.loc[("m", "a", "file:ETH", "collateral"), "amount_raw"] * 10 == 101 * ether
    assert positions.loc[("m", "b", "file:ETH", "collateral"), "amount_raw"] == Decimal("0.0012345678901234567") * ether
    reserves = snapshot["reserves"].set_index(["market", "asset"])
    assert reserves.loc[("m", "file:ETH"), "liquidation_threshold_wad"] == 825 * 10**15
    assert reserves.loc[("m", "file:ETH"), "liquidation_bonus_wad"] == 105 * 10**16
    assert reserves.loc[("m", "file:ETH"), "close_factor_wad"] == 5 * 10**17
    assert reserves.loc[("m", "file:USDC"), "liquidation_threshold_wad"] is None
    assert reserves.loc[("m", "file:USDC"), "close_factor_wad"] == 4 * 10**17
    assert reserves.loc[("m", "file:USDC"), "borrowed_stored_raw"] == 10_000 * 10**18
    markets = snapshot["markets"].set_index("market")
    assert markets["family"].tolist() == ["generic", "generic"]
    assert markets["loss_rule"].tolist() == ["zombie", "zombie"]
    assert markets["base_asset"].tolist() == ["iso4217:USD", "file:stETH"]
    prices = snapshot["prices"].set_index(["market", "asset"])
    assert prices.loc[("m", "file:ETH"), "price_raw"] == 200005 * 10**16
    assert prices.loc[("m", "file:ETH"), "price_usd"] == 2000.05
    assert pd.isna(prices.loc[("n", "file:ETH"), "price_usd"])
    assert snapshot.anchors == ()
    assert {status for table in snapshot.tables.values() for status in table["status"]} == {"file"}
    assert load(save(snapshot, tmp_path / "kept")).content_id == snapshot.content_id


def test_every_reference_of_a_book_is_there(tmp_path: Path) -> None:
    from chain.comparisons.checks import references

    tables = book(tmp_path, GOOD).tables
    rows = {name: table.astype(object).where(table.notna(), None).to_dict("records") for name, table in tables.items()}
    check = references(rows)
    assert check.passed and check.compared > 15, check.failures


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals(min_value=0, max_value=10**30, places=18, allow_nan=False, allow_infinity=False))
def test_amounts_are_read_digit_by_digit(tmp_path: Path, amount: Decimal) -> None:
    snapshot = book(tmp_path, f"m,a,X,debt,{amount},1", "market,position_id,asset,side,amount,price")
    assert snapshot["positions"]["amount_raw"].tolist() == [int(Fraction(str(amount)) * 10**18)]


def test_parquet_and_csv_give_the_same_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "market": "m",
            "position_id": ["a", "a"],
            "asset": ["ETH", "USDC"],
            "side": ["collateral", "debt"],
            "amount": [10.1, 10000.0],
            "price": [2000.05, 1.0],
            "threshold_bps": [8250, None],
        }
    )
    frame.to_parquet(tmp_path / "book.parquet")
    frame.to_csv(tmp_path / "book.csv", index=False)
    columns = ["market", "position_id", "asset", "side", "amount_raw"]
    one, other = read_book(tmp_path / "book.parquet"), read_book(tmp_path / "book.csv")
    assert one["positions"][columns].equals(other["positions"][columns])
    assert one["prices"]["price_raw"].tolist() == other["prices"]["price_raw"].tolist()


MISTAKES = {
    "NaN amount": ("m,a,ETH,collateral,nan,1", "row 2: amount is 'nan'"),
    "infinite amount": ("m,a,ETH,collateral,inf,1", "row 2: amount is 'inf'"),
    "negative amount": ("m,a,ETH,collateral,-1,1", "row 2: amount is '-1'"),
    "amount in words": ("m,a,ETH,collateral,ten,1", "row 2: amount is 'ten'"),
    "amount with a comma": ('m,a,ETH,collateral,"1,5",1', "row 2: amount is '1,5'"),
    "amount beyond reason": ("m,a,ETH,collateral,1e60,1", "40 digits"),
    "no amount": ("m,a,ETH,collateral,,1", "row 2: amount is empty"),
    "negative price": ("m,a,ETH,collateral,1,-1", "row 2: price is '-1'"),
    "price of zero": ("m,a,ETH,collateral,1,0", "row 2: price is '0'"),
    "unknown side": ("m,a,ETH,supply,1,1", "row 2: side is 'supply'; write collateral or debt"),
    "twice the same": ("m,a,ETH,debt,1,1\nm,a,ETH,debt,2,1", "row 3: m a ETH debt is already in book.csv row 2"),
    "two prices": ("m,a,ETH,debt,1,1\nm,b,ETH,debt,1,2", "row 3: price of m ETH is 2, but book.csv row 2 says 1"),
    "two quotes": ("m,a,ETH,debt,1,1,USD\nm,b,LINK,debt,1,2,EUR", "row 3: quote of m is EUR"),
    "two thresholds": ("m,a,ETH,collateral,1,1,,80\nm,b,ETH,collateral,1,1,,81", "threshold_bps of m ETH is 81"),
    "two owners": ("m,a,ETH,debt,1,1,,,,,x\nm,a,LINK,debt,1,1,,,,,y", "owner of m a is y"),
    "no threshold": ("m,a,ETH,collateral,1,1\nm,a,USDC,debt,1,1", "row 2: threshold_bps of ETH is empty"),
    "threshold as a share": ("m,a,ETH,collateral,1,1,,0.8", "threshold_bps is '0.8'"),
    "threshold above all": ("m,a,ETH,collateral,1,1,,10001", "threshold_bps is '10001'"),
    "bonus with the principal": ("m,a,ETH,collateral,1,1,,80,10500", "500 is a bonus of 5 %"),
    "negative bonus": ("m,a,ETH,collateral,1,1,,80,-5", "row 2: bonus_bps is '-5'"),
    "negative threshold": ("m,a,ETH,collateral,1,1,,-80", "row 2: threshold_bps is '-80'"),
    "close factor above all": ("m,a,ETH,debt,1,1,,,,10001", "row 2: close_factor_bps is '10001'"),
    "close factor of the collateral": (
        "m,a,ETH,collateral,1,1,,80,,5000\nm,a,USDC,debt,1,1",
        "row 2: close_factor_bps is 5000, but ETH is no debt of anybody in m",
    ),
    "bonus of the debt": (
        "m,a,ETH,collateral,1,1,,80\nm,a,USDC,debt,1,1,,,500",
        "row 3: bonus_bps is 500, but USDC is no collateral of anybody in m",
    ),
    "close factor of zero": ("m,a,ETH,collateral,1,1,,80,,0", "close_factor_bps is '0'"),
    "category in words": ("m,a,ETH,collateral,1,1,,80,,,,stable", "category is 'stable'"),
    "too many cells": ("m,a,ETH,collateral,1,1,,80,,,,,,,", "row 2: 15 cells under 12 columns"),
    "no rows": ("", "no rows"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(tmp_path: Path, mistake: str) -> None:
    rows, words = MISTAKES[mistake]
    width = HEADER.count(",")
    padded = "\n".join(
        row + "," * max(0, width - row.replace('"1,5"', "x").count(",")) if row else "" for row in rows.split("\n")
    )
    with pytest.raises(InputError, match=words.replace("(", "\\(")) as caught:
        book(tmp_path, padded)
    assert "book.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf  \n", "is empty"),
        (b"market,position_id\n", "column asset, side, amount, price is missing"),
        (HEADER.replace("threshold_bps", "treshold_bps").encode(), "did you mean threshold_bps"),
        (HEADER.replace("owner", "market").encode(), "occurs twice"),
        (b"\xff\xfem\x00", "not UTF-8"),
        (HEADER.encode() + b'\nm,"a', "no readable CSV"),
        (b"PAR1 and nothing else", "no readable Parquet"),
    ],
)
def test_a_file_that_is_no_book_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "book.csv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_book(tmp_path / "book.csv")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        read_book(tmp_path / "absent.csv")
