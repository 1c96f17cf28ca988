"""What every venue can answer, whatever its pricing rule: four questions, none of which changes it.

A venue is a frozen record. Assets are numbered by their slot in the venue, amounts are smallest units. `apply` returns the venue as it
stands after the sale, so a run keeps the present record and a test can go back to an old one.
"""

from fractions import Fraction
from typing import Protocol, Self


class Venue(Protocol):
    """A place where one asset is sold for another, for less each time."""

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """Smallest units of `bought` for selling `amount_raw` of `sold`; 0 where the venue refuses the sale."""
        ...

    def spot(self, sold: int, bought: int) -> float:
        """Smallest units of `bought` for each of `sold`, fee paid, for an amount too small to move the price."""
        ...

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple[Self, int]:
        """The venue after the sale, and what was received; the same venue and 0 where it refuses the sale."""
        ...

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """How much of `sold` can be sold until one more unit brings less than `price` units of `bought`; 0 if it does already.

        The most that the venue accepts, where its price never falls so far.
        """
        ...
