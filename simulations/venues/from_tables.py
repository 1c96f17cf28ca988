"""From the rows of a snapshot to a venue: which pools of two assets a book can hold, and what each needs.

A stableswap pool is not among them yet: the tables do not say in which unit its contract stores the amplification.
"""

from collections.abc import Sequence
from typing import Any

from chain.units import WAD
from simulations.venues.v2 import ConstantProduct
from simulations.venues.v3 import PIPS, Concentrated
from simulations.venues.venue import Venue
from simulations.venues.weighted import Weighted


def venue_of(pool: Any, sides: Sequence[Any], ticks: Sequence[Any], decimals: Sequence[int]) -> Venue | None:
    """The venue of one pool, or None where no record here prices such a pool.

    Parameters
    ----------
    pool : row of `pools`.
    sides : its rows of `pool_assets`, in the order of their slots.
    ticks : its rows of `pool_ticks`, in any order.
    decimals : of the assets, in the order of the slots.
    """
    if len(sides) != 2:
        return None
    reserves = (sides[0].reserve_raw, sides[1].reserve_raw)
    if pool.kind == "constant_product":
        return ConstantProduct(reserves, pool.fee_wad)
    if pool.kind == "weighted":
        return Weighted(reserves, tuple(side.weight_wad for side in sides), tuple(decimals), pool.fee_wad)
    if pool.kind == "concentrated":
        order = sorted(ticks, key=lambda row: int(row.tick))
        return Concentrated(
            sqrt_price_x96=pool.sqrt_price_x96,
            tick=int(pool.tick),
            liquidity=pool.liquidity_raw,
            fee_pips=pool.fee_wad * PIPS // WAD,
            tick_spacing=int(pool.tick_spacing),
            ticks=tuple(int(row.tick) for row in order),
            nets=tuple(row.liquidity_net_raw for row in order),
        )
    return None
