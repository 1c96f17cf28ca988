"""What a failure costs where no collateral was read (a file of claims, a snapshot of pools alone): who has it, how few, its rank, and losses by size.

`aftershock.risks` answers the same question for markets, whose losses a liquidation cascade computes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from graph.exposures.answer import exposure, records
from graph.protocol_graph import ProtocolGraph
from graph.systemic import losses_if_it_fails, systemic

LOSSES = (0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
ASSUMED = "a loss passes on in proportion to what is held, nobody loses more than all; no prices fall because something is sold, nobody reacts"


@dataclass(frozen=True)
class Failure:
    """The answer.

    Attributes
    ----------
    label : name of what fails.
    dependents : who has it, directly and looked through; columns as `graph.exposures.answer` has them.
    concentration : how few of them have it; columns as `graph.exposures.rows.concentrations`.
    place : its row of `graph.systemic.systemic` (rank and range, loss, PageRank, Katz, core) and `of`, how many are ranked; empty if nobody depends on it.
    losses : columns as `graph.systemic.losses_if_it_fails`.
    """

    label: str
    dependents: pd.DataFrame
    concentration: pd.DataFrame
    place: dict[str, Any]
    losses: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "name": self.label,
            "dependents": records(self.dependents),
            "concentration": records(self.concentration),
            "place": self.place,
            "losses": records(self.losses),
            "assumed": ASSUMED,
        }


def failure(
    graph: ProtocolGraph,
    name: str,
    losses: Sequence[float] = LOSSES,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Failure:
    """What it costs if a node loses parts of its worth; errors as of `graph.exposures.answer.exposure` and `graph.systemic`."""
    known = exposure(graph, name)
    ranked = systemic(graph, progress=progress)
    mine = records(ranked[ranked["node"] == known.subject])
    return Failure(
        known.label,
        known.inbound.get("dependents", pd.DataFrame()),
        known.inbound.get("concentration", pd.DataFrame()),
        {**mine[0], "of": len(ranked)} if mine else {},
        losses_if_it_fails(graph, known.subject, losses),
    )
