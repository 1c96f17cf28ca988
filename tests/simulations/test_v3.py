"""Concentrated liquidity: against the deployed pool, router and quoter to the last unit, against high precision, and by its laws."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.contract import Contract
from web3.logs import DISCARD

from chain.errors import InputError
from simulations.venues.ticks import MAX_TICK, MIN_SQRT_PRICE, sqrt_price_at, tick_at
from simulations.venues.v3 import Concentrated, swap
from tests.devnet import uniswap_v3
from tests.devnet.availability import require_devnet
from tests.devnet.node import Node
from tests.simulations import venue_laws

FAR_AHEAD = 2**40
SHAPES = ((500, 10), (3_000, 60), (10_000, 200))
QUICK, LONG = 90, 2_000


@dataclass(frozen=True)
class Deployed:
    exchange: uniswap_v3.UniswapV3
    pool: Contract
    tokens: list[Contract]
    bounds: list[int]
    fee: int

    def read(self) -> Concentrated:
        return uniswap_v3.read(self.pool, self.bounds)


@pytest.fixture(scope="module")
def pools() -> Iterator[list[Deployed]]:
    """Three pools of the three common fees: wide and narrow positions, single ticks, gaps without any liquidity, odd prices."""
    require_devnet()
    rng = random.Random(11)
    with Node() as node:
        exchange = uniswap_v3.deploy_uniswap_v3(node)
        made = []
        for number, (fee, spacing) in enumerate(SHAPES):
            tokens = uniswap_v3.mintable(exchange.ledger, [("A", 18), ("B", 6 if number else 18)])
            middle = rng.randrange(-200, 200) * spacing * 5
            ranges = []
            for _ in range(12):
                low = middle + rng.randrange(-400, 380) * spacing
                ranges.append((low, low + rng.choice([1, 3, 20, 200, 700]) * spacing, int(10 ** rng.uniform(15, 24))))
            price = sqrt_price_at(middle) + rng.randrange(10**6)
            ranges.append((middle - 50 * spacing, middle + 70 * spacing, 10**23))
            pool = exchange.pool(tokens, fee, price, ranges)
            made.append(Deployed(exchange, pool, tokens, [tick for one in ranges for tick in one[:2]], fee))
        yield made


@pytest.mark.devnet
@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_every_quote_is_the_quoters_to_the_wei(pools: list[Deployed], count: int) -> None:
    """Amount out and price after, sizes from a billionth of what lies at the price to far more than the pool can take.

    The quoter's count of crossed ticks is not compared: it counts a tick at the start or end of the way that the pool does not cross.
    """
    rng = random.Random(count)
    crossing = drained = 0
    for deployed in pools:
        ours = deployed.read()
        for _ in range(count // len(pools)):
            forward = rng.random() < 0.5
            root = ours.sqrt_price_x96 / 2**96
            amount = max(1, int(ours.liquidity * (1 / root if forward else root) * 10 ** rng.uniform(-9, 3)))
            ends = deployed.tokens if forward else deployed.tokens[::-1]
            request = (ends[0].address, ends[1].address, amount, deployed.fee, 0)
            out, price, *_ = deployed.exchange.quoter.functions.quoteExactInputSingle(request).call(
                {"gas": uniswap_v3.GAS}
            )
            done = swap(ours, forward, amount)
            assert (done.received_raw, done.after.sqrt_price_x96) == (out, price)
            crossing += done.crossed > 0
            drained += done.used_raw < amount
    assert crossing > count / 4
    assert drained > count / 20


@pytest.mark.devnet
def test_swaps_one_after_the_other_leave_the_pool_as_ours(pools: list[Deployed]) -> None:
    """Twenty swaps a pool through the router: what was paid and received, and slot0 and liquidity after each."""
    rng = random.Random(4)
    ended = 0
    for deployed in pools:
        exchange, ours = deployed.exchange, deployed.read()
        with uniswap_v3.undone(exchange.ledger.node):
            for number in range(20):
                forward = ours.tick > 0 if number % 7 == 6 else rng.random() < 0.5
                amount = int(10 ** rng.uniform(0, 27)) if number % 7 != 6 else 10**45
                done = swap(ours, forward, amount)
                if not done.used_raw:
                    continue
                ends = deployed.tokens if forward else deployed.tokens[::-1]
                order = (
                    ends[0].address,
                    ends[1].address,
                    deployed.fee,
                    exchange.ledger.deployer,
                    FAR_AHEAD,
                    amount,
                    0,
                    0,
                )
                exchange.ledger.call("swap", exchange.router, "exactInputSingle", order, gas=uniswap_v3.GAS)
                mined = exchange.ledger.mine()[0]
                receipt = exchange.ledger.node.w3.eth.get_transaction_receipt(mined["transactionHash"])
                event = deployed.pool.events.Swap().process_receipt(receipt, errors=DISCARD)[0]["args"]
                moved = (event["amount0"], event["amount1"]) if forward else (event["amount1"], event["amount0"])
                assert moved == (done.used_raw, -done.received_raw)
                assert moved[0] == min(
                    amount, ours.most_in(*((0, 1) if forward else (1, 0)))
                )  # the router leaves the rest
                ended += moved[0] < amount
                ours = done.after
                slot0 = deployed.pool.functions.slot0().call()
                assert [ours.sqrt_price_x96, ours.tick] == slot0[:2]
                assert ours.liquidity == deployed.pool.functions.liquidity().call()
    assert ended > 3


def test_ticks_are_powers_of_the_base_in_high_precision() -> None:
    with localcontext() as context:
        context.prec = 90
        for tick in (*range(-20, 21), -MAX_TICK, MAX_TICK, 123_456, -345_678, 700_001):
            exact = Decimal("1.0001") ** (Decimal(tick) / 2) * 2**96
            assert abs(sqrt_price_at(tick) - exact) <= 2 + exact / 10**12
    with pytest.raises(InputError, match="887273"):
        sqrt_price_at(MAX_TICK + 1)


@given(st.integers(MIN_SQRT_PRICE, sqrt_price_at(MAX_TICK) - 1))
def test_a_price_lies_between_its_tick_and_the_next(price: int) -> None:
    tick = tick_at(price)
    assert sqrt_price_at(tick) <= price < sqrt_price_at(tick + 1)


@st.composite
def random_pools(draw: st.DrawFn) -> Concentrated:
    """Pools with liquidity everywhere around the price and some positions more."""
    fee, spacing = draw(st.sampled_from(SHAPES))
    tick = draw(st.integers(-20_000, 20_000))
    price = sqrt_price_at(tick) + draw(st.integers(0, 10**6))
    low, high = (tick - 40_000) // spacing * spacing, (tick + 40_000) // spacing * spacing
    nets = {low: 10**20, high: -(10**20)}
    for _ in range(draw(st.integers(0, 4))):
        start = (tick + draw(st.integers(-9_000, 9_000))) // spacing * spacing
        end, size = start + draw(st.integers(1, 50)) * spacing, draw(st.integers(10**15, 10**24))
        nets[start], nets[end] = nets.get(start, 0) + size, nets.get(end, 0) - size
    ticks = tuple(sorted(nets))
    liquidity = sum(net for one, net in nets.items() if one <= tick)
    return Concentrated(price, tick, liquidity, fee, spacing, ticks, tuple(nets[one] for one in ticks))


sizes = st.integers(1, 10**22)
sides = st.sampled_from([(0, 1), (1, 0)])


@settings(max_examples=60, deadline=None)
@given(random_pools(), sides, sizes, sizes, st.floats(0.2, 0.98))
def test_laws(pool: Concentrated, side: tuple[int, int], amount: int, extra: int, part: float) -> None:
    venue_laws.nothing_is_gained_by_going_back(pool, *side, amount)
    venue_laws.more_never_brings_less(pool, *side, amount, extra)
    steps = 4 + len(pool.ticks)
    slack = steps + round(pool.spot(*side)) * steps
    venue_laws.parts_make_the_whole(pool, *side, amount, extra, above=slack, below=slack)
    venue_laws.price_is_met(pool, *side, part, 1e-9)
    venue_laws.the_search_agrees(pool, *side, part, 1e-6)


def test_a_pool_without_liquidity_on_a_side_has_no_price_there() -> None:
    empty = Concentrated(2**96, 0, 0, 3_000, 60, (60, 120), (10**18, -(10**18)))
    assert empty.spot(0, 1) == 0
    assert empty.quote(0, 1, 10**18) == 0
    assert empty.quote(1, 0, 10**15) > 0
    with pytest.raises(InputError, match="slots 0 and 1"):
        empty.quote(0, 2, 1)
