"""Options that several verbs share: what would do nothing is refused, all are looked at before the work begins, the next command names the same data, failed comparisons end with 3."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import aftershock
from chain.snapshot import Check, save
from tests.aftershock.command import LIBRARY, Ask
from tests.aftershock.forecast_inputs import bar_lines

HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
CLAIMS = "holder,claim_on,amount_usd\nalice,Fund,60\nFund,Bank,70\n"
BOOK = "market,position_id,asset,side,amount,price\ncore,p1,ETH,supply,1,2000\n"
UNDER_WATER = (
    HEADER + "m,whale,BTC,collateral,100,50000,8000,500,\nm,whale,USDC,debt,9000000,1,,,\n"
    "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,1000,1,,,\n"
)
FORECAST = ("forecast", "--stamp", "open", "--prices")
LAW = ("simulate", "--shocks", "forecast", "--stamp", "open", "--prices")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A file of claims, a book and hourly bars, in the folder where the command runs."""
    (tmp_path / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    (tmp_path / "book.csv").write_text(BOOK, encoding="utf-8")
    (tmp_path / "semicolons.csv").write_text(CLAIMS.replace(",", ";"), encoding="utf-8")
    (tmp_path / "bars.csv").write_text("\n".join(bar_lines()) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "--shock", "ETH=-20%", "--draws", "200"), "--draws would do nothing without --shocks forecast"),
        (
            ("simulate", "--shock", "ETH=-20%", "--seed", "0", "--horizon", "24"),
            "--horizon and --seed would do nothing",
        ),
        (("simulate", "--scenario", "eth-20", "--at", "2022-01-01"), "--at would do nothing"),
        (
            ("simulate", "--shock", "ETH=-9%", "--book", "book.csv", "--snapshot", "sample"),
            "either --snapshot or --book",
        ),
        (
            ("query", "exposure", "Fund", "--exposures", "claims.csv", "--snapshot", "sample"),
            "either --snapshot or --exp",
        ),
        (("query", "names", "--snapshot", "sample", "--exposures", "claims.csv"), "either --snapshot or --exposures"),
        (("query", "systemic", "--exposures", "book.csv"), "book.csv has no columns holder and claim_on"),
        (("query", "risk", "p1", "--exposures", "book.csv"), "ask it with --snapshot book.csv"),
        (("query", "systemic", "--exposures", "semicolons.csv"), "save the file with commas between the columns"),
    ],
)
@pytest.mark.usefixtures("files")
def test_an_option_that_would_do_nothing_is_refused(ask: Ask, words: tuple[str, ...], said: str) -> None:
    refused = ask(*words)
    assert refused.code == 2
    assert said in refused.err
    assert not refused.out


@pytest.mark.parametrize(
    "words",
    [
        (*FORECAST, "bars.csv", "--out", "forecasts.txt"),
        (*FORECAST, "bars.csv", "--out", "nowhere/forecasts.csv"),
        (*LAW, "bars.csv", "--at", "soon"),
        (*LAW, "bars.csv", "--at", "2022-01-04T05:30"),
        (*LAW, "bars.csv", "--draws", "5"),
        (*LAW, "bars.csv", "--horizon", "5"),
        (*LAW, "nothing.csv"),
        ("check", "bars.csv", "--as", "price"),
        ("report", "core", "--scenario", "nope"),
        ("query", "risk", "core", "--scenario", "nope"),
        ("query", "risk", "core", "--fall", "500"),
        ("what-if", "nothing.toml"),
        ("simulate", "--scenario", "nothing.toml"),
        ("check", "bars.csv", "--columns", "close"),
    ],
)
@pytest.mark.usefixtures("files")
def test_options_are_looked_at_before_the_work_begins(ask: Ask, words: tuple[str, ...]) -> None:
    answer = ask(*words)
    assert answer.code == 2 and answer.err.startswith("aftershock: ") and not answer.out, answer.err
    assert not [word for word in LIBRARY if word in answer.err]


@pytest.mark.usefixtures("files")
def test_the_next_command_keeps_the_file(ask: Ask) -> None:
    for words in (
        ("query", "paths", "--from", "alice", "--to", "Bank"),
        ("query", "exposure", "Fund"),
        ("query", "systemic", "--draws", "2"),
    ):
        answer = ask(*words, "--exposures", "claims.csv")
        [line] = [line for line in answer.out.splitlines() if line.startswith("next ")]
        assert "--exposures claims.csv" in line, answer.out
        if "X" not in line:
            again = line.removeprefix("next").split("   ")[0].replace('"', "").split()
            assert ask(*again[1:]).code == 0


def test_what_to_run_next_is_about_the_same_data(ask: Ask, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(UNDER_WATER)
    for verb in (("query", "exposure", "m"), ("query", "risk", "m", "--scenario", "none")):
        shown = "".join(ask(*verb, "--snapshot", str(book)).out.splitlines()).replace(" ", "")
        assert f"next aftershock simulate --shock ETH=-30% --snapshot {book}".replace(" ", "") in shown


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


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (("forecast", "--prices", "bars.csv", "--stamp", "open", "--out", "bars.csv"), "--prices bars.csv"),
        (("forecast", "--prices", "bars.csv", "--stamp", "open", "--out", "linked.csv"), "--prices bars.csv"),
        (
            ("forecast", "--prices", "bars.csv", "--stamp", "open", "--history", "old.csv", "--out", "./old.csv"),
            "--history old.csv",
        ),
        (("export", "claims.json", "--exposures", "claims.json"), "--exposures claims.json"),
        (("export", "graph", "--exposures", "graph/nodes/claims.csv"), "--exposures graph/nodes/claims.csv"),
        (("what-if", "edits.toml", "--snapshot", "graph", "--out", "graph"), "--snapshot graph"),
        (("what-if", "graph/nodes/claims.csv", "--out", "graph"), "FILE graph/nodes/claims.csv"),
        (("replay", "--liquidations", "log.csv", "--prices", "bars.csv", "--out", "bars.csv"), "--prices bars.csv"),
        (("replay", "--liquidations", "log.csv", "--prices", "bars.csv", "--out", "log.csv"), "--liquidations log.csv"),
        (
            ("replay", "--liquidations", "log.csv", "--prices", "bars.csv", "--params", "t.csv", "--out", "t.csv"),
            "--params t.csv",
        ),
    ],
)
def test_what_is_read_is_never_written_over(ask: Ask, files: Path, words: tuple[str, ...], read: str) -> None:
    """Each file stays as it was to the byte, whatever name of it is given; --out beside it is written."""
    (files / "linked.csv").hardlink_to(files / "bars.csv")
    (files / "graph" / "nodes").mkdir(parents=True)
    for name in ("old.csv", "log.csv", "t.csv"):
        (files / name).write_bytes((files / "bars.csv").read_bytes())
    for name in ("claims.json", "graph/nodes/claims.csv"):
        (files / name).write_text(CLAIMS, encoding="utf-8")
    before = {one: one.read_bytes() for one in files.rglob("*") if one.is_file()}
    refused = ask(*words)
    assert refused.code == 2, refused
    assert f"would take the place of {read}, which is read; give another name" in " ".join(refused.err.split())
    assert {one: one.read_bytes() for one in files.rglob("*") if one.is_file()} == before
