"""The unit of a column: that of its page, with more decimals for what is small in it; or each amount its own where that is not enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite, log10
from statistics import median

from reports.amounts import Money, fixed, money

LEAST = 0.005
"""Of the unit: where half of the amounts are less, it is not theirs."""
TWO_FIGURES = 0.0995
"""Of the unit: what is less has one figure, or none, in two decimals."""
SMALLEST = 0.001
"""Of the unit: less would need more than four decimals."""


@dataclass(frozen=True)
class Finer(Money):
    """Amounts of which some are small in the unit: these have two significant figures, `0.075` beside `1,049`."""

    def column(self, usd: float) -> str:
        """The number alone."""
        amount = abs(usd) / self.usd
        if not 0 < amount < TWO_FIGURES:
            return super().column(usd)
        return fixed(usd / self.usd, 1 - floor(log10(amount)))


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
    """The unit given where every amount that is not nothing has two significant figures in it; else with more decimals, or each amount its own."""
    sizes = [abs(float(one)) / write.usd for one in amounts_usd if one == one and one and isfinite(one)]
    if not sizes or min(sizes) >= TWO_FIGURES:
        return write
    if median(sizes) < LEAST or min(sizes) < SMALLEST:
        return EachItsOwn()
    return Finer(write.unit, write.heading, write.usd)
