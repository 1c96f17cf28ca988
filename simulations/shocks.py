"""What can hit: a change of an asset's reference price, which reaches every claim on that asset.

A shock on ether reaches wrapped and staked ether through their backing; a shock on the staked token alone is a depeg and leaves
ether where it is. Oracles that price a claim by its exchange rate do not see a depeg: that is how they are wired.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.errors import ConvergenceError, InputError, unknown_name
from simulations.book import Book, FloatArray

_WRITTEN = re.compile(r"\s*(?P<asset>.+?)\s*=\s*(?P<sign>[-+\u2212]?)\s*(?P<size>[0-9]*\.?[0-9]+)\s*%\s*")


@dataclass(frozen=True)
class PriceShock:
    """`asset` (symbol or key) changes by `change` of its price: -0.2 is a fall of 20 %."""

    asset: str
    change: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.change) or self.change <= -1:
            raise InputError(
                f"shock {self.asset}={100 * self.change:g}% cannot be: a price changes by a finite amount and by more than -100%"
            )

    @property
    def text(self) -> str:
        """The shock as people read it: `ETH −20 %`."""
        sign = "\u2212" if self.change < 0 else "+" if self.change else ""
        return f"{self.asset} {sign}{abs(100 * self.change):g}\u202f%"


def parse(text: str) -> PriceShock:
    """A shock as written on the command line, `ETH=-20%`; InputError says how to write it."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise InputError(f"shock {text!r} cannot be read; write ASSET=CHANGE%, for example ETH=-20%")
    size = float(found["size"]) / 100
    return PriceShock(found["asset"], size if found["sign"] in ("", "+") else -size)


def reference_prices(book: Book, shocks: Sequence[PriceShock]) -> FloatArray:
    """Reference price of every asset after the shocks, float64[assets], USD per whole token.

    The factor of an asset is its own shock times the value-weighted factor of what backs it, solved as a fixed point because backings
    can be circular.

    Raises
    ------
    InputError
        If a shocked asset is not known, no position holds or owes it or a claim on it, or something that is held has no price in USD.
    ConvergenceError
        If circular backings do not settle.
    """
    own = np.ones(len(book.assets))
    for shock in shocks:
        own[list(find(book, shock.asset))] *= 1 + shock.change
    factor = factors(book, own)
    held = {book.reserves[leg].asset for leg in set(book.leg_reserve.tolist())}
    unknown = sorted({book.assets[asset].symbol for asset in held if not math.isfinite(book.assets[asset].price_usd)})
    if unknown:
        raise InputError(
            f"nothing states what {', '.join(unknown)} are worth in USD, so no fall can be followed; give prices in USD, or the price of the currency that they are in"
        )
    for shock in shocks:
        alone = np.ones(len(book.assets))
        alone[list(find(book, shock.asset))] = 0.5
        if not any(factors(book, alone)[asset] != 1 for asset in held):
            raise InputError(
                f"nobody in this book holds or owes {shock.asset} or a claim on it; a shock on it changes nothing"
            )
    return np.array([asset.price_usd for asset in book.assets]) * factor


def find(book: Book, name: str) -> tuple[int, ...]:
    """Asset indices that a symbol or key means; UnknownNameError with the nearest symbols.

    One symbol on several chains means all of them: ether that falls, falls on each.
    """
    for number, asset in enumerate(book.assets):
        if asset.key == name:
            return (number,)
    numbers = book.symbols.get(name.lower())
    if numbers is None:
        raise unknown_name("asset", name, [asset.symbol for asset in book.assets])
    if len({book.assets[number].key.partition("/")[0] for number in numbers}) < len(numbers):
        keys = ", ".join(book.assets[number].key for number in numbers)
        raise InputError(f"{len(numbers)} assets are called {name}; write the key of the one you mean: {keys}")
    return numbers


def name_of(book: Book, asset: str) -> str:
    """The one name of an asset, however it was typed: its symbol where that means just this, else its key. UnknownNameError as `find`."""
    meant = find(book, asset)
    symbol = book.assets[meant[0]].symbol
    return symbol if book.symbols.get(symbol.lower()) == meant else book.assets[meant[0]].key


def canonical(book: Book, shocks: Sequence[PriceShock]) -> tuple[PriceShock, ...]:
    """The same shocks in the one form in which they are run and told: each asset by its one name, in order of name and change. UnknownNameError as `find`."""
    named = [PriceShock(name_of(book, shock.asset), shock.change) for shock in shocks]
    return tuple(sorted(named, key=lambda shock: (shock.asset, shock.change)))


def factors(book: Book, own: FloatArray) -> FloatArray:
    """What each asset's price is multiplied by, float64[assets], from its own shock (1 for none) and what backs it."""
    weights: dict[int, list[tuple[int, float]]] = {}
    for claim, backing, rate in book.backings:
        price = book.assets[backing].price_usd
        weights.setdefault(claim, []).append((backing, rate * price if math.isfinite(price) else 0.0))
    factor = own.copy()
    for _ in range(1000):
        before = factor.copy()
        for claim, parts in weights.items():
            total = math.fsum(weight for _, weight in parts)
            if total > 0:
                factor[claim] = own[claim] * math.fsum(weight * before[backing] for backing, weight in parts) / total
        if np.array_equal(factor, before):
            return factor
    raise ConvergenceError(
        "circular backings do not settle after 1000 rounds; look at the backings table for claims that back each other"
    )
