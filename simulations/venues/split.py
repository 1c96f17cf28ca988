"""One sale over many venues: directly, or through one asset in between, so that the last unit brings the same on every way that is used.

What venues pay bends down, so the best split is the one with equal marginal prices (fees paid). For a price p, each venue says how much it
can take before it pays less than p, and what that brings; a way through an asset in between has a second price, that of the asset in
between, at which the first venues bring as much of it as the second ones take. Prices are found by narrowing an interval; what lies
between its two ends is shared in proportion. That is exact where a venue pays the same for many units (a depth table), and loses at most
the width of the interval anywhere: each unit between the ends brings a price between theirs. The result is then carried out in integers
(`plan.py`) and compared with every single venue or pair of venues, so it is never worse than the best of them.

The split is the best one where no venue serves two hops of a sale. A pool of three assets may stand both on the direct way and on a way
round: then a second split leaves such pools out of the ways round, and the better of the two is taken.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp, fsum, log

from simulations.venues.crossing import Point, crossing, part
from simulations.venues.plan import Hop, Plan, Shares, Ways, carry_out, paths, single
from simulations.venues.venue import Venue

WIDTH = 1e-8  # of the logarithm of a price: the most that a split loses, as a part of what it brings
ENOUGH = 1e-10  # of the amount
WIDTH_OF_BOUND, SLACK = 1e-4, 1e-9  # of an upper bound, which may lie higher than it must
FIRST_DROP, MOST_DROP = 0.02, 80.0  # of the logarithm of a price; whoever would sell for less would rather keep it
DROP_FACTOR = 6.0

DownTo = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class _Group:
    """Venues that trade the same two assets: what each takes down to a price, and the best price of all."""

    down_to: tuple[DownTo, ...]
    best: float

    def at(self, price: float) -> tuple[list[float], float]:
        """What each takes, and what all bring together."""
        answers = [one(price) for one in self.down_to]
        return [taken for taken, _ in answers], fsum(made for _, made in answers)


def split(venues: Sequence[Venue], ways: Ways, amount_raw: int) -> Plan:
    """The best way to sell an exact amount at the venues' present state.

    Parameters
    ----------
    amount_raw : smallest units of the asset sold.

    Returns
    -------
    Plan
        Without steps where nothing can be sold; `unsold_raw` is what no venue takes.
    """
    some = paths(ways)
    plans = [single(venues, path, amount_raw) for path in some]
    if len(some) > 1 and any(plan.received_raw for plan in plans):
        plans += [_at_equal_prices(venues, one, amount_raw) for one in dict.fromkeys((ways, _each_venue_once(ways)))]
    return max(plans, key=lambda plan: (plan.received_raw, plan.unsold_raw), default=Plan((), 0, amount_raw))


def spot(venues: Sequence[Venue], ways: Ways) -> float:
    """The best marginal price, fees paid, before anything is sold; 0 if there is no way."""
    return max((_best(venues, ways.direct), *(_best(venues, one) * _best(venues, two) for one, two in ways.through)))


def surplus(venues: Sequence[Venue], ways: Ways, price: float) -> float:
    """At least what a split of any amount brings beyond `price` for each unit sold.

    Lagrangian duality: on a way round, any price of the asset in between bounds what can be gained; the one that clears it bounds it best.
    """
    total = gain(venues, ways.direct, price)
    for hops, others in ways.through:
        first, second = _group(venues, hops), _group(venues, others)
        if first.best * second.best > price:
            low, high = _clearing(first, second, price, WIDTH_OF_BOUND)
            between = exp((low.place + high.place) / 2)
            total += between * gain(venues, hops, price / between) + gain(venues, others, between)
    return total


def gain(venues: Sequence[Venue], hops: Sequence[Hop], price: float) -> float:
    """What some venues pay beyond a price down to which each is sold into, and SLACK of it all for what floats cut."""
    answers = [venues[hop.venue].down_to(hop.sold, hop.bought, price) for hop in hops]
    return fsum(max(made - price * taken, 0.0) + SLACK * made for taken, made in answers)


def _each_venue_once(ways: Ways) -> Ways:
    """The ways without those hops of ways round whose venue serves another hop too."""
    used = Counter(
        hop.venue for group in (ways.direct, *(one for pair in ways.through for one in pair)) for hop in group
    )
    if max(used.values(), default=0) == 1:
        return ways
    once = [tuple(tuple(hop for hop in group if used[hop.venue] == 1) for group in pair) for pair in ways.through]
    return Ways(ways.direct, tuple((first, second) for first, second in once if first and second))


def _at_equal_prices(venues: Sequence[Venue], ways: Ways, amount_raw: int) -> Plan:
    direct = _group(venues, ways.direct)
    through = [(_group(venues, first), _group(venues, second)) for first, second in ways.through]
    top = max(direct.best, *(first.best * second.best for first, second in through), 0.0)
    if not top:
        return Plan((), 0, amount_raw)

    def ask(log_price: float) -> Point[Shares]:
        shares = _shares(direct, through, exp(log_price))
        return Point(log_price, amount_raw - fsum(shares.first), shares)

    nothing = Shares(
        [0.0] * (len(ways.direct) + sum(len(first) for first, _ in ways.through)),
        [[0.0] * len(second) for _, second in ways.through],
    )
    high, drop = Point(log(top), float(amount_raw), nothing), FIRST_DROP
    low = ask(log(top) - drop)
    while low.value > 0 and drop < MOST_DROP:
        drop *= DROP_FACTOR
        high, low = low, ask(log(top) - drop)
    if low.value > 0:
        amount_taken = min(amount_raw, int(fsum(low.said.first) * (1 + ENOUGH)) + len(low.said.first))
        plan = carry_out(venues, ways, low.said, amount_taken)
        return Plan(plan.steps, plan.received_raw, plan.unsold_raw + amount_raw - amount_taken)
    low, high = crossing(ask, low, high, WIDTH, ENOUGH * amount_raw)
    return carry_out(venues, ways, _between(low.said, high.said, part(low, high)), amount_raw)


def _shares(direct: _Group, through: Sequence[tuple[_Group, _Group]], price: float) -> Shares:
    """What every hop takes before its last unit brings less than `price`."""
    shares = Shares(direct.at(price)[0])
    for first, second in through:
        sold, between = _round(first, second, price)
        shares.first.extend(sold)
        shares.second.append(between)
    return shares


def _round(first: _Group, second: _Group, price: float) -> tuple[list[float], list[float]]:
    """What both groups of one way take where the price of the asset in between clears: the first bring as much as the second take."""
    if first.best * second.best <= price:
        return [0.0] * len(first.down_to), [0.0] * len(second.down_to)
    low, high = _clearing(first, second, price, WIDTH)
    where = part(low, high)
    sold, between = (_mix(one, two, where) for one, two in zip(low.said, high.said, strict=True))
    return sold, between


def _clearing(
    first: _Group, second: _Group, price: float, width: float
) -> tuple[Point[tuple[list[float], list[float]]], Point[tuple[list[float], list[float]]]]:
    """Logarithms of the price of the asset in between around that at which it clears, with what both groups take there."""
    none_sold, none_between = [0.0] * len(first.down_to), [0.0] * len(second.down_to)

    def ask(log_between: float) -> Point[tuple[list[float], list[float]]]:
        price_between = exp(log_between)
        sold, made = first.at(price / price_between)
        between, _ = second.at(price_between)
        return Point(log_between, made - fsum(between), (sold, between))

    cheapest, dearest = price / first.best, second.best
    between, _ = second.at(cheapest)
    sold, made = first.at(price / dearest)
    low = Point(log(cheapest), -fsum(between), (none_sold, between))
    high = Point(log(dearest), made, (sold, none_between))
    return crossing(ask, low, high, width, ENOUGH * min(-low.value, high.value))


def _between(low: Shares, high: Shares, where: float) -> Shares:
    return Shares(
        _mix(low.first, high.first, where),
        [_mix(one, two, where) for one, two in zip(low.second, high.second, strict=True)],
    )


def _mix(low: Sequence[float], high: Sequence[float], where: float) -> list[float]:
    return [one + (two - one) * where for one, two in zip(low, high, strict=True)]


def _group(venues: Sequence[Venue], hops: Sequence[Hop]) -> _Group:
    return _Group(tuple(partial(venues[hop.venue].down_to, hop.sold, hop.bought) for hop in hops), _best(venues, hops))


def _best(venues: Sequence[Venue], hops: Sequence[Hop]) -> float:
    return max((venues[hop.venue].spot(hop.sold, hop.bought) for hop in hops), default=0.0)
