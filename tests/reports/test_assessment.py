"""What the record says adds up, and agrees with sums taken from the tables by another way."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from chain.errors import InputError, UnknownNameError
from chain.snapshot import Check, Snapshot
from graph.build import build
from reports.assessment import assess
from reports.at_risk import at_risk_of
from reports.charts.cascade import rows_of
from reports.market_rows import MarketRows, of_market
from reports.provenance import report_id
from reports.record import Assessment
from reports.sections import page
from simulations.book_of_graph import from_graph
from simulations.health import at_risk
from tests.reports.market_world import (
    CAPTION,
    MARKET,
    SYMBOLS,
    assessment_of,
    falls,
    frontier_at,
    market_snapshot,
    results_of,
)


def test_coverage_adds_up_to_what_is_supplied(assessment: Assessment) -> None:
    part = assessment.coverage
    assert sum(line.amount_usd for line in part.by_status) == pytest.approx(part.total_usd, rel=1e-12)
    assert sum(line.share_ratio for line in part.by_status) == pytest.approx(1)
    assert [line.status for line in part.by_status] == ["verified", "derived", "unverified", "not seen"]


def test_collateral_and_claims_are_everything_supplied_and_shares_add_up(assessment: Assessment) -> None:
    part = assessment.exposure
    assert part.collateral_usd + part.claims_usd == pytest.approx(assessment.coverage.total_usd)
    for lines in (part.posted, part.roots, part.feeds, part.lenders, part.borrowed):
        assert sum(line.share_ratio for line in lines) == pytest.approx(1)
    assert sum(line.amount_usd for line in part.lenders) == pytest.approx(part.claims_usd)


def test_exposure_equals_sums_over_the_positions_table() -> None:
    snapshot = market_snapshot(borrowers=30)
    prices = {row.asset: row.price_usd for row in snapshot["prices"].itertuples()}
    decimals = {row.asset: row.decimals for row in snapshot["assets"].itertuples()}
    symbols = {row.asset: row.symbol for row in snapshot["assets"].itertuples()}
    posted: dict[str, float] = {}
    lent = owed = 0.0
    for row in snapshot["positions"].itertuples():
        usd = row.amount_raw / 10 ** decimals[row.asset] * prices[row.asset]
        if row.side == "debt":
            owed += usd
        elif row.collateral_enabled:
            posted[symbols[row.asset]] = posted.get(symbols[row.asset], 0.0) + usd
        else:
            lent += usd
    part = assessment_of(snapshot, results_of(snapshot, (falls(("ETH", -0.1)),))).exposure
    assert {line.symbol: line.amount_usd for line in part.posted} == pytest.approx(posted)
    assert (part.claims_usd, part.borrowed_usd) == pytest.approx((lent, owed))
    ether = posted["WETH"] + posted["lstETH"]
    assert {root.name: root.amount_usd for root in part.roots}["ETH"] == pytest.approx(ether)
    assert part.feeds[0].name == "ETH / USD"
    assert part.feeds[0].amount_usd == pytest.approx(ether)


def test_scenarios_are_direct_and_indirect_and_worst_comes_first(assessment: Assessment) -> None:
    for line in assessment.scenarios:
        assert line.direct_usd + line.indirect_usd == pytest.approx(line.bad_debt_usd, abs=1e-3)
    losses = [line.bad_debt_usd for line in assessment.scenarios]
    assert losses == sorted(losses, reverse=True)


def test_rounds_and_positions_add_up_to_the_scenario(assessment: Assessment) -> None:
    cascade = assessment.cascade
    assert sum(step.bad_debt_usd for step in cascade.steps) == pytest.approx(cascade.scenario.bad_debt_usd, abs=1e-3)
    assert sum(step.liquidated_usd for step in cascade.steps) == pytest.approx(cascade.scenario.liquidated_usd)
    amounts = [cascade.of_position(line) for line in cascade.positions]
    assert amounts == sorted(amounts, reverse=True)
    assert sum(amounts) <= cascade.total_usd * (1 + 1e-9)
    if cascade.losing_positions == len(amounts) and cascade.total_usd:
        assert sum(amounts) == pytest.approx(cascade.total_usd)


def test_rounds_to_calm_are_those_of_the_run_wherever_they_are_told() -> None:
    """A round in which only another market is liquidated counts: the last round that liquidates anybody names the last row of the figure too."""
    snapshot = market_snapshot(borrowers=80, depth_usd=400e6, near=0.35)
    (result,) = results_of(snapshot, (falls(("ETH", -0.3)),))
    rounds = list(result.rounds)
    rounds[1] = replace(rounds[1], liquidations=rounds[1].liquidations.assign(market="elsewhere"))
    found = assessment_of(snapshot, [replace(result, rounds=tuple(rounds))])
    last = max(step.number for step in rounds if len(step.liquidations))
    assert last > 8, "so that late rounds are taken together"
    assert found.scenarios[0].rounds == last
    assert rows_of(found.cascade)[-1][0] == f"Rounds 8–{last}"
    scenarios, figure, _ = next(section for section in page(found).sections if section.key == "scen").blocks
    assert [row[7].text for row in scenarios.tables[0].rows] == [str(last)]
    assert f"calm after {last} rounds." in figure.source


def test_what_the_quiet_round_after_a_single_one_revalues_is_no_second_round() -> None:
    snapshot = market_snapshot(borrowers=80, depth_usd=400e6, near=0.35)
    (result,) = results_of(snapshot, (falls(("ETH", -0.3)),))
    first, quiet = result.rounds[0], replace(result.rounds[-1], number=2, bad_debt_usd={MARKET: 7e5})
    found = assessment_of(snapshot, [replace(result, rounds=(first, quiet))])
    assert found.scenarios[0].rounds == 1
    assert [label for label, *_ in rows_of(found.cascade)] == ["Round 1", "Aftermath"]


def test_capacity_is_met_where_the_curve_says(thin: Assessment) -> None:
    curve = thin.at_risk
    assert curve.full_at_percent is not None
    assert curve.at(curve.full_at_percent) == pytest.approx(curve.capacity_at(curve.full_at_percent))
    assert curve.at(1000) == curve.points[-1].collateral_usd


def test_what_the_market_holds_and_no_position_shows_is_not_seen() -> None:
    snapshot = market_snapshot(borrowers=10)
    exposure = of_market(build(snapshot), MARKET)
    exposure = replace(exposure, supplied_usd=exposure.supplied_usd * 1.25)
    coverage = _assess(snapshot, exposure).coverage
    assert coverage.by_status[-1].share_ratio == pytest.approx(0.2)
    assert sum(line.amount_usd for line in coverage.by_status) == pytest.approx(exposure.supplied_usd)


def test_failed_comparisons_are_counted_at_their_table() -> None:
    checks = (Check("positions", "balances equal balanceOf", 10, ("one is off",)), Check("reserves", "totals", 5))
    coverage = assessment_of(market_snapshot(borrowers=10, checks=checks)).coverage
    found = {line.table: line for line in coverage.tables}
    assert (found["positions"].failures, coverage.failures) == (1, 1)
    assert found["positions"].check == "balances equal balanceOf, 9 of 10"
    assert found["pools"].check == "not compared with a second source"


def test_the_weakest_status_of_a_table_is_the_same_in_every_process() -> None:
    """Seed 0 is one at which Python lists "unverified" before "file"; the schema's words are in order of strength, a user's file last."""
    asked = (
        "from types import SimpleNamespace as S; import pandas as pd; from reports import coverage;"
        "print(coverage._check(S(checks=()), 't', pd.DataFrame({'status': ['verified', 'file', 'unverified']})).status)"
    )
    said = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "file"


def test_json_holds_the_record_without_numbers_that_json_has_not(assessment: Assessment) -> None:
    text = json.dumps(assessment.to_dict(), allow_nan=False)
    again = json.loads(text)
    assert again["content_id"] == assessment.content_id
    assert again["verdict"]["sentences"] == list(assessment.verdict.sentences)
    assert again["at_risk"]["full_at_percent"] == assessment.at_risk.full_at_percent


def test_content_id_follows_all_that_is_said_and_nothing_else(thin: Assessment, broad: Assessment) -> None:
    snapshot = market_snapshot(borrowers=10)
    results = results_of(snapshot, (falls(("ETH", -0.1)), falls(("ETH", -0.2))))
    first = assessment_of(snapshot, results)
    assert re.fullmatch("as1-[0-9a-f]{16}", first.content_id)
    assert report_id(first.to_dict()) == first.content_id, "it is of the whole record, the verdict included"
    assert assessment_of(snapshot, results[::-1]).to_dict() == first.to_dict()
    for other in (
        assessment_of(snapshot, results[:1]),
        assessment_of(snapshot, results, command="other"),
        assessment_of(replace(snapshot, caption="another caption"), results),
        assessment_of(replace(snapshot, gaps=("a pool",)), results),
        assessment_of(replace(snapshot, checks=(Check("positions", "balances", 10, ("one is off",)),)), results),
    ):
        assert other.content_id != first.content_id
        assert other.to_dict() != first.to_dict()
    assert thin.content_id != broad.content_id


def test_scenarios_that_were_not_run_are_named_and_the_worst_is_said_to_be_of_those_run() -> None:
    snapshot = market_snapshot(borrowers=10)
    results = results_of(snapshot, (falls(("ETH", -0.1)), falls(("ETH", -0.2))))
    whole, part = (assessment_of(snapshot, results, left_out=names) for names in ((), ("ETH −30 %", "WBTC −20 %")))
    assert part.coverage.gaps == (
        *whole.coverage.gaps,
        "scenarios that ship and were not run: ETH −30 % and WBTC −20 %",
    )
    assert "the worst of two scenarios," in whole.verdict.plain[1]
    assert "the worst of the two scenarios run," in part.verdict.plain[1]


def test_node_addresses_never_appear() -> None:
    found = assessment_of(
        market_snapshot(borrowers=10), command="aftershock report --rpc https://node.example/v2/KEY core"
    )
    assert found.command == "aftershock report --rpc <rpc-url> core"
    assert "KEY" not in json.dumps(found.to_dict())


def test_what_cannot_be_assessed_says_so() -> None:
    snapshot = market_snapshot(borrowers=10)
    with pytest.raises(InputError, match="at least one scenario"):
        assessment_of(snapshot, [])
    with pytest.raises(UnknownNameError, match="no market named 'core'"):
        of_market(build(snapshot), "core")
    with pytest.raises(InputError, match="no points"):
        at_risk_of(at_risk(from_graph(build(snapshot)), "ETH", []), "ETH", 1.0)


def test_titles_keep_number_and_percent_sign_together() -> None:
    snapshot = market_snapshot(borrowers=10)
    found = assessment_of(snapshot, results_of(snapshot, (falls(("ETH", -0.1), title="ETH −10 %"),)))
    assert found.scenarios[0].title == "ETH −10\u202f%"


def test_names_and_caption_come_from_the_snapshot(thin: Assessment, broad: Assessment) -> None:
    assert thin.subject.name == "Aave V3, core market"
    assert thin.subject.caption == CAPTION
    assert broad.subject.caption == ""
    assert thin.subject.time.endswith(" UTC")
    assert {line.symbol for line in thin.exposure.posted} <= set(SYMBOLS)


def _assess(snapshot: Snapshot, exposure: MarketRows) -> Assessment:
    book = from_graph(build(snapshot))
    curve = at_risk_of(at_risk(book, "ETH", [0, 0.5]), "ETH", 3000.0)
    results = results_of(snapshot, (falls(("ETH", -0.1)),))
    return assess(snapshot, exposure, curve, results, frontier=frontier_at(book, 0.5), command="x", tool="y")


def test_no_comparison_passed_where_none_was_made(thin: Assessment) -> None:
    """A file has none; a what-if keeps none, and what was verified in it was so as it was read."""
    titles, findings = [], []
    for checks in (None, ()):
        snapshot = market_snapshot(borrowers=10, checks=checks)
        found = assessment_of(snapshot, results_of(snapshot, (falls(("ETH", -0.1)),)))
        assert found.coverage.compared == (10 if checks is None else 0)
        coverage, tables = (
            next(part for part in page(found).sections if part.key == key).blocks[0] for key in ("cover", "limits")
        )
        titles.append(tables.title)
        findings.append(next(rule.finding for rule in found.verdict.rules if rule.name == "failed_check"))
        verified = coverage.tables[0].rows[0]
        assert verified[0].text == "verified" and found.coverage.by_status[0].share_ratio == 1
        assert ("agreed with" in verified[3].text and "nothing here was compared since" in verified[3].text) is (
            checks == ()
        )
    assert titles == [
        "Every comparison with the chain passed; 10 of 11 tables were not compared",
        "No comparison with a chain was made of these 11 tables",
    ]
    assert findings == ["every comparison with the chain passed", "no comparison with a chain was made"]
    assert thin.coverage.compared == 80
