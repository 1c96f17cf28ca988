"""Where it breaks: liquidatable collateral against the fall of one asset, and the line at which the pools are full."""

from itertools import pairwise

from reports.amounts import MINUS, change, fixed, money, ticks
from reports.at_risk import AtRisk
from reports.charts.svg import Plane, Point, area, dot, frame, line, text, width_of
from reports.record import Assessment

_SPARE = 1.06  # room above the highest point


def at_risk(assessment: Assessment, narrow: bool = False) -> str:
    """Curve and capacity line; what the pools can take is blue, what they cannot is orange."""
    curve, size = assessment.at_risk, 11.5 if narrow else 12
    capacity = curve.capacity_usd / curve.money.usd
    points = [(point.fall_percent, point.collateral_usd / curve.money.usd) for point in curve.points]
    last, highest = points[-1][0], max(height for _, height in points)
    fits = capacity <= 1.6 * highest
    y_ticks = ticks(_SPARE * max(highest, capacity if fits else 0.0))
    width, height = (340.0, 330.0) if narrow else (700.0, 388.0)
    plane = Plane(52, 30, width - 60, height - 92, last, y_ticks[-1])
    x_ticks = [tick for tick in ticks(last) if tick <= last]
    runs = _runs(points, capacity)
    body = [
        *_axes(curve, plane, x_ticks, y_ticks, narrow),
        area(
            _at(plane, [(fall, min(height, capacity)) for run in runs for fall, height in run]),
            _level(plane, [point for run in runs for point in run], 0.0),
            "s200",
        ),
        *(area(_at(plane, run), _level(plane, run, capacity), "h100") for run in runs if _is_beyond(run, capacity)),
        *_grid(plane, y_ticks[:1]),
        *(line(_at(plane, run), "h700" if _is_beyond(run, capacity) else "s700", 2.5) for run in runs),
        *_capacity(curve, plane, capacity, fits, size, narrow),
        *_marks(assessment, plane, size, narrow),
    ]
    return frame(body, "at-risk", _label(curve), (width, height), narrow)


def _label(curve: AtRisk) -> str:
    tens = [point for point in curve.points if point.fall_percent and point.fall_percent % 10 == 0]
    listed = ", ".join(f"{money(point.collateral_usd)} at {change(-point.fall_percent / 100)}" for point in tens)
    full = curve.full_at_percent
    end = "the pools are never full" if full is None else f"the pools are full at {change(-full / 100)}"
    return f"Collateral liquidatable against the fall of the {curve.symbol} price: {listed}; pools take {money(curve.capacity_usd)}; {end}"


def _runs(points: list[Point], capacity: float) -> list[list[Point]]:
    """The curve cut where it meets the capacity; each run lies on one side of it, neighbours share the crossing."""
    runs = [[points[0]]]
    for (fall0, height0), (fall, height) in pairwise(points):
        if (height0 > capacity) != (height > capacity):
            crossing = (fall0 + (fall - fall0) * (capacity - height0) / (height - height0), capacity)
            runs[-1].append(crossing)
            runs.append([crossing])
        runs[-1].append((fall, height))
    return runs


def _is_beyond(run: list[Point], capacity: float) -> bool:
    return max(height for _, height in run) > capacity


def _at(plane: Plane, points: list[Point]) -> list[Point]:
    return [(plane.x(fall), plane.y(height)) for fall, height in points]


def _level(plane: Plane, points: list[Point], height: float) -> list[Point]:
    return [(plane.x(fall), plane.y(height)) for fall, _ in points]


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


def _capacity(curve: AtRisk, plane: Plane, capacity: float, fits: bool, size: float, narrow: bool) -> list[str]:
    said = f"pools take {money(curve.capacity_usd)}" + ("" if narrow else " before the liquidation bonus is gone")
    edge = plane.left + plane.width
    if not fits:
        return [
            text(
                edge - 4,
                plane.top + 12,
                f"{said}: above this chart",
                anchor="end",
                role="s900",
                size=size,
                halo="paper",
            )
        ]
    y = plane.y(capacity)
    covered = curve.full_at_percent is not None
    under = covered and plane.height + plane.top - y > 24
    down = 16.0
    if curve.full_at_percent is not None and _beside(curve, plane, size, narrow):
        taken = plane.x(curve.full_at_percent) + 18 + width_of(_full_label(curve, narrow), size)
        down = 33.0 if taken > edge - 6 - width_of(said, size) else 16.0
    short = f"pools take {money(curve.capacity_usd)}"
    room = edge - 12 - plane.x(curve.full_at_percent or 0.0)
    beneath = next((one for one in (said, short) if under and width_of(one, size) <= room), "")
    if (
        under and not beneath
    ):  # right of the crossing there is no room, so it goes to the left end: above the line, and above the crossing's own label where they meet
        meets = plane.left + 4 + width_of(short, size) > _left_of_full(curve, plane, size, narrow) - 6
        rise = (26 if y - 26 > plane.top + 8 else -15) if meets else 7
        label = text(plane.left + 4, y - rise, short, role="s900", size=size, halo="paper")
    else:
        label = text(
            edge - 6,
            y + (down if under else -7),
            beneath or said,
            anchor="end",
            role="s900",
            size=size,
            halo="s200" if under else "paper",
        )
    return [line([(plane.left, y), (edge, y)], "ink", dash="2 3"), label]


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
            ground = "s200" if base > plane.y(curve.capacity_usd / curve.money.usd) else "h100"
            drawn += [text(x + 9, base, said, size=size, bold=True, halo=ground), dot(x, y)]
            continue
        is_left = x - 9 - wide >= plane.left
        left = x - 9 - wide if is_left else max(plane.left + 4, x - wide / 2)
        under = [point for point in curve.points if left <= plane.x(point.fall_percent) <= left + wide]
        highest = max((point.collateral_usd for point in under), default=0.0) / curve.money.usd
        above = [other - size - 5 for start, end, other in taken if start < left + wide and left < end]
        base = min(y - 10, _capacity_line(curve, plane), plane.y(highest) - 9, *above)
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
    y = plane.y(min(curve.capacity_usd / curve.money.usd, plane.up))
    foot = plane.top + plane.height
    return y - 8 if foot - y < 40 else foot - 8
