"""Which way a sale goes in a run: split over all venues and one asset in between, or along one path of three pools if that brings more."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from chain.units import WAD
from simulations.book import Book
from simulations.ledger import KEEPER, WORLD
from simulations.state import State
from simulations.venues.plan import Hop, Plan, Ways, paths, single
from simulations.venues.split import gain, split
from simulations.venues.split import spot as spot_of_ways
from simulations.venues.split import surplus as surplus_of_ways

MOST_HOPS = 3
MARGIN = 1e-9

Path = tuple[Hop, ...]


@dataclass(frozen=True)
class Route:
    """All ways from one asset to another: over venues and at most one asset in between (`ways`), and along three pools (`long`)."""

    ways: Ways
    long: tuple[Path, ...]


def routes(book: Book) -> dict[tuple[int, int], Route]:
    """(sold, bought) -> route."""
    found = {}
    for (sold, bought), some in _paths(book).items():
        between: dict[int, tuple[dict[Hop, None], dict[Hop, None]]] = {}
        for path in some:
            if len(path) == 2:
                first, second = between.setdefault(_bought(book, path[0]), ({}, {}))
                first[path[0]] = second[path[1]] = None
        ways = Ways(
            tuple(path[0] for path in some if len(path) == 1),
            tuple((tuple(first), tuple(second)) for first, second in between.values()),
        )
        found[sold, bought] = Route(ways, tuple(path for path in some if len(path) == MOST_HOPS))
    return found


def _paths(book: Book) -> dict[tuple[int, int], list[Path]]:
    """(sold, bought) -> paths of at most three pools that visit no asset twice."""
    edges: dict[int, list[tuple[int, Hop]]] = {}
    for number, pool in enumerate(book.pools):
        edges.setdefault(pool.asset0, []).append((pool.asset1, Hop(number, 0, 1)))
        edges.setdefault(pool.asset1, []).append((pool.asset0, Hop(number, 1, 0)))

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
    return found


def _bought(book: Book, hop: Hop) -> int:
    pool = book.pools[hop.venue]
    return (pool.asset0, pool.asset1)[hop.bought]


def best(state: State, route: Route, amount_in: int) -> Plan:
    """The plan that brings most at the venues' present state; no steps where nothing can be sold."""
    plan = split(state.venues, route.ways, amount_in)
    for path in route.long:
        other = single(state.venues, path, amount_in)
        if other.received_raw > plan.received_raw:
            plan = other
    return plan


def along_one_path(state: State, route: Route, amount_in: int) -> Plan:
    """The best path for the whole amount: at most what `best` brings, and much cheaper to find."""
    some = [*paths(route.ways), *route.long]
    return max((single(state.venues, path, amount_in) for path in some), key=lambda plan: plan.received_raw)


def surplus(state: State, route: Route, price: float) -> float:
    """At least what `best` brings, for any amount, beyond `price` for each unit sold.

    Of three pools in a row, one is sold into as it is and the others pay their present price for any amount, whichever bounds it best.
    """
    bounds = [surplus_of_ways(state.venues, route.ways, price)]
    for path in route.long:
        spots = [state.venues[hop.venue].spot(hop.sold, hop.bought) for hop in path]
        if prod(spots) * (1 + MARGIN) > price:
            after = [prod(spots[number + 1 :]) for number in range(len(path))]
            others = [prod(spots[:number]) * after[number] for number in range(len(path))]
            bounds.append(
                min(
                    last * gain(state.venues, (hop,), price / other) if other else 0.0
                    for hop, last, other in zip(path, after, others, strict=True)
                )
            )
    return max(bounds)


def spot(state: State, route: Route) -> float:
    """Smallest units received for each one sold on the best path, fees paid, for an amount too small to move the venues."""
    return max((spot_of_ways(state.venues, route.ways), *(_spot_along(state, path) for path in route.long)))


def _spot_along(state: State, path: Path) -> float:
    price = 1.0
    for hop in path:
        price *= state.venues[hop.venue].spot(hop.sold, hop.bought)
    return price


def sell(state: State, plan: Plan, why: str = "sale") -> None:
    """Carry out a plan with the keeper's tokens. Changes venues and keeper and records every movement."""
    for hop, amount, _ in plan.steps:
        swap(state, hop, amount, why)


def swap(state: State, hop: Hop, amount_in: int, why: str) -> int:
    """One swap by the keeper (`why` = sale) or by the outside world (`why` = arbitrage); nothing is sold for nothing.

    What the venue does not take is not moved: it stays with the seller.
    """
    pool, venue = state.book.pools[hop.venue], state.venues[hop.venue]
    amount_in = min(amount_in, venue.most_in(hop.sold, hop.bought))
    after, received = venue.apply(hop.sold, hop.bought, amount_in)
    if not received:
        return 0
    state.venues[hop.venue] = after
    held = state.pool0, state.pool1
    assets = pool.asset0, pool.asset1
    held[hop.sold][hop.venue] += amount_in
    held[hop.bought][hop.venue] -= received
    trader, purse = (WORLD, state.world) if why == "arbitrage" else (KEEPER, state.keeper)
    purse[assets[hop.sold]] -= amount_in
    purse[assets[hop.bought]] += received
    state.ledger.move("token", assets[hop.sold], trader, ("pool", hop.venue), amount_in, why)
    state.ledger.move("token", assets[hop.bought], ("pool", hop.venue), trader, received, why)
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
