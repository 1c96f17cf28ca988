"""Venues of several kinds in one run: what a book reads from the tables, how a sale is divided, and that every token is accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

import aftershock
from chain.units import WAD
from simulations.book import Book, Pool
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.channels import arbitrage
from simulations.health import capacity_usd
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import parse
from simulations.state import start
from simulations.venues import routing
from simulations.venues.from_tables import venue_of
from simulations.venues.plan import paths, single
from simulations.venues.ticks import sqrt_price_at, tick_at
from simulations.venues.v2 import ConstantProduct
from simulations.venues.v3 import Concentrated
from simulations.venues.weighted import Weighted
from tests.simulations.hand_made import book

POSITIONS = [
    row
    for number in range(20)
    for row in (
        (f"p{number}", "ETH", "collateral", 10.0 + number),
        (f"p{number}", "USDC", "debt", (1_380.0 + 10 * number) * (10.0 + number)),
    )
]
PRICES = {"ETH": 2_000.0, "USDC": 1.0}


def concentrated() -> Concentrated:
    """ETH/USDC at 2,000, between about 900 and 4,500, worth about a pool of 300 ETH and 600,000 USDC there."""
    root = int((2_000 * 1e-12) ** 0.5 * 2**96)
    tick = tick_at(root)
    low, high = (tick // 60 - 133) * 60, (tick // 60 + 133) * 60
    liquidity = int((300e18 * 600_000e6) ** 0.5)
    return Concentrated(root, tick, liquidity, 3_000, 60, (low, high), (liquidity, -liquidity))


def mixed() -> Book:
    """Three pools of ETH and USDC, one of each kind that a book can hold."""
    held = book(POSITIONS, PRICES, pool=(300.0, 600_000.0))
    (first,) = held.pools
    weighted = Weighted((400 * 10**18, 200_000 * 10**6), (WAD * 8 // 10, WAD * 2 // 10), (18, 6), 3 * 10**15)
    others = (
        Pool("file:pool/v3", first.asset0, first.asset1, 100 * 10**18, 200_000 * 10**6, 3 * 10**15, concentrated()),
        Pool("file:pool/weighted", first.asset0, first.asset1, 400 * 10**18, 200_000 * 10**6, 3 * 10**15, weighted),
    )
    return replace(held, pools=(first, *others))


def test_a_run_sells_in_every_kind_of_venue_and_loses_no_unit() -> None:
    """Both identities are checked after each round by the run itself; here: all three are sold into, at no worse terms than one alone."""
    result = run(mixed(), of_shocks([parse("ETH=-20%")], Assumptions(gas_usd=0.0, pass_through=0.5)))
    sold = {venue for step in result.rounds for venue in step.sales["pool"]}
    assert sold == {"file:pool/eth-usdc", "file:pool/v3", "file:pool/weighted"}
    assert result.liquidated_usd > 0


def test_what_a_pool_does_not_take_stays_with_the_keeper() -> None:
    """The only pool is a V3 pool that ends: it takes `most_in`, pays its last unit, and the ledger's balances say where the rest is."""
    held = mixed()
    state = start(replace(held, pools=(held.pools[1],)))
    ((_, route),) = [pair for pair in routing.routes(state.book).items() if pair[1].ways.direct[0].sold == 0]
    asset, offered = state.book.pools[0].asset0, 10**24
    state.keeper[asset] = offered
    most = state.venues[0].most_in(0, 1)
    plan = routing.best(state, route, offered)
    careless = start(state.book)
    routing.swap(careless, route.ways.direct[0], offered, "sale")
    assert careless.keeper[asset] == -most
    routing.sell(state, plan)
    assert 0 < most < offered
    assert (state.keeper[asset], plan.unsold_raw) == (offered - most, offered - most)
    assert state.pool0[0] == held.pools[1].reserve0 + most
    assert state.keeper[state.book.pools[0].asset1] == plan.received_raw == held.pools[1].reserve1 - state.pool1[0]
    assert routing.swap(state, route.ways.direct[0], offered, "sale") == 0
    assert state.keeper[asset] == offered - most


def test_every_kind_is_brought_to_the_market_price() -> None:
    state = start(mixed())
    state.market_usd = state.market_usd * [0.8 if asset.symbol == "ETH" else 1.0 for asset in state.book.assets]
    arbitrage.bring_pools_to_market(state)
    for venue in state.venues:
        assert venue.spot(0, 1) * 1e12 == pytest.approx(1_600, rel=4e-3)  # within the fee
        assert venue.sale_to_price(0, 1, 1_600e-12) < 10**14


def test_the_sample_sells_no_worse_than_along_its_best_single_path() -> None:
    state = start(from_graph(aftershock.graph(aftershock.load())))
    better = 0
    for pair, route in routing.routes(state.book).items():
        for share in (0.001, 0.05, 0.5):
            number = next(n for n, pool in enumerate(state.book.pools) if pair[0] in (pool.asset0, pool.asset1))
            pool = state.book.pools[number]
            amount = int(share * (pool.reserve0 if pool.asset0 == pair[0] else pool.reserve1))
            alone = max(single(state.venues, path, amount).received_raw for path in (*paths(route.ways), *route.long))
            plan = routing.best(state, route, amount)
            assert plan.received_raw >= alone
            better += plan.received_raw > alone * 1.0001
    assert better > 10


def test_capacity_of_a_concentrated_pool_is_that_of_the_constant_product_pool_it_is_made_of() -> None:
    """Inside one range a concentrated pool is a constant-product pool of its virtual reserves: the closed form is the oracle.

    The fees differ in where they stay, which moves the average price by less than the fee times the impact.
    """
    held = mixed()
    first, second, _ = held.pools
    alone = capacity_usd(replace(held, pools=(first,)), "ETH")
    assert alone > 0
    assert capacity_usd(replace(held, pools=(second,)), "ETH") == pytest.approx(alone, rel=1e-2)


@dataclass(frozen=True)
class Row:
    """Columns of a table row by name."""

    columns: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.columns.get(name)


def read(kind: str, sides: Sequence[Mapping[str, Any]], ticks: Sequence[Mapping[str, Any]] = (), **pool: Any) -> Any:
    terms = Row({"kind": kind, "fee_wad": 3 * 10**15, **pool})
    return venue_of(terms, [Row(side) for side in sides], [Row(tick) for tick in ticks], (18, 6))


def test_what_the_tables_say_becomes_a_venue() -> None:
    sides = [{"reserve_raw": 5, "weight_wad": WAD // 4}, {"reserve_raw": 7, "weight_wad": WAD * 3 // 4}]
    assert read("constant_product", sides) == ConstantProduct((5, 7), 3 * 10**15)
    assert read("weighted", sides) == Weighted((5, 7), (WAD // 4, WAD * 3 // 4), (18, 6), 3 * 10**15)
    ticks = [{"tick": 120, "liquidity_net_raw": -9}, {"tick": -60, "liquidity_net_raw": 9}]
    state = {"sqrt_price_x96": sqrt_price_at(3), "tick": 3.0, "liquidity_raw": 9, "tick_spacing": 60.0}
    assert read("concentrated", sides, ticks, **state) == Concentrated(
        sqrt_price_at(3), 3, 9, 3_000, 60, (-60, 120), (9, -9)
    )
    assert read("stableswap", sides) is None
    assert read("constant_product", [*sides, sides[0]]) is None
