"""Two states of the same chains side by side: what changed, figures of exposure, and what one scenario does to each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pandas as pd

from aftershock.differences import Differences, differences
from graph.exposures.answer import records
from graph.exposures.market_figures import figures_of
from graph.protocol_graph import ProtocolGraph
from graph.timeline import aligned
from simulations.result import CascadeResult

FIGURES = ("supplied_usd", "collateral_usd", "borrowed_usd", "cash_usd", "utilisation_ratio", "suppliers", "borrowers")
LOSSES = ("before_usd", "bad_debt_usd", "relief_usd", "liquidated_usd", "waiting_debt_usd")
"""Of a run, as in `simulations.cascade.run`: debt under water before the shock, what the run adds to it, by how much less of the former is uncovered,
collateral taken, what those owe who are below 1 at the end and wait."""


@dataclass(frozen=True)
class Comparison:
    """The answer.

    Attributes
    ----------
    differences : what changed, as a table and in words.
    figures : market, label, figure (of FIGURES), before, after, difference; only what differs. What has one side, as in a market that is
        new or gone, has no difference.
    cascade : market, label, figure (of LOSSES, and rounds), before, after, difference; empty without a scenario. Rounds are
        those in which somebody in that market was liquidated.
    """

    differences: Differences
    figures: pd.DataFrame
    cascade: pd.DataFrame

    def bad_debt_usd(self, side: str) -> float:
        """All debt that no collateral covers at the end of the run, `before` or `after` the change."""
        of = self.cascade.groupby("figure")[side].sum()
        return float(of.get("before_usd", 0.0) + of.get("bad_debt_usd", 0.0) - of.get("relief_usd", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; missing values are None."""
        return {
            "changes": records(self.differences.changes),
            "words": list(self.differences.words),
            "compared": self.differences.compared,
            "not_compared": list(self.differences.not_compared),
            "figures": records(self.figures),
            "cascade": records(self.cascade),
        }


def compared(
    before: ProtocolGraph,
    after: ProtocolGraph,
    results: Sequence[CascadeResult] = (),
    smallest_move: float | Fraction = 0.01,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare two graphs, and the results of one scenario on each where two are given.

    Raises
    ------
    InputError
        If the graphs do not stand on the same chains, or one alone is of exposures.
    """
    found = differences(before, after, smallest_move, progress)
    progress("figures of markets")
    moved = aligned(before.snapshot, after.snapshot)
    sides = [{key: figures_of(graph, [key]) for key in graph.nodes["market"]["node"]} for graph in (before, after)]
    labels = {key: graph.label(key) for graph in (before, after) for key in graph.nodes["market"]["node"]}
    figures = _side_by_side(sides[0], {moved.get(key, key): value for key, value in sides[1].items()}, FIGURES, labels)
    figures = figures[~(figures["before"] == figures["after"])].reset_index(drop=True)
    runs: list[dict[str, dict[str, Any]]] = [_of_run(result) for result in results] or [{}, {}]
    run_after = {moved.get(key, key): value for key, value in runs[1].items()}
    cascade = _side_by_side(runs[0], run_after, (*LOSSES, "rounds"), labels)
    return Comparison(found, figures, cascade)


def _of_run(result: CascadeResult) -> dict[str, dict[str, Any]]:
    rounds = {
        key: sum(int((step.liquidations["market"] == key).any()) for step in result.rounds)
        for key in result.markets["market"]
    }
    return {
        row["market"]: {
            **{name: row[name] for name in LOSSES},
            "rounds": rounds[row["market"]],
        }
        for row in result.markets.to_dict("records")
    }


def _side_by_side(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], names: Sequence[str], labels: dict[str, str]
) -> pd.DataFrame:
    rows = []
    for market in [*before, *(key for key in after if key not in before)]:
        for name in names:
            one, other = (side.get(market, {}).get(name) for side in (before, after))
            if one is None and other is None:
                continue
            difference = None if one is None or other is None else other - one
            rows.append((market, labels.get(market, market), name, one, other, difference))
    frame = pd.DataFrame(rows, columns=["market", "label", "figure", "before", "after", "difference"])
    return frame.astype({"before": float, "after": float, "difference": float})
