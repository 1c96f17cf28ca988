"""What is behind a claim when a part of it goes or is changed: the amount, the rate and what can be redeemed follow together.

A rate says what one whole claim redeems for. With less behind as many claims it falls in proportion, whatever took the part away: the row
of a vault's supply, the whole market, or the balance in which the backing lay.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import each_row
from graph.edits.tables import with_values
from graph.identity import identify
from graph.relations import DEBT_SIDES


def times(row: Any, factor: Fraction) -> dict[str, int | None]:
    """Amount, rate and capacity of a row of `backings`, each times a factor, rounded down; what was not read stays so."""
    return {name: _times(getattr(row, name), factor) for name in ("amount_raw", "rate_wad", "capacity_raw")}


def _times(value: Any, factor: Fraction) -> int | None:
    return None if pd.isna(value) else int(value) * factor.numerator // factor.denominator


def without_supplies(snapshot: Snapshot, rows: pd.DataFrame) -> Snapshot:
    """The snapshot after these rows of `positions` went: what a vault had there leaves its allocation and what is behind its share."""
    share = identify(snapshot).share
    markets = snapshot["markets"]
    contract = {row.market: f"{row.chain}:{row.address}" for row in each_row(markets)}
    for row in each_row(rows[rows["owner"].isin(list(share)) & ~rows["side"].isin(DEBT_SIDES)]):
        queues, claim = snapshot["queues"], share[row.owner]
        here = (queues["vault"] == claim) & (queues["market"] == row.market) & queues["allocated_raw"].notna()
        snapshot = with_values(snapshot, "queues", here.tolist(), allocated_raw=0)
        snapshot = _less(snapshot, claim, row.asset, contract.get(row.market), row.amount_raw)
    return snapshot


def without_balances(snapshot: Snapshot, rows: pd.DataFrame) -> Snapshot:
    """The snapshot after these rows of `balances` went: what lay there behind one claim is not behind it any more."""
    for row in each_row(rows):
        backings = snapshot["backings"]
        claims = backings.loc[(backings["holder"] == row.holder) & (backings["backing"] == row.asset), "claim"].tolist()
        if len(claims) == 1:  # of a vault that keeps for several claims it is not known whose it was
            snapshot = _less(snapshot, claims[0], row.asset, row.holder, row.amount_raw)
    return snapshot


def _less(snapshot: Snapshot, claim: str, backing: str, place: str | None, raw: int) -> Snapshot:
    """So much less behind a claim: where it lay if several places hold the backing; nothing where it is not known which."""
    table = snapshot["backings"]
    behind = (table["claim"] == claim) & (table["backing"] == backing)
    held = dict(zip(table.loc[behind, "holder"].tolist(), table.loc[behind, "amount_raw"].tolist(), strict=True))
    holder = next(iter(held)) if len(held) == 1 else place
    had = held.get(holder)
    if holder is None or not had:
        return snapshot
    went, before = min(raw, had), sum(held.values())
    part, all_of_it = Fraction(had - went, had), Fraction(before - went, before)
    here = behind & (table["holder"] == holder)
    changed = {
        name: [
            _times(old, factor) if hit else old for old, hit in zip(table[name].tolist(), rows.tolist(), strict=True)
        ]
        for name, rows, factor in (
            ("amount_raw", here, part),
            ("capacity_raw", here, part),
            ("rate_wad", behind, all_of_it),
        )
    }
    columns = {name: pd.Series(new, index=table.index, dtype=table[name].dtype) for name, new in changed.items()}
    return replace(snapshot, tables={**snapshot.tables, "backings": table.assign(**columns)})
