"""The asset whose price stands beside the rounds: one rule for the report of a market and for the terminal, which shows all markets."""

import pandas as pd
import pytest

from graph.build import build
from reports.cascades import cascade_of, collateral_behind, leading, scenario_line
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.scenarios import of_shocks
from simulations.shocks import parse
from tests.simulations.hand_made import MARKET, snapshot

PRICES = {"ETH": 1_000.0, "STETH": 1_000.0, "USDC": 1.0}
POSITIONS = [
    ("alice", "ETH", "collateral", 100.0),
    ("alice", "USDC", "debt", 79_000.0),
    ("bob", "STETH", "collateral", 10.0),
    ("bob", "USDC", "debt", 7_900.0),
]
"""At 950 alice's ether is worth 76,000 after its threshold, bob's STETH 7,600; both are liquidated, alice for more."""


@pytest.mark.parametrize(
    ("shocks", "asset"),
    [
        (("STETH=-5%", "ETH=-5%"), "ETH"),  # the other is liquidated too, for less
        (("ETH=-1%", "STETH=-5%"), "STETH"),
        (("STETH=+5%", "ETH=+1%"), "STETH"),  # nobody is liquidated
    ],
)
def test_what_is_liquidated_most_decides_then_the_shock(shocks: tuple[str, ...], asset: str) -> None:
    made = snapshot(POSITIONS, PRICES)
    result = run(from_graph(build(made)), of_shocks([parse(shock) for shock in shocks]))
    assert leading(result, made) == leading(result, made, MARKET) == (asset, asset)
    line = scenario_line(result, MARKET, made)
    assert line.leading_symbol == cascade_of(line, result, MARKET, made).leading_symbol == asset


MIXED = [
    ("alice", "ETH", "collateral", 100.0),  # all of it is liquidated at a profit: the most by far, and nothing is lost
    ("alice", "USDC", "debt", 79_000.0),
    ("carol", "ETH", "collateral", 1.0),
    ("carol", "STETH", "collateral", 3.0),
    ("carol", "USDC", "debt", 3_900.0),
    ("dave", "STETH", "collateral", 2.0),
    ("dave", "ETH", "supply", 50.0),  # lent, and nothing that secures a debt
    ("dave", "USDC", "debt", 1_950.0),
]


def test_bad_debt_is_against_what_those_who_owe_it_had_posted() -> None:
    """carol's loss is a quarter against ether and three against STETH, as it was worth; dave's against STETH alone. Nobody else loses."""
    made = snapshot(MIXED, PRICES)
    result = run(from_graph(build(made)), of_shocks([parse("STETH=-8%"), parse("ETH=-8%")]))
    lost = result.positions.set_index("position_id")["loss_usd"]
    assert lost["alice"] == 0 < lost["dave"] < lost["carol"]
    seized = pd.concat([step.liquidations for step in result.rounds]).groupby("collateral_asset")["seized_usd"].sum()
    assert seized["ETH"] > 5 * seized["STETH"], "what is liquidated most is another asset"
    behind = {"ETH": lost["carol"] / 4, "STETH": 3 * lost["carol"] / 4 + lost["dave"]}
    assert collateral_behind(result, made, MARKET) == pytest.approx(behind)
    assert leading(result, made) == leading(result, made, MARKET) == ("STETH", "STETH")
    line = scenario_line(result, MARKET, made)
    assert line.leading_ratio == pytest.approx(behind["STETH"] / (lost["carol"] + lost["dave"]))


def test_of_another_market_nothing_is_told() -> None:
    made = snapshot(MIXED, PRICES)
    result = run(from_graph(build(made)), of_shocks([parse("STETH=-8%"), parse("ETH=-4%")]))
    assert collateral_behind(result, made, "another market") == {}
    assert leading(result, made, "another market") == ("STETH", "STETH"), "what is shocked most"
