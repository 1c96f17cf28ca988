"""The asset whose price stands beside the rounds: one rule for the report of a market and for the terminal, which shows all markets."""

from dataclasses import replace

import pytest

from graph.build import build
from reports.cascades import cascade_of, leading, scenario_line
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


def test_what_is_written_off_comes_first() -> None:
    made = snapshot(POSITIONS, PRICES)
    result = run(from_graph(build(made)), of_shocks([parse("STETH=-5%"), parse("ETH=-4%")]))
    first = result.rounds[0]
    lost = first.liquidations.assign(
        deficit_usd=[float(name == "STETH") for name in first.liquidations["collateral_asset"]]
    )
    written_off = replace(result, rounds=(replace(first, liquidations=lost), *result.rounds[1:]))
    assert leading(written_off, made) == leading(written_off, made, MARKET) == ("STETH", "STETH")
    assert leading(written_off, made, "another market") == ("STETH", "STETH")
