"""Constant-product pools (Uniswap V2): what a sale returns, and the trade that brings a pool to a price.

Source: UniswapV2Library.getAmountOut and the invariant check in UniswapV2Pair.swap (v2-core 1.0.1, v2-periphery 1.1.0-beta.0).
"""

from math import isqrt

from chain.units import WAD


def amount_out(amount_in: int, reserve_in: int, reserve_out: int, fee_wad: int) -> int:
    """Smallest units received for `amount_in`, rounded down as the router does; 0 for an empty pool or amount.

    out = in (1 - f) R_out / (R_in + in (1 - f)), fee f taken from the amount in.
    """
    kept = amount_in * (WAD - fee_wad)
    if kept <= 0 or reserve_in <= 0 or reserve_out <= 0:
        return 0
    return kept * reserve_out // (reserve_in * WAD + kept)


def amount_in_to_price(
    reserve_in: int, reserve_out: int, fee_wad: int, price_numerator: int, price_denominator: int
) -> int:
    """How much an arbitrageur sells into the pool when one smallest unit of the asset in is worth
    `price_numerator / price_denominator` smallest units of the asset out elsewhere; 0 if selling does not pay.

    Maximises out(x) - price x: with g = 1 - f the optimum is x = (sqrt(g R_in R_out / price) - R_in) / g. After it the marginal price,
    fee included, equals the outside price; within the fee on either side of it no trade pays.
    """
    kept = WAD - fee_wad
    root = isqrt(kept * reserve_in * reserve_out * price_denominator // (price_numerator * WAD))
    return max(0, (root - reserve_in) * WAD // kept)
