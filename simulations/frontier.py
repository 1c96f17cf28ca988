"""Debt that liquidation does not heal: beyond the toxic frontier, not worth a keeper's while, or held by dust rules alone.

Repaying r and taking r (1 + b) of collateral k changes the health factor by r (HF − LT_k (1 + b_k)) / (B − r), B being the debt. Above
LT_k (1 + b_k), the frontier, liquidating heals; below it every repayment makes the position worse (derived; also "Toxic Liquidation
Spirals", Warmuz, Chaudhary, Pinna 2022). A keeper's costs are gas and what the book's venues take from the sale, found as a cascade finds
them; every position is asked alone, as if it were the first, so that later ones can only pay less than said here.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from simulations.book import Book, FloatArray
from simulations.channels import arbitrage, liquidation, offers, oracle
from simulations.health import health_factors, values_usd
from simulations.rules.rule import Liquidation, Refusal
from simulations.shocks import PriceShock, reference_prices
from simulations.state import State, start
from simulations.venues import routing

DUST_REFUSALS = ("MustNotLeaveDust",)
FLAGS = ("liquidatable", "toxic", "partly_toxic", "unprofitable", "dust_held", "refused", "paused", "healthy_toxic")
COLUMNS = ("market", "position_id", "health_factor", "frontier_low", "frontier_high", "debt_usd", *FLAGS)


@dataclass(frozen=True)
class MarketFrontier:
    """Debts of one market in USD at market prices. A position can be in several.

    liquidatable : health factor below 1.   toxic : and below the frontier of every collateral it has, so no liquidation heals it.
    partly_toxic : below the frontier of some of its collateral, so that it depends on what the keeper takes.
    unprofitable : liquidatable, and no pair and size that the rule allows pays for gas and for selling, nor would one that a pause holds back.
    dust_held : liquidatable, and the rule refuses every size that was tried because of what would be left.
    refused : liquidatable, and the rule refuses for other reasons: a pause, too little cash, no collateral.
    paused : of these, because of a pause: it holds back every pair of collateral and debt, or the only ones that would pay.
    healthy_toxic : health factor of 1 or more and already below the frontier of every collateral; only where LT x (1 + bonus) is above 1.
    """

    market: str
    liquidatable_debt_usd: float
    toxic_debt_usd: float
    partly_toxic_debt_usd: float
    unprofitable_debt_usd: float
    dust_held_debt_usd: float
    refused_debt_usd: float
    paused_debt_usd: float
    healthy_toxic_debt_usd: float
    positions: int
    toxic_positions: int

    def to_dict(self) -> dict[str, str | float | int]:
        """JSON-ready."""
        return asdict(self)


def frontiers(book: Book) -> tuple[FloatArray, FloatArray]:
    """(lowest, highest) LT x (1 + bonus) over the collateral that each position has; NaN where it has none."""
    counts = book.leg_enabled & np.array([stored > 0 for stored in book.leg_supply_stored], dtype=np.bool_)
    edge = np.append(np.where(counts, book.leg_threshold_bps * book.leg_bonus_bps / 1e8, np.nan), np.nan)
    has_legs = np.diff(book.offsets) > 0
    low, high = (np.where(has_legs, most.reduceat(edge, book.offsets[:-1]), np.nan) for most in (np.fmin, np.fmax))
    return low, high


def by_position(state: State, terms: offers.Keepers, markets: Collection[str] | None = None) -> pd.DataFrame:
    """One row a position that owes something.

    Parameters
    ----------
    terms : what one liquidation costs, among others.
    markets : keys of those whose positions are asked; all of them by default. Each position is asked alone, so others change nothing.

    Returns
    -------
    Columns market, position_id, health_factor, frontier_low, frontier_high (NaN without collateral), debt_usd, and the flags of
    `MarketFrontier`.
    """
    book, health, (_, debt) = state.book, health_factors(state), values_usd(state)
    low, high = frontiers(book)
    asked = np.array([markets is None or market.key in markets for market in book.markets], dtype=np.bool_)
    owes = np.isfinite(health) & asked[book.position_market]
    below = set(liquidation.liquidatable(state, terms, np.where(owes, health, np.inf)))
    rows = []
    for number in np.flatnonzero(owes).tolist():
        liquidatable = number in below
        beyond = not health[number] >= low[number]
        answer = _answer(state, terms, number) if liquidatable else "pays"
        rows.append(
            {
                "market": book.markets[int(book.position_market[number])].key,
                "position_id": book.position_ids[number],
                "health_factor": float(health[number]),
                "frontier_low": float(low[number]),
                "frontier_high": float(high[number]),
                "debt_usd": float(debt[number]),
                "liquidatable": liquidatable,
                "toxic": liquidatable and beyond,
                "partly_toxic": liquidatable and not beyond and bool(health[number] < high[number]),
                "unprofitable": answer == "unprofitable",
                "dust_held": answer == "dust_held",
                "refused": answer in ("refused", "paused"),
                "paused": answer == "paused",
                "healthy_toxic": not liquidatable and bool(health[number] < low[number]),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_market(
    state: State, terms: offers.Keepers, markets: Collection[str] | None = None
) -> tuple[MarketFrontier, ...]:
    """The sums over the positions of each market that is asked, in the order of the book; parameters as of `by_position`."""
    return summed(state.book, by_position(state, terms, markets), markets)


def summed(book: Book, table: pd.DataFrame, markets: Collection[str] | None = None) -> tuple[MarketFrontier, ...]:
    """Rows of `by_position`, added up by market."""
    found = []
    for market in (one for one in book.markets if markets is None or one.key in markets):
        mine = table[table["market"] == market.key]
        sums = {f"{name}_debt_usd": float(mine.loc[mine[name].astype(bool), "debt_usd"].sum()) for name in FLAGS}
        counted = {"positions": int(mine["liquidatable"].sum()), "toxic_positions": int(mine["toxic"].sum())}
        found.append(MarketFrontier(market=market.key, **sums, **counted))  # type: ignore[arg-type]
    return tuple(found)


def after_fall(at_block: State, asset: str, fall: float) -> State:
    """The state in which `asset` and its claims have fallen (0.2 is 20 %), pools and feeds have followed, and nobody has acted yet."""
    state = at_block.copy()
    if fall:
        state.market_usd = reference_prices(state.book, [PriceShock(asset, -fall)])
        arbitrage.bring_pools_to_market(state)
    oracle.publish(state)
    return state


def against_falls(
    book: Book, asset: str, falls: Sequence[float], gas_usd: float, markets: Collection[str] | None = None
) -> Iterator[tuple[float, tuple[MarketFrontier, ...]]]:
    """(fall, the sums of each market that is asked after it) for each fall."""
    at_block, terms = start(book), liquidation.keepers(book, gas_usd)
    for fall in falls:
        yield fall, by_market(after_fall(at_block, asset, fall), terms, markets)


def _answer(state: State, terms: offers.Keepers, number: int) -> str:
    """What becomes of a liquidatable position: pays, unprofitable, dust_held, paused or refused."""
    asked = offers.Asked(state, terms, number)
    if _pays(state, terms, asked):
        return "pays"
    held_back = [isinstance(outcome, Refusal) and outcome.is_pause for outcome in _outcomes(asked, halvings=1)]
    if any(held_back) and (all(held_back) or _pays(state, terms, asked.without_pauses())):
        return "paused"
    reasons = set()
    for outcome in _outcomes(asked):
        if isinstance(outcome, Liquidation):
            return "unprofitable"
        reasons.add(outcome.reason)
    return "refused" if reasons.isdisjoint(DUST_REFUSALS) else "dust_held"


def _pays(state: State, terms: offers.Keepers, asked: offers.Asked) -> bool:
    return any(
        next(offers.best_by_pair(state, terms, asked, sell), None) is not None
        for sell in (routing.along_one_path, routing.best)
    )


def _outcomes(asked: offers.Asked, halvings: int = offers.HALVINGS) -> Iterator[Liquidation | Refusal]:
    """What the rule answers to the whole of each debt and to its halves, for each collateral."""
    for collateral, taken in enumerate(asked.view.legs):
        for debt, owed in enumerate(asked.view.legs):
            if taken.enabled and owed.debt_stored:
                whole = asked.rule.debt_raw(asked.view, debt)
                for halving in range(halvings):
                    if whole >> halving:
                        yield asked.liquidate(collateral, debt, whole >> halving)
