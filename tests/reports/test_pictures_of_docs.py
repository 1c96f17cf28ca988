"""Every picture under docs keeps the rules of the house: a ground of its own, text that can be read, nothing cut, nothing over another."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports.palette import LIGHT
from tests.reports.text_boxes import SVG, boxes, written_over

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = sorted(DOCS.rglob("*.svg"))
FOR_TEXT = ("ink", "ink2", "s900", "s700", "h900", "h700")
"""Roles with contrast enough for text on paper (`test_charts.py` measures it)."""


def test_there_are_pictures() -> None:
    assert len(PICTURES) >= 8


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_can_stand_alone_and_be_read(path: Path) -> None:
    drawing = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(drawing)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    ground = next(root.iter(f"{SVG}rect")).attrib
    assert ground["fill"] == LIGHT["paper"], "a dark page lies behind it for some readers"
    assert (float(ground["width"]), float(ground["height"])) == pytest.approx((width, height), abs=0.1)
    texts = list(root.iter(f"{SVG}text"))
    assert {node.attrib["fill"] for node in texts} <= {LIGHT[role] for role in FOR_TEXT}
    assert min(float(node.attrib["font-size"]) for node in texts) >= 11.5
    cut = [box[0] for box in boxes(drawing) if box[1] < 0 or box[2] > width or box[3] < 0 or box[4] > height]
    assert cut == []
    assert written_over(drawing) == []
    used = {node.get(name) for node in root.iter() for name in ("fill", "stroke")} - {None, "none"}
    assert used <= set(LIGHT.values()), "colours of the palette only"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_says_its_finding_first(path: Path) -> None:
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    first = next(root.iter(f"{SVG}text"))
    assert float(first.attrib["font-size"]) >= 16 and first.attrib["font-weight"] == "600"
    assert any(letter.isdigit() for letter in first.text or ""), "a finding has a number"
