"""Turns as they are meant, without thrift: everybody's place in the order is worked out, and everybody is asked in full when its turn comes."""

import hashlib

from simulations.channels.liquidation import carry_out
from simulations.channels.offers import Asked, Keepers, Offer, best_offer
from simulations.state import State
from simulations.venues import routing


def act(state: State, terms: Keepers, candidates: list[int]) -> tuple[list[Offer], list[int]]:
    """Like `liquidation.act`."""
    first = {}
    for number in candidates:
        asked = Asked(state, terms, number)
        first[number] = best_offer(state, terms, asked, routing.along_one_path) or best_offer(state, terms, asked)
    done = []
    for planned in sorted((offer for offer in first.values() if offer), key=lambda offer: _place(state, offer)):
        offer = best_offer(state, terms, Asked(state, terms, planned.position))
        if offer is not None:
            carry_out(state, terms, offer)
            done.append(offer)
    return done, sorted(set(candidates) - {offer.position for offer in done})


def _place(state: State, offer: Offer) -> tuple[float, str]:
    book = state.book
    name = f"{book.markets[int(book.position_market[offer.position])].key}/{book.position_ids[offer.position]}"
    return -offer.profit_usd, hashlib.sha256(name.encode()).hexdigest()
