"""From the rows of a snapshot to a venue: what each kind of pool needs, and which roundings it has (`pools.revision`).

A weighted or stableswap pool may have any number of assets; a book takes those of two.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from chain.units import WAD
from simulations.venues.balancer_stable import AMPLIFICATION_UNIT, BalancerStable
from simulations.venues.stableswap import FEE_UNIT, StableSwap
from simulations.venues.v2 import ConstantProduct
from simulations.venues.v3 import PIPS, Concentrated
from simulations.venues.venue import Venue
from simulations.venues.weighted import Weighted

WEIGHTED_WITHOUT_SHORTCUTS = "balancer_weighted_1"
BALANCER_STABLE = "balancer_stable"
CURVE_PLAIN = "curve_plain"


def venue_of(pool: Any, sides: Sequence[Any], ticks: Sequence[Any], decimals: Sequence[int]) -> Venue | None:
    """The venue of one pool, or None where no record here prices such a pool, or it refuses swaps.

    Parameters
    ----------
    pool : row of `pools`.
    sides : its rows of `pool_assets`, in the order of their slots.
    ticks : its rows of `pool_ticks`, in any order.
    decimals : of the assets, in the order of the slots.
    """
    if len(sides) < 2 or (pd.notna(pool.paused) and pool.paused):
        return None
    reserves = tuple(side.reserve_raw for side in sides)
    if pool.kind == "constant_product" and len(sides) == 2:
        return ConstantProduct((reserves[0], reserves[1]), pool.fee_wad)
    if pool.kind == "weighted":
        weights = tuple(side.weight_wad for side in sides)
        return Weighted(reserves, weights, tuple(decimals), pool.fee_wad, pool.revision != WEIGHTED_WITHOUT_SHORTCUTS)
    if pool.kind == "stableswap":
        return _stableswap(pool, reserves, tuple(side.rate_raw for side in sides))
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


def _stableswap(pool: Any, reserves: tuple[int, ...], rates: tuple[int | None, ...]) -> Venue | None:
    """None where the amplification's unit or a rate was not read, or the contract has roundings that no record here has."""
    known = tuple(rate for rate in rates if rate is not None)
    if len(known) < len(reserves) or pool.amplification_unit_raw is None:
        return None
    if pool.revision == BALANCER_STABLE and pool.amplification_unit_raw == AMPLIFICATION_UNIT:
        return BalancerStable(reserves, known, pool.amplification_raw, pool.fee_wad)
    if pool.revision == CURVE_PLAIN:
        unit = WAD // FEE_UNIT
        admin = (pool.admin_fee_wad or 0) // unit
        return StableSwap(
            reserves, known, pool.amplification_raw, pool.fee_wad // unit, admin, pool.amplification_unit_raw
        )
    return None
