"""`aftershock report` on books made by hand: what its record says."""

import json
from pathlib import Path

import pytest

from tests.aftershock.command import Ask

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
UNDER_WATER = (
    HEADER + "m,whale,BTC,collateral,100,50000,8000,500,\nm,whale,USDC,debt,9000000,1,,,\n"
    "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,1000,1,,,\n"
)


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
