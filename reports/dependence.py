"""What a market stands on and who depends on it: collateral by what it is finally made of and by its feed, lenders, what is borrowed, and how concentrated each is."""

from dataclasses import dataclass

import pandas as pd

from graph.exposures.measures import concentration
from reports import unmoved
from reports.amounts import ratio
from reports.market_rows import MarketRows
from reports.unmoved import UnmovedPrice

_AMOUNT = ["key", "name", "amount_usd"]


@dataclass(frozen=True)
class Posted:
    """Collateral of borrowers in one asset, as far as it is finally made of one root, and the feed that prices it."""

    asset: str
    symbol: str
    root: str
    feed: str
    feed_state: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class Amount:
    """A named amount and its share of the total it belongs to."""

    key: str
    name: str
    amount_usd: float
    share_ratio: float


@dataclass(frozen=True)
class Spread:
    """How concentrated amounts are: count, Herfindahl-Hirschman index (0 to 1), 1/HHI, share of the ten largest."""

    count: int
    hhi: float
    effective_number: float
    top10_share_ratio: float


@dataclass(frozen=True)
class Dependence:
    """What the market stands on and who depends on it.

    `posted` is collateral that secures a debt: it counts in a health factor and its holder owes something; `lenders` are all other
    claims on the market, by holder. Together they are everything that was read as supplied. `enabled_usd` also counts what holders
    without a debt have enabled. `unmoved` are prices that follow no market, `unmoved_debt_usd` is owed behind those that no fall moves.
    `paused` says what is switched off, a clause each.
    """

    collateral_usd: float
    enabled_usd: float
    claims_usd: float
    borrowed_usd: float
    posted: tuple[Posted, ...]
    feeds: tuple[Amount, ...]
    roots: tuple[Amount, ...]
    lenders: tuple[Amount, ...]
    borrowed: tuple[Amount, ...]
    borrowers: Spread
    lending: Spread
    unmoved: tuple[UnmovedPrice, ...] = ()
    unmoved_debt_usd: float = 0.0
    paused: tuple[str, ...] = ()


def dependence_of(exposure: MarketRows) -> Dependence:
    supplies, borrows = exposure.supplies, exposure.borrows
    owing = set(borrows.loc[borrows["amount_usd"] > 0, "holder"])
    is_collateral = supplies["collateral_enabled"].astype(bool) & supplies["holder"].isin(owing)
    collateral, lent = supplies[is_collateral], supplies[~is_collateral]
    posted = (
        collateral.groupby(["asset", "symbol"])["amount_usd"]
        .sum()
        .reset_index()
        .merge(exposure.roots, on="asset")
        .merge(exposure.feeds, on="asset", how="left")
    )
    posted["amount_usd"] *= posted["share_ratio"]
    total = float(posted["amount_usd"].sum())
    slices = tuple(
        Posted(row.asset, row.symbol, row.root, row.feed, row.state, row.amount_usd, ratio(row.amount_usd, total))
        for row in posted.sort_values(["amount_usd", "asset", "root"], ascending=[False, True, True]).itertuples()
        if row.amount_usd > 0
    )
    return Dependence(
        collateral_usd=total,
        enabled_usd=float(supplies.loc[supplies["collateral_enabled"].astype(bool), "amount_usd"].sum()),
        claims_usd=float(lent["amount_usd"].sum()),
        borrowed_usd=float(borrows["amount_usd"].sum()),
        posted=slices,
        feeds=_amounts(
            pd.DataFrame([(s.feed, s.feed, s.amount_usd) for s in slices if s.feed], columns=_AMOUNT), total
        ),
        roots=_amounts(pd.DataFrame([(s.root, s.root, s.amount_usd) for s in slices], columns=_AMOUNT), total),
        lenders=_amounts(lent[["holder", "holder_name", "amount_usd"]].set_axis(_AMOUNT, axis=1)),
        borrowed=_amounts(borrows[["asset", "symbol", "amount_usd"]].set_axis(_AMOUNT, axis=1)),
        borrowers=_spread(collateral),
        lending=_spread(lent),
        unmoved=unmoved.lines(exposure.unmoved),
        unmoved_debt_usd=exposure.unmoved_debt_usd,
        paused=exposure.paused,
    )


def _amounts(rows: pd.DataFrame, total: float | None = None) -> tuple[Amount, ...]:
    """Rows summed by key, largest first."""
    sums = rows.astype({"amount_usd": float}).groupby(["key", "name"])["amount_usd"].sum().reset_index()
    sums = sums[sums["amount_usd"] > 0].sort_values(["amount_usd", "key"], ascending=[False, True])
    whole = float(sums["amount_usd"].sum()) if total is None else total
    return tuple(
        Amount(row.key, row.name, row.amount_usd, ratio(row.amount_usd, whole)) for row in sums.itertuples(index=False)
    )


def _spread(rows: pd.DataFrame) -> Spread:
    found = concentration(rows.groupby("holder")["amount_usd"].sum())
    return Spread(found.count, found.hhi or 0.0, found.effective_number or 0.0, found.top10_share or 0.0)
