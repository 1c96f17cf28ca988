"""Files that cannot be used: one sentence that is true, names the option or the row, and carries no words of a library."""

from pathlib import Path

import pytest

from tests.aftershock.command import LIBRARY, Ask
from tests.aftershock.forecast_inputs import BARS, bar_lines

FORECAST = ("forecast", "--stamp", "open", "--prices")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of all kinds of trouble."""
    _, *good = bar_lines()
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
    }
    for name, lines in texts.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "folder.csv").mkdir()
    return tmp_path


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
        (("check", "nothing.csv"), "nothing.csv does not exist"),
        (("check", "folder.csv"), "folder.csv is a folder"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_the_sentence_is_true_and_nobody_else_s(ask: Ask, words: tuple[str, ...], said: str) -> None:
    answer = ask(*words)
    told = " ".join(answer.err.split())
    assert answer.code == 2 and said in told, told
    assert not [word for word in LIBRARY if word in told]


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
