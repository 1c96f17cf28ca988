"""Lengths of time on the command line, read in one way everywhere."""

from pathlib import Path

import pytest

from aftershock.durations import duration_s
from chain.errors import InputError
from tests.aftershock.command import Ask


def test_lengths_are_whole_numbers_of_a_unit() -> None:
    assert [duration_s(text, "--bar") for text in ("30m", "1h", "7d", "024h")] == [1_800, 3_600, 604_800, 86_400]


@pytest.mark.parametrize("text", ["", "h", "0h", "-1h", "1.5h", "1", "1w", "1 h", "\u00b2h", "\u2460d", "1H"])
def test_everything_else_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(InputError, match=r"^--every is .*; write a length such as 1h, 30m or 7d$"):
        duration_s(text, "--every")


@pytest.mark.parametrize(
    "words",
    [("check", "here.csv"), ("forecast",), ("replay", "--liquidations", "here.csv", "--prices", "here.csv")],
)
def test_no_command_breaks_over_a_raised_number(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "here.csv").write_text("timestamp,close\n2023-01-01,1\n")
    answer = ask(*words, "--bar", "\u00b2h")
    assert answer.code == 2 and "write a length such as 1h" in answer.err and "Traceback" not in answer.err
