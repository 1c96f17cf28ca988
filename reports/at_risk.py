"""The curve of what becomes liquidatable as one asset falls, and where it passes what the pools can take."""

from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from chain.errors import InputError
from reports.amounts import Money, money_for


@dataclass(frozen=True)
class AtRiskPoint:
    """What is liquidatable at oracle prices after one fall, before anybody sells; `paused_usd` is the part of the collateral that a pause holds back."""

    fall_percent: float
    collateral_usd: float
    debt_usd: float
    paused_usd: float = 0.0


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

    def paused_at(self, fall_percent: float) -> float:
        """The part of it that a pause holds back, so that nobody can take it now."""
        return _between([(point.fall_percent, point.paused_usd) for point in self.points], fall_percent)

    @property
    def is_held_back(self) -> bool:
        """Whether a pause holds back anything on the curve."""
        return any(point.paused_usd > 0 for point in self.points)

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


def at_risk_of(curve: pd.DataFrame, symbol: str, price_usd: float, capacity_usd: float) -> AtRisk:
    """The curve of `simulations.health.at_risk` with what falls and what the pools can take; InputError if it has no points."""
    if curve.empty:
        raise InputError("the at-risk curve has no points; give at least two falls")
    points = tuple(
        AtRiskPoint(
            float(row.fall_percent),
            float(row.liquidatable_collateral_usd),
            float(row.liquidatable_debt_usd),
            float(row.paused_collateral_usd),
        )
        for row in curve.sort_values("fall_percent").itertuples()
    )
    return AtRisk(symbol, float(price_usd), points, float(capacity_usd))


def _between(points: list[tuple[float, float]], x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
