"""Splitting one sale over venues: never worse than the best single way, equal prices at the end, ends that are respected; cases by hand.

How far a split is from the optimum is asked in `test_routing_optimum.py`.
"""

import random
from collections.abc import Sequence
from math import inf

import pytest

from chain.units import WAD
from simulations.venues.depth import of_quotes
from simulations.venues.plan import Hop, Plan, Step, Ways, paths, single
from simulations.venues.split import split, spot
from simulations.venues.ticks import sqrt_price_at
from simulations.venues.v2 import ConstantProduct
from simulations.venues.v3 import Concentrated
from simulations.venues.venue import Venue
from simulations.venues.weighted import Weighted
from tests.simulations.routing_draws import Offered, case, checked

QUICK, LONG = 150, 3_000
NEAR = 1e-6
EQUAL = 1e-4


def alone(venues: Sequence[Venue], path: Sequence[Hop], amount: int) -> int:
    """The whole amount along one path, as the venues' own quotes say; 0 where one refuses it, or leaves some of the asset in between."""
    for number, hop in enumerate(path):
        if number and amount > venues[hop.venue].most_in(hop.sold, hop.bought):
            return 0
        amount = venues[hop.venue].quote(hop.sold, hop.bought, amount)
    return amount


@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_never_worse_than_the_best_single_way_from_one_unit_on(count: int) -> None:
    rng = random.Random(count)
    tiny = 0
    for _ in range(count):
        drawn = case(rng, least=-18.0)
        best = max(alone(drawn.venues, path, drawn.amount) for path in paths(drawn.ways))
        plan = checked(drawn.venues, drawn.ways, drawn.amount)
        assert plan.received_raw >= best
        for path in paths(drawn.ways):
            one = single(drawn.venues, path, drawn.amount)
            assert alone(drawn.venues, path, drawn.amount) <= one.received_raw <= plan.received_raw
            assert alone(drawn.venues, path, drawn.amount - one.unsold_raw) == one.received_raw
        tiny += plan.received_raw < 1_000
    assert tiny > count / 8


@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_no_unit_would_bring_more_elsewhere(count: int) -> None:
    """The last unit sold in any venue brings at least what the next one would bring in any other that has room: equal prices.

    Prices from the formulas of `routing_draws.py`, a millionth before and after the amount sold, so that both sides of a kink are seen.
    """
    rng = random.Random(-count)
    used = 0
    for _ in range(count):
        drawn = case(rng)
        plan = split(drawn.venues, drawn.ways, drawn.amount)
        sold = [0] * len(drawn.all)
        for hop, amount, _ in plan.steps:
            sold[hop.venue] += amount
        sides = [last_and_next(offer, amount) for offer, amount in zip(drawn.all, sold, strict=True)]
        here, there = len(drawn.direct), len(drawn.direct) + len(drawn.first)
        direct, first, second = sides[:here], sides[here:there], sides[there:]
        groups = (
            [[*direct], second] if plan.unsold_raw else [[*direct], second, first]
        )  # what stays unsold costs nothing
        if first:
            (least_first, most_first), (least_second, most_second) = (
                (min(last for last, _ in group), max(more for _, more in group)) for group in (first, second)
            )
            groups[0].append((least_first * least_second, most_first * most_second))
        for group in groups:
            if group:
                assert max(more for _, more in group) <= min(last for last, _ in group) * (1 + EQUAL)
        used += len(plan.steps) > 1
    assert used > count / 2


def last_and_next(offer: Offered, amount: int) -> tuple[float, float]:
    """What the last unit brought, infinite if there is none, and what the next one would bring, 0 at the end of the venue."""
    last = offer.curve.slope(amount * (1 - NEAR)) if amount else inf
    full = amount >= offer.curve.most * (1 - NEAR)
    return last, 0.0 if full else offer.curve.slope(amount * (1 + NEAR))


def test_prices_are_equal_where_something_is_sold_and_worse_elsewhere() -> None:
    """Three smooth pools, one of them too dear to be used: the marginal prices after the sale."""
    pools = [ConstantProduct((10**24, 2 * 10**24), 3 * 10**15), ConstantProduct((10**23, 21 * 10**22), 3 * 10**15)]
    pools.append(ConstantProduct((10**24, 10**24), 3 * 10**15))
    hops = tuple(Hop(number, 0, 1) for number in range(3))
    plan = checked(pools, Ways(hops), 10**22)
    assert [step.hop.venue for step in plan.steps] == [0, 1]
    more = 10**15
    marginal = [
        (pools[venue].quote(0, 1, amount + more) - pools[venue].quote(0, 1, amount - more)) / (2 * more)
        for (venue, _, _), amount, _ in plan.steps
    ]
    assert marginal[0] == pytest.approx(marginal[1], rel=1e-7)
    assert pools[2].spot(0, 1) < marginal[0]


def test_two_equal_pools_share_by_halves() -> None:
    pool = ConstantProduct((10**24, 10**24), 3 * 10**15)
    plan = checked([pool, pool], Ways((Hop(0, 0, 1), Hop(1, 0, 1))), 10**22)
    assert [step.amount_raw for step in plan.steps] == pytest.approx([5 * 10**21] * 2, rel=1e-9)


