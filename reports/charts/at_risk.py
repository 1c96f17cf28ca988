"""Where it breaks: liquidatable collateral against the fall of one asset, and what the pools take after it: where the two meet the pools are full."""

from collections.abc import Sequence
from itertools import pairwise

from reports.amounts import MINUS, change, fixed, money, ticks
from reports.at_risk import AtRisk, AtRiskPoint, crossing
from reports.charts.svg import Plane, Point, area, dot, frame, line, text, width_of
from reports.record import Assessment

_SPARE = 1.06  # room above the highest point


def at_risk(assessment: Assessment, narrow: bool = False) -> str:
    """Curve and capacity line; what the pools can take is blue, what they cannot is orange."""
    curve, size = assessment.at_risk, 11.5 if narrow else 12
    last, highest = curve.points[-1].fall_percent, max(point.collateral_usd for point in curve.points) / curve.money.usd
    capacity = max(point.capacity_usd for point in curve.points) / curve.money.usd
    fits = curve.full_at_percent is not None or capacity <= 1.6 * highest
    y_ticks = ticks(_SPARE * max(highest, min(capacity, 1.6 * highest) if fits else 0.0))
    width, height = (340.0, 330.0) if narrow else (700.0, 388.0)
    plane = Plane(52, 30, width - 60, height - 92, last, y_ticks[-1])
    x_ticks = [tick for tick in ticks(last) if tick <= last]
    runs = _runs(curve)
    whole = [point for run in runs for point in run]
    body = [
        *_axes(curve, plane, x_ticks, y_ticks, narrow),
        area(
            [
                (x, max(y, room))
                for (x, y), (_, room) in zip(_due(curve, plane, whole), _room(curve, plane, whole), strict=True)
            ],
            [(plane.x(point.fall_percent), plane.y(0.0)) for point in whole],
            "s200",
        ),
        *(area(_due(curve, plane, run), _room(curve, plane, run), "h100") for run in runs if _is_beyond(run)),
        *_grid(plane, y_ticks[:1]),
        *(line(_due(curve, plane, run), "h700" if _is_beyond(run) else "s700", 2.5) for run in runs),
        *(_capacity(curve, plane, fits, size, narrow) if curve.is_bounded else []),
        *_marks(assessment, plane, size, narrow),
    ]
    return frame(body, "at-risk", _label(curve), (width, height), narrow)


def _label(curve: AtRisk) -> str:
    tens = [point for point in curve.points if point.fall_percent and point.fall_percent % 10 == 0]
    listed = ", ".join(f"{money(point.collateral_usd)} at {change(-point.fall_percent / 100)}" for point in tens)
    full = curve.full_at_percent
    end = "the pools are never full" if full is None else f"the pools are full at {change(-full / 100)}"
    if not curve.is_bounded:
        return f"Collateral liquidatable against the fall of the {curve.symbol} price: {listed}; no pool was read that takes it"
    first, last = curve.points[0].capacity_usd, curve.points[-1]
    pools = f"pools take {money(first)} now and {money(last.capacity_usd)} after {change(-last.fall_percent / 100)}"
    return f"Collateral liquidatable against the fall of the {curve.symbol} price: {listed}; {pools}; {end}"


def _runs(curve: AtRisk) -> list[list[AtRiskPoint]]:
    """The curve cut where it meets what the pools take; each run lies on one side of that, neighbours share the crossing."""
    runs = [[curve.points[0]]]
    for before, point in pairwise(curve.points):
        if _beyond(before) != _beyond(point):
            fall = crossing(before, point)
            meets = AtRiskPoint(fall, curve.at(fall), 0.0, capacity_usd=curve.at(fall))
            runs[-1].append(meets)
            runs.append([meets])
        runs[-1].append(point)
    return runs


def _beyond(point: AtRiskPoint) -> bool:
    return point.collateral_usd > point.capacity_usd


def _is_beyond(run: list[AtRiskPoint]) -> bool:
    return any(_beyond(point) for point in run)


