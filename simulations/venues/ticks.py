"""Prices and ticks of concentrated liquidity, in the pool's own integers.

Source: @uniswap/v3-core 1.0.1, TickMath.
"""

from functools import cache
from math import isqrt, log

from chain.errors import InputError

Q96 = 2**96
MAX_TICK = 887_272
UINT256_MAX = 2**256 - 1

# 2**128 / sqrt(1.0001)**(2**k), rounded to the nearest integer: one factor for each bit of a tick (TickMath.getSqrtRatioAtTick).
_PRECISION_BITS = 400


def _tick_factors() -> tuple[int, ...]:
    one = 1 << _PRECISION_BITS
    factor = isqrt((one * one) * 10_000 // 10_001)
    factors = []
    for _ in range(MAX_TICK.bit_length()):
        factors.append((factor + (1 << (_PRECISION_BITS - 129))) >> (_PRECISION_BITS - 128))
        factor = factor * factor >> _PRECISION_BITS
    return tuple(factors)


_FACTORS = _tick_factors()


@cache
def sqrt_price_at(tick: int) -> int:
    """Square root of 1.0001**tick times 2**96, rounded as TickMath.getSqrtRatioAtTick does.

    Raises
    ------
    InputError
        If the tick lies beyond ±887272.
    """
    if abs(tick) > MAX_TICK:
        raise InputError(f"tick {tick} lies beyond {MAX_TICK}, where no pool can be")
    ratio = 1 << 128
    for bit, factor in enumerate(_FACTORS):
        if abs(tick) >> bit & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = UINT256_MAX // ratio
    return -(-ratio >> 32)


MIN_SQRT_PRICE, MAX_SQRT_PRICE = sqrt_price_at(-MAX_TICK), sqrt_price_at(MAX_TICK)


def tick_at(sqrt_price_x96: int) -> int:
    """The greatest tick whose price is not above this one (TickMath.getTickAtSqrtRatio)."""
    guess = round(log(sqrt_price_x96 / Q96) * 2 / log(1.0001))
    tick = max(-MAX_TICK, min(MAX_TICK, guess))
    while sqrt_price_at(tick) > sqrt_price_x96:
        tick -= 1
    while tick < MAX_TICK and sqrt_price_at(tick + 1) <= sqrt_price_x96:
        tick += 1
    return tick
