"""Words about prices that do not follow a market: how much debt stands behind them, and what that means in a fall."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from graph.exposures.price_findings import STALE, UNMOVED
from reports.amounts import count, listing, money

NAMED = 4


@dataclass(frozen=True)
class UnmovedPrice:
    """One asset of a market whose price follows no market: how that was found, what is posted at it, owed behind it, and owed in it."""

    market: str
    symbol: str
    finding: str
    collateral_usd: float
    debt_usd: float
    borrowed_usd: float


def lines(table: pd.DataFrame) -> tuple[UnmovedPrice, ...]:
    """Rows of `graph.exposures.price_findings.unmoved_prices`, in their order."""
    return tuple(
        UnmovedPrice(
            row.label, row.symbol, row.finding, float(row.collateral_usd), float(row.debt_usd), float(row.borrowed_usd)
        )
        for row in table.itertuples(index=False)
    )


def said(found: Sequence[UnmovedPrice], debt_usd: float) -> str:
    """One or two sentences with the amount in bold; empty where there is nothing to say. `debt_usd`: `unmoved_debt_usd`, each debt once."""
    frozen = [one for one in found if one.finding in UNMOVED and one.collateral_usd > 0]
    stale = [one for one in found if one.finding == STALE and one.collateral_usd > 0]
    text = ""
    if frozen:
        text = (
            f"**{money(debt_usd)}** of debt stands behind prices that no fall moves: {_named(frozen)}. When what is posted there falls, "
            "nobody is liquidated: what it does not cover stays owed, and suppliers meet frozen withdrawals instead."
        )
    if stale:
        text += f"{' ' if text else ''}Priced by a feed beyond its heartbeat: {_named(stale)}."
    return text


def _named(found: Sequence[UnmovedPrice]) -> str:
    names = [f"{one.symbol} in {one.market} ({one.finding}, {money(one.debt_usd)} owed)" for one in found[:NAMED]]
    return listing([*names, *([count(len(found) - NAMED, "other")] if len(found) > NAMED else [])])
