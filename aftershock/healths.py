"""Health factors in two states of the same markets: who is below 1 on one side alone, and debt that collateral does not cover."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chain.errors import AftershockError
from graph.changes.smallest_move import exact, is_told_of_floats
from graph.changes.table import CHANGE_COLUMNS
from graph.identity import short
from graph.protocol_graph import ProtocolGraph
from reports.amounts import money

NAMED = 3
"""So many positions that crossed 1 are named, those with the largest debt first."""


class Position(NamedTuple):
    """One position: its key, who has it, health factor at the market's own prices, USD of debt and of what of it no collateral covers."""

    key: str
    owner: str
    health_factor: float
    debt_usd: float
    uncovered_usd: float


@dataclass(frozen=True)
class Positions:
    """Positions of one market that owe something: an array for each field of `Position`."""

    columns: tuple[NDArray[Any], ...] = (np.array([], dtype=object),) * 2 + (np.array([], dtype=np.float64),) * 3

    def below_one(self) -> "Positions":
        """Those with a health factor below 1."""
        is_low = self.columns[2] < 1
        return Positions(tuple(column[is_low] for column in self.columns))

    def keys(self) -> list[str]:
        """The key of each."""
        found: list[str] = self.columns[0].tolist()
        return found

    def sum(self, name: str) -> float:
        """What a field adds up to, in order."""
        return sum(self.columns[Position._fields.index(name)].tolist(), 0.0)

    def of(self, keys: Collection[str]) -> dict[str, Position]:
        """Those with these keys."""
        places = [place for place, key in enumerate(self.keys()) if key in keys] if keys else []
        rows = zip(*(column[places].tolist() for column in self.columns), strict=True)
        return {row[0]: Position(*row) for row in rows}


@dataclass(frozen=True)
class Crossings:
    """`table`: rows as of `graph.changes.table.changes`, one a position that crossed 1 (topic health), from the largest debt down; `words`: a
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
    sides: list[dict[str, Positions]] = []
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
        found, sentence = _of_market(
            name, was.get(key, Positions()), now.get(key, Positions()), (before, after), smallest_move
        )
        rows += [row | {"node": key} for row in found]
        words += [sentence] if sentence else []
    left_out = sorted(
        {
            graph.label(key)
            for graph, side in zip((before, after), sides, strict=True)
            for key in _owing(graph) - set(side)
        }
    )
    told = (f"health factors of {', '.join(left_out)}, which cannot be simulated",) if left_out else ()
    return Crossings(
        pd.DataFrame(rows, columns=CHANGE_COLUMNS).astype({"change": float, "change_usd": float}), tuple(words), told
    )


def _owing(graph: ProtocolGraph) -> set[str]:
    return set(graph.relations["borrows"]["target"].tolist())


def _positions(graph: ProtocolGraph) -> dict[str, Positions]:
    """Market -> every position that owes something. Markets that cannot be simulated are not in it."""
    if not len(graph.relations["borrows"]):
        return {}
    from simulations.book_of_graph import from_graph
    from simulations.health import Standing
    from simulations.state import start

    book = from_graph(graph, content_id="")
    if not book.size:
        return {}
    standing = Standing.of(start(book))
    owing = standing.debt_usd > 0
    columns = [
        column[owing]
        for column in (
            np.array(book.position_ids, dtype=object),
            np.array(book.owners, dtype=object),
            standing.health_factor,
            standing.debt_usd,
            np.maximum(0.0, standing.debt_usd - standing.collateral_usd),
        )
    ]
    ends = np.searchsorted(book.position_market[owing], np.arange(len(book.markets) + 1))  # a book is sorted by market
    return {
        market.key: Positions(tuple(column[ends[number] : ends[number + 1]] for column in columns))
        for number, market in enumerate(book.markets)
    }


def _of_market(
    name: str,
    was: Positions,
    now: Positions,
    graphs: tuple[ProtocolGraph, ProtocolGraph],
    smallest_move: float | Fraction,
) -> tuple[list[dict[str, Any]], str | None]:
    low = [side.below_one() for side in (was, now)]
    uncovered = [side.sum("uncovered_usd") for side in (was, now)]
    is_other = abs(uncovered[1] - uncovered[0]) > 0.005 and is_told_of_floats(
        uncovered[0], uncovered[1], exact(smallest_move)
    )
    crossed = set(low[0].keys()) ^ set(low[1].keys())
    if not crossed and not is_other:
        return [], None
    sides = (was.of(crossed), now.of(crossed))
    order = sorted(crossed, key=lambda one: (-(sides[1].get(one) or sides[0][one]).debt_usd, one))
    rows = [_row(name, sides[0].get(one), sides[1].get(one), graphs) for one in order]
    owed = [side.sum("debt_usd") for side in low]
    below = [len(side.keys()) for side in low]
    before = f"instead of {_instead(below[0], owed[0])}" if any(below) else "as before"
    sentence = f"{name}: {_owing_below(below[1], owed[1])}, {before}"
    if is_other:
        sentence += f"; no collateral covers {money(uncovered[1])}, instead of {money(uncovered[0])}"
    if crossed:
        named = [f"{row['label']} from {row['before']} to {row['after']}" for row in rows[:NAMED]]
        more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
        sentence += f"; across 1 went {', '.join(named)}{more}"
    return rows, f"{sentence}."


def _row(
    name: str, was: Position | None, now: Position | None, graphs: tuple[ProtocolGraph, ProtocolGraph]
) -> dict[str, Any]:
    texts = ["none" if side is None else _factor(side.health_factor) for side in (was, now)]
    one, graph = (now, graphs[1]) if now else (was, graphs[0])
    assert one is not None
    return {
        "topic": "health",
        "about": name,
        "label": graph.labels.get(one.owner) or short(one.key),
        "what": "health_factor",
        "before": texts[0],
        "after": texts[1],
        "change": None if was is None or now is None else now.health_factor - was.health_factor,
        "change_usd": (0.0 if now is None else now.debt_usd) - (0.0 if was is None else was.debt_usd),
        "evidence": f"position {one.key}: its rows of positions, reserves and prices",
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
