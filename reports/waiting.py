"""Words about positions that could be liquidated and are not: what they owe, and why nobody does it."""

from collections.abc import Sequence
from math import fsum

from reports.amounts import money
from simulations.result import Waiting

REASONS = {
    "paused": "liquidation is paused",
    "unprofitable": "no keeper would profit",
    "dust_held": "the rule refuses every size for what it would leave",
    "refused": "the rule refuses, as where a market has too little cash to pay out",
}
"""By why they wait, as in `simulations.result.WAITS`."""


def because(found: Sequence[Waiting]) -> str:
    """Why they wait; with several reasons, what those owe that wait for each."""
    if len(found) == 1:
        return REASONS[found[0].why]
    parts = (f"{REASONS[part.why]} ({part.positions:,}, {money(part.debt_usd)} of debt)" for part in found)
    return ", ".join(parts)


def debt_usd(found: Sequence[Waiting], why: str | None = None) -> float:
    """What those owe who wait, for one reason or for any."""
    return fsum(part.debt_usd for part in found if why in (None, part.why))


def positions(found: Sequence[Waiting]) -> int:
    """How many wait."""
    return sum(part.positions for part in found)
