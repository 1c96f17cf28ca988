"""A history of a chain beside prices: liquidations, large transfers, governance and gas as columns of the panel.

An event counts in the bar in which it fell, so it is known from the end of that bar on. Its USD are smallest units at the close of the bar before.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from aftershock.forecasting.hourly_prices import written
from chain.errors import InputError
from chain.histories.folder import HistoryFolder
from models.features.columns import states, sums
from models.panel import FloatArray, IntArray, Panel

HAPPENED = ("liquidations", "transfers", "proposals", "parameter_changes", "blocks")
"""Tables of a history that are read. From the first row of any of them to the time of the last block that was read, no row means that nothing happened; before and after, it is
not known. So no later event decides what is known of a bar."""
GWEI = 1e9


def of_history(
    panel: Panel, history: HistoryFolder, tokens: Mapping[str, tuple[str, int]]
) -> tuple[dict[str, FloatArray], str]:
    """Columns of `models.features.columns.EVENTS` and gas that a history gives, and a sentence about it."""
    name = history.folder.name
    tables = {table: history.table(table) for table in HAPPENED if table in history.purpose.tables}
    times = np.concatenate([_times(table) for table in tables.values()] or [np.zeros(0, np.int64)])
    if not len(times):
        raise InputError(
            f"--tables: the history {name} has no row of {', '.join(HAPPENED)}; read a range in which something happened"
        )
    if not tokens:
        raise InputError(
            f"--tables: the history {name} counts tokens in smallest units, and no snapshot says what they are; give one of {history.purpose.chain} beside it"
        )
    if history.until_s is None:
        raise InputError(
            f"--tables: the history {name} does not say until when it was read, as an earlier version wrote it; read it again into a new folder"
        )
    covered = int(times.min()), history.until_s
    columns: dict[str, FloatArray] = {}
    if "liquidations" in tables:
        taken = tables["liquidations"]
        taken = taken[taken["kind"] != "sold"]  # what is sold had been seized
        columns["liquidated_usd"] = _usd(panel, taken, "collateral_asset", "collateral_raw", tokens, covered)
    if "transfers" in tables:
        columns["transferred_usd"] = _usd(panel, tables["transfers"], "asset", "amount_raw", tokens, covered)
    ruled = [tables[table] for table in ("proposals", "parameter_changes") if table in tables]
    if ruled:
        columns["governance_events"] = np.sum([_ruled(panel, table, tokens, covered) for table in ruled], axis=0)
    if "blocks" in tables and (fees := tables["blocks"].dropna(subset="base_fee_raw")).size:
        price = np.array([fee / GWEI for fee in fees["base_fee_raw"].tolist()])
        columns["gas_gwei"] = states(panel.end_s, _times(fees), np.repeat(price[:, None], len(panel.assets), axis=1))
    first, last = (written(at) for at in covered)
    return (
        columns,
        f"history {name} of {history.purpose.chain}, blocks {history.first} to {history.last}, from its first row, {first}, to {last} UTC",
    )


def _usd(
    panel: Panel,
    table: pd.DataFrame,
    asset: str,
    amount: str,
    tokens: Mapping[str, tuple[str, int]],
    covered: tuple[int, int],
) -> FloatArray:
    """A column of USD that events moved; those of tokens without prices are left out."""
    table = table[table[asset].isin(tokens.keys())]
    at = _times(table)
    place = {name: n for n, name in enumerate(panel.assets)}
    close = pd.DataFrame(panel.close).ffill().to_numpy()
    before = np.searchsorted(panel.end_s, at, side="right") - 1
    values = np.zeros((len(table), len(panel.assets)))
    rows = zip(table[asset].tolist(), table[amount].tolist(), before.tolist(), strict=True)
    for row, (key, raw, bar) in enumerate(rows):
        symbol, decimals = tokens[key]
        if bar >= 0 and raw is not None:
            values[row, place[symbol]] = raw / 10**decimals * close[bar, place[symbol]]
    return sums(panel.end_s, at, np.nan_to_num(values), covered)


def _ruled(
    panel: Panel, table: pd.DataFrame, tokens: Mapping[str, tuple[str, int]], covered: tuple[int, int]
) -> FloatArray:
    """A column of how many events of governance there were: of one asset where the event names it, else of all."""
    values = np.ones((len(table), len(panel.assets)))
    if "asset" in table:
        for row, key in enumerate(table["asset"].tolist()):
            if isinstance(key, str):
                values[row] = [key in tokens and tokens[key][0] == name for name in panel.assets]
    return sums(panel.end_s, _times(table), values, covered)


def _times(table: pd.DataFrame) -> IntArray:
    return np.asarray(table["timestamp"].to_numpy(dtype=np.int64))
