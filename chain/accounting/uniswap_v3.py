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
