"""What an answer must not hide: data that failed its checks, losses before any shock, debts that wait, names that are not names."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import aftershock
from chain.snapshot import Check, save
from tests.aftershock.command import Ask

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
UNDER_WATER = (
    HEADER + "m,whale,BTC,collateral,100,50000,8000,500,\nm,whale,USDC,debt,9000000,1,,,\n"
    "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,1000,1,,,\n"
)


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """The sample as a reading left it whose comparisons failed."""
    sample = aftershock.load()
    check = Check("positions", "sums", 3, ("supplied WETH: 1 is not 2", "supplied USDC: 1 is not 3"))
    return save(replace(sample, name="failed", checks=(*sample.checks, check)), tmp_path / "failed")


@pytest.mark.parametrize(
    "verb", [("simulate", "--shock", "ETH=-10%"), ("query", "risk", "aave-v3", "--fall", "10", "--scenario", "none")]
)
def test_a_snapshot_that_failed_its_checks_says_so(ask: Ask, failed: Path, verb: tuple[str, ...]) -> None:
    answer = ask(*verb, "--snapshot", str(failed), "--json")
    assert answer.code == 3
    assert ask(*verb, "--json").code == 0
    assert any("2 comparisons with the chain failed" in note for note in json.loads(answer.out)["notes"])
    assert "comparisons with the chain failed" in " ".join(ask(*verb, "--snapshot", str(failed)).out.split())
    assert not any("comparisons" in note for note in json.loads(ask(*verb, "--json").out)["notes"])


def test_what_is_lost_before_any_shock_is_in_the_report(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(UNDER_WATER)
    answer = ask("report", "--snapshot", str(book), "--scenario", "eth-10", "--out", str(tmp_path / "out"), "--json")
    record = json.loads(answer.out)
    assert record["under_water_usd"] == pytest.approx(4_000_000)
    assert "Before any shock **$4.00m** is owed beyond the collateral that secures it" in record["verdict"][
        "sentences"
    ][0].replace("\u202f", "")
    assert "under_water" in {reading["name"] for reading in record["verdict"]["readings"] if reading["crossed"]}
    assert answer.code == 1


def test_a_book_does_not_know_what_can_leave(ask: Ask, tmp_path: Path) -> None:
    """It states positions: what lies in the reserves is not nothing, it is not known, in both answers and in JSON."""
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,1000,1,,,\n")
    page = " ".join(ask("query", "exposure", "m", "--snapshot", str(book)).out.split())
    assert "can leave now not known cash in the reserves" in page
    risk = ("query", "risk", "m", "--snapshot", str(book), "--scenario", "none", "--fall", "0")
    assert "can leave now not known" in " ".join(ask(*risk).out.split())
    asked = json.loads(ask("query", "exposure", "m", "--snapshot", str(book), "--json").out)
    assert asked["figures"]["cash_usd"] is None and json.loads(ask(*risk, "--json").out)["figures"]["cash_usd"] is None
    assert [row["cash_usd"] for row in asked["outbound"]["reserves"]] == [None, None]


def test_who_waits_is_not_healthy(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,15000,1,,,\n")
    shown = " ".join(ask("simulate", "--book", str(book), "--shock", "ETH=-20%", "--gas-usd", "5000").out.split())
    assert "Nobody is liquidated: 1 position could be, but no keeper would profit." in shown
    assert "every health factor stays" not in shown


def test_the_headline_is_about_the_worst_fall_whatever_the_order(ask: Ask) -> None:
    def headline(*falls: str) -> str:
        words = [word for fall in falls for word in ("--fall", fall)]
        shown: str = ask("query", "risk", "aave-v3", "--scenario", "none", *words).out.replace("\u202f", " ")
        return next(line for line in shown.splitlines() if line.startswith("Aave V3, core: at "))

    assert "ETH −50 %" in headline("50", "10")
    assert headline("50", "10") == headline("10", "50")


def test_no_name_reaches_the_terminal_as_a_command(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(
        HEADER + "m,a\x1b[31mRED,ETH\x1b[2J,collateral,10,2000,8000,500,\nm,a\x1b[31mRED,USDC,debt,15000,1,,,\n"
    )
    shown = ask("simulate", "--book", str(book), "--shock", "ETH\x1b[2J=-20%")
    wrong = ask("simulate", "--book", str(book), "--shock", "nothing=-20%")
    assert shown.code == 0
    assert wrong.code == 2
    for text in (shown.out, shown.err, wrong.out, wrong.err):
        assert "\x1b[31m" not in text and "\x1b[2J" not in text


def test_a_threshold_that_is_no_amount_is_refused_and_the_version_is_told(ask: Ask) -> None:
    wrong = ask("simulate", "--shock", "ETH=-10%", "--fail-above", "nan")
    assert (wrong.code, "--fail-above is nan" in wrong.err) == (2, True)
    assert ask("--version").out == f"aftershock {aftershock.__version__}\n"


def test_what_to_run_next_is_about_the_same_data(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(UNDER_WATER)
    for verb in (("query", "exposure", "m"), ("query", "risk", "m", "--scenario", "none")):
        shown = "".join(ask(*verb, "--snapshot", str(book)).out.splitlines()).replace(" ", "")
        assert f"next aftershock simulate --shock ETH=-30% --snapshot {book}".replace(" ", "") in shown
