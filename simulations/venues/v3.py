"""Concentrated liquidity (Uniswap V3): a sale that walks over ticks, in the pool's own integers.

Source: @uniswap/v3-core 1.0.1, UniswapV3Pool.swap with the libraries SwapMath, SqrtPriceMath and TickBitmap (TickMath: `ticks.py`); formula H11.
A swap goes in steps. A step ends at an initialised tick, but also where a word of 256 tick spacings of the pool's bitmap ends, and each
step rounds: the words are part of the result to the last unit, so they are walked here too.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import isqrt, sqrt
from typing import NamedTuple

from chain.errors import InputError
from simulations.venues.ticks import MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, Q96, sqrt_price_at, tick_at

PIPS = 10**6
WORD_TICKS = 256
UINT256 = 2**256


@dataclass(frozen=True)
class Concentrated:
    """A pool: `sqrt_price_x96`, `tick` and `liquidity` as slot0 and liquidity() say; fee in 1e-6 of the amount in.

    `ticks` are the initialised ticks in rising order, `nets` the liquidity that each adds when the price crosses it upwards.
    """

    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_pips: int
    tick_spacing: int
    ticks: tuple[int, ...]
    nets: tuple[int, ...]

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """What the pool pays; of a sale that it cannot take whole it takes a part, and the rest stays with the seller."""
        return swap(self, _forward(sold, bought), amount_raw).received_raw

    def most_in(self, sold: int, bought: int) -> int:
        """What the pool takes until its liquidity ends on that side."""
        return self._most_down if _forward(sold, bought) else self._most_up

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid; 0 where no liquidity is left on that side."""
        forward = _forward(sold, bought)
        ranges = self._down if forward else self._up
        return ranges[0].price_at(ranges[0].start, self.fee_pips) if ranges else 0.0

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["Concentrated", int]:
        """The pool after the sale of as much as it takes, and what was received."""
        done = swap(self, _forward(sold, bought), amount_raw)
        return done.after, done.received_raw

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """What brings the pool to the price: the swap itself, with that price as its limit."""
        forward = _forward(sold, bought)
        numerator, denominator = price.as_integer_ratio()
        kept = PIPS - self.fee_pips
        if forward:
            limit = isqrt((numerator * PIPS << 192) // (denominator * kept))
        else:
            limit = isqrt((kept * denominator << 192) // (PIPS * numerator))
        limit = min(max(limit, MIN_SQRT_PRICE + 1), MAX_SQRT_PRICE - 1)
        if (limit >= self.sqrt_price_x96) == forward:
            return 0
        return swap(self, forward, UINT256 // 2 - 1, limit).used_raw

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """Whole ranges between ticks added up beforehand, and a part of the range in which the price lies."""
        forward = _forward(sold, bought)
        ranges = self._down if forward else self._up
        kept = 1 - self.fee_pips / PIPS
        root = sqrt(price / kept if forward else kept / price)
        place = (
            bisect_left(ranges, root, key=lambda one: one.start)
            if not forward
            else bisect_left(ranges, -root, key=lambda one: -one.start)
        )
        return ranges[place - 1].until(root, forward, kept) if place else (0.0, 0.0)

    @cached_property
    def _most_down(self) -> int:
        return _most(self, True)

    @cached_property
    def _most_up(self) -> int:
        return _most(self, False)

    @cached_property
    def _down(self) -> tuple["Range", ...]:
        return _ranges(self, True)

    @cached_property
    def _up(self) -> tuple["Range", ...]:
        return _ranges(self, False)


class Range(NamedTuple):
    """Prices between which the liquidity does not change, on the way of a sale: their square roots, and what was sold and received before."""

    start: float
    end: float
    liquidity: float
    sold_before: float
    received_before: float

    def until(self, root: float, forward: bool, kept: float) -> tuple[float, float]:
        """Sold and received from the start of the way until the square root of the price is `root`, or until the range ends."""
        low, high = (max(root, self.end), self.start) if forward else (self.start, min(root, self.end))
        amount0, amount1 = self.liquidity * (high - low) / low / high, self.liquidity * (high - low)
        sold, received = (amount0, amount1) if forward else (amount1, amount0)
        return self.sold_before + sold / kept, self.received_before + received

    def price_at(self, root: float, fee_pips: int) -> float:
        """Marginal price, fee paid."""
        price = root * root if self.start > self.end else 1 / (root * root)
        return (1 - fee_pips / PIPS) * price


@dataclass(frozen=True)
class Swap:
    """What a swap did: `received_raw` for `used_raw` (less than offered if the price limit was met), initialised ticks crossed."""

    after: Concentrated
    received_raw: int
    used_raw: int
    crossed: int


def swap(pool: Concentrated, forward: bool, amount_raw: int, sqrt_limit_x96: int | None = None) -> Swap:
    """Sell an exact amount of token 0 (`forward`) or token 1, down or up to a price limit (default: the end of the price line).

    UniswapV3Pool.swap with a positive amountSpecified, as SwapRouter.exactInputSingle and QuoterV2 call it.
    """
    limit = sqrt_limit_x96 or (MIN_SQRT_PRICE + 1 if forward else MAX_SQRT_PRICE - 1)
    price, tick, liquidity = pool.sqrt_price_x96, pool.tick, pool.liquidity
    left, received, crossed = amount_raw, 0, 0
    while left > 0 and price != limit:
        target_tick, place = _next_tick(pool, tick, forward)
        end = sqrt_price_at(target_tick)
        target = max(end, limit) if forward else min(end, limit)
        start = price
        price, paid, out, fee = _step(start, target, liquidity, left, pool.fee_pips, forward)
        left -= paid + fee
        received += out
        if price == end:
            if place is not None:
                liquidity += -pool.nets[place] if forward else pool.nets[place]
                crossed += 1
            tick = target_tick - 1 if forward else target_tick
        elif price != start:
            tick = tick_at(price)
    after = replace(pool, sqrt_price_x96=price, tick=tick, liquidity=liquidity)
    return Swap(after, received, amount_raw - left, crossed)


def _ranges(pool: Concentrated, forward: bool) -> tuple[Range, ...]:
    """Every range with liquidity that a sale goes through, nearest first."""
    kept = 1 - pool.fee_pips / PIPS
    first = bisect_right(pool.ticks, pool.tick)
    places = range(first - 1, -1, -1) if forward else range(first, len(pool.ticks))
    found: list[Range] = []
    start, liquidity, before = pool.sqrt_price_x96 / Q96, pool.liquidity, (0.0, 0.0)
    for place in (*places, None):
        last = -MAX_TICK if forward else MAX_TICK
        end = sqrt_price_at(last if place is None else pool.ticks[place]) / Q96
        if liquidity and end != start:
            found.append(Range(start, end, float(liquidity), *before))
            before = found[-1].until(end, forward, kept)
        if place is not None:
            liquidity += -pool.nets[place] if forward else pool.nets[place]
        start = end
    return tuple(found)


def _most(pool: Concentrated, forward: bool) -> int:
    """What a sale without end takes; beyond the last initialised tick there is no liquidity, so it need not go further."""
    ends = [sqrt_price_at(pool.ticks[0 if forward else -1])] if pool.ticks else []
    limit = max([*ends, MIN_SQRT_PRICE + 1]) if forward else min([*ends, MAX_SQRT_PRICE - 1])
    if (limit >= pool.sqrt_price_x96) == forward:
        return 0
    return swap(pool, forward, UINT256 // 2 - 1, limit).used_raw


def _next_tick(pool: Concentrated, tick: int, forward: bool) -> tuple[int, int | None]:
    """Where the step ends, and its place among the initialised ticks if it is one (TickBitmap.nextInitializedTickWithinOneWord)."""
    spacing = pool.tick_spacing
    compressed = tick // spacing
    if forward:
        edge = compressed // WORD_TICKS * WORD_TICKS * spacing
        place = bisect_right(pool.ticks, compressed * spacing) - 1
        if place >= 0 and pool.ticks[place] >= edge:
            return pool.ticks[place], place
        return max(edge, -MAX_TICK), None
    edge = ((compressed + 1) // WORD_TICKS * WORD_TICKS + WORD_TICKS - 1) * spacing
    place = bisect_left(pool.ticks, (compressed + 1) * spacing)
    if place < len(pool.ticks) and pool.ticks[place] <= edge:
        return pool.ticks[place], place
    return min(edge, MAX_TICK), None


def _step(
    price: int, target: int, liquidity: int, left: int, fee_pips: int, forward: bool
) -> tuple[int, int, int, int]:
    """SwapMath.computeSwapStep for an exact amount in: new price, amount in, amount out, fee."""
    offered = left * (PIPS - fee_pips) // PIPS
    needed = _amount0(target, price, liquidity, True) if forward else _amount1(price, target, liquidity, True)
    reached = target if offered >= needed else _price_after(price, liquidity, offered, forward)
    if forward:
        paid = needed if reached == target else _amount0(reached, price, liquidity, True)
        out = _amount1(reached, price, liquidity, False)
    else:
        paid = needed if reached == target else _amount1(price, reached, liquidity, True)
        out = _amount0(price, reached, liquidity, False)
    fee = left - paid if reached != target else -(-paid * fee_pips // (PIPS - fee_pips))
    return reached, paid, out, fee


def _price_after(price: int, liquidity: int, amount: int, forward: bool) -> int:
    """SqrtPriceMath.getNextSqrtPriceFromInput: rounded so that the target price is never passed."""
    if not forward:
        return price + amount * Q96 // liquidity
    if amount == 0:
        return price
    scaled = liquidity * Q96
    if amount * price < UINT256 and scaled + amount * price < UINT256:
        return -(-scaled * price // (scaled + amount * price))
    return -(-scaled // (scaled // price + amount))


def _amount0(low: int, high: int, liquidity: int, up: bool) -> int:
    """Token 0 between two square roots of prices (SqrtPriceMath.getAmount0Delta)."""
    scaled = liquidity * Q96 * (high - low)
    if not up:
        return scaled // high // low
    once = -(-scaled // high)
    return -(-once // low)


def _amount1(low: int, high: int, liquidity: int, up: bool) -> int:
    """Token 1 between two square roots of prices (SqrtPriceMath.getAmount1Delta)."""
    scaled = liquidity * (high - low)
    return -(-scaled // Q96) if up else scaled // Q96


def _forward(sold: int, bought: int) -> bool:
    if {sold, bought} != {0, 1}:
        raise InputError(f"a pool of two assets has slots 0 and 1, not {sold} and {bought}")
    return sold == 0