def _due(curve: AtRisk, plane: Plane, points: Sequence[AtRiskPoint]) -> list[Point]:
    """Where the curve runs."""
    return [(plane.x(point.fall_percent), plane.y(point.collateral_usd / curve.money.usd)) for point in points]


def _room(curve: AtRisk, plane: Plane, points: Sequence[AtRiskPoint]) -> list[Point]:
    """Where what the pools take runs, as far as the chart reaches."""
    room = [(point.fall_percent, min(point.capacity_usd / curve.money.usd, plane.up)) for point in points]
    return [(plane.x(fall), plane.y(height)) for fall, height in room]


def _grid(plane: Plane, values: list[float]) -> list[str]:
    ends = (plane.left, plane.left + plane.width)
    return [line([(x, plane.y(value)) for x in ends], "rule" if value else "ink3") for value in values]


def _axes(curve: AtRisk, plane: Plane, x_ticks: list[float], y_ticks: list[float], narrow: bool) -> list[str]:
    size = 11.5 if narrow else 12
    foot = plane.top + plane.height
    cents = 0 if curve.price_usd >= 100 else 2
    drawn = [
        text(0, plane.top - 16, f"collateral liquidatable, {curve.money.heading}", role="ink2", size=size),
        *_grid(plane, y_ticks[1:]),
    ]
    drawn += [
        text(plane.left - 8, plane.y(tick) + 4, f"{tick:,g}", anchor="end", role="ink2", size=size) for tick in y_ticks
    ]
    for number, tick in enumerate(x_ticks):
        x = plane.x(tick)
        anchor = "end" if tick == curve.points[-1].fall_percent else "middle"
        drawn.append(line([(x, foot), (x, foot + 4)], "ink3"))
        drawn.append(text(x, foot + 18, f"{MINUS if tick else ''}{tick:g}", anchor=anchor, role="ink2", size=size))
        if not narrow or number % 2 == 0:
            price = f"{'' if tick else 'now '}${fixed(curve.price_usd * (1 - tick / 100), cents)}"
            drawn.append(text(x, foot + 34, price, anchor=anchor, role="ink2", size=size))
    title = f"fall of the {curve.symbol} price, %, and the price it leaves"
    drawn.append(text(plane.left + plane.width / 2, foot + 55, title, anchor="middle", role="ink2", size=size))
    return drawn


def _capacity(curve: AtRisk, plane: Plane, fits: bool, size: float, narrow: bool) -> list[str]:
    """The line of what the pools take, labelled at its right end, or at its left where there is no room, with what it is worth there."""
    now, then = (f"pools take {money(point.capacity_usd)}" for point in (curve.points[0], curve.points[-1]))
    said = then + ("" if narrow else " before the liquidation bonus is gone")
    edge = plane.left + plane.width
    if not fits:
        above = f"{said}: above this chart"
        return [text(edge - 4, plane.top + 12, above, anchor="end", role="s900", size=size, halo="paper")]
    course = _room(curve, plane, curve.points)
    y = course[-1][1]
    covered = curve.full_at_percent is not None
    under = covered and plane.height + plane.top - y > 24
    down = 16.0
    if curve.full_at_percent is not None and _beside(curve, plane, size, narrow):
        taken = plane.x(curve.full_at_percent) + 18 + width_of(_full_label(curve, narrow), size)
        down = 33.0 if taken > edge - 6 - width_of(said, size) else 16.0
    room = edge - 12 - plane.x(curve.full_at_percent or 0.0)
    beneath = next((one for one in (said, then) if under and width_of(one, size) <= room), "")
    if (
        under and not beneath
    ):  # right of the crossing there is no room, so it goes to the left end: above the line, and above the crossing's own label where they meet
        meets = plane.left + 4 + width_of(now, size) > _left_of_full(curve, plane, size, narrow) - 6
        y = course[0][1]
        rise = (26 if y - 26 > plane.top + 8 else -15) if meets else 7
        label = text(plane.left + 4, y - rise, now, role="s900", size=size, halo="paper")
    else:
        shown = beneath or said
        over = min(height for x, height in course if x >= edge - 6 - width_of(shown, size))
        place, ground = (y + down, "s200") if under else (over - 7, "paper")
        label = text(edge - 6, place, shown, anchor="end", role="s900", size=size, halo=ground)
    return [line(course, "ink", dash="2 3"), label]


