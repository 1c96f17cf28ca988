"""Which moves are told: one rule for amounts, rates, prices and totals, wherever two states are compared.

A move is measured against what it was before, and one of exactly the smallest move is told. From nothing every move is told; what is gone
fell by all of it.
"""

import math
from fractions import Fraction

from chain.errors import InputError

FLOAT_ERROR = 1e-12
"""More than amounts, their difference and the limit are off by as floats, in parts of the larger amount."""


def exact(smallest_move: float | Fraction) -> Fraction:
    """The ratio as it is written in decimals, so that 0.01 is one hundredth; InputError if it is below 0 or no finite number."""
    if not isinstance(smallest_move, Fraction) and not math.isfinite(smallest_move):
        raise InputError(f"smallest move: {smallest_move} is no finite number; give 0 or more, 0.01 for 1 %")
    if smallest_move < 0:
        raise InputError(f"smallest move: {float(smallest_move):g} is below 0; give 0 or more, 0.01 for 1 %")
    return smallest_move if isinstance(smallest_move, Fraction) else Fraction(repr(float(smallest_move)))


def is_told(was: Fraction, now: Fraction, least: Fraction) -> bool:
    """Whether an exact amount moved by `least` of what it was, or more; what did not change is never told."""
    return was != now and abs(now - was) >= least * abs(was)


def is_told_of_floats(was: float, now: float, least: Fraction) -> bool:
    """`is_told` of floats: a move that is below `least` by no more than the error of floats is told."""
    was, now = float(was), float(now)
    limit = float(least) * abs(was)  # beyond the largest float: infinite, and nothing reaches it
    return was != now and abs(now - was) >= limit - FLOAT_ERROR * max(abs(was), abs(now))
