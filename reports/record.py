"""Assessment: the answer to "how exposed is this market?" as one record. Report, terminal, JSON and pages are drawn from it alone.

Amounts are USD, ratios are between 0 and 1, falls are percent of a price. Everything is plain data: `to_dict` is ready for JSON. Its parts are in files
of their own, each with what makes it: `coverage`, `dependence`, `at_risk`, `frontier`, `cascades`, `outlook`.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from reports.at_risk import AtRisk
from reports.cascades import Cascade, ScenarioLine
from reports.coverage import Coverage
from reports.dependence import Dependence
from reports.file_warnings import FileWarnings
from reports.frontier import Frontier
from reports.outlook import Outlook


@dataclass(frozen=True)
class Subject:
    """What was assessed, when, and from which data; `caption` must stand beside every number (empty for a plain read of a live chain).

    A user's file has no block: then `block` is None, `block_hash` and `time` are empty.
    """

    market: str
    name: str
    protocol: str
    chain: str
    chain_name: str
    block: int | None
    block_hash: str
    time: str
    snapshot_id: str
    caption: str
    tool: str

    @property
    def stands_at(self) -> str:
        """`block 89`, or that it comes from a file."""
        return f"block {self.block}" if self.block is not None else "a file, no block"

    @property
    def read(self) -> str:
        """`at this block`, or that a file has none."""
        return "at this block" if self.block is not None else "as the file states it"


@dataclass(frozen=True)
class Reading:
    """One measure held against its thresholds: `limits` are (word, lower bound of the level), `crossed` means the last levels' alarm."""

    name: str
    title: str
    value: float
    shown: str
    limits: str
    level: str
    crossed: bool


@dataclass(frozen=True)
class Rule:
    """One rule of the confidence grade: the best grade that is possible while it applies, and what was found."""

    name: str
    best: str
    applies: bool
    finding: str


@dataclass(frozen=True)
class Verdict:
    """Sentences (what is lost already, if anything; ordinary day; danger and cause; what to watch), the readings they were made from, and the confidence grade.

    Sentences mark what is to be set bold with two asterisks and addresses with backquotes; `plain` takes the marks off.
    """

    sentences: tuple[str, ...]
    readings: tuple[Reading, ...]
    grade: str
    reason: str
    rules: tuple[Rule, ...]

    @property
    def plain(self) -> tuple[str, ...]:
        """The sentences without marks."""
        return tuple(sentence.replace("**", "").replace("`", "") for sentence in self.sentences)

    @property
    def crossed(self) -> tuple[Reading, ...]:
        """Readings beyond their alarm: what an exit code 1 is about."""
        return tuple(reading for reading in self.readings if reading.crossed)


UNJUDGED = Verdict((), (), "", "", ())


@dataclass(frozen=True)
class Assessment:
    """Everything that is said about one market at one block.

    `under_water_usd`: owed beyond the collateral behind it before any shock; `thresholds`: what the verdict is made from, in the shape of the file;
    `outlook`: None where no forecast was asked for; `file_findings`: None where the source is no user's file. `verdict` (`reports.verdict.judge`) and
    then `content_id` (`reports.provenance.report_id`) follow from all before them.
    """

    subject: Subject
    coverage: Coverage
    exposure: Dependence
    at_risk: AtRisk
    frontier: Frontier
    under_water_usd: float
    scenarios: tuple[ScenarioLine, ...]
    cascade: Cascade
    thresholds: dict[str, Any]
    command: str
    outlook: Outlook | None = None
    file_findings: FileWarnings | None = None
    verdict: Verdict = UNJUDGED
    content_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers that JSON cannot hold are None."""
        record: dict[str, Any] = {"content_id": self.content_id, **_plain(asdict(replace(self, file_findings=None)))}
        record.pop("file_findings")
        if self.file_findings is not None:
            record["file_findings"] = self.file_findings.to_dict()
        record["at_risk"]["full_at_percent"] = self.at_risk.full_at_percent
        return record


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
