"""Uniswap V3 to the last digit: the square root price of a tick, and what a pool's liquidity needs in tokens at a price.

Source: @uniswap/v3-core 1.0.1, TickMath.getSqrtRatioAtTick and SqrtPriceMath.getAmount0Delta, getAmount1Delta (rounded down). The
twenty factors of TickMath are 2**128 / sqrt(1.0001)**(2**i) rounded to the nearest integer; here they are computed, not listed.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from itertools import pairwise

from chain.units import UINT256_MAX

MIN_TICK, MAX_TICK = -887272, 887272
Q96 = 2**96


@cache
def _factors() -> tuple[int, ...]:
    context = Context(prec=150, rounding=ROUND_HALF_UP, Emax=10**6, Emin=-(10**6))
    step, found = context.sqrt(Decimal("1.0001")), []
    for _ in range(20):
        found.append(int(context.divide(Decimal(2**128), step).to_integral_value(ROUND_HALF_UP, context)))
        step = context.multiply(step, step)
    return tuple(found)


@cache
def sqrt_price_at(tick: int) -> int:
    """Square root price of a tick, 2**-96; ValueError outside MIN_TICK to MAX_TICK."""
    if not MIN_TICK <= tick <= MAX_TICK:
        raise ValueError(f"tick {tick} lies outside {MIN_TICK} to {MAX_TICK}")
    ratio = 2**128
    for place, factor in enumerate(_factors()):
        if abs(tick) >> place & 1:
            ratio = factor if ratio == 2**128 else ratio * factor >> 128
    if tick > 0:
        ratio = UINT256_MAX // ratio
    return -(-ratio >> 32)


def amounts(ticks: Sequence[tuple[int, int]], sqrt_price: int) -> tuple[int, int]:
    """Least amounts of token 0 and token 1 (smallest units) that the liquidity of a pool stands for at a price.

    Every stretch between two ticks is rounded down, so the pool holds at least this much: it rounds in its own favour.

    Parameters
    ----------
    ticks : (tick, liquidityNet), ascending.
    sqrt_price : the pool's square root price, 2**-96.
    """
    liquidity = first = second = 0
    for (lower, net), (upper, _) in pairwise(ticks):
        liquidity += net
        below, above = sqrt_price_at(lower), sqrt_price_at(upper)
        inside = min(max(sqrt_price, below), above)
        first += liquidity * Q96 * (above - inside) // above // inside
        second += liquidity * (inside - below) // Q96
    return first, second


Growth = tuple[int, int]
"""Fees for each unit of liquidity, of token 0 and token 1, 2**-128; it wraps around at 2**256."""


def growth_inside(tick: int, bounds: tuple[int, int], whole: Growth, outside: tuple[Growth, Growth]) -> Growth:
    """Fee growth inside a range (Tick.getFeeGrowthInside of @uniswap/v3-core 1.0.1).

    Parameters
    ----------
    tick : the pool's current one.
    bounds : lower and upper tick of the range.
    whole : feeGrowthGlobal of both tokens.
    outside : feeGrowthOutside of the lower and of the upper tick.
    """
    below, above = outside
    first = below if tick >= bounds[0] else _less(whole, below)
    last = above if tick < bounds[1] else _less(whole, above)
    return _less(_less(whole, first), last)


def owed(liquidity: int, inside: Growth, before: Growth, kept: Growth) -> Growth:
    """What a position can collect of both tokens: what it kept, and its part of the growth since it was last touched (Position.update)."""
    grown = _less(inside, before)
    first, second = (
        (had + liquidity * more // 2**128 % 2**128) % 2**128 for had, more in zip(kept, grown, strict=True)
    )
    return first, second


def _less(left: Growth, right: Growth) -> Growth:
    return (left[0] - right[0]) % (UINT256_MAX + 1), (left[1] - right[1]) % (UINT256_MAX + 1)
