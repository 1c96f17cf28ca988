"""Where a report comes from: its content id over everything that decides its bytes, and the run record that stands beside it, unhashed."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chain.snapshot import content_id

RECORD_VERSION = 2  # raised whenever the record, its words or its drawings change
NODE_PLACEHOLDER = "<rpc-url>"
_URL = re.compile(r"\b(?:https?|wss?|ipc)://[^\s'\"]+", re.IGNORECASE)


def report_id(
    *,
    snapshot: str,
    market: str,
    runs: Sequence[str],
    shown: str,
    thresholds: Mapping[str, Any],
    at_risk: Mapping[str, Any],
    outlook: Mapping[str, Any] | None = None,
    given: str | None = None,
    file_findings: Mapping[str, Any] | None = None,
    tool: str,
) -> str:
    """Content id of a report: same id, same bytes.

    Parameters
    ----------
    snapshot : content id of the snapshot.
    runs : content ids of the cascades; their order changes nothing.
    shown : the scenario shown round by round.
    thresholds : what the verdict is made from.
    at_risk : the curve.
    outlook : the forecast and its tails, if there are any.
    given : the source as it was typed, which the printed command repeats; the embedded sample is nobody's file.
    file_findings : what is said against the user's file, if the source is one.
    tool : as printed in the report. The rest of the command is not part of it: give one that follows from the content.
    """
    of_files = {"given": None if given == "sample" else given, "file_findings": file_findings}
    return content_id(
        {
            "report": RECORD_VERSION,
            "snapshot": snapshot,
            "market": market,
            "runs": sorted(runs),
            "shown": shown,
            "thresholds": dict(thresholds),
            "at_risk": dict(at_risk),
            "outlook": None if outlook is None else dict(outlook),
            "tool": tool,
            **{name: value for name, value in of_files.items() if value is not None},
        }
    )


def redacted(text: str) -> str:
    """The text with every address of a node replaced: such addresses hold keys."""
    return _URL.sub(NODE_PLACEHOLDER, text)


def run_record(
    content: str, *, command: str, started: datetime, finished: datetime, machine: str, files: Sequence[str] = ()
) -> dict[str, Any]:
    """What `run.json` says about one run: when, where, by which command. It is not part of the content id."""
    return {
        "content_id": content,
        "command": redacted(command),
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": round((finished - started).total_seconds(), 3),
        "machine": machine,
        "files": list(files),
    }
