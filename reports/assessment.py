"""From a snapshot, its exposure and its cascades to one Assessment: asks and joins, computes nothing but sums and shares."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pandas as pd

from chain.errors import InputError
from chain.networks import placed
from chain.snapshot import Snapshot
from graph.measures import concentration
from reports import unmoved
from reports.amounts import THIN, listing, short
from reports.frontier import Frontier
from reports.market_rows import MarketRows
from reports.outlook import Outlook
from reports.provenance import redacted, report_id
from reports.record import (
    STATUSES,
    UNLABELLED,
    Amount,
    Assessment,
    AtRisk,
    AtRiskPoint,
    Cascade,
    Coverage,
    Dependence,
    PositionLine,
    Posted,
    ScenarioLine,
    Spread,
    StatusShare,
    Step,
    Subject,
    TableCheck,
)
from reports.thresholds import Thresholds
from reports.verdict import judge
from simulations.result import CascadeResult

_WEAKNESS = {"verified": 0, "derived": 1, "unverified": 2, "file": 2}
_ROUNDING_RATIO = 1e-9  # of the supplied total; below this a difference of sums is no unseen position
TOP_POSITIONS = 10


def assess(
    snapshot: Snapshot,
    exposure: MarketRows,
    at_risk: AtRisk,
    results: Sequence[CascadeResult],
    *,
    frontier: Frontier,
    command: str,
    tool: str,
    thresholds: Thresholds | None = None,
    chosen: str | None = None,
    chain_name: str = "",
    left_out: Sequence[str] = (),
    outlook: Outlook | None = None,
) -> Assessment:
    """Join what was read, asked and simulated about one market.

    Parameters
    ----------
    snapshot : where the numbers come from; its caption goes beside all of them.
    exposure : the market's rows, from `reports.market_rows.of_market`.
    at_risk : the curve, from `at_risk_of`.
    results : cascades over the same snapshot.
    frontier : what liquidation cannot mend, from `reports.frontier.frontier_of`.
    command : what reproduces the report; addresses of nodes are taken out.
    tool : name and version.
    thresholds : what the verdict is made from; the shipped ones by default.
    chosen : name of the scenario shown round by round; the one with the largest loss by default.
    left_out : titles of shipped scenarios that apply here and were not run.
    outlook : a volatility forecast and the tail of bad debt under it, where one was asked for.

    Raises
    ------
    InputError
        If there is no result, the market is not in the snapshot, or no result bears the chosen name.
    """
    limits = thresholds or Thresholds.shipped()
    if not results:
        raise InputError("a report needs at least one scenario; give --scenario or --shock")
    subject = _subject(snapshot, exposure.market, tool, chain_name, outlook)
    lines = [(_scenario(result, exposure.market, snapshot), result) for result in results]
    lines.sort(key=lambda pair: (-pair[0].bad_debt_usd, -pair[0].liquidated_usd, pair[0].name))
    shown = next((pair for pair in lines if chosen in (None, pair[0].name)), None)
    if shown is None:
        raise InputError(f"no result is named {chosen!r}; there are {', '.join(line.name for line, _ in lines)}")
    coverage, dependence = _coverage(snapshot, exposure), _dependence(exposure)
    if left_out:
        coverage = replace(
            coverage, gaps=(*coverage.gaps, f"scenarios that ship and were not run: {listing(left_out)}")
        )
    scenarios, cascade = tuple(line for line, _ in lines), _cascade(*shown, exposure.market, snapshot)
    command = redacted(command)
    rows = shown[1].markets
    under_water = float(rows.loc[rows["market"] == exposure.market, "before_usd"].iloc[0])
    verdict = judge(
        subject,
        coverage=coverage,
        exposure=dependence,
        at_risk=at_risk,
        under_water_usd=under_water,
        scenarios=scenarios,
        cascade=cascade,
        markets_seen=len(snapshot["markets"]),
        limits=limits,
        is_part=bool(left_out),
        outlook=outlook,
    )
    return Assessment(
        content_id=report_id(
            snapshot=snapshot.content_id,
            market=exposure.market,
            runs=[line.content_id for line in scenarios],
            shown=cascade.scenario.name,
            thresholds=limits.to_dict(),
            at_risk={**asdict(at_risk), "frontier": asdict(frontier)},
            outlook=None if outlook is None else asdict(outlook),
            tool=tool,
        ),
        subject=subject,
        coverage=coverage,
        exposure=dependence,
        at_risk=at_risk,
        frontier=frontier,
        under_water_usd=under_water,
        scenarios=scenarios,
        cascade=cascade,
        verdict=verdict,
        thresholds=limits.to_dict(),
        command=command,
        outlook=outlook,
    )


def at_risk_of(curve: pd.DataFrame, symbol: str, price_usd: float, capacity_usd: float) -> AtRisk:
    """The curve of `simulations.health.at_risk` with what falls and what the pools can take; InputError if it has no points."""
    if curve.empty:
        raise InputError("the at-risk curve has no points; give at least two falls")
    points = tuple(
        AtRiskPoint(float(row.fall_percent), float(row.liquidatable_collateral_usd), float(row.liquidatable_debt_usd))
        for row in curve.sort_values("fall_percent").itertuples()
    )
    return AtRisk(symbol, float(price_usd), points, float(capacity_usd))


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


def _coverage(snapshot: Snapshot, exposure: MarketRows) -> Coverage:
    """Supplied value by status; `not seen` is what the market's own totals hold beyond the positions that were read."""
    words = exposure.supplies["status"].replace({"file": "unverified"})
    read = exposure.supplies.groupby(words)["amount_usd"].sum().to_dict()
    unseen = exposure.supplied_usd - sum(read.values())
    read["not seen"] = unseen if unseen > _ROUNDING_RATIO * exposure.supplied_usd else 0.0
    total = sum(read.values())
    return Coverage(
        total_usd=total,
        by_status=tuple(
            StatusShare(word, read.get(word, 0.0), _share(read.get(word, 0.0), total)) for word in STATUSES
        ),
        tables=tuple(_check(snapshot, name, table) for name, table in snapshot.tables.items() if len(table)),
        gaps=snapshot.gaps,
    )


