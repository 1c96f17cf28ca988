"""Reads depth quotes for the simulator's depth tables: sold_asset, bought_asset, amount_in, amount_out in whole tokens, digit by digit.

Quotes of one pair must rise and bend down: each unit sold brings less than the one before. `chain.files.event_files.read_depth` takes quotes as they
are, for somebody who knows that they were taken while prices moved.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from chain.errors import InputError
from chain.files.cells import number, read_cells
from chain.files.event_files import DEPTH

DECIMALS = 18


def read_quotes(
    path: Path, decimals: Mapping[str, int] | None = None
) -> dict[tuple[str, str], tuple[tuple[int, int], ...]]:
    """(amount in, amount out) in smallest units by (sold, bought), from the smallest sale on.

    Parameters
    ----------
    decimals : by asset; 18 where an asset is not in it. Digits beyond them are cut off.

    Raises
    ------
    InputError
        If a cell cannot be used, a size is quoted twice, a larger sale brings less, or a unit of it brings more than one of the sale before;
        the sentence names the file, the row and the value. A unit of rounding is allowed.
    """
    places = decimals or {}
    quotes: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for row, cells in read_cells(path, DEPTH, ()):
        where = f"{path.name} row {row}"
        sold, bought = cells["sold_asset"], cells["bought_asset"]
        if not sold or not bought or sold == bought:
            raise InputError(f"{where}: sold_asset is {sold!r} and bought_asset {bought!r}; name two assets")
        raw = [
            int(number(where, name, cells[name], above_zero=True).scaleb(places.get(asset, DECIMALS)))
            for name, asset in (("amount_in", sold), ("amount_out", bought))
        ]
        quotes.setdefault((sold, bought), []).append((raw[0], raw[1], row))
    if not quotes:
        raise InputError(f"{path} has a header and no rows; give one row for each quote")
    return {pair: _checked(path, " for ".join(pair), sorted(found)) for pair, found in quotes.items()}


def _checked(path: Path, pair: str, rows: list[tuple[int, int, int]]) -> tuple[tuple[int, int], ...]:
    for (x0, y0, earlier), (x1, y1, row) in pairwise([(0, 0, 0), *rows]):
        where = f"{path.name} row {row}: {pair}"
        if x1 == x0:
            raise InputError(f"{where}: amount_in is quoted in row {earlier} already; keep one")
        if y1 < y0:
            raise InputError(f"{where}: amount_out is less than for the smaller sale of row {earlier}; check both")
    for (x0, y0, _), (x1, y1, earlier), (x2, y2, row) in zip([(0, 0, 0), *rows], rows, rows[1:], strict=False):
        if (y2 - (y1 + 1)) * (x1 - x0) > (y1 + 1 - y0) * (x2 - x1):
            raise InputError(
                f"{path.name} row {row}: {pair}: a unit brings more than one of the smaller sale of row {earlier}; depth must bend down: "
                "leave the quote out that lies too low"
            )
    return tuple((x, y) for x, y, _ in rows)
