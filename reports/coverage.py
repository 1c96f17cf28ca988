"""How well a market is known: what is supplied by the status of the rows that say so, every table with its checks, and what was not looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

import pandas as pd

from chain.snapshot import Snapshot
from graph.merged_rows import weakest
from reports.amounts import listing, ratio
from reports.market_rows import MarketRows

STATUSES = ("verified", "derived", "unverified", "not seen")
_ROUNDING_RATIO = 1e-9  # of the supplied total; below this a difference of sums is no unseen position


@dataclass(frozen=True)
class StatusShare:
    """Supplied value that is known in one way."""

    status: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class TableCheck:
    """One table of the snapshot: rows, weakest status of its rows, and what comparing it with the chain found: of how many subjects how many differed."""

    table: str
    rows: int
    status: str
    check: str
    compared: int
    failures: int


@dataclass(frozen=True)
class Coverage:
    """What was looked at and what was not: `by_status` adds up to `total_usd`, the supplied value by the market's own totals.

    `markets` is how many were read together; `left_out` are the titles of shipped scenarios that apply here and were not run, in `gaps` too.
    """

    total_usd: float
    by_status: tuple[StatusShare, ...]
    tables: tuple[TableCheck, ...]
    gaps: tuple[str, ...]
    markets: int
    left_out: tuple[str, ...]

    @property
    def known_ratio(self) -> float:
        """Share that is verified or derived."""
        return fsum(part.share_ratio for part in self.by_status if part.status in ("verified", "derived"))

    @property
    def compared(self) -> int:
        """What was compared with the chain; 0 for a user's file, and for a what-if, which nothing on chain answers to."""
        return sum(table.compared for table in self.tables)

    @property
    def failures(self) -> int:
        """Comparisons with the chain that differed."""
        return sum(table.failures for table in self.tables)


def coverage_of(snapshot: Snapshot, exposure: MarketRows, left_out: Sequence[str]) -> Coverage:
    """Supplied value by status; `not seen` is what the market's own totals hold beyond the positions that were read."""
    words = exposure.supplies["status"].replace({"file": "unverified"})
    read = exposure.supplies.groupby(words)["amount_usd"].sum().to_dict()
    unseen = exposure.supplied_usd - fsum(read.values())
    read["not seen"] = unseen if unseen > _ROUNDING_RATIO * exposure.supplied_usd else 0.0
    total = fsum(read.values())
    unrun = [f"scenarios that ship and were not run: {listing(left_out)}"] if left_out else []
    return Coverage(
        total_usd=total,
        by_status=tuple(StatusShare(word, read.get(word, 0.0), ratio(read.get(word, 0.0), total)) for word in STATUSES),
        tables=tuple(_check(snapshot, name, table) for name, table in snapshot.tables.items() if len(table)),
        gaps=(*snapshot.gaps, *unrun),
        markets=len(snapshot["markets"]),
        left_out=tuple(left_out),
    )


def _check(snapshot: Snapshot, name: str, table: pd.DataFrame) -> TableCheck:
    status = weakest(table["status"]) if "status" in table else "derived"
    checks = [check for check in snapshot.checks if check.table == name]
    found = "; ".join(
        f"{check.name}, {check.compared - len(check.failures):,} of {check.compared:,}" for check in checks
    )
    return TableCheck(
        name,
        len(table),
        status,
        found or "not compared with a second source",
        sum(check.compared for check in checks),
        sum(len(check.failures) for check in checks),
    )
