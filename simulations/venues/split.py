"""One sale over many venues: directly, or through one asset in between, so that the last unit brings the same on every way that is used.

What venues pay bends down, so the best split is the one with equal marginal prices (fees paid). For a price p, each venue says how much it
can take before it pays less than p; a way through an asset in between has a second price, that of the asset in between, at which the
first venues bring as much of it as the second ones take. Prices are found by narrowing an interval; what lies between its two ends is
shared in proportion, which is exact where a venue pays the same for many units (a depth table). The result is then carried out in
integers and compared with every single venue or pair of venues, so it is never worse than the best of them.

The split is the best one where no venue serves two hops of a sale; a pool of three assets that stands both on the direct way and on a way
round is still carried out exactly, one hop after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import NamedTuple

from simulations.venues.venue import Venue

WIDTH = 1e-7  # of the logarithm of a price; the loss from a price that is off by e is of order e**2
PROBE = 0.02
LOWEST_PRICE = 1e-30  # of the best price: whoever sells for less would rather keep it


class Hop(NamedTuple):
    """A sale in one venue: its number, the slots of the asset sold and of the asset bought."""

    venue: int
    sold: int
    bought: int


@dataclass(frozen=True)
class Ways:
    """How one asset can become another: venues that trade the two, and pairs of groups with an asset in between."""

    direct: tuple[Hop, ...] = ()
    through: tuple[tuple[tuple[Hop, ...], tuple[Hop, ...]], ...] = ()


class Step(NamedTuple):
    """One swap of a plan: the amounts are exact, given the steps before it."""

    hop: Hop
    amount_raw: int
    received_raw: int


@dataclass(frozen=True)
class Plan:
    """Swaps in the order in which they are carried out, what they bring together, and what no venue takes."""

    steps: tuple[Step, ...]
    received_raw: int
    unsold_raw: int = 0


@dataclass
class _Shares:
    """Amounts by hop: of the asset sold, and of the asset in between (which only says how it is divided)."""

    first: list[float] = field(default_factory=list)
    second: list[list[float]] = field(default_factory=list)


def split(venues: Sequence[Venue], ways: Ways, amount_raw: int) -> Plan:
    """The best way to sell an exact amount at the venues' present state.

    Parameters
    ----------
    amount_raw : smallest units of the asset sold.

    Returns
    -------
    Plan
        Without steps where nothing can be sold.
    """
    singles = [single(venues, path, amount_raw) for path in paths(ways)]
    plans = [plan for plan in singles if plan.received_raw]
    if len(singles) > 1:
        plan = _at_equal_prices(venues, ways, amount_raw)
        plans.append(plan)
        full = {step.hop for step in plan.steps if step.amount_raw and not step.received_raw}
        if full and (rest := _without(ways, full)) is not None:
            plans.append(_at_equal_prices(venues, rest, amount_raw))
    return max(plans, key=lambda plan: plan.received_raw, default=Plan((), 0, amount_raw))


def _without(ways: Ways, full: set[Hop]) -> Ways | None:
    """The ways that avoid hops which took something and gave nothing: a venue at its end. None where no way is left."""
    through = [
        (tuple(hop for hop in first if hop not in full), tuple(hop for hop in second if hop not in full))
        for first, second in ways.through
    ]
    rest = Ways(tuple(hop for hop in ways.direct if hop not in full), tuple(pair for pair in through if all(pair)))
    return rest if rest.direct or rest.through else None


def paths(ways: Ways) -> list[tuple[Hop, ...]]:
    """Every venue, and every pair of venues with an asset in between."""
    pairs = [(one, two) for first, second in ways.through for one in first for two in second]
    return [(hop,) for hop in ways.direct] + [pair for pair in pairs if pair[0].venue != pair[1].venue]


def single(venues: Sequence[Venue], path: Sequence[Hop], amount_raw: int) -> Plan:
    """The whole amount along one path of different venues."""
    steps = []
    for hop in path:
        received = venues[hop.venue].quote(hop.sold, hop.bought, amount_raw)
        steps.append(Step(hop, amount_raw, received))
        amount_raw = received
    return Plan(tuple(steps), amount_raw)


def spot(venues: Sequence[Venue], ways: Ways) -> float:
    """The best marginal price, fees paid, before anything is sold; 0 if there is no way."""
    return max((_best(venues, ways.direct), *(_best(venues, one) * _best(venues, two) for one, two in ways.through)))


def _at_equal_prices(venues: Sequence[Venue], ways: Ways, amount_raw: int) -> Plan:
    top = spot(venues, ways)
    if not top:
        return Plan((), 0, amount_raw)
    seen: dict[float, _Shares] = {}

    def excess(log_price: float) -> float:
        seen[log_price] = _shares(venues, ways, exp(log_price))
        return amount_raw - sum(seen[log_price].first)

    high, low = log(top), log(top) - 1
    while excess(low) > 0 and low > log(top * LOWEST_PRICE):
        low -= 2 * (log(top) - low)
    short = max(0, int(excess(low)))
    if short:
        return _carry_out(venues, ways, seen[low], amount_raw - short, short)
    low, high = _narrow(excess, low, high)
    return _carry_out(venues, ways, _mix(seen[low], seen[high], excess(low), excess(high)), amount_raw, 0)


def _shares(venues: Sequence[Venue], ways: Ways, price: float) -> _Shares:
    """What every hop takes before its last unit brings less than `price`."""
    shares = _Shares(_takes(venues, ways.direct, price))
    for first, second in ways.through:
        best_first, best_second = _best(venues, first), _best(venues, second)
        if best_first * best_second <= price:
            shares.first += [0.0] * len(first)
            shares.second.append([0.0] * len(second))
            continue
        seen: dict[float, tuple[list[float], list[float]]] = {}

        def excess(
            log_between: float,
            first: tuple[Hop, ...] = first,
            second: tuple[Hop, ...] = second,
            seen: dict[float, tuple[list[float], list[float]]] = seen,
        ) -> float:
            sold, between = _takes(venues, first, price / exp(log_between)), _takes(venues, second, exp(log_between))
            seen[log_between] = sold, between
            made = sum(_quote(venues, hop, int(amount)) for hop, amount in zip(first, sold, strict=True))
            return made - sum(between)

        low, high = _narrow(excess, log(price / best_first), log(best_second))
        part = _part(excess(low), excess(high))
        sold, between = (_between(one, two, part) for one, two in zip(seen[low], seen[high], strict=True))
        shares.first += sold
        shares.second.append(between)
    return shares


def _narrow(excess: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Two ends of an interval no wider than WIDTH inside which a rising function passes zero, given one in which it does."""
    at_low, at_high = excess(low), excess(high)
    while high - low > WIDTH:
        width = high - low
        guess = low + width * _part(at_low, at_high)
        step = max(width * PROBE, WIDTH / 3)
        for point in (guess - step, guess + step, (low + high) / 2):
            if not low < point < high or (point == (low + high) / 2 and high - low < width / 2):
                continue
            value = excess(point)
            if value <= 0:
                low, at_low = point, value
            else:
                high, at_high = point, value
    return low, high


