"""Depth tables: a venue of which only some quotes are known (a file, an aggregator), for one direction of sale.

Between quotes the table is read along straight lines, from nothing for nothing: a true curve that bends down (each unit sold brings less
than the one before) lies on or above such a line, so the table never pays more than the venue would. Beyond the largest quote it pays
nothing more and takes nothing more. What was sold before in the same run counts: the next sale goes on where the last one ended.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from chain.errors import InputError


@dataclass(frozen=True)
class DepthTable:
    """Quotes in rising order, both tuples starting with 0 (smallest units); `gone_raw` has been sold into it already.

    Slot 0 is the asset sold, slot 1 the asset bought; the other direction is refused.
    """

    amounts_in: tuple[int, ...]
    amounts_out: tuple[int, ...]
    gone_raw: int = 0

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """The difference of two readings of the table, rounded down; what goes beyond the last quote is paid nothing."""
        if (sold, bought) != (0, 1) or amount_raw <= 0:
            return 0
        return self._read(self.gone_raw + amount_raw) - self._read(self.gone_raw)

    def most_in(self, sold: int, bought: int) -> int:
        """What is left of the table."""
        return max(0, self.amounts_in[-1] - self.gone_raw) if (sold, bought) == (0, 1) else 0

    def spot(self, sold: int, bought: int) -> float:
        """Slope of the line on which the next unit is sold; 0 at the end of the table."""
        place = self._place(self.gone_raw)
        if (sold, bought) != (0, 1) or place is None:
            return 0.0
        return self._slope(place)

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple["DepthTable", int]:
        """The table with the sale remembered, and what was received; what goes beyond the last quote stays with the seller."""
        taken = min(amount_raw, self.most_in(sold, bought))
        if taken <= 0:
            return self, 0
        return replace(self, gone_raw=self.gone_raw + taken), self.quote(sold, bought, taken)

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """Up to the first line that is as flat as the price or flatter."""
        if (sold, bought) != (0, 1):
            return 0
        return max(0, self.amounts_in[self._last(price)] - self.gone_raw)

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """The same, and the difference of two readings."""
        amount = self.sale_to_price(sold, bought, price)
        return float(amount), float(self.quote(sold, bought, amount))

    def _last(self, price: float | Fraction) -> int:
        """Number of the quote up to which every line is steeper than the price."""
        for place in range(1, len(self.amounts_in)):
            if self._slope(place) <= price:
                return place - 1
        return len(self.amounts_in) - 1

    def _place(self, amount_raw: int) -> int | None:
        """Number of the quote that ends the line on which the unit after `amount_raw` lies."""
        place = bisect_left(self.amounts_in, amount_raw + 1)
        return place if place < len(self.amounts_in) else None

    def _slope(self, place: int) -> float:
        return (self.amounts_out[place] - self.amounts_out[place - 1]) / (
            self.amounts_in[place] - self.amounts_in[place - 1]
        )

    def _read(self, amount_raw: int) -> int:
        place = self._place(amount_raw)
        if place is None:
            return self.amounts_out[-1]
        low, width = self.amounts_in[place - 1], self.amounts_in[place] - self.amounts_in[place - 1]
        rise = self.amounts_out[place] - self.amounts_out[place - 1]
        return self.amounts_out[place - 1] + (amount_raw - low) * rise // width


def of_quotes(quotes: Iterable[tuple[int, int]]) -> DepthTable:
    """A table of (amount in, amount out) in smallest units, in any order.

    Raises
    ------
    InputError
        If there is no quote, an amount is not positive or given twice, a larger sale brings less, or a unit brings more than the one
        before it: such a table cannot be sold along, and the quote that breaks the rule is named. Quotes are cut to whole units, so
        one unit is allowed.
    """
    rows = sorted((int(amount_in), int(amount_out)) for amount_in, amount_out in quotes)
    if not rows:
        raise InputError("depth table: no quote; at least one amount in and out is needed")
    rows.insert(0, (0, 0))
    for (before_in, before_out), (amount_in, amount_out) in pairwise(rows):
        if amount_in <= before_in:
            raise InputError(
                f"depth table: amount in {amount_in} is not positive or stands there twice; give each size once"
            )
        if amount_out < before_out:
            raise InputError(
                f"depth table: selling {amount_in} brings {amount_out}, less than selling {before_in}; check the quote"
            )
    for (x0, y0), (x1, y1), (x2, y2) in zip(rows, rows[1:], rows[2:], strict=False):
        if (y2 - (y1 + 1)) * (x1 - x0) > (y1 + 1 - y0) * (x2 - x1):
            raise InputError(
                f"depth table: from {x1} to {x2} a unit brings more than from {x0} to {x1}; a depth table must bend down: leave the quote for {x1} out"
            )
    return DepthTable(tuple(x for x, _ in rows), tuple(y for _, y in rows))


def bent_down(quotes: Iterable[tuple[int, int]]) -> tuple[DepthTable, float]:
    """The lowest table that bends down and lies on or above every quote, and how much it pays too much at worst.

    For quotes that were taken one after the other while prices moved: no table goes through all of them. The second result is the largest
    (table - quote) / quote; state it beside what is computed from the table.
    """
    best: dict[int, int] = {}
    for amount_in, amount_out in quotes:
        best[int(amount_in)] = max(int(amount_out), best.get(int(amount_in), 0))
    kept = [(0, 0)]
    for point in sorted(best.items()):
        while len(kept) > 1 and _rises(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    while kept[-1][1] < kept[-2][1]:
        kept.pop()
    table = of_quotes(kept[1:])
    return table, max(table.quote(0, 1, amount_in) / amount_out - 1 for amount_in, amount_out in best.items())


def _rises(one: tuple[int, int], two: tuple[int, int], three: tuple[int, int]) -> bool:
    """Whether the second of three points lies on or below the line between the others."""
    return (three[1] - one[1]) * (two[0] - one[0]) >= (two[1] - one[1]) * (three[0] - one[0])
