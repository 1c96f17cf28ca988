"""What `aftershock check` has against the file that is simulated, in short, beside the numbers made from it: how many, the first, how to see all."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aftershock.cli.terminal import HARM, Page
from chain.files.book_file import REQUIRED
from chain.files.book_file_checks import check_book
from chain.files.file_findings import FileFinding, Noted
from chain.files.frames import open_frame
from reports.amounts import count

FIRST = 3


@dataclass(frozen=True)
class FileWarnings:
    """Findings of one file, errors first."""

    path: Path
    found: tuple[FileFinding, ...]

    @property
    def command(self) -> str:
        """What shows all of them."""
        return shlex.join(["aftershock", "check", str(self.path)])

    @property
    def counted(self) -> str:
        """`1 error and 2 warnings`."""
        errors = sum(one.severity == "error" for one in self.found)
        numbers = {"error": errors, "warning": len(self.found) - errors}
        return " and ".join(count(number, name) for name, number in numbers.items() if number)

    def to_dict(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return {
            "file": self.path.name,
            "errors": sum(one.severity == "error" for one in self.found),
            "warnings": sum(one.severity == "warning" for one in self.found),
            "first": [one.to_dict() for one in self.found[:FIRST]],
            "all": self.command,
        }

    def show(self, page: Page) -> None:
        """A line on how many there are, one on each of the first; nothing where there are none."""
        if not self.found:
            return
        more = f"; all: {self.command}" if len(self.found) > FIRST else f"; {self.command}"
        page.say((f"{self.counted} in {self.path.name}", HARM), (more, "dim"))
        for one in self.found[:FIRST]:
            more = f" and {one.rows - 1:,} more" if one.rows > 1 else ""
            row = f"row {one.row}{more}" if one.row else ""
            where = " ".join(part for part in (row, one.column, one.symbol) if part)
            page.say((f"  {where}  ", "dim"), f"{one.value}: {one.sentence}" if one.value else one.sentence)
        page.blank()


def in_json(warned: FileWarnings | None) -> dict[str, Any]:
    """The entry of an answer in JSON; none where the source is a snapshot."""
    return {"file_findings": warned.to_dict()} if warned else {}


def warnings_of(source: str | Path) -> FileWarnings | None:
    """What is to be said of a user's book, which was read without an error before; None where the source is no book."""
    path = Path(source)
    frame = open_frame(path) if path.is_file() else None
    if frame is None or not set(REQUIRED) <= set(frame.columns):
        return None
    noted = Noted(path.name)
    check_book(noted, frame)
    return FileWarnings(path, tuple(sorted(noted.found, key=lambda one: one.severity)))
