"""What scenarios do to one market: a line each, and one of them round by round with the positions that carry the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from types import MappingProxyType

import numpy as np
import pandas as pd

from chain.snapshot import Snapshot
from reports.amounts import THIN, Money, money_for, ratio, short
from reports.waiting import debt_usd
from simulations.result import CascadeResult, Waiting

TOP_POSITIONS = 10


@dataclass(frozen=True)
class ScenarioLine:
    """One scenario, as this market came through it. `direct_usd` and `indirect_usd` add up to `bad_debt_usd`; `shocked` names what fell.

    `rounds` is after how many the whole run, over all markets of the book, is calm: the number of the last round in which somebody is liquidated.
    `waiting` says for which reasons debt waits at the end, and how much for each.
    `leading_symbol` is the collateral behind the largest part of the loss, `leading_ratio` that part (0 where nobody loses), `leading_change_ratio`
    its price at the end against the block.
    """

    name: str
    title: str
    kind: str
    description: str
    shocked: tuple[str, ...]
    largest_fall_percent: float
    pass_through: float
    gas_usd: float
    rounds: int
    liquidated_usd: float
    bad_debt_usd: float
    direct_usd: float
    indirect_usd: float
    waiting_debt_usd: float
    waiting: tuple[Waiting, ...]
    leading_symbol: str
    leading_ratio: float
    leading_change_ratio: float
    content_id: str

    @property
    def money(self) -> Money:
        """The unit of its amounts."""
        return money_for(max(self.liquidated_usd, self.bad_debt_usd))

    @property
    def is_loss_shown(self) -> bool:
        """Whether its bad debt is half a hundredth of the unit, so that it is no bar of length nothing."""
        return self.bad_debt_usd >= 0.005 * self.money.usd

    @property
    def paused_debt_usd(self) -> float:
        """What waits at the end for the end of a pause."""
        return debt_usd(self.waiting, "paused")

    @property
    def indirect_ratio(self) -> float:
        """Share of bad debt that comes after the first round; 0 where there is none."""
        return self.indirect_usd / self.bad_debt_usd if self.bad_debt_usd > 0 else 0.0


@dataclass(frozen=True)
class Step:
    """One round of the chosen cascade; `price_change_ratio` is that of the leading asset against the block, after the round."""

    number: int
    liquidated_usd: float
    bad_debt_usd: float
    price_change_ratio: float


@dataclass(frozen=True)
class PositionLine:
    """One position under the chosen cascade; health factor, collateral and debt before the shock (infinite health without debt: None).

    `name` is who it is (`position_name`); `address` the owner's, shortened, where the name does not have it, else empty.
    """

    position: str
    owner: str
    name: str
    address: str
    collateral_assets: str
    debt_assets: str
    health_factor: float | None
    collateral_usd: float
    debt_usd: float
    liquidated_usd: float
    loss_usd: float


@dataclass(frozen=True)
class PassedThrough:
    """Bad debt of the same scenario at another share of sale impact that the outside market does not absorb; None where that run was not calm in the rounds it is given."""

    pass_through: float
    bad_debt_usd: float | None


@dataclass(frozen=True)
class Cascade:
    """The scenario that is shown round by round: the one with the most bad debt, or the most liquidated where there is none.

    `positions` are the largest by loss (by liquidation where nobody loses); `steps` leave out empty rounds at the end; `range` is the
    bad debt at every pass-through that was run, the scenario's own among them, smallest first (empty where it alone was run).
    """

    scenario: ScenarioLine
    leading_symbol: str
    steps: tuple[Step, ...]
    positions: tuple[PositionLine, ...]
    losing_positions: int
    worst_residual_ratio: float
    range: tuple[PassedThrough, ...] = ()

    @property
    def by_bad_debt(self) -> bool:
        """Whether there is bad debt that can be shown; otherwise the pictures show what is liquidated."""
        return self.scenario.is_loss_shown

    @property
    def money(self) -> Money:
        """The unit of its rounds."""
        return self.scenario.money

    @property
    def total_usd(self) -> float:
        """What the steps add up to: bad debt, or collateral liquidated."""
        return self.scenario.bad_debt_usd if self.by_bad_debt else self.scenario.liquidated_usd

    def of_step(self, step: Step) -> float:
        """The step's part of `total_usd`."""
        return step.bad_debt_usd if self.by_bad_debt else step.liquidated_usd

    def of_position(self, line: PositionLine) -> float:
        """The position's part of `total_usd`."""
        return line.loss_usd if self.by_bad_debt else line.liquidated_usd


def scenario_line(result: CascadeResult, market: str, snapshot: Snapshot) -> ScenarioLine:
    asset, symbol = leading(result, snapshot, market)
    behind = collateral_behind(result, snapshot, market)
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
        waiting=result.waiting([market]),
        leading_symbol=symbol,
        leading_ratio=ratio(behind.get(asset, 0.0), fsum(behind.values())),
        leading_change_ratio=result.price_change_ratio(asset, result.rounds[-1]),
        content_id=result.content_id,
    )


def worst_first(
    results: Sequence[CascadeResult], market: str, snapshot: Snapshot
) -> list[tuple[ScenarioLine, CascadeResult]]:
    """Results with their lines: most bad debt first, then most liquidated, then most waiting, then the deepest fall."""
    lines = [(scenario_line(result, market, snapshot), result) for result in results]
    return sorted(
        lines,
        key=lambda pair: (
            -pair[0].bad_debt_usd,
            -pair[0].liquidated_usd,
            -pair[0].waiting_debt_usd,
            -pair[0].largest_fall_percent,
            pair[0].name,
        ),
    )


