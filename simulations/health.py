"""Health of every position at once, in floats: the screen before the exact rule; and the at-risk curve, which asks that rule.

All arrays are float64. `by_leg` sums run over the legs of each position (CSR).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulations.book import Book, BoolArray, FloatArray
from simulations.channels import liquidation, oracle
from simulations.rules import averages_thresholds, pauses_seizing_alone, rule_of
from simulations.shocks import PriceShock, reference_prices
from simulations.state import State, start
from simulations.venues.v2 import ConstantProduct
from simulations.venues.venue import Venue

SLACK = 1e-6
"""What an average threshold in floats may lack of the whole basis points that it means."""


@dataclass(frozen=True)
class Standing:
    """Health factor, collateral and debt (USD at market prices) of every position at one moment; float64[positions] each."""

    health_factor: FloatArray
    collateral_usd: FloatArray
    debt_usd: FloatArray

    @classmethod
    def of(cls, state: State) -> "Standing":
        """Read from the state as it is now."""
        return cls(health_factors(state), *values_usd(state))


def by_position(book: Book, values: FloatArray) -> FloatArray:
    """Sum of per-leg values for each position; 0 for a position without legs."""
    total, has_legs = np.zeros(book.size), np.diff(book.offsets) > 0
    if has_legs.any():
        total[has_legs] = np.add.reduceat(values, book.offsets[:-1][has_legs])
    return total


def oracle_prices(state: State) -> FloatArray:
    """Oracle price of each leg's asset in its market's base currency, per whole token, after the position's category."""
    book = state.book
    quotes = np.array(
        [raw / 10**quote.price_decimals for raw, quote in zip(state.oracle_raw, book.quotes, strict=True)]
    )
    return np.asarray(quotes[book.leg_quote])


def health_factors(state: State) -> FloatArray:
    """Health factor of every position at oracle prices; infinity without debt. Average thresholds are cut to whole bps where the rule does."""
    book, price = state.book, oracle_prices(state)
    counted = np.where(book.leg_enabled, state.supply_tokens * price, 0.0)
    weighted = by_position(book, counted * book.leg_threshold_bps / 10_000)
    cut = np.array([averages_thresholds(market) for market in book.markets], dtype=np.bool_)[book.position_market]
    if cut.any():
        collateral = by_position(book, counted)
        average = np.divide(weighted, collateral, out=np.zeros(book.size), where=collateral > 0)
        weighted = np.where(cut, collateral * np.floor(average * 10_000 + SLACK) / 10_000, weighted)
    debt = by_position(book, state.debt_tokens * price)
    return np.asarray(np.divide(weighted, debt, out=np.full(book.size, np.inf), where=debt > 0))


def values_usd(state: State) -> tuple[FloatArray, FloatArray]:
    """(collateral, debt) of every position in USD at market prices; collateral is what counts in the health factor."""
    book = state.book
    price = np.nan_to_num(
        state.market_usd[np.array([reserve.asset for reserve in book.reserves], dtype=np.int64)][book.leg_reserve]
    )
    return by_position(book, state.supply_tokens * price * book.leg_enabled), by_position(
        book, state.debt_tokens * price
    )


def at_risk(book: Book, asset: str, falls: Sequence[float], market: str | None = None) -> pd.DataFrame:
    """What becomes liquidatable at oracle prices if one asset falls, before anybody sells.

    Parameters
    ----------
    falls : shares of the price between 0 and 1.
    market : key of the one market whose positions count; all of them by default.

    Returns
    -------
    Columns fall_percent; positions, whose exact health factor is below 1; liquidatable_debt_usd, what these owe; liquidatable_collateral_usd,
    what one liquidation of each can take (close factor x debt x bonus, at most its collateral; at the fallen price); paused_collateral_usd,
    the part of it that a pause holds back; bad_debt_usd, debt beyond the collateral of positions under water.
    """
    mine = np.array([market in (None, book.markets[number].key) for number in book.position_market], dtype=np.bool_)
    asset_of_leg = np.array([reserve.asset for reserve in book.reserves], dtype=np.int64)[book.leg_reserve]
    seizable, repayable = _not_paused(book)
    rows, at_block, terms = [], start(book), liquidation.keepers(book, 0.0)
    for fall in falls:
        state = at_block.copy()
        if fall:
            state.market_usd = reference_prices(book, [PriceShock(asset, -fall)])
        oracle.publish(state)
        health = health_factors(state)
        hit = np.zeros(book.size, dtype=np.bool_)
        hit[liquidation.liquidatable(state, terms, np.where(mine, health, np.inf))] = True
        collateral, debt = values_usd(state)
        price = np.nan_to_num(state.market_usd)[asset_of_leg]
        with_bonus = by_position(book, state.supply_tokens * price * book.leg_enabled * book.leg_bonus_bps / 10_000)
        bonus = np.divide(with_bonus, collateral, out=np.ones(book.size), where=collateral > 0)
        share = np.array([_most_share(book, int(number), health, collateral, debt) for number in np.flatnonzero(hit)])
        due = np.minimum(collateral[hit], share * (debt * bonus)[hit])
        free, owed = (by_position(book, tokens * price * counts)[hit] for tokens, counts in (
            (state.supply_tokens, book.leg_enabled & seizable), (state.debt_tokens, repayable)
        ))  # fmt: skip
        rows.append(
            {
                "fall_percent": 100 * fall,
                "liquidatable_collateral_usd": float(due.sum()),
                "paused_collateral_usd": float(
                    (due - np.minimum(due, np.minimum(free, share * owed * bonus[hit]))).sum()
                ),
                "liquidatable_debt_usd": float(debt[hit].sum()),
                "positions": int(hit.sum()),
                "bad_debt_usd": float(np.maximum(debt - collateral, 0)[mine].sum()),
            }
        )
    return pd.DataFrame(rows)


