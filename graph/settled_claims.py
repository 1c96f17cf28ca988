"""A file of exposures after claims were taken out or changed: as the file with those rows would be read.

The file is all there is: what is claimed on a name is the sum of its rows, and a name on which nobody has a claim any more is a holder like
any other (`chain.files.exposure_file`). On chain it is otherwise: whoever was not read holds the rest.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import WAD
from graph.changed_tables import with_rows, with_values, without_where


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with totals and rates that follow its claims; one that is not of exposures is given back as it is."""
    if "exposures" not in snapshot.readers:
        return snapshot
    claimed, has = _sums(snapshot)
    left = snapshot
    for name in left["assets"]["asset"].tolist():
        if claimed.get(name):
            continue
        holdings = [row for row in each_row(left["backings"]) if row.claim == name]
        if holdings:
            left = _as_account(left, name, holdings)
        if name in set(left["prices"]["asset"]):
            left = without_where(without_where(left, "assets", "asset", [name]), "prices", "asset", [name])
    assets = left["assets"]
    supply = [claimed.get(name, raw) for name, raw in zip(assets["asset"], assets["total_supply_raw"], strict=True)]
    left = replace(left, tables={**left.tables, "assets": assets.assign(total_supply_raw=pd.Series(supply, index=assets.index, dtype=object))})  # fmt: skip
    units = _units(left)
    for name in sorted(set(left["backings"]["claim"])):
        rate = min(WAD, int(WAD * has[name] / Fraction(claimed[name], units[name])))
        left = with_values(left, "backings", (left["backings"]["claim"] == name).tolist(), rate_wad=rate)
    return left


def _sums(snapshot: Snapshot) -> tuple[dict[str, int], dict[str, Fraction]]:
    """Name -> smallest units claimed on it; name -> USD that it has."""
    units = _units(snapshot)
    claimed: dict[str, int] = {}
    has: dict[str, Fraction] = {}
    for row in each_row(snapshot["balances"]):
        claimed[row.asset] = claimed.get(row.asset, 0) + row.amount_raw
    for row in each_row(snapshot["backings"]):
        claimed[row.backing] = claimed.get(row.backing, 0) + row.amount_raw
        has[row.claim] = has.get(row.claim, Fraction(0)) + Fraction(row.amount_raw, units[row.backing])
    return claimed, has


def _units(snapshot: Snapshot) -> dict[str, int]:
    assets = snapshot["assets"]
    return {name: 10 ** int(places) for name, places in zip(assets["asset"], assets["decimals"], strict=True)}


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
