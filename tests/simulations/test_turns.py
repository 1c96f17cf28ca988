"""Thrift changes no result: who is asked and prepared once gives the bytes of asking everybody and preparing anew, and the bounds hold."""

import json
import random
from math import exp

import pytest

import aftershock
from simulations import cascade
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.channels import liquidation
from simulations.opening import Opening, opening
from simulations.result import direct_and_indirect_usd
from simulations.scenarios import Assumptions, Scenario, of_shocks
from simulations.shocks import parse
from simulations.venues.split import split, spot, surplus
from tests.simulations import plain_turns
from tests.simulations.hand_made import book as book_by_hand
from tests.simulations.routing_draws import case

QUICK, LONG = 60, 3_000
SHOCKS = [
    (("ETH=-20%",), {}),
    (("LINK=-40%", "WBTC=-15%"), {"gas_usd": 40.0}),
    (("ETH=+8%", "WBTC=-12%"), {"pass_through": 1.0}),
    (("ETH=-12%",), {"gas_usd": 0.0}),
    (("ETH=-3%",), {}),
]


@pytest.fixture(scope="module")
def book() -> Book:
    return from_graph(aftershock.graph(aftershock.load()))


@pytest.fixture(scope="module")
def begin(book: Book) -> Opening:
    return opening(book)


def scenario(shocks: tuple[str, ...], assumptions: dict[str, float]) -> Scenario:
    return of_shocks([parse(shock) for shock in shocks], Assumptions(**assumptions))  # type: ignore[arg-type]


@pytest.mark.parametrize(("shocks", "assumptions"), SHOCKS)
def test_only_those_whose_turn_can_matter_are_asked_and_nothing_else_changes(
    begin: Opening,
    shocks: tuple[str, ...],
    assumptions: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = scenario(shocks, assumptions)
    thrifty = cascade.run(begin, asked)
    monkeypatch.setattr(liquidation, "act", plain_turns.act)
    assert json.dumps(cascade.run(begin, asked).to_dict()) == json.dumps(thrifty.to_dict())
    assert len(thrifty.rounds[0].liquidations) or shocks == ("ETH=-3%",)


@pytest.mark.parametrize("seed", range(4))
def test_whose_turn_is_over_is_not_asked_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them post ETH and owe USDC, half the other way round: a sale of one half makes the next one of the other half pay again."""
    rng = random.Random(seed)
    rows = []
    for number in range(16):
        size = (
            1 + round(16 * rng.lognormvariate(0, 1)) / 16
        )  # few binary digits: whole numbers of smallest units add up
        debt = round(16 * size * rng.uniform(0.86, 0.95)) / 16
        if number % 2:
            rows += [(f"p{number}", "ETH", "collateral", size), (f"p{number}", "USDC", "debt", 2_000 * debt)]
        else:
            rows += [(f"p{number}", "USDC", "collateral", 2_000 * size), (f"p{number}", "ETH", "debt", debt)]
    held = book_by_hand(rows, {"ETH": 2_000.0, "USDC": 1.0}, pool=(150.0, 300_000.0))
    asked = scenario(("ETH=+1%",), {"gas_usd": 1.0})
    thrifty = cascade.run(held, asked)
    monkeypatch.setattr(liquidation, "act", plain_turns.act)
    assert json.dumps(cascade.run(held, asked).to_dict()) == json.dumps(thrifty.to_dict())
    assert len(thrifty.rounds[0].liquidations)


def test_a_run_leaves_no_trace_in_the_opening(book: Book, begin: Opening) -> None:
    one, two = scenario(*SHOCKS[1]), scenario(*SHOCKS[4])
    records = [json.dumps(cascade.run(begin, asked).to_dict()) for asked in (one, two, one)]
    assert records[0] == records[2] == json.dumps(cascade.run(book, one).to_dict())
    assert records[1] == json.dumps(cascade.run(book, two).to_dict())
    alone = sum(direct_and_indirect_usd(cascade.to_calm(begin, one).rounds))
    assert alone == json.loads(records[0])["totals"]["bad_debt_usd"] > 0


@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_no_sale_brings_more_beyond_a_price_than_the_surplus_says(count: int) -> None:
    tight = 0
    for number in range(count):
        rng = random.Random(number)
        drawn = case(rng)
        best = spot(drawn.venues, drawn.ways)
        if not best:
            continue
        price = best * exp(-rng.uniform(0.0, 0.5))
        bound = surplus(drawn.venues, drawn.ways, price)
        for halving in range(6):
            plan = split(drawn.venues, drawn.ways, drawn.amount >> halving)
            gained = plan.received_raw - price * ((drawn.amount >> halving) - plan.unsold_raw)
            assert gained <= bound + 1, (number, halving, gained, bound)
            tight += gained > 0.9 * bound > 10
    assert tight > count / 20, "a bound that nothing comes near says nothing"
