"""A book of some thousand dollars is reported in dollars: no amount vanishes in millions."""

import re
from pathlib import Path

import pytest

import aftershock
from reports import charts
from reports.amounts import money
from reports.palette import LIGHT
from reports.record import Assessment
from reports.render import render
from tests.reports.text_boxes import boxes, written_over

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


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """A book without feeds, pools and lenders, in which carol is under water and all that can be liquidated is due after a fall of 5 %."""
    rows = (
        "mine,alice,Treasury of the DAO,ETH,collateral,10,2000,8250,500,5000",
        "mine,alice,Treasury of the DAO,USDC,debt,15800,1,,,5000",
        "mine,carol,,ETH,collateral,5,2000,8250,500,5000",
        "mine,carol,,USDC,debt,9900,1,,,5000",
    )
    path = tmp_path_factory.mktemp("bare") / "book.csv"
    path.write_text("\n".join((BOOK.splitlines()[0].replace("position_id,", "position_id,owner,"), *rows)) + "\n")
    return aftershock.report(aftershock.load(path), "mine")


def test_what_no_feed_prices_is_not_marked_as_priced_by_one(bare: Assessment) -> None:
    assert bare.exposure.feeds == ()
    for narrow in (False, True):
        drawn = charts.exposure_map(bare, narrow=narrow)
        assert LIGHT["s700"] not in drawn and LIGHT["s200"] not in drawn
        assert ("nobody lends" if narrow else "no lender") in drawn and ">lenders" not in drawn


def test_labels_of_a_flat_curve_stay_beside_it(bare: Assessment) -> None:
    assert bare.at_risk.at(10) == bare.at_risk.at(20) > 0
    for narrow in (False, True):
        drawn = charts.at_risk(bare, narrow=narrow)
        assert written_over(drawn) == [] and min(top for _, _, _, top, _ in boxes(drawn)) > 0
        amount = money(bare.at_risk.at(10))
        labels = sorted((left, bottom) for said, left, _, _, bottom in boxes(drawn) if said.endswith(amount))
        assert len(labels) == 3 and labels[1][1] == labels[2][1], "none climbs over another that it does not meet"


def test_dollars_are_whole_and_names_are_no_code_and_a_file_has_no_block(bare: Assessment) -> None:
    texts = render(bare, ["md", "html"])
    for text in texts.values():
        assert "this block" not in text.replace("one block", "") and "s the file states it, in US dollars" in text
        assert "Treasury of the DAO, alice" in text and "`carol`" not in text and "<code>carol" not in text
    shown = re.findall(r"bad debt by round, \$: ([^;]+);", charts.cascade(bare), re.IGNORECASE)
    assert shown and "." not in shown[0]
