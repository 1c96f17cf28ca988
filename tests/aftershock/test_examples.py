"""The example in a verb's --help is a command that runs: all that need no file of the reader's."""

import importlib

import pytest

from tests.aftershock.command import Ask

VERBS = ("exposure", "names", "paths", "report", "risk", "scenarios", "shared", "simulate", "systemic")


@pytest.mark.verify
@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_runs_on_the_sample(ask: Ask, verb: str) -> None:
    example: str = importlib.import_module(f"aftershock.cli.{verb}").EXAMPLE
    words = example.removeprefix("Example: aftershock ").split("    or, ")[0].split()
    assert words[0] == verb or words[:2] == ["query", verb]
    said = ask(*words)
    assert said.code in (0, 1), said.err  # 1: a threshold is crossed
    assert said.out.strip()
