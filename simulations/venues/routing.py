"""Which way a sale goes: every path of at most three pools between two assets, and the best one for an amount."""

from collections.abc import Iterator

from chain.units import WAD
from simulations.book import Book
from simulations.ledger import KEEPER, WORLD
from simulations.state import State
from simulations.venues.v2 import amount_out

MOST_HOPS = 3

Hop = tuple[int, bool]
Path = tuple[Hop, ...]


def paths(book: Book) -> dict[tuple[int, int], tuple[Path, ...]]:
    """(sold, bought) -> paths over pools without visiting an asset twice; a hop is (pool, sells the pool's first asset)."""
    edges: dict[int, list[tuple[int, Hop]]] = {}
    for number, pool in enumerate(book.pools):
        edges.setdefault(pool.asset0, []).append((pool.asset1, (number, True)))
        edges.setdefault(pool.asset1, []).append((pool.asset0, (number, False)))

    def walk(asset: int, seen: tuple[int, ...], path: Path) -> Iterator[tuple[int, Path]]:
        for target, hop in edges.get(asset, ()):
            if target not in seen:
                yield target, (*path, hop)
                if len(path) + 1 < MOST_HOPS:
                    yield from walk(target, (*seen, target), (*path, hop))

    found: dict[tuple[int, int], list[Path]] = {}
    for asset in edges:
        for target, path in walk(asset, (asset,), ()):
            found.setdefault((asset, target), []).append(path)
    return {pair: tuple(some) for pair, some in found.items()}


def quote(state: State, path: Path, amount_in: int) -> int:
    """What selling `amount_in` along a path returns at the pools' present reserves."""
    for pool, forward in path:
        reserve_in, reserve_out = (
            (state.pool0[pool], state.pool1[pool]) if forward else (state.pool1[pool], state.pool0[pool])
        )
        amount_in = amount_out(amount_in, reserve_in, reserve_out, state.book.pools[pool].fee_wad)
    return amount_in


def spot(state: State, path: Path) -> float:
    """Smallest units received for each one sold, fees paid, for an amount too small to move the pools."""
    price = 1.0
    for pool, forward in path:
        reserve_in, reserve_out = (
            (state.pool0[pool], state.pool1[pool]) if forward else (state.pool1[pool], state.pool0[pool])
        )
        price *= (1 - state.book.pools[pool].fee_wad / WAD) * reserve_out / reserve_in
    return price


def best(state: State, options: tuple[Path, ...], amount_in: int) -> tuple[int, Path]:
    """The largest return and its path; the first of equals."""
    return max(((quote(state, path, amount_in), path) for path in options), key=lambda found: found[0])


def sell(state: State, path: Path, amount_in: int, why: str = "sale") -> int:
    """Sell the keeper's tokens along a path; returns what was received. Changes pools and keeper and records every movement."""
    for pool, forward in path:
        amount_in = swap(state, pool, forward, amount_in, why)
    return amount_in


def swap(state: State, pool: int, forward: bool, amount_in: int, why: str) -> int:
    """One swap by the keeper (`why` = sale) or by the outside world (`why` = arbitrage)."""
    terms = state.book.pools[pool]
    inner, outer = (state.pool0, state.pool1) if forward else (state.pool1, state.pool0)
    sold, bought = (terms.asset0, terms.asset1) if forward else (terms.asset1, terms.asset0)
    received = amount_out(amount_in, inner[pool], outer[pool], terms.fee_wad)
    trader, purse = (WORLD, state.world) if why == "arbitrage" else (KEEPER, state.keeper)
    inner[pool] += amount_in
    outer[pool] -= received
    purse[sold] -= amount_in
    purse[bought] += received
    state.ledger.move("token", sold, trader, ("pool", pool), amount_in, why)
    state.ledger.move("token", bought, ("pool", pool), trader, received, why)
    return received


def outside_quote(state: State, sold: int, bought: int, amount_in: int) -> int:
    """What the outside world pays at market prices, for assets that trade in no pool of the book; rounded down."""
    assets, prices = state.book.assets, state.market_usd
    price_wad = int(prices[sold] / prices[bought] * WAD)
    return int(amount_in * price_wad * 10 ** assets[bought].decimals // (WAD * 10 ** assets[sold].decimals))


def sell_outside(state: State, sold: int, bought: int, amount_in: int) -> int:
    """Sell the keeper's tokens to the outside world at market prices."""
    received = outside_quote(state, sold, bought, amount_in)
    for asset, amount, source, target in ((sold, amount_in, KEEPER, WORLD), (bought, received, WORLD, KEEPER)):
        state.ledger.move("token", asset, source, target, amount, "outside sale")
        sign = 1 if target == KEEPER else -1
        state.keeper[asset] += sign * amount
        state.world[asset] -= sign * amount
    return received
