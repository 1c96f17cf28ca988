"""What `aftershock check` has against the file that is simulated (`reports.file_warnings`): found, printed, and put into JSON."""

from pathlib import Path
from typing import Any

from aftershock.cli.terminal import HARM, Page
from chain.files.book_file import REQUIRED
from chain.files.book_file_checks import check_book
from chain.files.file_findings import Noted
from chain.files.frames import open_frame
from reports.file_warnings import FileWarnings


def show_warnings(page: Page, warned: FileWarnings | None) -> None:
    """A line on how many there are, one on each of the first; nothing where there are none."""
    if warned is None or not warned.found:
        return
    page.say(
        (f"{warned.counted} in {warned.path.name}", HARM),
        (f"; all: {warned.command}" if warned.are_more else f"; {warned.command}", "dim"),
    )
    for where, what in warned.first:
        page.say((f"  {where}  ", "dim"), what)
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
