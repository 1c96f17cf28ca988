"""Which markets of a graph can be simulated, at which prices, and what a run must say about the data it stands on."""

from collections.abc import Mapping, Sequence

import pandas as pd

from chain.errors import InputError
from chain.tables import each_row
from graph.exposures.price_findings import HARD_CODED, RATE_ALONE, STALE, findings
from graph.pauses import pauses
from graph.protocol_graph import ProtocolGraph
from graph.valuation import DOLLAR
from simulations.book import Market
from simulations.rules import FAMILIES, is_isolated

APART = 0.01
PER_MARKET = ("markets", "reserves", "positions", "prices", "categories")


def simulated_tables(
    tables: Mapping[str, pd.DataFrame], markets: Sequence[Market], usd: Mapping[str, float]
) -> tuple[Mapping[str, pd.DataFrame], tuple[str, ...]]:
    """The tables without the markets that cannot be simulated, and why each was left out.

    These are markets that no rule is written for, isolated ones in which something has no price, and those that count in something whose
    worth in USD nothing states. A price of 0 is none, here as in `graph.valuation`.
    """
    is_none = tables["prices"]["price_raw"] == 0
    if is_none.any():
        tables = {**tables, "prices": tables["prices"][~is_none]}
    priced = set(zip(tables["prices"]["market"], tables["prices"]["asset"], strict=True))
    silent = {
        row.market: row.asset for row in each_row(tables["reserves"]) if (row.market, row.asset) not in priced
    }  # fmt: skip
    out = {
        market.key: f"{silent[market.key]} has no price in it"
        for market in markets
        if market.key in silent and is_isolated(market)
    }
    unwritten = {market.key: market.family for market in markets if market.family not in FAMILIES}
    if markets and len(unwritten) == len(markets):
        raise InputError(
            f"No market here can be simulated: no liquidation rule is written for {', '.join(sorted(set(unwritten.values())))}; "
            f"there are rules for {', '.join(FAMILIES)}"
        )
    out |= {key: f"no liquidation rule is written for its family, {family}" for key, family in unwritten.items()}
    symbols = dict(zip(tables["assets"]["asset"], tables["assets"]["symbol"], strict=True))
    unknown = {
        row.market: f"its prices are in {symbols.get(row.quote_asset, row.quote_asset)}, whose worth in USD nothing states"
        for row in each_row(tables["prices"])
        if pd.isna(row.price_usd) and row.quote_asset not in usd
    }
    if any(
        market.key not in out | unknown for market in markets
    ):  # alone, they still have health factors, though no fall can be followed
        out |= unknown
    if not out:
        return tables, ()
    kept = {
        name: table[~table["market"].isin(set(out))] if name in PER_MARKET else table for name, table in tables.items()
    }
    return kept, tuple(f"{market} is left out: {why}" for market, why in out.items())


def usd_of_assets(graph: ProtocolGraph) -> dict[str, float]:
    """USD per whole token by asset, as the world trades it: the price of the market where most is supplied (`graph.valuation`)."""
    nodes = graph.nodes["asset"]
    known = {key: float(usd) for key, usd in zip(nodes["node"], nodes["price_usd"], strict=True) if pd.notna(usd)}
    return {DOLLAR: 1.0, **known}


def told_by_prices(tables: Mapping[str, pd.DataFrame], usd: Mapping[str, float]) -> tuple[str, ...]:
    """Markets whose own price of an asset is more than 1 % off the one at which it is sold and counted here."""
    symbols = dict(zip(tables["assets"]["asset"], tables["assets"]["symbol"], strict=True))
    return tuple(
        f"{row.market} prices {symbols[row.asset]} at ${row.price_usd:,.6g}, where most is supplied it is ${usd[row.asset]:,.6g}: "
        "health follows the first; what is sold, lost and held is counted at the second"
        for row in each_row(tables["prices"])
        if pd.notna(row.price_usd) and row.asset in usd and abs(row.price_usd / usd[row.asset] - 1) > APART
    )


def told_by_feeds(tables: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """What the state of its sources means for a run: prices of collateral that no fall moves, and stale feeds that are taken to work."""
    found = findings(tables["feeds"])
    counts = tables["positions"]["collateral_enabled"].astype(bool)
    held = tables["positions"].loc[counts, ["market", "asset"]].drop_duplicates()
    posted = set(zip(held["market"], held["asset"], strict=True))
    symbols = dict(zip(tables["assets"]["asset"], tables["assets"]["symbol"], strict=True))
    places: dict[str, list[str]] = {}
    for row in each_row(tables["prices"]):
        if row.source in found and (row.market, row.asset) in posted:
            places.setdefault(found[row.source], []).append(f"{symbols[row.asset]} in {row.market}")
    words = {
        HARD_CODED: "hard-coded, so no fall liquidates anybody who posted it and what it does not cover stays owed",
        RATE_ALONE: "priced by an exchange rate alone, which no market price moves, so no fall liquidates anybody who posted it",
        STALE: "priced by a feed beyond its heartbeat, which here follows the market as if it worked",
    }
    return tuple(f"{', '.join(places[what])}: {text}" for what, text in words.items() if what in places)


def told_by_pauses(graph: ProtocolGraph, markets: Sequence[Market]) -> tuple[str, ...]:
    """What is paused among these markets, and that nobody is liquidated there."""
    names, symbols = {market.key: market.name for market in markets}, graph.labels
    return tuple(
        f"{one.said(names[one.market], symbols)}: whoever falls below a health factor of 1 there waits"
        f"{'' if one.is_all else ', as far as no other asset can be taken and repaid'}"
        for one in pauses(graph.snapshot)
        if one.market in names
    )


def failed_comparisons(graph: ProtocolGraph) -> tuple[str, ...]:
    """What comparisons with the chain say about the data: nothing if all passed."""
    failed = sum(len(check.failures) for check in graph.snapshot.checks)
    if not failed:
        return ()
    return (
        f"{failed:,} comparisons with the chain failed when this was read, so positions may be missing: take it again",
    )
