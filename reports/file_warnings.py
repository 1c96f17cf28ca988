"""What `aftershock check` has against a user's file, in short, beside the numbers made from it: how many, the first, how to see all."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.files.file_findings import FileFinding
from reports.amounts import count

FIRST = 3


@dataclass(frozen=True)
class FileWarnings:
    """Findings of one file, errors first; `path` as it was given."""

    path: Path
    found: tuple[FileFinding, ...]

    @property
    def command(self) -> str:
        """What shows all of them."""
        return shlex.join(["aftershock", "check", str(self.path)])

    @property
    def counted(self) -> str:
        """`1 error and 2 warnings`; empty where there are none."""
        errors = sum(one.severity == "error" for one in self.found)
        numbers = {"error": errors, "warning": len(self.found) - errors}
        return " and ".join(count(number, name) for name, number in numbers.items() if number)

    @property
    def first(self) -> tuple[tuple[str, str], ...]:
        """The first few: where in the file, and what."""
        told = []
        for one in self.found[:FIRST]:
            more = f" and {one.rows - 1:,} more" if one.rows > 1 else ""
            row = f"row {one.row}{more}" if one.row else ""
            where = " ".join(part for part in (row, one.column, one.symbol) if part)
            told.append((where, f"{one.value}: {one.sentence}" if one.value else one.sentence))
        return tuple(told)

    @property
    def are_more(self) -> bool:
        """Whether there are others than the first few."""
        return len(self.found) > FIRST

    def to_dict(self) -> dict[str, Any]:
        """As it goes into JSON."""
        return {
            "file": self.path.name,
            "errors": sum(one.severity == "error" for one in self.found),
            "warnings": sum(one.severity == "warning" for one in self.found),
            "first": [one.to_dict() for one in self.found[:FIRST]],
            "all": self.command,
        }
