"""Whoever simulates a file sees what `aftershock check` has against it, in the terminal and in JSON."""

import json
import shlex
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


def test_a_report_keeps_the_warnings_in_every_file_and_its_grade_says_so(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(IN_PER_CENT)
    (checked,) = json.loads(ask("check", "mine.csv", "--json").out)["files"]
    ask("report", "--snapshot", "mine.csv", "--out", "out")
    record = json.loads((tmp_path / "out/report.json").read_text())
    assert sorted(record["file_findings"]["first"], key=str) == sorted(checked["findings"], key=str)
    assert "aftershock check has 2 warnings against mine.csv" in record["verdict"]["reason"]
    for name, command in (("report.md", "`aftershock check mine.csv`"), ("report.html", "<code>aftershock check mine.csv</code>")):  # fmt: skip
        text = (tmp_path / "out" / name).read_text()
        assert "2 warnings in mine.csv" in text and "is less than 1 % of the value" in text and command in text
    (tmp_path / "mine.csv").write_text(CLEAN)
    ask("report", "--snapshot", "mine.csv", "--out", "out")
    record = json.loads((tmp_path / "out/report.json").read_text())
    assert record["file_findings"]["warnings"] == 0 and "aftershock check" not in record["verdict"]["reason"]
    assert "aftershock check" not in (tmp_path / "out/report.md").read_text()


def test_the_printed_reproduction_of_a_book_runs_and_gives_the_same_bytes(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "my books").mkdir()
    (tmp_path / "my books/mine.csv").write_text(CLEAN)
    (tmp_path / "fall.toml").write_text(
        'title = "ETH falls"\ndescription = "By a fifth."\n[[shocks]]\nasset = "ETH"\nchange = -0.2\n'
    )
    ask("report", "--snapshot", "my books/mine.csv", "--scenario", "./fall.toml", "--out", "first")
    command = json.loads((tmp_path / "first/report.json").read_text())["command"]
    assert str(tmp_path) not in command
    again = ask(*shlex.split(command)[1:], "--out", "second")
    assert again.code in (0, 1), again.err
    for name in ("report.json", "report.md", "report.html"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
