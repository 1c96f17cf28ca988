"""What one liquidation costs in gas: units, their price and the dollars they come to, each stated beside a result."""

import math
from dataclasses import dataclass

from chain.errors import InputError
from simulations.book import Book
from simulations.shocks import find

UNITS = 500_000
"""A call of liquidationCall took 246,000 to 409,000 (median 329,000) at Aave 3.6 and 260,000 to 489,000 (median 384,000) at 3.0.2 on the
development node, over the calls of `tests/simulations/test_aave_v3_parity.py` that went through; selling what was taken comes on top."""
GWEI = 1e-9


@dataclass(frozen=True)
class Gas:
    """One liquidation: `usd` in all, for `units` at `gwei` each (None where the book knows no price of ETH)."""

    usd: float
    units: int
    gwei: float | None

    @property
    def text(self) -> str:
        """As a sentence's end: `$5.00, which is 500,000 units at 3.3 gwei`."""
        return f"${self.usd:,.2f}" + (
            f", which is {self.units:,} units at {self.gwei:.3g} gwei" if self.gwei is not None else ""
        )


def gas(book: Book, usd: float | None = None, gwei: float | None = None, units: int = UNITS) -> Gas:
    """The cost from dollars or from a price of gas, ether at the block's price; InputError if both or neither are given or ETH has no price."""
    require_cost(usd, gwei, units)
    price = _ether_usd(book)
    if gwei is None:
        assert usd is not None
        return Gas(usd, units, usd / (units * GWEI * price) if price and units else None)
    if price is None:
        raise InputError("this book knows no price of ETH, so a price of gas means nothing; give the cost in USD")
    return Gas(units * gwei * GWEI * price, units, gwei)


def require_cost(usd: float | None, gwei: float | None, units: int) -> None:
    """InputError unless one of dollars and a price of gas is given, and all are numbers that a cost can be made of."""
    if (usd is None) == (gwei is None):
        raise InputError("give the cost of one liquidation either in USD or as a price of gas in gwei")
    for name, value in (("gas in USD", usd), ("price of gas in gwei", gwei), ("units of gas", units)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} is {value}; give a finite number that is not negative")


def _ether_usd(book: Book) -> float | None:
    """Price of ETH or WETH; None where the book has none."""
    for symbol in ("ETH", "WETH"):
        if symbol.lower() in book.symbols:
            price = book.assets[find(book, symbol)[0]].price_usd
            if math.isfinite(price) and price > 0:
                return price
    return None
