"""What a reserve states in all, in smallest units: supplied, lent and owed. Each takes a row of the table `reserves`."""

from typing import Any

import pandas as pd


def supplied_raw(reserve: Any) -> int:
    """What all holders have in a reserve, in smallest units, rounded down: lent to the market, and posted without being lent."""
    lent: int = reserve.supplied_stored_raw * reserve.supply_index_raw // reserve.supply_index_unit_raw
    return lent + (0 if pd.isna(reserve.collateral_raw) else reserve.collateral_raw)


def lent_raw(reserve: Any) -> int:
    """What lenders have in a reserve, in smallest units, rounded down; what is owed to the protocol and not minted yet is in it, posted collateral is not."""
    stored = reserve.supplied_stored_raw + (0 if pd.isna(reserve.treasury_stored_raw) else reserve.treasury_stored_raw)
    return int(stored * reserve.supply_index_raw // reserve.supply_index_unit_raw)


def borrowed_raw(reserve: Any) -> int:
    """What all holders owe in a reserve, in smallest units, rounded down, debts at fixed rates included as the market adds them up."""
    owed = int(reserve.borrowed_stored_raw * reserve.borrow_index_raw // reserve.borrow_index_unit_raw)
    return owed + (0 if pd.isna(reserve.fixed_debt_raw) else int(reserve.fixed_debt_raw))
