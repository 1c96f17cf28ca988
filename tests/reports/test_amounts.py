"""How numbers are written. The cases are the house's own examples and their neighbours."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import amounts


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (212e6, "$212m"),
        (65.5e6, "$65.5m"),
        (620_000, "$620k"),
        (999_499, "$999k"),
        (999_500, "$1.00m"),
        (100_000, "$100k"),
        (99_999, "$99,999"),
        (15_400, "$15,400"),
        (92.67, "$92.67"),
        (100, "$100"),
        (0.01, "$0.01"),
        (0.004, "under $0.01"),
        (-0.001, "above −$0.01"),
        (24.1e9, "$24.1bn"),
        (1.31e9, "$1.31bn"),
        (999.4e9, "$999bn"),
        (999.6e9, "$1.00tn"),
        (212e12, "$212tn"),
        (999.6e12, "$1.00e15"),
        (-7.35e41, "−$7.35e41"),
        (4_999, "$4,999"),
        (0, "$0"),
        (999.4e6, "$999m"),
        (999.6e6, "$1.00bn"),
        (9.996e6, "$10.0m"),
        (99.96e6, "$100m"),
        (-8.1e6, "−$8.10m"),
        (-8_100, "−$8,100"),
        (math.nan, "not known"),
    ],
)
def test_money(usd: float, text: str) -> None:
    assert amounts.money(usd) == text


@pytest.mark.parametrize(("usd", "text"), [(9.9e13, "99,000"), (2e14, "200"), (7.35e32, "7.35e20")])
def test_a_column_of_what_nobody_has(usd: float, text: str) -> None:
    """10^30 tokens of a dollar: three figures and a power of ten, under a unit that the head names."""
    write = amounts.money_for(usd)
    assert (write.unit, write.column(usd)) == ("$tn" if usd >= 1e14 else "$bn", text)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (6.12e9, "6,120"),
        (212e6, "212"),
        (88.2e6, "88.2"),
        (9.71e6, "9.71"),
        (0, "0"),
        (100, "<0.01"),
        (-2.6e6, "−2.60"),
    ],
)
def test_a_column_in_millions(usd: float, text: str) -> None:
    assert amounts.money_for(1e9).column(usd) == text


@pytest.mark.parametrize(
    ("largest", "unit", "heading", "usd", "text"),
    [
        (22_000, "$", "$", 92.67, "92.67"),
        (22_000, "$", "$", 15_400, "15,400"),
        (99_999, "$", "$", 0.001, "<0.01"),
        (100_000, "$k", "$ thousand", 15_400, "15.4"),
        (999_499, "$k", "$ thousand", 100, "0.10"),
        (999_500, "$m", "$ million", 620_000, "0.62"),
        (-24.1e9, "$m", "$ million", 24.1e9, "24,100"),
        (241e9, "$bn", "$ billion", 24.1e9, "24.1"),
    ],
)
def test_the_unit_of_a_table_is_chosen_by_its_largest_amount(
    largest: float, unit: str, heading: str, usd: float, text: str
) -> None:
    found = amounts.money_for(largest)
    assert (found.unit, found.heading, found.column(usd)) == (unit, heading, text)


@given(st.floats(min_value=0.01, max_value=1e13) | st.floats(min_value=1e13, max_value=1e60))
def test_no_amount_is_printed_as_nothing_or_off_by_more_than_its_last_digit(usd: float) -> None:
    found = re.fullmatch(r"\$([\d,.]+(?:e\d\d)?)(k|m|bn|tn|)", amounts.money(usd))
    assert found and len(found[0]) <= len("$1.00e15")
    said = float(found[1].replace(",", "")) * {"": 1, "k": 1e3, "m": 1e6, "bn": 1e9, "tn": 1e12}[found[2]]
    assert said > 0 and abs(said - usd) <= max(0.0051 * usd, 0.0051)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.22, "22\u202f%"),
        (0.0007, "0.07\u202f%"),
        (0.097, "9.7\u202f%"),
        (0.989, "99\u202f%"),
        (0.99994, "over 99.9\u202f%"),
        (1 - 1e-10, "over 99.9\u202f%"),
        (1 - 1e-15, "100\u202f%"),
        (0.9951, "99.5\u202f%"),
        (1, "100\u202f%"),
        (0, "0\u202f%"),
        (0.000_01, "under 0.01\u202f%"),
        (2.31, "231\u202f%"),
    ],
)
def test_percent_never_rounds_up_to_all_or_down_to_nothing(ratio: float, text: str) -> None:
    assert amounts.percent(ratio) == text


def test_small_things() -> None:
    assert amounts.change(-0.3) == "−30\u202f%"
    assert amounts.change(0.025) == "+2.5\u202f%"
    assert amounts.change(-0.0001) == "0\u202f%"
    assert amounts.health_factor(1.01834) == "1.018"
    assert amounts.health_factor(math.inf) == "none"
    assert amounts.short("eip155:1:0x3f9a" + "0" * 32 + "c41e") == "0x3f9a…c41e"
    assert amounts.listing(["a", "b", "c"]) == "a, b and c"
    assert amounts.fixed(-0.04, 1) == "0.0"
    assert amounts.count(1, "position") == "1 position"
    assert amounts.part_in(4.9e-17) == "1 part in 10¹⁶"
    assert amounts.percent_number(0.00004, 2) == "<0.01"
    assert amounts.unbroken("LINK −30 of ETH / USD") == "LINK\u00a0−30 of ETH\u00a0/\u00a0USD"


def test_pads_bring_every_number_to_the_same_point() -> None:
    assert amounts.pads(["212", "88.2", "9.71", "<0.01", ""]) == [".00", "0", "", "", ""]
    assert amounts.pads(["2.3\u202f%", "34\u202f%"]) == ["", ".0"]
    assert amounts.pads(["1", "22"]) == ["", ""]
    assert amounts.aligned(["212", "9.71"]) == ["212\u2008\u2007\u2007", "9.71"]


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30), st.integers(0, 3))
def test_printed_parts_add_up_to_the_printed_total(parts: list[float], decimals: int) -> None:
    printed = amounts.adding_up(parts, decimals)
    step = 10.0**-decimals
    total = sum(printed)
    assert total == pytest.approx(round(total / step) * step, abs=1e-6), "a number of so many decimals"
    assert abs(total - sum(parts)) <= step * (0.5 + 1e-6), "the nearest one; of two that are as near either"
    assert all(abs(shown - part) < step * (1 + 1e-6) for shown, part in zip(printed, parts, strict=True))


@given(st.floats(1e-3, 1e6), st.integers(3, 7))
def test_ticks_cover_the_range_with_few_round_values(largest: float, most: int) -> None:
    found = amounts.ticks(largest, most)
    assert found[0] == 0
    assert found[-1] >= largest * (1 - 1e-9)
    assert 2 <= len(found) <= most
