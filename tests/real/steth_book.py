"""The accounts that had stETH at Aave V2 in June 2023, as a book: amounts, prices in ether and per-asset thresholds of the source files.

The files state, for each account, its totals in ether, its average threshold (whole basis points, rounded down by the contract) and its
health factor; amounts of stETH and of some other assets. What a total has beyond the listed assets becomes one asset of its own,
`other:<account>`, with the threshold that is needed to reach the stated average. An account whose listed assets exceed its total by more
than 1e-4 has assets that do not count as collateral; it cannot be rebuilt and is left out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.real.files import DATA

FOLDER = "lido-aave-steth-positions"
FILES = ("b21_debt_stables.csv", "b31_eth_wbtc_stables.csv")
STABLES = ("usdc", "usdt", "dai", "fei", "tusd", "susd", "usdp", "frax", "gusd", "busd")
THRESHOLDS = {"stETH": 0.83, "weth": 0.86}
"""Not in the files: stETH is the stated average of every account that has nothing else; WETH is what the ten accounts with it imply."""
COMPLETE = 1e-6
MISFIT = 1e-4


@dataclass(frozen=True)
class Account:
    """One account: totals as stated, and legs (asset, side, whole tokens, price in ether, threshold as a ratio)."""

    user: str
    collateral: float
    debt: float
    threshold_bps: int
    health_factor: float
    legs: tuple[tuple[str, str, float, float, float], ...]

    def total(self, side: str, weighted: bool = False) -> float:
        """Value of one side in ether; times thresholds where `weighted`."""
        return sum(
            amount * price * (limit if weighted else 1.0) for _, name, amount, price, limit in self.legs if name == side
        )


def accounts(folder: Path = DATA / FOLDER) -> list[Account]:
    """Accounts of both files, with the listed assets only."""
    return [account for name in FILES for account in _read(folder / name)]


def _read(path: Path) -> list[Account]:
    table = pd.read_csv(path, dtype=str)
    found = []
    for row in table.to_dict("records"):
        legs = [
            (
                "stETH",
                "collateral",
                float(row["amount"]),
                round(float(row["collateral_steth_calc"]) / float(row["amount"]), 14),
                THRESHOLDS["stETH"],
            )
        ]
        if float(row.get("weth_collateral", 0)):
            legs.append(("weth", "collateral", float(row["weth_collateral"]) / 1e18, 1.0, THRESHOLDS["weth"]))
        for asset in (*STABLES, "wbtc"):
            if f"{asset}_price" not in row:
                continue
            unit, price, limit = (
                10 ** int(row[f"{asset}_decimals"]),
                int(row[f"{asset}_price"]) / 1e18,
                float(row[f"{asset}_threshold"]),
            )
            legs.append((asset, "debt", float(row[asset]) / unit, price, limit))
            legs.append((asset, "collateral", float(row.get(f"{asset}_collateral") or 0) / unit, price, limit))
        legs.append(("weth", "debt", float(row["ethdebt"]), 1.0, THRESHOLDS["weth"]))
        found.append(
            Account(
                row["user"],
                float(row["collateral"]),
                float(row["debt"]),
                int(row["threshold"]),
                float(row["healthf"]),
                tuple(leg for leg in legs if leg[2] > 0),
            )
        )
    return found


@dataclass(frozen=True)
class Rebuilt:
    """Errors of what the listed assets give against what the file states; `completed` are the accounts with an `other` where it was needed."""

    table: pd.DataFrame
    completed: tuple[Account, ...]


def rebuild(found: list[Account]) -> Rebuilt:
    """Rebuild totals and health factors.

    Returns
    -------
    Rebuilt
        `table`: user, stated and rebuilt collateral and debt (ether), threshold_bps and threshold_found_bps (rounded down as
        GenericLogic.calculateUserAccountData does), health_factor and health_factor_found, complete (both totals within 1e-6), left_out.
    """
    rows, completed = [], []
    for one in found:
        collateral, debt, weighted = one.total("collateral"), one.total("debt"), one.total("collateral", weighted=True)
        missing, owed = one.collateral - collateral, one.debt - debt
        complete = abs(missing) <= COMPLETE * one.collateral and abs(owed) <= COMPLETE * one.debt
        limit = (
            (one.collateral * one.threshold_bps / 1e4 - weighted) / missing
            if missing > MISFIT * one.collateral
            else 0.0
        )
        left_out = missing < -MISFIT * one.collateral or owed < -MISFIT * one.debt or not -0.005 <= limit < 0.95
        rows.append(
            {
                "user": one.user,
                "collateral": one.collateral,
                "collateral_found": collateral,
                "debt": one.debt,
                "debt_found": debt,
                "threshold_bps": one.threshold_bps,
                "threshold_found_bps": int(np.floor(weighted / collateral * 1e4 + 1e-6)),
                "health_factor": one.health_factor,
                "health_factor_found": weighted / debt,
                "complete": complete,
                "left_out": left_out,
            }
        )
        if not left_out:
            extra = []
            if missing > MISFIT * one.collateral:
                extra.append((f"other:{one.user}", "collateral", missing, 1.0, max(limit, 0.0)))
            if owed > MISFIT * one.debt:
                extra.append((f"owed:{one.user}", "debt", owed, 1.0, 0.0))
            completed.append(
                Account(one.user, one.collateral, one.debt, one.threshold_bps, one.health_factor, (*one.legs, *extra))
            )
    return Rebuilt(pd.DataFrame(rows), tuple(completed))


def book_table(found: list[Account] | tuple[Account, ...]) -> pd.DataFrame:
    """The accounts as a book file (DESIGN of our own files: market, position_id, asset, side, amount, price, quote, threshold_bps, bonus_bps).

    The bonus is 750 bps for every asset: what the market's stETH had then is not in the source; only liquidations would read it.
    """
    return pd.DataFrame(
        {
            "market": "aave-v2-steth-2023-06",
            "position_id": one.user,
            "asset": asset,
            "side": side,
            "amount": f"{amount:.18f}",
            "price": f"{price:.15f}",
            "quote": "ETH",
            "threshold_bps": round(limit * 1e4) if side == "collateral" else "",
            "bonus_bps": 750 if side == "collateral" else "",
        }
        for one in found
        for asset, side, amount, price, limit in one.legs
    )
