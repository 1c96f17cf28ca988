"""Liquidation logs, depth quotes and terms that users bring, CSV or Parquet.

liquidations: timestamp, pool, user, collateral_symbol, collateral_amount, debt_symbol, debt_amount [, liquidator] (whole tokens)
depth:        sold_asset, bought_asset, amount_in, amount_out (whole tokens)
terms:        symbol [, price_symbol, valid_from, bonus_bps]: under which names a symbol's prices are filed (best first, separated by |), and
              the liquidation bonus of it as collateral from an instant on (750: liquidators get 7.5 % more than they repay)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chain.errors import InputError
from chain.files.frames import read_frame, stamps

LIQUIDATIONS = ("timestamp", "pool", "user", "collateral_symbol", "collateral_amount", "debt_symbol", "debt_amount")
DEPTH = ("sold_asset", "bought_asset", "amount_in", "amount_out")
MOST_BONUS_BPS = 5_000


def read_liquidations(path: Path) -> pd.DataFrame:
    """Events in the order of time, with `time_s` (Unix seconds) beside the columns of the file.

    Raises
    ------
    InputError
        If a column is missing, a stamp or amount cannot be used, or a row is there twice.
    """
    frame = read_frame(path, LIQUIDATIONS)
    _need_above_zero(path, frame, ("collateral_amount", "debt_amount"))
    twice = np.flatnonzero(frame.duplicated().to_numpy())
    if len(twice):
        raise InputError(
            f"{path.name} row {frame.index[twice[0]]} repeats an earlier row ({len(twice)} such rows); an event counts once"
        )
    return frame.assign(time_s=stamps(path, frame)).sort_values("time_s", kind="stable", ignore_index=True)


def read_depth(path: Path) -> pd.DataFrame:
    """Quotes: what selling `amount_in` brings; InputError if a column is missing or an amount is not above zero."""
    frame = read_frame(path, DEPTH)
    _need_above_zero(path, frame, ("amount_in", "amount_out"))
    return frame[list(DEPTH)]


@dataclass(frozen=True)
class Terms:
    """What a terms file says: names of prices by symbol, and (symbol, from Unix second, bonus as a ratio: 0.075) in the order of time."""

    price_symbols: dict[str, tuple[str, ...]]
    bonuses: tuple[tuple[str, float, float], ...]


def read_terms(path: Path) -> Terms:
    """Terms of collaterals and names of prices; InputError where a row cannot be used or contradicts another."""
    frame = read_frame(path, ("symbol",))
    names: dict[str, tuple[str, ...]] = {}
    bonuses: dict[tuple[str, float], float] = {}
    for place, row in enumerate(frame.to_dict("records")):
        where, symbol = f"{path.name} row {frame.index[place]}", str(row["symbol"])
        filed = row.get("price_symbol")
        if not _is_empty(filed):
            known = tuple(str(filed).split("|"))
            if names.setdefault(symbol, known) != known:
                raise InputError(
                    f"{where}: price_symbol of {symbol} is {filed}, but an earlier row says {'|'.join(names[symbol])}; make them agree"
                )
        if _is_empty(row.get("bonus_bps")):
            continue
        bonus = _bonus(where, row["bonus_bps"])
        since = 0.0 if _is_empty(row.get("valid_from")) else float(stamps(path, frame.iloc[[place]], "valid_from")[0])
        if (symbol, since) in bonuses:
            raise InputError(f"{where}: {symbol} has two bonuses from the same instant; keep one")
        bonuses[symbol, since] = bonus
    return Terms(names, tuple((symbol, since, bonus) for (symbol, since), bonus in sorted(bonuses.items())))


def _bonus(where: str, value: Any) -> float:
    try:
        bonus = float(value)
    except (TypeError, ValueError):
        bonus = -1.0
    if not 0 <= bonus <= MOST_BONUS_BPS:
        raise InputError(
            f"{where}: bonus_bps is {value!r}; give basis points from 0 to {MOST_BONUS_BPS} (750 is 7.5 %; some files write that as 10750)"
        )
    return bonus / 10_000


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT


def _need_above_zero(path: Path, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for name in columns:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values) | (values <= 0))
        if len(wrong):
            raise InputError(
                f"{path.name} row {frame.index[wrong[0]]}: {name} is {frame[name].iloc[wrong[0]]!r}; give an amount above zero ({len(wrong)} such rows)"
            )
