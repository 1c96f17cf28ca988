"""From the chain to a liquidation: Compound V2 and Morpho Blue deployed, read, made a graph and a book, shocked; then the contracts do the same.

The contracts liquidate in the block that follows the one in which everybody stands still; what is read is that very block, left empty. So
both count the same interest, and amounts must be equal to the unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import UINT256_MAX, WAD
from graph.build import build
from graph.pauses import without_withdrawals
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.health import health_factors
from simulations.rules import compound_v2
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import parse
from simulations.state import start
from tests.devnet import compound_v2_market, morpho_blue
from tests.devnet.availability import require_devnet
from tests.devnet.compound_v2_market import LivedIn
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.morpho_blue import MorphoMarket
from tests.devnet.node import BLOCK_SECONDS, Node
from tests.devnet.transactions import address_of
from tests.simulations.contract_storage import event_words

pytestmark = pytest.mark.devnet
FALL, PRICE = "WETH=-60%", 2_000
DEBTOR = 15
"""Account of the Compound market with WETH against USDC."""
BORROWER, LENDER, KEEPER = (address_of(f"morpho {name} of the cascade") for name in ("borrower", "lender", "keeper"))
LIQUIDATED = "LiquidateBorrow(address,address,uint256,address,uint256)"
LIQUIDATE = "Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)"


@dataclass(frozen=True)
class Place:
    """Both protocols on one node: a Morpho market of Compound's WETH and USDC, and the address book."""

    lived: LivedIn
    morpho: MorphoMarket
    oracle: Contract
    params: tuple[Any, ...]
    book: Path

    @property
    def node(self) -> Node:
        return self.lived.node


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    require_devnet()
    with Node() as node:
        lived = compound_v2_market.live(node)
        ledger = lived.ledger
        other = morpho_blue.deploy(ledger, 860 * WAD // 1000, (18, 6))
        weth, usdc = lived.market.tokens["WETH"], lived.market.tokens["USDC"]
        oracle = ledger.deploy(morpho_blue.artifacts()["OracleMock"])
        params = (usdc.address, weth.address, oracle.address, other.params[3], other.params[4])
        ledger.call("create", other.morpho, "createMarket", params)
        ledger.call("silent", other.morpho, "createMarket", (usdc.address, weth.address, usdc.address, *params[3:]))
        ledger.call("price", oracle, "setPrice", PRICE * 10**24)
        for who, token, amount in ((LENDER, usdc, 10**12), (BORROWER, weth, 10**19), (KEEPER, usdc, 10**12)):
            ledger.call("funds", token, "mint(address,uint256)", who, amount)
            for spender in (other.morpho, lived.market.markets["USDC"]):
                ledger.call("approve", token, "approve", spender.address, UINT256_MAX, sender=who)
        ledger.call("supply", other.morpho, "supply", params, 10**11, 0, LENDER, b"", sender=LENDER)
        ledger.call("post", other.morpho, "supplyCollateral", params, 10**19, BORROWER, b"", sender=BORROWER)
        ledger.call("borrow", other.morpho, "borrow", params, 15_000 * 10**6, 0, BORROWER, BORROWER, sender=BORROWER)
        ledger.mine()
        node.request("evm_increaseTime", 30 * 86_400)
        node.request("anvil_mine", hex(2))
        book = tmp_path_factory.mktemp("both") / "deployments.toml"
        lines = [*entry_lines(0, "compound-v2", "core", "compound_v2")]
        lines += address_lines({"comptroller": str(lived.market.comptroller.address)})
        lines += entry_lines(0, "morpho-blue", "core", "morpho_blue")
        lines += address_lines({"morpho": str(other.morpho.address)})
        book.write_text("\n".join(lines))
        yield Place(lived, other, oracle, params, book)


@pytest.fixture(scope="module")
def snapshot(place: Place) -> Snapshot:
    """The block after the last one, left empty, and then taken back."""
    before = place.node.request("evm_snapshot")
    place.node.mine(BLOCK_SECONDS)
    taken = take(place.node.url, place.book, "latest", "both")
    place.node.request("evm_revert", before)
    return taken


@pytest.fixture(scope="module")
def book(snapshot: Snapshot) -> Book:
    assert all(check.passed for check in snapshot.checks)
    return from_graph(build(snapshot))


@pytest.fixture(scope="module")
def liquidated(book: Book) -> dict[str, dict[str, Any]]:
    result = run(book, of_shocks([parse(FALL)], Assumptions(gas_usd=0.0)))
    return {row["position_id"]: row for row in result.rounds[0].liquidations.to_dict("records")}


def test_health_of_all_accounts_by_the_rule_is_that_of_the_screen(book: Book) -> None:
    state = start(book)
    number = book.position_ids.index(place_of(DEBTOR))
    exact = compound_v2.health_factor_wad(state.position(number)) / WAD
    assert health_factors(state)[number] == pytest.approx(exact, rel=1e-9)
    assert len(book.notes) == 2 and all("is left out" in note for note in book.notes), (
        "one without a price, one that counts in a coin without one"
    )


def place_of(number: int) -> str:
    return address_of(f"compound account {number}").lower()


def test_compound_liquidates_what_the_cascade_says(place: Place, liquidated: dict[str, dict[str, Any]]) -> None:
    row, market = liquidated[place_of(DEBTOR)], place.lived.market
    taken, owed, who = market.markets["WETH"], market.markets["USDC"], place.lived.people[DEBTOR]
    before = place.node.request("evm_snapshot")
    try:
        price = PRICE * 10**18 * 4 // 10
        place.lived.ledger.call("fall", market.oracle, "setUnderlyingPrice", taken.address, price)
        place.lived.ledger.call("repay", owed, "liquidateBorrow", who, row["repaid_raw"], taken.address, sender=KEEPER)
        receipt = place.lived.ledger.mine()[1]
        words = event_words(receipt, LIQUIDATED)
        assert words is not None, "the contract refused softly"
        got = taken.functions.balanceOf(KEEPER).call()
        left = owed.functions.borrowBalanceStored(who).call()
    finally:
        place.node.request("evm_revert", before)
    assert words[2] == row["repaid_raw"]
    assert row["repaid_raw"] == (left + words[2]) // 2, "the close factor of what is owed in that block"
    again = place.node.request("evm_snapshot")
    try:
        place.node.mine(BLOCK_SECONDS)
        rate = taken.functions.exchangeRateCurrent().call()
    finally:
        place.node.request("evm_revert", again)
    assert row["seized_raw"] == got * rate // WAD
    assert row["fee_raw"] == (words[4] - got) * rate // WAD


def test_morpho_liquidates_what_the_cascade_says(place: Place, liquidated: dict[str, dict[str, Any]]) -> None:
    """The collateral pays for a part of the debt; the rest is lost to the suppliers at once."""
    row = liquidated[BORROWER.lower()]
    before = place.node.request("evm_snapshot")
    try:
        place.lived.ledger.call("fall", place.oracle, "setPrice", PRICE * 10**24 * 4 // 10)
        call = (place.params, BORROWER, row["seized_raw"], 0, b"")
        place.lived.ledger.call("liquidate", place.morpho.morpho, "liquidate", *call, sender=KEEPER)
        words = event_words(place.lived.ledger.mine()[1], LIQUIDATE)
    finally:
        place.node.request("evm_revert", before)
    assert words is not None
    repaid, _, seized, bad, _ = words[-5:]
    assert (row["repaid_raw"], row["seized_raw"]) == (repaid, seized) and seized == 10**19
    assert row["deficit_usd"] == pytest.approx(bad / 10**6, rel=1e-9) and bad > 7_000 * 10**6


def test_seizing_switched_off_stops_the_cascade_too(place: Place) -> None:
    before = place.node.request("evm_snapshot")
    try:
        place.lived.ledger.call("pause", place.lived.market.comptroller, "_setSeizePaused", True)
        place.lived.ledger.mine()
        taken = take(place.node.url, place.book, "latest")
        reserves = taken["reserves"]
        assert not reserves["liquidatable"].dropna().astype(bool).any() and not reserves["paused"].any()
        result = run(from_graph(build(taken)), of_shocks([parse(FALL)], Assumptions(gas_usd=0.0)))
        assert set(result.rounds[0].liquidations["position_id"]) == {BORROWER.lower()}
        (waits,) = result.waiting()
        assert waits.why == "paused" and any("switched off" in note for note in result.notes)
        # what is lent can be redeemed all the same: the contract says so, and nothing of it is missing in what can leave
        market, people = place.lived.market, place.lived.people
        owing = taken["positions"].groupby("owner")["side"].agg(lambda sides: "debt" in set(sides))
        redeem, held = (getattr(market.markets["USDC"].functions, name) for name in ("redeem", "balanceOf"))
        lender = next(who for who in people if not owing.get(f"eip155:31337:{who.lower()}", True) and held(who).call())
        assert redeem(1).call({"from": lender}) == 0
        assert without_withdrawals(taken) == set()
        place.lived.ledger.call(
            "fall", market.oracle, "setUnderlyingPrice", market.markets["WETH"].address, PRICE * 10**18 * 4 // 10
        )
        place.lived.ledger.mine()
        short = [who for who in people if market.comptroller.functions.getAccountLiquidity(who).call()[2]]
        assert waits.positions == len(short) > 1
    finally:
        place.node.request("evm_revert", before)
