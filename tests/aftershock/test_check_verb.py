"""`aftershock check` as people type it: a clean file, a broken one, names of one's own, and what it says of wrong options."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chain.errors import AftershockError
from chain.files.file_checks import check_files
from chain.files.price_files import read_prices
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import bar_lines


@pytest.fixture
def closes(tmp_path: Path) -> Path:
    """A day and a half of hourly closes."""
    rng = np.random.default_rng(5)
    stamps = pd.date_range("2022-01-01", periods=36, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    frame = pd.DataFrame(
        {"timestamp": stamps, "symbol": "ETH", "close": 3_000 * np.exp(np.cumsum(rng.normal(0, 0.01, 36)))}
    )
    frame.to_csv(tmp_path / "closes.csv", index=False)
    return tmp_path / "closes.csv"


def test_a_clean_file_ends_with_0(ask: Ask, closes: Path) -> None:
    answer = ask("check", closes.name)
    assert answer.code == 0 and "closes.csv: prices" in answer.out and "Nothing was found to be wrong" in answer.out
    assert "36 rows" in answer.err


def test_errors_are_listed_with_row_and_column_and_end_with_3(ask: Ask, closes: Path) -> None:
    lines = closes.read_text(encoding="utf-8").splitlines()
    lines[10] = lines[10].rsplit(",", 1)[0] + ",0"
    lines[20] = lines[20].rsplit(",", 1)[0] + "," + str(float(lines[20].rsplit(",", 1)[1]) * 10**6)
    closes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    answer = ask("check", closes.name)
    assert answer.code == 3 and "2 errors" in answer.out
    table = [line.split() for line in answer.out.splitlines()]
    assert ["not_above_zero", "11", "close", "ETH", "1", "0.0:"] in [line[:6] for line in table]
    assert ["unit_slip", "21", "close", "ETH", "1"] in [line[:5] for line in table]
    record = json.loads(ask("check", closes.name, "--json").out)
    [file] = record["files"]
    assert record["errors"] == 2 and (file["kind"], file["first"]) == ("prices", "2022-01-01T00:00:00Z")
    assert [(one["kind"], one["row"], one["column"]) for one in file["findings"] if one["severity"] == "error"] == [
        ("not_above_zero", 11, "close"),
        ("unit_slip", 21, "close"),
    ]


def test_columns_of_one_s_own(ask: Ask, closes: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(closes).rename(columns={"timestamp": "Date", "close": "Last", "symbol": "Ticker"})
    frame.to_csv(tmp_path / "own.csv", index=False)
    assert "own.csv: table" in ask("check", "own.csv").out
    answer = ask("check", "own.csv", "--columns", "timestamp=Date,close=Last,symbol=Ticker")
    assert answer.code == 0 and "own.csv: prices" in answer.out
    assert ask("check", "own.csv", "--as", "prices").code == 3


def test_many_of_a_kind_are_cut_and_shown_when_asked_for(ask: Ask, closes: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(closes)
    many = [frame.drop(index=range(5, 9)).assign(symbol=f"{letter}X") for letter in "ABCDEFG"]
    pd.concat([frame, *many]).to_csv(tmp_path / "many.csv", index=False)
    short, whole = ask("check", "many.csv"), ask("check", "many.csv", "--all")
    assert short.code == whole.code == 0  # warnings only
    assert "and 2 more of gap; --all shows them" in short.out and "GX" not in short.out
    assert "GX" in whole.out and "more of" not in whole.out


def test_names_in_the_table_are_whole(ask: Ask, tmp_path: Path) -> None:
    """What the table calls the column and the asset can be searched for in the file."""
    head = "timestamp,pool,user,collateral_symbol,collateral_amount,debt_symbol,debt_amount,transaction\n"
    rows = [
        f"{1.6e9 + n:.0f},p,u{n},aWrappedStakedEther,{n + 1}250000000000000000,USDC,{n}.5,t{n}\n" for n in range(1, 9)
    ]
    (tmp_path / "log.csv").write_text(head + "".join(rows), encoding="utf-8")
    answer = ask("check", "log.csv")
    [line] = [line.split() for line in answer.out.splitlines() if line.startswith("raw_units")]
    assert line[:5] == ["raw_units", "2", "collateral_amount", "aWrappedStakedEther", "8"]
    assert max(map(len, answer.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "absent.csv"), "absent.csv does not exist"),
        (("check", "closes.csv", "--stamp", "middle"), "write open or close"),
        (("check", "closes.csv", "--bar", "hour"), "write a length such as 1h"),
        (("check", "closes.csv", "--columns", "close"), "close=Last"),
        (("check", "closes.csv", "--as", "price"), "did you mean prices"),
    ],
)
@pytest.mark.usefixtures("closes")
def test_wrong_options_are_one_sentence(ask: Ask, words: tuple[str, ...], says: str) -> None:
    answer = ask(*words)
    assert answer.code == 2 and says in answer.err.splitlines()[-1] and not answer.out


def test_bars_whose_length_is_not_said_are_not_told_to_say_their_stamp(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("\n".join(bar_lines()) + "\n", encoding="utf-8")
    [found] = check_files([tmp_path / "bars.csv"], 1.7e9, stamp="open")
    [said] = [one.sentence for one in found.findings if one.kind == "stamp_unsaid"]
    assert "stamped at their open" in said and "--bar 1h" in said and "open or close" not in said
    with pytest.raises(AftershockError, match="not said how long a bar is"):
        read_prices(tmp_path / "bars.csv", "open")


def test_a_bar_is_an_hour_long_unless_it_is_said_and_that_is_told(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text("\n".join(bar_lines()) + "\n", encoding="utf-8")
    taken, said, day = (
        json.loads(ask("check", "bars.csv", "--stamp", "open", *words, "--json").out)
        for words in ((), ("--bar", "1h"), ("--bar", "1d"))
    )
    assert taken["files"] == said["files"] != day["files"] and said["notes"] == []
    assert taken["notes"] == ["a bar is taken to be 1h long, as forecast and train take it; --bar says otherwise"]
    assert taken["notes"][0] in " ".join(ask("check", "bars.csv", "--stamp", "open").out.split())
