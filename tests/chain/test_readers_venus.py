"""Venus's core pool: the rows against its comptroller, vTokens, VAI and liquidator, asked through plain web3."""

from collections.abc import Iterator
from typing import Any

import pytest

from chain.errors import ContractError
from chain.readers import venus as reader
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import UINT256_MAX, WAD
from graph.build import build
from simulations.book_of_graph import from_graph
from simulations.health import health_factors
from simulations.state import start
from tests.devnet import venus
from tests.devnet.availability import require_devnet
from tests.devnet.venus import CAPS, LIQUIDATORS_SHARE, TOKENS, VenusPool

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def pool() -> Iterator[VenusPool]:
    require_devnet()
    with venus.lived_in() as made:
        yield made


@pytest.fixture(scope="module")
def snapshot(pool: VenusPool) -> Snapshot:
    return take(pool.node.url, pool.book, "latest")


def rows(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in snapshot[table].to_dict("records")]


def asset(pool: VenusPool, symbol: str) -> str:
    return f"eip155:31337/erc20:{(pool.vai if symbol == 'VAI' else pool.tokens[symbol]).address.lower()}"


def test_every_comparison_with_the_chain_agrees(snapshot: Snapshot, pool: VenusPool) -> None:
    assert {check.name: check.failures for check in snapshot.checks if check.failures} == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["accounts agree with getAccountLiquidity"] == len(pool.people)
    assert compared["principals from events give borrowBalanceStored"] >= 5


def test_liquidity_needs_the_debts_in_vai(snapshot: Snapshot, pool: VenusPool) -> None:
    """Of everybody, by the comptroller; and what they minted is what the token has given out."""
    debts = {row["position_id"]: row for row in rows(snapshot, "positions") if row["asset"] == asset(pool, "VAI")}
    minted = {who.lower(): pool.comptroller.functions.mintedVAIs(who).call() for who in pool.people}
    assert {who: row["amount_raw"] for who, row in debts.items()} == {who: owed for who, owed in minted.items() if owed}
    assert len(debts) >= 4 and 0 in minted.values()
    assert sum(minted.values()) == pool.vai.functions.totalSupply().call()
    assert all(row["status"] == "verified" for row in debts.values())


@pytest.mark.parametrize("symbol", TOKENS)
def test_markets_say_what_the_contracts_say(snapshot: Snapshot, pool: VenusPool, symbol: str) -> None:
    [row] = [row for row in rows(snapshot, "reserves") if row["asset"] == asset(pool, symbol)]
    market, comptroller = pool.markets[symbol], pool.comptroller.functions
    cap = comptroller.supplyCaps(market.address).call()
    assert cap == CAPS[symbol] and row["supply_cap_raw"] == (None if cap == UINT256_MAX else cap)
    assert row["liquidation_threshold_wad"] == comptroller.markets(market.address).call()[1] == row["ltv_wad"]
    assert row["liquidation_bonus_wad"] == comptroller.liquidationIncentiveMantissa().call()
    assert (row["liquidation_fee_wad"], row["liquidation_fee_base"]) == (LIQUIDATORS_SHARE, "debt")
    assert row["supplied_stored_raw"] == market.functions.totalSupply().call()
    before = pool.node.request("evm_snapshot")
    try:
        # interest as of the block that was read: the very next one accrues one block more
        index = market.functions.borrowIndex().call()
        rate = market.functions.borrowRatePerBlock().call()
        blocks = snapshot.anchors[0].number - market.functions.accrualBlockNumber().call()
        assert row["borrow_index_raw"] == index + rate * blocks * index // WAD
    finally:
        pool.node.request("evm_revert", before)


def test_vai_is_a_hard_coded_dollar(snapshot: Snapshot, pool: VenusPool) -> None:
    [price] = [row for row in rows(snapshot, "prices") if row["asset"] == asset(pool, "VAI")]
    [feed] = [row for row in rows(snapshot, "feeds") if row["source"] == price["source"]]
    assert (price["price_raw"], price["decimals"], feed["kind"], feed["state"]) == (WAD, 18, "fixed", "hard_coded")
    assert price["status"] == "verified"


def test_powers_and_what_is_left_out(snapshot: Snapshot, pool: VenusPool) -> None:
    held = {(row["authority"], row["power"]) for row in rows(snapshot, "authorities")}
    assert (f"eip155:31337:{venus.GUARDIAN.lower()}", "parameters") in held
    assert (f"eip155:31337:{pool.ledger.deployer.lower()}", "upgrade") in held
    said = " ".join(snapshot.gaps)
    assert pool.liquidator.address.lower() in said and "redeeming costs 0.1000%" in said


def test_health_in_a_book_is_what_the_comptroller_counts(snapshot: Snapshot, pool: VenusPool) -> None:
    """Collateral over debt from liquidity and shortfall: HF = (debt + liquidity) / debt, all by the contract and its own debts."""
    book = from_graph(build(snapshot))
    health = dict(zip(book.position_ids, health_factors(start(book)), strict=True))
    compared = 0
    for who in pool.people:
        error, left, missing = pool.comptroller.functions.getAccountLiquidity(who).call()
        owed = pool.comptroller.functions.mintedVAIs(who).call()
        for symbol, (decimals, price, _) in TOKENS.items():
            debt = pool.markets[symbol].functions.borrowBalanceStored(who).call()
            owed += debt * price * 10 ** (36 - decimals) // WAD
        if owed:
            compared += 1
            assert error == 0
            assert health[who.lower()] == pytest.approx((owed + left - missing) / owed, rel=1e-4), (
                "interest since the last touch"
            )
    assert compared >= 6


def test_a_pause_of_everything_and_of_seizing(pool: VenusPool) -> None:
    before = pool.node.request("evm_snapshot")
    try:
        pool.ledger.call("pause", pool.comptroller, "_setProtocolPaused", True)
        pool.ledger.mine()
        taken = take(pool.node.url, pool.book, "latest")
        assert taken["reserves"]["paused"].all() and len(taken["reserves"]) == len(TOKENS) + 1
    finally:
        pool.node.request("evm_revert", before)


def test_forgotten_vai_fails_the_comparison(pool: VenusPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_vai", lambda *_: None)
    [check] = [
        one
        for one in take(pool.node.url, pool.book, "latest").checks
        if one.name == "accounts agree with getAccountLiquidity"
    ]
    assert len(check.failures) >= 4


def test_an_isolated_pool_is_refused(pool: VenusPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ISOLATED", "closeFactorMantissa()->(uint256)")
    with pytest.raises(ContractError, match="isolated pools"):
        take(pool.node.url, pool.book, "latest")
