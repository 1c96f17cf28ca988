"""Drawings: what is printed in them adds up, what is drawn is in proportion, and everybody can read it."""

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from reports import charts
from reports.amounts import money
from reports.charts.cascade import decimals_of, rows_of
from reports.charts.forum import png, standalone
from reports.charts.svg import width_of
from reports.palette import DARK, LIGHT
from reports.record import Assessment
from reports.sections import page
from tests.reports.text_boxes import written_over

SVG = "{http://www.w3.org/2000/svg}"
DRAWINGS = [charts.exposure_map, charts.at_risk, charts.cascade]


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("narrow", [False, True])
def test_drawings_keep_the_house_rules(assessment: Assessment, draw: object, narrow: bool) -> None:
    text = draw(assessment, narrow)  # type: ignore[operator]
    root = ElementTree.fromstring(text)
    assert (root.get("role"), bool(root.get("aria-label"))) == ("img", True)
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    assert width == (340 if narrow else 1040 if draw is charts.exposure_map else 700)
    for node in root.iter(f"{SVG}text"):
        assert float(node.attrib["font-size"]) >= 11.5
        assert -1 <= float(node.attrib["y"]) <= height
        assert -1 <= float(node.attrib["x"]) <= width
    used = {node.get(name) for node in root.iter() for name in ("fill", "stroke")} - {None, "none"}
    assert used <= set(LIGHT.values())
    assert "nan" not in text.lower().replace("finance", "")
    assert text == draw(assessment, narrow)  # type: ignore[operator]


def test_drawings_are_told_apart_by_what_they_show(thin: Assessment, broad: Assessment) -> None:
    for draw in DRAWINGS:
        assert draw(thin) != draw(broad)


def test_waterfall_adds_up_in_print_and_in_length(thin: Assessment) -> None:
    rows, decimals = rows_of(thin.cascade), decimals_of(thin.cascade)
    total = round(thin.cascade.total_usd / 1e6, decimals)
    assert round(sum(part for _, part, _, _ in rows), decimals) == total
    root = ElementTree.fromstring(charts.cascade(thin))
    label = root.attrib["aria-label"]
    printed, shown = re.search(r": ([\d., ]+); total ([\d.,]+);", label).groups()  # type: ignore[union-attr]
    assert round(sum(float(part) for part in printed.split(", ")), decimals) == float(shown) == total
    bars = list(root.iter(f"{SVG}rect"))
    widths = [float(node.attrib["width"]) for node in bars]
    assert sum(widths[:-1]) == pytest.approx(widths[-1], abs=1.0 * len(widths))
    assert sum(liquidated for _, _, liquidated, _ in rows) == pytest.approx(thin.cascade.scenario.liquidated_usd)


def test_map_is_in_proportion(thin: Assessment) -> None:
    root = ElementTree.fromstring(charts.exposure_map(thin))
    heights: dict[str, list[float]] = {}
    for node in root.iter(f"{SVG}rect"):
        heights.setdefault(node.attrib["x"], []).append(float(node.attrib["height"]))
    part = thin.exposure
    columns = sorted(heights.items(), key=lambda item: float(item[0]))
    roots, posted, market, lenders = (sum(column) for _, column in columns)
    assert roots == pytest.approx(posted, rel=0.02)
    assert lenders / posted == pytest.approx(part.claims_usd / part.collateral_usd, rel=0.02)
    assert market == pytest.approx(max(posted, lenders), rel=0.02)


def test_flows_leave_and_reach_their_nodes_without_gap_or_overlap(thin: Assessment) -> None:
    root = ElementTree.fromstring(charts.exposure_map(thin))
    bars = {
        (node.attrib["x"], float(node.attrib["y"])): float(node.attrib["height"]) for node in root.iter(f"{SVG}rect")
    }
    market = max((height, x, y) for (x, y), height in bars.items() if 500 < float(x) < 700)
    ends: dict[str, list[tuple[float, float]]] = {}
    for node in root.iter(f"{SVG}path"):
        found = re.fullmatch(r"M([\d.]+),([\d.]+)C\S+ \S+ ([\d.]+),([\d.]+)L([\d.]+),([\d.]+)C.*", node.attrib["d"])
        if found and float(found[3]) == float(market[1]):
            ends.setdefault("in", []).append((float(found[4]), float(found[6])))
        if found and float(found[1]) == float(market[1]) + 24:
            ends.setdefault("out", []).append((float(found[2]), float(found[2]) + float(found[6]) - float(found[4])))
    for side in ("in", "out"):
        edges = sorted(ends[side])
        assert all(low == pytest.approx(high, abs=0.05) for (_, low), (high, _) in pairwise(edges))
        middle = (edges[0][0] + edges[-1][1]) / 2
        assert middle == pytest.approx(market[2] + market[0] / 2, abs=0.2)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("role", ["ink", "ink2", "s900", "s700", "h900", "h700"])
