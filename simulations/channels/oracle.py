"""Oracles: what the markets believe, given what the world trades at.

A feed follows the market price of its driver (the asset that its last adapter reads) and publishes when that price has moved by its
deviation since the last publication, in the currency in which the market counts; instant runs have no time, so heartbeats do not act. A hard-coded price never moves, nor does one
that is an exchange rate alone. An adapter that multiplies by an exchange rate keeps the ratio it had at the block.
"""

from fractions import Fraction

import numpy as np

from simulations.book import Book, BoolArray
from simulations.state import State

BPS = 10_000


def publish(state: State) -> int:
    """Let every feed publish that has reason to; returns how many oracle prices changed."""
    changed, worth = 0, state.book.worth(state.market_usd)
    at_block = state.book.worth(np.array([asset.price_usd for asset in state.book.assets]))
    for slot, quote in enumerate(state.book.quotes):
        now, last = float(worth[slot]), float(state.published[slot])
        if quote.fixed_price or not np.isfinite(now) or abs(now / last - 1) * BPS < max(quote.deviation_bps, 1e-6):
            continue
        state.oracle_raw[slot] = max(1, int(quote.price_raw * Fraction(now) / Fraction(float(at_block[slot]))))
        state.published[slot] = now
        changed += 1
    return changed


def frozen(book: Book) -> BoolArray:
    """bool[positions]: whether somebody posted collateral and none of its prices ever moves, so that no fall makes it liquidatable."""
    fixed = np.array([quote.fixed_price for quote in book.quotes], dtype=np.bool_)
    posted = np.array([stored > 0 for stored in book.leg_supply_stored], dtype=np.bool_) & book.leg_enabled
    owner = np.repeat(np.arange(book.size), np.diff(book.offsets))
    moves = np.bincount(owner, weights=posted & ~fixed[book.leg_quote], minlength=book.size)
    return np.asarray((np.bincount(owner, weights=posted, minlength=book.size) > 0) & (moves == 0))
