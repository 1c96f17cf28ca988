"""Where a report comes from: its content id over everything that it says, and the run record that stands beside it, unhashed."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chain.snapshot import content_id

RECORD_VERSION = 3  # raised whenever the record, its words or its drawings change
NODE_PLACEHOLDER = "<rpc-url>"
_URL = re.compile(r"\b(?:https?|wss?|ipc)://[^\s'\"]+", re.IGNORECASE)


def report_id(record: Mapping[str, Any]) -> str:
    """Content id of a report: same id, same bytes. It is over all that the record says (`Assessment.to_dict`), since pages are drawn from that alone."""
    said = {name: value for name, value in record.items() if name != "content_id"}
    return content_id({"report": RECORD_VERSION, "record": said})


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
