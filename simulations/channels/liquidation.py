"""Keepers: which positions are liquidated this round and in which order.

A flash keeper has no capital; `offers.py` finds what it would do with one position. Positions go in order of the profit that each would
bring by itself as the round begins (estimated along one path), quoted in full when their turn comes, since earlier sales moved the pools;
ties by a hash of the position's name, so the order of rows does not matter. Nobody liquidates a position twice in one round.
"""

import hashlib
from math import inf

import numpy as np

from chain.units import WAD
from simulations.book import Book
from simulations.channels.offers import MARGIN, Asked, Deal, Keepers, Offer, best_offer, most_usd, pays, repayable
from simulations.ledger import KEEPER, Holder
from simulations.rules import rule_of
from simulations.state import State
from simulations.venues import routing


def keepers(book: Book, gas_usd: float) -> Keepers:
    """Look up rules and routes once; errors name a market whose rule is not written."""
    return Keepers(tuple(rule_of(market) for market in book.markets), routing.routes(book), gas_usd)


def liquidatable(state: State, terms: Keepers, health: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[int]:
    """Positions whose exact health factor is below 1. `health` (float64[positions]) only screens: what is close is asked exactly."""
    close = np.flatnonzero(health < 1 + MARGIN)
    return [
        int(number)
        for number in close
        if terms.rules[state.book.position_market[number]].health_factor_wad(state.position(int(number))) < WAD
    ]


def act(state: State, terms: Keepers, candidates: list[int]) -> tuple[list[Offer], list[int]]:
    """Liquidate what pays; returns what was done, in order, and the positions that wait because it did not pay."""
    turns, done = Turns(state, terms, candidates), []
    while (number := turns.next(state)) is not None:
        offer = best_offer(state, terms, Asked(state, terms, number))
        if offer is not None:
            carry_out(state, terms, offer)
            done.append(offer)
    return done, sorted(set(candidates) - {offer.position for offer in done})


class Turns:
    """Whose turn it is to be liquidated, in order of what each would bring as the round begins.

    Whoever could not pay at the pools' present prices changes nothing at its turn and is passed over, so its place need not be known. Of the
    others only those are worked out whose upper bound is not below the best profit found.
    """

    def __init__(self, state: State, terms: Keepers, candidates: list[int]) -> None:
        self._opening, self._terms = state.copy(), terms
        self._deals: dict[Deal, list[tuple[int, float]]] = {}
        for number in candidates:
            legs = state.position(number).legs
            for taken, owed in ((taken, owed) for taken in legs if taken.enabled for owed in legs if owed.debt_stored):
                self._deals.setdefault(Deal.of(state, taken, owed), []).append((number, repayable(taken, owed)))
        self._asked: set[int] = set()
        self._most = self._now = self._most_usd(state)
        self._venues = list(state.venues)
        self._places: dict[int, tuple[float, str] | None] = {}
        self._last = (-inf, "")

    def next(self, state: State) -> int | None:
        """The next position that could pay now; None where there is none. It is not asked again."""
        if state.venues != self._venues:
            self._now, self._venues = self._most_usd(state), list(state.venues)
        first: tuple[tuple[float, str], int] | None = None
        for number in sorted(
            self._now.keys() & self._most.keys() - self._asked, key=lambda number: -self._most[number]
        ):
            if first is not None and self._most[number] - self._terms.gas_usd < -first[0][0]:
                break
            place = self._place(number)
            if place is None or place < self._last:  # nothing to earn as the round began, or its turn is over
                self._asked.add(number)
            elif first is None or place < first[0]:
                first = place, number
        if first is None:
            return None
        self._last, number = first
        self._asked.add(number)
        return number

    def _most_usd(self, state: State) -> dict[int, float]:
        """The most that each position could leave for gas now; only those for which that is enough."""
        found: dict[int, float] = {}
        for deal, debts in self._deals.items():
            left = deal.left(state, self._terms)
            most = [(number, most_usd(deal, left, repaid)) for number, repaid in debts if number not in self._asked]
            could_pay = [(number, usd) for number, usd in most if pays(self._terms, usd)]
            surplus = deal.surplus_usd(state, self._terms) if could_pay else 0.0
            for number, usd in could_pay if pays(self._terms, surplus) else ():
                found[number] = max(min(usd, surplus), found.get(number, -inf))
        return found

    def _place(self, number: int) -> tuple[float, str] | None:
        """Its place in the order: smaller is earlier. None if nothing pays as the round begins."""
        if number not in self._places:
            asked = Asked(self._opening, self._terms, number)
            offer = best_offer(self._opening, self._terms, asked, routing.along_one_path) or best_offer(
                self._opening, self._terms, asked
            )
            self._places[number] = None if offer is None else (-offer.profit_usd, _tie(self._opening.book, number))
        return self._places[number]


def carry_out(state: State, terms: Keepers, offer: Offer) -> None:
    """Apply one liquidation and its sale to the state; every movement is recorded."""
    book, done, ledger = state.book, offer.outcome, state.ledger
    legs = list(book.legs(offer.position))
    slots = [int(book.leg_reserve[leg]) for leg in legs]
    taken, owed = slots[offer.collateral], slots[offer.debt]
    sold, bought = book.reserves[taken].asset, book.reserves[owed].asset
    who: Holder = ("position", offer.position)
    market: Holder = ("market", book.reserves[taken].market)

    state.supply[legs[offer.collateral]] -= done.supply_burnt + done.fee_stored
    state.treasury[taken] += done.fee_stored
    state.held[taken] -= done.seized_raw
    state.keeper[sold] += done.seized_raw
    ledger.move("supply", taken, who, market, done.supply_burnt, "seized")
    ledger.move("supply", taken, who, ("treasury", market[1]), done.fee_stored, "protocol fee")
    ledger.move("token", sold, market, KEEPER, done.seized_raw, "seized")

    if sold != bought:
        if offer.sale is not None:
            routing.sell(state, offer.sale)
        else:
            routing.sell_outside(state, sold, bought, done.seized_raw)
    state.held[owed] += done.repaid_raw
    state.keeper[bought] -= done.repaid_raw
    ledger.move("token", bought, KEEPER, market, done.repaid_raw, "repaid")
    for leg, slot, burnt in zip(legs, slots, done.debt_burnt, strict=True):
        state.debt[leg] -= burnt
        ledger.move("debt", slot, market, who, burnt, "repaid or written off")
        state.refresh(leg)
    state.gas_usd += terms.gas_usd
    ledger.burn_gas(terms.gas_usd)


def _tie(book: Book, number: int) -> str:
    return hashlib.sha256(
        f"{book.markets[int(book.position_market[number])].key}/{book.position_ids[number]}".encode()
    ).hexdigest()
