"""Questions about more positions than fit into memory: DuckDB reads the Parquet table of a snapshot where it lies, column by column.

Amounts are exact. On disk they are decimal text of up to 78 digits, more than any integer of DuckDB holds, so each is summed in three
pieces of 26 digits, and the sums are put together as Python integers. DuckDB is asked for only here: `pip install aftershock[large]`.
"""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from chain.errors import InputError, SnapshotError
from chain.tables import each_row

DIGITS, PIECES = 26, 3
MEMORY = "4GB"
SIDES = ("supply", "collateral", "debt", "fixed_debt")


def totals(folder: Path, memory: str = MEMORY) -> pd.DataFrame:
    """Sums of all positions of the snapshot in `folder`, without loading them.

    Returns
    -------
    market, asset, side, positions, amount_raw (smallest units, exact), sorted by the first three.
    """
    return _sums(folder, ("market", "asset", "side"), "TRUE", [], "ORDER BY market, asset, side", memory)


def largest_owners(
    folder: Path, market: str, asset: str, side: str, top: int = 10, memory: str = MEMORY
) -> pd.DataFrame:
    """Who has most on one side of one reserve, all positions of an owner together.

    Returns
    -------
    owner, positions, amount_raw (exact), largest first; owners whose sums are equal to 15 digits stand by key.
    """
    if top < 1 or side not in SIDES:
        raise InputError(f"top is {top} and side {side!r}; ask for at least 1 owner, and a side of {', '.join(SIDES)}")
    order = f"ORDER BY sum(CAST(amount_raw AS DOUBLE)) DESC, owner LIMIT {int(top)}"
    return _sums(folder, ("owner",), "market = ? AND asset = ? AND side = ?", [market, asset, side], order, memory)


def positions_of(folder: Path, owner: str, memory: str = MEMORY) -> pd.DataFrame:
    """All rows of one owner, amounts as Python integers; no rows if it has none."""
    select = "SELECT market, position_id, asset, side, amount_raw, collateral_enabled, evidence, status"
    order = "ORDER BY market, position_id, asset, side"
    found = _ask(folder, f"{select} FROM read_parquet(?) WHERE owner = ? {order}", [owner], memory)
    return found.assign(amount_raw=[int(text) for text in found["amount_raw"]]).astype({"amount_raw": object})


def _sums(folder: Path, by: tuple[str, ...], where: str, values: list[Any], order: str, memory: str) -> pd.DataFrame:
    names = [f"piece_{number}" for number in range(PIECES)]
    sums = [f"CAST(sum({_piece(number)}) AS VARCHAR) AS {name}" for number, name in enumerate(names)]
    keys = ", ".join(by)
    select = f"SELECT {keys}, count(*) AS positions, {', '.join(sums)} FROM read_parquet(?)"
    found = _ask(folder, f"{select} WHERE {where} GROUP BY {keys} {order}", values, memory)
    amounts = [
        sum(int(piece) * 10 ** (DIGITS * number) for number, piece in enumerate(row)) for row in each_row(found[names])
    ]
    return found[[*by, "positions"]].assign(amount_raw=pd.Series(amounts, index=found.index, dtype=object))


def _piece(number: int) -> str:
    """DIGITS digits of an amount, the last ones for 0; nothing there is 0."""
    text = f"left(amount_raw, -{DIGITS * number})" if number else "amount_raw"
    return f"CAST(coalesce(nullif(right({text}, {DIGITS}), ''), '0') AS HUGEINT)"


def _ask(folder: Path, question: str, values: list[Any], memory: str) -> pd.DataFrame:
    file = folder / "positions.parquet"
    if not file.is_file():
        raise SnapshotError(f"{folder} has no positions.parquet; give the folder of a snapshot that has positions")
    with duckdb.connect(config={"memory_limit": memory}) as connection:
        try:
            return connection.execute(question, [str(file), *values]).df()
        except duckdb.Error as error:
            raise SnapshotError(f"{file} cannot be asked: {error}") from error
