"""Whoever simulates a file sees what `aftershock check` has against it, in the terminal and in JSON."""

import json
from pathlib import Path

import pytest

from aftershock.cli import joint_shocks
from tests.aftershock.command import Ask

HEAD = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
IN_PER_CENT = (
    HEAD
    + "mine,alice,ETH,collateral,10,2000,82,500,5000\nmine,alice,USDC,debt,140,1,,,5000\n"
    + "mine,bob,ETH,collateral,10,2000,82,500,5000\nmine,bob,usdc,debt,140,1,,,5000\n"
)
CLEAN = HEAD + "mine,alice,ETH,collateral,10,2000,8200,500,5000\nmine,alice,USDC,debt,140,1,,,5000\n"
VERBS = (("simulate", "--shock", "ETH=-20%", "--book"), ("report", "--out", "out", "--snapshot"))


@pytest.mark.parametrize("words", VERBS, ids=["simulate", "report"])
def test_the_warnings_of_a_check_stand_beside_the_numbers(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "mine.csv").write_text(IN_PER_CENT)
    shown = ask(*words, "mine.csv").out
    assert "2 warnings in mine.csv; aftershock check mine.csv" in shown
    assert (
        "row 2 and 1 more threshold_bps  82.0: is less than 1 % of the value" in shown and "row 5 asset usdc" in shown
    )
    (checked,) = json.loads(ask("check", "mine.csv", "--json").out)["files"]
    told = json.loads(ask(*words, "mine.csv", "--json").out)["file_findings"]
    assert (told["errors"], told["warnings"], told["all"]) == (0, 2, "aftershock check mine.csv")
    assert sorted(told["first"], key=str) == sorted(checked["findings"], key=str) and len(told["first"]) == 2


def test_draws_of_joint_shocks_on_a_file_carry_its_warnings_too(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.csv").write_text(IN_PER_CENT)
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)
    words = ("simulate", "--shocks", "forecast", "--draws", "2", "--book", "mine.csv")
    assert "2 warnings in mine.csv" in ask(*words).out
    assert json.loads(ask(*words, "--json").out)["file_findings"]["warnings"] == 2


def test_of_many_findings_the_first_are_shown_and_all_are_counted(ask: Ask, tmp_path: Path) -> None:
    others = "".join(f"m{n},p,ETH,collateral,1,{2000 * (1 + n / 10)},8200,500,5000\n" for n in range(1, 4))
    names = "".join(
        f"mine,{name},{name},collateral,1,5,8200,500,5000\n" for name in ("aa", "AA", "bb", "BB", "cc", "CC")
    )
    (tmp_path / "mine.csv").write_text(IN_PER_CENT + others + names)
    (checked,) = json.loads(ask("check", "mine.csv", "--json").out)["files"]
    found = len(checked["findings"])
    told = json.loads(ask("simulate", "--book", "mine.csv", "--shock", "ETH=-1%", "--json").out)["file_findings"]
    assert found > 3 and len(told["first"]) == 3 and told["warnings"] == found
    shown = ask("simulate", "--book", "mine.csv", "--shock", "ETH=-1%").out
    assert f"{found} warnings in mine.csv; all: aftershock check mine.csv" in shown


def test_a_clean_file_and_a_snapshot_have_nothing_to_warn_of(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CLEAN)
    assert "warning" not in ask("simulate", "--book", "mine.csv", "--shock", "ETH=-20%").out
    told = json.loads(ask("simulate", "--book", "mine.csv", "--shock", "ETH=-20%", "--json").out)
    assert (told["file_findings"]["errors"], told["file_findings"]["warnings"]) == (0, 0)
    assert "file_findings" not in json.loads(ask("simulate", "--shock", "LINK=-1%", "--json").out)
