"""Two pictures of the quantiles of what answers: do intervals hold what they promise (reliability), and where do outcomes fall (PIT). Drawn by the house's charts."""

from collections.abc import Mapping
from typing import Any

from reports.charts.svg import Plane, bar, frame, line, text

WIDTH = 700.0
LEFTS = (44.0, 272.0, 500.0)
PANEL = 180.0
KINDS = {"variance": ("s700", 3.0), "return": ("ink2", 1.8)}
"""Role and width of each line: told apart by lightness and width too."""
RULE = "adaptive"


def reliability(horizons: Mapping[str, Any], span: str) -> str:
    """Share of outcomes inside intervals against the intervals' nominal level, a panel for each horizon."""
    held = {
        int(h): {kind: part["calibration"][f"{kind}, {RULE}"]["coverage"] for kind in KINDS}
        for h, part in horizons.items()
    }
    worst = max(
        (abs(share - float(level)), h, kind, float(level), share)
        for h, kinds in held.items()
        for kind, levels in kinds.items()
        for level, share in levels.items()
    )
    title = f"Intervals hold what they promise to {_pp(worst[0])}"
    subtitle = f"Outcomes inside intervals around the median, against the nominal level; {span}"
    furthest = f"Furthest off: {worst[2]}, {_ahead(worst[1])}, where {_percent(worst[3])} hold {_percent(worst[4])}."
    height = 338.0
    body = _head(title, subtitle, height)
    for left, (hours, kinds) in zip(LEFTS, held.items(), strict=False):
        plane = Plane(left, 106, PANEL, 160, 1.0, 1.0)
        body += _grid(plane, _ahead(hours), (0.0, 0.25, 0.5, 0.75, 1.0), left == LEFTS[0], "outcomes inside, %")
        body += [line([(plane.x(0), plane.y(0)), (plane.x(1), plane.y(1))], "ink3", 1, "3 3")]
        for row, (kind, (role, thick)) in enumerate(KINDS.items()):
            marks = [(plane.x(float(level)), plane.y(share)) for level, share in kinds[kind].items()]
            body += [line(marks, role, thick)]
            said = f"{kind} {_percent(kinds[kind]['0.9'])}"
            body += [
                text(
                    left + PANEL,
                    plane.y(0.22) + 16 * row,
                    said,
                    anchor="end",
                    size=12,
                    bold=True,
                    role=role,
                    halo="paper",
                )
            ]
        body += [
            text(left + PANEL, plane.y(0.22) - 16, "at 90\u202f%:", anchor="end", size=12, role="ink2", halo="paper")
        ]
        for level in (0.0, 0.5, 0.9):
            body += [_below(plane, level, f"{100 * level:.0f}")]
    body += [text(LEFTS[0], height - 24, f"nominal level, %; {RULE} conformal quantiles", size=12, role="ink2")]
    body += [
        text(
            LEFTS[0],
            height - 6,
            f"Dashed: exactly as promised. {furthest}",
            size=12,
            role="ink2",
        )
    ]
    return frame(body, "volatility-reliability", f"{title}. {subtitle}", (WIDTH, height), False)


def transforms(horizons: Mapping[str, Any], span: str) -> str:
    """Histogram of the probability integral transform, a column for each horizon, a row each for variance and return."""
    bins = {
        kind: {int(h): part["calibration"][f"{kind}, {RULE}"]["pit"] for h, part in horizons.items()} for kind in KINDS
    }
    lowest = [shares[0] for shares in bins["variance"].values()]
    title = f"The lowest tenth of the forecast variance holds {100 * min(lowest):.0f} to {_percent(max(lowest), 0)} of outcomes"
    subtitle = f"Share of outcomes in each tenth of the forecast’s distribution; {span}"
    height = 462.0
    body = _head(title, subtitle, height)
    top = max(0.2, *(max(shares) for kinds in bins.values() for shares in kinds.values()))
    for row, (kind, by_horizon) in enumerate(bins.items()):
        for left, (hours, shares) in zip(LEFTS, by_horizon.items(), strict=False):
            plane = Plane(left, 106 + 180 * row, PANEL, 110, 10.0, top)
            body += _grid(plane, f"{kind}, {_ahead(hours)}", (0.0, 0.1, 0.2), left == LEFTS[0], "outcomes, %")
            for place, share in enumerate(shares):
                role = "h500" if place == 0 and kind == "variance" else "s400"
                x, y = plane.x(place) + 1, plane.y(share)
                body += [bar(x, y, PANEL / 10 - 2, plane.y(0) - y, role)]
            body += [line([(plane.x(0), plane.y(0.1)), (plane.x(10), plane.y(0.1))], "ink", 1, "3 3")]
            body += [_below(plane, place, f"{10 * place}") for place in (0, 5, 10)]
    body += [text(LEFTS[0], height - 24, "level at which the outcome lies, %", size=12, role="ink2")]
    body += [
        text(
            LEFTS[0],
            height - 6,
            f"Dashed: 10\u202f% in each tenth, as promised. {RULE.capitalize()} conformal quantiles.",
            size=12,
            role="ink2",
        )
    ]
    return frame(body, "volatility-pit", f"{title}. {subtitle}", (WIDTH, height), False)


def _head(title: str, subtitle: str, height: float) -> list[str]:
    return [
        bar(0, 0, WIDTH, height, "paper"),
        text(8, 22, title, size=16, bold=True),
        text(8, 42, subtitle, size=12, role="ink2"),
    ]


def _grid(plane: Plane, title: str, levels: tuple[float, ...], named: bool, unit: str) -> list[str]:
    """Title, horizontal lines, and their values on the leftmost panel."""
    body = [text(plane.left, plane.top - 30, title, bold=True)]
    if named:
        body += [text(plane.left - 36, plane.top - 12, unit, size=12, role="ink2")]
    for level in levels:
        y = plane.y(level)
        body += [line([(plane.left, y), (plane.left + plane.width, y)], "rule")]
        body += [text(plane.left - 6, y + 4, f"{100 * level:.0f}", anchor="end", size=12, role="ink2")]
    return body


def _below(plane: Plane, value: float, said: str) -> str:
    return text(plane.x(value), plane.top + plane.height + 17, said, anchor="middle", size=12, role="ink2")


def _ahead(hours: int) -> str:
    return {1: "an hour ahead", 24: "a day ahead", 168: "a week ahead"}.get(hours, f"{hours} hours ahead")


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}\u202f%"


def _pp(share: float) -> str:
    return f"{100 * share:.1f}\u202fpp"
