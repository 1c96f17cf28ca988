"""Generated lending worlds: positions from a list of draws, reserves that state exactly their sums."""

from typing import Any

import numpy as np

from chain.snapshot import Snapshot
from tests.graph.small_world import ADDRESSES, CHAIN, MARKET, RAY, Rows, small_rows, small_world

DECIMALS = {"weth": 18, "lsteth": 18, "usdc": 6}
Draw = tuple[int, str, str, int, bool]


def world_of(draws: list[Draw]) -> Rows:
    """Tables of a world with one position for each (owner, asset, side, amount in smallest units, enabled), keys distinct."""
    rows = small_rows()
    pattern = rows["positions"][0]
    positions: list[dict[str, Any]] = []
    for owner, asset, side, amount, enabled in draws:
        who = f"{CHAIN}:0x{owner + 1:040x}"
        positions.append(
            {
                **pattern,
                "position_id": who,
                "owner": who,
                "asset": f"{CHAIN}/erc20:{ADDRESSES[asset]}",
                "side": side,
                "stored_raw": amount,
                "amount_raw": amount,
                "collateral_enabled": enabled and side == "supply",
            }
        )
    for reserve in rows["reserves"]:
        own = [row for row in positions if row["asset"] == reserve["asset"]]
        assert isinstance(reserve, dict)
        reserve |= {
            "supply_index_raw": RAY,
            "supplied_stored_raw": sum(row["amount_raw"] for row in own if row["side"] == "supply"),
            "borrowed_stored_raw": sum(row["amount_raw"] for row in own if row["side"] == "debt"),
        }
    return {**rows, "positions": [*positions], "queues": [], "assets": [_bare(row) for row in rows["assets"]]}


def crowd(accounts: int, seed: int = 7) -> Snapshot:
    """A world of so many accounts, each with two supplies and a debt of heavy-tailed size."""
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(0, 2, (accounts, 3))
    draws: list[Draw] = []
    for owner in range(accounts):
        for asset, side, size in zip(
            ("weth", "lsteth", "usdc"), ("supply", "supply", "debt"), sizes[owner], strict=True
        ):
            draws.append((owner, asset, side, int(size * 10 ** DECIMALS[asset]) + 1, True))
    return small_world(world_of(draws))


def _bare(row: Any) -> dict[str, Any]:
    return {**row, "total_supply_raw": None}


__all__ = ["MARKET", "crowd", "world_of"]
