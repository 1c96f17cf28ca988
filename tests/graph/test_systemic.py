"""What is lost if a node fails: against a plain round-by-round sum over the steps, closed forms, and claims that hold for any draw."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aftershock
from chain.errors import InputError
from chain.tables import schemas
from graph.build import build
from graph.dependences import dependences
from graph.merged_rows import STATUSES, weakest
from graph.protocol_graph import ProtocolGraph
from graph.systemic import Uncertainty, losses_if_it_fails, systemic
from tests.core_sample import core
from tests.graph.small_world import LSTETH, USDC, small_rows, small_world

HAVING = ["supplies", "holds", "allocates_to"]
CERTAIN = Uncertainty(amount_sigma=0.0, unverified_kept=1.0, draws=3)


def lost_by_rounds(graph: ProtocolGraph, cause: str) -> float:
    """USD that those on whom nobody depends lose if `cause` fails: each round passes on what was newly lost, nobody loses more than all."""
    steps = dependences(graph)
    lost: dict[str, float] = {cause: 1.0}
    new = dict(lost)
    while new:
        hit: dict[str, float] = {}
        for row in steps.itertuples(index=False):
            if row.target in new:
                hit[row.source] = hit.get(row.source, 0.0) + row.share * new[row.target]
        new = {}
        for name, more in hit.items():
            gain = min(1.0, lost.get(name, 0.0) + more) - lost.get(name, 0.0)
            if gain > 1e-9:
                new[name] = gain
                lost[name] = lost.get(name, 0.0) + gain
    markets, assets = graph.snapshot["markets"], graph.snapshot["assets"]
    issued = assets[assets["kind"] == "receipt"]
    contracts = {*(markets["chain"] + ":" + markets["address"]), *(issued["chain"] + ":" + issued["address"])}
    kept_for_others = {*graph.nodes["asset"]["node"], *graph.nodes["pool"]["node"], *contracts}
    holders = steps[~steps["source"].isin({*steps["target"], *kept_for_others}) & steps["relation"].isin(HAVING)]
    worth = (holders["amount_usd"] / holders["share"]).groupby(holders["source"]).max()
    return float(sum(usd * lost.get(name, 0.0) for name, usd in worth.dropna().items()))


def file_of(tmp_path: Path, *rows: str) -> aftershock.ProtocolGraph:
    path = tmp_path / "claims.csv"
    path.write_text("holder,claim_on,amount_usd\n" + "\n".join(rows) + "\n")
    return aftershock.graph(aftershock.load(path))


def test_a_chain_passes_on_what_is_held(tmp_path: Path) -> None:
    """alice has 60 of a fund that has 70 in a bank and 30 in gold: the bank costs her 42, gold 18, the fund all."""
    found = systemic(file_of(tmp_path, "alice,Fund,60", "Fund,Bank,70", "Fund,Gold,30"), CERTAIN)
    loss = found.set_index("label")["loss_usd"]
    assert loss["Fund"] == pytest.approx(60) and loss["Bank"] == pytest.approx(42) and loss["Gold"] == pytest.approx(18)
    assert found["rank"].tolist() == [1, 2, 3] == found["rank_low"].tolist() == found["rank_high"].tolist()


@pytest.mark.parametrize("rows", [("A,USD,10", "USD,A,5"), ("A,B,10", "B,A,5")])
def test_a_circle_that_nobody_owns_is_refused_and_one_row_makes_it_answerable(
    tmp_path: Path, rows: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as refused:
        systemic(file_of(tmp_path, *rows), CERTAIN)
    said = str(refused.value)
    assert said.startswith("claims.csv names no holder on whom nobody has a claim") and said.count("owner,") == 1
    row = said.partition("such as ")[2].partition(" for")[0]
    found = systemic(file_of(tmp_path, *rows, row), CERTAIN).set_index("label")["loss_usd"]
    assert found[row.split(",")[1]] == pytest.approx(10)
    with pytest.raises(InputError, match="names no holder on whom nobody has a claim"):
        losses_if_it_fails(graph := file_of(tmp_path, *rows), graph.find("A"))


def test_a_circle_comes_back(tmp_path: Path) -> None:
    """A is 2/5 B and 3/5 gold, B half A and half silver: a = 3/5 + 2/5 b, b = 1/2 a if gold fails, so alice loses 3/4 of what she has."""
    graph = file_of(tmp_path, "alice,A,100", "B,A,25", "A,B,50", "A,Gold,75", "B,Silver,25")
    found = systemic(graph, CERTAIN).set_index("label")["loss_usd"]
    assert found["Gold"] == pytest.approx(75, rel=1e-6)
    assert found["Silver"] == pytest.approx(25, rel=1e-6)


def test_there_is_one_order_of_statuses_from_the_surest_to_the_weakest() -> None:
    """That of the schema: what a file says is weaker than what was read once, in whatever order rows come, here and in what leads to a node."""
    [order] = {column.choices for column in schemas()["backings"].columns if column.name == "status"}
    assert list(STATUSES) == list(order)
    for place, status in enumerate(order):
        for surer in order[: place + 1]:
            assert weakest(pd.Series([surer, status])) == weakest(pd.Series([status, surer])) == status
    rows = small_rows()
    rows["reserves"] = [{**row, "status": "unverified"} for row in rows["reserves"]]
    rows["pool_assets"] = [{**row, "status": "file"} for row in rows["pool_assets"]]
    found = systemic(build(small_world(rows)), CERTAIN).set_index("node")["status"]
    assert found[USDC] == "file" and found[LSTETH] == "unverified"


def test_the_sample_agrees_with_rounds_over_the_steps() -> None:
    graph = aftershock.graph(aftershock.load())
    found = systemic(graph, CERTAIN)
    assert len(found) >= 12
    for row in [*found.head(6).itertuples(), *found.tail(6).itertuples()]:
        assert row.loss_usd == pytest.approx(lost_by_rounds(graph, row.node), rel=1e-6, abs=1.0)


def test_ranges_hold_the_point_and_grow_with_what_is_not_known() -> None:
    graph = aftershock.graph(aftershock.load())
    little, much = (systemic(graph, Uncertainty(sigma, 1.0, 40, seed=3)) for sigma in (0.02, 0.2))
    wide = [np.mean(found["rank_high"] - found["rank_low"]) for found in (little, much)]
    assert 0 < wide[0] < wide[1]
    inside = (much["loss_low_usd"] <= much["loss_usd"] * 1.2) & (much["loss_usd"] * 0.8 <= much["loss_high_usd"])
    assert inside.all()
    pd.testing.assert_frame_equal(much, systemic(graph, Uncertainty(0.2, 1.0, 40, seed=3)))


def test_a_reserve_that_fails_costs_its_suppliers_what_they_supplied() -> None:
    """Counted once: neither the receipt tokens nor the market's own contracts are holders beside the suppliers."""
    graph = aftershock.graph(core())
    supplied = graph.relations["supplies"].groupby("asset")["amount_usd"].sum()
    losses = systemic(graph, CERTAIN).set_index("node")["loss_usd"]
    [market] = graph.nodes["market"]["node"]
    assert len(supplied) == 6 and (supplied > 0).all()
    for asset in supplied.index:
        assert losses[f"{market}#{asset}"] == pytest.approx(supplied[asset], rel=1e-6)
