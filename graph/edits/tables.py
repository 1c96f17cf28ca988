"""Tables of a snapshot with rows taken out, put in or changed. Every function gives a new snapshot and leaves the one it was given alone.

Supplies and debts that come or go take a market's own totals with them (`moved`), so that the graph's checks still hold them against each
other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import Row, check, each_row, make, schemas
from graph.reserve_amounts import supplied_raw

_STORED = {
    "supply": "supplied_stored_raw",
    "debt": "borrowed_stored_raw",
    "collateral": "collateral_raw",
    "fixed_debt": "fixed_debt_raw",
}


@dataclass(frozen=True)
class Move:
    """What comes into a reserve (above zero) or leaves it: stored units for supply and debt, smallest units for the other sides."""

    market: str
    asset: str
    side: str
    stored_raw: int
    amount_raw: int


def without(snapshot: Snapshot, table: str, gone: "Sequence[bool] | pd.Series[Any]") -> Snapshot:
    """The snapshot without the rows of a table that `gone` marks."""
    kept = ~pd.Series(list(gone), index=snapshot[table].index, dtype=bool)
    return _with(snapshot, table, snapshot[table][kept].reset_index(drop=True)) if not kept.all() else snapshot


def without_where(snapshot: Snapshot, table: str, column: str, keys: Iterable[str]) -> Snapshot:
    """The snapshot without the rows of a table whose column has one of these keys."""
    return without(snapshot, table, snapshot[table][column].isin(list(keys)))


def with_rows(snapshot: Snapshot, table: str, added: Iterable[Row]) -> Snapshot:
    """The snapshot with further rows in a table; SchemaError where one breaks the schema or its key is there already."""
    schema = schemas()[table]
    both = pd.concat([snapshot[table].astype(object), make(schema, added).astype(object)], ignore_index=True)
    return _with(snapshot, table, check(schema, both))


def with_values(snapshot: Snapshot, table: str, chosen: Sequence[bool], **values: Any) -> Snapshot:
    """The snapshot with the same new values in the chosen rows of a table."""
    frame = snapshot[table]
    for column, value in values.items():
        new = [value if hit else old for hit, old in zip(chosen, frame[column].tolist(), strict=True)]
        frame = frame.assign(**{column: pd.Series(new, index=frame.index, dtype=frame[column].dtype)})
    return _with(snapshot, table, frame)


def marked(before: Snapshot, after: Snapshot, evidence: str) -> Snapshot:
    """`after`, with every row that has other values than `before` has under its key said to be so: status `file`, and `evidence` behind its own.

    What was compared with the chain was the row as it was; rows that are new say themselves where they come from.
    """
    for name, frame in after.tables.items():
        old, schema = before[name], schemas()[name]
        if frame is old or "status" not in frame or not len(old):
            continue
        keys = list(schema.keys)
        place = pd.MultiIndex.from_frame(old[keys]).get_indexer(pd.MultiIndex.from_frame(frame[keys]))
        differs = np.zeros(len(frame), dtype=bool)
        for column in set(frame.columns) - {*keys, "evidence", "status"}:
            now, was = (
                values.astype(object).where(values.notna(), None).to_numpy() for values in (frame[column], old[column])
            )
            differs |= (now != was[place]).astype(bool)
        chosen = (differs & (place >= 0)).tolist()
        if any(chosen):
            said = [f"{text}; {evidence}" if hit else text for text, hit in zip(frame["evidence"], chosen, strict=True)]
            after = with_values(after, name, chosen, status="file")
            after = _with(after, name, after[name].assign(evidence=pd.Series(said, dtype=frame["evidence"].dtype)))
    return after


def told(snapshot: Snapshot, *sentences: str) -> Snapshot:
    """The snapshot with these sentences among its gaps."""
    return replace(snapshot, gaps=(*snapshot.gaps, *sentences))


def moves_of(positions: pd.DataFrame, sign: int) -> list[Move]:
    """What these rows of `positions` bring to their reserves (sign 1), or take from them (sign -1)."""
    return [
        Move(
            row.market,
            row.asset,
            row.side,
            sign * (row.stored_raw if row.side in ("supply", "debt") else row.amount_raw),
            sign * row.amount_raw,
        )
        for row in each_row(positions)
    ]


def moved(snapshot: Snapshot, moves: Iterable[Move], labels: Mapping[str, str]) -> Snapshot:
    """Reserves after supplies and debts came or went: stored totals, cash, balance, and the supply of the tokens that stand for them.

    A supply brings cash, a debt takes it, but in a user's book, which states none. Where more would have to leave than there is, cash becomes 0 and a gap says how much is missing.
    """
    by_reserve: dict[tuple[str, str], list[Move]] = {}
    for move in moves:
        by_reserve.setdefault((move.market, move.asset), []).append(move)
    for key, some in sorted(by_reserve.items()):
        snapshot = _moved_in(snapshot, key, some, labels)
    return snapshot


def _moved_in(snapshot: Snapshot, key: tuple[str, str], moves: Sequence[Move], labels: Mapping[str, str]) -> Snapshot:
    reserves = snapshot["reserves"]
    chosen = ((reserves["market"] == key[0]) & (reserves["asset"] == key[1])).tolist()
    if not any(chosen):
        return snapshot
    (row,) = each_row(reserves[pd.Series(chosen, index=reserves.index)])
    values: dict[str, Any] = {}
    change = {side: sum(move.stored_raw for move in moves if move.side == side) for side in _STORED}
    for side, column in _STORED.items():
        if change[side]:
            values[column] = max(0, _whole(getattr(row, column)) + change[side])
    amounts = {side: sum(move.amount_raw for move in moves if move.side == side) for side in _STORED}
    cash = row.cash_raw
    if "book" not in snapshot.readers:  # a book states positions: what lies in its markets is not known
        cash += amounts["supply"] - amounts["debt"] - amounts["fixed_debt"]
    values["cash_raw"] = max(0, cash)
    comes = values["cash_raw"] - row.cash_raw + amounts["collateral"]
    if not pd.isna(row.balance_raw):
        values["balance_raw"] = max(0, row.balance_raw + comes)
    changed = with_values(snapshot, "reserves", chosen, **values)
    changed = _tokens(changed, row, values, amounts)
    if not pd.isna(row.receipt_asset):
        changed = _held_by_receipt(changed, row, comes)
    if cash >= 0:
        return changed
    asset, market = labels.get(key[1], key[1]), labels.get(key[0], key[0])
    decimals = dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["decimals"], strict=True)).get(key[1], 0)
    short = -cash / 10**decimals
    amount = f"{short:,.0f}" if short >= 1_000 else f"{short:,.6g}"
    return told(
        changed,
        f"What-if: {amount} {asset} more would have to leave {market} than is there; its cash is 0, and who goes short "
        "is not said.",
    )


def _tokens(snapshot: Snapshot, row: Any, values: Mapping[str, Any], amounts: Mapping[str, int]) -> Snapshot:
    """Supply of the receipt, so that one of it stands for as much as before; and of the debt tokens."""
    lent = supplied_raw(row._replace(collateral_raw=None))
    left = supplied_raw(
        row._replace(
            collateral_raw=None, supplied_stored_raw=values.get("supplied_stored_raw", row.supplied_stored_raw)
        )
    )
    for token, change in (
        (row.receipt_asset, left - lent),
        (row.debt_asset, amounts["debt"]),
        (row.fixed_debt_asset, amounts["fixed_debt"]),
    ):
        assets = snapshot["assets"]
        chosen = (assets["asset"] == token).tolist() if not pd.isna(token) and change else []
        supply = next((raw for raw, hit in zip(assets["total_supply_raw"], chosen, strict=False) if hit), None)
        if supply is None:
            continue
        as_much = abs(lent - supply) <= 1 or token != row.receipt_asset
        new = supply + change if as_much else supply * left // lent if lent else change
        snapshot = with_values(snapshot, "assets", chosen, total_supply_raw=max(0, new))
    return snapshot


def _held_by_receipt(snapshot: Snapshot, row: Any, comes: int) -> Snapshot:
    """The balance of the contract that keeps a reserve, where it was read too."""
    tokens, balances = snapshot["assets"], snapshot["balances"]
    keeper = {f"{token.chain}:{token.address}" for token in each_row(tokens[tokens["asset"] == row.receipt_asset])}
    chosen = ((balances["asset"] == row.asset) & balances["holder"].isin(list(keeper))).tolist()
    if not any(chosen):
        return snapshot
    (held,) = (raw for raw, hit in zip(balances["amount_raw"], chosen, strict=True) if hit)
    return with_values(snapshot, "balances", chosen, amount_raw=max(0, held + comes))


def _whole(value: Any) -> int:
    return 0 if pd.isna(value) else int(value)


def _with(snapshot: Snapshot, table: str, frame: pd.DataFrame) -> Snapshot:
    return replace(snapshot, tables={**snapshot.tables, table: frame})
