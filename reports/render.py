"""One record, three renderings: HTML in one file, Markdown in the forum's dialect, JSON. Same record, same bytes."""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from chain.errors import unknown_name
from reports.amounts import sentence
from reports.charts.forum import png, standalone
from reports.page import Page
from reports.palette import style_sheet
from reports.record import Assessment
from reports.sections import page as page_of

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = {"html": "html", "md": "md", "json": "json"}
_TAG = re.compile(r"<(?=[A-Za-z/!])")
_SPECIAL = re.compile(r"([\\*_`~\[\]])")
_MARKS = re.compile(r"(\*\*|`[^`\n]*`)")
_CONTROLS = {
    **dict.fromkeys((*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)), ""),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)), ""),
}
"""Letters that are not seen and change how others are: controls (but for the end of a line), and those that turn the direction of writing."""
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_CODE = re.compile(r"`(.+?)`")


def html(page: Page) -> str:
    """The report as one file that asks nothing of a network: styles and drawings inside, dark by the reader's setting, printable."""
    style = style_sheet() + (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return without_controls(_environment().get_template("report.html.j2").render(page=page, style=Markup(style)))


def markdown(page: Page) -> str:
    """The report in Discourse's Markdown; pictures are named, to be uploaded beside it."""
    text = _environment().get_template("report.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", without_controls(text)).strip() + "\n"


def as_json(assessment: Assessment) -> str:
    """The record; letters that turn the direction of writing stand in it by their code."""
    text = json.dumps(assessment.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return text.translate({code: f"\\u{code:04x}" for code in _CONTROLS if code > 0x7E})


def render(assessment: Assessment, formats: Iterable[str]) -> dict[str, str]:
    """Format -> text.

    Raises
    ------
    UnknownNameError
        If a format is none of html, md, json.
    """
    wanted = list(dict.fromkeys(formats))
    for name in wanted:
        if name not in SUFFIXES:
            raise unknown_name("report format", name, SUFFIXES)
    page = page_of(assessment) if {"html", "md"} & set(wanted) else None
    drawn = {"json": lambda: as_json(assessment)}
    if page is not None:
        shown = page
        drawn |= {"html": lambda: html(shown), "md": lambda: markdown(shown)}
    return {name: drawn[name]() for name in wanted}


def write(assessment: Assessment, folder: Path, formats: Iterable[str], name: str = "report") -> list[Path]:
    """Write `folder/name.<format>` for each format; everything is rendered before the first file is written."""
    texts = render(assessment, formats)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, text in texts.items():
        path = folder / f"{name}.{SUFFIXES[kind]}"
        unfinished = path.with_name(f"incomplete_{path.name}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
        written.append(path)
    return written


def write_pictures(assessment: Assessment, folder: Path) -> list[Path]:
    """Write each drawing as PNG, twice its size, for a forum that takes no SVG: `folder/<chart>.png`, as the Markdown names them."""
    page = page_of(assessment)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for block in (block for section in page.sections for block in section.blocks):
        for chart in block.charts:
            path = folder / f"{chart.name}.png"
            path.write_bytes(png(without_controls(standalone(page, block, chart))))
            written.append(path)
    return written


def marked(text: str) -> Markup:
    """Text for HTML: escaped, two asterisks to bold, backquotes to code."""
    safe = str(escape(text))
    return Markup(_CODE.sub(r"<code>\1</code>", _BOLD.sub(r"<b>\1</b>", safe)))


def css_text(text: str) -> Markup:
    """Text between quotes in a style sheet: everything but letters, digits and spaces by its code."""
    return Markup("".join(letter if letter.isalnum() or letter == " " else f"\\{ord(letter):x} " for letter in text))


def without_controls(text: str) -> str:
    """The text as all of it is seen."""
    return text.translate(_CONTROLS)


def inline(text: str) -> str:
    """A text for Markdown: its bold and code as marked, everything else as it is written, whatever a name in it looks like."""
    parts = _MARKS.split(text)
    return "".join(part if number % 2 else _as_written(part) for number, part in enumerate(parts)).replace("\n", " ")


def cell(text: str) -> str:
    """Text inside a Markdown table, in which nothing is marked: a bar would end the cell."""
    return _as_written(text).replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Text between backquotes inside a Markdown table."""
    return text.replace("`", "’").replace("|", "\\|").replace("\n", " ")


def _as_written(text: str) -> str:
    """What Markdown would read as emphasis, a link or a tag, escaped."""
    return _TAG.sub("&lt;", _SPECIAL.sub(r"\\\1", text))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.startswith("report.html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "marked": marked,
        "cell": cell,
        "code": code,
        "inline": inline,
        "sentence": sentence,
        "css": css_text,
        "svg": Markup,
    }
    return environment
