"""What every venue can answer, whatever its pricing rule: six questions, none of which changes it.

A venue is a frozen record. Assets are numbered by their slot in the venue, amounts are smallest units. `apply` returns the venue as it
stands after the sale, so a run keeps the present record and a test can go back to an old one.

`most_in` is where a venue ends. Whoever sells asks it first and keeps what goes beyond; a sale that goes beyond all the same is refused
whole where the contract reverts (Uniswap V2, Balancer), and taken up to there where it takes a part (Uniswap V3, a depth table).
"""

from fractions import Fraction
from typing import Protocol, Self

from chain.errors import InputError

WORD_MAX = 2**256 - 1  # no token amount on chain is larger


class Venue(Protocol):
    """A place where one asset is sold for another, for less each time."""

    def quote(self, sold: int, bought: int, amount_raw: int) -> int:
        """Smallest units of `bought` for selling `amount_raw` of `sold`; 0 where the venue refuses the sale."""
        ...

    def most_in(self, sold: int, bought: int) -> int:
        """The most of `sold` that one sale can put in: more is refused, or stays with the seller."""
        ...

    def spot(self, sold: int, bought: int) -> float:
        """Smallest units of `bought` for each of `sold`, fee paid, for an amount too small to move the price; 0 where nothing can be sold."""
        ...

    def apply(self, sold: int, bought: int, amount_raw: int) -> tuple[Self, int]:
        """The venue after the sale of as much as it takes, and what was received; the same venue and 0 where it refuses the sale."""
        ...

    def sale_to_price(self, sold: int, bought: int, price: float | Fraction) -> int:
        """How much of `sold` can be sold until one more unit brings less than `price` units of `bought`; 0 if it does already.

        At most `most_in`.
        """
        ...

    def down_to(self, sold: int, bought: int, price: float) -> tuple[float, float]:
        """The same in floats, and what that sale brings: for searches, which ask it often. `price` > 0.

        Both numbers rise as the price falls, and each unit between two prices brings something between the two: that is all a search needs.
        """
        ...


def require_slots(sold: int, bought: int, assets: int) -> None:
    """InputError unless these are two of a pool's so many assets."""
    if sold == bought or not (0 <= sold < assets and 0 <= bought < assets):
        raise InputError(f"a pool of {assets} assets has no sale of slot {sold} for slot {bought}")
