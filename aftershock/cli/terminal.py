"""How answers look in a terminal: 100 columns, title and time, a rule, sentences, numbers, a picture of bars, what to run next, content id.

Bold is the answer, dim the context, orange harm, blue state; nothing depends on colour. Answers go to standard output, progress to
standard error, so that `--json` can be piped.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from unicodedata import category

from aftershock.cli.plain_text import takes_all
from aftershock.version import __version__
from chain.networks import chain_name
from chain.snapshot import Snapshot

if TYPE_CHECKING:  # what writes JSON does not wait for it
    from rich.console import Console
    from rich.text import Text

WIDTH = 100
HARM = "#dd7a3e"
DEEP_HARM = "#f2b48b"
STATE = "#7aa9cf"
DIM = "dim"
LONG_TEXT, LEAST_TEXT = 36, 20
"""How far a column of text is narrowed before heads are broken, and after."""
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories: controls (ESC, BEL), format characters (text turned around, letters without width), halves of pairs, line ends."""


def printable(text: str) -> str:
    """A text in which no name that came from a file or a chain can move the cursor, change colours or turn the text around."""
    if text.isprintable():
        return text
    return "".join("�" if letter != "\n" and category(letter) in _UNSEEN else letter for letter in text)


def console(stderr: bool = False) -> "Console":
    """A console of at most 100 columns that colours only what a person reads (NO_COLOR and pipes are respected)."""
    from rich.console import Console

    wanted = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    return Console(
        stderr=stderr,
        highlight=False,
        emoji=False,
        markup=False,
        width=min(WIDTH, wanted.width) if wanted.is_terminal else WIDTH,
    )


class Page:
    """What one verb prints."""

    def __init__(self) -> None:
        self.console = console()
        self.width = self.console.width

    def say(self, *parts: str | tuple[str, str]) -> None:
        """One line of parts, each text or (text, style); long lines are wrapped between words."""
        from rich.text import Text

        self._print(Text.assemble(*parts))

    def _print(self, line: "Text") -> None:
        line.plain = printable(line.plain)
        self.console.print(line, soft_wrap=False)

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def header(self, title: str, context: str) -> None:
        """Title left, context right, a rule below."""
        gap = self.width - len(title) - len(context)
        if gap >= 2:
            self.say((title, "bold"), " " * gap, (context, DIM))
        else:
            self.say((title, "bold"))
            self.say((context, DIM))
        self.say(("─" * self.width, DIM))

    def sentence(self, text: str) -> None:
        """A sentence; what stands between two asterisks is bold."""
        parts = text.split("**")
        self.say(*((part, "bold" if number % 2 else "") for number, part in enumerate(parts)))

    def table(
        self, head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = (), strong: Sequence[int] = ()
    ) -> None:
        """Columns by width of their content, numbers aligned on the decimal point; `right` columns hold numbers, `strong` are bold.

        What is wider than the page is narrowed: heads are broken between words first, then the widest column of text.
        """
        from rich.text import Text

        body = [list(row) for row in rows]
        for column in right:
            for row, text in zip(body, aligned([row[column] for row in body]), strict=True):
                row[column] = text
        widths = _widths(list(head), body, right, self.width)
        for number, row in enumerate([list(head), *body]):
            broken = [
                [text] if len(text) <= width else wrap(text, width) for text, width in zip(row, widths, strict=True)
            ]
            for at in range(max(map(len, broken))):
                parts: list[str | tuple[str, str]] = []
                for column, (lines, width) in enumerate(zip(broken, widths, strict=True)):
                    text = lines[at] if at < len(lines) else ""
                    style = DIM if number == 0 else "bold" if column in strong else ""
                    parts += [(text.rjust(width) if column in right else text.ljust(width), style), "  "]
                line = Text.assemble(*parts)
                line.rstrip()
                self._print(line)

    def bars(
        self, head: Sequence[str], rows: Iterable[tuple[Sequence[str], float]], right: Sequence[int], style: str = STATE
    ) -> None:
        """Rows of cells and a bar of a size; bars share one scale."""
        body = list(rows)
        columns = [[cells[column] for cells, _ in body] for column in range(len(head))]
        columns = [aligned(texts) if column in right else texts for column, texts in enumerate(columns)]
        widths = [max([len(name), *map(len, texts)]) for name, texts in zip(head, columns, strict=True)]
        room, largest = self.width - sum(widths) - 2 * len(widths), max((size for _, size in body), default=0.0)

        def joined(cells: Sequence[str]) -> str:
            return "  ".join(
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )

        self.say((joined(head), DIM))
        for number, (_, size) in enumerate(body):
            self.say(
                joined([texts[number] for texts in columns]) + "  ",
                (bar(size / largest * room if largest else 0), style),
            )

    def next(self, *commands: str) -> None:
        """What to run next."""
        self.say(("next  ", DIM), "   ".join(commands))

    def footer(self, *parts: str) -> None:
        """Content id, version, caption."""
        self.say(("   ".join(part for part in parts if part), DIM))


