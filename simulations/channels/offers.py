"""Offers: what a keeper would do with one position at the present state, and what it would earn.

For every pair of collateral and debt a keeper tries the most the rule allows and then halves; it takes the most profitable. What it seizes
must sell, in the same step and at the pools' present reserves, for at least what it repays, and the rest must pay the gas. Collateral that
no pool takes counts for nothing.
"""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from chain.units import BPS
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

    def without_pauses(self) -> "Asked":
        """The same position as if nothing were paused."""
        other = copy(self)
        other.view = replace(
            self.view,
            legs=tuple(
                replace(leg, reserve=replace(leg.reserve, paused=False, grace_until=0)) for leg in self.view.legs
            ),
        )
        other._answers = {}
        return other

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


class Deal(NamedTuple):
    """What every keeper is offered for repaying one asset and taking another, on the same terms: `tokens` smallest units for each one repaid."""

    sold: int
    bought: int
    tokens: float
    price_usd: float

    @classmethod
    def of(cls, state: State, taken: Leg, owed: Leg) -> "Deal":
        """The deal of a pair; prices do not change while keepers act."""
        kept = taken.bonus_bps - (taken.bonus_bps - BPS) * taken.reserve.fee_bps / BPS
        tokens = kept / BPS * _value(taken, owed)
        return cls(taken.reserve.asset, owed.reserve.asset, tokens, float(state.market_usd[owed.reserve.asset]))

    def left(self, state: State, terms: Keepers) -> float:
        """What is left of each unit repaid at the pools' present prices, before any impact; inf where it is sold outside, of which nothing is known beforehand."""
        route = terms.routes.get((self.sold, self.bought))
        return inf if route is None else self.tokens * routing.spot(state, route) - 1 + MARGIN

    def surplus_usd(self, state: State, terms: Keepers) -> float:
        """What a sale of any size could leave; inf where it is sold outside."""
        route = terms.routes.get((self.sold, self.bought))
        if route is None:
            return inf
        unit_usd = self.price_usd / 10 ** state.book.assets[self.bought].decimals
        return float(routing.surplus(state, route, 1 / self.tokens) * unit_usd * (1 + MARGIN))


def most_usd(deal: Deal, left: float, repaid: float) -> float:
    """An upper bound of what `_priced` finds before gas, of at most so many whole tokens; -inf if it cannot be more than was repaid."""
    return inf if left == inf else left * repaid * deal.price_usd if left > 0 else -inf


def repayable(taken: Leg, owed: Leg) -> float:
    """At least what a keeper can repay of a debt, whole tokens: all of it, or as much as the collateral is good for."""
    debt = owed.debt_stored * owed.reserve.debt_index / owed.reserve.debt_unit + 1
    balance = taken.supply_stored * taken.reserve.supply_index / taken.reserve.supply_unit + 1
    worth = balance / (taken.bonus_bps / BPS * _value(taken, owed)) * (1 + MARGIN) + 1
    return float(min(debt, worth) / 10**owed.decimals)


def _value(taken: Leg, owed: Leg) -> float:
    """Smallest units of the collateral that are worth one smallest unit of the debt, at oracle prices."""
    value = owed.price_raw / 10**owed.reserve.price_decimals / (taken.price_raw / 10**taken.reserve.price_decimals)
    return float(value * 10 ** (taken.decimals - owed.decimals))


def pays(terms: Keepers, most: float) -> bool:
    """Whether so much, an upper bound in USD, could pay the gas."""
    return most >= terms.gas_usd * (1 - MARGIN)


def best_offer(state: State, terms: Keepers, asked: Asked, sell: Seller = routing.best) -> Offer | None:
    """The most profitable liquidation of a position now, its collateral sold by `sell`, or None if none pays."""
    return max(best_by_pair(state, terms, asked, sell), key=lambda offer: offer.profit_usd, default=None)


def best_by_pair(state: State, terms: Keepers, asked: Asked, sell: Seller) -> Iterator[Offer]:
    """The most profitable size of each pair of collateral and debt that pays at all."""
    legs = asked.view.legs
    for collateral, taken in enumerate(legs):
        if not taken.enabled:
            continue
        for debt, owed in enumerate(legs):
            if owed.debt_stored and _could_pay(state, terms, taken, owed):
                offer = _best_size(state, terms, asked, collateral, debt, sell)
                if offer is not None:
                    yield offer


def _could_pay(state: State, terms: Keepers, taken: Leg, owed: Leg) -> bool:
    """Whether any amount could pay at the present state: cheap, and most positions that wait are ruled out here."""
    deal = Deal.of(state, taken, owed)
    return pays(terms, most_usd(deal, deal.left(state, terms), repayable(taken, owed)))


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
