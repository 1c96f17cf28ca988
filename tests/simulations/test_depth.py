"""Depth tables: the rule of reading by hand, what is refused, and the laws of every venue."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import InputError
from simulations.venues.depth import DepthTable, bent_down, of_quotes
from tests.simulations import venue_laws

TABLE = of_quotes([(300, 210), (100, 90)])


@pytest.mark.parametrize(
    ("amount", "received"), [(0, 0), (1, 0), (50, 45), (100, 90), (101, 90), (200, 150), (300, 210), (999, 210)]
)
def test_straight_lines_between_quotes_and_nothing_beyond(amount: int, received: int) -> None:
    assert TABLE.quote(0, 1, amount) == received


def test_the_next_sale_goes_on_where_the_last_one_ended() -> None:
    after, received = TABLE.apply(0, 1, 100)
    assert (received, after.spot(0, 1)) == (90, 0.6)
    after, received = after.apply(0, 1, 100)
    assert received == 60
    assert after.apply(0, 1, 10**6)[1] == 60
    assert after.apply(0, 1, 10**6)[0].spot(0, 1) == 0


def test_only_one_direction() -> None:
    assert (TABLE.quote(1, 0, 50), TABLE.spot(1, 0), TABLE.sale_to_price(1, 0, 0.1)) == (0, 0, 0)
    assert TABLE.apply(1, 0, 50) == (TABLE, 0)


def test_how_much_until_a_price() -> None:
    assert [TABLE.sale_to_price(0, 1, price) for price in (1.0, 0.9, 0.8, 0.6, 0.1)] == [0, 0, 100, 100, 300]
    assert TABLE.apply(0, 1, 60)[0].sale_to_price(0, 1, 0.8) == 40


@pytest.mark.parametrize(
    ("quotes", "named"),
    [
        ([], "no quote"),
        ([(100, 90), (100, 91)], "100 is not positive or stands there twice"),
        ([(0, 0)], "0 is not positive"),
        ([(100, 90), (200, 89)], "selling 200 brings 89"),
        ([(100, 90), (200, 190)], "leave the quote for 100 out"),
    ],
)
def test_tables_that_cannot_be(quotes: list[tuple[int, int]], named: str) -> None:
    with pytest.raises(InputError, match=named):
        of_quotes(quotes)


def test_quotes_cut_to_whole_units_still_bend_down() -> None:
    """1, 2, 3 of something worth 0.55: 0, 1, 1 after cutting, which looks as if the second unit brought more."""
    assert of_quotes([(1, 0), (2, 1), (3, 1)]).quote(0, 1, 3) == 1


def test_noisy_quotes_are_bent_down_and_the_worst_excess_is_told() -> None:
    """Through (100, 90), (200, 150) and (300, 210) passes one line; the quote of 120 for 200 is 25 % below it."""
    table, worst = bent_down([(100, 90), (200, 120), (300, 210), (400, 205)])
    assert table == DepthTable((0, 100, 300), (0, 90, 210))
    assert worst == pytest.approx(0.25)


steps = st.lists(st.tuples(st.integers(1, 10**20), st.integers(0, 10**6)), min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> DepthTable:
    """Tables whose slopes, in millionths, fall."""
    parts = draw(steps)
    widths = [width * 10**6 for width, _ in parts]
    slopes = sorted((slope for _, slope in parts), reverse=True)
    outs = accumulate(width // 10**6 * slope for width, slope in zip(widths, slopes, strict=True))
    return of_quotes(zip(accumulate(widths), outs, strict=True))


@given(tables(), st.integers(1, 10**27), st.integers(1, 10**27))
def test_laws(table: DepthTable, amount: int, extra: int) -> None:
    venue_laws.nothing_is_gained_by_going_back(table, 0, 1, amount)
    venue_laws.more_never_brings_less(table, 0, 1, amount, extra)
    venue_laws.parts_make_the_whole(table, 0, 1, amount, extra, above=0, below=0)


@given(tables(), st.integers(1, 10**27))
def test_it_never_pays_more_than_a_curve_through_its_quotes(table: DepthTable, amount: int) -> None:
    """Any bending-down curve through the quotes lies on or above the line from the last quote below to the next one above."""
    best_price = table.amounts_out[1] / table.amounts_in[1]
    assert table.quote(0, 1, amount) <= best_price * amount * (1 + 1e-12)
    for known, received in zip(table.amounts_in, table.amounts_out, strict=True):
        if known:
            assert table.quote(0, 1, known) == received