def _widths(head: list[str], body: list[list[str]], right: Sequence[int], page: int) -> list[int]:
    """How wide each column is, so that all of them fit the page where that can be."""
    need = [max((len(row[column]) for row in body), default=0) for column in range(len(head))]
    widths = [max(len(name), least) for name, least in zip(head, need, strict=True)]
    texts = [column for column in range(len(head)) if column not in right]

    def excess() -> int:
        return sum(widths) + 2 * (len(widths) - 1) - page

    def narrow(least: int) -> None:
        while excess() > 0 and texts and max(widths[column] for column in texts) > least:
            first, *others = sorted(texts, key=lambda column: -widths[column])
            beside = max((widths[column] for column in others), default=0)
            widths[first] = max(widths[first] - excess(), min(beside, widths[first] - 1), least)

    narrow(LONG_TEXT)
    for column in sorted(range(len(head)), key=lambda one: need[one] - len(head[one])):
        if excess() > 0:
            least = max((len(word) for word in head[column].split()), default=1)
            in_two = next(width for width in range(least, len(head[column]) + 2) if len(wrap(head[column], width)) < 3)
            widths[column] = min(widths[column], max(in_two, need[column]))
    narrow(LEAST_TEXT)
    return widths


def when(snapshot: Snapshot) -> str:
    """Block and time of a snapshot, of each chain where it has several, or that it is a file."""
    if not snapshot.anchors:
        return "from a file, no block"
    blocks = [
        f"block {anchor.number}" + (f" of {chain_name(anchor.chain)}" if len(snapshot.anchors) > 1 else "")
        for anchor in snapshot.anchors
    ]
    oldest = min(anchor.timestamp for anchor in snapshot.anchors)
    return f"{', '.join(blocks)}   {datetime.fromtimestamp(oldest, UTC):%Y-%m-%d %H:%M:%S} UTC"


def bar(length: float) -> str:
    """A bar of so many columns, to half a column; something that is not nothing is never drawn as nothing."""
    halves = max(round(2 * length), 1 if length > 0 else 0)
    return "━" * (halves // 2) + ("╸" if halves % 2 else "")


def aligned(texts: Sequence[str]) -> list[str]:
    """Numbers with blanks for the decimals they lack, so that right-aligned points stand under each other."""
    fractions = [len(text) - text.rindex(".") if "." in text and text[-1:].isdigit() else 0 for text in texts]
    widest = max(fractions, default=0)
    return [
        text + " " * (widest - fraction) if any(letter.isdigit() for letter in text) else text
        for text, fraction in zip(texts, fractions, strict=True)
    ]


def stands_on(snapshot: Snapshot) -> dict[str, Any]:
    """Where an answer in JSON comes from: anchors (block and time of each chain), caption, content id, and which version answered."""
    return {
        "anchors": [asdict(anchor) for anchor in snapshot.anchors],
        "caption": snapshot.caption,
        "content_id": snapshot.content_id,
        "tool": f"aftershock {__version__}",
    }


def print_json(record: Any) -> None:
    """A record as JSON on standard output; where that does not take every letter, letters beyond ASCII are escaped."""
    is_escaped = not takes_all(sys.stdout.encoding)
    sys.stdout.write(json.dumps(record, indent=2, ensure_ascii=is_escaped, allow_nan=False) + "\n")