def _not_paused(book: Book) -> tuple[BoolArray, BoolArray]:
    """(what can be seized, what can be repaid) of each leg, bool[legs], with the pauses and grace periods at the block."""
    moves = np.array(
        [not one.paused and one.grace_until < max(book.timestamp, 1) for one in book.reserves], dtype=np.bool_
    )
    alone = np.array([pauses_seizing_alone(book.markets[one.market]) for one in book.reserves], dtype=np.bool_)
    return moves[book.leg_reserve], (moves | alone)[book.leg_reserve]


def _most_share(book: Book, number: int, health: FloatArray, collateral: FloatArray, debt: FloatArray) -> float:
    """The close factor of one position: its market's rule, with the largest that the reserves it owes in allow."""
    stated = [
        book.reserves[int(book.leg_reserve[leg])].close_factor_bps
        for leg in book.legs(number)
        if book.leg_debt_stored[leg]
    ]
    most = None if None in stated else max(factor for factor in stated if factor is not None)
    market = book.markets[int(book.position_market[number])]
    return rule_of(market).most_share(
        market.revision, float(health[number]), float(collateral[number]), float(debt[number]), most
    )


def capacity_usd(book: Book, asset: str) -> float:
    """What the pools can take before a sale costs more than the liquidation bonus: the sum over pools between what falls with `asset`
    and what does not, each up to the size at which the average price is worse by the bonus of the asset sold.

    For a constant-product pool the average price after fees is worse by b when x = R (b - f(1 + b)) / (1 - f) is sold, in tokens of a
    reserve R; closed form of amount_out. Any other venue is asked for quotes of falling size.
    """
    before = np.array([item.price_usd for item in book.assets])
    with np.errstate(invalid="ignore"):
        falls = reference_prices(book, [PriceShock(asset, -0.5)]) / before < 0.75
    bonus: dict[int, float] = {}
    for reserve in book.reserves:
        bonus[reserve.asset] = max(bonus.get(reserve.asset, 0.0), reserve.bonus_bps / 10_000 - 1)
    total = 0.0
    for pool in book.pools:
        for sold, bought, reserve_raw in (
            (pool.asset0, pool.asset1, pool.reserve0),
            (pool.asset1, pool.asset0, pool.reserve1),
        ):
            if falls[sold] and not falls[bought]:
                worse = bonus.get(sold, 0.0)
                fee = pool.fee_wad / 1e18
                if isinstance(pool.venue, ConstantProduct):
                    taken = max(0.0, (worse - fee * (1 + worse)) / (1 - fee)) * reserve_raw
                else:
                    taken = _taken(pool.venue, int(sold == pool.asset1), fee, worse)
                total += taken / 10 ** book.assets[sold].decimals * before[sold]
    return total


def _taken(venue: Venue, slot: int, fee: float, worse: float) -> float:
    """The largest sale whose average price is worse than the price before the fee by `worse`, by bisection on quotes."""
    least = venue.spot(slot, 1 - slot) / (1 - fee) / (1 + worse)
    low, high = 0, venue.sale_to_price(slot, 1 - slot, least / 100) if least else 0
    while high - low > max(1, high >> 30):
        middle = (low + high) // 2
        low, high = (middle, high) if venue.quote(slot, 1 - slot, middle) >= least * middle else (low, middle)
    return float(low)
