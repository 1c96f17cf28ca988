"""Stableswap pools: against recorded answers of the contracts, against the invariant in exact rational arithmetic, and by their laws."""

import csv
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chain.accounting.stableswap import balance_for, invariant
from chain.errors import ConvergenceError, InputError
from chain.units import WAD
from simulations.venues.stableswap import StableSwap
from tests.simulations import venue_laws

RECORDED = Path(__file__).parent / "recorded" / "stableswap.csv"


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split())


def recorded() -> list[tuple[dict[str, str], StableSwap]]:
    with RECORDED.open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [
        (
            row,
            StableSwap(
                balances=numbers(row["balances"]),
                rates=tuple(10 ** (36 - places) for places in numbers(row["decimals"])),
                amplification=int(row["amplification"]),
                fee=int(row["fee"]),
                admin_fee=int(row["admin_fee"]),
                a_precision=int(row["a_precision"]),
            ),
        )
        for row in rows
    ]


def test_every_recorded_exchange_to_the_last_unit() -> None:
    """280 exchanges in seven pools: received, balances after, and get_dy; 14 that the contract refused."""
    refused = split_view = 0
    for row, pool in recorded():
        slots = int(row["sold"]), int(row["bought"])
        after, received = pool.apply(*slots, int(row["amount_in"]))
        if row["received"] == "refused":
            assert (after, received) == (pool, 0)
            refused += 1
            continue
        assert received == pool.quote(*slots, int(row["amount_in"])) == int(row["received"])
        assert after.balances == numbers(row["balances_after"])
        view = pool.view(*slots, int(row["amount_in"])) if row["contract"] == "3pool" else received
        assert view == int(row["get_dy"])
        split_view += view != received
    assert refused == 14
    assert split_view > 20  # the two roundings of the first pools do differ


def exact(scaled: tuple[int, ...], d: int, amplification: int, a_precision: int) -> Fraction:
    """A n**n Σx + D - A D n**n - D**(n+1) / (n**n Πx), falling in D, zero at the invariant."""
    count = len(scaled)
    ann = Fraction(amplification * count, a_precision)
    product = Fraction(d) ** (count + 1)
    for balance in scaled:
        product /= count * balance
    return ann * sum(scaled) + d - ann * d - product


def reach_of_cuts(scaled: tuple[int, ...], amplification: int, a_precision: int) -> Fraction:
    """How far the divisions that one step of get_D cuts move it near its root, in units beside the last division's own: below one, it settles.

    By the derivative of the step: each division of D**(n+1) / (n**n Πx) loses less than a unit, which the later ones multiply.
    """
    count, ann = len(scaled), Fraction(amplification * len(scaled), a_precision)
    below, above = 1, sum(scaled) + 1
    while above - below > 1:
        middle = (below + above) // 2
        if exact(scaled, middle, amplification, a_precision) > 0:
            below = middle
        else:
            above = middle
    product, lost = Fraction(below), Fraction(0)
    for balance in scaled:
        factor = Fraction(below, count * balance)
        product, lost = product * factor, lost * factor + 1
    return below * (lost + 1) / (ann * sum(scaled) + count * product)


balances = st.integers(10**18, 10**27)
sizes = st.tuples(st.lists(balances, min_size=2, max_size=4).map(tuple), st.integers(2, 5_000))


@settings(max_examples=150, deadline=None)
@given(sizes, st.sampled_from([1, 100]))
@example(((371_759_874_270_887_017_426, 10**18, 10**18), 2), 1)  # goes round in a circle of two, three units apart
def test_invariant_is_the_exact_root_to_a_few_units(case: tuple[tuple[int, ...], int], a_precision: int) -> None:
    """Cut divisions in the iteration move the root by a few units; the sign of the exact equation changes around what is found."""
    scaled, amplification = case[0], case[1] * a_precision
    try:
        d = invariant(scaled, amplification, a_precision)
    except ConvergenceError:
        assert (
            reach_of_cuts(scaled, amplification, a_precision) > 1
        )  # only where its own cuts reach so far does it go round in circles
        return
    slack = 4 + d // 10**17
    assert (
        exact(scaled, d - slack, amplification, a_precision) > 0 > exact(scaled, d + slack, amplification, a_precision)
    )


