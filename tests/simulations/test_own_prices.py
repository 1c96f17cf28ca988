"""Markets that price one asset differently, and markets that count in something without a worth in USD: by hand."""

from fractions import Fraction
from pathlib import Path

import pytest

import aftershock
from chain.errors import InputError
from chain.files.book_file import read_book
from graph.build import build
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.health import health_factors
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import PriceShock
from simulations.state import start

TWO_PRICES = """market,position_id,asset,side,amount,price,threshold_bps
{first},a,ETH,collateral,10,2000,8000
{first},a,USDC,debt,12000,1,
{second},b,ETH,collateral,9,1000,8000
{second},b,USDC,debt,5000,1,
"""
ETHER = "eip155:31337/slip44:60"
IN_EURO = """market,position_id,asset,side,amount,price,quote,threshold_bps
m,a,ETH,collateral,10,1800,EUR,8000
m,a,EURC,debt,12000,1,EUR,
"""


def book_of(text: str, tmp_path: Path) -> Book:
    file = tmp_path / "book.csv"
    file.write_text(text)
    return from_graph(build(read_book(file)))


@pytest.mark.parametrize("names", [("alpha", "beta"), ("beta", "alpha")])
def test_an_asset_is_counted_at_the_price_of_most_of_it_whichever_market_comes_last(
    names: tuple[str, str], tmp_path: Path
) -> None:
    book = book_of(TWO_PRICES.format(first=names[0], second=names[1]), tmp_path)
    result = run(book, of_shocks([PriceShock("ETH", -0.01)], Assumptions()))
    table = result.markets.set_index("name")["supplied_usd"].to_dict()
    assert table == pytest.approx({f"Book, {names[0]}": 20_000.0, f"Book, {names[1]}": 18_000.0})
    health = result.positions.set_index("position_id")["health_factor_before"].to_dict()
    assert health == pytest.approx({"a": 10 * 2000 * 0.8 / 12_000, "b": 9 * 1000 * 0.8 / 5_000}), (
        "each by its own oracle"
    )
    assert result.bad_debt_usd == 0 and result.markets["before_usd"].sum() == 0
    [note] = [note for note in result.notes if " prices ETH at " in note]
    assert note.startswith(f"{names[1]} prices ETH at $1,000, where most is supplied it is $2,000")


def test_a_market_that_counts_in_something_without_a_worth_is_refused(tmp_path: Path) -> None:
    book = book_of(IN_EURO, tmp_path)
    assert health_factors(start(book)).tolist() == pytest.approx([10 * 1800 * 0.8 / 12_000]), "health needs no dollars"
    with pytest.raises(InputError, match="nothing states what ETH, EURC are worth in USD"):
        run(book, of_shocks([PriceShock("ETH", -0.5)], Assumptions()))


def test_beside_others_it_is_left_out_and_named(tmp_path: Path) -> None:
    rows = IN_EURO + "other,b,ETH,collateral,10,2000,USD,8000\nother,b,USDC,debt,9000,1,USD,\n"
    book = book_of(rows, tmp_path)
    assert [market.name for market in book.markets] == ["Book, other"]
    assert any(note.startswith("m is left out: its prices are in EUR") for note in book.notes)


def test_a_receipt_that_is_collateral_elsewhere_falls_with_what_it_is_a_receipt_of() -> None:
    """By hand, of the sample's market that takes Compound's receipt for ether: who must be liquidated at -30 %, and who is not even at the last price."""
    snapshot = aftershock.load()
    market = snapshot["markets"].set_index("instance").at["blue 0x73e5f1fe", "market"]
    reserves, prices = (
        table[table["market"] == market].set_index("asset") for table in (snapshot["reserves"], snapshot["prices"])
    )
    positions = snapshot["positions"][snapshot["positions"]["market"] == market]
    amounts = positions.pivot(index="position_id", columns="side", values="amount_raw").fillna(0)
    [receipt] = set(positions.loc[positions["side"] == "collateral", "asset"])
    price = Fraction(prices.at[receipt, "price_raw"], 10 ** int(prices.at[receipt, "decimals"]))
    threshold = Fraction(reserves.at[receipt, "liquidation_threshold_wad"], 10**18)
    units = Fraction(10**6, 10**8)  # of the loan, of the receipt
    health = {
        row.Index: row.collateral * units * price * threshold / row.debt
        for row in amounts.itertuples()
        if row.debt and row.collateral
    }
    result = run(from_graph(build(snapshot)), of_shocks([PriceShock("ETH", -0.3)], Assumptions()))
    rows = result.positions[result.positions["market"] == market].set_index("position_id")
    touched = set(rows[rows["liquidated_usd"] > 0].index)
    ether = result.rounds[-1].market_price_usd[ETHER] / result.market_price_before_usd[ETHER]
    must, may = (
        {key for key, value in health.items() if value * left < 1} for left in (Fraction(7, 10), Fraction(ether))
    )
    assert 0.6 < ether < 0.7 and must <= touched <= may and 0 < len(must) < len(health)
