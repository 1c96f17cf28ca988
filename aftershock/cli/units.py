"""The unit of a column: that of its page, but where most amounts would be too small to read in it each has its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from statistics import median

from reports.amounts import Money, money

LEAST = 0.005
"""Of the unit: less is written as under 0.01."""


@dataclass(frozen=True)
class EachItsOwn(Money):
    """Amounts beside one that is larger by many powers of ten: `$92.1bn`, `$15,400`."""

    unit: str = "$"
    heading: str = "$"
    usd: float = 1.0

    def column(self, usd: float) -> str:
        """The amount with the unit of its own size."""
        return money(usd)


def fitting(write: Money, amounts_usd: Iterable[float]) -> Money:
    """The unit given, or each amount its own where half of those that are not nothing could not be read in it."""
    sizes = [abs(float(one)) for one in amounts_usd if one == one and one and isfinite(one)]
    return EachItsOwn() if sizes and median(sizes) < LEAST * write.usd else write
