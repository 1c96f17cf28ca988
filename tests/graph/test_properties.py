"""Whatever the positions are: the order of rows changes nothing, and the graph's totals are those of the tables."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.build import build
from graph.exposures.answer import exposure
from tests.graph.random_world import Draw, world_of
from tests.graph.small_world import small_world

SIDES = st.sampled_from(["supply", "debt"])
ASSETS = st.sampled_from(["weth", "lsteth", "usdc"])
DRAWS = st.lists(
    st.tuples(st.integers(0, 9), ASSETS, SIDES, st.integers(0, 10**30), st.booleans()),
    max_size=25,
    unique_by=lambda draw: draw[:3],
)
CALM = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.verify
@CALM
@given(DRAWS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(draws: list[Draw], chance: Any) -> None:
    rows = world_of(draws)
    one = build(small_world(rows))
    shuffled = {table: chance.sample(list(part), len(part)) for table, part in rows.items()}
    other = build(small_world(shuffled))
    for mine, theirs in ((one.nodes, other.nodes), (one.relations, other.relations)):
        for name in mine:
            pd.testing.assert_frame_equal(mine[name], theirs[name], check_exact=True)
    assert exposure(one, "core").to_dict() == exposure(other, "core").to_dict()


@pytest.mark.verify
@CALM
@given(DRAWS)
def test_totals_are_those_of_the_tables(draws: list[Draw]) -> None:
    snapshot = small_world(world_of(draws))
    graph = build(snapshot)
    table = snapshot["positions"].merge(
        snapshot["prices"][["market", "asset", "price_raw", "decimals"]], on=["market", "asset"]
    )
    table = table.merge(snapshot["assets"][["asset", "decimals"]].rename(columns={"decimals": "places"}), on="asset")
    table["usd"] = [
        float(row.amount_raw) * float(row.price_raw) / 10.0 ** (row.decimals + row.places) for row in table.itertuples()
    ]
    debts = table["side"] == "debt"
    supplied, borrowed = float(table.loc[~debts, "usd"].sum()), float(table.loc[debts, "usd"].sum())
    market = graph.nodes["market"].iloc[0]
    for total, relation, node in (
        (supplied, graph.relations["supplies"], market["supplied_usd"]),
        (borrowed, graph.relations["borrows"], market["borrowed_usd"]),
    ):
        assert float(relation["amount_usd"].sum()) == pytest.approx(total, rel=1e-9)
        assert node == pytest.approx(total, rel=1e-9)
    counted = float(table.loc[~debts & table["collateral_enabled"].astype(bool), "usd"].sum())
    figures = exposure(graph, "core").figures
    assert figures["collateral_usd"] == pytest.approx(counted, rel=1e-9)
    for part, total in (("collateral", counted), ("roots", counted), ("borrowed", borrowed)):
        column = "borrowed_usd" if part == "borrowed" else "collateral_usd"
        assert float(exposure(graph, "core").outbound[part][column].sum()) == pytest.approx(total, rel=1e-9)
