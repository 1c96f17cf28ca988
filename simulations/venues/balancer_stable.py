"""Stable pools of Balancer V2: the stableswap invariant, with the fee taken from what is sold and each rounding against the seller.

Source: balancer/balancer-v2-monorepo, commit 316ded078ddc2f1b28da5804d25752af67453435: BaseGeneralPool._swapGivenIn (pkg/pool-utils),
ComposableStablePool._onRegularSwap and StableMath._calcOutGivenIn (pkg/pool-stable). A pool's own share is none of its assets here: what
goes in or out as shares is a join or an exit. The curve in floats is that of `stableswap.py` without its fee.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from chain.accounting.stableswap import balance_for_rounded_up
from chain.errors import ConvergenceError
from chain.units import WAD
from simulations.venues.fixed_power import multiply_up
from simulations.venues.stableswap import StableSwap

AMPLIFICATION_UNIT = 1000
MOST_IN_VAULT = 2**112 - 1
"""The vault keeps a balance in 112 bits (pkg/vault/contracts/balances/BalanceAllocation.sol)."""


@dataclass(frozen=True)
class BalancerStable:
    """A pool: balances in smallest units, scaling factors (18 decimals and the rates of its providers in one, 1e-18), A in 1e-3, fee in 1e-18."""

    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amplification: int
    fee_wad: int

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """What the vault pays; 0 where the pool refuses: an empty side, balances that do not settle."""
        return max(0, self._sale(sold, bought, amount_raw))

    def most_in(self, sold: int, bought: int) -> int:
        """What the vault's 112 bits have room for; 0 where the pool refuses every sale."""
        return MOST_IN_VAULT - self.balances[sold] if self._curve.most_in(sold, bought) else 0

    def spot(self, sold: int, bought: int) -> float:
        """Marginal price, fee paid."""
        return self._curve.spot(sold, bought) * self._kept

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["BalancerStable", int]:
        """The pool after the sale, and what was received; the whole fee stays in the pool until somebody joins or leaves."""
        received = self._sale(sold, bought, amount_raw)
        if received < 0:
            return self, 0
        balances = list(self.balances)
        balances[sold] += amount_raw
        balances[bought] -= received
        return replace(self, balances=tuple(balances)), received

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """Where the derivative of the invariant meets the price; to float precision."""
        return min(self.most_in(sold, bought), int(self.down_to(sold, bought, float(price))[0]))

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """The same in floats: of the curve without a fee, at the price that is left of its own after the fee."""
        paid, received = self._curve.down_to(sold, bought, price / self._kept)
        return paid / self._kept, received

    def _sale(self, sold: int, bought: int, amount_raw: int) -> int:
        """What comes out; negative where the pool or the vault refuses."""
        if amount_raw <= 0 or amount_raw > self.most_in(sold, bought):
            return -1
        scaled = list(self._curve.scaled)
        scaled[sold] += (amount_raw - multiply_up(amount_raw, self.fee_wad)) * self.rates[sold] // WAD
        try:
            left = balance_for_rounded_up(scaled, bought, self._curve.invariant, self.amplification, AMPLIFICATION_UNIT)
        except ConvergenceError:
            return -1
        out = scaled[bought] - left - 1
        return out * WAD // self.rates[bought] if out >= 0 else -1

    @property
    def _kept(self) -> float:
        return 1 - self.fee_wad / WAD

    @cached_property
    def _curve(self) -> StableSwap:
        return StableSwap(self.balances, self.rates, self.amplification, fee=0, a_precision=AMPLIFICATION_UNIT)
