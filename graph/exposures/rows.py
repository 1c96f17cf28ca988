"""Rows of an answer about exposure: with the name of what they are about, largest first, their sum, shares and concentration."""

import numpy as np
import pandas as pd

from graph.exposures.measures import concentration
from graph.protocol_graph import ProtocolGraph

Tables = dict[str, pd.DataFrame]
Figures = dict[str, float | int | None]


def named(graph: ProtocolGraph, rows: pd.DataFrame, end: str, name: str) -> pd.DataFrame:
    """The rows with one end called `name` and its label beside it."""
    return rows.assign(**{name: rows[end], "label": [graph.label(key) for key in rows[end]]})


def largest_first(rows: pd.DataFrame, column: str, *ties: str) -> pd.DataFrame:
    """The rows by a column, from the largest down; equal ones by `ties`."""
    return rows.sort_values([column, *ties], ascending=[False, *(True for _ in ties)], ignore_index=True)


def total(values: "pd.Series[float]") -> float:
    """What a column adds up to."""
    return float(values.astype(float).sum())


def share_of(amounts: "pd.Series[float]") -> "pd.Series[float]":
    """Each amount over the sum; missing where the amount is, or the sum is zero."""
    total = amounts.astype(float).sum()
    return amounts.astype(float) / (total if total > 0 else float("nan"))


def largest_of(amounts: "pd.Series[float]", top: int) -> list[tuple[str, float]]:
    """The largest amounts with their names (index), ties by name; all others are not sorted."""
    values = amounts.to_numpy(float)
    if len(values) > top:
        amounts = amounts[values >= np.partition(values, -top)[-top]]
    found = zip(amounts.index.tolist(), amounts.tolist(), strict=True)
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:top]


def concentrations(*subjects: tuple[str, "pd.Series[float]", str]) -> pd.DataFrame:
    """One row a subject (what, its amounts, where they come from): of, count, hhi, effective_number, top10_ratio, evidence."""
    rows = []
    for of, amounts, evidence in subjects:
        found = concentration(amounts.tolist())
        rows.append(
            (of, found.count, found.hhi, found.effective_number, found.top10_share, f"computed from {evidence}")
        )
    return pd.DataFrame(rows, columns=["of", "count", "hhi", "effective_number", "top10_ratio", "evidence"])
