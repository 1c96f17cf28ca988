"""Problems planted into books, exposures and lists of amounts are found at their rows; amounts of all sizes in one unit are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.chain.checked_files import checked, checked_text

BOOK = "market,position_id,asset,side,amount,price,threshold_bps"


def book(folder: Path, amounts: dict[str, list[str]]) -> list[tuple[str, int | None, str, str, int]]:
    """Findings of a book in which each asset has these amounts, one position a row, assets one after the other."""
    rows = [
        f"m,p{n},{asset},collateral,{text},1,8000" for asset, texts in amounts.items() for n, text in enumerate(texts)
    ]
    found = checked_text(folder, "\n".join([BOOK, *rows]) + "\n")
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


def test_a_position_worth_more_than_anything_is_told(tmp_path: Path) -> None:
    """10^15 USD are one too many, by one price or another; other currencies are not weighed."""

    def told(*rows: str) -> list[tuple[str, str, int | None, str, int]]:
        found = checked_text(tmp_path, "\n".join([f"{BOOK},quote", *rows]) + "\n").findings
        return [(one.severity, one.kind, one.row, one.symbol, one.rows) for one in found]

    here = "m,a,ETH,collateral,{},2000,8000,{}"
    assert told(here.format("500000000000", "USD"), "m,a,USDC,debt,14000,1,,USD") == []
    assert told(here.format("500000000001", ""), "m,a,USDC,debt,14000,1,,") == [("warning", "raw_units", 2, "ETH", 1)]
    assert told("m,a,X,collateral,3.5,1e18,8000,USD", "m,b,X,collateral,4.5,1e18,8000,USD") == [
        ("warning", "raw_units", 2, "X", 2)
    ]
    assert told(here.format("500000000001.5", "IDR"), "m,a,USDC,debt,14000,1,,IDR") == []


def test_round_amounts_are_two_units_only_when_they_are_billions_and_apart(tmp_path: Path) -> None:
    assert book(tmp_path, {"USDC": ["5000", "900", "2500000000", "12000"]}) == [("mixed_units", 4, "amount", "USDC", 1)]
    assert book(tmp_path, {"USDC": ["1", "2", "3000000", "4"]}) == []
    assert book(tmp_path, {"PEPE": [str(10**power) for power in range(15)]}) == []  # wide, and nowhere apart


def test_round_sums_of_the_rich_are_no_smallest_units(tmp_path: Path) -> None:
    """Debts of 50,000 to a million beside some of a few dollars; eight rows times 10^6 beside 50,000 are found, and no other."""
    small = [2.5, 3.75, 12.34, 7.25, 9.5, 11.25]
    whole = [str(amount) for amount in [*small, 50_000, 1_000_000, 250_000]]
    assert book(tmp_path, {"USDC": whole}) == []
    raw = [str(int(amount * 10**6)) for amount in [*small, 4.125, 5.0625]]
    assert book(tmp_path, {"USDC": [*whole[:7], *raw]}) == [("mixed_units", 9, "amount", "USDC", 8)]


def test_a_list_of_amounts_is_checked_for_its_units_as_well(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"account": list("abcd"), "symbol": "ETH", "amount": [1, 2, 3 * 10**18, 4], "amount_usd": [1e3, 2e3, 3e12, 4e3]}
    )
    found = checked(tmp_path, frame)
    assert [(one.kind, one.row, one.column) for one in found.findings if "units" in one.kind] == [
        ("mixed_units", 4, "amount")
    ]


def test_books_and_exposures_are_checked_through(tmp_path: Path) -> None:
    book = "market,position_id,asset,side,amount,price,threshold_bps\n"
    for name, text, expected in (
        ("book", book + "m,a,ETH,collateral,1,2000,8000\nm,a,USDC,debt,900,1,\n", []),
        (
            "book",
            book + "m,a,ETH,collateral,1,0,8000\nm,a,ETH,collateral,-1,5,8000\n",
            [("not_above_zero", 2), ("not_above_zero", 3), ("contradicting", 3)],
        ),
        ("book", book + "m,a,ETH,collateral,1,2000,\nm,a,USDC,debt,900,1,\n", [("refused", 2)]),
        ("exposures", "holder,claim_on,amount_usd\na,B,5\nB,C,6\n", []),
        ("exposures", "holder,claim_on,amount_usd\na,B,5\nB,C,6\nb,C,6\n", [("look_alike", 4)]),
        ("exposures", "holder,claim_on,amount_usd\n a,B,1\na,B ,2\n", [("refused", 3)]),
        ("exposures", "holder,claim_on,amount_usd,note\na,B,5,x\n", [("refused", None)]),
        (
            "exposures",
            "holder,claim_on,amount_usd\na,a,5\nb,C,6\nb,C,-1\n",
            [("not_above_zero", 4), ("contradicting", 2), ("contradicting", 4)],
        ),
    ):
        found = checked_text(tmp_path, text)
        assert found.kind == name and [(one.kind, one.row) for one in found.findings] == expected


CLEAN = """market,position_id,asset,side,amount,price,quote,threshold_bps
core,alice,ETH,collateral,10,2000,,8200
core,alice,USDC,debt,9000,1,,
core,bob,ETH,collateral,3,2000,,8200
core,bob,USDC,debt,2000,1,,
other,carol,ETH,collateral,5,2030,,7800
other,carol,ETH2,debt,1,500,,
euro,dora,ETH,collateral,4,1800,EUR,10
euro,dora,EURC,debt,10,1,EUR,
"""
PLANTED: dict[str, tuple[dict[str, str], list[tuple[str, str, int | None, str, str, int]]]] = {
    # plant: texts for texts; severity, kind, row in the file, column, symbol, how many rows
    "nothing": ({}, []),
    "two prices in a market": ({"bob,ETH,collateral,3,2000": "bob,ETH,collateral,3,2001"},
        [("error", "contradicting", 4, "price", "ETH", 1)]),
    "two prices in a market, far apart": ({"bob,ETH,collateral,3,2000": "bob,ETH,collateral,3,2500"},
        [("error", "contradicting", 4, "price", "ETH", 1)]),
    "two prices in two markets": ({"2030": "2500"}, [("warning", "disagrees", 6, "price", "ETH", 1)]),
    "two prices in two markets of another currency": ({"2030,,": "1000,EUR,", "500,,": "500,EUR,"},
        [("warning", "disagrees", 8, "price", "ETH", 1)]),
    "another case": ({"carol,ETH,": "carol,eth,"}, [("warning", "look_alike", 6, "asset", "eth", 1)]),
    "another case twice": ({"USDC": "usdc", "alice,usdc": "alice,USDC", "ETH2": "usdc,", "usdc,,debt,1,500": "usdc,debt,1,1"},
        [("warning", "look_alike", 5, "asset", "usdc", 2)]),
    "an address in two cases": ({"core,bob,ETH": f"core,0x{'aB' * 20},ETH", "core,bob,USDC": f"core,0x{'ab' * 20},USDC"},
        [("error", "look_alike", 5, "position_id", "", 1)]),
    "a name in two cases, an address in one": ({"core,bob,ETH": "core,Bob,ETH", "carol": f"0x{'aB' * 20}"}, []),
    "per cent": ({"8200": "82"}, [("warning", "per_cent", 2, "threshold_bps", "", 2)]),
    "per cent in one market": ({"7800": "78"}, [("warning", "per_cent", 6, "threshold_bps", "", 1)]),
    "a ratio": ({"8200": "0.82"}, [("error", "per_cent", 2, "threshold_bps", "", 2)]),
    "a ratio in per cent": ({"7800": "0.0078"}, [("error", "per_cent", 6, "threshold_bps", "", 1)]),
    "a price of zero, and a side further down": ({"dora,EURC,debt,10,1,": "dora,EURC,debt,10,0,", "bob,USDC,debt": "bob,USDC,owed"},
        [("error", "not_above_zero", 9, "price", "", 1), ("error", "column", 5, "side", "", 1)]),
    "no position": ({"core,bob,ETH": "core,,ETH"}, [("error", "empty", 4, "position_id", "", 1)]),
    "no asset": ({"core,bob,ETH": "core,bob,"}, [("error", "empty", 4, "asset", "", 1)]),
    "no column of prices": ({"amount,price": "amount,cost"}, [("error", "column", None, "price", "", 1)]),
    "what the reader alone sees, before another row's fault": ({"EURC,debt,10,1,": "EURC,debt,10,0,", "ETH,collateral,3,2000,,8200": "ETH,collateral,3,2000,,20000"},
        [("error", "not_above_zero", 9, "price", "", 1), ("error", "range", 4, "threshold_bps", "", 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_into_a_book_is_found_at_its_row(tmp_path: Path, name: str) -> None:
    """ETH stands at 2,000, 2,030 and 1,800 euro, beside ETH2, with thresholds of 8200, 7800 and 10: nothing is wrong with that."""
    plants, expected = PLANTED[name]
    text = CLEAN
    for old, new in plants.items():
        assert old in text
        text = text.replace(old, new)
    found = checked_text(tmp_path, text).findings
    assert [(one.severity, one.kind, one.row, one.column, one.symbol, one.rows) for one in found] == expected


def test_every_number_outside_the_range_of_its_column_is_listed_whatever_else_is_wrong(tmp_path: Path) -> None:
    head = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps"
    rows = ["m,a,ETH,collateral,1,2000,12000,10000,", "m,b,ETH,collateral,1,2000,8250,500,", "m,a,USDC,debt,9,1,,,0"]
    rows += ["m,b,USDC,debt,9,1,,,12000", "m,c,USDC,debt,9,1,,,5000.5", "m,d,USDC,debt,9,1,,,1", "m,e,USDC,debt,9,1,,,10000"]  # fmt: skip
    wanted = {
        (2, "threshold_bps", "is out of its range; give a whole number from 0 to 10000"),
        (2, "bonus_bps", "is out of its range; give a whole number from 0 to 9999"),
        (4, "close_factor_bps", "is out of its range; give a whole number from 1 to 10000"),
        (6, "close_factor_bps", "is no whole number; give a whole number from 1 to 10000"),
    }
    for more in ([], ["m,f,USDC,dept,9,0,,,"]):
        found = checked_text(tmp_path, "\n".join([head, *rows, *more]) + "\n").findings
        outside = [one for one in found if one.kind == "range"]
        assert {(one.row, one.column, one.sentence.partition(" (")[0]) for one in outside} == wanted
        assert [one.rows for one in outside if one.row == 4] == [2]
        assert {one.kind for one in found} - {"range"} == ({"column", "not_above_zero"} if more else set())
