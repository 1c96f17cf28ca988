"""Debt that liquidation does not heal: beyond the toxic frontier, not worth a keeper's gas, or held by dust rules alone.

Repaying r and taking r (1 + b) of collateral k changes the health factor by r (HF − LT_k (1 + b_k)) / (B − r), B being the debt. Above
LT_k (1 + b_k), the frontier, liquidating heals; below it every repayment makes the position worse (derived; also "Toxic Liquidation
Spirals", Warmuz, Chaudhary, Pinna 2022). Everything is read at the state's prices; nobody sells here.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from simulations.book import Book, FloatArray
from simulations.health import health_factors, oracle_prices, values_usd
from simulations.rules import rule_of
from simulations.rules.rule import Liquidation, Position, Refusal, Rule
from simulations.state import State, start

DUST_REFUSALS = ("MustNotLeaveDust",)
HALVINGS = 6


@dataclass(frozen=True)
class Keeping:
    """What keepers pay: gas of one liquidation in USD, and the share of what they take that its sale costs (0.01 is 1 %)."""

    gas_usd: float = 0.0
    slippage_ratio: float = 0.0


@dataclass(frozen=True)
class MarketFrontier:
    """Debts of one market in USD at market prices. A position can be in several; `healthy_*` ones are not yet liquidatable.

    liquidatable : health factor below 1.   toxic : below the frontier of every collateral it has, so no liquidation heals it.
    partly_toxic : below the frontier of some of its collateral, so that it depends on what the keeper takes.
    unprofitable : liquidatable, and the most that can be repaid in one act does not pay gas and slippage with any pair.
    dust_held : liquidatable, and the rule refuses every size that was tried because of what would be left.
    healthy_near : health factor of at least 1 and below `near`, for scale.
    """

    market: str
    liquidatable_debt_usd: float
    toxic_debt_usd: float
    partly_toxic_debt_usd: float
    unprofitable_debt_usd: float
    dust_held_debt_usd: float
    healthy_near_debt_usd: float
    positions: int
    toxic_positions: int

    def to_dict(self) -> dict[str, str | float | int]:
        """JSON-ready."""
        return asdict(self)


def frontiers(book: Book) -> tuple[FloatArray, FloatArray]:
    """(lowest, highest) LT x (1 + bonus) over the collateral that each position has; NaN where it has none."""
    counts = book.leg_enabled & np.array([stored > 0 for stored in book.leg_supply_stored], dtype=np.bool_)
    edge = book.leg_threshold_bps * book.leg_bonus_bps / 1e8
    low, high = np.full(book.size, np.nan), np.full(book.size, np.nan)
    for number in range(book.size):
        here = slice(book.offsets[number], book.offsets[number + 1])
        mine = edge[here][counts[here]]
        if len(mine):
            low[number], high[number] = mine.min(), mine.max()
    return low, high


def by_position(book: Book, state: State | None = None, keeping: Keeping | None = None) -> pd.DataFrame:
    """One row a position that owes something.

    Returns
    -------
    Columns market, position_id, health_factor, frontier_low, frontier_high, debt_usd, liquidatable, toxic, partly_toxic, unprofitable, dust_held.
    """
    state, keeping = state or start(book), keeping or Keeping()
    health, (_, debt) = health_factors(state), values_usd(state)
    low, high = frontiers(book)
    rules = [rule_of(market) for market in book.markets]
    rows = []
    for number in np.flatnonzero(np.isfinite(health)):
        liquidatable = bool(health[number] < 1)
        toxic = liquidatable and not health[number] >= low[number]
        pays, held = _answers(state, rules, int(number), keeping) if liquidatable else (True, False)
        rows.append(
            {
                "market": book.markets[int(book.position_market[number])].key,
                "position_id": book.position_ids[number],
                "health_factor": float(health[number]),
                "frontier_low": float(low[number]),
                "frontier_high": float(high[number]),
                "debt_usd": float(debt[number]),
                "liquidatable": liquidatable,
                "toxic": toxic,
                "partly_toxic": liquidatable and not toxic and bool(health[number] < high[number]),
                "unprofitable": not pays,
                "dust_held": held,
            }
        )
    return pd.DataFrame(rows, columns=[
        "market", "position_id", "health_factor", "frontier_low", "frontier_high", "debt_usd", "liquidatable", "toxic", "partly_toxic",
        "unprofitable", "dust_held",
    ])  # fmt: skip


def by_market(
    book: Book, state: State | None = None, keeping: Keeping | None = None, near: float = 1.05
) -> tuple[MarketFrontier, ...]:
    """The sums over each market's positions, in the order of the book."""
    table = by_position(book, state, keeping)
    found = []
    for market in book.markets:
        mine = table[table["market"] == market.key]
        sums = {
            name: float(mine.loc[mine[name].astype(bool), "debt_usd"].sum())
            for name in ("liquidatable", "toxic", "partly_toxic", "unprofitable", "dust_held")
        }
        close = (mine["health_factor"] >= 1) & (mine["health_factor"] < near)
        found.append(
            MarketFrontier(
                market=market.key,
                liquidatable_debt_usd=sums["liquidatable"],
                toxic_debt_usd=sums["toxic"],
                partly_toxic_debt_usd=sums["partly_toxic"],
                unprofitable_debt_usd=sums["unprofitable"],
                dust_held_debt_usd=sums["dust_held"],
                healthy_near_debt_usd=float(mine.loc[close, "debt_usd"].sum()),
                positions=int(mine["liquidatable"].sum()),
                toxic_positions=int(mine["toxic"].sum()),
            )
        )
    return tuple(found)


def _answers(state: State, rules: list[Rule], number: int, keeping: Keeping) -> tuple[bool, bool]:
    """(some pair pays gas and slippage, every size of every pair is refused because of dust and of nothing else)."""
    book = state.book
    rule, view = rules[int(book.position_market[number])], state.position(number)
    price = oracle_prices(state)[book.offsets[number] : book.offsets[number + 1]]
    market = np.array([state.market_usd[leg.reserve.asset] for leg in view.legs])
    market = np.where(np.isfinite(market), market, price)
    pays, dusty, done = False, False, False
    for collateral, taken in enumerate(view.legs):
        for debt, owed in enumerate(view.legs):
            if not (taken.enabled and owed.debt_stored):
                continue
            for outcome in _sizes(rule, view, collateral, debt):
                if isinstance(outcome, Refusal):
                    dusty |= outcome.reason in DUST_REFUSALS
                    continue
                done = True
                got = outcome.seized_raw / 10**taken.decimals * market[collateral] * (1 - keeping.slippage_ratio)
                pays |= bool(got - outcome.repaid_raw / 10**owed.decimals * market[debt] > keeping.gas_usd)
    return pays, dusty and not done


def _sizes(rule: Rule, view: Position, collateral: int, debt: int) -> list[Liquidation | Refusal]:
    """What the rule answers to the whole debt and to its halves."""
    whole = rule.debt_raw(view, debt)
    return [rule.liquidate(view, collateral, debt, whole >> halving) for halving in range(HALVINGS) if whole >> halving]
