"""Balancer V2 pools that were read from a chain, in the simulator's book; what they pay is compared in `tests/chain/test_readers_balancer_v2.py`."""

from collections.abc import Iterator

import pytest

import aftershock
from chain.reading import take
from chain.units import WAD
from graph.protocol_graph import ProtocolGraph
from simulations.book_of_graph import from_graph
from simulations.venues.balancer_stable import BalancerStable
from tests.devnet.balancer_v2_market import Market, deploy_market
from tests.devnet.world import World
from tests.simulations import venue_laws


@pytest.fixture(scope="module")
def read(devnet_world: World) -> Iterator[tuple[ProtocolGraph, Market]]:
    with devnet_world.undone():
        market = deploy_market(devnet_world)
        yield aftershock.graph(take(devnet_world.url, market.deployments, "latest")), market


@pytest.mark.devnet
@pytest.mark.verify
def test_they_are_pools_of_the_book_and_are_sold_into(read: tuple[ProtocolGraph, Market]) -> None:
    graph, market = read
    keys = {pool.key for pool in from_graph(graph).pools}
    own = {name: f"eip155:31337:{str(at.address).lower()}" for name, at in market.contracts.items()}
    assert {name for name, key in own.items() if key not in keys} == {"three"}, "a book takes pools of two assets"
    result = aftershock.simulate(graph, shocks=["ETH=-40%"])
    assert {pool for step in result.rounds for pool in step.sales["pool"]} & set(own.values())
    assert result.identities.worst_residual_ratio < 1e-9


@pytest.mark.parametrize("fee", [0, 4 * 10**14, 10**17])
def test_laws(fee: int) -> None:
    pool = BalancerStable((3 * 10**24, 2 * 10**12), (WAD, 10**30), 200_000, fee)
    amount, extra = 10**22, 7 * 10**22
    venue_laws.nothing_is_gained_by_going_back(pool, 0, 1, amount)
    venue_laws.more_never_brings_less(pool, 0, 1, amount, extra)
    kept = pool.quote(0, 1, amount) * fee // WAD
    venue_laws.parts_make_the_whole(pool, 0, 1, amount, extra, above=kept + 10**3, below=kept + 10**3)
    venue_laws.price_is_met(pool, 0, 1, 0.99, 1e-3 if fee else 1e-6)
    if not fee:
        venue_laws.the_search_agrees(pool, 0, 1, 0.99, 1e-6)
