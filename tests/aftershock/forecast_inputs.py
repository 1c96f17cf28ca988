"""Frames of drawn prices as people bring them in files, and frames with something wrong in them."""

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
