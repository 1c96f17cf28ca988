"""Oracles: what the markets believe, given what the world trades at.

A feed follows the market price of its driver (the asset that its last adapter reads) and publishes when that price has moved by its
deviation since the last publication; instant runs have no time, so heartbeats do not act. A hard-coded price never moves. An adapter
that multiplies by an exchange rate keeps the ratio it had at the block.
"""

from fractions import Fraction

import numpy as np

from simulations.state import State

BPS = 10_000


def publish(state: State) -> int:
    """Let every feed publish that has reason to; returns how many oracle prices changed."""
    changed = 0
    for slot, quote in enumerate(state.book.quotes):
        now, last = float(state.market_usd[quote.driver]), float(state.published_usd[slot])
        if quote.fixed_price or not np.isfinite(now) or abs(now / last - 1) * BPS < max(quote.deviation_bps, 1e-6):
            continue
        at_block = state.book.assets[quote.driver].price_usd
        state.oracle_raw[slot] = max(1, int(quote.price_raw * Fraction(now) / Fraction(at_block)))
        state.published_usd[slot] = now
        changed += 1
    return changed
