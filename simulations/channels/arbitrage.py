"""Between the pools and the outside world: arbitrage brings pools to market prices, and sales move market prices by what is passed through.

After a round of sales each pool states a relative price. The log deviations x of all assets from their market prices are the
depth-weighted least-squares solution of x0 - x1 = d over the pools, where d is the pool's deviation beyond its fee (inside the fee a
pool says nothing) and stablecoins are the numeraire (x = 0). The market price then moves by pass_through x (e^x - 1): pass_through is
the share of on-chain impact that the outside market does not absorb.
"""

import math
from fractions import Fraction

import numpy as np

from chain.units import WAD
from simulations.book import Book, FloatArray
from simulations.state import State
from simulations.venues.plan import Hop
from simulations.venues.routing import swap


def bring_pools_to_market(state: State) -> None:
    """Trade every pool to the market prices, as the outside world would; the world's holdings change, nothing is lost."""
    for number, pool in enumerate(state.book.pools):
        price0 = _raw_price(state, pool.asset0)
        price1 = _raw_price(state, pool.asset1)
        if price0 is None or price1 is None:
            continue
        ratio = price0 / price1
        for hop, price in ((Hop(number, 0, 1), ratio), (Hop(number, 1, 0), 1 / ratio)):
            sold = state.venues[number].sale_to_price(hop.sold, hop.bought, price)
            if sold:
                swap(state, hop, sold, "arbitrage")
                break


def pass_impact_through(state: State, pass_through: float) -> None:
    """Move market prices by the share of the pools' deviation that the outside does not absorb."""
    deviation = _deviations(state)
    state.market_usd = state.market_usd * (1 + pass_through * np.expm1(_spread(state.book, deviation)))


def _raw_price(state: State, asset: int) -> Fraction | None:
    """USD per smallest unit, exact for the float price; None where the price is unknown."""
    price = float(state.market_usd[asset])
    return Fraction(price) / 10 ** state.book.assets[asset].decimals if math.isfinite(price) and price > 0 else None


def _deviations(state: State) -> dict[int, float]:
    """Log deviation of each asset that trades in a pool from its market price."""
    rows, values, weights = [], [], []
    for number, pool in enumerate(state.book.pools):
        price0, price1 = _raw_price(state, pool.asset0), _raw_price(state, pool.asset1)
        if price0 is None or price1 is None or not state.pool0[number] or not state.pool1[number]:
            continue
        depth0, depth1 = float(state.pool0[number] * price0), float(state.pool1[number] * price1)
        stated = state.venues[number].spot(0, 1)
        if not stated:
            continue
        fee = -math.log1p(-pool.fee_wad / WAD)
        gap = math.log(stated * float(price1 / price0)) + fee
        rows.append((pool.asset0, pool.asset1))
        values.append(math.copysign(max(0.0, abs(gap) - fee), gap))
        weights.append(math.sqrt(depth0 + depth1))
    traded = sorted({asset for row in rows for asset in row})
    anchors = _anchors(state, rows, traded)
    free = [asset for asset in traded if asset not in anchors]
    if not free:
        return dict.fromkeys(traded, 0.0)
    column = {asset: number for number, asset in enumerate(free)}
    matrix = np.zeros((len(rows), len(free)))
    for number, (asset0, asset1) in enumerate(rows):
        if asset0 in column:
            matrix[number, column[asset0]] = weights[number]
        if asset1 in column:
            matrix[number, column[asset1]] = -weights[number]
    solution = np.linalg.lstsq(matrix, np.array(values) * np.array(weights), rcond=None)[0]
    return {asset: float(solution[column[asset]]) if asset in column else 0.0 for asset in traded}


def _anchors(state: State, rows: list[tuple[int, int]], traded: list[int]) -> set[int]:
    """Stablecoins; where a connected group of pools has none, its most pooled asset."""
    group = {asset: asset for asset in traded}

    def root(asset: int) -> int:
        while group[asset] != asset:
            asset = group[asset]
        return asset

    for asset0, asset1 in rows:
        group[root(asset0)] = root(asset1)
    anchors = {asset for asset in traded if state.book.assets[asset].kind == "stablecoin"}
    served = {root(asset) for asset in anchors}
    pooled = {asset: sum(asset in row for row in rows) for asset in traded}
    for name in sorted({root(asset) for asset in traded} - served):
        anchors.add(max((asset for asset in traded if root(asset) == name), key=lambda asset: (pooled[asset], -asset)))
    return anchors


def _spread(book: Book, deviation: dict[int, float]) -> FloatArray:
    """Deviation of every asset: its own where it trades, otherwise that of what it backs or is backed by."""
    known = dict(deviation)
    for claim, backing, _ in book.backings:
        if claim in deviation:
            known.setdefault(backing, deviation[claim])
    for claim, backing, _ in book.backings:
        if backing in known:
            known.setdefault(claim, known[backing])
    return np.array([known.get(asset, 0.0) for asset in range(len(book.assets))])
