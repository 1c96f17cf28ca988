"""The double-entry record of a run: every movement of a token, a claim or a debt, from whom to whom and why.

Three kinds of instrument: a token, a supply claim on a reserve, a debt to a reserve. A position holds supply claims and, as negative
holdings, debts; its market holds the other side. So burning a claim is a movement back to the market and all movements sum to zero.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

InstrumentKind = Literal["token", "supply", "debt"]
HolderKind = Literal["position", "market", "treasury", "pool", "keeper", "world"]
Holder = tuple[HolderKind, int]

KEEPER: Holder = ("keeper", 0)
WORLD: Holder = ("world", 0)


class Movement(NamedTuple):
    """`amount` raw units of (kind, number) go from `source` to `target`; number is an asset for tokens, a reserve for claims."""

    round: int
    kind: InstrumentKind
    number: int
    source: Holder
    target: Holder
    amount: int
    why: str


@dataclass
class Ledger:
    """Movements in the order in which they happened, and gas burnt by round."""

    movements: list[Movement] = field(default_factory=list)
    gas_usd: dict[int, float] = field(default_factory=dict)
    round: int = 0

    def move(self, kind: InstrumentKind, number: int, source: Holder, target: Holder, amount: int, why: str) -> None:
        """Record one movement in the current round; nothing is recorded for an amount of zero."""
        if amount:
            self.movements.append(Movement(self.round, kind, number, source, target, amount, why))

    def burn_gas(self, usd: float) -> None:
        """Record gas paid by the keepers in the current round."""
        self.gas_usd[self.round] = self.gas_usd.get(self.round, 0.0) + usd

    def this_round(self) -> list[Movement]:
        """Movements of the present round."""
        first = len(self.movements)
        while first and self.movements[first - 1].round == self.round:
            first -= 1
        return self.movements[first:]
