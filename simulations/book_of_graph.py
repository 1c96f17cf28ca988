"""The book of a protocol graph: its tables, read into the arrays of `simulations.book`."""

from collections.abc import Mapping

import pandas as pd

from chain.errors import InputError
from chain.networks import placed
from chain.tables import each_row
from graph.protocol_graph import ProtocolGraph
from simulations.book import Asset, Book, Market, Pool
from simulations.book_positions import positions_of
from simulations.book_reserves import category_prices_of, maybe_int, reserves_of
from simulations.venues.from_tables import venue_of
from simulations.what_is_simulated import (
    failed_comparisons,
    simulated_tables,
    told_by_feeds,
    told_by_pauses,
    told_by_prices,
    usd_of_assets,
)


def refuse_claims(graph: ProtocolGraph) -> None:
    """InputError if the snapshot is a file of exposures, or was made of one: it has no cascade. It says what can be asked."""
    if "exposures" in graph.snapshot.readers:
        raise InputError(
            f"{graph.snapshot.name} holds claims alone, and claims have no cascade: nothing in them can be liquidated or sold; of the same file or folder "
            "aftershock query answers exposure, paths, shared, risk (what the failure of one costs the others) and systemic"
        )


def from_graph(graph: ProtocolGraph, content_id: str | None = None) -> Book:
    """The graph as arrays. `content_id`: the snapshot's, where it is at hand or nobody asks for it; that of a million positions takes longer than all else.

    Raises
    ------
    InputError
        If a reserve that somebody holds has no price in its market: the file or reader that left it out is named by the key. If the
        snapshot holds claims alone.
    """
    refuse_claims(graph)
    markets = _markets(graph.snapshot.tables)
    tables, left_out = simulated_tables(graph.snapshot.tables, markets, usd_of_assets(graph))
    markets = _markets(tables)
    asset_keys = sorted(set(tables["assets"]["asset"]))
    asset_index = {key: number for number, key in enumerate(asset_keys)}
    market_index = {key: number for number, key in enumerate(tables["markets"]["market"])}
    assets = _assets(tables["assets"], graph, asset_keys)
    reserves = reserves_of(tables, markets, asset_index, market_index)
    category_prices, told = category_prices_of(tables, reserves, assets, asset_index, market_index)
    backings = tuple(
        (asset_index[claim], asset_index[backing], rate)
        for claim, backing, rate in _backing_rows(graph)
        if claim in asset_index and backing in asset_index
    )
    symbols: dict[str, list[int]] = {}
    for number, asset in enumerate(assets):
        symbols.setdefault(asset.symbol.lower(), []).append(number)
    return Book(
        assets=assets,
        markets=markets,
        reserves=reserves,
        pools=_pools(tables, asset_index, assets),
        backings=backings,
        timestamp=max((anchor.timestamp for anchor in graph.snapshot.anchors), default=0),
        content_id=graph.snapshot.content_id if content_id is None else content_id,
        caption=graph.snapshot.caption,
        symbols={symbol: tuple(numbers) for symbol, numbers in symbols.items()},
        category_prices=category_prices,
        notes=(
            *left_out,
            *told,
            *told_by_prices(tables, usd_of_assets(graph)),
            *told_by_feeds(tables),
            *told_by_pauses(graph, markets),
            *failed_comparisons(graph),
        ),
        **positions_of(tables, markets, reserves, category_prices, asset_index, market_index),
    )


def _markets(tables: Mapping[str, pd.DataFrame]) -> tuple[Market, ...]:
    names = dict(zip(tables["protocols"]["protocol"], tables["protocols"]["name"], strict=True))
    chains = set(tables["markets"]["chain"])
    return tuple(
        Market(
            row.market,
            placed(
                ", ".join(part for part in (names.get(row.protocol, row.protocol), row.instance) if part),
                row.market,
                chains,
            ),
            row.family,
            maybe_int(row.revision),
            row.loss_rule,
        )
        for row in each_row(tables["markets"])
    )


def _backing_rows(graph: ProtocolGraph) -> list[tuple[str, str, float]]:
    """(claim, backing, rate) from backs, and from wraps (wrapped coins, receipts of markets) where nothing else is known."""
    rates = {
        (row.target, row.source): float(row.rate) for row in each_row(graph.relations["backs"]) if pd.notna(row.rate)
    }
    for row in each_row(graph.relations["wraps"]):
        rates.setdefault((row.source, row.target), float(row.rate))
    return [(claim, backing, rate) for (claim, backing), rate in sorted(rates.items())]


def _assets(table: pd.DataFrame, graph: ProtocolGraph, keys: list[str]) -> tuple[Asset, ...]:
    """Assets with the price that the world trades them at: that of the market where most is supplied (`graph.valuation`)."""
    known = usd_of_assets(graph)
    for claim, backing, rate in _backing_rows(graph):
        if backing not in known and claim in known and rate > 0:
            known[backing] = known[claim] / rate
    by_key = {row.asset: row for row in each_row(table)}
    return tuple(
        Asset(key, by_key[key].symbol, int(by_key[key].decimals), by_key[key].kind, known.get(key, float("nan")))
        for key in keys
    )


def _pools(
    tables: Mapping[str, pd.DataFrame], asset_index: Mapping[str, int], assets: tuple[Asset, ...]
) -> tuple[Pool, ...]:
    sides = {pool: list(each_row(some.sort_values("slot"))) for pool, some in tables["pool_assets"].groupby("pool")}
    ticks = {pool: list(each_row(some)) for pool, some in tables["pool_ticks"].groupby("pool")}
    found = []
    for row in each_row(tables["pools"]):
        held = sides.get(row.pool, [])
        decimals = [assets[asset_index[side.asset]].decimals for side in held]
        venue = venue_of(row, held, ticks.get(row.pool, []), decimals)
        if venue is None or len(held) != 2:
            continue
        first, second = held
        found.append(
            Pool(
                row.pool,
                asset_index[first.asset],
                asset_index[second.asset],
                first.reserve_raw,
                second.reserve_raw,
                row.fee_wad,
                venue,
            )
        )
    return tuple(found)
