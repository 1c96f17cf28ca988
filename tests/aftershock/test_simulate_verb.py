"""`aftershock simulate` on books made by hand: what its page says of the numbers of a run."""

from pathlib import Path

import pytest

import aftershock
from aftershock.comparisons import compared
from tests.aftershock.command import Ask

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"


def test_what_a_rise_covers_again_is_no_bad_debt_below_zero(ask: Ask, tmp_path: Path) -> None:
    """10 ETH at 2,400 repay 24,000 / 1.05 of 30,000: 2,857 of the 10,000 that were under water."""
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,z,ETH,collateral,10,2000,8000,500,\nm,z,USDC,debt,30000,1,,,\n")
    shown = " ".join(ask("simulate", "--book", str(book), "--shock", "ETH=+20%").out.split())
    assert "bad debt is $0, " in shown and "-$" not in shown and "−$" not in shown
    assert "$10,000 of debt was under water before the shock" in shown
    assert "At the end $2,857 of it is covered again." in shown


def test_the_price_beside_the_rounds_is_of_what_is_liquidated_most(ask: Ask, tmp_path: Path) -> None:
    """Alice's ether, not the first that is shocked, as in the report (`reports.cascades.leading`)."""
    book = tmp_path / "book.csv"
    rows = "m,alice,ETH,collateral,100,1000,8000,500,\nm,alice,USDC,debt,79000,1,,,\nm,bob,LINK,collateral,10,1000,8000,500,\nm,bob,USDC,debt,7900,1,,,\n"
    book.write_text(HEADER + rows)
    shown = ask("simulate", "--book", str(book), "--shock", "LINK=-5%", "--shock", "ETH=-5%").out
    assert "ETH now %" in shown and "LINK now %" not in shown


def test_what_is_left_uncovered_after_a_rise_is_what_was_there_less_what_is_covered_again(tmp_path: Path) -> None:
    """30,000 less the 24,000 / 1.05 that 10 ETH at 2,400 repay."""
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,z,ETH,collateral,10,2000,8000,500,\nm,z,USDC,debt,30000,1,,,\n")
    graph = aftershock.graph(aftershock.load(book))
    result = aftershock.simulate(graph, shocks=["ETH=+20%"])
    assert compared(graph, graph, [result, result]).bad_debt_usd("after") == pytest.approx(30_000 - 24_000 / 1.05)
