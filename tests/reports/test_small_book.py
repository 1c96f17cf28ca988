"""A book of some thousand dollars is reported in dollars: no amount vanishes in millions."""

import re
from pathlib import Path

import pytest

import aftershock
from reports.record import Assessment
from reports.render import render

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,ETH,collateral,1,2000,8250,500,5000
mine,bob,USDC,debt,1640,1,,,5000
"""


def small(folder: Path, factor: int = 1) -> Assessment:
    rows = [line.split(",") for line in BOOK.splitlines()]
    scaled = [rows[0], *([*row[:4], str(int(row[4]) * factor), *row[5:]] for row in rows[1:])]
    (folder / "book.csv").write_text("\n".join(map(",".join, scaled)) + "\n", encoding="utf-8")
    return aftershock.report(aftershock.load(folder / "book.csv"), "mine")


@pytest.mark.parametrize(("factor", "head", "supplied"), [(1, "$", "22,000"), (10, "$k", "220"), (100, "$m", "2.20")])
def test_amounts_are_written_in_a_unit_of_their_size(tmp_path: Path, factor: int, head: str, supplied: str) -> None:
    page = render(small(tmp_path, factor), ["md"])["md"]
    assert f"| what we know | % | {head} | how |" in page
    assert f"| **supplied** | **100.0** | **{supplied}** |" in page
    assert "under $" not in page and "$0.0" not in page and (factor == 100 or "<0.01" not in page)
    if factor == 1:
        assert not re.search(r"\$[\d.,]+[kmb]|million|thousand", page)


def test_the_bad_debt_of_a_small_book_is_the_loss_that_is_shown(tmp_path: Path) -> None:
    one, hundred = small(tmp_path), small(tmp_path, 100)
    assert one.cascade.by_bad_debt and hundred.cascade.by_bad_debt
    assert one.scenarios[0].bad_debt_usd * 100 == pytest.approx(hundred.scenarios[0].bad_debt_usd, rel=1e-2)
    assert f"${one.scenarios[0].bad_debt_usd:,.0f}" in one.verdict.sentences[1]


def test_positions_of_a_file_go_by_the_names_in_it(tmp_path: Path) -> None:
    address = "0x" + "1a" * 20
    (tmp_path / "book.csv").write_text(BOOK.replace("bob", address), encoding="utf-8")
    found = aftershock.report(aftershock.load(tmp_path / "book.csv"), "mine")
    assert {line.name: line.address for line in found.cascade.positions} == {"alice": "", "0x1a1a…1a1a": ""}
    assert "file:" in found.cascade.positions[0].owner
    texts = render(found, ["md", "html"])
    for text in texts.values():
        assert "file:account" not in text and "alice" in text and "0x1a1a…1a1a" in text
        assert "Names: as the file has them." in text
    assert texts["md"].count("alice") == 2, "in the verdict and in the table, without a second name there"
