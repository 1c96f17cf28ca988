"""Frames of drawn prices as people bring them in files, and frames with something wrong in them."""

import numpy as np
import pandas as pd

from models.panel import Panel


def frame_of(panel: Panel, bars: bool = True) -> pd.DataFrame:
    """All rows of a panel, bars or closes alone."""
    parts = []
    for n, asset in enumerate(panel.assets):
        columns = {
            name: getattr(panel, name)[:, n]
            for name in (("open", "high", "low", "close", "volume") if bars else ("close",))
        }
        parts.append(pd.DataFrame({"timestamp": panel.end_s, "symbol": asset, **columns}).dropna())
    return pd.concat(parts)


def put(frame: pd.DataFrame, rows: pd.Series, **values: float) -> pd.DataFrame:
    """The frame with some cells put to something else."""
    changed = frame.reset_index(drop=True)
    changed.loc[rows.to_numpy(), list(values)] = list(values.values())
    return changed


BARS = "timestamp,symbol,open,high,low,close,volume"


def bar_lines(hours: int = 200) -> list[str]:
    """Lines of a file of hourly bars of ether, from the first of January 2022 on, the header first."""
    stamps = pd.date_range("2022-01-01", periods=hours, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    return [BARS, *(f"{stamp},ETH,100,101,99,{100 + number % 7 / 10},5" for number, stamp in enumerate(stamps))]


def drawn_prices(correlation: float, hours: int = 4_000) -> Panel:
    """Closes of A and B, whose hourly moves have a correlation, and of C and D, which have none with anything."""
    rng = np.random.default_rng(8)
    moves = 0.01 * rng.standard_normal((hours, 4))
    moves[:, 1] = correlation * moves[:, 0] + np.sqrt(1 - correlation**2) * moves[:, 1]
    close, none = np.exp(np.cumsum(moves, axis=0)), np.full((hours, 4), np.nan)
    end = np.arange(1, hours + 1, dtype=np.int64) * 3_600
    return Panel(("A", "B", "C", "D"), end, none, none, none, close, none, 3_600)
