"""Where a rising function passes zero, as a pair of points so close together that what lies between them does not matter.

Chandrupatla's method (doi:10.1016/S0965-9978(96)00051-8): a parabola through the last three points where it is safe, halving where it is
not. It needs few steps on smooth curves and is never much slower than halving where the function jumps.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Point(NamedTuple, Generic[T]):
    """A place, the function's value there, and what else the function said there."""

    place: float
    value: float
    said: T


def crossing(
    ask: Callable[[float], Point[T]], low: Point[T], high: Point[T], width: float, enough: float
) -> tuple[Point[T], Point[T]]:
    """The last point below zero and the first above it, at most `width` apart; the same point twice if its value is within `enough` of zero.

    Parameters
    ----------
    ask : a rising function; it may jump.
    low, high : its points at the two ends; if both lie on the same side of zero, the end nearer to zero is returned twice.
    """
    for end in (low, high):
        if abs(end.value) <= enough or (end.value > 0) == (end is low):
            return end, end
    newest, other, step = low, high, 0.5
    while abs(other.place - newest.place) > width:
        point = ask(newest.place + step * (other.place - newest.place))
        if abs(point.value) <= enough:
            return point, point
        if (point.value > 0) == (newest.value > 0):
            before = newest
        else:
            before, other = other, newest
        newest = point
        step = _step(newest, other, before, width)
    return (newest, other) if newest.value < 0 else (other, newest)


def part(low: Point[T], high: Point[T]) -> float:
    """Where a straight line from one end of a crossing to the other passes zero, as a part of the way."""
    return min(1.0, max(0.0, -low.value / (high.value - low.value))) if high.value > low.value else 0.0


def _step(newest: Point[T], other: Point[T], before: Point[T], width: float) -> float:
    """How far to go from the newest point towards the other end, as a part of the way."""
    here, there, past = newest.value, other.value, before.value
    gap = other.place - newest.place
    if past == there:
        return 0.5
    xi = (newest.place - other.place) / (before.place - other.place)
    phi = (here - there) / (past - there)
    if not (phi * phi < xi and (1 - phi) ** 2 < 1 - xi):
        return 0.5
    step = here / (there - here) * past / (there - past)
    step += (before.place - newest.place) / gap * here / (past - here) * there / (past - there)
    least = min(0.5, width / (2 * abs(gap)) if gap else 0.5)
    return min(1 - least, max(least, step))
