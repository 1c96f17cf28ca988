"""Who depends on whom, left to right: what the collateral is finally made of, what is posted, the market, who has a claim on it.

Drawn by hand, all columns at one scale (pixels per dollar). A node whose value is small keeps a line of its own for its label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import fsum
from textwrap import wrap

from reports.amounts import count, money, short, spelled
from reports.charts.svg import bar, frame, line, ribbon, text
from reports.dependence import Amount, Dependence, Posted
from reports.record import Assessment

_MOST = 10  # posted nodes; the rest is one
_GAP = 6.0


@dataclass(frozen=True)
class Node:
    """A node of one column: its label, value, colours of node and flow, and which slices it holds."""

    name: str
    usd: float
    role: str
    flow: str
    slices: tuple[Posted, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A node with its upper edge and height in pixels."""

    node: Node
    y: float
    height: float

    @property
    def middle(self) -> float:
        """Where its label belongs."""
        return self.y + self.height / 2


def exposure_map(assessment: Assessment, narrow: bool = False) -> str:
    """The flow; narrow leaves out the first column and shows fewer lenders."""
    part = assessment.exposure
    posted, roots = _posted(part), _roots(part)
    lenders = _lenders(part.lenders, 3 if narrow else 6)
    width, height, top = (340.0, 430.0, 44.0) if narrow else (1040.0, 430.0, 52.0)
    slots = 28.0 if narrow else 17.0
    scale = min(_scale(posted, height, 17.0), _scale(lenders, height, slots), _scale(roots, height, 34.0))
    columns = {
        "posted": _place(posted, scale, top, height, 17.0),
        "lenders": _place(lenders, scale, top, height, slots),
        "roots": _place(roots, scale, top, height, 34.0),
    }
    tall = scale * max(part.collateral_usd, part.claims_usd)
    market = (top + (height - tall) / 2, tall)
    body = _narrow(assessment, columns, market) if narrow else _wide(assessment, columns, scale, market)
    return frame(body, "exposure-map", _label(assessment), (width, top + height + 12), narrow)


def _label(assessment: Assessment) -> str:
    part = assessment.exposure
    roots = ", ".join(f"{root.name} {money(root.amount_usd)}" for root in part.roots[:5])
    return (
        f"Flow of {money(part.collateral_usd)} of collateral into {assessment.subject.name}, finally made of {roots}; "
        f"{count(len(part.lenders), 'lender')} with claims of {money(part.claims_usd)} depend on it"
    )


def _posted(part: Dependence) -> list[Node]:
    """Assets by root, then size; those that the largest feed prices are blue. The smallest are taken together."""
    leading = part.feeds[0].name if part.feeds else ""
    totals: dict[str, list[Posted]] = {}
    for piece in part.posted:
        totals.setdefault(piece.asset, []).append(piece)
    ranked = sorted(totals.values(), key=lambda pieces: -fsum(piece.amount_usd for piece in pieces))
    kept, rest = (ranked, []) if len(ranked) <= _MOST + 1 else (ranked[:_MOST], ranked[_MOST:])
    order = {root.name: number for number, root in enumerate(part.roots)}
    kept.sort(key=lambda pieces: order[pieces[0].root])
    nodes = []
    for pieces in kept:
        blue = bool(leading) and pieces[0].feed == leading
        total = fsum(piece.amount_usd for piece in pieces)
        nodes.append(
            Node(pieces[0].symbol, total, "s700" if blue else "ink3", "s200" if blue else "rule", tuple(pieces))
        )
    if rest:
        loose = tuple(piece for pieces in rest for piece in pieces)
        nodes.append(Node(f"{len(rest)} others", fsum(piece.amount_usd for piece in loose), "ink3", "rule", loose))
    return nodes


def _roots(part: Dependence) -> list[Node]:
    leading = part.feeds[0].name if part.feeds else ""
    blue = {piece.root for piece in part.posted if leading and piece.feed == leading}
    return [Node(root.name, root.amount_usd, "s700" if root.name in blue else "ink3", "rule") for root in part.roots]