def _full_label(curve: AtRisk, narrow: bool) -> str:
    return change(-(curve.full_at_percent or 0.0) / 100) + (": full" if narrow else ": pools are full")


def _beside(curve: AtRisk, plane: Plane, size: float, narrow: bool) -> bool:
    """Whether the crossing lies so far left that its label goes to its lower right instead of its upper left."""
    return _left_of_full(curve, plane, size, narrow) < plane.left


def _left_of_full(curve: AtRisk, plane: Plane, size: float, narrow: bool) -> float:
    """Where the label of the crossing begins if it stands to its upper left."""
    return plane.x(curve.full_at_percent or 0.0) - 9 - width_of(_full_label(curve, narrow), size)


def _marks(assessment: Assessment, plane: Plane, size: float, narrow: bool) -> list[str]:
    """Dots at the ordinary fall, the crossing, the watched fall and a deep one; labels to their upper left, where the curve leaves room."""
    curve, limits = assessment.at_risk, assessment.thresholds["ordinary"]
    full, last = curve.full_at_percent, curve.points[-1].fall_percent
    falls = {float(limits["fall_percent"]), float(limits["watch_percent"]), 0.7 * last}
    apart = 0.07 * last
    spots = {fall: money(curve.at(fall)) for fall in falls if fall <= last}
    if not narrow:  # where it is narrow the axis alone names the fall
        spots = {fall: f"{change(-fall / 100)}: {amount}" for fall, amount in spots.items()}
    if full is not None:
        spots = {fall: said for fall, said in spots.items() if abs(fall - full) > apart}
        spots[full] = _full_label(curve, narrow)
    drawn = []
    taken: list[
        tuple[float, float, float]
    ] = []  # left, right and base of the labels so far, with the lines that lead to them
    for fall, said in sorted(spots.items()):
        x, y = plane.x(fall), plane.y(curve.at(fall) / curve.money.usd)
        wide = width_of(said, size)
        strong = fall == full
        if strong and _beside(curve, plane, size, narrow):
            base = min(y + 17, plane.top + plane.height - 4)
            ground = "s200" if base > plane.y(curve.capacity_at(fall) / curve.money.usd) else "h100"
            drawn += [text(x + 9, base, said, size=size, bold=True, halo=ground), dot(x, y)]
            continue
        is_left = x - 9 - wide >= plane.left
        left = x - 9 - wide if is_left else max(plane.left + 4, x - wide / 2)
        under = [point for point in curve.points if left <= plane.x(point.fall_percent) <= left + wide]
        highest = max((point.collateral_usd for point in under), default=0.0) / curve.money.usd
        above = [other - size - 5 for start, end, other in taken if start < left + wide and left < end]
        base = min(y - 10, _capacity_line(curve, plane), plane.y(highest) - 9, *above)
        if strong:  # it stands on the line of what the pools take, which falls towards the crossing
            base = min(base, *(height - 6 for x0, height in _room(curve, plane, curve.points) if left <= x0 <= x))
        if is_left:
            anchor, place, has_line = "end", x - 9, y - base > 22
            if has_line:
                drawn.append(line([(x, y - 4), (x, base - 3)], "ink3"))
                place = x - 6
        else:
            anchor, place, base, has_line = "start", left, min(base, y - 26), True
            drawn.append(line([(x, y - 4), (x, base + 5)], "ink3"))
        taken.append((left, max(left + wide, x if has_line else 0.0) + 2, base))
        drawn.append(
            text(
                place, base, said, anchor=anchor, size=size, bold=strong, role="ink" if strong else "ink2", halo="paper"
            )
        )
        drawn.append(dot(x, y))
    return drawn


def _capacity_line(curve: AtRisk, plane: Plane) -> float:
    """Labels start above the axis; where the capacity line lies low they start above it, so that it crosses none."""
    y = min(y for _, y in _room(curve, plane, curve.points))
    foot = plane.top + plane.height
    return y - 8 if foot - y < 40 else foot - 8
