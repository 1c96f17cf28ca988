"""A report as a reader meets it: sections of blocks, each a finding with its evidence, all numbers already written out.

HTML and Markdown are drawn from this one page, so that they cannot differ in a number. In texts two asterisks mark what is bold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from reports.amounts import aligned, pads

Kind = Literal["name", "text", "number", "status", "bar"]


@dataclass(frozen=True)
class Segment:
    """A part of a bar in a cell: its style (direct, indirect, total) and its length as a share of the column's width."""

    style: str
    share: float


@dataclass(frozen=True)
class Cell:
    """What a cell says; `note` is a second line, `full` the long form of a shortened name, `swatch` a coverage colour 0 to 3."""

    text: str
    note: str = ""
    full: str = ""
    code: bool = False
    swatch: int | None = None
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class Column:
    """Head (a unit belongs here, `|` breaks the line), kind, and whether a phone leaves it out."""

    head: str
    kind: Kind = "text"
    optional: bool = False

    @property
    def lines(self) -> list[str]:
        """The head by lines."""
        return self.head.split("|")

    @property
    def flat(self) -> str:
        """The head in one line, a comma before the unit."""
        return self.head.replace("|$", ", $").replace("|%", ", %").replace("|", " ")


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; `foot` is a row of totals, only where values add up."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()

    @property
    def pads(self) -> list[list[str]]:
        """By row and column, what a number lacks to the right of its last digit (of use in number columns); the foot is the last row."""
        return self._by_row(pads)

    @property
    def aligned(self) -> list[list[str]]:
        """By row and column, the text with its number columns padded to meet at the decimal point; the foot is the last row."""
        return self._by_row(aligned)

    def _by_row(self, of_numbers: Callable[[list[str]], list[str]]) -> list[list[str]]:
        rows = [*self.rows, self.foot] if self.foot else list(self.rows)
        texts = [[row[number].text for row in rows] for number in range(len(self.columns))]
        done = [
            of_numbers(column) if kind.kind == "number" else column
            for column, kind in zip(texts, self.columns, strict=True)
        ]
        return [list(row) for row in zip(*done, strict=True)]


@dataclass(frozen=True)
class Chart:
    """One drawing: its name, both widths as SVG, and the size of the wide one for the forum."""

    name: str
    wide: str
    narrow: str
    alt: str
    size: tuple[int, int]


@dataclass(frozen=True)
class Fold:
    """What can be opened: a summary that is a finding, and tables."""

    summary: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Block:
    """One finding: label ("Figure 1"), title, subtitle, then chart, strip or tables, a source line, and notes at the side.

    `on_optional` ends the source line: it explains columns that a phone leaves out, which then leaves it out too.
    """

    label: str
    title: str
    subtitle: str
    source: str
    on_optional: str = ""
    charts: tuple[Chart, ...] = ()
    strip: tuple[float, ...] = ()
    strip_label: str = ""
    tables: tuple[Table, ...] = ()
    folds: tuple[Fold, ...] = ()
    aside: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()
    full: bool = False


@dataclass(frozen=True)
class Section:
    """A numbered section; `link` is its short name in the row of links."""

    key: str
    link: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """A headline figure: what it is, the figure, its measure, and one line that explains it."""

    name: str
    figure: str
    measure: str
    line: str


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    description: str
    author: str
    date: str
    caption: str
    meta: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    grade: str
    grade_text: str
    cards: tuple[Card, ...]
    cards_note: str
    sections: tuple[Section, ...]
    command: str
    method: str
    content_id: str
    running_foot: str
