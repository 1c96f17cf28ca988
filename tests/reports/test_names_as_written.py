"""A name, a path, a symbol stands in a report as it is written, at the beginning of a sentence too; all the words of our own begin one in capitals."""

import json
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from chain.files.file_findings import FileFinding
from reports.charts.forum import standalone
from reports.file_warnings import FileWarnings
from reports.outlook import Answer
from reports.record import Assessment
from reports.render import render
from reports.sections import page
from reports.verdict import judge
from tests.reports.test_outlook import OUTLOOK

GAP = "lent.csv: is a book of positions, so rates are not known"
FINDING = FileFinding("unit", "warning", "lent.csv", None, "", "weth", "82", 1, "is less than 1 % of the value")
NOTE = "steth not shocked: a claim on another asset of the law, and moves with it"
PAUSED = "weth and steth are paused in this market"
NAMES = ("lent.csv", "weth", "steth", "har of mine", "eth / usd")


@pytest.fixture(scope="module")
def named(thin: Assessment) -> Assessment:
    """The thin market with names in small letters wherever a text may begin with one."""
    exposure = replace(
        thin.exposure,
        paused=(PAUSED,),
        feeds=tuple(replace(one, name="eth / usd") for one in thin.exposure.feeds[:1]),
        posted=tuple(replace(part, feed="eth / usd", feed_state="stale") for part in thin.exposure.posted),
    )
    outlook = replace(
        OUTLOOK,
        moves=(replace(OUTLOOK.moves[0], asset="weth", model="har of mine"),),
        answers=(Answer("har of mine", 2, 1.1, "a year"),),
        notes=(NOTE,),
        notes_on_forecasts=("weth: 2 bars missing",),
    )
    found = replace(
        thin,
        exposure=exposure,
        coverage=replace(thin.coverage, gaps=(GAP, *thin.coverage.gaps)),
        outlook=outlook,
        file_findings=FileWarnings(Path("a folder/lent.csv"), (FINDING,)),
    )
    return replace(found, verdict=judge(found))


def test_names_are_never_written_in_other_letters(named: Assessment) -> None:
    drawn = page(named)
    pictures = [
        standalone(drawn, block, one) for part in drawn.sections for block in part.blocks for one in block.charts
    ]
    texts = [*render(named, ["html", "md"]).values(), *pictures, *named.verdict.plain, named.verdict.reason]
    for name in NAMES:
        assert any(name in text for text in texts), f"{name} is not told, so nothing is shown of it"
        assert not any(f"{name[0].upper()}{name[1:]}" in text for text in texts)


def test_words_of_our_own_begin_a_sentence_in_capitals(named: Assessment) -> None:
    assert [text for text in named.verdict.plain if not text[0].isupper()] == []
    told = render(named, ["md"])["md"].replace("**", "")
    for part in (
        f"Not looked at: {GAP};",
        f"Now {PAUSED}: ",
        "1 warning in lent.csv: weth: 82: is less than 1 % of the value. `aftershock check 'a folder/lent.csv'` lists them all.",
        "2 forecasts are by har of mine; its loss (QLIKE) was 1.100 of log-HAR’s",
        f"Note: {NOTE}.",
        "Note: weth: 2 bars missing.",
    ):
        assert part in told
    assert "because" in named.verdict.reason and "the feed eth / usd is older than its heartbeat" in " ".join(
        rule.finding for rule in named.verdict.rules
    )


EVIL = "<script>alert(1)</script> [x](https://e.example) *ETH* _y_ | \\ \u202ez\u2066\x1b[2J\x07"
SEEN = "<script>alert(1)</script> [x](https://e.example) *ETH* _y_ | \\ z[2J"


@pytest.fixture(scope="module")
def evil(thin: Assessment) -> Assessment:
    """The thin market with such a name for everything that a chain names."""
    exposure = replace(
        thin.exposure,
        paused=(f"{EVIL} is paused in this market",),
        feeds=tuple(replace(one, name=EVIL) for one in thin.exposure.feeds),
        posted=tuple(replace(part, feed=EVIL, symbol=EVIL) for part in thin.exposure.posted),
        lenders=tuple(replace(one, name=EVIL) for one in thin.exposure.lenders),
        borrowed=tuple(replace(one, name=EVIL) for one in thin.exposure.borrowed),
    )
    worst = replace(thin.scenarios[0], leading_symbol=EVIL, title=f"{EVIL} −30 %")
    positions = tuple(replace(one, name=EVIL, address=EVIL, collateral_assets=EVIL) for one in thin.cascade.positions)
    found = replace(
        thin,
        subject=replace(thin.subject, name=EVIL),
        exposure=exposure,
        at_risk=replace(thin.at_risk, symbol=EVIL),
        frontier=replace(thin.frontier, symbol=EVIL),
        coverage=replace(thin.coverage, gaps=(EVIL,)),
        scenarios=(worst, *thin.scenarios[1:]),
        cascade=replace(thin.cascade, leading_symbol=EVIL, scenario=worst, positions=positions),
    )
    return replace(found, verdict=judge(found))


def test_a_name_is_no_markup_in_markdown(evil: Assessment) -> None:
    """As a CommonMark parser reads it: the only emphasis is that of notes in tables, which are all in brackets."""
    tokens = MarkdownIt("commonmark").enable("table").parse(render(evil, ["md"])["md"])
    inline = [piece for token in tokens for piece in token.children or ()]
    kinds = {piece.type for piece in inline} | {token.type for token in tokens}
    assert not {kind for kind in kinds if kind.startswith(("html", "link"))}
    for before, after in pairwise(inline):
        assert before.type != "em_open" or after.content.startswith("(")
    said = [
        "".join(piece.content for piece in token.children or () if piece.type in ("text", "text_special"))
        for token in tokens
    ]
    assert sum(SEEN in text for text in said) > 20
    assert [text for text in said if "script" in text and "<script>alert(1)</script>" not in text] == []


def test_no_letter_turns_the_direction_of_writing_or_moves_a_terminal(evil: Assessment) -> None:
    texts = render(evil, ["md", "html", "json"])
    for text in texts.values():
        assert not [sign for sign in text if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf")]
    assert json.loads(texts["json"])["subject"]["name"] == EVIL, "the record keeps what was read, by its codes"
