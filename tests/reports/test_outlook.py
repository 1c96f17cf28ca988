"""Where an outlook says how likely a loss is, nothing beside it says that nothing does; without one the report says so."""

from dataclasses import replace

import pytest

from reports.outlook import Answer, Move, Outlook, Tail
from reports.record import Assessment
from reports.render import render
from tests.reports.market_world import assessment_of, falls, market_snapshot, results_of

OUTLOOK = Outlook(
    as_of="2026-09-21T00:00:00Z",
    horizon_hours=24,
    prices="invented prices",
    prices_id="p",
    moves=(Move("ETH", 0.04, -0.06, 0.07, "log-HAR"),),
    answers=(Answer("log-HAR", 1, 1.0, "a year"),),
    tails=tuple(Tail(law, 1e5, 0.2, 4e5, 3e5, 5e5, 6e5, 5e5, 7e5, None, None) for law in ("forecast", "constant volatility")),
    shocked=("ETH",),
    options=("--shocks", "forecast"),
    draws=100,
    seed=0,
    freedom=4.0,
    caption="invented prices",
)  # fmt: skip
DENIALS = ("no number here says how likely", "so figures carry no range", "none is drawn from a forecast", "One run each: no range.")  # fmt: skip


def told(outlook: Outlook | None, caption: str = "") -> Assessment:
    snapshot = market_snapshot(borrowers=10, caption=caption)
    return assessment_of(snapshot, results_of(snapshot, (falls(("ETH", -0.1)),)), outlook=outlook)


@pytest.fixture(scope="module")
def without() -> Assessment:
    return told(None)


@pytest.fixture(scope="module")
def beside() -> Assessment:
    return told(OUTLOOK)


def test_a_report_denies_a_probability_only_where_it_has_none(without: Assessment, beside: Assessment) -> None:
    for text in render(without, ["html", "md"]).values():
        assert [denial for denial in DENIALS if denial not in text] == []
    for text in render(beside, ["html", "md"]).values():
        assert [denial for denial in DENIALS if denial in text] == []
        assert "these figures carry no range; the outlook has one" in text


def test_the_rule_on_probability_applies_where_there_is_none(without: Assessment, beside: Assessment) -> None:
    rules = [next(rule for rule in found.verdict.rules if rule.name == "no_probability") for found in (without, beside)]
    assert [rule.applies for rule in rules] == [True, False]
    assert "over 100 draws from a volatility forecast" in rules[1].finding


def test_invented_prices_are_captioned_everywhere_and_cost_the_grade(without: Assessment, beside: Assessment) -> None:
    assert (without.subject.caption, without.verdict.grade) == ("", "C")
    assert (beside.subject.caption, beside.verdict.grade) == ("invented prices in the outlook", "D")
    assert told(OUTLOOK, "made up").subject.caption == "made up, invented prices in the outlook"
    texts = render(beside, ["html", "md"])
    assert texts["md"].startswith("> **Invented prices in the outlook.**")
    assert '<div class="caption" role="note">Invented prices in the outlook' in texts["html"]


def test_what_is_to_know_of_forecasts_stands_under_them_and_of_draws_under_the_losses() -> None:
    outlook = replace(OUTLOOK, notes=("lstETH moves along.",), notes_on_forecasts=("no BTC among the prices",))
    text = render(told(outlook), ["md"])["md"]
    forecasts = text[text.index("is expected to move most") : text.index("In nineteen of twenty draws")]
    losses = text[text.index("In nineteen of twenty draws") :]
    assert ". Note: no BTC among the prices." in forecasts and "lstETH moves along." not in forecasts
    assert ". Note: lstETH moves along." in losses and "BTC among" not in losses


def test_a_level_that_is_not_told_is_not_none_at_all() -> None:
    """Too few draws say nothing of a tail; nothing lost in nineteen of twenty is something to say."""
    silent, nothing = (
        replace(one, var_95_usd=level, var_95_low_usd=level, var_95_high_usd=level, es_95_usd=level, es_95_low_usd=level, es_95_high_usd=level)
        for one, level in zip(OUTLOOK.tails, (None, 0.0), strict=True)
    )  # fmt: skip
    few = render(told(replace(OUTLOOK, draws=8, tails=(silent, silent))), ["md"])["md"]
    assert "8 draws: too few to say what bad debt stays below in nineteen of twenty" in few
    assert "no bad debt within" not in few and few.count("| not told | not told |") == 2
    none = render(told(replace(OUTLOOK, tails=(nothing, nothing))), ["md"])["md"]
    assert "In nineteen of twenty draws there is no bad debt within 1" in none
    assert "not told" not in none and none.count("| 0 *(0–0)* | 0 *(0–0)* |") == 2
