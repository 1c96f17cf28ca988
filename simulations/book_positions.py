"""Positions of a book: what each owner has and owes in each reserve, with the terms of its category, as arrays over legs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from simulations.book import CategoryPrice, Market, Reserve
from simulations.book_reserves import whole_bps
from simulations.rules import needs_own_threshold


def positions_of(
    tables: Mapping[str, pd.DataFrame],
    markets: Sequence[Market],
    reserves: tuple[Reserve, ...],
    category_prices: tuple[CategoryPrice, ...],
    asset_index: Mapping[str, int],
    market_index: Mapping[str, int],
) -> dict[str, Any]:
    """The fields of `simulations.book.Book` that are of positions and legs.

    Raises
    ------
    InputError
        If a position owes what no rule here counts: at a fixed rate, at an index of its own, or outside a category that has a price.
    """
    slots = {(reserve.market, reserve.asset): number for number, reserve in enumerate(reserves)}
    categories = {(market_index[row.market], int(row.category)): row for row in each_row(tables["categories"])}
    own_price = {(price.market, price.category): len(reserves) + at for at, price in enumerate(category_prices)}
    legs: dict[tuple[int, str], dict[int, list[Any]]] = {}
    owners: dict[tuple[int, str], tuple[str, int]] = {}
    for row in each_row(tables["positions"]):
        position = (market_index[row.market], row.position_id)
        owners[position] = (row.owner, int(row.category))
        leg = legs.setdefault(position, {}).setdefault(slots[(position[0], asset_index[row.asset])], [0, 0, False])
        if row.side == "fixed_debt":
            raise InputError(f"{row.position_id} owes {row.asset} at a fixed rate; no rule here counts such debts yet")
        if row.side == "debt":
            leg[1] += _stored_debt(row, reserves[slots[(position[0], asset_index[row.asset])]])
        else:
            leg[0] += row.stored_raw
            leg[2] = leg[2] or bool(row.collateral_enabled)
    order = sorted(legs)
    leg_reserve, supply, debt, enabled, threshold, bonus, quote, offsets = [], [], [], [], [], [], [], [0]
    for position in order:
        category = categories.get((position[0], owners[position][1]))
        priced_at = own_price.get((position[0], owners[position][1]))
        needs_own = category is not None and needs_own_threshold(markets[position[0]])
        for number, (stored, owed, counts) in sorted(legs[position].items()):
            reserve = reserves[number]
            inside = category is not None and bool((category.collateral_bitmap or 0) >> reserve.slot & 1)
            if owed and priced_at is not None and not inside:
                raise InputError(
                    f"{position[1]} owes {tables['reserves']['asset'].iloc[number]}, which has left its category; the contract "
                    "prices such a debt in two ways, and no rule here does"
                )
            quote.append(priced_at if inside and priced_at is not None else number)
            inside = inside and not (needs_own and reserve.threshold_bps == 0)
            leg_reserve.append(number)
            supply.append(stored)
            debt.append(owed)
            enabled.append(counts)
            threshold.append(
                whole_bps(category.liquidation_threshold_wad)
                if inside and category is not None
                else reserve.threshold_bps
            )
            bonus.append(
                whole_bps(category.liquidation_bonus_wad) if inside and category is not None else reserve.bonus_bps
            )
        offsets.append(len(leg_reserve))
    return {
        "position_ids": tuple(name for _, name in order),
        "owners": tuple(owners[position][0] for position in order),
        "position_market": np.array([market for market, _ in order], dtype=np.int64),
        "position_category": np.array([owners[position][1] for position in order], dtype=np.int64),
        "offsets": np.array(offsets, dtype=np.int64),
        "leg_reserve": np.array(leg_reserve, dtype=np.int64),
        "leg_supply_stored": tuple(supply),
        "leg_debt_stored": tuple(debt),
        "leg_enabled": np.array(enabled, dtype=np.bool_),
        "leg_threshold_bps": np.array(threshold, dtype=np.int64),
        "leg_bonus_bps": np.array(bonus, dtype=np.int64),
        "leg_quote": np.array(quote, dtype=np.int64),
    }


def _stored_debt(row: Any, reserve: Reserve) -> int:
    """A debt in the reserve's stored units. One with an index of its own (Compound V2) counts as if it were written down at the block."""
    if row.index_raw * reserve.debt_unit == row.index_unit_raw * reserve.debt_index:
        return int(row.stored_raw)
    if reserve.debt_index != reserve.debt_unit:
        raise InputError(
            f"{row.position_id} owes {row.asset} at an index of {row.index_raw} / {row.index_unit_raw}, its market's is {reserve.debt_index} / "
            f"{reserve.debt_unit}; debts with indices of their own need a market whose index is 1"
        )
    return int(row.amount_raw)
