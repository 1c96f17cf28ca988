"""Health factors in two states of the same markets: who is below 1 on one side alone, and debt that collateral does not cover."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from chain.errors import AftershockError
from graph.changes import CHANGE_COLUMNS
from graph.identity import short
from graph.protocol_graph import ProtocolGraph
from graph.smallest_move import exact, is_told_of_floats
from reports.amounts import money

NAMED = 3
"""So many positions that crossed 1 are named, those with the largest debt first."""


@dataclass(frozen=True)
class Position:
    """One position: its label, health factor at the market's own prices, USD of debt and of what of it no collateral covers."""

    label: str
    health_factor: float
    debt_usd: float
    uncovered_usd: float


Market = dict[str, Position]


@dataclass(frozen=True)
class Crossings:
    """`table`: rows as of `graph.changes.changes`, one a position that crossed 1 (topic health), from the largest debt down; `words`: a
    sentence for each market where the positions below 1, or the debt that no collateral covers, are others; `not_compared`: why not, where
    it could not be told.
    """

    table: pd.DataFrame
    words: tuple[str, ...]
    not_compared: tuple[str, ...]


def crossings(
    before: ProtocolGraph,
    after: ProtocolGraph,
    moved: Mapping[str, str],
    smallest_move: float | Fraction,
    progress: Callable[[str], None] = lambda _: None,
) -> Crossings:
    """Compare two graphs; `moved` as `graph.timeline.aligned` gives it. Books that cannot be simulated are not compared, and it says why."""
    sides: list[dict[str, Market]] = []
    for graph, place in ((before, "before"), (after, "after")):
        progress(f"health factors {place}")
        try:
            sides.append(_positions(graph))
        except AftershockError as error:
            return Crossings(pd.DataFrame(columns=CHANGE_COLUMNS), (), (f"health factors: {error}",))
    was, now = sides[0], {moved.get(key, key): market for key, market in sides[1].items()}
    rows: list[dict[str, Any]] = []
    words = []
    for key in [*was, *(key for key in now if key not in was)]:
        name = (after if key in now else before).label({old: new for new, old in moved.items()}.get(key, key))
        found, sentence = _of_market(key, name, was.get(key, {}), now.get(key, {}), smallest_move)
        rows += found
        words += [sentence] if sentence else []
    left_out = sorted(
        {graph.label(key) for graph, side in ((before, was), (after, sides[1])) for key in _owing(graph) - set(side)}
    )
    told = (f"health factors of {', '.join(left_out)}, which cannot be simulated",) if left_out else ()
    return Crossings(
        pd.DataFrame(rows, columns=CHANGE_COLUMNS).astype({"change": float, "change_usd": float}), tuple(words), told
    )


def _owing(graph: ProtocolGraph) -> set[str]:
    return set(graph.relations["borrows"]["target"].tolist())


def _positions(graph: ProtocolGraph) -> dict[str, Market]:
    """Market -> position -> how it stands; every position that owes something. Markets that cannot be simulated are not in it."""
    if not len(graph.relations["borrows"]):
        return {}
    from simulations.book_of_graph import from_graph
    from simulations.health import Standing
    from simulations.state import start

    book = from_graph(graph)
    if not book.size:
        return {}
    standing = Standing.of(start(book))
    found: dict[str, Market] = {market.key: {} for market in book.markets}
    for number, position in enumerate(book.position_ids):
        health, collateral, debt = (
            float(values[number]) for values in (standing.health_factor, standing.collateral_usd, standing.debt_usd)
        )
        if debt > 0:
            label = graph.labels.get(book.owners[number]) or short(position)
            market = book.markets[int(book.position_market[number])].key
            found[market][position] = Position(label, health, debt, max(0.0, debt - collateral))
    return found


def _of_market(
    key: str, name: str, was: Market, now: Market, smallest_move: float | Fraction
) -> tuple[list[dict[str, Any]], str | None]:
    low = [{one for one, held in side.items() if held.health_factor < 1} for side in (was, now)]
    uncovered = [sum(held.uncovered_usd for held in side.values()) for side in (was, now)]
    is_other = abs(uncovered[1] - uncovered[0]) > 0.005 and is_told_of_floats(
        uncovered[0], uncovered[1], exact(smallest_move)
    )
    crossed = sorted(low[0] ^ low[1], key=lambda one: (-(now.get(one) or was[one]).debt_usd, one))
    if not crossed and not is_other:
        return [], None
    owed = [sum(side[one].debt_usd for one in below) for side, below in zip((was, now), low, strict=True)]
    rows = [_row(key, name, one, was.get(one), now.get(one)) for one in crossed]
    before = f"instead of {_instead(len(low[0]), owed[0])}" if low[0] or low[1] else "as before"
    sentence = f"{name}: {_owing_below(len(low[1]), owed[1])}, {before}"
    if is_other:
        sentence += f"; no collateral covers {money(uncovered[1])}, instead of {money(uncovered[0])}"
    if crossed:
        named = [f"{row['label']} from {row['before']} to {row['after']}" for row in rows[:NAMED]]
        more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
        sentence += f"; across 1 went {', '.join(named)}{more}"
    return rows, f"{sentence}."


def _row(key: str, name: str, position: str, was: Position | None, now: Position | None) -> dict[str, Any]:
    texts = ["none" if side is None else _factor(side.health_factor) for side in (was, now)]
    one = now or was
    assert one is not None
    return {
        "topic": "health",
        "node": key,
        "about": name,
        "label": one.label,
        "what": "health_factor",
        "before": texts[0],
        "after": texts[1],
        "change": None if was is None or now is None else now.health_factor - was.health_factor,
        "change_usd": (0.0 if now is None else now.debt_usd) - (0.0 if was is None else was.debt_usd),
        "evidence": f"position {position}: its rows of positions, reserves and prices",
    }


def _factor(value: float) -> str:
    """Two digits behind the point, more where that would read as 1 though it is not."""
    text = f"{value:.2f}"
    return f"{value:.6f}" if text == "1.00" and value != 1 else text


def _owing_below(positions: int, usd: float) -> str:
    if not positions:
        return "no position has a health factor below 1"
    have, owe = ("1 position has", "owes") if positions == 1 else (f"{positions:,} positions have", "owe")
    return f"{have} a health factor below 1 and {owe} {money(usd)}"


def _instead(positions: int, usd: float) -> str:
    return f"{positions:,} that {'owes' if positions == 1 else 'owe'} {money(usd)}" if positions else "none"
