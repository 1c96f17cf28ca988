"""What changed between two states of the same chains, in one record: the tables, who has what, and whose health factor crossed 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from aftershock.healths import crossings
from graph.changes.table import COMPARED, COMPARED_CLAIMS, changes
from graph.changes.words import shortened, told
from graph.protocol_graph import ProtocolGraph
from graph.timeline import aligned


@dataclass(frozen=True)
class Differences:
    """The answer.

    Attributes
    ----------
    changes : as `graph.changes.table.changes` gives it, behind the rows of positions whose health factor crossed 1.
    told : (topic, sentence), health factors first.
    compared : what was looked at, in words. not_compared : what could not be, and why.
    """

    changes: pd.DataFrame
    told: tuple[tuple[str, str], ...]
    compared: str
    not_compared: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All sentences."""
        return tuple(sentence for _, sentence in self.told)

    def first(self, most: int) -> Sequence[str]:
        """At most so many sentences, of every topic the first ones."""
        return shortened(self.told, most)


def differences(
    before: ProtocolGraph,
    after: ProtocolGraph,
    smallest_move: float | Fraction = 0.01,
    progress: Callable[[str], None] = lambda _: None,
) -> Differences:
    """Compare two graphs; InputError if they do not stand on the same chains, or one alone is of exposures. `progress` is told what is being looked at."""
    progress("what is stated, and who has what")
    found = changes(before, after, smallest_move)
    health = crossings(before, after, aligned(before.snapshot, after.snapshot), smallest_move, progress)
    table = pd.concat([part for part in (health.table, found) if len(part)] or [found], ignore_index=True)
    is_with_health = not before.is_of_claims and not health.not_compared
    compared = COMPARED_CLAIMS if before.is_of_claims else COMPARED + (", health factors" if is_with_health else "")
    words = (*(("health", sentence) for sentence in health.words), *told(found))
    return Differences(table, words, compared, health.not_compared)
