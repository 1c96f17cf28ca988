"""`aftershock simulate` on books made by hand: what its page says of the numbers of a run."""

import json
from pathlib import Path

import pytest

import aftershock
from aftershock.comparisons import compared
from chain.snapshot import save
from graph.edits.tables import with_values
from tests.aftershock.command import Ask
from tests.simulations.hand_made import snapshot

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"


def test_what_a_rise_covers_again_is_no_bad_debt_below_zero(ask: Ask, tmp_path: Path) -> None:
    """10 ETH at 2,400 repay 24,000 / 1.05 of 30,000: 2,857 of the 10,000 that were under water."""
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,z,ETH,collateral,10,2000,8000,500,\nm,z,USDC,debt,30000,1,,,\n")
    shown = " ".join(ask("simulate", "--book", str(book), "--shock", "ETH=+20%").out.split())
    assert "bad debt is $0, " in shown and "-$" not in shown and "−$" not in shown
    assert "$10,000 of debt was under water before the shock" in shown
    assert "At the end $2,857 less of it is uncovered, as collateral rose in price: nobody paid it" in shown


def test_a_debt_that_became_cheaper_is_not_told_as_paid(ask: Ask, tmp_path: Path) -> None:
    """5 ETH owed at 2,000 without collateral: at 1,400 they are 3,000 less, and all that is left is as uncovered as before."""
    book = tmp_path / "book.csv"
    rows = "m,whale,ETH,debt,5,2000,,,\nm,whale,USDC,collateral,0,1,8000,500,\nm,z,ETH,collateral,10,2000,8000,500,\nm,z,USDC,debt,15000,1,,,\n"
    book.write_text(HEADER + rows)
    shown = " ".join(ask("simulate", "--book", str(book), "--shock", "ETH=-30%").out.split())
    assert "$10,000 of debt was under water before the shock" in shown
    told = shown.partition("At the end ")[2]
    assert told.startswith(
        "$3,000 less of it is uncovered, as what is owed fell in price: nobody paid it, and no new bad debt is less for it."
    )
    assert "covered again" not in shown


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


def test_one_question_has_one_content_id_however_it_is_typed(ask: Ask, tmp_path: Path) -> None:
    rows = "m,alice,ETH,collateral,100,1000,8000,500,\nm,alice,USDC,debt,79000,1,,,\nm,bob,LINK,collateral,10,1000,8000,500,\nm,bob,USDC,debt,7900,1,,,\n"
    (tmp_path / "book.csv").write_text(HEADER + rows)
    fall = '[[shocks]]\nasset = "link"\nchange = -0.05\n[[shocks]]\nasset = "eth"\nchange = -0.3\n'
    (tmp_path / "fall.toml").write_text(fall + "[assumptions]\ngas_usd = 5\nmax_rounds = 90\n")

    def told(*words: str) -> dict[str, object]:
        return dict(json.loads(ask("simulate", "--book", "book.csv", "--json", *words).out))

    ether = [told("--shock", "ETH=-30%"), told("--shock", "eth=-30.0 %"), told("--scenario", "eth-30")]
    assert ether[0] == ether[1] and ether[0]["rounds"] == ether[2]["rounds"]
    assert len({one["content_id"] for one in ether}) == 1
    both = [told("--shock", one, "--shock", two) for one, two in (("ETH=-30%", "LINK=-5%"), ("link=-5%", "eth=-30%"))]
    assert both[0] == both[1] and both[0]["scenario"]["title"] == "ETH −30\u202f%, LINK −5\u202f%"  # type: ignore[index]
    of_file = told("--scenario", "fall.toml")
    assert of_file["content_id"] == both[0]["content_id"] and of_file["positions"] == both[0]["positions"]
    others = [told("--shock", "ETH=-31%"), told("--shock", "ETH=-30%", "--gas-usd", "6")]
    others += [told("--shock", "ETH=-30%", "--pass-through", "1"), told("--shock", "LINK=-30%"), both[0], ether[0]]
    assert len({one["content_id"] for one in others}) == len(others)


