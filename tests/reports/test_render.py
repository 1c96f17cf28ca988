"""One record, several renderings: same bytes, same numbers, nothing from outside, the caption everywhere."""

import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from chain.errors import UnknownNameError
from reports.record import Assessment
from reports.render import render, write
from reports.sections import page
from reports.thresholds import MEASURES, RULES
from tests.reports.market_world import CAPTION

VOID = {"meta", "br", "img", "hr", "link", "input"}
ROOT = Path(__file__).parents[2]


class Reader(HTMLParser):
    """Reads a page strictly: every tag closed in order; keeps the tables, the ids and the links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: dict[str, list[dict[str, str | None]]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.setdefault(tag, []).append(found)
        self.ids += [found["id"]] if found.get("id") else []  # type: ignore[list-item]
        self.links += [found["href"]] if found.get("href") else []  # type: ignore[list-item]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_html_is_well_formed_and_asks_nothing_of_a_network(assessment: Assessment) -> None:
    text = render(assessment, ["html"])["html"]
    reader = read(text)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(reader.tags)
    assert set(re.findall(r"[a-z]+://[^\s\"'<)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in text and "url(" not in text
    assert all(link.startswith("#") and link[1:] in reader.ids for link in reader.links)
    assert len(reader.ids) == len(set(reader.ids))


def test_every_drawing_has_a_label_and_both_widths(assessment: Assessment) -> None:
    reader = read(render(assessment, ["html"])["html"])
    drawings = reader.tags["svg"]
    assert [drawing["class"] for drawing in drawings] == ["chart wide", "chart narrow"] * 3
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)


def test_markdown_and_html_have_the_same_tables(assessment: Assessment) -> None:
    texts = render(assessment, ["html", "md"])
    in_html = [
        [[_plain(cell) for cell in row if _plain(cell)] for row in table if any(map(_plain, row))][1:]
        for table in read(texts["html"]).tables
    ]
    in_markdown = _markdown_tables(texts["md"])[1:]  # the first is the headline figures, which are no table in HTML
    assert len(in_html) == len(in_markdown) >= 10
    # by content: Markdown puts an open table before the folds of its block, HTML too
    for one, other in zip(in_html, in_markdown, strict=True):
        ours = [[cell for cell in row if not cell.endswith("of it")] for row in one]
        assert [_numbers(" ".join(row)) for row in other] == [_numbers(" ".join(_without_bar(row))) for row in ours]


def test_headline_figures_and_sentences_are_in_both(assessment: Assessment) -> None:
    texts = render(assessment, ["html", "md"])
    flat = re.sub(r"</?(?:b|code)>", "", texts["html"]).replace("&#34;", '"').replace("&#39;", "'")
    for sentence in assessment.verdict.plain:
        assert sentence in flat
        assert sentence in texts["md"].replace("**", "").replace("`", "")
    figures = re.findall(r"<dd><b>(.*?)</b><i>(.*?)</i>", texts["html"])
    assert len(figures) == 5 and len(assessment.verdict.plain) >= 3
    for figure in figures:
        assert f"| {figure[0]} | {figure[1]} |" in texts["md"]


def test_the_caption_stands_at_the_top_and_beside_every_group_of_numbers(thin: Assessment, broad: Assessment) -> None:
    caption = CAPTION[0].upper() + CAPTION[1:]
    texts = render(thin, ["html", "md"])
    html = texts["html"]
    assert html.index('<div class="caption"') < html.index("<header>")
    sources = re.findall(r'<p class="(?:source|cards-note)">(.*?)</p>', html, re.DOTALL)
    assert len(sources) >= 10
    assert all(f'<b class="mark">{caption}</b>' in source for source in sources)
    assert texts["md"].startswith(f"> **{caption}.**")
    assert texts["md"].count(f"**{caption}.**") >= 10
    bare = render(broad, ["html", "md"])
    assert 'class="mark"' not in bare["html"] and 'class="caption"' not in bare["html"]
    assert "****" not in bare["md"] and "> **" not in bare["md"]


def test_thresholds_rules_limits_and_command_are_printed(assessment: Assessment) -> None:
    text = render(assessment, ["md"])["md"]
    assert len(assessment.verdict.readings) == len(MEASURES) and len(assessment.verdict.rules) == len(RULES)
    for reading in assessment.verdict.readings:
        assert f"| {reading.title} |" in text
        assert reading.limits in text
    for rule in assessment.verdict.rules:
        assert f"| {rule.name.replace('_', ' ')} | {rule.best} | {'yes' if rule.applies else 'no'} |" in text
    for wanted in (assessment.command, assessment.content_id, assessment.subject.snapshot_id, "Not looked at", "Taken as given", "CC0"):  # fmt: skip
        assert wanted in text


def test_what_a_phone_hides_it_does_not_explain(thin: Assessment) -> None:
    html = render(thin, ["html"])["html"]
    phone = html[html.index("@media (max-width: 620px)") : html.index("@media print")]
    assert re.search(r"\.optional[^{]*\{ display: none \}", phone)
    hidden = [
        (block, column.lines[0])
        for section in page(thin).sections
        for block in section.blocks
        for table in block.tables
        for column in table.columns
        if column.optional
    ]
    assert {"partly toxic", "refused", "waiting", "levels"} <= {head for _, head in hidden}
    for block, head in hidden:
        shown = " ".join((block.source, *block.aside)).lower()
        assert f"{head}:" not in shown and f"**{head}" not in shown and f"a {head.removesuffix('s')} holds" not in shown
    for block in {id(block): block for block, _ in hidden}.values():
        if block.on_optional:
            assert f'<span class="optional">{block.on_optional}</span>' in html
    told = " ".join(block.on_optional for block, _ in hidden)
    assert all(word in told for word in ("Partly toxic:", "Refused:", "Waiting:", "A level holds"))


def test_the_command_is_broken_between_words_and_nowhere_cut(thin: Assessment) -> None:
    html = render(replace(thin, command="aftershock report core --shocks forecast"), ["html"])["html"]
    pre = html[html.index("<pre>") : html.index("</pre>")]
    assert re.sub("<[^>]*>", "", pre) == "aftershock report core --shocks forecast"
    assert "<span>--shocks</span> <span>forecast</span>" in pre
    (rule,) = re.findall(r"\npre \{([^}]*)\}", html)
    assert "white-space: pre-wrap" in rule and "overflow" not in rule


def test_same_record_same_bytes_in_another_process(thin: Assessment, tmp_path: Path) -> None:
    (tmp_path / "record.pickle").write_bytes(pickle.dumps(thin))
    program = (
        "import pickle, sys; from pathlib import Path; from reports.render import write;"
        "folder = Path(sys.argv[1]); write(pickle.loads((folder / 'record.pickle').read_bytes()), folder, ['html', 'md', 'json'])"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "99",
        "TZ": "Pacific/Auckland",
        "LC_ALL": "C",
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment, cwd=tmp_path)
    here = render(thin, ["html", "md", "json"])
    for kind, text in here.items():
        assert (tmp_path / f"report.{kind}").read_bytes() == text.encode()
    assert json.loads(here["json"])["content_id"] == thin.content_id


def test_an_unknown_format_writes_nothing(thin: Assessment, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no report format named 'htm'; did you mean html"):
        write(thin, tmp_path / "out", ["md", "htm"])
    assert not (tmp_path / "out").exists()


def test_what_a_chain_says_cannot_break_out_of_the_page(thin: Assessment) -> None:
    bad = '<script>alert("x")</script> | **b**'
    evil = replace(
        thin,
        subject=replace(thin.subject, name=bad, caption='"<i>x</style>'),
        verdict=replace(thin.verdict, sentences=(bad, bad, bad), reason=bad),
        coverage=replace(thin.coverage, gaps=(bad,)),
        scenarios=tuple(replace(line, title=bad) for line in thin.scenarios),
        cascade=replace(thin.cascade, leading_symbol=bad, scenario=replace(thin.cascade.scenario, title=bad)),
        exposure=replace(
            thin.exposure,
            lenders=tuple(replace(line, name=bad) for line in thin.exposure.lenders),
            feeds=tuple(replace(line, name=bad) for line in thin.exposure.feeds),
            posted=tuple(replace(line, feed=bad, symbol=bad) for line in thin.exposure.posted),
        ),
        command=bad,
    )
    texts = render(evil, ["html", "md"])
    assert "script" not in read(texts["html"]).tags
    assert "<i>x" not in texts["html"] and "</style>" not in texts["html"].split("</style>", 1)[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {"at_risk": replace(found.at_risk, points=tuple(replace(point, capacity_usd=0.0) for point in found.at_risk.points))},
        lambda found: {"at_risk": replace(found.at_risk, points=tuple(replace(point, capacity_usd=1e15) for point in found.at_risk.points))},
        lambda found: {"at_risk": replace(found.at_risk, points=tuple(replace(point, capacity_usd=float("inf")) for point in found.at_risk.points))},
        lambda found: {"at_risk": replace(found.at_risk, points=tuple(replace(point, collateral_usd=0.0) for point in found.at_risk.points))},
        lambda found: {"exposure": replace(found.exposure, feeds=(), lenders=(), posted=(), roots=(), borrowed=(), collateral_usd=0.0, claims_usd=0.0)},
        lambda found: {"exposure": replace(found.exposure, lenders=found.exposure.lenders * 40, claims_usd=40 * found.exposure.claims_usd)},
        lambda found: {"exposure": replace(found.exposure, posted=tuple(replace(found.exposure.posted[0], asset=f"a{n}", symbol=f"LONGTOKEN{n}") for n in range(30)))},
        lambda found: {"cascade": replace(found.cascade, positions=(), losing_positions=0)},
        lambda found: {"cascade": replace(found.cascade, steps=found.cascade.steps[:1])},
        lambda found: {"cascade": replace(found.cascade, steps=tuple(replace(step, price_change_ratio=float("nan")) for step in found.cascade.steps))},
        lambda found: {"scenarios": found.scenarios[:1]},
    ],
)  # fmt: skip
def test_unusual_records_can_be_shown(thin: Assessment, change: Any) -> None:
    texts = render(replace(thin, **change(thin)), ["html", "md", "json"])
    read(texts["html"])
    for text in (texts["html"], texts["md"]):
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b(?! of)", text)


def test_printed_shares_add_up_to_a_hundred(assessment: Assessment) -> None:
    tables = [
        table
        for table in _markdown_tables(render(assessment, ["md"])["md"])
        if table and table[-1] and "100.0" in table[-1][-1]
    ]
    assert len(tables) == 3, "posted collateral, lenders, borrowed"
    for table in tables:
        assert sum(float(_numbers(row[-1])[0]) for row in table[:-1]) == pytest.approx(100)
    coverage = page(assessment).sections[0].blocks[0].tables[0]
    assert len(coverage.rows) == 4 and sum(float(row[1].text) for row in coverage.rows) == pytest.approx(100)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w…])[<−]?\d[\d,.]*(?![\w…])", text)


def _without_bar(row: list[str]) -> list[str]:
    """A bar's own text (the share under the positions) is not in Markdown."""
    return [cell for cell in row if not re.search(r"\d of \$|% of \$", cell)]


def _markdown_tables(text: str) -> list[list[list[str]]]:
    tables = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[_plain(cell) for cell in line.strip("|").split("|")] for line in block.strip().splitlines()]
        tables.append([[cell for cell in row if cell] for row in (rows[2:])])
    return tables
