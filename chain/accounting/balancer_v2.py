"""What Balancer V2 says about a pool as a whole, from its balances: the invariant of weighted pools.

Source: balancer/balancer-v2-monorepo, commit 316ded078ddc2f1b28da5804d25752af67453435, pkg/pool-weighted/contracts/WeightedMath.sol
(_calculateInvariant). The contract takes powers by a series that is good to 1e-14 and rounds each down; here they are exact to 40 digits.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext

from chain.units import WAD

DIGITS = 40


def weighted_invariant(balances: Sequence[int], rates: Sequence[int], weights_wad: Sequence[int]) -> Decimal:
    """Product of balance**weight, in 18 decimals; `rates` scale each balance to 18 decimals (1e-18)."""
    with localcontext() as context:
        context.prec = DIGITS
        product = Decimal(WAD)
        for balance, rate, weight in zip(balances, rates, weights_wad, strict=True):
            product *= (Decimal(balance * rate // WAD) / WAD) ** (Decimal(weight) / WAD)
        return product