def test_a_flat_table_takes_what_is_better_sold_there() -> None:
    """A table pays 1.9 for up to 1e22, a pool starts at 2: the pool takes until 1.9, the table the rest."""
    pool, table = ConstantProduct((10**24, 2 * 10**24), 0), of_quotes([(10**22, 19 * 10**21)])
    amount = 28 * 10**21
    plan = checked([pool, table], Ways((Hop(0, 0, 1), Hop(1, 0, 1))), amount)
    taken = {step.hop.venue: step.amount_raw for step in plan.steps}
    until = int(10**24 * ((2 / 1.9) ** 0.5 - 1))
    assert taken[0] == pytest.approx(until, rel=1e-6)
    assert taken[1] == pytest.approx(amount - until, rel=1e-5)


def test_what_nobody_takes_is_said() -> None:
    tables = [of_quotes([(100, 90)]), of_quotes([(50, 44)])]
    plan = checked(tables, Ways((Hop(0, 0, 1), Hop(1, 0, 1))), 1_000)
    assert (plan.received_raw, plan.unsold_raw) == (134, 850)


def narrow() -> Concentrated:
    """Liquidity between two ticks only: about 30 of the first asset bring it to its end."""
    return Concentrated(2**96, 0, 10**22, 3_000, 60, (-60, 60), (10**22, -(10**22)))


def test_a_pool_whose_liquidity_ends_inside_a_sale_does_not_take_the_rest() -> None:
    """Between 1 and 1.0001**-60 lie L (1 / sqrt(p) - 1) of the asset sold: that and the fee is sold, for L (1 - sqrt(p)); the rest stays."""
    pool, amount = narrow(), 10**22
    root = sqrt_price_at(-60) / 2**96
    plan = checked([pool], Ways((Hop(0, 0, 1),)), amount)
    assert amount - plan.unsold_raw == pytest.approx(1e22 * (1 / root - 1) / 0.997, rel=1e-12)
    assert plan.received_raw == pytest.approx(1e22 * (1 - root), rel=1e-12)
    after, _ = pool.apply(0, 1, amount)
    assert (after.most_in(0, 1), after.spot(0, 1), after.sale_to_price(0, 1, 1e-9)) == (0, 0.0, 0)


def test_a_way_round_sells_no_more_than_its_second_half_takes() -> None:
    """A deep pool, then one that ends: nothing of the asset in between is left over, and the rest goes directly."""
    deep, direct = ConstantProduct((10**24, 10**24), 0), ConstantProduct((10**21, 10**20), 0)
    venues: list[Venue] = [direct, deep, narrow()]
    ways = Ways((Hop(0, 0, 1),), (((Hop(1, 0, 1),), (Hop(2, 0, 1),)),))
    plan = checked(venues, ways, 10**22)
    taken = {step.hop.venue: step.amount_raw for step in plan.steps}
    assert taken[2] == pytest.approx(narrow().most_in(0, 1), rel=1e-12)
    assert (taken[0] + taken[1], plan.unsold_raw) == (10**22, 0)
    alone_there = checked(venues, Ways((), ways.through), 10**22)
    assert alone_there.unsold_raw == 10**22 - alone_there.steps[0].amount_raw > 0


def test_a_refusal_above_a_limit_is_never_met() -> None:
    """A weighted pool takes 30 % of its balance in one swap: exactly that is sold, in one swap, and the rest stays."""
    pool = Weighted((10**24, 10**24), (WAD // 2, WAD // 2), (18, 18), 3 * 10**15)
    most = pool.most_in(0, 1)
    assert (pool.quote(0, 1, most) > 0, pool.quote(0, 1, most + 1)) == (True, 0)
    plan = checked([pool, pool], Ways((Hop(0, 0, 1), Hop(1, 0, 1))), 10**24)
    assert plan.steps == tuple(Step(Hop(venue, 0, 1), most, pool.quote(0, 1, most)) for venue in (0, 1))
    assert plan.unsold_raw == 10**24 - 2 * most


def test_no_way_no_steps() -> None:
    empty = ConstantProduct((0, 0), 0)
    assert split([empty], Ways((Hop(0, 0, 1),)), 10) == Plan((), 0, 10)
    assert split([empty, empty], Ways((Hop(0, 0, 1), Hop(1, 0, 1))), 10) == Plan((), 0, 10)
    assert split([], Ways(), 10) == Plan((), 0, 10)
    assert spot([], Ways()) == 0


def test_a_pool_that_serves_two_hops_is_carried_out_exactly() -> None:
    """One weighted pool of three assets is both the direct way and the second leg: every amount is exact, and no worse than without that leg."""
    shared = Weighted((10**24,) * 3, (WAD // 4, WAD // 4, WAD // 2), (18,) * 3, 3 * 10**15)
    side = ConstantProduct((10**24, 10**24), 3 * 10**15)
    ways = Ways((Hop(0, 0, 2),), (((Hop(1, 0, 1),), (Hop(0, 1, 2),)),))
    plan = checked([shared, side], ways, 10**23)
    assert (
        plan.received_raw >= split([shared, side], Ways(ways.direct), 10**23).received_raw == shared.quote(0, 2, 10**23)
    )
