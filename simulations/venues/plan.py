"""What a sale over many venues is made of, and how it is carried out to the last unit: nobody is offered more than it takes.

The shares of a plan come from a search in floats (`split.py`). Here they become whole units: each venue gets its share, at most what it
takes (`Venue.most_in`); what rounding leaves goes to those with room; units that would bring nothing go elsewhere; an asset in between
is never left over. What nobody takes stays with the seller and stands in the plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import NamedTuple

from simulations.venues.venue import Venue


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


_Group = tuple[tuple[Hop, ...], tuple[Hop, ...]]


@dataclass(frozen=True)
class Shares:
    """Amounts by hop: of the asset sold (direct hops, then the first ones of each way), and of the assets in between, which only divide."""

    first: list[float] = field(default_factory=list)
    second: list[list[float]] = field(default_factory=list)


def paths(ways: Ways) -> list[tuple[Hop, ...]]:
    """Every venue, and every pair of venues with an asset in between."""
    pairs = [(one, two) for first, second in ways.through for one in first for two in second]
    return [(hop,) for hop in ways.direct] + [pair for pair in pairs if pair[0].venue != pair[1].venue]


def single(venues: Sequence[Venue], path: Sequence[Hop], amount_raw: int) -> Plan:
    """As much of the amount as one path of different venues takes; no steps where that brings nothing."""
    offered = min(amount_raw, _room(venues, path[0]))
    steps = _along(venues, path, offered)
    if steps is None:
        offered = _largest(lambda size: _along(venues, path, size) is not None, offered)
        steps = _along(venues, path, offered)
    if not steps or not steps[-1].received_raw:
        return Plan((), 0, amount_raw)
    return Plan(steps, steps[-1].received_raw, amount_raw - offered)


def carry_out(venues: Sequence[Venue], ways: Ways, shares: Shares, amount_raw: int) -> Plan:
    """Exact steps with these shares, one after the other, each on what the ones before have left; one swap a hop.

    The direct hops are one group, each way round another. A group that cannot place all it is given keeps to what it can, and the others
    are given the rest.
    """
    groups: list[_Group] = [((), ways.direct)] if ways.direct else []
    groups += ways.through
    sizes, place = [], 0
    for first, second in groups:
        count = len(first or second)
        sizes.append(shares.first[place : place + count])
        place += count
    between = [*([[]] if ways.direct else []), *shares.second]
    limits = [amount_raw] * len(groups)
    while True:
        totals, left = _divide([fsum(size) for size in sizes], limits, amount_raw)
        now = list(venues)
        steps: list[Step] = []
        placed: list[int] = []
        for group, size, passed, total in zip(groups, sizes, between, totals, strict=True):
            done, sold = _in_group(now, group, size, passed, total)
            steps += done
            placed.append(sold)
        if placed == totals:
            last = {hop for _, second in groups for hop in second}
            return Plan(tuple(steps), sum(step.received_raw for step in steps if step.hop in last), left)
        limits = [
            min(limit, sold) if sold < total else limit
            for limit, sold, total in zip(limits, placed, totals, strict=True)
        ]


def _along(venues: Sequence[Venue], path: Sequence[Hop], amount_raw: int) -> tuple[Step, ...] | None:
    """The amount along a path of different venues; None where one of them does not take what the one before brought."""
    steps: list[Step] = []
    for hop in path:
        if steps and amount_raw > _room(venues, hop):
            return None
        received = venues[hop.venue].quote(hop.sold, hop.bought, amount_raw) if amount_raw else 0
        steps.append(Step(hop, amount_raw, received))
        amount_raw = received
    return tuple(steps)


def _in_group(
    now: list[Venue], group: _Group, shares: Sequence[float], between: Sequence[float], total: int
) -> tuple[list[Step], int]:
    """As much of the total as the group takes; a way round that would leave some of the asset in between sells nothing. Changes `now`."""
    first, second = group
    if not first:
        parts = _fill(now, second, shares, total)
        return _sell(now, second, parts), sum(parts)
    parts = _fill(now, first, shares, total)

    def sized(size: int) -> list[int]:
        return parts if size == sum(parts) else [part * size // total for part in parts]

    def fits(size: int) -> bool:
        tried = list(now)
        made = _made(_sell(tried, first, sized(size)))
        return made <= sum(_room(tried, hop) for hop in second)

    parts = sized(sum(parts) if fits(sum(parts)) else _largest(fits, sum(parts)))
    after = list(now)
    steps = _sell(after, first, parts)
    made = _made(steps)
    passed = _fill(after, second, between, made)
    if not made or sum(passed) < made:
        return [], 0
    steps += _sell(after, second, passed)
    now[:] = after
    return steps, sum(parts)


def _sell(now: list[Venue], hops: Sequence[Hop], amounts: Sequence[int]) -> list[Step]:
    """Changes `now`; sales that bring nothing are left out."""
    steps = []
    for hop, amount in zip(hops, amounts, strict=True):
        after, received = now[hop.venue].apply(hop.sold, hop.bought, amount) if amount else (now[hop.venue], 0)
        if received:
            now[hop.venue] = after
            steps.append(Step(hop, amount, received))
    return steps


def _made(steps: Sequence[Step]) -> int:
    return sum(step.received_raw for step in steps)


def _room(venues: Sequence[Venue], hop: Hop) -> int:
    return venues[hop.venue].most_in(hop.sold, hop.bought)


def _fill(now: Sequence[Venue], hops: Sequence[Hop], shares: Sequence[float], total: int) -> list[int]:
    """Whole units in proportion to the shares, no hop above its room, none that would bring nothing."""
    rooms = [_room(now, hop) for hop in hops]
    while True:
        parts, _ = _divide(shares, rooms, total)
        idle = [
            number
            for number, (hop, part) in enumerate(zip(hops, parts, strict=True))
            if part and not now[hop.venue].quote(hop.sold, hop.bought, part)
        ]
        if not idle:
            return parts
        for number in idle:
            rooms[number] = 0


def _divide(shares: Sequence[float], rooms: Sequence[int], total: int) -> tuple[list[int], int]:
    """Whole numbers in proportion to the shares, none above its room, and what is left; what rounding leaves goes to the largest with room."""
    scale = fsum(shares)
    parts = [min(room, int(total * (share / scale)) if scale else 0) for share, room in zip(shares, rooms, strict=True)]
    left = total - sum(parts)
    for number in sorted(range(len(parts)), key=lambda number: -shares[number]):
        more = max(-parts[number], min(left, rooms[number] - parts[number]))
        parts[number] += more
        left -= more
    return parts, left


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest amount up to `most` that fits, to one part in 2**50; 0 always does."""
    low, high = 0, most
    while high - low > max(1, high >> 50):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
