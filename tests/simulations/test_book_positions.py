"""Positions of a book against the table of positions: amounts of every leg, who has it, and no matter in which order the rows stand."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

import aftershock
from chain.tables import each_row
from graph.protocol_graph import ProtocolGraph
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.state import start


@pytest.fixture(scope="module")
def sample() -> ProtocolGraph:
    return aftershock.graph(aftershock.load())


@pytest.fixture(scope="module")
def book(sample: ProtocolGraph) -> Book:
    return from_graph(sample)


def test_legs_have_the_amounts_of_the_table(sample: ProtocolGraph, book: Book) -> None:
    """Whole tokens with interest, which the table states in smallest units and the book works out from stored units and indices."""
    table, state = sample.snapshot["positions"], start(book)
    decimals = sample.snapshot["assets"].set_index("asset")["decimals"]
    markets = {market.key for market in book.markets}
    wanted: dict[tuple[str, str, str, bool], float] = {}
    counts, owners = dict[tuple[str, str, str], bool](), dict[tuple[str, str], str]()
    for row in each_row(table[table["market"].isin(markets)]):
        place = (row.market, row.position_id, row.asset)
        side = (*place, row.side == "debt")
        wanted[side] = wanted.get(side, 0.0) + row.amount_raw / 10 ** int(decimals[row.asset])
        counts[place] = counts.get(place, False) or (row.side != "debt" and bool(row.collateral_enabled))
        owners[place[:2]] = row.owner
    found: dict[tuple[str, str, str, bool], float] = {}
    for number, position in enumerate(book.position_ids):
        market = book.markets[int(book.position_market[number])].key
        assert owners.pop((market, position)) == book.owners[number]
        for leg in book.legs(number):
            reserve = book.reserves[int(book.leg_reserve[leg])]
            place = (market, position, book.assets[reserve.asset].key)
            assert book.markets[reserve.market].key == market and counts.pop(place) == book.leg_enabled[leg]
            found |= {(*place, False): state.supply_tokens[leg], (*place, True): state.debt_tokens[leg]}
    assert not counts and not owners and len(wanted) > 500
    assert {key: amount for key, amount in found.items() if amount or key in wanted} == pytest.approx(
        wanted, rel=1e-6, abs=1e-5
    )


def test_the_order_of_rows_does_not_matter_nor_on_how_many_sides_a_supply_stands(
    sample: ProtocolGraph, book: Book
) -> None:
    table = sample.snapshot["positions"]
    split = (table["side"] == "supply") & (np.arange(len(table)) % 3 == 0)
    half = table["stored_raw"].where(~split, table["stored_raw"] // 3)
    rest = table[split].assign(side="collateral", stored_raw=(table["stored_raw"] - half)[split])
    table = pd.concat([table.assign(stored_raw=half), rest], ignore_index=True)
    shuffled = table.iloc[np.random.default_rng(5).permutation(len(table))].reset_index(drop=True)
    other = replace(sample, snapshot=replace(sample.snapshot, tables={**sample.snapshot.tables, "positions": shuffled}))
    again = from_graph(other)
    pairs = list(zip(book.position_market.tolist(), book.position_ids, strict=True))
    assert pairs == sorted(pairs)
    names = [one.name for one in fields(Book) if one.name.startswith(("position_", "leg_", "offsets", "owners"))]
    assert len(names) == 12
    for name in names:
        assert np.array_equal(getattr(again, name), getattr(book, name)), name
