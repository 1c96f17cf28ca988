"""Owners of Uniswap V3 positions, and what each can collect: against `collect` of the position manager and of the pools, called without effect."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from web3.contract import Contract

from chain.accounting.uniswap_v3 import growth_inside, owed
from chain.comparisons import pool_checks
from chain.node.together import Inquiry
from chain.readers import uniswap_v3_positions
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import UINT256_MAX, address_of
from graph.build import build
from graph.exposures.answer import exposure
from tests.chain.snapshot_rows import rows
from tests.devnet.contracts import compiled
from tests.devnet.market import raw_amount
from tests.devnet.transactions import address_of as account
from tests.devnet.uniswap_v3_exchange import MINT_GAS, SPACINGS, Exchange, deploy_exchange
from tests.devnet.world import World

MOST = 2**128 - 1
FEE = 3_000
HEIR = account("heir of a position")


@dataclass(frozen=True)
class Lived:
    """An exchange whose positions changed: shared ranges, taken out, left, given away, one token burnt, two positions without the manager."""

    exchange: Exchange
    pool: Contract
    direct: Contract
    ranges: list[tuple[int, int]]
    burnt: int
    left: int


@pytest.fixture(scope="module")
def lived(devnet_world: World) -> Iterator[Lived]:
    with devnet_world.undone():
        yield _live(devnet_world, deploy_exchange(devnet_world))


def _live(world: World, exchange: Exchange) -> Lived:
    ledger, manager, pool = world.ledger, exchange.manager, exchange.pools[f"WBTC/WETH {FEE}"]
    tokens = [pool.functions.token0().call(), pool.functions.token1().call()]
    symbols = {str(token.address): symbol for symbol, token in world.tokens.items()}
    direct = ledger.deploy(compiled("DirectProvider.sol")["DirectProvider"])
    for token in tokens:
        contract = world.tokens[symbols[token]]
        ledger.call("funds", contract, "transfer", direct.address, raw_amount(symbols[token], 3_000_000.0))
    spacing = SPACINGS[FEE]
    centre = pool.functions.slot0().call()[1] // spacing
    ranges = [((centre - 9) * spacing, (centre + 9) * spacing), ((centre - 90) * spacing, (centre + 3) * spacing)]
    for lower, upper in ranges:
        ledger.call("without the manager", direct, "provide", pool.address, lower, upper, 10**15 + 7, gas=MINT_GAS)
    ledger.mine()
    numbers = [manager.functions.tokenByIndex(index).call() for index in range(manager.functions.totalSupply().call())]
    own = [number for number in numbers if manager.functions.positions(number).call()[4] == FEE]
    first, second, third = own[0], own[3], own[6]
    bounds = manager.functions.positions(first).call()[5:7]
    order = (*tokens, FEE, *bounds, *(raw_amount(symbols[token], 9_999.0) for token in tokens), 0, 0, HEIR, 2**40)
    ledger.call("the same range", manager, "mint", order, gas=MINT_GAS)
    _trade(ledger, exchange, tokens, symbols)
    owner, liquidity = (manager.functions.ownerOf(second).call(), manager.functions.positions(second).call()[7])
    ledger.call("half", manager, "decreaseLiquidity", (second, liquidity // 2, 0, 0, 2**40), sender=owner)
    ledger.call("give away", manager, "transferFrom", owner, HEIR, second, sender=owner)
    left_owner, whole = manager.functions.ownerOf(third).call(), manager.functions.positions(third).call()[7]
    ledger.call("all", manager, "decreaseLiquidity", (third, whole, 0, 0, 2**40), sender=left_owner)
    burnt = own[9]
    owner, whole = manager.functions.ownerOf(burnt).call(), manager.functions.positions(burnt).call()[7]
    ledger.call("all", manager, "decreaseLiquidity", (burnt, whole, 0, 0, 2**40), sender=owner)
    ledger.call("collect", manager, "collect", (burnt, owner, MOST, MOST), sender=owner)
    ledger.call("burn", manager, "burn", burnt, sender=owner)
    ledger.call("a part", direct, "takeOut", pool.address, *ranges[0], 10**14)
    ledger.call("all of it", direct, "takeOut", pool.address, *ranges[1], 10**15 + 7)
    _trade(ledger, exchange, tokens, symbols)
    return Lived(exchange, pool, direct, ranges, burnt, third)


def _trade(ledger: Any, exchange: Exchange, tokens: list[str], symbols: dict[str, str]) -> None:
    for place, dollars in ((0, 70_000.0), (1, 90_000.0), (0, 31_111.0)):
        amount = raw_amount(symbols[tokens[place]], dollars)
        order = (tokens[place], tokens[1 - place], FEE, ledger.deployer, 2**40, amount, 0, 0)
        ledger.call("swap", exchange.router, "exactInputSingle", order, gas=MINT_GAS)
    ledger.mine()


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, lived: Lived) -> Snapshot:
    return take(devnet_world.url, lived.exchange.deployments, "latest", "with positions")


def of_manager(lived: Lived, snapshot: Snapshot) -> dict[int, dict[str, Any]]:
    start = f"{str(lived.exchange.manager.address).lower()}/"
    return {
        int(row["position_id"].removeprefix(start)): row
        for row in rows(snapshot, "pool_positions")
        if row["position_id"].startswith(start)
    }


@pytest.mark.devnet
def test_every_token_and_what_it_can_collect(lived: Lived, snapshot: Snapshot) -> None:
    """As `collect` of the manager says to the owner: 48 tokens, to the last unit, fees and liquidity that was taken out and left."""
    manager, found = lived.exchange.manager, of_manager(lived, snapshot)
    count = manager.functions.totalSupply().call()
    assert set(found) == {manager.functions.tokenByIndex(index).call() for index in range(count)}
    assert lived.burnt not in found and len(found) == 48
    with_fees = 0
    for number, row in found.items():
        owner = manager.functions.ownerOf(number).call()
        given = manager.functions.collect((number, owner, MOST, MOST)).call({"from": owner})
        assert [row["owed0_raw"], row["owed1_raw"]] == given
        assert (address_of(row["owner"]), row["liquidity_raw"]) == (
            owner.lower(),
            manager.functions.positions(number).call()[7],
        )
        with_fees += any(given)
    assert with_fees > 15
    assert found[lived.left]["liquidity_raw"] == 0 < found[lived.left]["owed1_raw"]
    assert sum(row["owner"].endswith(HEIR.lower()[2:]) for row in found.values()) == 2


@pytest.mark.devnet
def test_positions_without_the_manager(lived: Lived, snapshot: Snapshot) -> None:
    """As `collect` of the pool says, after a touch where there is liquidity."""
    found = [row for row in rows(snapshot, "pool_positions") if row["owner"].endswith(lived.direct.address.lower()[2:])]
    assert len(found) == 2
    for row in found:
        bounds = (row["tick_lower"], row["tick_upper"])
        assert bounds in lived.ranges
        assert row["liquidity_raw"] == (10**15 + 7 - 10**14 if bounds == lived.ranges[0] else 0)
        ask = lived.direct.functions.collectAll(lived.pool.address, *bounds, row["liquidity_raw"] > 0)
        assert [row["owed0_raw"], row["owed1_raw"]] == ask.call() and row["owed0_raw"] + row["owed1_raw"] > 0


@pytest.mark.devnet
def test_liquidity_is_paid_out_as_the_row_says(lived: Lived, snapshot: Snapshot) -> None:
    manager, paid = lived.exchange.manager, 0
    for number, row in of_manager(lived, snapshot).items():
        if row["liquidity_raw"]:
            owner = manager.functions.ownerOf(number).call()
            order = (number, row["liquidity_raw"], 0, 0, 2**40)
            given = manager.functions.decreaseLiquidity(order).call({"from": owner})
            assert given == [row["amount0_raw"], row["amount1_raw"]]
            paid += 1
    assert paid == 47


@pytest.mark.devnet
def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert [check for check in snapshot.checks if not check.passed] == []
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["positions add up to the liquidity of every tick"] == len(snapshot["pool_ticks"])
    assert compared["the pool holds what its positions can take out"] == 8
    assert not any("position_manager" in gap for gap in snapshot.gaps)
    table = snapshot["pool_positions"]
    assert set(table[table["liquidity_raw"] > 0]["status"]) == {"verified"}


@pytest.mark.devnet
@pytest.mark.verify
def test_without_the_managers_address_it_stands_as_owner(devnet_world: World, lived: Lived, snapshot: Snapshot) -> None:
    """The same liquidity and nearly the same fees, by range instead of by token; the gap says so."""
    book = lived.exchange.deployments
    lines = [line for line in book.read_text().splitlines() if not line.startswith("position_manager")]
    other = book.with_name("no_manager.toml")
    other.write_text("\n".join(lines))
    found = take(devnet_world.url, other, "latest")
    assert [check for check in found.checks if not check.passed] == []
    assert any("names no position_manager" in gap for gap in found.gaps)
    owners = {address_of(row["owner"]) for row in rows(found, "pool_positions")}
    assert owners == {lived.exchange.manager.address.lower(), lived.direct.address.lower()}
    for column in ("liquidity_raw", "owed0_raw", "owed1_raw"):
        whole, parts = (sum(table["pool_positions"][column]) for table in (found, snapshot))
        assert 0 <= whole - parts <= (0 if column == "liquidity_raw" else 100)


@pytest.mark.devnet
def test_a_lost_position_is_found(devnet_world: World, lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    real = uniswap_v3_positions.tokens

    def forgetful(*asked: Any) -> Inquiry[uniswap_v3_positions.Tokens]:
        tokens = yield from real(*asked)
        return replace(tokens, numbers=tokens.numbers[1:])

    monkeypatch.setattr(uniswap_v3_positions, "tokens", forgetful)
    planted = take(devnet_world.url, lived.exchange.deployments, "latest")
    [check] = [one for one in planted.checks if not one.passed]
    assert check.name == "positions add up to the liquidity of every tick" and len(check.failures) == 2


@pytest.mark.devnet
def test_a_position_is_an_exposure(lived: Lived, snapshot: Snapshot) -> None:
    """Who provides WBTC to a pool has it, with what can be collected."""
    graph = build(snapshot)
    [wbtc] = [row["asset"] for row in rows(snapshot, "assets") if row["symbol"] == "WBTC"]
    slot = next(
        row["slot"]
        for row in rows(snapshot, "pool_assets")
        if row["asset"] == wbtc and row["pool"].endswith(lived.pool.address.lower()[2:])
    )
    expected = sum(
        row[f"amount{slot}_raw"] + row[f"owed{slot}_raw"]
        for row in rows(snapshot, "pool_positions")
        if row["owner"].endswith(HEIR.lower()[2:])
    )
    holders = exposure(graph, wbtc, top=500).inbound["holders"].set_index("holder")
    assert holders.loc[f"eip155:31337:{HEIR.lower()}", "amount_raw"] == expected > 0


def test_growth_by_hand() -> None:
    """Inside, below and above a range, and around 2**256."""
    bounds, outside = (-10, 10), ((3, 30), (5, 50))
    assert growth_inside(0, bounds, (100, 1000), outside) == (92, 920)
    assert growth_inside(-11, bounds, (100, 1000), outside) == (
        (3 - 5) % (UINT256_MAX + 1),
        (30 - 50) % (UINT256_MAX + 1),
    )
    assert growth_inside(10, bounds, (100, 1000), outside) == (2, 20)
    assert owed(2**127, (1, 6), (UINT256_MAX, 2), (7, 8)) == (8, 10)
    assert owed(1, (0, 0), (1, 0), (0, 0)) == ((UINT256_MAX >> 128) % 2**128, 0)


@pytest.mark.parametrize("change", [{}, {"liquidity_raw": 6}, {"tick_upper": 20}])
def test_positions_that_cannot_be_are_found(change: dict[str, int]) -> None:
    ticks = [{"pool": "p", "tick": tick, "liquidity_gross_raw": 7} for tick in (-10, 10)]
    row = {"pool": "p", "position_id": "1", "tick_lower": -10, "tick_upper": 10, "liquidity_raw": 7}
    table: dict[str, list[dict[str, Any]]] = {"pool_ticks": ticks, "pool_positions": [{**row, **change}]}
    assert bool(pool_checks.whole_positions(table, {("p",): True}).check.failures) == bool(change)
    assert not pool_checks.whole_positions(table, {}).check.compared
    paid = {**row, "amount0_raw": 5, "amount1_raw": 0, "owed0_raw": 4, "owed1_raw": 0}
    held = {"pool": "p", "asset": "a", "slot": 0, "balance_raw": 10}
    for owed_to_protocol, is_short in ((1, False), (2, True)):
        checked = pool_checks.pays_out(
            {"pool_assets": [held], "pool_positions": [paid]}, {("p", "a"): owed_to_protocol}
        )
        assert bool(checked.check.failures) == is_short
