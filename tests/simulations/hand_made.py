"""Small markets made by hand: one generic market, prices in whole dollars, and, if wanted, one constant-product pool."""

from collections.abc import Sequence
from typing import Any

from chain.snapshot import Snapshot, from_rows
from graph.build import build
from simulations.book import Book
from simulations.book_of_graph import from_graph

WAD = 10**18
MARKET = "file:market/hand"
EVIDENCE = {"evidence": "by hand", "status": "file"}
DECIMALS = {"ETH": 18, "STETH": 18, "USDC": 6}


def snapshot(
    positions: Sequence[tuple[str, str, str, float]],
    prices: dict[str, float],
    threshold_bps: int = 8_000,
    bonus_bps: int = 10_500,
    close_factor_bps: int = 5_000,
    pool: tuple[float, float] | None = None,
    backing_rate: float | None = None,
) -> Snapshot:
    """Positions are (name, asset, side, whole tokens), a `supply` is lent and not posted; `pool` is whole ETH and whole USDC; `backing_rate` makes STETH a claim on ETH."""
    rows: dict[str, list[Any]] = {
        name: [] for name in ("assets", "protocols", "markets", "reserves", "positions", "prices", "entities")
    }
    rows["protocols"].append({"protocol": "hand", "name": "Hand", "kind": "lending", **EVIDENCE})
    rows["markets"].append(
        {
            "market": MARKET, "chain": "file", "protocol": "hand", "instance": "", "address": "hand", "family": "generic",
            "base_asset": "iso4217:USD", "base_unit_raw": WAD, "loss_rule": "zombie", **EVIDENCE,
        }
    )  # fmt: skip
    rows["assets"].append({"asset": "iso4217:USD", "symbol": "USD", "decimals": 2, "kind": "fiat", **EVIDENCE})
    for number, (symbol, price) in enumerate(prices.items()):
        unit = 10 ** DECIMALS[symbol]
        total = {
            side: round(sum(amount for _, asset, kind, amount in positions if asset == symbol and kind == side) * unit)
            for side in ("collateral", "supply", "debt")
        }
        kind = {"USDC": "stablecoin", "STETH": "staked"}.get(symbol, "token")
        rows["assets"].append(
            {"asset": symbol, "symbol": symbol, "decimals": DECIMALS[symbol], "kind": kind, **EVIDENCE}
        )
        rows["reserves"].append(
            {
                "market": MARKET, "asset": symbol, "reserve_index": number, "supply_index_raw": 1, "supply_index_unit_raw": 1,
                "borrow_index_raw": 1, "borrow_index_unit_raw": 1, "supplied_stored_raw": total["supply"], "borrowed_stored_raw": total["debt"],
                "cash_raw": total["supply"], "collateral_raw": total["collateral"], "active": True, "frozen": False, "paused": False, "borrowable": True,
                "liquidation_threshold_wad": threshold_bps * 10**14, "liquidation_bonus_wad": bonus_bps * 10**14,
                "close_factor_wad": close_factor_bps * 10**14, "accrual_unit": "second", **EVIDENCE,
            }
        )  # fmt: skip
        rows["prices"].append(
            {
                "market": MARKET,
                "asset": symbol,
                "price_raw": round(price * WAD),
                "decimals": 18,
                "quote_asset": "iso4217:USD",
                "price_usd": price,
                **EVIDENCE,
            }
        )
    for name, symbol, side, amount in positions:
        raw = round(amount * 10 ** DECIMALS[symbol])
        rows["positions"].append(
            {
                "market": MARKET, "position_id": name, "asset": symbol, "side": side, "owner": f"file:account/{name}", "stored_raw": raw,
                "index_raw": 1, "index_unit_raw": 1, "amount_raw": raw, "collateral_enabled": side == "collateral", "category": 0, **EVIDENCE,
            }
        )  # fmt: skip
    for name in dict.fromkeys(name for name, _, _, _ in positions):
        rows["entities"].append({"entity": f"file:account/{name}", "kind": "account", "name": name, **EVIDENCE})
    if pool is not None:
        rows["pools"] = [
            {
                "pool": "file:pool/eth-usdc",
                "chain": "file",
                "protocol": "hand",
                "kind": "constant_product",
                "fee_wad": 3 * 10**15,
                **EVIDENCE,
            }
        ]
        rows["pool_assets"] = [
            {
                "pool": "file:pool/eth-usdc",
                "asset": symbol,
                "slot": slot,
                "reserve_raw": round(amount * 10 ** DECIMALS[symbol]),
                **EVIDENCE,
            }
            for slot, (symbol, amount) in enumerate(zip(("ETH", "USDC"), pool, strict=True))
        ]
    if backing_rate is not None:
        rows["backings"] = [
            {
                "claim": "STETH",
                "backing": "ETH",
                "holder": "file:account/staking",
                "amount_raw": 10**24,
                "rate_wad": round(backing_rate * WAD),
                "redemption": "queue",
                **EVIDENCE,
            }
        ]
        rows["entities"].append({"entity": "file:account/staking", "kind": "account", "name": "staking", **EVIDENCE})
    return from_rows("hand", (), rows)


def book(*arguments: Any, **options: Any) -> Book:
    """The book of `snapshot(...)`."""
    return from_graph(build(snapshot(*arguments, **options)))
