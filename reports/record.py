"""Assessment: the answer to "how exposed is this market?" as one record. Report, terminal, JSON and pages are drawn from it alone.

Amounts are USD, ratios are between 0 and 1, falls are percent of a price. Everything is plain data: `to_dict` is ready for JSON.
"""

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from reports.amounts import Money, money_for
from reports.frontier import Frontier
from reports.outlook import Outlook
from reports.unmoved import UnmovedPrice

UNLABELLED = "unlabelled"
STATUSES = ("verified", "derived", "unverified", "not seen")


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


@dataclass(frozen=True)
class StatusShare:
    """Supplied value that is known in one way."""

    status: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class TableCheck:
    """One table of the snapshot: rows, weakest status of its rows, and what comparing it with the chain found."""

    table: str
    rows: int
    status: str
    check: str
    failures: int


@dataclass(frozen=True)
class Coverage:
    """What was looked at and what was not: `by_status` adds up to `total_usd`, the supplied value by the market's own totals."""

    total_usd: float
    by_status: tuple[StatusShare, ...]
    tables: tuple[TableCheck, ...]
    gaps: tuple[str, ...]

    @property
    def known_ratio(self) -> float:
        """Share that is verified or derived."""
        return sum(part.share_ratio for part in self.by_status if part.status in ("verified", "derived"))

    @property
    def failures(self) -> int:
        """Comparisons with the chain that differed."""
        return sum(table.failures for table in self.tables)


@dataclass(frozen=True)
class Posted:
    """Collateral of borrowers in one asset, as far as it is finally made of one root, and the feed that prices it."""

    asset: str
    symbol: str
    root: str
    feed: str
    feed_state: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class Amount:
    """A named amount and its share of the total it belongs to."""

    key: str
    name: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class Spread:
    """How concentrated amounts are: count, Herfindahl-Hirschman index (0 to 1), 1/HHI, share of the ten largest."""

    count: int
    hhi: float
    effective_number: float
    top10_share_ratio: float


@dataclass(frozen=True)
class Dependence:
    """What the market stands on and who depends on it.

    `posted` is collateral that secures a debt: it counts in a health factor and its holder owes something; `lenders` are all other
    claims on the market, by holder. Together they are everything that was read as supplied. `enabled_usd` also counts what holders
    without a debt have enabled. `unmoved` are prices that follow no market, `unmoved_debt_usd` is owed behind those that no fall moves.
    """

    collateral_usd: float
    enabled_usd: float
    claims_usd: float
    borrowed_usd: float
    posted: tuple[Posted, ...]
    feeds: tuple[Amount, ...]
    roots: tuple[Amount, ...]
    lenders: tuple[Amount, ...]
    borrowed: tuple[Amount, ...]
    borrowers: Spread
    lending: Spread
    unmoved: tuple[UnmovedPrice, ...] = ()
    unmoved_debt_usd: float = 0.0


@dataclass(frozen=True)
class AtRiskPoint:
    """What is liquidatable at oracle prices after one fall, before anybody sells."""

    fall_percent: float
    collateral_usd: float
    debt_usd: float


@dataclass(frozen=True)
class AtRisk:
    """Liquidatable collateral against the fall of one asset and all that is made of it, and what the pools can take."""

    symbol: str
    price_usd: float
    points: tuple[AtRiskPoint, ...]
    capacity_usd: float

    @property
    def money(self) -> Money:
        """The unit of the curve."""
        return money_for(max(max(point.collateral_usd, point.debt_usd) for point in self.points))

    def at(self, fall_percent: float) -> float:
        """Liquidatable collateral at a fall, between points on a straight line, beyond the last as at the last."""
        return _between([(point.fall_percent, point.collateral_usd) for point in self.points], fall_percent)

    @property
    def full_at_percent(self) -> float | None:
        """The smallest fall at which liquidatable collateral passes the capacity of the pools; None if it never does on the curve."""
        before: AtRiskPoint | None = None
        for point in self.points:
            if point.collateral_usd > self.capacity_usd:
                if before is None:
                    return point.fall_percent
                part = (self.capacity_usd - before.collateral_usd) / (point.collateral_usd - before.collateral_usd)
                return before.fall_percent + part * (point.fall_percent - before.fall_percent)
            before = point
        return None


@dataclass(frozen=True)
class ScenarioLine:
    """One scenario, as this market came through it. `direct_usd` and `indirect_usd` add up to `bad_debt_usd`; `shocked` names what fell.

    `rounds` is after how many the whole run, over all markets of the book, is calm: the number of the last round in which somebody is liquidated.
    `leading_symbol` is the collateral behind most of the loss, `leading_change_ratio` its price at the end against the block.
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
    leading_symbol: str
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
    """One position under the chosen cascade; health factor, collateral and debt before the shock (infinite health without debt: None)."""

    position: str
    owner: str
    label: str
    collateral_assets: str
    debt_assets: str
    health_factor: float | None
    collateral_usd: float
    debt_usd: float
    liquidated_usd: float
    loss_usd: float


@dataclass(frozen=True)
class Cascade:
    """The scenario that is shown round by round: the one with the most bad debt, or the most liquidated where there is none.

    `positions` are the largest by loss (by liquidation where nobody loses); `steps` leave out empty rounds at the end.
    """

    scenario: ScenarioLine
    leading_symbol: str
    steps: tuple[Step, ...]
    positions: tuple[PositionLine, ...]
    losing_positions: int
    tokens_conserved: bool
    worst_residual_ratio: float

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


@dataclass(frozen=True)
class Assessment:
    """Everything that is said about one market at one block. `under_water_usd`: owed beyond the collateral behind it before any shock; `outlook`: None where no forecast was asked for."""

    content_id: str
    subject: Subject
    coverage: Coverage
    exposure: Dependence
    at_risk: AtRisk
    frontier: Frontier
    under_water_usd: float
    scenarios: tuple[ScenarioLine, ...]
    cascade: Cascade
    verdict: Verdict
    thresholds: dict[str, Any]
    command: str
    outlook: Outlook | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers that JSON cannot hold are None."""
        record: dict[str, Any] = _plain(asdict(self))
        record["at_risk"]["full_at_percent"] = self.at_risk.full_at_percent
        return record


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _between(points: list[tuple[float, float]], x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
