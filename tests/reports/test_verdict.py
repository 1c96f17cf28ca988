"""Sentences and grades follow from thresholds: other data, other sentences; other thresholds, other sentences from the same data."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.errors import InputError, UnknownNameError
from chain.snapshot import Check
from reports import thresholds
from reports.amounts import money, percent
from reports.record import Assessment
from reports.thresholds import Thresholds
from reports.verdict import judge
from tests.reports.market_world import assessment_of, falls, market_snapshot, results_of


def judged(assessment: Assessment, markets_seen: int = 1, **changes: Any) -> Any:
    """The verdict again under changed thresholds: `bad_debt={"levels": ...}` replaces entries of a section."""
    content = Thresholds.shipped().to_dict()
    for section, entries in changes.items():
        content[section] = {**content[section], **entries}
    coverage = replace(assessment.coverage, markets=markets_seen)
    return judge(replace(assessment, coverage=coverage, thresholds=content))


def words(sentence: str) -> str:
    """A sentence without its numbers and addresses."""
    return re.sub(r"`[^`]*`|[\d.,]+|[−$%]", "", sentence)


def test_different_snapshots_give_different_sentences(thin: Assessment, broad: Assessment, calm: Assessment) -> None:
    for position in range(3):
        assert len({found.verdict.sentences[position] for found in (thin, broad, calm)}) == 3
    assert len({words(found.verdict.sentences[1]) for found in (thin, broad, calm)}) == 3


def test_sentences_carry_the_numbers_of_the_record(thin: Assessment) -> None:
    ordinary, danger, bound = thin.verdict.plain
    mild = next(line for line in thin.scenarios if line.title.startswith("ETH −10"))
    assert money(mild.liquidated_usd) in ordinary
    assert money(thin.scenarios[0].bad_debt_usd) in danger
    assert percent(thin.exposure.feeds[0].share_ratio) in danger
    assert percent(thin.scenarios[0].indirect_ratio) in danger
    assert money(thin.at_risk.at(20)) in bound
    assert money(thin.at_risk.points[20].capacity_usd) in bound
    assert all("*" not in sentence and "`" not in sentence for sentence in thin.verdict.plain)


def test_the_ordinary_day_is_a_fall_of_the_curves_own_asset() -> None:
    snapshot = market_snapshot(borrowers=20)
    found = assessment_of(snapshot, results_of(snapshot, (falls(("WBTC", -0.1)), falls(("ETH", -0.11)), falls(("ETH", -0.1), ("LINK", -0.1)))))  # fmt: skip
    assert "(ETH\u00a0−11" in found.verdict.plain[0]


def test_every_sentence_is_one_sentence(assessment: Assessment) -> None:
    for sentence in assessment.verdict.plain:
        assert sentence.endswith(".")
        assert not re.search(r"[a-z)%] *\. ", sentence)
        assert sentence[0].isupper()


@pytest.mark.parametrize(
    ("change", "position", "before", "after"),
    [
        ({"one_feed": {"levels": {"spread": 0, "leaning": 0.99, "one feed": 1.0}}}, 1, "one feed, ETH / USD", "the largest feed, ETH / USD"),
        ({"bad_debt": {"levels": {"none": 0, "small": 0.5, "material": 0.6, "heavy": 0.7}}}, 1, "leaves lenders", "size before loss"),
        ({"indirect": {"levels": {"direct": 0, "mixed": 0.98, "feeds on itself": 0.99}}}, 1, "feeds on itself", "comes in the first round, "),
        ({"indirect": {"levels": {"direct": 0, "mixed": 0.01, "feeds on itself": 0.99}}}, 1, "feeds on itself", "in later ones"),
        ({"few_positions": {"levels": {"many": 0, "some": 0.1, "few": 0.2}}}, 2, "the three largest positions carry", "Watch three positions first"),
        ({"few_positions": {"levels": {"many": 0, "some": 0.98, "few": 0.99}}}, 2, "round; the three largest", "the loss is spread"),
        ({"ordinary": {"watch_percent": 5}}, 2, "ETH −20", "ETH −5"),
        ({"ordinary": {"fall_percent": 20}}, 0, "(ETH −10", "(ETH −20"),
        ({"ordinary": {"fall_percent": 40}}, 0, "is liquidated", "no scenario of that size was run"),
    ],
)  # fmt: skip
def test_moving_a_threshold_moves_its_sentence(
    thin: Assessment, change: dict[str, Any], position: int, before: str, after: str
) -> None:
    old, new = judged(thin).sentences, judged(thin, **change).sentences
    assert before in old[position].replace("\u00a0", " ")
    assert before not in new[position].replace("\u00a0", " ")
    assert after in new[position].replace("\u00a0", " ")
    others = {0, 1, 2} - {position}
    assert all(old[other] == new[other] for other in others)


def test_alarms_are_those_of_the_thresholds(thin: Assessment, calm: Assessment) -> None:
    assert {reading.name for reading in thin.verdict.crossed} >= {"bad_debt", "capacity"}
    assert calm.verdict.crossed == ()
    quiet = judged(thin, bad_debt={"alarm": "never"}, capacity={"alarm": "never"}, at_risk={"alarm": "never"}, ordinary_bad_debt={"alarm": "never"})  # fmt: skip
    assert quiet.crossed == ()


def test_a_level_holds_from_its_number_upward() -> None:
    measure = Thresholds.shipped().measures["bad_debt"]
    assert [measure.level(value) for value in (0, 0.000_099, 0.0001, 0.001, 0.01, 5)] == [
        "none", "none", "small", "material", "heavy", "heavy",
    ]  # fmt: skip
    assert (measure.crossed(0.000_999), measure.crossed(0.001)) == (False, True)
    assert measure.level(-0.1) == "none"


def test_generated_accounts_never_get_better_than_d(thin: Assessment, calm: Assessment) -> None:
    for found in (thin, calm):
        assert found.verdict.grade == "D"
        assert found.verdict.reason.startswith("Not C, because the numbers are captioned")


def test_grade_is_the_strictest_rule_that_applies(broad: Assessment) -> None:
    assert broad.verdict.grade == "C"
    assert "one market was read" in broad.verdict.reason
    assert judged(broad, markets_seen=2).grade == "B"
    assert judged(broad, markets_seen=2, confidence={"no_probability": "A"}).grade == "A"
    assert judged(broad, known={"nearly_all": 1.1, "most": 1.1}, confidence={"known_below_most": "D"}).grade == "D"


def test_a_failed_comparison_and_unverified_data_lower_the_grade() -> None:
    failed = assessment_of(market_snapshot(borrowers=10, caption="", checks=(Check("reserves", "totals", 5, ("x",)),)))
    assert (failed.verdict.grade, "1 comparison with the chain failed" in failed.verdict.reason) == ("D", True)
    loose = assessment_of(market_snapshot(borrowers=10, caption="", status="unverified"))
    assert (loose.verdict.grade, "0\u202f% of supply is verified or derived" in loose.verdict.reason) == ("D", True)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[ordinary]\nfall_percent = 10", InputError, "section 'at_risk' is missing"),
        ("[ordnary]", UnknownNameError, "no section named 'ordnary'; did you mean ordinary"),
        ("not toml", InputError, "is no valid TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(error, match=message) as found:
        thresholds.read(path)
    assert str(path) in str(found.value)


def test_wrong_entries_are_named() -> None:
    good = Thresholds.shipped().to_dict()
    for section, entries, message in (
        ("bad_debt", {"levels": {"none": 0.0, "small": 0.2, "big": 0.1}}, "must start at 0 and rise"),
        ("bad_debt", {"alarm": "hevy"}, "did you mean heavy"),
        ("confidence", {"stale_feed": "E"}, "write one of A, B, C, D"),
        ("known", {"haf": 1}, "did you mean half"),
    ):
        with pytest.raises(InputError, match=message):
            thresholds.of_dict({**good, section: {**good[section], **entries}})
    assert thresholds.of_dict(good) == Thresholds.shipped()
