"""The book that a user brings as CSV or Parquet: what each position has and owes, with prices and thresholds.

Numbers are read from their text, digit by digit, so 0.1 is a tenth. Nothing is guessed: a column that is not known, a threshold that
is missing, rows that contradict each other are errors that name the file, the row, the field and the value.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chain.errors import InputError
from chain.files.book_rows import SIDES, Line, book_rows
from chain.files.cells import number, read_cells
from chain.snapshot import Snapshot, from_rows
from chain.tables import Row

REQUIRED = ("market", "position_id", "asset", "side", "amount", "price")
OPTIONAL = ("quote", "threshold_bps", "bonus_bps", "close_factor_bps", "owner", "category")
RANGES = {
    "threshold_bps": (0, 10_000, "8200 is 82 %"),
    "bonus_bps": (0, 9_999, "500 is a bonus of 5 %"),
    "close_factor_bps": (1, 10_000, "5000 is half of a debt; leave it empty for all of it"),
    "category": (0, 10**9, "0 is none"),
}
"""Columns of whole numbers: the least, the most, and what a number means. A close factor of 0 would never liquidate."""


def read_book(path: Path) -> Snapshot:
    """A snapshot from a user's book.

    Columns: market, position_id, asset (symbol), side (collateral or debt), amount and price (whole tokens; price in `quote`, USD if
    there is none), and optionally quote, threshold_bps (8000: 80 % of the value counts), bonus_bps (500: liquidators get 5 % more than
    they repay), close_factor_bps (5000: half of a debt at once), owner, category (whole number).

    Returns
    -------
    Snapshot
        Without anchors, every row with status `file`; markets of the family `generic` whose uncovered debt stays (`zombie`).

    Raises
    ------
    InputError
        If the file cannot be read or a row cannot be used; the sentence names file, row, field and value.
    """
    lines = [_line(f"{path.name} row {number}", cells) for number, cells in read_cells(path, REQUIRED, OPTIONAL)]
    if not lines:
        raise InputError(f"{path} has a header and no rows; give one row for each asset that a position has or owes")
    _agree(lines)
    rows: dict[str, list[Row]] = {
        table: [{**row, "status": "file"} for row in found] for table, found in book_rows(lines).items()
    }
    gap = f"{path.name} states positions only: no venues, feeds or other holders are known"
    return from_rows(path.stem, (), rows, gaps=(gap,), readers={"book": 1})


def _line(where: str, cells: Mapping[str, str]) -> Line:
    for name in REQUIRED:
        if not cells[name]:
            raise InputError(f"{where}: {name} is empty")
    if cells["side"] not in SIDES:
        raise InputError(f"{where}: side is {cells['side']!r}; write collateral or debt")
    price = number(where, "price", cells["price"], above_zero=True)
    threshold, bonus, close_factor, category = (_whole(where, field, cells) for field in RANGES)
    return Line(
        where,
        cells["market"],
        cells["position_id"],
        cells["asset"],
        cells["side"],
        number(where, "amount", cells["amount"]),
        price,
        cells.get("quote") or "USD",
        threshold,
        bonus,
        close_factor,
        cells.get("owner") or cells["position_id"],
        category or 0,
    )


def _whole(where: str, field: str, cells: Mapping[str, str]) -> int | None:
    text = cells.get(field, "")
    if not text:
        return None
    value, (least, most, _) = number(where, field, text), RANGES[field]
    if value != int(value) or not least <= value <= most:
        raise InputError(f"{where}: {field} is {text!r}; {wanted_of(field)}")
    return int(value)


def wanted_of(field: str) -> str:
    """What to give in a column of whole numbers."""
    least, most, meaning = RANGES[field]
    return f"give a whole number from {least} to {most} ({meaning})"


def _agree(lines: Sequence[Line]) -> None:
    """Rows must not contradict each other, and every collateral that backs a debt needs a threshold."""
    first: dict[tuple[str, ...], tuple[Line, Any]] = {}
    seen: dict[tuple[str, str, str, str], str] = {}
    for line in lines:
        place = (line.market, line.position_id, line.asset, line.side)
        if place in seen:
            raise InputError(
                f"{line.where}: {' '.join(place)} is already in {seen[place]}; add the two up into one row"
            )
        seen[place] = line.where
        facts: dict[tuple[str, ...], Any] = {
            ("price", line.market, line.asset): line.price,
            ("quote", line.market): line.quote,
            ("owner", line.market, line.position_id): line.owner,
            ("category", line.market, line.position_id): line.category,
        }
        for field in ("threshold_bps", "bonus_bps", "close_factor_bps"):
            if getattr(line, field) is not None:
                facts[field, line.market, line.asset] = getattr(line, field)
        for fact, value in facts.items():
            other, earlier = first.setdefault(fact, (line, value))
            if earlier != value:
                raise InputError(
                    f"{line.where}: {fact[0]} of {' '.join(fact[1:])} is {value}, but {other.where} says {earlier}; make them agree"
                )
    for field, side in (("bonus_bps", "collateral"), ("close_factor_bps", "debt")):
        _on_the_side_where_it_acts(lines, field, side)
    owing = {(line.market, line.position_id) for line in lines if line.side == "debt" and line.amount}
    for line in lines:
        known = ("threshold_bps", line.market, line.asset) in first
        if line.side == "collateral" and (line.market, line.position_id) in owing and not known:
            raise InputError(
                f"{line.where}: threshold_bps of {line.asset} is empty, but it backs a debt of {line.position_id}; give the share of its "
                "value that counts (8000 is 80 %), 0 if it does not count"
            )


def _on_the_side_where_it_acts(lines: Sequence[Line], field: str, side: str) -> None:
    """A term that a market states only for assets that nobody has on the side where it acts would be dropped in silence."""
    acts = {(line.market, line.asset) for line in lines if line.side == side}
    obeyed = {line.market for line in lines if getattr(line, field) is not None and (line.market, line.asset) in acts}
    for line in lines:
        stated = getattr(line, field)
        if stated and line.market not in obeyed and any(market == line.market for market, _ in acts):
            raise InputError(
                f"{line.where}: {field} is {stated}, but {line.asset} is no {side} of anybody in {line.market}, where it would act; "
                f"write it on the rows of the {side}"
            )