def range_of(
    line: ScenarioLine, others: Mapping[float, CascadeResult | None], market: str
) -> tuple[PassedThrough, ...]:
    """Bad debt of one market by pass-through: that of the line, and of runs of the same scenario at others (None: not calm)."""
    found: dict[float, float | None] = {line.pass_through: line.bad_debt_usd}
    for share, other in others.items():
        lost = None if other is None else other.markets.set_index("market").at[market, "bad_debt_usd"]
        found[share] = None if lost is None else float(lost)
    return tuple(PassedThrough(share, found[share]) for share in sorted(found)) if others else ()


def cascade_of(
    line: ScenarioLine,
    result: CascadeResult,
    market: str,
    snapshot: Snapshot,
    others: Mapping[float, CascadeResult | None] = MappingProxyType({}),
) -> Cascade:
    asset, symbol = leading(result, snapshot, market)
    steps = tuple(
        Step(
            step.number,
            step.liquidated_usd,
            step.bad_debt_usd,
            result.price_change_ratio(asset, each),
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
        worst_residual_ratio=float(result.identities.worst_residual_ratio),
        range=range_of(line, others, market),
    )


def leading(result: CascadeResult, snapshot: Snapshot, market: str | None = None) -> tuple[str, str]:
    """Key and symbol of the asset whose price is shown beside the rounds, of one market or of all: the collateral behind the largest part of the
    bad debt, where nobody loses the one that is liquidated most, where nothing is liquidated the one that is shocked most (the first by name of several)."""
    symbols = dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["symbol"], strict=True))
    behind = collateral_behind(result, snapshot, market)
    if behind:
        asset = min(behind, key=lambda key: (-behind[key], key))
        return asset, symbols[asset]
    rows = pd.concat([each.liquidations for each in result.rounds])
    mine = rows if market is None else rows[rows["market"] == market]
    if len(mine):
        listed = sorted(zip(snapshot["reserves"]["asset"], snapshot["reserves"]["market"], strict=True), reverse=True)
        keys = {(place, symbols[asset]): asset for asset, place in listed}
        assets = [keys[pair] for pair in zip(mine["market"], mine["collateral_asset"], strict=True)]
        asset = str(mine["seized_usd"].groupby(np.array(assets)).sum().idxmax())
        return asset, symbols[asset]
    shocked = max(result.scenario.shocks, key=lambda shock: abs(shock.change)).asset
    prices = snapshot["prices"]
    here = prices["asset"] if market is None else prices.loc[prices["market"] == market, "asset"]
    for asset in [*sorted(set(here)), *sorted(set(prices["asset"]))]:
        names = (asset.lower(), symbols[asset].lower(), symbols[asset].lower().removeprefix("w"))
        if shocked.lower() in names:
            return asset, symbols[asset]
    return shocked, shocked


def collateral_behind(result: CascadeResult, snapshot: Snapshot, market: str | None = None) -> dict[str, float]:
    """Bad debt in USD by the collateral behind it (asset keys): each position's loss over what it had posted before the shock, by value."""
    lost = result.positions.loc[result.positions["loss_usd"] > 0, ["market", "position_id", "loss_usd"]]
    lost = lost if market is None else lost[lost["market"] == market]
    rows = snapshot["positions"]
    rows = rows[(rows["side"] != "debt") & rows["collateral_enabled"].astype(bool)]
    held = rows[["market", "position_id", "asset", "amount_raw"]].merge(lost, on=["market", "position_id"])
    held = held.merge(snapshot["prices"][["market", "asset", "price_usd"]], on=["market", "asset"])
    units = {asset: 10 ** int(places) for asset, places in snapshot["assets"][["asset", "decimals"]].dropna().values}
    tokens = [int(raw) / units[asset] for raw, asset in zip(held["amount_raw"], held["asset"], strict=True)]
    held["value"] = np.nan_to_num(np.array(tokens, dtype=np.float64) * held["price_usd"].astype(float).to_numpy())
    held = held[held["value"] > 0]
    whole = held.groupby(["market", "position_id"])["value"].transform("sum")
    part = held["loss_usd"] * held["value"] / whole
    return {str(asset): float(usd) for asset, usd in part.groupby(held["asset"]).sum().items()}


def position_name(label: str, owner: str, position: str) -> str:
    """How a position is called wherever one is told: its owner's label, and behind that the position's own name where it is not the owner's."""
    shown, own = short(label), short(position)
    return shown if own in (shown, short(owner)) else f"{shown}, {own}"


def _acting(result: CascadeResult, market: str) -> list[Step]:
    """The market's part of each round, without the quiet rounds at the end; prices are filled in by `cascade_of`."""
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


def _position(row: "pd.core.frame.Any", name: object) -> PositionLine:
    health, address = float(row.health_factor_before), short(row.owner)
    called = name if isinstance(name, str) else address
    return PositionLine(
        position=row.position_id,
        owner=row.owner,
        name=position_name(called, row.owner, row.position_id),
        address="" if address in (row.owner, short(called)) else address,
        collateral_assets=row.collateral_assets,
        debt_assets=row.debt_assets,
        health_factor=health if health < float("inf") else None,
        collateral_usd=float(row.collateral_before_usd),
        debt_usd=float(row.debt_before_usd),
        liquidated_usd=float(row.liquidated_usd),
        loss_usd=float(row.loss_usd),
    )
