"""The part of an assessment that says what liquidation cannot mend: after falls of one asset, debt by why it stays a problem."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from simulations.frontier import MarketFrontier


@dataclass(frozen=True)
class FrontierPoint:
    """Debts of one market in USD after one fall, before anybody acts; the words are those of `simulations.frontier.MarketFrontier`."""

    fall_percent: float
    liquidatable_debt_usd: float
    toxic_debt_usd: float
    partly_toxic_debt_usd: float
    unprofitable_debt_usd: float
    dust_held_debt_usd: float
    refused_debt_usd: float
    paused_debt_usd: float
    healthy_toxic_debt_usd: float
    positions: int
    toxic_positions: int


@dataclass(frozen=True)
class Frontier:
    """Points by fall of `symbol`; `gas` says what one liquidation was taken to cost."""

    symbol: str
    gas: str
    points: tuple[FrontierPoint, ...]

    @property
    def first_toxic(self) -> FrontierPoint | None:
        """The smallest fall after which at least a dollar of debt is toxic; None if there is none."""
        return next((point for point in self.points if point.toxic_debt_usd >= 1), None)


def frontier_of(
    sums: Iterable[tuple[float, tuple[MarketFrontier, ...]]], market: str, symbol: str, gas: str
) -> Frontier:
    """One market's part of `simulations.frontier.against_falls`."""
    points = []
    for fall, markets in sums:
        figures = asdict(next(one for one in markets if one.market == market))
        del figures["market"]
        points.append(FrontierPoint(fall_percent=100 * fall, **figures))
    return Frontier(symbol, gas, tuple(sorted(points, key=lambda point: point.fall_percent)))
