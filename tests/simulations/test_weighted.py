"""Weighted pools: against the deployed vault and pools to the last unit, the power against high precision, and by their laws."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.contract import Contract
from web3.exceptions import ContractLogicError

from chain.errors import InputError
from chain.units import WAD
from simulations.venues.fixed_power import power_up
from simulations.venues.weighted import Weighted
from tests.devnet import balancer_v2
from tests.devnet.availability import require_devnet
from tests.devnet.node import Node
from tests.devnet.uniswap_v3 import mintable, undone
from tests.simulations import venue_laws

QUICK, LONG = 120, 2_000
TOO_MUCH = "BAL#304"
WEIGHTS = ((50, 50), (80, 20), (1, 99), (20, 30, 50), (7, 13, 37, 43))


@dataclass(frozen=True)
class Deployed:
    exchange: balancer_v2.BalancerV2
    task: str
    pool_id: bytes
    tokens: list[Contract]
    weights: list[int]
    fee: int

    def read(self) -> Weighted:
        return balancer_v2.read(self.exchange, self.pool_id, self.weights, self.tokens, self.fee, self.task)


@pytest.fixture(scope="module")
def pools() -> Iterator[list[Deployed]]:
    """Ten pools: five sets of weights in each of the two factories, tokens of 6, 8 and 18 decimals, lopsided balances."""
    require_devnet()
    rng = random.Random(12)
    with Node() as node:
        exchange = balancer_v2.deploy_balancer_v2(node)
        tokens = mintable(exchange.ledger, [("A", 18), ("B", 6), ("C", 8), ("D", 18)])
        made = []
        for task in (balancer_v2.FIRST, balancer_v2.THIRD):
            for shares in WEIGHTS:
                weights = [share * WAD // 100 for share in shares]
                held = tokens[: len(shares)]
                balances = [int(10 ** (rng.uniform(2, 7) + int(token.functions.decimals().call()))) for token in held]
                fee = rng.choice([10**12, 3 * 10**15, 10**17])
                pool_id = exchange.pool(task, held, weights, balances, fee)
                made.append(Deployed(exchange, task, pool_id, held, weights, fee))
        yield made


@pytest.mark.devnet
@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_every_quote_is_the_vaults_to_the_wei(pools: list[Deployed], count: int) -> None:
    """From one unit to just above the 30 % of a balance beyond which the pool refuses; refusals are predicted too."""
    rng = random.Random(count)
    refused = near = 0
    for deployed in pools:
        ours = deployed.read()
        for _ in range(count // len(pools)):
            sold, bought = rng.sample(range(len(ours.balances)), 2)
            share = rng.choice([10 ** rng.uniform(-12, -0.6), rng.uniform(0.27, 0.36)])
            amount = max(1, int(ours.balances[sold] * share))
            ends = deployed.tokens[sold].address, deployed.tokens[bought].address
            predicted = ours.quote(sold, bought, amount)
            try:
                assert deployed.exchange.query(deployed.pool_id, *ends, amount) == predicted
                near += share > 0.25
            except ContractLogicError as error:
                assert TOO_MUCH in str(error)
                assert predicted == 0
                refused += 1
    assert refused > count / 20
    assert near > count / 20


@pytest.mark.devnet
def test_the_vault_takes_exactly_so_much_and_not_one_unit_more(pools: list[Deployed]) -> None:
    """`most_in` for every pair of assets of every pool: the vault quotes it, and refuses one unit more."""
    for deployed in pools:
        ours = deployed.read()
        for sold, bought in permutations(range(len(ours.balances)), 2):
            most = ours.most_in(sold, bought)
            ends = deployed.tokens[sold].address, deployed.tokens[bought].address
            assert deployed.exchange.query(deployed.pool_id, *ends, most) == ours.quote(sold, bought, most) > 0
            with pytest.raises(ContractLogicError, match=TOO_MUCH):
                deployed.exchange.query(deployed.pool_id, *ends, most + 1)
            assert ours.quote(sold, bought, most + 1) == 0


@pytest.mark.devnet
def test_swaps_one_after_the_other_leave_the_balances_as_ours(pools: list[Deployed]) -> None:
    """Eight swaps a pool, up to a quarter of a balance each, then the vault's balances."""
    rng = random.Random(5)
    with undone(pools[0].exchange.ledger.node):
        for deployed in pools:
            ours = deployed.read()
            for _ in range(8):
                sold, bought = rng.sample(range(len(ours.balances)), 2)
                amount = max(1, int(ours.balances[sold] * rng.uniform(0.001, 0.25)))
                ends = deployed.tokens[sold].address, deployed.tokens[bought].address
                deployed.exchange.swap(deployed.pool_id, *ends, amount)
                ours, _ = ours.apply(sold, bought, amount)
            assert ours == deployed.read()