@settings(max_examples=150, deadline=None)
@given(sizes, st.floats(1e-6, 20))
def test_what_a_sale_leaves_is_the_exact_root(case: tuple[tuple[int, ...], int], part: float) -> None:
    """Without a fee: a few units more in the pool and its exact invariant is above the one before the sale, a few units less and below."""
    scaled, amplification = case
    pool, amount = StableSwap(scaled, (WAD,) * len(scaled), amplification, 0), max(1, int(scaled[0] * part))
    try:
        d = invariant(scaled, amplification)
        left = balance_for((scaled[0] + amount, *scaled[1:]), 1, d, amplification)
    except ConvergenceError:
        assert pool.quote(0, 1, amount) == 0
        return
    after, received = pool.apply(0, 1, amount)
    if received:
        assert after.balances == (scaled[0] + amount, left + 1, *scaled[2:])
        units, slack = 2 + left // 10**12, 4 + d // 10**17
        for sign in (1, -1):
            held = (after.balances[0], left + sign * units, *scaled[2:])
            assert sign * exact(held, d - sign * slack, amplification, 1) > 0


@settings(max_examples=60, deadline=None)
@example(
    (63_024_818_345_678_895_094_693_886, *(2_421_563_465_914_835_338_788_864,) * 2), 20, 0, 0.291015625, 0.25
)  # gains two units
@example(
    (10**24, 4_002_086_867_457_532_626_861_290, 50_899_839_836_769_264_312_910_337), 2_000, 30_000_000, 0.25, 0.25
)  # the second sale finds a worse price
@given(
    st.lists(st.integers(10**24, 10**26), min_size=2, max_size=3).map(tuple),
    st.integers(20, 2_000),
    st.sampled_from([0, 4_000_000, 30_000_000]),
    st.floats(1e-5, 0.3),
    st.floats(1e-5, 0.3),
)
def test_laws(held: tuple[int, ...], amplification: int, fee: int, first: float, second: float) -> None:
    """A sale is cut by up to four units, two sales by what D loses when it is computed anew; fees stay in the pool as more of the asset bought.

    So a second sale finds a slightly better price; in very uneven pools of three a slightly worse one (in 60,000 drawn pools by 0.5 % of the fee at most).
    """
    pool = StableSwap(held, (WAD,) * len(held), amplification, fee)
    amount, extra = int(held[0] * first), int(held[0] * second)
    venue_laws.nothing_is_gained_by_going_back(pool, 0, 1, amount, above=16)  # at most 4 in 438,000 drawn pools
    venue_laws.more_never_brings_less(pool, 0, 1, amount, extra)
    kept = pool.quote(0, 1, amount) * fee // 10**10
    venue_laws.parts_make_the_whole(pool, 0, 1, amount, extra, above=kept + 10**8, below=kept // 20 + 10**9)
    if not fee:
        venue_laws.price_is_met(pool, 0, 1, 0.99, 1e-6)
        venue_laws.the_search_agrees(pool, 0, 1, 0.99, 1e-6)


@given(st.integers(10**24, 10**26), st.integers(10**24, 10**26), st.integers(20, 2_000))
def test_spot_is_what_a_small_sale_brings(one: int, two: int, amplification: int) -> None:
    pool = StableSwap((one, two // 10**12), (WAD, 10**30), amplification, 4_000_000)
    small = one // 10**6
    assert pool.quote(0, 1, small) / small == pytest.approx(pool.spot(0, 1), rel=1e-4)


def test_refusals() -> None:
    pool = StableSwap((10**18, 0), (WAD, WAD), 100, 0)
    assert (pool.quote(0, 1, 10**18), pool.spot(0, 1)) == (0, 0)
    with pytest.raises(InputError, match="slot 0 for slot 2"):
        pool.quote(0, 2, 1)
    assert invariant((0, 0), 100) == 0
