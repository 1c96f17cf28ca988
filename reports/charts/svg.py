"""Plain SVG: the frame around every drawing, its scales and its marks.

Drawn here and not by a plotting library: a handful of marks, the same bytes on every machine (nothing is laid out from measured text),
and no start-up time. Colours are roles of `reports.palette`; numbers are pixels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from reports.palette import FONTS, LIGHT

Point = tuple[float, float]
_WIDTH_OF_LETTER = 0.58  # of the font size: a generous mean over the fonts that readers have


@dataclass(frozen=True)
class Plane:
    """Linear scales from 0: `right` and `up` are the values at the right and upper edge."""

    left: float
    top: float
    width: float
    height: float
    right: float
    up: float

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return self.left + self.width * value / self.right

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return self.top + self.height * (1 - value / self.up)


def frame(body: Iterable[str], name: str, label: str, size: Point, narrow: bool) -> str:
    """An inline SVG that a style sheet shows at one width only; `label` states what is in it."""
    width, height = size
    families = FONTS.replace('"', "'")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart {"narrow" if narrow else "wide"}" data-chart="{name}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}" font-family="{families}">{"".join(body)}</svg>'
    )


def text(
    x: float,
    y: float,
    said: str | tuple[str, str],
    *,
    anchor: str = "start",
    size: float = 13,
    bold: bool = False,
    role: str = "ink",
    halo: str = "",
) -> str:
    """One line with its baseline at y. A pair is a bold name and a plain amount; `halo` is the role of a ground 4 px around."""
    if isinstance(said, tuple):
        name, amount = said
        inner, bold = f'{escape(name)} <tspan fill="{LIGHT["ink2"]}" font-weight="400">{escape(amount)}</tspan>', True
    else:
        inner = escape(said)
    ground = f' stroke="{LIGHT[halo]}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" font-weight="{600 if bold else 400}" '
        f'fill="{LIGHT[role]}"{ground}>{inner}</text>'
    )


def width_of(said: str, size: float) -> float:
    """About how wide a line of text is, pixels."""
    return len(said) * size * _WIDTH_OF_LETTER


def bar(x: float, y: float, width: float, height: float, role: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{LIGHT[role]}"/>'


def line(points: Sequence[Point], role: str, width: float = 1, dash: str = "") -> str:
    """A polyline; nothing for fewer than two points."""
    if len(points) < 2:
        return ""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{LIGHT[role]}" stroke-width="{width:g}" stroke-linejoin="round"{dashed}/>'


def area(upper: Sequence[Point], lower: Sequence[Point], role: str) -> str:
    """What lies between two polylines; nothing for fewer than two points."""
    if len(upper) < 2:
        return ""
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<path d="M{path}Z" fill="{LIGHT[role]}"/>'


def dot(x: float, y: float) -> str:
    """A point that is marked."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" fill="{LIGHT["ink"]}"/>'


def ribbon(x0: float, y0: float, x1: float, y1: float, thickness: float, role: str) -> str:
    """A flow between two columns, as thick at both ends; y is its upper edge."""
    middle, low0, low1 = (x0 + x1) / 2, y0 + thickness, y1 + thickness
    return (
        f'<path d="M{x0:.1f},{y0:.2f}C{middle:.1f},{y0:.2f} {middle:.1f},{y1:.2f} {x1:.1f},{y1:.2f}L{x1:.1f},{low1:.2f}'
        f'C{middle:.1f},{low1:.2f} {middle:.1f},{low0:.2f} {x0:.1f},{low0:.2f}Z" fill="{LIGHT[role]}"/>'
    )
