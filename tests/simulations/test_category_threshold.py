"""An asset that is no collateral outside its category: to Aave 3.5 it is none inside either, from 3.6 it is. The accounts' own formulas decide."""

from dataclasses import replace
from typing import Any

import pytest

from chain.comparisons.checks import aave_account
from chain.snapshot import Snapshot
from graph.build import build
from simulations.book_of_graph import from_graph
from simulations.health import health_factors
from simulations.state import start
from tests.core_sample import core


def without_own_threshold(snapshot: Snapshot, revision: int) -> Snapshot:
    """The sample at another revision, members of its categories with a threshold of 0 of their own."""
    members = 0
    for bitmap in snapshot["categories"]["collateral_bitmap"]:
        members |= int(bitmap)
    reserves, markets = snapshot["reserves"].copy(), snapshot["markets"].copy()
    inside = [bool(members >> int(slot) & 1) for slot in reserves["reserve_index"]]
    reserves["liquidation_threshold_wad"] = [
        0 if is_in else value for is_in, value in zip(inside, reserves["liquidation_threshold_wad"], strict=True)
    ]
    assert any(inside)
    assert not all(inside)
    markets.loc[markets["family"] == "aave_v3", "revision"] = revision
    return replace(snapshot, tables={**snapshot.tables, "reserves": reserves, "markets": markets})


@pytest.mark.parametrize("revision", [9, 10])
def test_health_factors_are_those_of_the_accounts(revision: int) -> None:
    snapshot = without_own_threshold(core(), revision)
    rows: dict[str, list[dict[str, Any]]] = {
        name: snapshot[name].to_dict("records") for name in ("markets", "reserves", "prices", "assets", "categories")
    }
    held: dict[str, list[dict[str, Any]]] = {}
    for row in snapshot["positions"].to_dict("records"):
        held.setdefault(str(row["position_id"]), []).append({str(name): value for name, value in row.items()})
    book = from_graph(build(snapshot))
    state = start(book)
    compared = 0
    for number, health in enumerate(health_factors(state)):
        category = int(book.position_category[number])
        if category:
            wanted = aave_account(rows, held[book.position_ids[number]]).health_factor_wad
            assert (health == float("inf")) == (wanted >= 2**255)
            if wanted < 2**255:
                assert health == pytest.approx(wanted / 1e18, rel=1e-6, abs=1e-9)
                compared += 1
    assert compared > 20


def test_the_two_revisions_differ_as_they_should() -> None:
    def counted(revision: int) -> float:
        book = from_graph(build(without_own_threshold(core(), revision)))
        return float((book.leg_threshold_bps > 0)[book.leg_enabled].sum())

    assert counted(9) < counted(10)
