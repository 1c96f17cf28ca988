"""Tables stay within the page: heads break between words, texts are wrapped, numbers stay on their decimal point."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from aftershock.cli.progress import Step
from aftershock.cli.terminal import WIDTH, Page, printable
from reports.amounts import shortened
from tests.aftershock.command import Ask


def printed(capsys: pytest.CaptureFixture[str], head: list[str], rows: list[list[str]], right: list[int]) -> list[str]:
    Page().table(head, rows, right=right)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_table_that_fits_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, ["name", "waiting debt $m"], [["a", "1.5"], ["b", "12"]], [1]) == [
        "name  waiting debt $m", "a                 1.5", "b                12",
    ]  # fmt: skip


def test_a_head_is_broken_above_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ["name", *(f"quantity number {number} $m" for number in range(4)), "waiting debt $m"]
    lines = printed(capsys, heads, [["a", *["1.25"] * 4, "3.78"], ["b", *["20"] * 4, "0.1"]], [1, 2, 3, 4, 5])
    assert max(map(len, lines)) <= WIDTH and len(lines) == 4
    assert "quantity  quantity number 1 $m" in lines[0] and lines[1].strip() == "number 0 $m"  # no more than is needed
    assert lines[2].rindex(".") == lines[3].rindex(".")
    assert len(lines[2]) == len(lines[0])


def test_a_long_text_is_wrapped_in_its_column_wherever_that_stands(capsys: pytest.CaptureFixture[str]) -> None:
    long = "call getReserveData at one contract; call totalSupply at another; events Supply and Withdraw"
    lines = printed(capsys, ["step", "evidence", "share"], [["lends", long, "57 %"], ["holds", "row 2", "9 %"]], [2])
    assert max(map(len, lines)) <= WIDTH and lines[1].endswith("57 %")
    assert " ".join(line[7:-6].strip() if line.endswith("%") else line[7:].strip() for line in lines[1:3]) == long
    assert all(line.startswith("       ") for line in lines[2:3])


def test_a_table_of_texts_alone_fits_too(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, ["a", "b", "c"], [["one two " * 10, "three four " * 9, "five six seven " * 8]], [])
    assert max(map(len, lines)) <= WIDTH and sum("two" in line for line in lines) >= 3


def test_addresses_in_a_text_are_shortened() -> None:
    text = f"call x @0x{'ab' * 20} block 1; topic 0x{'cd' * 32}; 0x12"
    assert shortened(text) == f"call x @0xabab…abab block 1; topic 0x{'cd' * 32}; 0x12"


HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"


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


def test_no_name_turns_the_text_around_or_hides_in_it(ask: Ask, tmp_path: Path) -> None:
    """Every control and format character of Unicode, by Python's own table, in one name; letters of any script stay."""
    unseen = "".join(
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp")
    )
    assert "\u202e" in unseen and "\u200b" in unseen and "\x1b" in unseen and len(unseen) > 200
    said = printable(f"市場 Größe Ξ −30\u202f%{unseen}")
    assert said == "市場 Größe Ξ −30\u202f%" + "".join("\n" if letter == "\n" else "�" for letter in unseen)
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,a\u202eb,E\u2066TH,collateral,10,2000,8000,500,\nm,a\u202eb,USDC,debt,15000,1,,,\n")
    shown = ask("simulate", "--book", str(book), "--shock", "E\u2066TH=-20%")
    assert shown.code == 0 and "E�TH" in shown.out
    assert not {"\u202e", "\u2066"} & set(shown.out + shown.err)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_output_that_does_not_take_every_letter_gets_plain_ones(ask: Ask, encoding: str) -> None:
    """A page keeps its lines and figures; JSON is the same record."""
    pages = [ask("query", "exposure", "core", *words).out for words in ((), ("--json",))]
    found = []
    for words in ((), ("--json",)):
        done = subprocess.run(
            [sys.executable, "-m", "aftershock", "query", "exposure", "core", *words],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONIOENCODING": encoding},
        )
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode(encoding)
        found.append(done.stdout.decode(encoding))
    assert json.loads(found[1]) == json.loads(pages[1])
    assert len(found[0].splitlines()) == len(pages[0].splitlines())
    figures = [re.findall(r"[0-9]+", text) for text in (found[0], pages[0])]
    assert figures[0] == figures[1] and "-" * WIDTH in found[0] and "?" not in found[0]


def test_a_head_is_broken_between_words_only(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ["label", "amount, $m", "collateral enabled", *(f"amount, $k{number}" for number in range(4))]
    Page().table(heads, [["n" * 60, *["1"] * 6]], right=list(range(1, 7)))
    head = capsys.readouterr().out.splitlines()
    assert head[0].count("amount,") == 5
    assert "enabled" in head[1]


def test_a_step_is_seen_on_a_terminal_as_soon_as_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    Step("risk")
    assert "risk" in capsys.readouterr().err
