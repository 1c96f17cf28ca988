"""The state of one run: what a cascade changes while it goes on. Starts as a copy of the book; only channels write to it.

Amounts are exact integers. `market_usd` is the price at which the world trades, `oracle_raw` what the markets believe.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulations.book import Book, FloatArray
from simulations.ledger import Ledger
from simulations.rules.rule import Leg, Position
from simulations.venues.venue import Venue


@dataclass
class State:
    """Mutable holdings and prices of one run.

    Attributes
    ----------
    supply, debt : stored units per leg.   held, treasury : per reserve, smallest units and stored units.
    venues : per pool, what it pays now.   pool0, pool1 : what each pool holds, smallest units.   keeper, world : signed smallest units per asset, zero at the start.
    gas_usd : what the keepers have spent on gas.
    oracle_raw : per quote of the book, in the market's own integers.   published : what the driver was worth at the last publication (`Book.worth`), per quote.
    market_usd : float64[assets], USD per whole token.
    supply_tokens, debt_tokens : float64[legs], whole tokens, interest included.
    """

    book: Book
    ledger: Ledger
    supply: list[int]
    debt: list[int]
    held: list[int]
    treasury: list[int]
    venues: list[Venue]
    pool0: list[int]
    pool1: list[int]
    keeper: list[int]
    world: list[int]
    gas_usd: float
    oracle_raw: list[int]
    published: FloatArray
    market_usd: FloatArray
    supply_tokens: FloatArray
    debt_tokens: FloatArray

    def position(self, number: int) -> Position:
        """One position as its rule sees it, at oracle prices."""
        book = self.book
        legs = []
        for leg in book.legs(number):
            slot = int(book.leg_reserve[leg])
            reserve = book.reserves[slot]
            legs.append(
                Leg(
                    reserve=reserve,
                    decimals=book.assets[reserve.asset].decimals,
                    held_raw=self.held[slot],
                    supply_stored=self.supply[leg],
                    debt_stored=self.debt[leg],
                    enabled=bool(book.leg_enabled[leg]) and self.supply[leg] > 0,
                    threshold_bps=int(book.leg_threshold_bps[leg]),
                    bonus_bps=int(book.leg_bonus_bps[leg]),
                    price_raw=self.oracle_raw[int(book.leg_quote[leg])],
                )
            )
        return Position(tuple(legs), book.markets[int(book.position_market[number])].revision, book.timestamp)

    def copy(self) -> "State":
        """The same holdings and prices, free to change, with an empty ledger."""
        own: dict[str, Any] = {
            name: value.copy() for name, value in vars(self).items() if isinstance(value, list | np.ndarray)
        }
        return replace(self, ledger=Ledger(), **own)

    def refresh(self, leg: int) -> None:
        """Bring the float amounts of one leg in line with its stored units."""
        self.supply_tokens[leg], self.debt_tokens[leg] = _tokens(self.book, leg, self.supply[leg], self.debt[leg])


def start(book: Book) -> State:
    """The state before anything happens: reference prices, oracles as they stand at the block."""
    prices = np.array([asset.price_usd for asset in book.assets])
    amounts = [
        _tokens(book, leg, stored, owed)
        for leg, (stored, owed) in enumerate(zip(book.leg_supply_stored, book.leg_debt_stored, strict=True))
    ]
    columns = np.array(amounts, dtype=np.float64).reshape(len(amounts), 2)
    return State(
        book=book,
        ledger=Ledger(),
        supply=list(book.leg_supply_stored),
        debt=list(book.leg_debt_stored),
        held=[reserve.held_raw for reserve in book.reserves],
        treasury=[reserve.treasury_stored for reserve in book.reserves],
        venues=[pool.venue for pool in book.pools],
        pool0=[pool.reserve0 for pool in book.pools],
        pool1=[pool.reserve1 for pool in book.pools],
        keeper=[0] * len(book.assets),
        world=[0] * len(book.assets),
        gas_usd=0.0,
        oracle_raw=[quote.price_raw for quote in book.quotes],
        published=book.worth(prices),
        market_usd=prices,
        supply_tokens=columns[:, 0].copy(),
        debt_tokens=columns[:, 1].copy(),
    )


def _tokens(book: Book, leg: int, supply: int, debt: int) -> tuple[float, float]:
    reserve = book.reserves[int(book.leg_reserve[leg])]
    unit = 10 ** book.assets[reserve.asset].decimals
    return supply * reserve.supply_index / (reserve.supply_unit * unit), debt * reserve.debt_index / (
        reserve.debt_unit * unit
    )