@given(st.integers(10**12, WAD), st.integers(10**16, 99 * WAD), st.booleans())
def test_the_power_is_never_too_small_and_at_most_its_stated_error_too_large(
    base: int, exponent: int, shortcuts: bool
) -> None:
    """FixedPoint states a relative error of 1e-14, and adds as much to be on the safe side."""
    with localcontext() as context:
        context.prec = 60
        exact = (Decimal(base) / WAD) ** (Decimal(exponent) / WAD) * WAD
        try:
            found = power_up(base, exponent, shortcuts)
        except InputError:
            assert exact < Decimal("1.6")  # e**-41 of 1e18 units
            return
        assert exact <= found <= exact * (1 + Decimal("2.1e-14")) + 3


def test_refusals_in_words() -> None:
    pool = Weighted((10**18, 10**18), (WAD // 2, WAD // 2), (18, 18), 0)
    with pytest.raises(InputError, match="slot 0 for slot 2"):
        pool.quote(0, 2, 1)
    with pytest.raises(InputError, match="slot 1 for slot 1"):
        pool.spot(1, 1)
    with pytest.raises(InputError, match="out of the range"):
        power_up(1, 3 * WAD, shortcuts=False)


@st.composite
def random_pools(draw: st.DrawFn) -> Weighted:
    share = draw(st.integers(1, 99))
    decimals = draw(st.tuples(st.sampled_from([6, 8, 18]), st.sampled_from([6, 8, 18])))
    balances = tuple(draw(st.integers(10 ** (places + 2), 10 ** (places + 8))) for places in decimals)
    fee = draw(st.sampled_from([10**12, 3 * 10**15, 10**17]))
    return Weighted(balances, (share * WAD // 100, WAD - share * WAD // 100), decimals, fee, draw(st.booleans()))


@settings(max_examples=100, deadline=None)
@given(random_pools(), st.sampled_from([(0, 1), (1, 0)]), st.floats(1e-6, 0.12), st.floats(1e-6, 0.12))
def test_laws(pool: Weighted, side: tuple[int, int], first: float, second: float) -> None:
    """The power is rounded up by 1e-14, so all laws hold but for that part of the balance bought."""
    amount, extra = (max(1, int(pool.balances[side[0]] * share)) for share in (first, second))
    error = 3 + int(pool.balances[side[1]] * 6e-14) + int(4 * pool.spot(*side))
    venue_laws.nothing_is_gained_by_going_back(pool, *side, amount)
    assert pool.quote(*side, amount) <= pool.quote(*side, amount + extra) + error
    # the fee stays in the pool as more of the asset sold: the second of two sales finds a worse price
    fee = round(pool.quote(*side, amount + extra) * pool.fee_wad / WAD)
    venue_laws.parts_make_the_whole(pool, *side, amount, extra, above=error, below=error + fee)
    venue_laws.price_is_met(pool, *side, 0.95, 0.02)


def test_price_to_which_a_pool_is_sold() -> None:
    """80/20 without fee: after a sale that moves the price by a tenth, spot says so to float precision."""
    pool = Weighted((10**24, 10**24), (8 * WAD // 10, 2 * WAD // 10), (18, 18), 0)
    venue_laws.price_is_met(pool, 0, 1, 0.9, 1e-12)
    assert pool.sale_to_price(0, 1, 1e-9) == 3 * 10**23
