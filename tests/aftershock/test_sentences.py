"""What is said when something cannot be used: one sentence that is true, names the option or the row, and carries no words of a library."""

import re
from pathlib import Path

import pandas as pd
import pytest

import aftershock
from aftershock.forecasting.forecasts import forecast_file
from chain.errors import (
    MOST_NAMES,
    BlockError,
    ContractError,
    InputError,
    NodeError,
    UnknownNameError,
    WrongChainError,
    goes_on,
    unknown_name,
)
from chain.files.file_checks import check_files
from tests.aftershock.command import Ask

LIBRARY = (
    "np.float64",
    "Errno",
    "codec",
    "No columns to parse",
    "tokenizing",
    "passing `format`",
    "non-existent",
    "Traceback",
)
BARS = "timestamp,symbol,open,high,low,close,volume"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of all kinds of trouble."""
    hours = pd.date_range("2022-01-01", periods=200, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    good = [f"{stamp},ETH,100,101,99,{100 + number % 7 / 10},5" for number, stamp in enumerate(hours)]
    texts = {
        "bars": [BARS, *good],
        "ten": [BARS, *good[:10]],
        "one": [BARS, good[0]],
        "volume": [BARS, *good[:5], good[5].removesuffix("5") + "much", *good[6:]],
        "stamp": [BARS, *good[:5], "noon" + good[5][20:], *good[6:]],
        "below": [BARS, *good[:5], good[5].replace("100.5", "-3"), *good[6:]],
        "header": [BARS],
        "book": ["market,position_id,asset,side,amount,price"],
        "ragged": ["a,b", "1,2", "3,4,5"],
        "claims": ["holder,claim_on,amount_usd", "alice,Fund,60", "Fund,Bank,70"],
    }
    for name, lines in texts.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "folder.csv").mkdir()
    return tmp_path


FORECAST = ("forecast", "--stamp", "open", "--prices")
LAW = ("simulate", "--shocks", "forecast", "--stamp", "open", "--prices")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*FORECAST, "ten.csv"), "ten.csv has 10 hourly closes until 2022-01-01 10:00 UTC"),
        ((*FORECAST, "one.csv"), "one.csv has 1 hourly close until"),
        ((*FORECAST, "bars.csv", "--from", "2022-01-05", "--to", "2022-01-04"), "--from 2022-01-05 lies after --to 2022-01-04; turn them round"),
        ((*FORECAST, "bars.csv", "--from", "2030-01-01"), "--from is 2030-01-01, and bars.csv ends at 2022-01-09 08:00"),
        ((*FORECAST, "bars.csv", "--to", "2019-01-01"), "--to is 2019-01-01, and bars.csv begins at 2022-01-01 01:00"),
        ((*FORECAST, "bars.csv", "--to", "2022-01-01T20:00"), "none of the instants asked for, 24h apart from 2022-01-01 00:00 on"),
        ((*FORECAST, "bars.csv", "--to", "2022-01-03"), "until 2022-01-03 00:00 UTC"),
        ((*FORECAST, "volume.csv"), "volume.csv row 7: volume is 'much'; give a volume of at least zero, or leave it empty (1 such row)"),
        ((*FORECAST, "stamp.csv"), "stamp.csv row 7: timestamp is 'noon', which is no instant"),
        ((*FORECAST, "below.csv"), "below.csv row 7: close is -3.0; give a finite price above zero (1 such row)"),
        ((*FORECAST, "bytes.csv"), "bytes.csv is not UTF-8 text; save it"),
        ((*FORECAST, "empty.csv"), "empty.csv is empty; give a header and rows"),
        ((*FORECAST, "nothing.csv"), "nothing.csv does not exist"),
        ((*FORECAST, "folder.csv"), "folder.csv is a folder"),
        ((*FORECAST, "ragged.csv"), "line 3 has 3 cells under 2 columns"),
        (("check", "bars.csv", "--stamp", "open"), "--stamp open needs the length of a bar as well; add --bar 1h"),
        (("check", "nothing.csv"), "nothing.csv does not exist"),
        (("check", "folder.csv"), "folder.csv is a folder"),
        (("query", "paths", "--from", "chainlink", "--to", "core"), "chainlink has neither markets nor pools"),
        (("query", "exposure", "Xyzzyplugh"), "`aftershock query names` lists all."),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_the_sentence_is_true_and_nobody_else_s(ask: Ask, words: tuple[str, ...], said: str) -> None:
    answer = ask(*words)
    told = " ".join(answer.err.split())
    assert answer.code == 2 and said in told, told
    assert not [word for word in LIBRARY if word in told]


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2030-01-01", "--at is 2030-01-01, and bars.csv ends at"),
        ("2019-01-01", "--at is 2019-01-01, and bars.csv begins at"),
        ("2022-01-02", "has 24 hourly closes until 2022-01-02 00:00 UTC"),
        ("2022-01-08T05:30", "--at is 2022-01-08T05:30; give a whole hour"),
    ],
)
def test_an_instant_is_spoken_of_by_its_own_option(folder: Path, at: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        forecast_file(folder / "bars.csv", "open", at=at)
    assert set(forecast_file(folder / "bars.csv", "open", at="2022-01-08T05:00").table["as_of"]) == {
        pd.Timestamp("2022-01-08T05:00Z")
    }


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
@pytest.mark.usefixtures("folder")
def test_options_are_looked_at_before_the_work_begins(ask: Ask, words: tuple[str, ...]) -> None:
    answer = ask(*words)
    assert answer.code == 2 and answer.err.startswith("aftershock: ") and not answer.out, answer.err
    assert not [word for word in LIBRARY if word in answer.err]


@pytest.mark.usefixtures("folder")
def test_a_file_without_rows_is_what_its_header_says(ask: Ask) -> None:
    for name, kind in (
        ("header", "prices"),
        ("book", "book"),
        ("empty", "no table that can be read"),
        ("bytes", "no table that can be read"),
    ):
        answer = ask("check", f"{name}.csv")
        assert answer.code == 3 and f"{name}.csv: {kind} " in answer.out, answer.out
        assert "columns of no file that is known" not in answer.out and "unreadable" in answer.out
        assert not [word for word in LIBRARY if word in answer.out]
    assert "1 row " in ask("check", "one.csv", "--stamp", "open", "--bar", "1h").out


def test_bars_whose_length_is_not_said_are_not_told_to_say_their_stamp(folder: Path) -> None:
    [found] = check_files([folder / "bars.csv"], 1.7e9, stamp="open")
    [said] = [one.sentence for one in found.findings if one.kind == "stamp_unsaid"]
    assert "stamped at their open" in said and "--bar 1h" in said and "open or close" not in said
    with pytest.raises(aftershock.AftershockError, match="not said how long a bar is"):
        from chain.files.price_files import read_prices

        read_prices(folder / "bars.csv", "open")


@pytest.mark.usefixtures("folder")
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


def test_of_many_names_the_nearest_are_said_and_where_all_are() -> None:
    many = [f"market {number}" for number in range(70)]
    far = str(unknown_name("market", "zzz", many, "`list them`"))
    assert far.count("market ") <= MOST_NAMES + 2 and "of 70 known" in far and far.endswith("`list them` lists all.")
    near = str(unknown_name("market", "markt 12", many, "`list them`"))
    assert "did you mean market 12" in near and near.endswith("`list them` lists all.")
    assert isinstance(unknown_name("scenario", "x", ["a", "b"]), UnknownNameError)
    assert str(unknown_name("scenario", "x", ["a", "b"], "`l`")) == "There is no scenario named 'x'; known are: a, b."


def test_names_can_be_listed(ask: Ask) -> None:
    found = ask("query", "names", "usdc", "--json")
    graph = aftershock.graph(aftershock.load())
    rows = {line.split('"')[3] for line in found.out.splitlines() if '"key"' in line}
    assert rows == {key for key, label in graph.labels.items() if "usdc" in label.lower()}
    assert ask("query", "names", "--kind", "markt").code == 2


def test_only_what_may_end_otherwise_next_time_is_to_be_run_again() -> None:
    assert goes_on(KeyboardInterrupt()) and goes_on(NodeError("gone"))
    assert not [
        error
        for error in (BlockError("x"), ContractError("x"), WrongChainError("x"), InputError("x"))
        if goes_on(error)
    ]
