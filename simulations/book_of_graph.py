"""The book of a protocol graph: its tables, read into the arrays of `simulations.book`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.networks import placed
from chain.tables import each_row
from chain.units import BPS_TO_WAD, WAD
from graph.protocol_graph import ProtocolGraph
from graph.valuation import DOLLAR
from simulations.book import Asset, Book, CategoryPrice, Market, Pool, Reserve
from simulations.price_drivers import category_prices, drivers_of
from simulations.rules import needs_own_threshold, works_out_bonus
from simulations.venues.from_tables import venue_of
from simulations.what_is_simulated import (
    failed_comparisons,
    simulated_tables,
    told_by_feeds,
    told_by_prices,
    usd_of_assets,
)

DEFAULT_BONUS_BPS = 10_000
NO_SLOT = 255  # no bit of a category bitmap: the asset stands outside the market's list


def from_graph(graph: ProtocolGraph) -> Book:
    """The graph as arrays.

    Raises
    ------
    InputError
        If a reserve that somebody holds has no price in its market: the file or reader that left it out is named by the key.
    """
    markets = _markets(graph.snapshot.tables)
    tables, left_out = simulated_tables(graph.snapshot.tables, markets, usd_of_assets(graph))
    markets = _markets(tables)
    asset_keys = sorted(set(tables["assets"]["asset"]))
    asset_index = {key: number for number, key in enumerate(asset_keys)}
    market_index = {key: number for number, key in enumerate(tables["markets"]["market"])}
    assets = _assets(tables["assets"], graph, asset_keys)
    reserves = _reserves(tables, markets, asset_index, market_index)
    own_prices, told = category_prices(tables, reserves, assets, asset_index, market_index)
    backings = tuple(
        (asset_index[claim], asset_index[backing], rate)
        for claim, backing, rate in _backing_rows(graph)
        if claim in asset_index and backing in asset_index
    )
    symbols: dict[str, list[int]] = {}
    for number, asset in enumerate(assets):
        symbols.setdefault(asset.symbol.lower(), []).append(number)
    return Book(
        assets=assets,
        markets=markets,
        reserves=reserves,
        pools=_pools(tables, asset_index, assets),
        backings=backings,
        timestamp=max((anchor.timestamp for anchor in graph.snapshot.anchors), default=0),
        content_id=graph.snapshot.content_id,
        caption=graph.snapshot.caption,
        symbols={symbol: tuple(numbers) for symbol, numbers in symbols.items()},
        category_prices=own_prices,
        notes=(
            *left_out,
            *told,
            *told_by_prices(tables, usd_of_assets(graph)),
            *told_by_feeds(tables),
            *failed_comparisons(graph),
        ),
        **_positions(tables, markets, reserves, own_prices, asset_index, market_index),
    )


def _markets(tables: Mapping[str, pd.DataFrame]) -> tuple[Market, ...]:
    names = dict(zip(tables["protocols"]["protocol"], tables["protocols"]["name"], strict=True))
    chains = set(tables["markets"]["chain"])
    return tuple(
        Market(
            row.market,
            placed(
                ", ".join(part for part in (names.get(row.protocol, row.protocol), row.instance) if part),
                row.market,
                chains,
            ),
            row.family,
            _maybe_int(row.revision),
            row.loss_rule,
        )
        for row in each_row(tables["markets"])
    )


def _backing_rows(graph: ProtocolGraph) -> list[tuple[str, str, float]]:
    """(claim, backing, rate) from backs, and from wraps where nothing else is known."""
    rates = {
        (row.target, row.source): float(row.rate) for row in each_row(graph.relations["backs"]) if pd.notna(row.rate)
    }
    for row in each_row(graph.relations["wraps"]):
        if pd.isna(row.market):
            rates.setdefault((row.source, row.target), float(row.rate))
    return [(claim, backing, rate) for (claim, backing), rate in sorted(rates.items())]


def _assets(table: pd.DataFrame, graph: ProtocolGraph, keys: list[str]) -> tuple[Asset, ...]:
    """Assets with the price that the world trades them at: that of the market where most is supplied (`graph.valuation`)."""
    known = usd_of_assets(graph)
    for claim, backing, rate in _backing_rows(graph):
        if backing not in known and claim in known and rate > 0:
            known[backing] = known[claim] / rate
    by_key = {row.asset: row for row in each_row(table)}
    return tuple(
        Asset(key, by_key[key].symbol, int(by_key[key].decimals), by_key[key].kind, known.get(key, float("nan")))
        for key in keys
    )


def _reserves(
    tables: Mapping[str, pd.DataFrame],
    markets: Sequence[Market],
    asset_index: Mapping[str, int],
    market_index: Mapping[str, int],
) -> tuple[Reserve, ...]:
    prices = {(row.market, row.asset): row for row in each_row(tables["prices"])}
    drivers = drivers_of(tables)
    reserves = []
    for row in each_row(tables["reserves"]):
        price = prices.get((row.market, row.asset))
        if price is None:
            raise InputError(f"{row.asset} has no price in {row.market}; a book needs the price of every asset in it")
        driver, fixed, deviation = (
            drivers.get(row.price_source, (None, False, 0)) if pd.notna(row.price_source) else (None, False, 0)
        )
        reserves.append(
            Reserve(
                market=market_index[row.market],
                asset=asset_index[row.asset],
                slot=NO_SLOT if pd.isna(row.reserve_index) else int(row.reserve_index),
                supply_index=row.supply_index_raw,
                supply_unit=row.supply_index_unit_raw,
                debt_index=row.borrow_index_raw,
                debt_unit=row.borrow_index_unit_raw,
                held_raw=row.cash_raw + (row.collateral_raw or 0),
                treasury_stored=row.treasury_stored_raw or 0,
                threshold_bps=_bps(row.liquidation_threshold_wad),
                bonus_bps=_bonus_bps(row.liquidation_bonus_wad, markets[market_index[row.market]]),
                fee_bps=_bps(row.liquidation_fee_wad),
                close_factor_bps=_bps(row.close_factor_wad) if row.close_factor_wad is not None else None,
                active=bool(row.active),
                paused=bool(row.paused) or (pd.notna(row.liquidatable) and not row.liquidatable),
                grace_until=_maybe_int(row.grace_until) or 0,
                price_raw=price.price_raw,
                price_decimals=int(price.decimals),
                driver=asset_index[driver or row.asset],
                fixed_price=fixed,
                deviation_bps=deviation,
                quote=None if price.quote_asset == DOLLAR else asset_index.get(price.quote_asset),
            )
        )
    return tuple(reserves)


def _pools(
    tables: Mapping[str, pd.DataFrame], asset_index: Mapping[str, int], assets: tuple[Asset, ...]
) -> tuple[Pool, ...]:
    sides = {pool: list(each_row(some.sort_values("slot"))) for pool, some in tables["pool_assets"].groupby("pool")}
    ticks = {pool: list(each_row(some)) for pool, some in tables["pool_ticks"].groupby("pool")}
    found = []
    for row in each_row(tables["pools"]):
        held = sides.get(row.pool, [])
        decimals = [assets[asset_index[side.asset]].decimals for side in held]
        venue = venue_of(row, held, ticks.get(row.pool, []), decimals)
        if venue is None or len(held) != 2:
            continue
        first, second = held
        found.append(
            Pool(
                row.pool,
                asset_index[first.asset],
                asset_index[second.asset],
                first.reserve_raw,
                second.reserve_raw,
                row.fee_wad,
                venue,
            )
        )
    return tuple(found)


def _positions(
    tables: Mapping[str, pd.DataFrame],
    markets: Sequence[Market],
    reserves: tuple[Reserve, ...],
    category_prices: tuple[CategoryPrice, ...],
    asset_index: Mapping[str, int],
    market_index: Mapping[str, int],
) -> dict[str, Any]:
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
                _bps(category.liquidation_threshold_wad) if inside and category is not None else reserve.threshold_bps
            )
            bonus.append(_bps(category.liquidation_bonus_wad) if inside and category is not None else reserve.bonus_bps)
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


def _bonus_bps(wad: int | None, market: Market) -> int:
    """Liquidation bonus in basis points, rounded up where the rule works it out by itself."""
    if wad is not None and works_out_bonus(market):
        return -(-wad // BPS_TO_WAD)
    return _bps(wad) or DEFAULT_BONUS_BPS


def _bps(wad: int | None) -> int:
    """Basis points from a wad; InputError where the value is no whole number of them (rules here count in basis points)."""
    if wad is None:
        return 0
    if wad % BPS_TO_WAD:
        raise InputError(
            f"{wad / WAD} is no whole number of basis points; the rules of this market count in basis points"
        )
    return wad // BPS_TO_WAD


def _maybe_int(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
