"""How much of what the contracts state was read account by account: by chain and protocol, in USD, with what could not be valued.

Known is what a contract states in total: what a market owes its suppliers and is owed by its borrowers, collateral that a market keeps
apart, what a pool holds. Seen is the part of it whose owner a row names. The rest is known and not seen: shares of pools whose holders
are not read, for one. Totals beyond the protocols that were read (other markets, the rest of a token's supply) are in neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from chain.snapshot import Snapshot
from graph import relations
from graph.relations import DEBT_SIDES
from graph.valuation import Prices, prices


@dataclass(frozen=True)
class Coverage:
    """What was read of one protocol on one chain.

    Attributes
    ----------
    markets, pools, positions : counts; a position is one account's amount of one asset on one side.
    seen_usd : amounts whose owner is named, supply, collateral, debt and pools together.
    unseen_usd : stated by a contract in total, owner not named.
    unvalued : totals above zero without a price in USD; they are in neither sum.
    unverified : rows of markets, reserves, positions and pools that agree with no second answer of the chain.
    """

    chain: str
    protocol: str
    markets: int
    pools: int
    positions: int
    seen_usd: float
    unseen_usd: float
    unvalued: int
    unverified: int


@dataclass(frozen=True)
class _Total:
    """One total that a contract states, and how much of it has owners, in smallest units of an asset."""

    asset: str
    market: str | None
    known_raw: int
    seen_raw: int


def coverage(snapshot: Snapshot) -> list[Coverage]:
    """One record for each protocol with markets or pools on each chain, in the order of chain and protocol."""
    known = prices(snapshot, relations.wraps(snapshot))
    markets, pools = snapshot["markets"], snapshot["pools"]
    places = sorted({*_pairs(markets), *_pairs(pools)})
    return [_of(snapshot, known, chain, protocol) for chain, protocol in places]


def _of(snapshot: Snapshot, known: Prices, chain: str, protocol: str) -> Coverage:
    parts = {name: _mine(snapshot[name], chain, protocol) for name in ("markets", "pools")}
    markets, pools = set(parts["markets"]["market"]), set(parts["pools"]["pool"])
    for name in ("reserves", "positions"):
        parts[name] = snapshot[name][snapshot[name]["market"].isin(markets)]
    parts["pool_assets"] = snapshot["pool_assets"][snapshot["pool_assets"]["pool"].isin(pools)]
    seen = unseen = 0.0
    unvalued = 0
    for total in (*_lent(parts), *_pooled(parts, snapshot)):
        usd = known.value(max(total.known_raw, total.seen_raw), total.asset, total.market)
        if usd is None:
            unvalued += total.known_raw > 0
            continue
        part = known.value(total.seen_raw, total.asset, total.market) or 0.0
        seen, unseen = seen + part, unseen + max(usd - part, 0.0)
    unverified = sum(int((rows["status"] == "unverified").sum()) for rows in parts.values())
    held = int((parts["positions"]["amount_raw"] != 0).sum())
    return Coverage(chain, protocol, len(markets), len(pools), held, seen, unseen, unvalued, unverified)


def _lent(parts: dict[str, pd.DataFrame]) -> Iterator[_Total]:
    """What markets owe and are owed, and the collateral that they keep apart, against the positions."""
    seen: dict[tuple[str, str, str], int] = {}
    for row in parts["positions"].itertuples(index=False):
        side = "debt" if row.side in DEBT_SIDES else row.side
        seen[row.market, row.asset, side] = seen.get((row.market, row.asset, side), 0) + row.amount_raw
    for row in parts["reserves"].itertuples(index=False):
        supplied = row.supplied_stored_raw * row.supply_index_raw // max(row.supply_index_unit_raw, 1)
        owed = row.borrowed_stored_raw * row.borrow_index_raw // max(row.borrow_index_unit_raw, 1)
        fixed, apart = (0 if pd.isna(value) else value for value in (row.fixed_debt_raw, row.collateral_raw))
        for side, known in (("supply", supplied), ("collateral", apart), ("debt", owed + fixed)):
            yield _Total(row.asset, row.market, known, seen.get((row.market, row.asset, side), 0))


def _pooled(parts: dict[str, pd.DataFrame], snapshot: Snapshot) -> Iterator[_Total]:
    """What pools hold; seen is the share of it that belongs to holders of the pool's shares who were read."""
    held: dict[str, int] = {}
    for asset, amount in zip(snapshot["balances"]["asset"], snapshot["balances"]["amount_raw"], strict=True):
        held[asset] = held.get(asset, 0) + amount
    shares = {
        row.pool: (held.get(row.lp_asset, 0), row.lp_supply_raw)
        for row in parts["pools"].itertuples(index=False)
        if isinstance(row.lp_asset, str) and not pd.isna(row.lp_supply_raw) and row.lp_supply_raw
    }
    for row in parts["pool_assets"].itertuples(index=False):
        own, all_of_it = shares.get(row.pool, (0, 1))
        yield _Total(row.asset, None, row.reserve_raw, row.reserve_raw * min(own, all_of_it) // all_of_it)


def _mine(table: pd.DataFrame, chain: str, protocol: str) -> pd.DataFrame:
    return table[(table["chain"] == chain) & (table["protocol"] == protocol)]


def _pairs(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(table["chain"].tolist(), table["protocol"].tolist(), strict=True))