def _check(snapshot: Snapshot, name: str, table: pd.DataFrame) -> TableCheck:
    status = max(set(table["status"]), key=lambda word: _WEAKNESS[word]) if "status" in table else "derived"
    checks = [check for check in snapshot.checks if check.table == name]
    found = "; ".join(
        f"{check.name}, {check.compared - len(check.failures):,} of {check.compared:,}" for check in checks
    )
    return TableCheck(
        name,
        len(table),
        status,
        found or "not compared with a second source",
        sum(len(check.failures) for check in checks),
    )


def _dependence(exposure: MarketRows) -> Dependence:
    supplies, borrows = exposure.supplies, exposure.borrows
    owing = set(borrows.loc[borrows["amount_usd"] > 0, "holder"])
    is_collateral = supplies["collateral_enabled"].astype(bool) & supplies["holder"].isin(owing)
    collateral, lent = supplies[is_collateral], supplies[~is_collateral]
    posted = (
        collateral.groupby(["asset", "symbol"])["amount_usd"]
        .sum()
        .reset_index()
        .merge(exposure.roots, on="asset")
        .merge(exposure.feeds, on="asset", how="left")
    )
    posted["amount_usd"] *= posted["share_ratio"]
    total = float(posted["amount_usd"].sum())
    slices = tuple(
        Posted(row.asset, row.symbol, row.root, row.feed, row.state, row.amount_usd, _share(row.amount_usd, total))
        for row in posted.sort_values(["amount_usd", "asset", "root"], ascending=[False, True, True]).itertuples()
        if row.amount_usd > 0
    )
    return Dependence(
        collateral_usd=total,
        enabled_usd=float(supplies.loc[supplies["collateral_enabled"].astype(bool), "amount_usd"].sum()),
        claims_usd=float(lent["amount_usd"].sum()),
        borrowed_usd=float(borrows["amount_usd"].sum()),
        posted=slices,
        feeds=_amounts(
            pd.DataFrame([(s.feed, s.feed, s.amount_usd) for s in slices if s.feed], columns=_AMOUNT), total
        ),
        roots=_amounts(pd.DataFrame([(s.root, s.root, s.amount_usd) for s in slices], columns=_AMOUNT), total),
        lenders=_amounts(lent[["holder", "holder_name", "amount_usd"]].set_axis(_AMOUNT, axis=1)),
        borrowed=_amounts(borrows[["asset", "symbol", "amount_usd"]].set_axis(_AMOUNT, axis=1)),
        borrowers=_spread(collateral),
        lending=_spread(lent),
        unmoved=unmoved.lines(exposure.unmoved),
        unmoved_debt_usd=exposure.unmoved_debt_usd,
    )


_AMOUNT = ["key", "name", "amount_usd"]


def _amounts(rows: pd.DataFrame, total: float | None = None) -> tuple[Amount, ...]:
    """Rows summed by key, largest first."""
    sums = rows.astype({"amount_usd": float}).groupby(["key", "name"])["amount_usd"].sum().reset_index()
    sums = sums[sums["amount_usd"] > 0].sort_values(["amount_usd", "key"], ascending=[False, True])
    whole = float(sums["amount_usd"].sum()) if total is None else total
    return tuple(
        Amount(row.key, row.name, row.amount_usd, _share(row.amount_usd, whole)) for row in sums.itertuples(index=False)
    )


def _spread(rows: pd.DataFrame) -> Spread:
    found = concentration(rows.groupby("holder")["amount_usd"].sum())
    return Spread(found.count, found.hhi or 0.0, found.effective_number or 0.0, found.top10_share or 0.0)


