"""A price of 0 is an oracle's word for none (Compound's PriceOracle: "Zero means the price is unavailable"): said, and in no sum."""

from dataclasses import replace

import pandas as pd
import pytest

import aftershock
from aftershock.comparisons import compared
from chain.errors import InputError
from chain.snapshot import Snapshot
from graph.build import build
from simulations.book_of_graph import from_graph

SAMPLE = aftershock.load()
WBTC = next(row.asset for row in SAMPLE["assets"].itertuples() if row.symbol == "WBTC")
PLACES = set(SAMPLE["prices"]["market"][SAMPLE["prices"]["asset"] == WBTC])


def with_prices(prices: pd.DataFrame) -> Snapshot:
    return replace(SAMPLE, tables={**SAMPLE.tables, "prices": prices}, hashed={})


def zero(usd: float | None) -> Snapshot:
    prices = SAMPLE["prices"].copy()
    here = prices["asset"] == WBTC
    prices.loc[here, "price_raw"] = 0
    prices.loc[here, "price_usd"] = usd
    return with_prices(prices)


@pytest.mark.parametrize("usd", [0.0, None], ids=["stated", "derived"])
def test_zero_is_no_price_and_every_place_is_told(usd: float | None) -> None:
    graph = build(zero(usd))
    assert pd.isna(graph.nodes["asset"].set_index("node").at[WBTC, "price_usd"])
    told = {gap for gap in graph.gaps if "WBTC in " in gap and "has no USD price" in gap}
    assert len(PLACES) == 3 and all(any(place in gap for gap in told) for place in PLACES)
    lists = graph.relations["lists"]
    assert lists["collateral_usd"][lists["target"] == WBTC].isna().all()  # unknown, never $0


def test_who_simulates_is_told_which_price_is_missing_and_a_comparison_is_made_as_far_as_it_goes() -> None:
    graph = build(zero(0.0))
    with pytest.raises(InputError, match=f"{WBTC} has no price in "):
        from_graph(graph)
    found = compared(build(SAMPLE), graph)
    assert "WBTC has no price any more; it was $60,000." in found.differences.words
    assert any(f"{WBTC} has no price in " in gap for gap in found.differences.not_compared)
