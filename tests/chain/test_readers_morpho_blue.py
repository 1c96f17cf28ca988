"""The Morpho Blue reader against the contract itself: its storage, what it writes when it accrues, and its own word on who is healthy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chain.expected import expect
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import WAD
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.availability import require_devnet
from tests.devnet.morpho_blue_market import GUEST, LLTVS, PEOPLE, PRICE, LivedIn, lived_in
from tests.devnet.node import BLOCK_SECONDS, NodeError

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[LivedIn, Path]]:
    require_devnet()
    with lived_in() as lived:
        yield lived


@pytest.fixture(scope="module")
def lived(place: tuple[LivedIn, Path]) -> LivedIn:
    return place[0]


@pytest.fixture(scope="module")
def snapshot(place: tuple[LivedIn, Path]) -> Snapshot:
    return take(place[0].node.url, place[1], "latest", "morpho")


def market_of(lived: LivedIn, name: str) -> str:
    return f"eip155:31337:morpho-blue/{lived.morpho.address.lower()}/0x{lived.ids[name].hex()}"


def token(address: str) -> str:
    return f"eip155:31337/erc20:{address.lower()}"


def reserve(lived: LivedIn, snapshot: Snapshot, name: str, place: int) -> dict[str, Any]:
    """Row of a market: place 0 is the loan, 1 the collateral."""
    key = (market_of(lived, name), token(lived.params[name][place]))
    [row] = [row for row in rows(snapshot, "reserves") if (row["market"], row["asset"]) == key]
    return row


def test_everything_that_was_compared_agrees(lived: LivedIn, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["shares add up to the market's total"] == 14, "two sides of seven rows"
    assert compared["collateral is what events left of it"] >= 30
    assert compared["the contract holds what its markets count"] == 3
    assert set(snapshot["positions"]["status"]) == {"verified"}
    assert set(snapshot["markets"]["market"]) == {market_of(lived, name) for name in lived.ids}


def test_totals_are_what_the_contract_writes_when_it_accrues(place: tuple[LivedIn, Path]) -> None:
    """The same moment twice: once somebody touches the markets in it, once the reader works out what a touch would write."""
    lived, book = place
    before = lived.node.request("evm_snapshot")
    for name in ("main", "second"):
        lived.ledger.call("touch", lived.morpho, "accrueInterest", lived.params[name])
    lived.ledger.mine()
    written = {name: lived.morpho.functions.market(key).call() for name, key in lived.ids.items()}
    moment = lived.node.w3.eth.get_block("latest")["timestamp"]
    lived.node.request("evm_revert", before)
    again = lived.node.request("evm_snapshot")
    try:
        lived.node.mine(BLOCK_SECONDS)
        assert lived.node.w3.eth.get_block("latest")["timestamp"] == moment
        taken = take(lived.node.url, book, "latest")
        for name in ("main", "second"):
            supplied, shares, borrowed, borrow_shares, _, fee = written[name]
            row = reserve(lived, taken, name, 0)
            assert (row["supply_index_raw"], row["supply_index_unit_raw"]) == (supplied + 1, shares + 10**6)
            assert (row["borrow_index_raw"], row["borrow_index_unit_raw"]) == (borrowed + 1, borrow_shares + 10**6)
            assert (row["cash_raw"], row["reserve_factor_wad"]) == (supplied - borrowed, fee)
            stored = lived.morpho.functions.market(lived.ids[name]).call()
            assert row["supplied_stored_raw"] == stored[1] and row["borrowed_stored_raw"] == stored[3]
            assert supplied > stored[0], "interest that nobody has written down yet"
            assert row["treasury_stored_raw"] == shares - stored[1]
        assert reserve(lived, taken, "main", 0)["treasury_stored_raw"] > 0
    finally:
        lived.node.request("evm_revert", again)


def test_terms_prices_and_what_is_not_there(lived: LivedIn, snapshot: Snapshot) -> None:
    for name, lltv in LLTVS.items():
        row = reserve(lived, snapshot, name, 1)
        assert row["liquidation_threshold_wad"] == row["ltv_wad"] == lltv and not row["borrowable"]
    assert reserve(lived, snapshot, "main", 1)["liquidation_bonus_wad"] == 1043841336116910229
    posted = sum(lived.morpho.functions.position(lived.ids["main"], who).call()[2] for who in lived.people)
    assert reserve(lived, snapshot, "main", 1)["collateral_raw"] == posted
    prices = {(row["market"], row["asset"]): row for row in rows(snapshot, "prices")}
    main = prices[market_of(lived, "main"), token(lived.params["main"][1])]
    assert (main["price_raw"], main["decimals"], main["quote_asset"]) == (PRICE, 24, token(lived.params["main"][0]))
    loan = prices[market_of(lived, "main"), token(lived.params["main"][0])]
    assert loan["price_raw"] == 10 ** loan["decimals"] and pd.isna(loan["price_usd"])
    assert not any(market == market_of(lived, "silent") for market, _ in prices)
    assert any(market_of(lived, "silent") in gap and "answers no price" in gap for gap in snapshot.gaps)
    idle = [row for row in rows(snapshot, "reserves") if row["market"] == market_of(lived, "idle")]
    assert len(idle) == 1 and not idle[0]["borrowable"] and idle[0]["rate_model"] == "none"


def test_every_account_has_what_the_contract_says(lived: LivedIn, snapshot: Snapshot) -> None:
    found = {(row["market"], row["position_id"], row["side"]): row["stored_raw"] for row in rows(snapshot, "positions")}
    seen = 0
    for name, key in lived.ids.items():
        for who in (*lived.people, lived.former, lived.recipient, GUEST):
            held = lived.morpho.functions.position(key, who).call()
            for side, amount in zip(("supply", "debt", "collateral"), held, strict=True):
                assert found.get((market_of(lived, name), who.lower(), side), 0) == amount
                seen += amount > 0
    assert seen == len(found) > PEOPLE
    for who in (lived.former, lived.recipient):
        assert (market_of(lived, "main"), who.lower(), "supply") in found, "no event ever gave it shares"
    assert (market_of(lived, "idle"), GUEST.lower(), "supply") in found, "supplied for by somebody else"
    left = {who.lower() for who in lived.people} - {who for _, who, _ in found}
    assert left, "somebody left for good"


def test_amounts_are_what_the_contract_would_take_and_give(lived: LivedIn, snapshot: Snapshot) -> None:
    """All shares of a debt repaid and all shares of a supply withdrawn, as calls at the block: interest and rounding are the contract's."""
    main, ask, payer = market_of(lived, "main"), lived.morpho.functions, lived.people[0]
    compared = {"debt": 0, "supply": 0}
    for row in rows(snapshot, "positions"):
        if row["market"] != main or row["side"] not in compared:
            continue
        who, shares = lived.node.w3.to_checksum_address(row["position_id"]), row["stored_raw"]
        if row["side"] == "debt":
            given = ask.repay(lived.params["main"], 0, shares, who, b"").call({"from": payer})
        else:
            given = ask.withdraw(lived.params["main"], 0, shares, who, who).call({"from": who})
        assert given == [row["amount_raw"], shares]
        compared[row["side"]] += 1
    assert min(compared.values()) > 10


