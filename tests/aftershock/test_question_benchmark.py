"""The benchmark of questions: every question that it asks has an answer, and its line says what the times say."""

import json

import pytest

from benchmarks.questions import QUESTIONS, asked, told
from tests.aftershock.command import Ask


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_an_answer(ask: Ask, question: str) -> None:
    words = asked(question)
    assert words[:3] == ("-m", "aftershock", "query")
    found = ask(*words[2:])
    assert found.code == 0 and json.loads(found.out)


def test_the_line_says_median_ends_and_how_many_are_long() -> None:
    said = "x: median 0.75 s, fastest 0.50 s, slowest 1.25 s, 1 of 4 above 1 s"
    assert told("x", [1.0, 0.5, 1.25, 0.5]) == said
