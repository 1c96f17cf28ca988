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
        supply, debt = _ratios(self.book, int(self.book.leg_reserve[leg]))
        self.supply_tokens[leg] = self.supply[leg] * supply[0] / supply[1]
        self.debt_tokens[leg] = self.debt[leg] * debt[0] / debt[1]


def start(book: Book) -> State:
    """The state before anything happens: reference prices, oracles as they stand at the block."""
    prices = np.array([asset.price_usd for asset in book.assets])
    reserves, ratios = book.leg_reserve.tolist(), [_ratios(book, reserve) for reserve in range(len(book.reserves))]
    supply_tokens, debt_tokens = (
        [
            raw * ratios[of][side][0] / ratios[of][side][1] if raw else 0.0
            for raw, of in zip(stored, reserves, strict=True)
        ]
        for side, stored in enumerate((book.leg_supply_stored, book.leg_debt_stored))
    )
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
        supply_tokens=np.array(supply_tokens, dtype=np.float64),
        debt_tokens=np.array(debt_tokens, dtype=np.float64),
    )


def _ratios(book: Book, number: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of a reserve: by what stored supply, and stored debt, is multiplied and divided to be whole tokens."""
    reserve = book.reserves[number]
    unit = 10 ** book.assets[reserve.asset].decimals
    return (reserve.supply_index, reserve.supply_unit * unit), (reserve.debt_index, reserve.debt_unit * unit)
