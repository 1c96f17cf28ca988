"""Constant-product pools: against the deployed pair, which is the judge of every smallest unit, and against exact arithmetic."""

import json
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.venues.v2 import ConstantProduct, amount_in_to_price, amount_out
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact
from tests.devnet.transactions import RevertedError
from tests.devnet.world import World
from tests.simulations import venue_laws

FEE = 3 * 10**15
reserves = st.integers(10**6, 10**30)


@pytest.mark.devnet
def test_the_pair_pays_what_we_say_and_not_one_unit_more(devnet_world: World) -> None:
    """`swap` reverts (UniswapV2: K) when asked for more than its invariant allows: 24 random sizes over all pairs, both directions."""
    rng = np.random.default_rng(5)
    trader = devnet_world.ledger.deployer
    pairs = list(devnet_world.pairs.values())
    tokens = {token.address: token for token in devnet_world.tokens.values()}
    tried = 0
    with devnet_world.undone():
        while tried < 24:
            pair = pairs[int(rng.integers(len(pairs)))]
            forward = bool(rng.integers(2))
            reserve0, reserve1, _ = pair.functions.getReserves().call()
            sold = tokens[(pair.functions.token0() if forward else pair.functions.token1()).call()]
            reserve_in, reserve_out = (reserve0, reserve1) if forward else (reserve1, reserve0)
            amount = max(
                1, int(min(sold.functions.balanceOf(trader).call(), reserve_in * float(10 ** rng.uniform(-9, 0))))
            )
            predicted = amount_out(amount, reserve_in, reserve_out, FEE)
            if sold.functions.balanceOf(trader).call() < amount or predicted == 0:
                continue
            tried += 1
            with devnet_world.undone():
                devnet_world.send("pay in", sold, "transfer", pair.address, amount)
                for extra in (1, 0):
                    out = (0, predicted + extra) if forward else (predicted + extra, 0)
                    if extra:
                        with pytest.raises(RevertedError, match=r"UniswapV2: (K|INSUFFICIENT_LIQUIDITY)"):
                            devnet_world.send("swap", pair, "swap", *out, trader, b"")
                    else:
                        devnet_world.send("swap", pair, "swap", *out, trader, b"")


@given(reserves, reserves, st.integers(1, 10**30))
def test_out_is_the_exact_value_rounded_down(reserve_in: int, reserve_out: int, amount: int) -> None:
    kept = amount * Fraction(997, 1000)
    exact = kept * reserve_out / (reserve_in + kept)
    assert amount_out(amount, reserve_in, reserve_out, FEE) == exact.numerator // exact.denominator


@given(reserves, reserves, st.fractions(Fraction(1, 1000), 1000))
def test_arbitrage_stops_where_the_next_unit_no_longer_pays(reserve_in: int, reserve_out: int, move: Fraction) -> None:
    """At the optimum of out(x) - price x the marginal price, fee included, is the outside price; before it, it is better."""
    price = Fraction(reserve_out, reserve_in) * move
    sold = amount_in_to_price(reserve_in, reserve_out, FEE, price.numerator, price.denominator)
    kept = Fraction(997, 1000)

    def marginal(x: int) -> Fraction:
        return kept * reserve_in * reserve_out / (reserve_in + kept * x) ** 2

    if sold == 0:
        assert marginal(0) <= price * (1 + Fraction(4, reserve_in))
    else:
        assert marginal(sold + 2) <= price
        assert marginal(max(0, sold - 2)) >= price


def test_empty_pools_pay_nothing() -> None:
    assert amount_out(5, 0, 10, FEE) == amount_out(5, 10, 0, FEE) == amount_out(0, 10, 10, FEE) == 0


@pytest.mark.devnet
@pytest.mark.parametrize("count", [200, pytest.param(2_000, marks=pytest.mark.verify)])
def test_the_router_quotes_what_we_say(devnet_world: World, count: int) -> None:
    """UniswapV2Router02.getAmountOut over random reserves and sizes, from one unit to a million times the pool."""
    published = json.loads((NODE_MODULES / "@uniswap/v2-periphery/build/UniswapV2Router02.json").read_text())
    code = Artifact("UniswapV2Router02", published["abi"], published["bytecode"].removeprefix("0x"))
    rng = random.Random(count)
    with devnet_world.undone():
        weth = devnet_world.tokens["WETH"].address
        router = devnet_world.ledger.deploy(code, devnet_world.exchange.factory.address, weth)
        for _ in range(count):
            reserve_in, reserve_out = (int(10 ** rng.uniform(3, 30)) for _ in range(2))
            amount = max(1, int(reserve_in * 10 ** rng.uniform(-6, 6)))
            quoted = router.functions.getAmountOut(amount, reserve_in, reserve_out).call()
            assert ConstantProduct((reserve_in, reserve_out), FEE).quote(0, 1, amount) == quoted


@given(reserves, reserves, st.integers(1, 10**30), st.integers(1, 10**30))
def test_laws(reserve0: int, reserve1: int, amount: int, extra: int) -> None:
    """The fee stays in the pool as more of the asset sold: the second of two sales finds a worse price."""
    pool = ConstantProduct((reserve0, reserve1), FEE)
    venue_laws.nothing_is_gained_by_going_back(pool, 0, 1, amount)
    venue_laws.more_never_brings_less(pool, 0, 1, amount, extra)
    fee = pool.quote(0, 1, amount + extra) * FEE // 10**18
    venue_laws.parts_make_the_whole(pool, 0, 1, amount, extra, above=2, below=3 + fee)
