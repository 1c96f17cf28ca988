"""Health of every position at once, in floats: the screen before the exact rule; and the at-risk curve, which asks that rule and holds the answer against the pools.

All arrays are float64. `by_leg` sums run over the legs of each position (CSR).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf

import numpy as np
import pandas as pd

from chain.units import BPS, WAD
from simulations.book import Book, BoolArray, FloatArray
from simulations.channels import arbitrage, liquidation, offers, oracle
from simulations.rules import averages_thresholds
from simulations.rules.rule import Refusal
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
    """What becomes liquidatable at oracle prices if one asset falls, before anybody sells, and what the pools take once they have followed the fall.

    Parameters
    ----------
    falls : shares of the price between 0 and 1.
    market : key of the one market whose positions count, at its bonuses; all of them by default.

    Returns
    -------
    Columns, USD at the fallen prices. fall_percent; positions, whose exact health factor is below 1; liquidatable_debt_usd, what these owe;
    liquidatable_collateral_usd, the most that one call of the market's rule takes of each, of one collateral for one debt;
    paused_collateral_usd, the part of it that a pause holds back; posted_collateral_usd, the collateral of all who owe something;
    bad_debt_usd, debt beyond the collateral of positions under water; capacity_usd, as `capacity_usd`, infinite where no pool trades
    what falls of the collateral, which a run then sells outside at the market price.
    """
    mine = np.array([market in (None, book.markets[number].key) for number in book.position_market], dtype=np.bool_)
    asset_of_leg = np.array([reserve.asset for reserve in book.reserves], dtype=np.int64)[book.leg_reserve]
    falling, bonus = _falling(book, asset), _bonuses(book, market)
    posted = set(asset_of_leg[np.repeat(mine, np.diff(book.offsets)) & book.leg_enabled].tolist())
    traded = {side for pool in book.pools for side in (pool.asset0, pool.asset1)}
    is_sold_outside = not any(falling[number] for number in posted & traded)
    rows, at_block, terms = [], start(book), liquidation.keepers(book, 0.0)
    for fall in falls:
        state = at_block.copy()
        if fall:
            state.market_usd = reference_prices(book, [PriceShock(asset, -fall)])
            arbitrage.bring_pools_to_market(state)
        oracle.publish(state)
        hit = liquidation.liquidatable(state, terms, np.where(mine, health_factors(state), np.inf))
        collateral, debt = values_usd(state)
        asked = [offers.Asked(state, terms, number) for number in hit]
        due = [_most_usd(state, one.without_pauses()) for one in asked]
        now = [_most_usd(state, one) for one in asked]
        rows.append(
            {
                "fall_percent": 100 * fall,
                "liquidatable_collateral_usd": fsum(due),
                "paused_collateral_usd": fsum(whole - free for whole, free in zip(due, now, strict=True)),
                "posted_collateral_usd": fsum(collateral[mine & (debt > 0)]),
                "liquidatable_debt_usd": float(debt[hit].sum()),
                "positions": len(hit),
                "bad_debt_usd": float(np.maximum(debt - collateral, 0)[mine].sum()),
                "capacity_usd": inf if is_sold_outside else _capacity_usd(state, falling, bonus),
            }
        )
    return pd.DataFrame(rows)


def _most_usd(state: State, asked: offers.Asked) -> float:
    """The most that one call takes of a position, protocol fee included, over its pairs of collateral and debt, USD at market prices.

    Of each pair the most that the rule allows; where it refuses that for what it would leave, halves of it, as keepers try them."""
    most, legs = 0.0, asked.view.legs
    for collateral, taken in enumerate(legs):
        price = float(np.nan_to_num(state.market_usd[taken.reserve.asset])) / 10**taken.decimals
        for debt, owed in enumerate(legs):
            if not (taken.enabled and owed.debt_stored):
                continue
            cover = asked.rule.debt_raw(asked.view, debt)
            for halving in range(offers.HALVINGS):
                said = asked.liquidate(collateral, debt, cover >> halving)
                if not isinstance(said, Refusal):
                    most = max(most, (said.seized_raw + said.fee_raw) * price)
                if not isinstance(said, Refusal) or said.is_pause:
                    break
    return most


def capacity_usd(book: Book, asset: str, market: str | None = None) -> float:
    """What the pools can take at the block before a sale costs more than the liquidation bonus: the sum over pools between what falls with
    `asset` and what does not, each up to the size at which the average price is below the market price by the bonus of the asset sold: that
    of `market` (a key), by default the largest of any market.

    For a constant-product pool x = R' (1 + b) / m - R / (1 - f) of reserves R sold and R' bought brings, fee f paid, 1 / (1 + b) of the market
    price m (in units bought) on average; closed form of amount_out. Any other venue is asked for quotes of falling size.
    """
    return _capacity_usd(start(book), _falling(book, asset), _bonuses(book, market))


def _capacity_usd(state: State, falling: BoolArray, bonus: Mapping[int, float]) -> float:
    """The same of the pools as they stand, at the present market prices."""
    taken_usd = []
    for venue, pool in zip(state.venues, state.book.pools, strict=True):
        for slot, sold, bought in ((0, pool.asset0, pool.asset1), (1, pool.asset1, pool.asset0)):
            of_sold, of_bought = (
                float(state.market_usd[side]) / 10 ** state.book.assets[side].decimals for side in (sold, bought)
            )
            if not (falling[sold] and not falling[bought] and sold in bonus and of_sold > 0 and of_bought > 0):
                continue
            least = of_sold / of_bought / (1 + bonus[sold])
            if isinstance(venue, ConstantProduct):
                taken = venue.reserves[1 - slot] / least - venue.reserves[slot] / (1 - venue.fee_wad / WAD)
            else:
                taken = _taken(venue, slot, least)
            taken_usd.append(max(0.0, taken) * of_sold)
    return fsum(taken_usd)


def _falling(book: Book, asset: str) -> BoolArray:
    """bool[assets]: what falls with `asset`, by more than half as much."""
    before = np.array([item.price_usd for item in book.assets])
    with np.errstate(invalid="ignore"):
        return np.asarray(reference_prices(book, [PriceShock(asset, -0.5)]) / before < 0.75)


def _bonuses(book: Book, market: str | None) -> dict[int, float]:
    """Liquidation bonus (a ratio) of each asset in one market, or the largest in any."""
    found: dict[int, float] = {}
    for reserve in book.reserves:
        if market in (None, book.markets[reserve.market].key):
            found[reserve.asset] = max(found.get(reserve.asset, 0.0), reserve.bonus_bps / BPS - 1)
    return found


def _taken(venue: Venue, slot: int, least: float) -> float:
    """The largest sale that brings `least` units for each one sold on average, by bisection on quotes."""
    low, high = 0, venue.sale_to_price(slot, 1 - slot, least / 100) if least else 0
    while high - low > max(1, high >> 30):
        middle = (low + high) // 2
        low, high = (middle, high) if venue.quote(slot, 1 - slot, middle) >= least * middle else (low, middle)
    return float(low)
