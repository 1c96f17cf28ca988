"""What a run leaves behind: every round, and positions and markets before and after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from simulations.book import Book, FloatArray
from simulations.channels.offers import Offer
from simulations.frontier import MarketFrontier
from simulations.health import Standing
from simulations.identities import Identities
from simulations.scenarios import Scenario
from simulations.state import State

LIQUIDATION_COLUMNS = [
    "market",
    "position_id",
    "collateral_asset",
    "debt_asset",
    "repaid_raw",
    "seized_raw",
    "fee_raw",
    "repaid_usd",
    "seized_usd",
    "deficit_usd",
    "profit_usd",
]
SALE_COLUMNS = ["pool", "sold_asset", "bought_asset", "amount_in_raw", "amount_out_raw", "sold_usd"]


WAITS = ("paused", "unprofitable", "dust_held", "refused")
"""Why a position that could be liquidated is not, the first that applies; the words are those of `simulations.frontier.MarketFrontier`."""


@dataclass(frozen=True)
class Waiting:
    """Positions that could be liquidated at the end of a run and are not, for one reason (of WAITS): how many, and what they owe in USD."""

    why: str
    positions: int
    debt_usd: float


@dataclass(frozen=True)
class Round:
    """One round. Market prices are by asset key in USD per whole token; `bad_debt_usd` is by market and counts what is new in this
    round; `waiting` positions have collateral and are liquidatable, and nobody does it; `waiting_debt_usd` is what they owe, by market.

    `liquidations` has one row each: market, position_id, collateral_asset, debt_asset (symbols), repaid_raw, seized_raw, fee_raw,
    repaid_usd, seized_usd (fee included), deficit_usd, profit_usd. `sales`: pool, sold_asset, bought_asset, amount_in_raw,
    amount_out_raw, sold_usd. USD at the market prices at which the round began.
    """

    number: int
    market_price_usd: dict[str, float]
    liquidations: pd.DataFrame
    sales: pd.DataFrame
    bad_debt_usd: dict[str, float]
    waiting: int
    waiting_debt_usd: dict[str, float]

    @property
    def liquidated_usd(self) -> float:
        """Collateral taken in this round, protocol fee included."""
        return float(self.liquidations["seized_usd"].sum())


@dataclass(frozen=True)
class CascadeResult:
    """Everything a run did. `positions` and `markets` compare before the shock with the end; see `simulations.cascade.run` for their columns.

    `market_price_before_usd`: by asset key in USD per whole token, before the shock; what rounds' `market_price_usd` are compared with.
    `frontier`: what liquidation cannot mend, by market, "before" the shock and "after" the run (`simulations.frontier`).
    `notes`: what a reader must know about the rules that were used, one sentence a market; empty if there is nothing to say.
    """

    scenario: Scenario
    rounds: tuple[Round, ...]
    positions: pd.DataFrame
    markets: pd.DataFrame
    identities: Identities
    content_id: str
    market_price_before_usd: Mapping[str, float]
    caption: str = ""
    frontier: Mapping[str, tuple[MarketFrontier, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def waiting(self, markets: Collection[str] | None = None) -> tuple[Waiting, ...]:
        """Who waits at the end in these markets (all by default), by reason, in the order of WAITS."""
        rows = self.positions if markets is None else self.positions[self.positions["market"].isin(list(markets))]
        parts = {why: rows.loc[rows["waits"] == why, "debt_after_usd"] for why in WAITS}
        return tuple(Waiting(why, len(owed), float(owed.sum())) for why, owed in parts.items() if len(owed))

    @property
    def liquidated_usd(self) -> float:
        """Collateral taken in all rounds."""
        return sum(step.liquidated_usd for step in self.rounds)

    def price_change_ratio(self, asset: str, step: Round) -> float:
        """Market price of an asset after a round against the same market price before the shock; NaN where it has none."""
        nan = float("nan")
        return step.market_price_usd.get(asset, nan) / self.market_price_before_usd.get(asset, nan) - 1

    @property
    def direct_usd(self) -> float:
        """Bad debt of round 1: what the shock alone does."""
        return direct_and_indirect_usd(self.rounds)[0]

    @property
    def indirect_usd(self) -> float:
        """Bad debt of all later rounds: what forced sales do."""
        return direct_and_indirect_usd(self.rounds)[1]

    @property
    def bad_debt_usd(self) -> float:
        """All bad debt that the shock and the cascade add to what was there before; never below 0, since `relief_usd` is counted by itself."""
        return self.direct_usd + self.indirect_usd

    @property
    def relief_usd(self) -> float:
        """Debt that was under water before the shock and is covered again at the end: the debts that a rise, or a fall of what is owed, helps."""
        return float(self.markets["relief_usd"].sum())

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: amounts in smallest units as text, infinite health factors as None."""
        return {
            "content_id": self.content_id,
            "caption": self.caption,
            "notes": list(self.notes),
            "scenario": self.scenario.to_dict(),
            "totals": {
                name: getattr(self, name)
                for name in ("liquidated_usd", "bad_debt_usd", "direct_usd", "indirect_usd", "relief_usd", "calm_after")
            },
            "waiting": [asdict(part) for part in self.waiting()],
            "market_price_before_usd": dict(self.market_price_before_usd),
            "markets": _plain(self.markets),
            "frontier": {when: [one.to_dict() for one in markets] for when, markets in self.frontier.items()},
            "positions": _plain(self.positions),
            "rounds": [
                {
                    "number": step.number,
                    "liquidated_usd": step.liquidated_usd,
                    "bad_debt_usd": step.bad_debt_usd,
                    "waiting": step.waiting,
                    "waiting_debt_usd": step.waiting_debt_usd,
                    "market_price_usd": step.market_price_usd,
                    "liquidations": _plain(step.liquidations),
                    "sales": _plain(step.sales),
                }
                for step in self.rounds
            ],
            "identities": asdict(self.identities),
        }

    @property
    def calm_after(self) -> int:
        """Rounds until calm: those in which somebody was liquidated, so the number of the last of them; the round that finds nobody is not counted."""
        return sum(len(step.liquidations) > 0 for step in self.rounds)


