"""Writes docs/images: the README's picture, drawn from the embedded sample by the report's own code. `make docs-pictures` runs this."""

from pathlib import Path

import aftershock
from reports.charts.forum import standalone
from reports.sections import page

FOLDER = Path(__file__).parent / "images"
SHOWN = "exposure-map"


def picture() -> str:
    """The exposure map of the sample as a picture that can stand alone."""
    drawn = page(aftershock.report(aftershock.load(), "core"))
    blocks = [block for section in drawn.sections for block in section.blocks]
    block, chart = next((block, chart) for block in blocks for chart in block.charts if chart.name == SHOWN)
    return standalone(drawn, block, chart)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{SHOWN}.svg").write_text(picture(), encoding="utf-8")
