"""Progress on standard error: a line a step, redrawn in place while it runs, with a tick and its time when it is done."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.text import Text

from aftershock.cli.terminal import HARM, STATE, console, printable

LABEL = 16


class Step:
    """One running step; `note` replaces what is said about it."""

    def __init__(self, label: str) -> None:
        self.label, self.text = label, ""
        self._console = console(stderr=True)
        self._started, self._drawn = time.monotonic(), 0.0
        self.note("")

    def note(self, text: str) -> None:
        """Say how far the step is; on a terminal the line is redrawn, at most ten times a second."""
        self.text = text
        now = time.monotonic()
        if self._console.is_terminal and now - self._drawn >= 0.1:
            self._drawn = now
            self._write("●", HARM, f"{now - self._started:.0f} s", end="\r")

    def done(self) -> None:
        """Close the step with its time."""
        self._write("✓", STATE, f"{time.monotonic() - self._started:.1f} s", end="\n")

    def failed(self) -> None:
        """Leave the line as it stands, on a line of its own."""
        self._write("×", HARM, f"{time.monotonic() - self._started:.1f} s", end="\n")

    def _write(self, mark: str, style: str, seconds: str, end: str) -> None:
        width = self._console.width - 1
        line = printable(f" {self.label:<{LABEL - 2}}  {self.text}")[: width - len(seconds) - 2]
        self._console.print(
            Text.assemble((mark, style), line.ljust(width - 1 - len(seconds)), (seconds, "dim")),
            end=end,
            soft_wrap=True,
        )
        sys.stderr.flush()


@contextmanager
def step(label: str) -> Iterator[Step]:
    """Run a step and show it."""
    running = Step(label)
    try:
        yield running
    except BaseException:
        running.failed()
        raise
    running.done()