def test_health_by_the_rows_is_the_contracts_word(lived: LivedIn, snapshot: Snapshot) -> None:
    """At prices that make about half of them unhealthy: what the rows say of each borrower, and whether the contract calls it healthy."""
    table = rows(snapshot, "positions")
    main = market_of(lived, "main")
    debts = {row["position_id"]: row for row in table if (row["market"], row["side"]) == (main, "debt")}
    posted = {
        row["position_id"]: row["stored_raw"] for row in table if (row["market"], row["side"]) == (main, "collateral")
    }
    healthy = 0
    before = lived.node.request("evm_snapshot")
    try:
        needed = sorted(debts[who]["amount_raw"] * 10**36 / posted[who] / 0.86 for who in debts)
        price = int(needed[len(needed) // 2])
        lived.ledger.call("price", lived.oracles["main"], "setPrice", price)
        lived.ledger.mine()
        for who, row in debts.items():
            most = posted[who] * price // 10**36 * LLTVS["main"] // WAD
            data = lived.morpho.encode_abi(
                "liquidate", [lived.params["main"], lived.node.w3.to_checksum_address(who), 0, 1, b""]
            )
            call = {"from": lived.people[0], "to": lived.morpho.address, "data": data}
            try:
                lived.node.request("eth_call", call, "latest")
                says = False
            except NodeError as error:
                says = "position is healthy" in str(error)
            if abs(most - row["amount_raw"]) > 10**5:  # 12 seconds of interest have passed since the block
                assert (most >= row["amount_raw"]) == says
                healthy += says
        assert 5 < healthy < len(debts) - 5
    finally:
        lived.node.request("evm_revert", before)


def test_what_it_would_cost_is_told_beforehand(place: tuple[LivedIn, Path], snapshot: Snapshot) -> None:
    """On so small a chain the sample is all of it, so that rows are not guessed."""
    told = expect(place[0].node.url, place[1], "latest").total
    assert told.rows == pytest.approx(sum(len(table) for table in snapshot.tables.values()), rel=0.05)
