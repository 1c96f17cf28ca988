"""Random sets of venues of every kind, and beside each venue what it pays as a formula in floats, written here from the paper.

The formulas know nothing of `simulations/venues`: they are what an optimiser is given to judge a split by.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import exp, inf, log

from chain.units import WAD
from simulations.venues.depth import of_quotes
from simulations.venues.plan import Hop, Plan, Ways
from simulations.venues.split import split
from simulations.venues.stableswap import StableSwap
from simulations.venues.ticks import tick_at
from simulations.venues.v2 import ConstantProduct
from simulations.venues.v3 import Concentrated
from simulations.venues.venue import Venue
from simulations.venues.weighted import Weighted

KINDS = ("v2", "v3", "weighted", "stable", "depth")


@dataclass(frozen=True)
class Curve:
    """What a sale of x brings and what its last unit brings, for x up to `most`; smallest units."""

    out: Callable[[float], float]
    slope: Callable[[float], float]
    most: float = inf


@dataclass(frozen=True)
class Offered:
    """A venue, the slots of the sale, and its formula."""

    kind: str
    venue: Venue
    sold: int
    bought: int
    curve: Curve


@dataclass(frozen=True)
class Case:
    """An amount to sell over `direct` venues and over pairs out of `first` and `second`; amounts in smallest units."""

    direct: tuple[Offered, ...]
    first: tuple[Offered, ...]
    second: tuple[Offered, ...]
    amount: int
    final_decimals: int

    @property
    def all(self) -> tuple[Offered, ...]:
        return (*self.direct, *self.first, *self.second)

    @property
    def venues(self) -> list[Venue]:
        return [one.venue for one in self.all]

    @property
    def ways(self) -> Ways:
        hops = [Hop(number, one.sold, one.bought) for number, one in enumerate(self.all)]
        here, there = len(self.direct), len(self.direct) + len(self.first)
        through = ((tuple(hops[here:there]), tuple(hops[there:])),) if self.first else ()
        return Ways(tuple(hops[:here]), through)


def case(rng: random.Random, kinds: Sequence[str] = KINDS, least: float = 4.0) -> Case:
    """One to three venues between two assets, in three of four sets also a way round over one or two venues a leg.

    Sizes from 10**`least` tokens, which is small beside the pools, to far more than they hold; decimals 6, 8 or 18. Prices: 2, and 5 times 0.4.
    """
    sold, middle, final = (rng.choice([6, 8, 18]) for _ in range(3))
    round_too = rng.random() < 0.75
    direct = [offered(rng, 2.0, sold, final, kinds) for _ in range(rng.randint(0 if round_too else 1, 3))]
    first = [offered(rng, 5.0, sold, middle, kinds) for _ in range(rng.randint(1, 2) * round_too)]
    second = [offered(rng, 0.4, middle, final, kinds) for _ in range(rng.randint(1, 2) * round_too)]
    amount = max(1, int(10 ** (rng.uniform(least, 8.5) + sold)))
    return Case(tuple(direct), tuple(first), tuple(second), amount, final)


def offered(
    rng: random.Random, price: float, sold_decimals: int, bought_decimals: int, kinds: Sequence[str]
) -> Offered:
    """A venue in which a token sold is worth about `price` tokens bought, holding 1e5 to 1e8 tokens or so."""
    kind = rng.choice(kinds)
    raw = price * rng.uniform(0.97, 1.03) * 10.0 ** (bought_decimals - sold_decimals)
    held = int(10 ** (rng.uniform(5, 8) + sold_decimals))
    other = int(held * raw)
    if kind == "v2":
        return _constant_product(rng, held, other)
    if kind == "v3":
        return _concentrated(rng, held, raw)
    if kind == "weighted":
        return _weighted(rng, held, other, (sold_decimals, bought_decimals))
    if kind == "stable":
        return _stable(rng, held, price, (sold_decimals, bought_decimals))
    return _depth(rng, held, raw)


def checked(venues: Sequence[Venue], ways: Ways, amount: int) -> Plan:
    """The plan, after its steps were carried out again one by one: every amount is exact and nothing is lost on the way."""
    plan, now = split(venues, ways, amount), dict(enumerate(venues))
    sold = bought = made = passed = 0
    first = {hop for group, _ in ways.through for hop in group}
    for hop, size, received in plan.steps:
        now[hop.venue], out = now[hop.venue].apply(hop.sold, hop.bought, size)
        assert out == received
        if hop in ways.direct or hop in first:
            sold += size
        else:
            passed += size
        if hop in first:
            made += received
        else:
            bought += received
    assert (sold + plan.unsold_raw, passed, bought) == (amount, made, plan.received_raw)
    return plan


def _placed(rng: random.Random, pair: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
    """Slots of the asset sold and bought, and the pair in the order of the slots."""
    return (0, 1, pair) if rng.random() < 0.5 else (1, 0, (pair[1], pair[0]))


def _constant_product(rng: random.Random, held: int, other: int) -> Offered:
    fee = rng.choice([5 * 10**14, 3 * 10**15, 10**16])
    kept, x0, y0 = 1 - fee / WAD, float(held), float(other)
    sold, bought, reserves = _placed(rng, (held, other))
    curve = Curve(
        lambda x: kept * x * y0 / (x0 + kept * x), lambda x: kept * x0 / (x0 + kept * x) * y0 / (x0 + kept * x)
    )
    return Offered("v2", ConstantProduct(reserves, fee), sold, bought, curve)


def _weighted(rng: random.Random, held: int, other: int, decimals: tuple[int, int]) -> Offered:
    share, fee = rng.randint(5, 95), rng.choice([10**14, 3 * 10**15, 10**16])
    other = other * (100 - share) // share
    kept, x0, y0, ratio = 1 - fee / WAD, float(held), float(other), share / (100 - share)
    sold, bought, balances = _placed(rng, (held, other))
    places, weights = (decimals, (share, 100 - share)) if sold == 0 else (decimals[::-1], (100 - share, share))
    venue = Weighted(balances, (weights[0] * WAD // 100, weights[1] * WAD // 100), places, fee)
    curve = Curve(
        lambda x: y0 * (1 - (x0 / (x0 + kept * x)) ** ratio),
        lambda x: y0 * ratio * kept / (x0 + kept * x) * (x0 / (x0 + kept * x)) ** ratio,
        0.3 * x0 / kept,
    )
    return Offered("weighted", venue, sold, bought, curve)


def _concentrated(rng: random.Random, held: int, raw: float) -> Offered:
    """Two positions around the price, one beyond a gap on either side; the liquidity ends there. Each range is a hyperbola of its own."""
    sold = rng.randrange(2)
    price = raw if sold == 0 else 1 / raw
    root = int(price**0.5 * 2**96)
    here = tick_at(root)
    deep = held * raw**0.5
    fee, spacing = rng.choice([(500, 10), (3_000, 60), (10_000, 200)])
    bounds = [(rng.randint(1, 20), rng.randint(2, 20)), (rng.randint(20, 200), rng.randint(20, 200))]
    ranges = [((here // spacing - low) * spacing, (here // spacing + high) * spacing) for low, high in bounds]
    gap = rng.randint(1, 20)
    ends = ranges[1]
    ranges += [
        (ends[0] - 2 * gap * spacing, ends[0] - gap * spacing),
        (ends[1] + gap * spacing, ends[1] + 3 * gap * spacing),
    ]
    liquidity = [int(deep * rng.uniform(0.1, 5)) for _ in ranges]
    nets: dict[int, int] = {}
    for (low, high), size in zip(ranges, liquidity, strict=True):
        nets[low], nets[high] = nets.get(low, 0) + size, nets.get(high, 0) - size
    ticks = tuple(sorted(nets))
    at_price = sum(size for (low, high), size in zip(ranges, liquidity, strict=True) if low <= here < high)
    venue = Concentrated(root, here, at_price, fee, spacing, ticks, tuple(nets[one] for one in ticks))

    kept, start = 1 - fee / 10**6, root / 2**96
    step = -1 if sold == 0 else 1
    # square roots of prices as the seller sees them: always falling, the other way round for asset 1
    marks = [1.0001 ** (tick / 2) for tick in ticks[::step]]
    marks = [start, *(mark for mark in marks if step * (mark - start) > 0)]
    pieces = []  # (sold until here, received until here, seller's root, liquidity)
    x, y = 0.0, 0.0
    for one, two in pairwise(marks):
        inside = [low < 2 * log((one + two) / 2, 1.0001) < high for low, high in ranges]
        active = float(sum(size for size, counts in zip(liquidity, inside, strict=True) if counts))
        pieces.append((x, y, one if sold == 0 else 1 / one, active))
        x += active * (abs(1 / two - 1 / one) if sold == 0 else abs(two - one)) / kept
        y += active * (abs(two - one) if sold == 0 else abs(1 / two - 1 / one))

    def at(amount: float) -> tuple[float, float, float, float]:
        before, got, seller, size = max((one for one in pieces if one[0] <= amount and one[3]), key=lambda one: one[0])
        return amount - before, got, seller, size

    def out(amount: float) -> float:
        rest, got, seller, size = at(amount)
        return got + kept * rest * seller * seller / (1 + kept * rest * seller / size)

    def slope(amount: float) -> float:
        rest, _, seller, size = at(amount)
        return kept * (seller / (1 + kept * rest * seller / size)) ** 2

    return Offered("v3", venue, sold, 1 - sold, Curve(out, slope, x))


def _stable(rng: random.Random, held: int, price: float, decimals: tuple[int, int]) -> Offered:
    """Two assets whose rates make them worth the same; out of balance by up to three. Newton's iterations in floats."""
    rates: tuple[int, int] = (10 ** (36 - decimals[0]), int(10 ** (36 - decimals[1]) / price))
    scaled = float(held) * rates[0] / WAD
    other = int(scaled * rng.uniform(0.4, 3) * WAD / rates[1])
    amplification, fee = rng.choice([20, 200, 2_000]), 4_000_000
    sold, bought, balances = _placed(rng, (held, other))
    venue = StableSwap(balances, rates if sold == 0 else rates[::-1], amplification, fee)
    x0, y0 = scaled, other * rates[1] / WAD
    ann = float(amplification * 2)
    d = x0 + y0
    for _ in range(100):
        p = d * d / (2 * x0) * d / (2 * y0)
        d = (ann * (x0 + y0) + 2 * p) * d / ((ann - 1) * d + 3 * p)

    def balance(x: float) -> float:
        c, b, y = d * d / (2 * x) * d / (2 * ann), x + d / ann, d
        for _ in range(200):
            before, y = y, (y * y + c) / (2 * y + b - d)
            if abs(y - before) <= 1e-16 * y:
                break
        return y

    kept, to_x, to_y = 1 - fee / 1e10, rates[0] / WAD, WAD / rates[1]

    def out(x: float) -> float:
        return (y0 - balance(x0 + x * to_x)) * kept * to_y

    def slope(x: float) -> float:
        one = x0 + x * to_x
        two = balance(one)
        p = d * d / (4 * one) * d / two
        return (ann + p / one) / (ann + p / two) * kept * to_x * to_y

    return Offered("stable", venue, sold, bought, Curve(out, slope))


def _depth(rng: random.Random, held: int, raw: float) -> Offered:
    widths = [held * exp(rng.uniform(-3, -1)) for _ in range(5)]
    prices = sorted((raw * rng.uniform(0.7, 1) for _ in widths), reverse=True)
    rows = [(0, 0)]
    for x, y in zip(
        accumulate(widths), accumulate(one * two for one, two in zip(widths, prices, strict=True)), strict=True
    ):
        rows.append((int(x), int(y)))

    def slope(x: float) -> float:
        return next(
            ((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(rows) if x < x1),
            (rows[-1][1] - rows[-2][1]) / (rows[-1][0] - rows[-2][0]),
        )

    def out(x: float) -> float:
        return next(
            (y0 + (x - x0) * (y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(rows) if x < x1),
            float(rows[-1][1]),
        )

    return Offered("depth", of_quotes(rows[1:]), 0, 1, Curve(out, slope, float(rows[-1][0])))
