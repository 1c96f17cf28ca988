"""What the tests of readers ask of a snapshot: a table as rows, and the checks that failed."""

from typing import Any, cast

from chain.snapshot import Check, Snapshot


def rows(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", snapshot[table].to_dict("records"))


def failed(snapshot: Snapshot) -> dict[str, Check]:
    return {check.name: check for check in snapshot.checks if not check.passed}
