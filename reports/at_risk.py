"""The curve of what becomes liquidatable as one asset falls, and where it passes what the pools can take after that fall."""

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite

import pandas as pd

from chain.errors import InputError
from reports.amounts import Money, money_for, ratio


@dataclass(frozen=True)
class AtRiskPoint:
    """What is liquidatable at oracle prices after one fall, before anybody sells, at the fallen prices; `paused_usd` is the part of the collateral
    that a pause holds back, `posted_usd` all collateral of those who owe, `capacity_usd` what the pools take once they have followed the fall
    (infinite where no pool trades what falls)."""

    fall_percent: float
    collateral_usd: float
    debt_usd: float
    paused_usd: float = 0.0
    posted_usd: float = 0.0
    capacity_usd: float = inf


@dataclass(frozen=True)
class AtRisk:
    """Liquidatable collateral against the fall of one asset and all that is made of it, and what the pools can take after it."""

    symbol: str
    price_usd: float
    points: tuple[AtRiskPoint, ...]

    @property
    def money(self) -> Money:
        """The unit of the curve."""
        return money_for(max(max(point.collateral_usd, point.debt_usd) for point in self.points))

    @property
    def is_bounded(self) -> bool:
        """Whether some pool trades what falls; otherwise a run sells it outside at the market price, and how much can be sold is not known."""
        return all(isfinite(point.capacity_usd) for point in self.points)

    def at(self, fall_percent: float) -> float:
        """Liquidatable collateral at a fall, between points on a straight line, beyond the last as at the last."""
        return _between([(point.fall_percent, point.collateral_usd) for point in self.points], fall_percent)

    def capacity_at(self, fall_percent: float) -> float:
        """What the pools take after a fall, between points on a straight line."""
        return (
            _between([(point.fall_percent, point.capacity_usd) for point in self.points], fall_percent)
            if self.is_bounded
            else inf
        )

    def share_at(self, fall_percent: float, taken_usd: float | None = None) -> float:
        """What is liquidatable (or so much else, taken at the fallen prices) over the collateral of all who owe, both at the prices of this fall."""
        posted = _between([(point.fall_percent, point.posted_usd) for point in self.points], fall_percent)
        return min(1.0, ratio(self.at(fall_percent) if taken_usd is None else taken_usd, posted))

    def paused_at(self, fall_percent: float) -> float:
        """The part of it that a pause holds back, so that nobody can take it now."""
        return _between([(point.fall_percent, point.paused_usd) for point in self.points], fall_percent)

    @property
    def is_held_back(self) -> bool:
        """Whether a pause holds back anything on the curve."""
        return any(point.paused_usd > 0 for point in self.points)

    @property
    def full_at_percent(self) -> float | None:
        """The smallest fall at which liquidatable collateral passes what the pools take after it; None if it never does on the curve."""
        before: AtRiskPoint | None = None
        for point in self.points:
            if point.collateral_usd > point.capacity_usd:
                return point.fall_percent if before is None else crossing(before, point)
            before = point
        return None


def crossing(before: AtRiskPoint, after: AtRiskPoint) -> float:
    """The fall between two points at which straight lines between them meet: what falls due, and what the pools take."""
    room0, room = before.capacity_usd - before.collateral_usd, after.capacity_usd - after.collateral_usd
    return before.fall_percent + room0 / (room0 - room) * (after.fall_percent - before.fall_percent)


def at_risk_of(curve: pd.DataFrame, symbol: str, price_usd: float) -> AtRisk:
    """The curve of `simulations.health.at_risk` with what falls; InputError if it has no points."""
    if curve.empty:
        raise InputError("the at-risk curve has no points; give at least two falls")
    points = tuple(
        AtRiskPoint(
            float(row.fall_percent),
            float(row.liquidatable_collateral_usd),
            float(row.liquidatable_debt_usd),
            float(row.paused_collateral_usd),
            float(row.posted_collateral_usd),
            float(row.capacity_usd),
        )
        for row in curve.sort_values("fall_percent").itertuples()
    )
    return AtRisk(symbol, float(price_usd), points)


def _between(points: list[tuple[float, float]], x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
