"""A market that is paused is told as that: no sentence says that what a pause holds back can be taken, and none advises on it."""

from typing import Any

import pytest

from graph.edits.tables import with_values
from reports.amounts import money
from reports.record import Assessment
from reports.render import render
from tests.reports.market_world import assessment_of, asset_key, falls, market_snapshot, results_of

SCENARIOS = (falls(("ETH", -0.3)),)


def assessed(*symbols: str, scenarios: Any = SCENARIOS) -> Assessment:
    made = market_snapshot(borrowers=30, depth_usd=400e6, near=0.35)
    hit = made["reserves"]["asset"].isin([asset_key(symbol) for symbol in symbols])
    source = with_values(made, "reserves", hit.tolist(), paused=True)
    return assessment_of(source, results_of(source, scenarios))


@pytest.fixture(scope="module")
def open_() -> Assessment:
    return assessed()


@pytest.fixture(scope="module")
def whole() -> Assessment:
    return assessed("WETH", "lstETH", "WBTC", "LINK", "USDC")


@pytest.fixture(scope="module")
def of_bitcoin() -> Assessment:
    return assessed("WBTC", scenarios=(falls(("ETH", -0.1), ("WBTC", -0.3)),))


def told(assessment: Assessment) -> str:
    return render(assessment, ["md"])["md"].replace("\u202f", " ").replace("\u00a0", " ").replace("**", "")


def plain(assessment: Assessment) -> list[str]:
    return [text.replace("\u202f", " ").replace("\u00a0", " ") for text in assessment.verdict.plain]


def test_the_verdict_says_that_the_market_is_paused_and_what_that_holds_back(
    open_: Assessment, whole: Assessment
) -> None:
    due = open_.at_risk.at(20)
    assert due > 0 and whole.at_risk.at(20) == whole.at_risk.paused_at(20) == due
    assert (
        plain(whole)[0]
        == f"Now this market is paused: at ETH −20 % {money(due)} of collateral falls due that nobody can take."
    )
    assert "paused" not in told(open_).replace("Refused: paused", "") and open_.exposure.paused == ()
    assert len(whole.verdict.sentences) == len(open_.verdict.sentences) + 1


def test_nothing_can_be_taken_and_nothing_is_advised(open_: Assessment, whole: Assessment) -> None:
    """The same market as it stands says both."""
    can = "of collateral can be taken in a first round"
    assert can in plain(open_)[0] and "can be taken in a first round, before anybody sells" in told(open_)
    assert can not in told(whole) and "before anybody sells" not in told(whole)
    assert "nothing can be taken in a first round: " in plain(whole)[1] and "held back by a pause" in plain(whole)[1]
    assert "the pools can take" in plain(open_)[-1] or "of what the pools can take" in plain(open_)[-1]
    assert "what the pools can take at ETH −20 % is not told" in plain(whole)[-1]


def test_what_waits_is_told_with_its_reason(whole: Assessment) -> None:
    (line,) = whole.scenarios
    assert line.liquidated_usd == 0 < line.paused_debt_usd == line.waiting_debt_usd
    waits = f"{money(line.paused_debt_usd)} of debt"
    assert f"with {waits} waiting for the end of a pause" in plain(whole)[2]
    assert f"What becomes of {waits} that waits at the end of ETH −30 %: liquidation is paused." in told(whole)
    assert "keeper" not in plain(whole)[2] and "no keeper" not in told(whole)
    record = whole.to_dict()
    assert record["exposure"]["paused"] == ["this market is paused"]
    assert record["scenarios"][0]["waiting"][0] == {"why": "paused", **record["scenarios"][0]["waiting"][0]}
    assert record["at_risk"]["points"][20]["paused_usd"] == record["at_risk"]["points"][20]["collateral_usd"] > 0


def test_a_pause_of_one_asset_leaves_the_rest(open_: Assessment, of_bitcoin: Assessment) -> None:
    """Ether alone falls on the curve, so that of bitcoin nothing is held back there; in the run it is."""
    assert (
        plain(of_bitcoin)[0] == "Now WBTC is paused in this market: down to ETH −20 % that holds no liquidation back."
    )
    assert of_bitcoin.at_risk.points == open_.at_risk.points
    assert "can be taken in a first round" in told(of_bitcoin)
    (line,) = of_bitcoin.scenarios
    assert line.liquidated_usd > 0 < line.paused_debt_usd
    assert f"{money(line.paused_debt_usd)} of debt waiting for the end of a pause" in plain(of_bitcoin)[2]


def test_an_ordinary_day_that_was_run_tells_the_debt_that_waits() -> None:
    ordinary = assessed("WETH", "lstETH", "WBTC", "LINK", "USDC", scenarios=(falls(("ETH", -0.1)),))
    waits = money(ordinary.scenarios[0].paused_debt_usd)
    assert f"(ETH −10 %) nothing is liquidated: {waits} of debt could be liquidated and waits" in plain(ordinary)[1]