def direct_and_indirect_usd(rounds: Sequence[Round]) -> tuple[float, float]:
    """Bad debt of the first round, and of all later ones."""
    first, *later = (sum(step.bad_debt_usd.values()) for step in rounds)
    return first, sum(later)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them."""
    columns = {name: table[name].tolist() for name in table.columns}
    for name, values in columns.items():
        if name.endswith("_raw"):
            columns[name] = [str(value) for value in values]
        elif table[name].dtype == np.float64:
            columns[name] = [value if np.isfinite(value) else None for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def written_off(book: Book, done: Sequence[Offer], prices: FloatArray) -> FloatArray:
    """Losses that markets recorded, by position, USD."""
    loss = np.zeros(book.size)
    for offer in done:
        for leg, amount in zip(book.legs(offer.position), offer.outcome.deficit_raw, strict=True):
            loss[offer.position] += usd(book, int(book.leg_reserve[leg]), amount, prices)
    return loss


def usd(book: Book, slot: int, amount_raw: int, prices: FloatArray) -> float:
    asset = book.reserves[slot].asset
    return float(amount_raw / 10 ** book.assets[asset].decimals * prices[asset])


def by_key(book: Book, prices: FloatArray) -> dict[str, float]:
    return {asset.key: float(price) for asset, price in zip(book.assets, prices, strict=True) if np.isfinite(price)}


def by_market(book: Book, values: FloatArray) -> dict[str, float]:
    totals = np.bincount(book.position_market, weights=values, minlength=len(book.markets))
    return {market.key: float(total) for market, total in zip(book.markets, totals, strict=True)}


def liquidation_rows(book: Book, done: Sequence[Offer], prices: FloatArray) -> pd.DataFrame:
    """One row a liquidation, in the order in which they happened."""
    rows = []
    for offer in done:
        outcome, legs = offer.outcome, list(book.legs(offer.position))
        taken, owed = int(book.leg_reserve[legs[offer.collateral]]), int(book.leg_reserve[legs[offer.debt]])
        rows.append(
            {
                "market": book.markets[int(book.position_market[offer.position])].key,
                "position_id": book.position_ids[offer.position],
                "collateral_asset": book.assets[book.reserves[taken].asset].symbol,
                "debt_asset": book.assets[book.reserves[owed].asset].symbol,
                "repaid_raw": outcome.repaid_raw,
                "seized_raw": outcome.seized_raw,
                "fee_raw": outcome.fee_raw,
                "repaid_usd": usd(book, owed, outcome.repaid_raw, prices),
                "seized_usd": usd(book, taken, outcome.seized_raw + outcome.fee_raw, prices),
                "deficit_usd": float(written_off(book, [offer], prices)[offer.position]),
                "profit_usd": offer.profit_usd,
            }
        )
    return pd.DataFrame(rows, columns=LIQUIDATION_COLUMNS)


def sale_rows(state: State, prices: FloatArray) -> pd.DataFrame:
    """Keepers' swaps of the present round; each is two movements, in and out."""
    book, rows = state.book, []
    sales = [movement for movement in state.ledger.this_round() if movement.why in ("sale", "outside sale")]
    for paid, received in zip(sales[::2], sales[1::2], strict=True):
        sold, bought = book.assets[paid.number], book.assets[received.number]
        venue = book.pools[paid.target[1]].key if paid.target[0] == "pool" else "outside"
        rows.append(
            (
                venue,
                sold.symbol,
                bought.symbol,
                paid.amount,
                received.amount,
                paid.amount / 10**sold.decimals * float(prices[paid.number]),
            )
        )
    return pd.DataFrame(rows, columns=SALE_COLUMNS)


