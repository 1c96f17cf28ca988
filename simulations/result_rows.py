"""The tables of a result, made while a run goes on and at its end: liquidations and sales by round, positions and markets before and after."""

from collections.abc import Mapping, Sequence
from math import fsum

import numpy as np
import pandas as pd

from simulations.book import Book, FloatArray
from simulations.channels.offers import Offer
from simulations.health import Standing
from simulations.result import WAITS, Round
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


def written_off(book: Book, done: Sequence[Offer], prices: FloatArray) -> FloatArray:
    """Losses that markets recorded, by position, USD."""
    loss = np.zeros(book.size)
    for offer in done:
        for leg, amount in zip(book.legs(offer.position), offer.outcome.deficit_raw, strict=True):
            loss[offer.position] += usd(book, int(book.leg_reserve[leg]), amount, prices)
    return loss


def usd(book: Book, slot: int, amount_raw: int, prices: FloatArray) -> float:
    """USD of an amount, in smallest units, of what a reserve holds."""
    asset = book.reserves[slot].asset
    return float(amount_raw / 10 ** book.assets[asset].decimals * prices[asset])


def by_key(book: Book, prices: FloatArray) -> dict[str, float]:
    """Prices that are known, by asset key."""
    return {asset.key: float(price) for asset, price in zip(book.assets, prices, strict=True) if np.isfinite(price)}


def by_market(book: Book, values: FloatArray) -> dict[str, float]:
    """Sums of positions' values, by market key."""
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
                "bad_debt_usd": fsum(losses),
                "direct_usd": losses[0],
                "indirect_usd": fsum(losses[1:]),
                "waiting_debt_usd": rounds[-1].waiting_debt_usd[market.key],
                "paused_debt_usd": paused_debt_usd[market.key],
                "before_usd": before_usd[market.key],
                "relief_usd": relief_usd[market.key],
                "frozen_usd": frozen_usd[market.key],
            }
        )
    return pd.DataFrame(rows)