def _part(at_low: float, at_high: float) -> float:
    """Where a straight line from `at_low` <= 0 to `at_high` >= 0 passes zero, as a part of the way."""
    return min(1.0, max(0.0, -at_low / (at_high - at_low))) if at_high > at_low else 0.0


def _mix(low: _Shares, high: _Shares, at_low: float, at_high: float) -> _Shares:
    part = _part(at_low, at_high)
    return _Shares(
        _between(low.first, high.first, part),
        [_between(one, two, part) for one, two in zip(low.second, high.second, strict=True)],
    )


def _between(low: Sequence[float], high: Sequence[float], part: float) -> list[float]:
    return [one + (two - one) * part for one, two in zip(low, high, strict=True)]


def _carry_out(venues: Sequence[Venue], ways: Ways, shares: _Shares, amount_raw: int, unsold_raw: int) -> Plan:
    """Exact steps with these shares, one after the other, each on what the ones before have left."""
    now = dict(enumerate(venues))
    steps: list[Step] = []

    def sell(hops: Sequence[Hop], amounts: Sequence[int]) -> int:
        total = 0
        for hop, amount in zip(hops, amounts, strict=True):
            if amount:
                now[hop.venue], received = now[hop.venue].apply(hop.sold, hop.bought, amount)
                steps.append(Step(hop, amount, received))
                total += received
        return total

    parts = _whole(shares.first, amount_raw)
    received = sell(ways.direct, parts[: len(ways.direct)])
    place = len(ways.direct)
    for (first, second), between in zip(ways.through, shares.second, strict=True):
        made = sell(first, parts[place : place + len(first)])
        place += len(first)
        received += sell(second, _whole(between, made))
    return Plan(tuple(steps), received, unsold_raw)


def _whole(shares: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to the shares whose sum is the total; the largest takes what rounding leaves."""
    largest = max(range(len(shares)), key=lambda number: shares[number])
    scale = sum(shares)
    if not scale:
        return [total if number == largest else 0 for number in range(len(shares))]
    whole = [int(total * (share / scale)) for share in shares]
    whole[largest] += total - sum(whole)
    return whole


def _takes(venues: Sequence[Venue], hops: Sequence[Hop], price: float) -> list[float]:
    return [float(venues[hop.venue].sale_to_price(hop.sold, hop.bought, price)) for hop in hops]


def _best(venues: Sequence[Venue], hops: Sequence[Hop]) -> float:
    return max((venues[hop.venue].spot(hop.sold, hop.bought) for hop in hops), default=0.0)


def _quote(venues: Sequence[Venue], hop: Hop, amount_raw: int) -> int:
    return venues[hop.venue].quote(hop.sold, hop.bought, amount_raw)
