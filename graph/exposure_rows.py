"""Rows of an answer about exposure: with the name of what they are about, largest first, and their sum."""

import pandas as pd

from graph.protocol_graph import ProtocolGraph

Tables = dict[str, pd.DataFrame]
Figures = dict[str, float | int | None]


def named(graph: ProtocolGraph, rows: pd.DataFrame, end: str, name: str) -> pd.DataFrame:
    """The rows with one end called `name` and its label beside it."""
    return rows.assign(**{name: rows[end], "label": [graph.label(key) for key in rows[end]]})


def largest_first(rows: pd.DataFrame, column: str, tie: str) -> pd.DataFrame:
    """The rows by a column, from the largest down; equal ones by `tie`."""
    return rows.sort_values([column, tie], ascending=[False, True], ignore_index=True)


def total(values: "pd.Series[float]") -> float:
    """What a column adds up to."""
    return float(values.astype(float).sum())
