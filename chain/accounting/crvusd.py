"""crvUSD's arithmetic: what a debt has grown to, and what a position's bands are worth if the price falls through all of them.

Sources: Controller.vy and AMM.vy of curvefi/curve-stablecoin@d132ca74. Prices are of 18 decimals; so are amounts of a band, whatever the
token's decimals. `fall_value` is AMM.get_xy_up(user, False) for one band; since it grows in proportion with what lies in the band, it can be
asked of a position's own part of it. It differs from the contract's answer by the rounding of that part only.
"""

from math import isqrt

from chain.units import WAD


def grown_debt(principal: int, multiplier: int, multiplier_then: int) -> int:
    """Controller._debt: a debt at the block; ZeroDivisionError if it was written at a multiplier of zero."""
    return principal * multiplier // multiplier_then


def band_ratio_root(amplification: int) -> int:
    """Root of A / (A - 1), of 18 decimals, as the factory works it out for an AMM."""
    return isqrt((WAD * amplification // (amplification - 1)) * WAD)


def fall_value(x: int, y: int, price: int, high: int, amplification: int) -> int:
    """Borrowed token that x of it and y of the collateral in a band turn into while the price falls slowly, the way it is traded.

    Parameters
    ----------
    price : the oracle's price now. high : upper edge of the band.
    """
    low = high * (amplification - 1) // amplification
    if not x and not y:
        return 0
    middle = price**2 // low * price // high
    if (not x or not y) and price > high:
        return (y or x * WAD // middle) * high // band_ratio_root(amplification)
    if (not x or not y) and price < low:
        return x or y * middle // WAD
    start = _start(x, y, price, high, amplification)
    f = amplification * start * price // high * price // WAD
    g = (amplification - 1) * start * high // price
    product = (f + x) * (g + y)
    if price > high:
        return (max(product // f, g) - g) * high // band_ratio_root(amplification)
    if price < low:
        return max(product // g, f) - f
    left = amplification * start * (price - low) // price
    return max(product // (g + left), f) - f + left * isqrt(low * price) // WAD


def health(value: int, debt: int, discount_wad: int) -> int:
    """Controller._health without the part above the bands: below zero the position can be liquidated; of 18 decimals."""
    return _towards_zero(value * (WAD - discount_wad), debt) - WAD


def _start(x: int, y: int, price: int, high: int, amplification: int) -> int:
    """AMM._get_y0: the collateral of the band if it held nothing else and the price stood at its upper edge."""
    b = high * (amplification - 1) * x // price if x else 0
    b += amplification * price**2 // high * y // WAD if y else 0
    if not x or not y:
        return b * WAD // (amplification * price)
    root = isqrt(b**2 + (4 * amplification * price * y // WAD) * x)
    return (b + root) * WAD // (2 * amplification * price)


def _towards_zero(above: int, below: int) -> int:
    return above // below if above >= 0 else -(-above // below)
