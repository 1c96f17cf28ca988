"""What prices are in USD where a market counts in a coin (Aave V2 counts in ether): the market's price times that coin's own.

The coin's price is that of a listed feed of the chain's native coin, where the market counts in the wrapped native coin; otherwise that
of another market of the snapshot that prices the same coin in USD. Nothing is asked here. Where there is neither, a gap says so.
"""

from dataclasses import dataclass
from typing import Any

from chain.findings import Findings
from chain.units import address_of, native_id


@dataclass(frozen=True)
class _Dollars:
    """USD for one whole coin, and how that is known."""

    usd: float
    path: str


def in_usd(found: Findings, native_symbol: str) -> None:
    """Fill `price_usd` and `usd_path` of prices that are quoted in a coin; all other rows must be there."""
    coins: dict[str, _Dollars | None] = {}
    for row in found.rows.get("prices", ()):
        quote = row["quote_asset"]
        if row["price_usd"] is not None:
            continue
        if quote not in coins:
            coins[quote] = _by_feed(found, quote, native_symbol) or _by_market(found, quote)
            if coins[quote] is None:
                found.gaps.append(
                    f"{row['market']} counts in {quote}, whose price in USD is not known: list the feed {native_symbol} / USD and "
                    "the wrapped coin in the deployments file, or a market that prices it in USD"
                )
        coin = coins[quote]
        if coin is not None:
            row["price_usd"] = row["price_raw"] / 10 ** row["decimals"] * coin.usd
            row["usd_path"] = f"{row['evidence'].removeprefix('call ')}, in a coin at {coin.path}"


def _by_feed(found: Findings, coin: str, native_symbol: str) -> _Dollars | None:
    """By the feed of the native coin that the deployments file lists, where the coin is that or its wrapped form."""
    token = None if coin == native_id(found.anchor.chain) else found.tokens.get(address_of(coin))
    if coin != native_id(found.anchor.chain) and (token is None or token.kind != "wrapped_native"):
        return None
    for row in found.rows.get("feeds", ()):
        listed = found.sources.get(address_of(row["source"]))
        if listed and listed[0] == f"{native_symbol} / USD" and row["step"] == 0 and row["kind"] == "feed":
            return _Dollars(row["value_raw"] / 10 ** row["decimals"], f"feed {listed[0]} {row['source']}")
    return None


def _by_market(found: Findings, coin: str) -> _Dollars | None:
    """By the first market that prices the coin in USD."""
    known: list[dict[str, Any]] = [
        row for row in found.rows["prices"] if row["asset"] == coin and row["price_usd"] is not None
    ]
    return _Dollars(known[0]["price_usd"], f"{known[0]['market']}: {known[0]['usd_path']}") if known else None
