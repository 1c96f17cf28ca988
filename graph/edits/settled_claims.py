"""A file of exposures after claims were taken out or changed: as the file with those rows would be read.

The file is all there is: what is claimed on a name is the sum of its rows, and a name on which nobody has a claim any more is a holder like
any other (`chain.files.exposure_file`). On chain it is otherwise: whoever was not read holds the rest.
"""

from dataclasses import replace
from typing import Any

import pandas as pd

from chain.errors import InputError
from chain.files.claim_totals import claim_totals
from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import UINT256_MAX
from graph.edits.tables import with_rows, with_values, without, without_where


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with totals and rates that follow its claims; one that is not of exposures is given back as it is."""
    if "exposures" not in snapshot.readers:
        return snapshot
    left = snapshot
    for table in ("balances", "backings"):  # a claim of nothing is no claim
        left = without(left, table, [raw == 0 for raw in left[table]["amount_raw"].tolist()])
    claimed, rates = _totals(left)
    too_much = next((name for name, raw in claimed.items() if raw > UINT256_MAX), None)
    if too_much is not None:
        symbol = left["assets"].set_index("asset").at[too_much, "symbol"]
        raise InputError(f"the claims on {symbol} would add up to more than fits a uint256; give a smaller factor")
    for name in left["assets"]["asset"].tolist():
        if name in claimed:
            continue
        holdings = [row for row in each_row(left["backings"]) if row.claim == name]
        if holdings:
            left = _as_account(left, name, holdings)
        if name in set(left["prices"]["asset"]):
            left = without_where(without_where(left, "assets", "asset", [name]), "prices", "asset", [name])
    assets, backings = left["assets"], left["backings"]
    supply = [claimed.get(name, raw) for name, raw in zip(assets["asset"], assets["total_supply_raw"], strict=True)]
    rate = [rates[name] for name in backings["claim"].tolist()]
    tables = {
        "assets": assets.assign(total_supply_raw=pd.Series(supply, index=assets.index, dtype=object)),
        "backings": backings.assign(rate_wad=pd.Series(rate, index=backings.index, dtype=object)),
    }
    return replace(left, tables={**left.tables, **tables})


def _totals(snapshot: Snapshot) -> tuple[dict[str, int], dict[str, int]]:
    """As `chain.files.claim_totals` gives them, by key."""
    assets, held, backed = (snapshot[table] for table in ("assets", "balances", "backings"))
    claims = [
        *zip(held["holder"], held["asset"], held["amount_raw"], strict=True),
        *zip(backed["claim"], backed["backing"], backed["amount_raw"], strict=True),
    ]
    return claim_totals(claims, dict(zip(assets["asset"], map(int, assets["decimals"]), strict=True)))


def _as_account(snapshot: Snapshot, name: str, holdings: list[Any]) -> Snapshot:
    """The claims of a name that owes nothing any more, as balances of an account."""
    holder = holdings[0].holder
    rows = [
        {"asset": row.backing, "holder": holder, "amount_raw": row.amount_raw}
        | {"evidence": row.evidence, "status": row.status}
        for row in holdings
    ]
    left = with_rows(without_where(snapshot, "backings", "claim", [name]), "balances", rows)
    return with_values(left, "entities", (left["entities"]["entity"] == holder).tolist(), kind="account")
