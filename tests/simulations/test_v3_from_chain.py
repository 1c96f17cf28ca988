"""Uniswap V3 pools that were read from a chain, in the simulator's book: what they pay is what Uniswap's own quoter says, and they can be sold into."""

import random
from collections.abc import Iterator

import pytest
from web3.contract import Contract

import aftershock
from chain.reading import take
from chain.units import address_of
from graph.protocol_graph import ProtocolGraph
from simulations.book_of_graph import from_graph
from simulations.venues.v3 import Concentrated
from tests.devnet.uniswap_v3 import GAS, published
from tests.devnet.uniswap_v3_exchange import Exchange, deploy_exchange
from tests.devnet.world import World

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def read(devnet_world: World) -> Iterator[tuple[ProtocolGraph, Exchange, Contract]]:
    """The graph of a world with V3 pools, and a quoter at the same block."""
    with devnet_world.undone():
        exchange = deploy_exchange(devnet_world)
        quoter = devnet_world.ledger.deploy(
            published("QuoterV2"), exchange.factory.address, devnet_world.tokens["WETH"].address
        )
        yield aftershock.graph(take(devnet_world.url, exchange.deployments, "latest")), exchange, quoter


def test_a_pool_that_was_read_pays_what_the_quoter_says(read: tuple[ProtocolGraph, Exchange, Contract]) -> None:
    graph, exchange, quoter = read
    book, rng, compared = from_graph(graph), random.Random(3), 0
    own = {pool.address.lower() for pool in exchange.pools.values()}
    keys = sorted(set(graph.snapshot["assets"]["asset"]))
    for pool in book.pools:
        if not isinstance(pool.venue, Concentrated):
            continue
        assert address_of(pool.key) in own
        ends = [address_of(keys[asset]) for asset in (pool.asset0, pool.asset1)]
        for _ in range(12):
            sold = rng.randrange(2)
            amount = max(1, int((pool.reserve0, pool.reserve1)[sold] * 10 ** rng.uniform(-6, 1)))
            tokens = [ends[sold], ends[1 - sold]]
            request = (*(quoter.w3.to_checksum_address(token) for token in tokens), amount, pool.fee_wad // 10**12, 0)
            out = quoter.functions.quoteExactInputSingle(request).call({"gas": GAS})[0]
            assert pool.venue.quote(sold, 1 - sold, amount) == out
            compared += 1
    assert compared == 12 * len(own)


def test_a_cascade_sells_into_pools_that_were_read(read: tuple[ProtocolGraph, Exchange, Contract]) -> None:
    graph = read[0]
    result = aftershock.simulate(graph, shocks=["ETH=-40%"])
    concentrated = set(graph.snapshot["pools"].query("kind == 'concentrated'")["pool"])
    sold_in = {pool for step in result.rounds for pool in step.sales["pool"]}
    assert sold_in & concentrated
    assert result.identities.worst_residual_ratio < 1e-9
