"""Maker's arithmetic, to the last unit: the rate that a drip would write, and the price of a running sale.

Sources: jug.sol of makerdao/dss at 1.0.2 (44330065), abaci.sol and clip.sol at 1.3.0 (3f30552a). Rates and prices of a sale are
rays. `rpow` rounds every product half up (Jug.rpow, and the same code in Abaci); everything else rounds down.
"""

from typing import Literal

from chain.units import RAY, mul_div

Curve = Literal["linear", "stairstep", "exponential"]


def rpow(base_ray: int, exponent: int) -> int:
    """base ** exponent in rays, by squaring, each product rounded half up; 0 ** 0 is one."""
    power = base_ray if exponent % 2 else RAY
    while exponent := exponent // 2:
        base_ray = mul_div(base_ray, base_ray, RAY, "half_up")
        if exponent % 2:
            power = mul_div(power, base_ray, RAY, "half_up")
    return power


def accrued_rate(rate_ray: int, growth_ray: int, seconds: int) -> int:
    """Jug.drip: the ilk's rate after `seconds` since it was last written; `growth_ray` is duty + base, a factor a second."""
    return rpow(growth_ray, seconds) * rate_ray // RAY


def sale_price(curve: Curve, top_ray: int, seconds: int, duration: int, step: int, cut_ray: int) -> int:
    """Price of a sale, a ray, so many seconds after its start (Abacus.price).

    Parameters
    ----------
    duration : seconds until a linear price is zero (tau). step, cut_ray : seconds and factor of a stair; exponential has steps of one second.
    """
    if curve == "linear":
        return 0 if seconds >= duration else top_ray * ((duration - seconds) * RAY // duration) // RAY
    steps = seconds // step if curve == "stairstep" else seconds
    return top_ray * rpow(cut_ray, steps) // RAY


def needs_reset(price_ray: int, top_ray: int, seconds: int, tail: int, cusp_ray: int) -> bool:
    """Clipper.status: whether nobody can buy until somebody starts the sale again."""
    return seconds > tail or price_ray * RAY // top_ray < cusp_ray
