"""What is chosen where the user said nothing follows from what the market holds that was asked about; the books are worked out by hand."""

from pathlib import Path

import pytest

import aftershock
from aftershock import choices
from chain.errors import InputError
from simulations.book import Book
from simulations.book_of_graph import from_graph

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
SMALL = "small,alice,LINK,collateral,1000,14,8000,500,5000\nsmall,alice,USDC,debt,11000,1,,,5000\n"
"""14,000 of LINK secure 11,000: 0.8 x 14,000 = 11,200 covers it, 10 % less (10,080) does not."""
ETHER = "big,bob,ETH,collateral,5,2000,8000,500,5000\nbig,bob,USDC,debt,10,1,,,5000\n"
BITCOIN = "big,bob,WBTC,collateral,100,60000,8000,500,5000\nbig,bob,USDC,debt,1000000,1,,,5000\n"
BARE = "bare,dan,USDC,debt,100,1,,,\n"


def written(folder: Path, *rows: str) -> aftershock.Snapshot:
    (folder / "book.csv").write_text(HEADER + "".join(rows))
    return aftershock.load(folder / "book.csv")


def book(folder: Path, *rows: str) -> Book:
    return from_graph(aftershock.graph(written(folder, *rows)))


def titles(found: Book, market: str) -> list[str]:
    keys = [one.key for one in found.markets if one.key.endswith(market)]
    chosen = choices.applicable(found, keys, choices.main_asset(found, keys))
    return [one.title.replace("\u202f", " ").replace("\u2212", "-") for one in chosen]


@pytest.mark.parametrize("other", [ETHER, BITCOIN], ids=["ether elsewhere", "bitcoin elsewhere"])
def test_what_falls_is_what_the_market_holds(tmp_path: Path, other: str) -> None:
    snapshot = written(tmp_path, SMALL, other)
    found = aftershock.risk(snapshot, "small", falls=(0.0, 0.1), scenario="largest_fall")
    assert found.asset == "LINK"
    assert [sums[0].liquidatable_debt_usd for _, sums in found.falls] == [0.0, pytest.approx(11_000)]
    assert found.cascade is not None
    assert [shock["asset"] for shock in found.cascade["scenario"]["shocks"]] == ["LINK"]


def test_the_verdict_on_an_ordinary_day_is_about_the_markets_own_collateral(tmp_path: Path) -> None:
    """In a first round half of 11,000 is repaid for 5 % more of LINK: 5,775 can be taken, not nothing."""
    found = aftershock.report(written(tmp_path, SMALL, ETHER), "small")
    assert found.at_risk.symbol == found.frontier.symbol == "LINK"
    assert found.at_risk.at(10) == pytest.approx(5_775)
    assert {line.shocked for line in found.scenarios} == {("LINK",)}
    assert "nothing" not in found.verdict.plain[0] and "LINK" in found.verdict.plain[0]


def test_a_scenario_applies_where_one_of_its_falls_reaches_collateral_of_the_market(tmp_path: Path) -> None:
    every = book(tmp_path, SMALL, ETHER, BITCOIN.replace("bob", "dave"))
    assert titles(every, "small") == ["ETH, WBTC, LINK -30 %"]
    assert titles(every, "big") == ["ETH, WBTC, LINK -30 %", "ETH -10 %", "ETH -20 %", "ETH -30 %", "WBTC -20 %"]
    assert titles(book(tmp_path, SMALL, ETHER), "small") == ["LINK -10 %", "LINK -20 %", "LINK -30 %"]


def test_the_largest_collateral_is_the_markets_own_and_ether_comes_first_where_it_counts(tmp_path: Path) -> None:
    mixed = SMALL + "small,alice,DAI,collateral,20000,1,8000,500,5000\n"
    found = book(tmp_path, mixed, BITCOIN, BARE)
    small, big, bare = (
        next(one.key for one in found.markets if one.key.endswith(name)) for name in ("small", "big", "bare")
    )
    assert [choices.main_asset(found, keys) for keys in ([small], [big], [small, big])] == ["DAI", "WBTC", "WBTC"]
    assert choices.main_asset(found, [bare]) == "WBTC", "it has no collateral of its own"
    little = book(tmp_path, SMALL, "small,alice,ETH,collateral,1,2000,8000,500,5000\n")
    assert choices.main_asset(little, [small]) == "ETH"
    with pytest.raises(InputError, match="nobody in this book has collateral"):
        choices.main_asset(book(tmp_path, BARE), [bare])