def _lenders(lenders: Sequence[Amount], most: int) -> list[Node]:
    """The largest holders of claims in orange, all others together in grey."""
    kept, rest = (lenders, []) if len(lenders) <= most + 1 else (lenders[:most], lenders[most:])
    nodes = [Node(short(holder.name), holder.amount_usd, "h700", "h300") for holder in kept]
    if rest:
        nodes.append(Node(f"{len(rest):,} others", fsum(holder.amount_usd for holder in rest), "ink3", "rule"))
    return nodes


def _scale(nodes: Sequence[Node], height: float, slot: float) -> float:
    """Pixels per dollar at which the column, small nodes widened to a slot, fills the height (bisection)."""
    total = fsum(node.usd for node in nodes)
    if total <= 0:
        return height
    low, high = 0.0, height / total
    for _ in range(50):
        middle = (low + high) / 2
        used = fsum(max(node.usd * middle, slot) for node in nodes) + _GAP * (len(nodes) - 1)
        low, high = (middle, high) if used <= height else (low, middle)
    return low


def _place(nodes: Sequence[Node], scale: float, top: float, height: float, slot: float) -> list[Placed]:
    """Nodes from the top down, the column spread over the height."""
    used = fsum(max(node.usd * scale, slot) for node in nodes)
    gap = min(34.0, (height - used) / max(1, len(nodes) - 1))
    y = top + max(0.0, (height - used - gap * (len(nodes) - 1)) / 2)
    placed = []
    for node in nodes:
        own = max(node.usd * scale, slot)
        placed.append(Placed(node, y + (own - node.usd * scale) / 2, node.usd * scale))
        y += own + gap
    return placed


def _into_market(
    columns: dict[str, list[Placed]],
    xs: dict[str, float],
    market: tuple[float, float],
    node_width: float,
    bar_width: float,
) -> list[str]:
    """Flows posted -> market -> lenders, each side centred on the market's bar."""
    drawn = []
    for column in ("posted", "lenders"):
        total = fsum(placed.height for placed in columns[column])
        edge = market[0] + (market[1] - total) / 2
        for placed in columns[column]:
            if column == "posted":
                drawn.append(
                    ribbon(xs["posted"] + node_width, placed.y, xs["market"], edge, placed.height, placed.node.flow)
                )
            else:
                drawn.append(
                    ribbon(xs["market"] + bar_width, edge, xs["lenders"], placed.y, placed.height, placed.node.flow)
                )
            edge += placed.height
    drawn.append(bar(xs["market"], market[0], bar_width, max(market[1], 2.0), "ink"))
    for column in ("posted", "lenders"):
        drawn += [
            bar(xs[column], placed.y, node_width, max(placed.height, 1.5), placed.node.role)
            for placed in columns[column]
        ]
    return drawn


def _wide(
    assessment: Assessment, columns: dict[str, list[Placed]], scale: float, market: tuple[float, float]
) -> list[str]:
    part = assessment.exposure
    xs = {"roots": 150.0, "posted": 342.0, "market": 640.0, "lenders": 812.0}
    drawn = _from_roots(columns, xs, scale)
    drawn += _into_market(columns, xs, market, 12, 24)
    for placed in columns["roots"]:
        drawn.append(text(xs["roots"] - 9, placed.middle - 3, placed.node.name, anchor="end", bold=True))
        drawn.append(text(xs["roots"] - 9, placed.middle + 13, money(placed.node.usd), anchor="end", role="ink2"))
    for placed in columns["posted"]:
        drawn.append(
            text(
                xs["posted"] + 20,
                placed.middle + 4.5,
                (placed.node.name, money(placed.node.usd)),
                halo="paper" if placed.height < 15 else "",
            )
        )
    for placed in columns["lenders"]:
        drawn.append(text(xs["lenders"] + 21, placed.middle + 4.5, (placed.node.name, money(placed.node.usd))))
    drawn += _feed(part, columns["posted"], 480.0)
    name = assessment.subject.name
    drawn += [
        text(xs["roots"] + 12, 18, "finally made of", anchor="end", role="ink2"),
        text(xs["posted"], 18, "posted as collateral", role="ink2"),
        text(xs["market"] + 12, 18, name, anchor="middle", bold=True),
        text(
            xs["market"] + 12,
            35,
            f"{money(part.collateral_usd)} posted, {money(part.claims_usd)} lent",
            anchor="middle",
            role="ink2",
        ),
        text(xs["lenders"], 18, f"depends on it: {'lenders' if columns['lenders'] else 'no lender'}", role="ink2"),
    ]
    return drawn


