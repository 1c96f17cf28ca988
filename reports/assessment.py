"""From a snapshot, its exposure and its cascades to one Assessment: asks and joins, computes nothing but sums and shares."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from chain.errors import InputError
from chain.networks import placed
from chain.snapshot import Snapshot
from reports.at_risk import AtRisk
from reports.cascades import cascade_of, worst_first
from reports.coverage import coverage_of
from reports.dependence import dependence_of
from reports.file_warnings import FileWarnings
from reports.frontier import Frontier
from reports.market_rows import MarketRows
from reports.outlook import Outlook
from reports.provenance import redacted, report_id
from reports.record import Assessment, Subject
from reports.thresholds import Thresholds
from reports.verdict import judge
from simulations.result import CascadeResult


def assess(
    snapshot: Snapshot,
    exposure: MarketRows,
    at_risk: AtRisk,
    results: Sequence[CascadeResult],
    *,
    frontier: Frontier,
    command: str,
    tool: str,
    chain_name: str = "",
    left_out: Sequence[str] = (),
    outlook: Outlook | None = None,
    warned: FileWarnings | None = None,
    at_other_shares: Mapping[float, CascadeResult | None] = MappingProxyType({}),
) -> Assessment:
    """Join what was read, asked and simulated about one market.

    Parameters
    ----------
    snapshot : where the numbers come from; its caption goes beside all of them.
    exposure : the market's rows, from `reports.market_rows.of_market`.
    at_risk : the curve, from `reports.at_risk.at_risk_of`.
    results : cascades over the same snapshot.
    frontier : what liquidation cannot mend, from `reports.frontier.frontier_of`.
    command : what reproduces the report; addresses of nodes are taken out.
    tool : name and version.
    left_out : titles of shipped scenarios that apply here and were not run.
    outlook : a volatility forecast and the tail of bad debt under it, where one was asked for.
    warned : what `aftershock check` has against the file that the source is.
    at_other_shares : the worst scenario again, by another pass-through; None where that run was not calm.

    Raises
    ------
    InputError
        If there is no result, or the market is not in the snapshot.
    """
    if not results:
        raise InputError("a report needs at least one scenario; give --scenario or --shock")
    lines = worst_first(results, exposure.market, snapshot)
    worst, rows = lines[0], lines[0][1].markets
    found = Assessment(
        subject=_subject(snapshot, exposure.market, tool, chain_name, outlook),
        coverage=coverage_of(snapshot, exposure, left_out),
        exposure=dependence_of(exposure),
        at_risk=at_risk,
        frontier=frontier,
        under_water_usd=float(rows.loc[rows["market"] == exposure.market, "before_usd"].iloc[0]),
        scenarios=tuple(line for line, _ in lines),
        cascade=cascade_of(*worst, exposure.market, snapshot, at_other_shares),
        thresholds=Thresholds.shipped().to_dict(),
        command=redacted(command),
        outlook=outlook,
        file_findings=warned,
    )
    judged = replace(found, verdict=judge(found))
    return replace(judged, content_id=report_id(judged.to_dict()))


def _subject(snapshot: Snapshot, market: str, tool: str, chain_name: str, outlook: Outlook | None) -> Subject:
    markets = snapshot["markets"]
    rows = markets[markets["market"] == market]
    if rows.empty:
        raise InputError(f"the snapshot has no market {market}; it has {', '.join(markets['market']) or 'none'}")
    row = rows.iloc[0]
    names = dict(zip(snapshot["protocols"]["protocol"], snapshot["protocols"]["name"], strict=True))
    anchor = next((anchor for anchor in snapshot.anchors if anchor.chain == row["chain"]), None)
    return Subject(
        market=market,
        name=placed(
            ", ".join(part for part in (names.get(row["protocol"], row["protocol"]), row["instance"]) if part),
            str(row["market"]),
            [anchor.chain for anchor in snapshot.anchors],
        ),
        protocol=row["protocol"],
        chain=row["chain"],
        chain_name=chain_name,
        block=anchor.number if anchor else None,
        block_hash=anchor.hash if anchor else "",
        time=datetime.fromtimestamp(anchor.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if anchor else "",
        snapshot_id=snapshot.content_id,
        caption=", ".join(part for part in (snapshot.caption, _of_outlook(outlook)) if part),
        tool=tool,
    )


def _of_outlook(outlook: Outlook | None) -> str:
    """What must stand beside the outlook's numbers, as part of the report's caption."""
    return f"{outlook.caption} in the outlook" if outlook is not None and outlook.caption else ""