def test_an_account_has_the_same_label_wherever_it_is_told(ask: Ask, tmp_path: Path) -> None:
    one, other = "0x" + "1a" * 20, "0x" + "2b" * 20
    rows = [
        (name, asset, side, size)
        for name in (one, other)
        for asset, side, size in (("ETH", "collateral", 10.0), ("USDC", "debt", 7_900.0))
    ]
    folders = {}
    for price in (1_100.0, 900.0):
        made = snapshot(rows, {"ETH": price, "USDC": 1.0})
        named = with_values(made, "entities", made["entities"]["name"].eq(one).tolist(), name="Treasury")
        folders[price] = str(save(named, tmp_path / f"{price:g}"))
    (tmp_path / "book.csv").write_text(
        HEADER.replace("market,", "owner,market,", 1)
        + "Treasury,m,vault-7,ETH,collateral,10,1000,8000,500,\nTreasury,m,vault-7,USDC,debt,7900,1,,,\n"
    )
    fall = ("--shock", "ETH=-40%")
    told = {
        "simulate": ask("simulate", *fall, "--snapshot", folders[900.0]).out,
        "diff": ask("diff", folders[1_100.0], folders[900.0]).out,
        "exposure": ask("query", "exposure", "Treasury", "--snapshot", folders[900.0]).out,
    }
    ask("report", "hand", "--snapshot", folders[900.0], "--out", str(tmp_path / "report"))
    told["report"] = (tmp_path / "report/report.md").read_text(encoding="utf-8")
    for verb, text in told.items():
        assert "Treasury" in text and (verb == "exposure" or "0x2b2b" in text), verb
        assert verb == "report" or "0x1a1a" not in text, verb
    assert "Treasury *(0x1a1a…1a1a)*" in told["report"], (
        "the address stands beside the name, so that it can be looked up"
    )
    assert "Treasury, vault-7" in ask("simulate", *fall, "--book", "book.csv").out, "whose it is, and which of theirs"


def test_who_waits_is_not_healthy(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,15000,1,,,\n")
    shown = " ".join(ask("simulate", "--book", str(book), "--shock", "ETH=-20%", "--gas-usd", "5000").out.split())
    assert "Nobody is liquidated: 1 position could be, but no keeper would profit." in shown
    assert "every health factor stays" not in shown


def test_a_threshold_that_is_no_amount_is_refused(ask: Ask) -> None:
    wrong = ask("simulate", "--shock", "ETH=-10%", "--fail-above", "nan")
    assert (wrong.code, "--fail-above is nan" in wrong.err) == (2, True)


TWO_PRICES = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,30,2000,8250,500,5000
mine,alice,USDC,debt,42000,1,,,5000
other,bob,ETH,collateral,10,2100,8250,500,
other,bob,USDC,debt,10000,1,,,
"""


def test_the_price_beside_the_rounds_is_compared_with_itself_where_markets_differ(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text(TWO_PRICES, encoding="utf-8")
    words = ("simulate", "--book", "two.csv", "--shock", "ETH=-20%")
    rows = [line.split() for line in ask(*words).out.splitlines() if line.strip()]
    after = rows.index(next(row for row in rows if row[:1] == ["round"]))
    assert rows[after + 1][:3] == ["1", "22,050", "−20.0"]
    assert next(row for row in rows[after:] if row[0] == "total")[2] == "−20.0"
    told = json.loads(ask(*words, "--json").out)
    assert (told["market_price_before_usd"]["file:ETH"], told["rounds"][-1]["market_price_usd"]["file:ETH"]) == (
        2000,
        1600,
    )
    result = aftershock.simulate(aftershock.load(tmp_path / "two.csv"), shocks=["ETH=-20%"])
    for market in ("mine", "other"):
        assessed = aftershock.report(aftershock.load(tmp_path / "two.csv"), market, known=[result])
        falls = {one.largest_fall_percent: one.leading_change_ratio for one in assessed.scenarios}
        assert falls and all(ratio == pytest.approx(-fall / 100) for fall, ratio in falls.items())
