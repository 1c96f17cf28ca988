"""Positions of a book: what each owner has and owes in each reserve, with the terms of its category, as arrays over legs.

Column by column: a book can have a million positions, and what is asked of each asset and category is asked once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from simulations.book import BoolArray, CategoryPrice, IntArray, Market, Reserve
from simulations.book_reserves import whole_bps
from simulations.rules import needs_own_threshold


class _Terms(NamedTuple):
    """Of one reserve for positions of one category: index into the quotes of the book, and whether what is owed there has left the category."""

    quote: int
    threshold_bps: int
    bonus_bps: int
    has_left: bool


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
    table = tables["positions"]
    market, asset = _numbers(table["market"], market_index), _numbers(table["asset"], asset_index)
    slots = {(reserve.market, reserve.asset): number for number, reserve in enumerate(reserves)}
    pairs, pair = np.unique(market * len(asset_index) + asset, return_inverse=True)
    reserve = np.array([slots[divmod(one, len(asset_index))] for one in pairs.tolist()], dtype=np.int64)[pair]
    codes, unsorted = pd.factorize(table["position_id"])
    names = sorted(unsorted.tolist())
    rank = {one: number for number, one in enumerate(names)}
    name = np.array([rank[one] for one in unsorted.tolist()], dtype=np.int64)[codes]
    found, position = np.unique(market * len(names) + name, return_inverse=True)
    last = np.zeros(len(found), dtype=np.int64)
    last[position] = np.arange(len(table))  # of several rows the last one says whose it is
    legs, leg = np.unique(position * len(reserves) + reserve, return_inverse=True)
    leg_position, leg_reserve = np.divmod(legs, max(1, len(reserves)))
    ids = tuple(names[number] for number in (found % max(1, len(names))).tolist())
    category = table["category"].to_numpy(np.int64)[last]
    supply, debt, enabled = _amounts(table, reserves, reserve, leg, len(legs))
    cases, case = np.unique(category[leg_position] * len(reserves) + leg_reserve, return_inverse=True)
    terms = _terms(
        tables, markets, reserves, category_prices, market_index, [divmod(one, len(reserves)) for one in cases.tolist()]
    )
    has_left = np.array([one.has_left for one in terms], dtype=np.bool_)[case]
    for number in np.flatnonzero(has_left & np.array([owed != 0 for owed in debt], dtype=np.bool_))[:1].tolist():
        raise InputError(
            f"{ids[leg_position[number]]} owes {tables['reserves']['asset'].iloc[leg_reserve[number]]}, which has left its category; the contract "
            "prices such a debt in two ways, and no rule here does"
        )
    return {
        "position_ids": ids,
        "owners": tuple(table["owner"].iloc[last].tolist()),
        "position_market": market[last],
        "position_category": category,
        "offsets": np.searchsorted(leg_position, np.arange(len(found) + 1)).astype(np.int64),
        "leg_reserve": leg_reserve,
        "leg_supply_stored": tuple(supply),
        "leg_debt_stored": tuple(debt),
        "leg_enabled": enabled,
        "leg_threshold_bps": np.array([one.threshold_bps for one in terms], dtype=np.int64)[case],
        "leg_bonus_bps": np.array([one.bonus_bps for one in terms], dtype=np.int64)[case],
        "leg_quote": np.array([one.quote for one in terms], dtype=np.int64)[case],
    }


def _numbers(column: "pd.Series[str]", index: Mapping[str, int]) -> IntArray:
    """The number of each text of a column; KeyError for one that has none."""
    codes, names = pd.factorize(column)
    return np.asarray(np.array([index[name] for name in names.tolist()], dtype=np.int64)[codes])


def _amounts(
    table: pd.DataFrame, reserves: tuple[Reserve, ...], reserve: IntArray, leg: IntArray, legs: int
) -> tuple[list[int], list[int], BoolArray]:
    """What lies and what is owed in each leg, in stored units, and whether it counts. `reserve`, `leg`: of each row."""
    for row in each_row(table[table["side"] == "fixed_debt"].head(1)):
        raise InputError(f"{row.position_id} owes {row.asset} at a fixed rate; no rule here counts such debts yet")
    owes = (table["side"] == "debt").to_numpy(bool)
    supply, debt, enabled = [0] * legs, [0] * legs, np.zeros(legs, dtype=np.bool_)
    for number, stored in zip(leg[~owes].tolist(), table.loc[~owes, "stored_raw"].tolist(), strict=True):
        supply[number] += stored
    enabled[leg[~owes][table.loc[~owes, "collateral_enabled"].to_numpy(bool)]] = True
    owed = table.loc[owes, ["position_id", "asset", "stored_raw", "amount_raw", "index_raw", "index_unit_raw"]]
    for number, of, row in zip(leg[owes].tolist(), reserve[owes].tolist(), each_row(owed), strict=True):
        debt[number] += _stored_debt(row, reserves[of])
    return supply, debt, enabled


def _terms(
    tables: Mapping[str, pd.DataFrame],
    markets: Sequence[Market],
    reserves: tuple[Reserve, ...],
    category_prices: tuple[CategoryPrice, ...],
    market_index: Mapping[str, int],
    cases: Sequence[tuple[int, int]],
) -> list[_Terms]:
    """The terms of each case: category of a position, reserve."""
    categories = {(market_index[row.market], int(row.category)): row for row in each_row(tables["categories"])}
    own_price = {(price.market, price.category): len(reserves) + at for at, price in enumerate(category_prices)}
    found = []
    for number, of in cases:
        reserve = reserves[of]
        category = categories.get((reserve.market, number))
        priced_at = own_price.get((reserve.market, number))
        inside = category is not None and bool((category.collateral_bitmap or 0) >> reserve.slot & 1)
        quote = priced_at if inside and priced_at is not None else of
        has_left = priced_at is not None and not inside
        inside = inside and not (needs_own_threshold(markets[reserve.market]) and reserve.threshold_bps == 0)
        threshold, bonus = reserve.threshold_bps, reserve.bonus_bps
        if inside and category is not None:
            threshold, bonus = (
                whole_bps(wad) for wad in (category.liquidation_threshold_wad, category.liquidation_bonus_wad)
            )
        found.append(_Terms(quote, threshold, bonus, has_left))
    return found


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