def test_text_has_contrast_in_both_modes(theme: dict[str, str], role: str) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(theme[role]), luminance(theme["paper"])))
    assert (high + 0.05) / (low + 0.05) >= 5.3


def test_map_names_the_largest_and_groups_the_rest(thin: Assessment) -> None:
    text = charts.exposure_map(thin)
    shown, rest = thin.exposure.lenders[:6], thin.exposure.lenders[6:]
    assert all(money(holder.amount_usd) in text for holder in shown)
    assert f"{len(rest)} others" in text
    assert money(sum(holder.amount_usd for holder in rest)) in text
    assert "ETH / USD, prices" in text


def test_at_risk_marks_the_crossing_where_there_is_one(thin: Assessment, calm: Assessment) -> None:
    assert "pools are full" in charts.at_risk(thin)
    assert "pools are full" not in charts.at_risk(calm)
    assert LIGHT["h100"] not in charts.at_risk(calm)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75, 0.95])
def test_what_the_pools_take_is_not_written_across_the_curve(thin: Assessment, share: float) -> None:
    last = thin.at_risk.points[-1]
    points = tuple(
        replace(point, collateral_usd=1e8 * point.fall_percent / 50, capacity_usd=1e8 * share)
        for point in thin.at_risk.points
    )
    curve = replace(thin.at_risk, points=points)
    assert last.fall_percent == 50
    root = ElementTree.fromstring(charts.at_risk(replace(thin, at_risk=curve)))
    (label,) = (node for node in root.iter(f"{SVG}text") if (node.text or "").startswith("pools take"))
    (full,) = (node for node in root.iter(f"{SVG}text") if "pools are full" in (node.text or ""))
    wide = width_of(label.text or "", 12)
    x, y = float(label.attrib["x"]), float(label.attrib["y"])
    left, right = (x - wide, x) if label.get("text-anchor") == "end" else (x, x + wide)
    crossing = 52 + 640 * share
    assert left > crossing or right < crossing - 9 - width_of(full.text or "", 12), "beside the curve, not on it"
    assert y < 388


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("narrow", [False, True])
def test_no_text_is_written_over_another(assessment: Assessment, draw: object, narrow: bool) -> None:
    assert written_over(draw(assessment, narrow)) == []  # type: ignore[operator]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("falling", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.55, 0.7, 0.8, 0.95, 1.2])
def test_labels_of_the_curve_keep_apart_wherever_it_crosses(
    thin: Assessment, share: float, power: float, narrow: bool, falling: float
) -> None:
    """Whether what the pools take stays as it is, or falls with the root of the price."""
    points = tuple(
        replace(
            point,
            collateral_usd=1e8 * (point.fall_percent / 50) ** power,
            capacity_usd=1e8 * share * (1 - point.fall_percent / 100) ** falling,
        )
        for point in thin.at_risk.points
    )
    curve = replace(thin.at_risk, points=points)
    assert written_over(charts.at_risk(replace(thin, at_risk=curve), narrow)) == []


def test_forum_pictures_carry_title_caption_block_and_id(thin: Assessment) -> None:
    shown = page(thin)
    for block in (block for section in shown.sections for block in section.blocks if block.charts):
        text = standalone(shown, block, block.charts[0])
        ElementTree.fromstring(text)
        flat = re.sub(r"</text><text[^>]*>", " ", text)
        for wanted in (block.title.split(",")[0], str(thin.subject.block), thin.content_id, "Generated accounts"):
            assert wanted in flat
    assert png(text).startswith(b"\x89PNG")