def _scenario(result: CascadeResult, market: str, snapshot: Snapshot) -> ScenarioLine:
    asset, symbol = _leading(result, market, snapshot)
    row = result.markets.set_index("market").loc[market]
    scenario = result.scenario
    return ScenarioLine(
        name=scenario.name,
        title=scenario.title.replace(" %", f"{THIN}%"),
        kind=scenario.kind,
        description=scenario.description,
        shocked=tuple(shock.asset for shock in scenario.shocks),
        largest_fall_percent=100 * max((-shock.change for shock in scenario.shocks), default=0.0),
        pass_through=scenario.assumptions.pass_through,
        gas_usd=scenario.assumptions.gas_usd,
        rounds=result.calm_after,
        liquidated_usd=float(row["liquidated_usd"]),
        bad_debt_usd=float(row["bad_debt_usd"]),
        direct_usd=float(row["direct_usd"]),
        indirect_usd=float(row["indirect_usd"]),
        waiting_debt_usd=float(row["waiting_debt_usd"]),
        leading_symbol=symbol,
        leading_change_ratio=result.rounds[-1].market_price_usd.get(asset, float("nan"))
        / _price_at_block(snapshot, asset)
        - 1,
        content_id=result.content_id,
    )


def _price_at_block(snapshot: Snapshot, asset: str) -> float:
    prices = snapshot["prices"]
    known = prices.loc[(prices["asset"] == asset) & prices["price_usd"].notna(), "price_usd"]
    return float(known.iloc[0]) if len(known) else float("nan")


def _acting(result: CascadeResult, market: str) -> list[Step]:
    """The market's part of each round, without the quiet rounds at the end; prices are filled in by `_cascade`."""
    steps = [
        Step(
            each.number,
            float(each.liquidations.loc[each.liquidations["market"] == market, "seized_usd"].sum()),
            float(each.bad_debt_usd.get(market, 0.0)),
            0.0,
        )
        for each in result.rounds
    ]
    if (
        len(steps) > 2 and not steps[-1].liquidated_usd
    ):  # what the quiet round revalues is the aftermath of the one before
        quiet = steps.pop()
        steps[-1] = replace(steps[-1], bad_debt_usd=steps[-1].bad_debt_usd + quiet.bad_debt_usd)
    while len(steps) > 1 and not steps[-1].liquidated_usd and not steps[-1].bad_debt_usd:
        steps.pop()
    return steps


def _cascade(line: ScenarioLine, result: CascadeResult, market: str, snapshot: Snapshot) -> Cascade:
    asset, symbol = _leading(result, market, snapshot)
    start = _price_at_block(snapshot, asset)
    steps = tuple(
        Step(
            step.number,
            step.liquidated_usd,
            step.bad_debt_usd,
            each.market_price_usd.get(asset, float("nan")) / start - 1,
        )
        for step, each in zip(_acting(result, market), result.rounds, strict=False)
    )
    mine = result.positions[result.positions["market"] == market]
    by = "loss_usd" if line.is_loss_shown else "liquidated_usd"
    largest = mine[mine[by] > 0].sort_values([by, "position_id"], ascending=[False, True])
    names = dict(zip(snapshot["entities"]["entity"], snapshot["entities"]["name"], strict=True))
    return Cascade(
        scenario=line,
        leading_symbol=symbol,
        steps=steps,
        positions=tuple(_position(row, names.get(row.owner)) for row in largest.head(TOP_POSITIONS).itertuples()),
        losing_positions=len(largest),
        tokens_conserved=bool(result.identities.tokens_conserved),
        worst_residual_ratio=float(result.identities.worst_residual_ratio),
    )


def _leading(result: CascadeResult, market: str, snapshot: Snapshot) -> tuple[str, str]:
    """The asset whose price is shown beside the rounds: the collateral behind most of the written-off debt, where nothing is written
    off the collateral that is liquidated most, where nothing is liquidated the first asset shocked."""
    rows = pd.concat([each.liquidations for each in result.rounds])
    mine = rows[rows["market"] == market]
    column = "deficit_usd" if mine["deficit_usd"].sum() > 0 else "seized_usd"
    taken = mine.groupby("collateral_asset")[column].sum()
    wanted = str(taken.sort_index().idxmax()) if len(taken) else result.scenario.shocks[0].asset
    assets, prices = snapshot["assets"], snapshot["prices"]
    keys = sorted(assets.loc[(assets["symbol"] == wanted) | (assets["asset"] == wanted), "asset"])
    here, anywhere = set(prices.loc[prices["market"] == market, "asset"]), set(prices["asset"])
    return next((key for known in (here, anywhere) for key in keys if key in known), wanted), wanted


def _position(row: "pd.core.frame.Any", name: object) -> PositionLine:
    health = float(row.health_factor_before)
    return PositionLine(
        position=row.position_id,
        owner=row.owner,
        label=name if isinstance(name, str) and name and name != short(row.owner) else UNLABELLED,
        collateral_assets=row.collateral_assets,
        debt_assets=row.debt_assets,
        health_factor=health if health < float("inf") else None,
        collateral_usd=float(row.collateral_before_usd),
        debt_usd=float(row.debt_before_usd),
        liquidated_usd=float(row.liquidated_usd),
        loss_usd=float(row.loss_usd),
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
