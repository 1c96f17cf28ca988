"""A user's book as rows of the tables: markets of the family `generic`, reserves, positions, prices, assets, accounts.

A file asset gets as many decimals as its longest number needs, at least 18, so that every amount is exact.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chain.errors import InputError
from chain.units import BPS_TO_WAD, UINT256_MAX

SIDES = ("collateral", "debt")
CHAIN = "file"
"""Chain and protocol of everything that came in a file."""
LEAST_DECIMALS = 18


@dataclass(frozen=True)
class Line:
    """One row of a book: where it stands, and its values; numbers in 1e-4 are whole, an absent one is None."""

    where: str
    market: str
    position_id: str
    asset: str
    side: str
    amount: Decimal
    price: Decimal
    quote: str
    threshold_bps: int | None
    bonus_bps: int | None
    close_factor_bps: int | None
    owner: str
    category: int


def decimal_places(value: Decimal) -> int:
    """Digits after the point that the number needs; exact for any length (Decimal's own arithmetic stops at 28 digits)."""
    _, denominator = value.as_integer_ratio()
    places = 0
    while 10**places % denominator:
        places += 1
    return places


def most_places(numbers: Iterable[tuple[str, Decimal]]) -> dict[str, int]:
    """Decimals by name: what its longest number needs, at least 18."""
    places: dict[str, int] = {}
    for name, value in numbers:
        places[name] = max(places.get(name, LEAST_DECIMALS), decimal_places(value))
    return places


def exact(where: str, field: str, value: Decimal, decimals: int) -> int:
    """The number in smallest units, without a remainder; InputError if it is more than a table can hold."""
    numerator, denominator = value.as_integer_ratio()
    raw: int = numerator * 10**decimals // denominator
    if raw > UINT256_MAX:
        raise InputError(f"{where}: {field} is {value}, which is more than fits; give a smaller number")
    return raw


def _asset_key(symbol: str) -> str:
    return f"file:{symbol}"


def _account_key(name: str) -> str:
    return f"file:account/{name}"


def _currency_key(code: str) -> str:
    return "iso4217:USD" if code == "USD" else _asset_key(code)


def book_rows(lines: Sequence[Line]) -> dict[str, list[dict[str, Any]]]:
    """Rows by table, without a status; `lines` must not contradict each other."""
    decimals = most_places((line.asset, line.amount) for line in lines)
    price_decimals = most_places((line.market, line.price) for line in lines)
    markets = list({line.market: line for line in lines}.values())
    pairs: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        pairs.setdefault((line.market, line.asset), []).append(line)
    quotes = {line.quote for line in lines}
    evidence = {"evidence": "the user's file"}
    tables: dict[str, list[dict[str, Any]]] = {
        "protocols": [{"protocol": CHAIN, "name": "Book", "kind": "lending", **evidence}],
        "assets": [
            {"asset": _asset_key(symbol), "symbol": symbol, "decimals": decimals[symbol], "kind": "token", **evidence}
            for symbol in dict.fromkeys(line.asset for line in lines)
        ],
        "entities": [
            {"entity": _account_key(owner), "kind": "account", "name": owner, **evidence}
            for owner in dict.fromkeys(line.owner for line in lines)
        ],
        "markets": [],
        "reserves": [],
        "categories": [
            {"market": market, "category": category, **evidence}
            for market, category in dict.fromkeys((line.market, line.category) for line in lines if line.category)
        ],
    }
    tables["assets"] += [
        {
            "asset": _currency_key(quote),
            "symbol": quote,
            "decimals": 2 if quote == "USD" else LEAST_DECIMALS,
            "kind": "fiat" if quote == "USD" else "token",
            **evidence,
        }
        for quote in sorted(quotes)
        if _currency_key(quote) not in {row["asset"] for row in tables["assets"]}
    ]
    for line in markets:
        tables["markets"].append(
            {
                "market": line.market,
                "chain": CHAIN,
                "protocol": CHAIN,
                "instance": line.market,
                "address": "",
                "family": "generic",
                "base_asset": _currency_key(line.quote),
                "base_unit_raw": 10 ** price_decimals[line.market],
                "loss_rule": "zombie",
                **evidence,
            }
        )
    order: dict[str, int] = {}
    for (market, asset), here in pairs.items():
        index = order[market] = order.get(market, -1) + 1
        tables["reserves"].append(_reserve(here, index, decimals[asset]) | evidence)
    tables["prices"] = [_price(here[-1], price_decimals[here[-1].market]) | evidence for here in pairs.values()]
    tables["positions"] = [_position(line, decimals[line.asset]) for line in lines]
    return tables


def _reserve(here: Sequence[Line], index: int, decimals: int) -> dict[str, Any]:
    totals = {
        side: sum(exact(row.where, "amount", row.amount, decimals) for row in here if row.side == side)
        for side in SIDES
    }

    def stated(field: str) -> int | None:
        values: list[int] = [value for row in here if (value := getattr(row, field)) is not None]
        return values[0] if values else None

    threshold, bonus, close_factor = stated("threshold_bps"), stated("bonus_bps"), stated("close_factor_bps")
    return {
        "market": here[-1].market,
        "asset": _asset_key(here[-1].asset),
        "reserve_index": index,
        "supply_index_raw": 1,
        "supply_index_unit_raw": 1,
        "borrow_index_raw": 1,
        "borrow_index_unit_raw": 1,
        "supplied_stored_raw": 0,
        "borrowed_stored_raw": totals["debt"],
        "cash_raw": 0,
        "collateral_raw": totals["collateral"],
        "active": True,
        "frozen": False,
        "paused": False,
        "borrowable": True,
        "liquidation_threshold_wad": threshold * BPS_TO_WAD if threshold is not None else None,
        "liquidation_bonus_wad": (10_000 + bonus) * BPS_TO_WAD if bonus is not None else None,
        "close_factor_wad": close_factor * BPS_TO_WAD if close_factor is not None else None,
        "rate_model": "none",
        "accrual_unit": "second",
    }


def _price(line: Line, decimals: int) -> dict[str, Any]:
    in_usd = line.quote == "USD"
    return {
        "market": line.market,
        "asset": _asset_key(line.asset),
        "price_raw": exact(line.where, "price", line.price, decimals),
        "decimals": decimals,
        "quote_asset": _currency_key(line.quote),
        "price_usd": float(line.price) if in_usd else None,
        "usd_path": "the file quotes in USD" if in_usd else None,
    }


def _position(line: Line, decimals: int) -> dict[str, Any]:
    amount = exact(line.where, "amount", line.amount, decimals)
    return {
        "market": line.market,
        "position_id": line.position_id,
        "asset": _asset_key(line.asset),
        "side": line.side,
        "owner": _account_key(line.owner),
        "stored_raw": amount,
        "index_raw": 1,
        "index_unit_raw": 1,
        "amount_raw": amount,
        "collateral_enabled": line.side == "collateral",
        "category": line.category,
        "evidence": f"row {line.where.rsplit(' row ', 1)[1]} of the user's file",
    }
