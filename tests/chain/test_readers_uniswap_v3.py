"""The Uniswap V3 reader against the pools themselves and Uniswap's own TickLens, asked through plain web3."""

from collections.abc import Iterator
from typing import Any

import pytest

from chain.accounting.uniswap_v3 import MAX_TICK, MIN_TICK, Q96, amounts, sqrt_price_at
from chain.comparisons import pool_checks
from chain.errors import ContractError
from chain.node.calls import Call
from chain.readers import uniswap_v3
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import address_of
from graph.build import build
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.uniswap_v3_exchange import Exchange, deploy_exchange
from tests.devnet.world import World

devnet = pytest.mark.devnet


@pytest.fixture(scope="module")
def exchange(devnet_world: World) -> Iterator[Exchange]:
    with devnet_world.undone():
        yield deploy_exchange(devnet_world)


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, exchange: Exchange) -> Snapshot:
    return take(devnet_world.url, exchange.deployments, "latest", "with v3")


def concentrated(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    return {address_of(row["pool"]): row for row in rows(snapshot, "pools") if row["kind"] == "concentrated"}


@devnet
def test_pools_are_what_they_say(exchange: Exchange, snapshot: Snapshot) -> None:
    found = concentrated(snapshot)
    assert set(found) == {pool.address.lower() for pool in exchange.pools.values()}, "not the pool without a price"
    for pool in exchange.pools.values():
        row, ask = found[pool.address.lower()], pool.functions
        assert [row["sqrt_price_x96"], row["tick"]] == ask.slot0().call()[:2]
        assert (row["liquidity_raw"], row["tick_spacing"]) == (ask.liquidity().call(), ask.tickSpacing().call())
        assert row["fee_wad"] == ask.fee().call() * 10**12


@devnet
def test_every_tick_is_there(devnet_world: World, exchange: Exchange, snapshot: Snapshot) -> None:
    found: dict[str, dict[int, tuple[int, int]]] = {}
    for row in rows(snapshot, "pool_ticks"):
        found.setdefault(address_of(row["pool"]), {})[row["tick"]] = (
            row["liquidity_net_raw"],
            row["liquidity_gross_raw"],
        )
    for pool in exchange.pools.values():
        spacing = pool.functions.tickSpacing().call()
        words = range((MIN_TICK // spacing) >> 8, ((MAX_TICK // spacing) >> 8) + 1)
        ask = exchange.lens.functions.getPopulatedTicksInWord
        calls = [
            (
                "eth_call",
                ({"to": exchange.lens.address, "data": ask(pool.address, word)._encode_transaction_data()}, "latest"),
            )
            for word in words
        ]
        answers = devnet_world.node.batch(calls)
        ticks: dict[int, tuple[int, int]] = {}
        for answer in answers:
            [populated] = devnet_world.w3.codec.decode(["(int24,int128,uint128)[]"], bytes.fromhex(answer[2:]))
            ticks |= {tick: (net, gross) for tick, net, gross in populated}
        assert found[pool.address.lower()] == ticks and len(ticks) >= 20


@devnet
def test_everything_that_was_compared_agrees(exchange: Exchange, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["net liquidity up to the current tick is the active liquidity"] == len(exchange.pools)
    assert compared["net liquidity of all ticks adds up to zero"] == len(snapshot["pool_ticks"])
    assert (
        set(snapshot["pool_ticks"]["status"])
        == set(snapshot["pools"][snapshot["pools"]["kind"] == "concentrated"]["status"])
        == {"verified"}
    )
    [check] = [check for check in snapshot.checks if check.name == "the pool holds its reserves"]
    assert "hold more than they need, at most 0." in check.note


@devnet
def test_reserves_are_what_the_pool_would_pay_out(devnet_world: World, exchange: Exchange, snapshot: Snapshot) -> None:
    """Everybody takes everything out: what the pools pay for liquidity, apart from fees, is the reserve; within a unit a position."""
    held = {(address_of(row["pool"]), row["slot"]): row for row in rows(snapshot, "pool_assets")}
    manager = exchange.manager
    paid: dict[tuple[str, int], int] = {}
    with devnet_world.undone():
        count = manager.functions.totalSupply().call()
        for number in range(1, count + 1):
            owner, position = manager.functions.ownerOf(number).call(), manager.functions.positions(number).call()
            order = (number, position[7], 0, 0, 2**40)
            receipt = devnet_world.send("withdraw", manager, "decreaseLiquidity", order, sender=owner)
            log = next(log for log in receipt["logs"] if log["address"].lower() == manager.address.lower())
            words = devnet_world.w3.codec.decode(["uint128", "uint256", "uint256"], bytes.fromhex(log["data"][2:]))
            pool = exchange.factory.functions.getPool(*position[2:5]).call().lower()
            for slot in (0, 1):
                paid[pool, slot] = paid.get((pool, slot), 0) + words[1 + slot]
    assert count == 12 * len(exchange.pools)
    for (pool, slot), amount in paid.items():
        row = held[pool, slot]
        assert abs(row["reserve_raw"] - amount) <= 24 * 12, "stretches and positions are each rounded down"
        assert row["balance_raw"] >= amount > 0


@devnet
@pytest.mark.parametrize("lost", ["lowest", "first above the price"])
def test_a_lost_tick_is_found(
    exchange: Exchange, snapshot: Snapshot, devnet_world: World, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    pool = exchange.pools["WETH/USDC 500"].address.lower()
    current = concentrated(snapshot)[pool]["tick"]
    real = uniswap_v3._ticks

    def forgetful(*arguments: Any) -> dict[tuple[str, int], Call]:
        ticks = real(*arguments)
        gone = min(tick for of, tick in ticks if of == pool and (lost == "lowest" or tick > current))
        del ticks[pool, gone]
        return ticks

    monkeypatch.setattr(uniswap_v3, "_ticks", forgetful)
    planted = take(devnet_world.url, exchange.deployments, "latest")
    names = {"net liquidity of all ticks adds up to zero"}
    if lost == "lowest":
        names.add("net liquidity up to the current tick is the active liquidity")
    assert names <= set(failed(planted))
    assert "unverified" in set(planted["pool_ticks"]["status"])


@devnet
def test_the_graph_takes_pools_without_a_share(snapshot: Snapshot) -> None:
    assert len(build(snapshot).nodes["pool"]) == len(snapshot["pools"])


@devnet
def test_a_factory_that_is_none_is_named(devnet_world: World, exchange: Exchange) -> None:
    text = exchange.deployments.read_text()
    wrong = exchange.deployments.with_name("wrong.toml")
    wrong.write_text(text.replace(exchange.factory.address, devnet_world.exchange.factory.address))
    with pytest.raises(ContractError, match="announced no fee level"):
        take(devnet_world.url, wrong, "latest")


def test_square_root_prices_are_the_contracts_bounds() -> None:
    """MIN_SQRT_RATIO and MAX_SQRT_RATIO of TickMath (@uniswap/v3-core 1.0.1), and powers of 1.0001 between them."""
    assert (sqrt_price_at(MIN_TICK), sqrt_price_at(0)) == (4295128739, Q96)
    assert sqrt_price_at(MAX_TICK) == 1461446703485210103287273052203988822378723970342
    for tick in (-400_000, -77, 1, 12_345, 399_999):
        assert sqrt_price_at(tick) / Q96 == pytest.approx(1.0001 ** (tick / 2), rel=1e-10)
    with pytest.raises(ValueError, match="outside"):
        sqrt_price_at(MAX_TICK + 1)


@devnet
def test_square_root_prices_are_the_pools(devnet_world: World, exchange: Exchange) -> None:
    """A pool that starts at our price of a tick says that tick, and one below for one unit less: exact to the last digit."""
    pool = exchange.empty
    for tick in (-887_271, -500_001, -3, 0, 1, 88_888, 524_288, 887_271):
        for less in (0, 1):
            with devnet_world.undone():
                devnet_world.send(
                    "start", pool, "initialize", sqrt_price_at(tick) - less, sender=devnet_world.ledger.deployer
                )
                assert pool.functions.slot0().call()[1] == tick - less


def test_amounts_worked_out_by_hand() -> None:
    # one stretch from price 1/4 to price 4 cannot be hit by ticks exactly, so the bounds are those of the ticks themselves
    low, high = sqrt_price_at(-100), sqrt_price_at(100)
    ticks = [(-100, 10**18), (100, -(10**18))]
    assert amounts(ticks, low) == (10**18 * Q96 * (high - low) // high // low, 0)
    assert amounts(ticks, high) == (0, 10**18 * (high - low) // Q96)
    assert amounts(ticks, Q96)[0] == 10**18 * Q96 * (high - Q96) // high // Q96
    assert amounts([], Q96) == (0, 0)


POOL = {"pool": "p", "kind": "concentrated", "tick": 5, "tick_spacing": 10, "liquidity_raw": 7}
TICKS = [
    {"pool": "p", "tick": -10, "liquidity_net_raw": 7, "liquidity_gross_raw": 7},
    {"pool": "p", "tick": 10, "liquidity_net_raw": -7, "liquidity_gross_raw": 7},
]


@pytest.mark.parametrize("change", [{"tick": 15}, {"liquidity_net_raw": -9}, {"liquidity_gross_raw": 8}, {}])
def test_ticks_that_cannot_be_are_found(change: dict[str, int]) -> None:
    table = {"pools": [POOL], "pool_ticks": [TICKS[0], {**TICKS[1], **change}]}
    assert bool(pool_checks.whole_ticks(table).check.failures) == bool(change)
    assert pool_checks.active_liquidity({**table, "pools": [{**POOL, "liquidity_raw": 8}]}).check.failures
    assert not pool_checks.active_liquidity(table).check.failures


def test_what_a_pool_owes_to_its_protocol_is_not_its_reserve() -> None:
    table = {"pool_assets": [{"pool": "p", "asset": "a", "reserve_raw": 90, "balance_raw": 100}]}
    assert not pool_checks.pool_balances(table, {("p", "a"): 10}).check.failures
    assert pool_checks.pool_balances(table, {("p", "a"): 11}).check.failures
    assert "10.000%" in pool_checks.pool_balances(table, {}).check.note