def _from_roots(columns: dict[str, list[Placed]], xs: dict[str, float], scale: float) -> list[str]:
    start = {placed.node.name: placed.y for placed in columns["roots"]}
    drawn = []
    for placed in columns["posted"]:
        edge = placed.y
        for piece in placed.node.slices:
            thickness = piece.amount_usd * scale
            drawn.append(ribbon(xs["roots"] + 12, start[piece.root], xs["posted"], edge, thickness, placed.node.flow))
            start[piece.root] += thickness
            edge += thickness
    return drawn + [
        bar(xs["roots"], placed.y, 12, max(placed.height, 1.5), placed.node.role) for placed in columns["roots"]
    ]


def _feed(part: Dependence, posted: list[Placed], x: float) -> list[str]:
    """A bracket around what the largest feed prices, where that is one block of nodes."""
    runs = [list(run) for blue, run in groupby(posted, key=lambda placed: placed.node.role == "s700") if blue]
    if len(runs) != 1 or not part.feeds:
        return []
    run, feed = runs[0], part.feeds[0]
    top, bottom = run[0].y, run[-1].y + run[-1].height
    them = "this" if len(run) == 1 else f"these {spelled(len(run))}"
    lines = ["one feed,", *wrap(f"{feed.name}, prices", 18), f"{them}: {money(feed.amount_usd)}"]
    middle = (top + bottom) / 2 - 8.5 * (len(lines) - 1)
    low = max(bottom, top + 8)
    return [line([(x - 6, top), (x, top), (x, low), (x - 6, low)], "s700", 1.5)] + [
        text(x + 9, middle + 4.5 + 17 * number, line, bold=True, role="s900", halo="s200")
        for number, line in enumerate(lines)
    ]


def _narrow(assessment: Assessment, columns: dict[str, list[Placed]], market: tuple[float, float]) -> list[str]:
    part, size = assessment.exposure, 11.5
    xs = {"posted": 98.0, "market": 164.0, "lenders": 230.0}
    drawn = _into_market(columns, xs, market, 9, 14)
    for placed in columns["posted"]:
        said = (placed.node.name, money(placed.node.usd))
        drawn.append(text(xs["posted"] - 6, placed.middle + 4, said, anchor="end", size=size))
    for placed in columns["lenders"]:
        drawn.append(text(xs["lenders"] + 15, placed.middle - 2, placed.node.name, size=size, bold=True))
        drawn.append(text(xs["lenders"] + 15, placed.middle + 12, money(placed.node.usd), size=size, role="ink2"))
    drawn += [
        text(xs["posted"] + 9, 14, "collateral", anchor="end", size=size, role="ink2"),
        text(xs["market"] + 7, 14, "market", anchor="middle", size=size, bold=True),
        text(xs["lenders"], 14, "lenders" if columns["lenders"] else "nobody lends", size=size, role="ink2"),
        text(xs["posted"] + 9, 29, money(part.collateral_usd), anchor="end", size=size, role="ink2"),
    ]
    return drawn + (
        [text(xs["lenders"], 29, money(part.claims_usd), size=size, role="ink2")] if part.claims_usd else []
    )
