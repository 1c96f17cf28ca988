"""Reserves of a book: what each market says of each asset, its terms and its price, and which asset that price follows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from chain.units import BPS_TO_WAD, WAD
from graph.exposures.price_findings import UNMOVED, findings
from graph.valuation import DOLLAR
from simulations.book import Asset, CategoryPrice, Market, Reserve
from simulations.rules import works_out_bonus

DEFAULT_BONUS_BPS = 10_000
NO_SLOT = 255  # no bit of a category bitmap: the asset stands outside the market's list
Driver = tuple[str | None, bool, int]


def reserves_of(
    tables: Mapping[str, pd.DataFrame],
    markets: Sequence[Market],
    asset_index: Mapping[str, int],
    market_index: Mapping[str, int],
) -> tuple[Reserve, ...]:
    """Reserves in the order of the table; assets and markets by their number in the book.

    Raises
    ------
    InputError
        If a reserve has no price in its market, or terms that are no whole basis points.
    """
    prices = {(row.market, row.asset): row for row in each_row(tables["prices"])}
    drivers = _drivers(tables)
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
                threshold_bps=whole_bps(row.liquidation_threshold_wad),
                bonus_bps=_bonus_bps(row.liquidation_bonus_wad, markets[market_index[row.market]]),
                fee_bps=whole_bps(row.liquidation_fee_wad),
                close_factor_bps=whole_bps(row.close_factor_wad) if row.close_factor_wad is not None else None,
                active=bool(row.active),
                paused=bool(row.paused) or (pd.notna(row.liquidatable) and not row.liquidatable),
                grace_until=maybe_int(row.grace_until) or 0,
                price_raw=price.price_raw,
                price_decimals=int(price.decimals),
                driver=asset_index[driver or row.asset],
                fixed_price=fixed,
                deviation_bps=deviation,
                quote=None if price.quote_asset == DOLLAR else asset_index.get(price.quote_asset),
            )
        )
    return tuple(reserves)


def category_prices_of(
    tables: Mapping[str, pd.DataFrame],
    reserves: tuple[Reserve, ...],
    assets: tuple[Asset, ...],
    asset_index: Mapping[str, int],
    market_index: Mapping[str, int],
) -> tuple[tuple[CategoryPrice, ...], tuple[str, ...]]:
    """(prices that categories have of their own, what was assumed about them).

    Where the feed behind such a price was not read, it follows what all members of the category follow; where they follow different
    assets, it stays as it is. A price of 0 is none (@aave/core-v3 1.19.3, GenericLogic.calculateUserAccountData).
    """
    drivers, found, told = _drivers(tables), [], []
    for row in each_row(tables["categories"]):
        if not row.price_raw:
            continue
        market = market_index[row.market]
        members = [one for one in reserves if one.market == market and (row.collateral_bitmap or 0) >> one.slot & 1]
        if not members:
            continue
        driver, fixed, deviation = drivers.get(row.price_source, (None, False, 0))
        followed = {one.driver for one in members}
        if driver is None and not fixed:
            fixed = len(followed) > 1
            does = "stays as it is" if fixed else f"follows {assets[min(followed)].symbol}, as its members do"
            told.append(
                f"category {int(row.category)} of {row.market} has a price of its own, whose feed was not read; here it {does}"
            )
        found.append(
            CategoryPrice(
                market=market,
                category=int(row.category),
                price_raw=row.price_raw,
                price_decimals=members[0].price_decimals,
                driver=min(followed) if driver is None else asset_index[driver],
                fixed_price=fixed,
                deviation_bps=deviation,
                quote=members[0].quote,
            )
        )
    return tuple(found), tuple(told)


def _drivers(tables: Mapping[str, pd.DataFrame]) -> dict[str, Driver]:
    """Price source -> (asset whose market price its feed follows, never moves, deviation in bps).

    A feed follows the asset that a market prices by that very feed; a chain of adapters follows what its last feed follows. So a
    staked token priced as ratio x ether/USD moves with ether, whatever it trades at. What multiplies several feeds follows its own asset.
    A source without any feed that moves (hard-coded, or an exchange rate alone) never moves.
    """
    direct = {row.source: row.asset for row in each_row(tables["prices"]) if pd.notna(row.source)}
    found, result = findings(tables["feeds"]), dict[str, Driver]()
    for source, steps in tables["feeds"].groupby("source", sort=True):
        moving = steps[(steps["kind"] == "feed") & (steps["state"] != "hard_coded")]
        last = (moving if len(moving) else steps).sort_values("step").iloc[-1]
        driver = direct.get(last.address) if len(steps) > 1 and len(moving) < 2 else None
        deviation = 0 if pd.isna(last.deviation_bps) else int(last.deviation_bps)
        result[str(source)] = (driver, found.get(str(source)) in UNMOVED, deviation)
    return result


def _bonus_bps(wad: int | None, market: Market) -> int:
    """Liquidation bonus in basis points, rounded up where the rule works it out by itself."""
    if wad is not None and works_out_bonus(market):
        return -(-wad // BPS_TO_WAD)
    return whole_bps(wad) or DEFAULT_BONUS_BPS


def whole_bps(wad: int | None) -> int:
    """Basis points from a wad; InputError where the value is no whole number of them (rules here count in basis points)."""
    if wad is None:
        return 0
    if wad % BPS_TO_WAD:
        raise InputError(
            f"{wad / WAD} is no whole number of basis points; the rules of this market count in basis points"
        )
    return wad // BPS_TO_WAD


def maybe_int(value: Any) -> int | None:
    """A whole number of a cell; None where it is empty."""
    return None if pd.isna(value) else int(value)
