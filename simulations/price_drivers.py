"""What the prices of a market follow: the asset behind each feed, and prices that categories have of their own."""

from collections.abc import Mapping

import pandas as pd

from chain.tables import each_row
from graph.price_findings import UNMOVED, findings
from simulations.book import Asset, CategoryPrice, Reserve

Driver = tuple[str | None, bool, int]
"""(asset whose market price it follows, never moves, deviation in bps)."""


def category_prices(
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
    drivers, found, told = drivers_of(tables), [], []
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


def drivers_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, Driver]:
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