def why_waiting(left: pd.DataFrame, book: Book, waiting: set[int]) -> list[str]:
    """Why each position waits (one of WAITS), empty where it does not. `left`: the end of a run as `simulations.frontier.by_position` has it."""
    said = {}
    for row in left[left["liquidatable"]].to_dict("records"):
        said[row["market"], row["position_id"]] = next((why for why in WAITS if row[why]), "unprofitable")
    return [
        said[book.markets[int(market)].key, name] if number in waiting else ""
        for number, (market, name) in enumerate(zip(book.position_market, book.position_ids, strict=True))
    ]


def position_rows(
    state: State, rounds: Sequence[Round], before: Standing, loss_usd: FloatArray, waits: Sequence[str]
) -> pd.DataFrame:
    """Every position before the shock and at the end; columns as `simulations.cascade.run` lists them."""
    book, after = state.book, Standing.of(state)
    taken = (
        pd.concat([step.liquidations for step in rounds])
        .groupby(["market", "position_id"])["seized_usd"]
        .sum()
        .to_dict()
    )
    keys = [
        (book.markets[int(market)].key, name)
        for market, name in zip(book.position_market, book.position_ids, strict=True)
    ]

    def symbols(number: int, amounts: Sequence[int], only_enabled: bool) -> str:
        legs = [leg for leg in book.legs(number) if amounts[leg] and (book.leg_enabled[leg] or not only_enabled)]
        return ", ".join(book.assets[book.reserves[int(book.leg_reserve[leg])].asset].symbol for leg in legs)

    return pd.DataFrame(
        {
            "market": [key for key, _ in keys],
            "position_id": list(book.position_ids),
            "owner": list(book.owners),
            "collateral_assets": [symbols(number, book.leg_supply_stored, True) for number in range(book.size)],
            "debt_assets": [symbols(number, book.leg_debt_stored, False) for number in range(book.size)],
            "health_factor_before": before.health_factor,
            "health_factor_after": after.health_factor,
            "collateral_before_usd": before.collateral_usd,
            "collateral_after_usd": after.collateral_usd,
            "debt_before_usd": before.debt_usd,
            "debt_after_usd": after.debt_usd,
            "liquidated_usd": [float(taken.get(key, 0.0)) for key in keys],
            "loss_usd": loss_usd,
            "waits": list(waits),
        }
    )


def market_rows(
    at_block: State,
    rounds: Sequence[Round],
    before_usd: Mapping[str, float],
    frozen_usd: Mapping[str, float],
    relief_usd: Mapping[str, float],
    paused_debt_usd: Mapping[str, float],
) -> pd.DataFrame:
    """Every market: its size at the block, and what the run did to it."""
    book = at_block.book
    price = np.nan_to_num(np.array([book.assets[reserve.asset].price_usd for reserve in book.reserves]))[
        book.leg_reserve
    ]
    market_of_leg = np.array([reserve.market for reserve in book.reserves])[book.leg_reserve]
    taken, rows = pd.concat([step.liquidations for step in rounds]), []
    for number, market in enumerate(book.markets):
        mine = market_of_leg == number
        losses = [step.bad_debt_usd[market.key] for step in rounds]
        rows.append(
            {
                "market": market.key,
                "name": market.name,
                "supplied_usd": float((at_block.supply_tokens * price)[mine].sum()),
                "borrowed_usd": float((at_block.debt_tokens * price)[mine].sum()),
                "liquidated_usd": float(taken.loc[taken["market"] == market.key, "seized_usd"].sum()),
                "bad_debt_usd": sum(losses),
                "direct_usd": losses[0],
                "indirect_usd": sum(losses[1:]),
                "waiting_debt_usd": rounds[-1].waiting_debt_usd[market.key],
                "paused_debt_usd": paused_debt_usd[market.key],
                "before_usd": before_usd[market.key],
                "relief_usd": relief_usd[market.key],
                "frozen_usd": frozen_usd[market.key],
            }
        )
    return pd.DataFrame(rows)
