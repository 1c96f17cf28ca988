"""Scenario files: the shipped ones load and are applicable to the sample; broken ones are refused with file and field."""

from pathlib import Path

import pytest

import aftershock
from chain.errors import InputError, UnknownNameError
from simulations import scenarios

GOOD = '[[shocks]]\nasset = "ETH"\nchange = -0.2\n'


def test_every_shipped_scenario_has_words_and_applies_to_the_sample() -> None:
    held = aftershock.load()
    symbols = {str(symbol).lower() for symbol in held["assets"]["symbol"]}
    for name in scenarios.names():
        scenario = scenarios.get(name)
        assert scenario.title and scenario.description.endswith(".")
        assert all(shock.asset.lower() in symbols for shock in scenario.shocks), name


def test_an_unknown_scenario_comes_with_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="did you mean eth-30"):
        scenarios.get("eth30")


def test_assumptions_can_be_replaced() -> None:
    assert scenarios.get("eth-30", pass_through=1.0).assumptions.pass_through == 1.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", r"no \[\[shocks\]\]"),
        ("shocks = 3", r"no \[\[shocks\]\]"),
        ("not toml", "is no valid TOML"),
        ('[[shocks]]\nasset = "ETH"\n', "shock 1 needs asset"),
        ('[[shocks]]\nasset = "ETH"\nchange = true\n', "shock 1 needs asset"),
        ('[[shocks]]\nasset = "ETH"\nchange = nan\n', "cannot be"),
        ('[[shocks]]\nasset = "ETH"\nchange = -1.5\n', "cannot be"),
        ('[[shocks]]\nasset = "ETH"\nchnage = -0.2\n', "did you mean change"),
        (GOOD + "[assumptions]\npass_through = 2\n", "not between 0 and 1"),
        (GOOD + '[assumptions]\nkeeper = "robot"\n', "no assumptions field named 'keeper'"),
        (GOOD + '[assumptions]\ngas_usd = "5"\n', "not of the right type"),
        (GOOD + "[assumptions]\nmax_rounds = 0\n", "not a positive number"),
        ('kind = "imagined"\n' + GOOD, "not one of hypothetical, historical"),
        ('titel = "x"\n' + GOOD, "did you mean title"),
    ],
)
def test_broken_files_are_refused_by_name(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        scenarios.get(str(file))
    assert "mine.toml" in str(caught.value)
