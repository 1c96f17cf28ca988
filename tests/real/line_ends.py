"""What the pictures of real data share: a finding as title on a ground of its own, and lines that are named at their right end."""

from collections.abc import Sequence

from reports.charts.svg import Plane, bar, line, text

COLOURED = ("s900", "s700", "h900", "h700")
"""Roles that text may have; a line of another colour has a grey name, and a stroke in its colour before it."""
NEAR = 15.0


def headed(title: str, subtitle: str, width: float, height: float) -> list[str]:
    """Ground, finding, and what is drawn."""
    return [
        bar(0, 0, width, height, "paper"),
        text(8, 22, title, size=16, bold=True),
        text(8, 42, subtitle, size=12, role="ink2"),
    ]


def named_ends(plane: Plane, ends: Sequence[tuple[str, float, str]], lowest: float = 0.0) -> list[str]:
    """Names of lines right of a plane; `ends` are (name, y of the last point, role). From the top down, none nearer to another than a line of text, none above `lowest`."""
    right, body = plane.left + plane.width, []
    before = lowest - NEAR
    for name, y, role in sorted(ends, key=lambda end: end[1]):
        at = before = max(before + NEAR, y)
        body += [line([(right + 2, y), (right + 11, at)], role, 2)]
        body += [text(right + 14, at + 4, name, size=12, role=role if role in COLOURED else "ink2", bold=True)]
    return body
