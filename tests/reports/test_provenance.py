"""The content id follows everything that is said; the run record follows the run."""

from datetime import UTC, datetime

import pytest

from reports.provenance import redacted, report_id, run_record


def test_all_that_is_said_decides_the_id_and_the_id_itself_does_not() -> None:
    record = {"content_id": "", "command": "x", "verdict": {"sentences": ["a"]}, "gaps": []}
    first = report_id(record)
    assert report_id({**record, "content_id": first}) == first
    for other in ({"command": "y"}, {"verdict": {"sentences": ["b"]}}, {"gaps": ["c"]}, {"more": None}):
        assert report_id({**record, **other}) != first


@pytest.mark.parametrize(
    "address",
    ["https://eth.example/v3/SECRET", "http://localhost:8545", "wss://u:SECRET@node.example/ws", "HTTPS://X/SECRET"],
)
def test_node_addresses_are_taken_out(address: str) -> None:
    for text in (f"aftershock report --rpc {address} core", f"--rpc={address}", f"--rpc '{address}' core"):
        clean = redacted(text)
        assert "SECRET" not in clean and "localhost" not in clean
        assert "<rpc-url>" in clean
    assert redacted("aftershock report core") == "aftershock report core"


def test_run_record_says_when_where_and_how() -> None:
    start, end = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)
    found = run_record(
        "as1-1", command="x --rpc http://n/KEY", started=start, finished=end, machine="m", files=["report.md"]
    )
    assert found == {
        "content_id": "as1-1",
        "command": "x --rpc <rpc-url>",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:04:07+00:00",
        "seconds": 2.0,
        "machine": "m",
        "files": ["report.md"],
    }
