"""A category with a price of its own (Aave 3.0.2): read from a running market, carried into the book, and liquidated there and here.

The contract's answers and receipts are the oracle. The market is the one of the reader's tests; only debts at a fixed rate, which no rule
counts yet, are taken out of the snapshot, and their holders are not compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd
import pytest

from chain.errors import InputError
from chain.reading import take
from chain.snapshot import Snapshot
from graph.build import build
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.channels import oracle
from simulations.health import health_factors
from simulations.rules import aave_v3
from simulations.rules.rule import Liquidation
from simulations.scenarios import of_shocks
from simulations.shocks import PriceShock, reference_prices
from simulations.state import start
from tests.devnet.aave_v302_market import ETHER_CATEGORY, STABLE_CATEGORY, OldMarket, old_market
from tests.devnet.assets import fund
from tests.devnet.availability import require_devnet

pytestmark = pytest.mark.devnet

CATEGORY_USD, COVER = 2_222 * 10**8, 3 * 10**18 + 7
LIQUIDATED = "ether in category"


@dataclass(frozen=True)
class Compared:
    """What was read before a liquidation, and what the contract then did."""

    snapshot: Snapshot
    book: Book
    health: dict[str, int]
    position: int
    account_after: tuple[int, ...]
    repaid: int
    seized: int


def fixed_debts(snapshot: Snapshot) -> set[str]:
    """Positions that owe at a fixed rate."""
    table = snapshot["positions"]
    return set(table.loc[table["side"] == "fixed_debt", "position_id"])


def without_fixed_debts(snapshot: Snapshot) -> Snapshot:
    """The snapshot without debts at a fixed rate."""
    table, reserves = snapshot["positions"], snapshot["reserves"].copy()
    reserves["fixed_debt_raw"] = pd.Series([0] * len(reserves), index=reserves.index, dtype=object)
    kept = table[table["side"] != "fixed_debt"]
    return replace(snapshot, tables={**snapshot.tables, "positions": kept, "reserves": reserves})


@pytest.fixture(scope="module")
def compared() -> Iterator[Compared]:
    """An account in the category falls under lowered thresholds; a part of its ether debt is repaid for dollars outside the category."""
    require_devnet()
    with old_market() as old:
        for symbol, ltv in (("WETH", 4_500), ("lstETH", 0)):  # a category's threshold may not be under its members'
            old.send(old.configurator, "configureReserveAsCollateral", old.tokens[symbol].address, ltv, 5_000, 10_500)
        terms = (ETHER_CATEGORY, 5_000, 5_500, 10_200, old.category_price, "Ether")
        old.send(old.configurator, "setEModeCategory", *terms)
        yield liquidated(old)


def liquidated(old: OldMarket) -> Compared:
    """Read, liquidate, ask again."""
    who, weth = old.people[LIQUIDATED], old.tokens["WETH"]
    fund(old.ledger, old.tokens, "WETH", 50 * 10**18)
    old.send(weth, "approve", old.pool.address, 2**256 - 1)
    snapshot = take(old.url, old.deployments, "latest", "old")
    fixed, snapshot = fixed_debts(snapshot), without_fixed_debts(snapshot)
    book = from_graph(build(snapshot))
    people = {name.lower(): name for name in old.people.values()}
    health = {
        position: int(old.pool.functions.getUserAccountData(people[address]).call()[5])
        for position in book.position_ids
        if position not in fixed and (address := position.rsplit(":", 1)[-1].lower()) in people
    }
    position = next(n for n, name in enumerate(book.position_ids) if name.lower().endswith(who.lower()[2:]))
    order = (old.tokens["DAI"].address, weth.address, who, COVER, False)
    sent = old.pool.functions.liquidationCall(*order).transact({"from": old.ledger.deployer, "gas": 3_000_000})
    old.ledger.mine()
    receipt = old.node.w3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    (event,) = old.pool.events.LiquidationCall().process_receipt(receipt, errors=cast("Any", _discard()))
    account = tuple(old.pool.functions.getUserAccountData(who).call())
    return Compared(
        snapshot,
        book,
        health,
        position,
        account,
        event["args"]["debtToCover"],
        event["args"]["liquidatedCollateralAmount"],
    )


def _discard() -> object:
    from web3.logs import DISCARD

    return DISCARD


def test_members_are_priced_by_the_category_and_others_by_their_reserve(compared: Compared) -> None:
    book, state = compared.book, start(compared.book)
    seen = set()
    for number in range(book.size):
        category = int(book.position_category[number])
        for leg in state.position(number).legs:
            symbol = book.assets[leg.reserve.asset].symbol
            member = category == ETHER_CATEGORY and symbol in ("WETH", "lstETH")
            assert leg.price_raw == (CATEGORY_USD if member else leg.reserve.price_raw)
            seen.add((category, member))
    assert {(ETHER_CATEGORY, True), (ETHER_CATEGORY, False), (STABLE_CATEGORY, False), (0, False)} <= seen


def test_health_factors_are_the_contracts(compared: Compared) -> None:
    """Exactly, at the block that was read; the floats of the screen within a basis point, by which 3.0.2 cuts the average threshold."""
    book, state = compared.book, start(compared.book)
    floats = health_factors(state)
    assert len(compared.health) >= 6
    for position, health in compared.health.items():
        number = book.position_ids.index(position)
        assert aave_v3.health_factor_wad(state.position(number)) == health
        assert health > 2**200 or floats[number] == pytest.approx(health / 1e18, rel=1.5e-4)


def test_a_liquidation_at_the_category_price_is_the_contracts(compared: Compared) -> None:
    view = start(compared.book).position(compared.position)
    symbols = [compared.book.assets[leg.reserve.asset].symbol for leg in view.legs]
    dai, weth = symbols.index("DAI"), symbols.index("WETH")
    done = aave_v3.liquidate(view, dai, weth, COVER)
    assert isinstance(done, Liquidation)
    # the contract acts one block later, so indices have grown by seconds of interest: amounts here do not depend on them
    assert (done.repaid_raw, done.seized_raw) == (compared.repaid, compared.seized)
    after = aave_v3.health_factor_wad(aave_v3.after(view, dai, done))
    assert after / 1e18 == pytest.approx(compared.account_after[5] / 1e18, rel=1e-6)


def test_the_price_follows_what_its_members_follow_and_the_run_says_so(compared: Compared) -> None:
    state = start(compared.book)
    state.market_usd = reference_prices(compared.book, [PriceShock("WETH", -0.25)])
    oracle.publish(state)
    (own,) = compared.book.category_prices
    assert own.category == ETHER_CATEGORY and state.oracle_raw[-1] == pytest.approx(0.75 * CATEGORY_USD, rel=1e-12)
    result = run(compared.book, of_shocks([PriceShock("WETH", -0.01)]))
    assert any(f"category {ETHER_CATEGORY}" in note and "follows" in note for note in result.notes)
    assert result.to_dict()["notes"] == list(result.notes)


def test_a_debt_that_has_left_its_category_is_refused(compared: Compared) -> None:
    """The contract would value it by its reserve in the health factor and by the category in the liquidation."""
    table = compared.snapshot["categories"].copy()
    table["collateral_bitmap"] = [
        0b10 if category == ETHER_CATEGORY else 0 for category in table["category"]
    ]  # only lstETH is left
    with pytest.raises(InputError, match="has left its category"):
        from_graph(build(replace(compared.snapshot, tables={**compared.snapshot.tables, "categories": table})))
