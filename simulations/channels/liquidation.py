"""Keepers: which positions are liquidated this round, for how much, in which order.

A flash keeper has no capital: what it seizes must sell, in the same step and at the pools' present reserves, for at least what it
repays, and the rest must pay the gas. Collateral that no pool takes stays with the keeper and counts for nothing. For every pair of
collateral and debt it tries the most the rule allows and then halves; it takes the most profitable. Positions go in order of profit
(estimated along one path, quoted in full when their turn comes, since earlier sales moved the pools), ties by a hash of the position's
name, so the order of rows does not matter. Nobody liquidates a position twice in one round.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chain.units import BPS, WAD
from simulations.book import Book
from simulations.ledger import KEEPER, Holder
from simulations.rules import rule_of
from simulations.rules.rule import Leg, Liquidation, Refusal, Rule
from simulations.state import State
from simulations.venues import routing
from simulations.venues.plan import Plan

HALVINGS = 6

Seller = Callable[[State, routing.Route, int], Plan]
MARGIN = 1e-9


@dataclass(frozen=True)
class Offer:
    """One liquidation a keeper would carry out; leg numbers count within the position."""

    position: int
    collateral: int
    debt: int
    outcome: Liquidation
    sale: Plan | None
    received_raw: int
    profit_usd: float


class Asked:
    """A position as it stands, and what its market's rule answers about it, each question put once."""

    def __init__(self, state: State, terms: "Keepers", number: int) -> None:
        self.number = number
        self.view = state.position(number)
        self.rule = terms.rules[state.book.position_market[number]]
        self._answers: dict[tuple[int, int, int], Liquidation | Refusal] = {}

    def liquidate(self, collateral: int, debt: int, cover: int) -> Liquidation | Refusal:
        """The rule's answer to a keeper that offers to repay `cover` of one debt for one collateral."""
        key = (collateral, debt, cover)
        if key not in self._answers:
            self._answers[key] = self.rule.liquidate(self.view, *key)
        return self._answers[key]


@dataclass(frozen=True)
class Keepers:
    """How keepers act in a run: the rules of the markets, the routes for their sales, the gas of one liquidation."""

    rules: tuple[Rule, ...]
    routes: dict[tuple[int, int], routing.Route]
    gas_usd: float


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
    first = {}
    for number in candidates:
        asked = Asked(state, terms, number)
        first[number] = best_offer(state, terms, asked, routing.along_one_path) or best_offer(state, terms, asked)
    order = sorted(
        (offer for offer in first.values() if offer),
        key=lambda offer: (-offer.profit_usd, _tie(state.book, offer.position)),
    )
    done, waiting = [], [number for number, offer in first.items() if offer is None]
    for planned in order:
        offer = best_offer(state, terms, Asked(state, terms, planned.position))
        if offer is None:
            waiting.append(planned.position)
        else:
            carry_out(state, terms, offer)
            done.append(offer)
    return done, sorted(waiting)


def best_offer(state: State, terms: Keepers, asked: Asked, sell: Seller = routing.best) -> Offer | None:
    """The most profitable liquidation of a position now, its collateral sold by `sell`, or None if none pays."""
    legs = asked.view.legs
    best: Offer | None = None
    for collateral, taken in enumerate(legs):
        if not taken.enabled:
            continue
        for debt, owed in enumerate(legs):
            if owed.debt_stored and _could_pay(state, terms, taken, owed):
                offer = _best_size(state, terms, asked, collateral, debt, sell)
                if offer is not None and (best is None or offer.profit_usd > best.profit_usd):
                    best = offer
    return best


def _best_size(state: State, terms: Keepers, asked: Asked, collateral: int, debt: int, sell: Seller) -> Offer | None:
    """The most profitable of the most that the rule allows and its halves; profit has one peak, so the first decline ends the search."""
    best: Offer | None = None
    cover = asked.rule.debt_raw(asked.view, debt)
    for _ in range(HALVINGS):
        outcome = asked.liquidate(collateral, debt, cover)
        if isinstance(outcome, Refusal) and cover:  # of this size; a smaller one can leave enough behind
            cover //= 2
            continue
        if not isinstance(outcome, Liquidation) or not outcome.repaid_raw or not outcome.seized_raw:
            break
        offer = _priced(state, terms, (asked.number, collateral, debt), outcome, sell)
        if best is not None and (offer is None or offer.profit_usd <= best.profit_usd):
            break
        best = offer
        cover = outcome.repaid_raw // 2
    return best


def _could_pay(state: State, terms: Keepers, taken: Leg, owed: Leg) -> bool:
    """Whether any amount could pay: at the pools' present prices, before any impact, all of the debt repaid, is the gas in what is left?

    An upper bound of what `_priced` finds, and cheap: most positions that wait are ruled out here.
    """
    route = terms.routes.get((taken.reserve.asset, owed.reserve.asset))
    if route is None:
        return True
    kept = taken.bonus_bps - (taken.bonus_bps - BPS) * taken.reserve.fee_bps / BPS
    value = owed.price_raw / 10**owed.reserve.price_decimals / (taken.price_raw / 10**taken.reserve.price_decimals)
    tokens = kept / BPS * value * 10 ** (taken.decimals - owed.decimals)
    left = tokens * routing.spot(state, route) - 1 + MARGIN
    debt = (owed.debt_stored * owed.reserve.debt_index / owed.reserve.debt_unit + 1) / 10**owed.decimals
    return bool(left > 0 and left * debt * state.market_usd[owed.reserve.asset] >= terms.gas_usd * (1 - MARGIN))


def _priced(
    state: State, terms: Keepers, place: tuple[int, int, int], outcome: Liquidation, sell: Seller
) -> Offer | None:
    number, collateral, debt = place
    legs = list(state.book.legs(number))
    sold, bought = (state.book.reserves[int(state.book.leg_reserve[legs[leg]])].asset for leg in (collateral, debt))
    sale: Plan | None = None
    if sold == bought:
        received = outcome.seized_raw
    elif route := terms.routes.get((sold, bought)):
        sale = sell(state, route, outcome.seized_raw)
        received = sale.received_raw
    elif {sold, bought} <= {asset for pair in terms.routes for asset in pair}:
        return None
    else:
        received = routing.outside_quote(state, sold, bought, outcome.seized_raw)
    if received < outcome.repaid_raw:
        return None
    profit = (received - outcome.repaid_raw) * float(state.market_usd[bought]) / 10 ** state.book.assets[
        bought
    ].decimals - terms.gas_usd
    return Offer(number, collateral, debt, outcome, sale, received, profit) if profit >= 0 else None


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
