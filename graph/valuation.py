"""What a whole token is worth in USD, and how that is known.

A market values what it holds with its own price. Elsewhere (pools, balances, backings) an asset has one price: that of the market
where most of it is supplied. One-to-one forms and receipts take the price of what they stand for, times the rate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import whole_tokens

DOLLAR = "iso4217:USD"


@dataclass(frozen=True)
class Price:
    """USD per whole token and the way it was derived, in words."""

    usd: float
    path: str


@dataclass(frozen=True)
class Prices:
    """All prices of a snapshot: as each market sees them, and one for each asset."""

    in_market: Mapping[tuple[str, str], Price]
    of_asset: Mapping[str, Price]
    decimals: Mapping[str, int]

    def usd(self, asset: str, market: str | None = None) -> float | None:
        """USD per whole token: the market's own price where it has one, otherwise the asset's; None where there is none."""
        price = self.in_market.get((market, asset)) if market is not None else None
        price = price or self.of_asset.get(asset)
        return price.usd if price else None

    def value(self, amount_raw: int | None, asset: str, market: str | None = None) -> float | None:
        """USD value of an amount in smallest units; None where there is no amount or no price."""
        price = self.usd(asset, market)
        if amount_raw is None or price is None or asset not in self.decimals:
            return None
        return whole_tokens(amount_raw, self.decimals[asset]) * price

    def values(self, frame: pd.DataFrame, amount: str, asset: str, market: str | None = None) -> list[float | None]:
        """USD value of each row of `frame`, from the columns that hold the amount, the asset and the market."""
        markets: Iterable[str | None] = frame[market].tolist() if market else [None] * len(frame)
        keys = list(zip(frame[asset].tolist(), markets, strict=True))
        unit = {key: (self.usd(*key), 10 ** self.decimals.get(key[0], 0)) for key in set(keys)}
        return [
            None
            if raw is None or unit[key][0] is None or key[0] not in self.decimals
            else raw / unit[key][1] * unit[key][0]
            for raw, key in zip(frame[amount].tolist(), keys, strict=True)
        ]


def prices(snapshot: Snapshot, wraps: pd.DataFrame) -> Prices:
    """Every price that the snapshot's tables support.

    Parameters
    ----------
    snapshot : `prices.price_usd` is used where it is given; otherwise the raw price times the USD price of its quote asset. A price of 0
        is an oracle's word for none (Compound's PriceOracle.getUnderlyingPrice: "Zero means the price is unavailable").
    wraps : the graph's relation of that name (source, target, rate): receipts and wrapped coins.
    """
    supplied = {
        (row.market, row.asset): row.supplied_stored_raw * row.supply_index_raw // max(1, row.supply_index_unit_raw)
        + (0 if pd.isna(row.collateral_raw) else row.collateral_raw)
        for row in each_row(snapshot["reserves"])
    }
    in_market: dict[tuple[str, str], Price] = {}
    of_asset: dict[str, Price] = {DOLLAR: Price(1.0, "definition")}
    waiting = []
    for row in each_row(snapshot["prices"]):
        if row.price_raw == 0 or row.price_usd == 0:
            continue
        if pd.isna(row.price_usd):
            waiting.append(row)
        else:
            path = row.usd_path if isinstance(row.usd_path, str) else "stated by the table"
            in_market[row.market, row.asset] = Price(float(row.price_usd), path)
    while True:
        of_asset |= _most_supplied(in_market, supplied)
        ready = [row for row in waiting if row.quote_asset in of_asset]
        if not ready:
            break
        waiting = [row for row in waiting if row.quote_asset not in of_asset]
        for row in ready:
            quote = of_asset[row.quote_asset]
            path = f"price in {row.quote_asset}" + ("" if row.quote_asset == DOLLAR else f" x ({quote.path})")
            in_market[row.market, row.asset] = Price(whole_tokens(row.price_raw, row.decimals) * quote.usd, path)
    decimals = dict(zip(snapshot["assets"]["asset"].tolist(), snapshot["assets"]["decimals"].tolist(), strict=True))
    decimals |= {target: decimals[source] for source, target in _pairs(wraps) if target not in decimals}
    return Prices(in_market, _through_wraps(of_asset, wraps), decimals)


def _most_supplied(
    in_market: Mapping[tuple[str, str], Price], supplied: Mapping[tuple[str, str], int]
) -> dict[str, Price]:
    """One price an asset: of the market with most of it, lent or posted, ties by the market's key."""
    chosen: dict[str, Price] = {}
    for (market, asset), price in sorted(in_market.items(), key=lambda item: (-supplied.get(item[0], 0), item[0])):
        chosen.setdefault(asset, Price(price.usd, f"{market}: {price.path}"))
    return chosen


def _through_wraps(of_asset: Mapping[str, Price], wraps: pd.DataFrame) -> dict[str, Price]:
    """Prices with those that follow along one-to-one forms and receipts, in both directions, until nothing is added."""
    known = dict(of_asset)
    rows = [(row.source, row.target, float(row.rate)) for row in each_row(wraps)]
    for _ in range(len(rows) + 1):
        before = len(known)
        for form, base, rate in rows:
            if base in known and form not in known:
                known[form] = Price(known[base].usd * rate, f"{rate:.12g} x {base}; {known[base].path}")
            if form in known and base not in known and rate > 0:
                known[base] = Price(known[form].usd / rate, f"{form} / {rate:.12g}; {known[form].path}")
        if len(known) == before:
            break
    return known


def _pairs(wraps: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(wraps["source"].tolist(), wraps["target"].tolist(), strict=True))
