"""Prices of files at the times of liquidations: the ratio of collateral to debt asset, and the envelope that the hours around leave for it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from chain.files.price_files import HOUR, Series, joined, nearest

REACH_S = 1.5 * HOUR
"""How far the nearest price may be."""
ROUNDING = 1e-9


def series_of(
    events: pd.DataFrame, files: Sequence[Mapping[str, Series]], names: Mapping[str, Sequence[str]]
) -> dict[str, Series]:
    """Prices of every symbol of a log that files have, by symbol; `names` are those under which a symbol is looked for."""
    series = {}
    for symbol in sorted({*events["collateral_symbol"], *events["debt_symbol"]}):
        found = joined([file[name] for file in files for name in names.get(symbol, (symbol,)) if name in file])
        if found is not None:
            series[symbol] = found
    return series


def ratios(events: pd.DataFrame, series: Mapping[str, Series], age_s: float) -> pd.Series:
    """Price of the collateral in the debt asset at the nearest sample to the time of the oracle's prices."""
    at = events["time_s"].to_numpy() - age_s
    sides = []
    for column in ("collateral_symbol", "debt_symbol"):
        price = np.full(len(events), np.nan)
        for symbol, places in events.groupby(column).indices.items():
            if str(symbol) in series:
                one = series[str(symbol)]
                near = nearest(one.end_s, at[places])
                price[places] = np.where(np.abs(one.end_s[near] - at[places]) <= REACH_S, one.close[near], np.nan)
        sides.append(price)
    return pd.Series(sides[0] / sides[1], index=events.index)


def against(events: pd.DataFrame, series: Mapping[str, Series], age_s: float, hours: float) -> pd.DataFrame:
    """The events with price_ratio, low, high and width, the envelope over so many hours before and after; NaN without a price."""
    at = events["time_s"].to_numpy() - age_s
    bounds = {}
    for column in ("collateral_symbol", "debt_symbol"):
        low, high = np.full(len(events), np.nan), np.full(len(events), np.nan)
        for symbol, places in events.groupby(column).indices.items():
            if str(symbol) not in series:
                continue
            one = series[str(symbol)]
            first = np.searchsorted(one.end_s, at[places] - hours * HOUR)
            last = np.searchsorted(one.start_s, at[places] + hours * HOUR, side="right")
            for place, begin, end in zip(places, first, last, strict=True):
                if end > begin:
                    low[place], high[place] = one.low[begin:end].min(), one.high[begin:end].max()
        bounds[column] = (low, high)
    collateral, debt = bounds["collateral_symbol"], bounds["debt_symbol"]
    ratio = ratios(events, series, age_s)
    known = ratio.notna().to_numpy()
    table = events.assign(
        price_ratio=ratio,
        low=np.where(known, collateral[0] / debt[1], np.nan),
        high=np.where(known, collateral[1] / debt[0], np.nan),
    )
    return table.assign(width=table["high"] / table["low"] - 1)


def inside_envelope(table: pd.DataFrame, ratio: pd.Series) -> pd.Series:
    """Whether a ratio lies in the envelope, to 1e-9; an event without a price does not."""
    return (ratio >= table["low"] * (1 - ROUNDING)) & (ratio <= table["high"] * (1 + ROUNDING))


def price_gaps(events: pd.DataFrame, series: Mapping[str, Series]) -> dict[str, int]:
    """Gaps beyond REACH_S in each series between the first and the last event."""
    first, last = events["time_s"].min(), events["time_s"].max()
    inside = {name: (one.end_s >= first) & (one.end_s <= last) for name, one in series.items()}
    return {name: int((np.diff(series[name].end_s[mine]) > REACH_S).sum()) for name, mine in inside.items()}
