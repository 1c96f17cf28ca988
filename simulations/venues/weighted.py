"""Weighted pools (Balancer V2): what a sale returns when each asset has its own weight in the product.

Source: WeightedMath._calcOutGivenIn, BaseMinimalSwapInfoPool.onSwap, BasePool._upscale in balancer/balancer-v2-monorepo (directories
pkg/pool-weighted and pkg/pool-utils); powers in `fixed_power.py`. Deployed code: @balancer-labs/v2-deployments 3.2.0.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import expm1, log, log1p

from chain.units import WAD
from simulations.venues.fixed_power import divide_up, multiply_up, power_up
from simulations.venues.venue import require_slots

MOST_IN_WAD = 3 * 10**17  # of the balance of the asset sold; the pool refuses more (MAX_IN_RATIO)
MOST_GROWTH = log1p(MOST_IN_WAD / WAD)


@dataclass(frozen=True)
class Weighted:
    """A pool of two to eight (later fifty) assets: balances in smallest units, weights (1e-18, together 1), decimals, fee (1e-18).

    `shortcuts` says whether the pool multiplies exponents 1, 2 and 4 out (from task 20220908-weighted-pool-v2 on) or not (20210418).
    """

    balances: tuple[int, ...]
    weights_wad: tuple[int, ...]
    decimals: tuple[int, ...]
    fee_wad: int
    shortcuts: bool = True

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """out = B_out (1 - (B_in / (B_in + in (1 - f)))**(w_in / w_out)), rounded against the seller at each step; 0 if refused."""
        return self._sale(sold, bought, amount_raw) or 0

    def _sale(self, sold: int, bought: int, amount_raw: int) -> int | None:
        """What the sale brings, None where the pool refuses it (a sale may bring nothing and be taken all the same)."""
        require_slots(sold, bought, len(self.balances))
        if amount_raw <= 0 or not all(self.balances):
            return None
        scale_in, scale_out = (10 ** (18 - self.decimals[slot]) for slot in (sold, bought))
        balance_in, balance_out = self.balances[sold] * scale_in, self.balances[bought] * scale_out
        kept = (amount_raw - multiply_up(amount_raw, self.fee_wad)) * scale_in
        if kept > balance_in * MOST_IN_WAD // WAD:
            return None
        exponent = self.weights_wad[sold] * WAD // self.weights_wad[bought]
        left = power_up(divide_up(balance_in, balance_in + kept), exponent, self.shortcuts)
        return int(balance_out * max(0, WAD - left) // WAD // scale_out)

    def most_in(self, sold: int, bought: int) -> int:
        """The largest amount that is, after the fee, at most 30 % of the balance."""
        require_slots(sold, bought, len(self.balances))
        scale = 10 ** (18 - self.decimals[sold])
        most_kept = self.balances[sold] * scale * MOST_IN_WAD // WAD // scale
        return ((most_kept + 1) * WAD - 1) // (WAD - self.fee_wad) if all(self.balances) else 0

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid: (B_out / w_out) / (B_in / w_in) (1 - f)."""
        require_slots(sold, bought, len(self.balances))
        if not all(self.balances):
            return 0.0
        worth = self.balances[bought] * self.weights_wad[sold] / (self.balances[sold] * self.weights_wad[bought])
        return (1 - self.fee_wad / WAD) * worth

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["Weighted", int]:
        """The pool after the sale, and what was received."""
        received = self._sale(sold, bought, amount_raw)
        if received is None:
            return self, 0
        balances = list(self.balances)
        balances[sold] += amount_raw
        balances[bought] -= received
        return replace(self, balances=tuple(balances)), received

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """Where the derivative of the formula meets the price, or the most that the pool accepts; to float precision."""
        most = self.most_in(sold, bought)
        if self._growth(sold, bought, float(price)) >= MOST_GROWTH:
            return most
        return min(most, int(self.down_to(sold, bought, float(price))[0]))

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """The same in floats, and the formula for that much."""
        growth = self._growth(sold, bought, price)
        paid = self.balances[sold] * expm1(growth) / (1 - self.fee_wad / WAD)
        return paid, -self.balances[bought] * expm1(-self.weights_wad[sold] / self.weights_wad[bought] * growth)

    def _growth(self, sold: int, bought: int, price: float) -> float:
        """Logarithm by which the balance sold grows: that of (spot / price)**(1 / (1 + w_in / w_out)), at most that of 1.3."""
        here = self.spot(sold, bought)
        if here <= price:
            return 0.0
        return min(log(here / price) / (1 + self.weights_wad[sold] / self.weights_wad[bought]), MOST_GROWTH)
