"""Constant-product pools (Uniswap V2): what a sale returns, and the trade that brings a pool to a price.

Source: UniswapV2Library.getAmountOut, the invariant check in UniswapV2Pair.swap and the bound of reserves in UniswapV2Pair._update (v2-core
1.0.1, v2-periphery 1.1.0-beta.0).
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import isqrt, sqrt

from chain.units import WAD

MOST_RESERVE = 2**112 - 1  # UniswapV2Pair._update: "UniswapV2: OVERFLOW"


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


@dataclass(frozen=True)
class ConstantProduct:
    """A pool of two assets: raw reserves, fee in 1e-18 of the amount in."""

    reserves: tuple[int, int]
    fee_wad: int

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """What the router says, also beyond what the pair can hold; 0 for an empty pool."""
        return amount_out(amount_raw, self.reserves[sold], self.reserves[bought], self.fee_wad)

    def most_in(self, sold: int, bought: int) -> int:
        """Until the pair's 112 bits are full: no limit in practice; an empty pool takes nothing."""
        return max(0, MOST_RESERVE - self.reserves[sold]) if all(self.reserves) and sold != bought else 0

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid; 0 for an empty pool."""
        if not self.reserves[sold]:
            return 0.0
        return (1 - self.fee_wad / WAD) * self.reserves[bought] / self.reserves[sold]

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["ConstantProduct", int]:
        """The pool after the sale, and what was received; nothing is sold for nothing."""
        received = self.quote(sold, bought, amount_raw)
        if not received or amount_raw > self.most_in(sold, bought):
            return self, 0
        reserves = list(self.reserves)
        reserves[sold] += amount_raw
        reserves[bought] -= received
        return replace(self, reserves=(reserves[0], reserves[1])), received

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """The size after which the marginal price, fee paid, is `price`."""
        numerator, denominator = price.as_integer_ratio()
        amount = amount_in_to_price(self.reserves[sold], self.reserves[bought], self.fee_wad, numerator, denominator)
        return min(amount, self.most_in(sold, bought))

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """The same closed form in floats."""
        held, other, kept = float(self.reserves[sold]), float(self.reserves[bought]), 1 - self.fee_wad / WAD
        paid = sqrt(kept * held * other / price) - held
        if paid <= 0 or held <= 0:
            return 0.0, 0.0
        paid = min(paid, kept * (MOST_RESERVE - held))
        return paid / kept, other * paid / (held + paid)
