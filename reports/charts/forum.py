"""Pictures for a forum: they get copied alone, so each carries its finding, its measure, its source, block and content id."""

import re
from html import escape
from textwrap import wrap

from reports.amounts import sentence
from reports.charts.svg import bar, text
from reports.page import Block, Chart, Page
from reports.palette import FONTS

_EDGE = 16.0
_WIDTH_OF_LETTER = {18.0: 9.9, 13.0: 7.0, 11.5: 6.3}  # px a letter, generous
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def standalone(page: Page, block: Block, chart: Chart) -> str:
    """The wide drawing with title, subtitle, caption and ids around it, on a ground of its own: the same text on every machine."""
    found = _SIZE.search(chart.wide)
    if found is None:
        raise ValueError(f"the drawing {chart.name} has no viewBox")
    width, height = float(found[1]), float(found[2])
    said: list[str] = []
    y = 12.0
    for words, size, bold, role in ((block.title, 18.0, True, "ink"), (block.subtitle, 13.0, False, "ink2")):
        for line in wrap(words, int(width / _WIDTH_OF_LETTER[size])):
            y += size + 5
            said.append(text(_EDGE, y, line, size=size, bold=bold, role=role))
    top = y + 16
    caption = f" {sentence(page.caption)}." if page.caption else ""
    foot = wrap(f"aftershock, {page.running_foot}.{caption}", int(width / _WIDTH_OF_LETTER[11.5]))
    y = top + height + 8
    for line in foot:
        y += 16
        said.append(text(_EDGE, y, line, size=11.5, role="ink2"))
    full_width, full_height = width + 2 * _EDGE, y + 14
    inner = chart.wide[chart.wide.index(">") + 1 : chart.wide.rindex("</svg>")]
    families = FONTS.replace('"', "'")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full_width:g} {full_height:g}" width="{full_width:g}" '
        f'height="{full_height:g}" role="img" aria-label="{escape(chart.alt)}" font-family="{families}">'
        f"{bar(0, 0, full_width, full_height, 'paper')}{''.join(said)}"
        f'<g transform="translate({_EDGE:g},{top:g})">{inner}</g></svg>'
    )


def png(svg: str) -> bytes:
    """A picture at twice its size, with the fonts of this machine: its bytes can differ between machines, its numbers cannot."""
    import vl_convert  # here, because nothing else of a report needs it

    return bytes(vl_convert.svg_to_png(svg.replace("system-ui, ", ""), scale=2))
