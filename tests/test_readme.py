"""The README shows real output: its commands are run, and every line that it shows is found in what they print, in that order."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from aftershock.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"```console\n\$ aftershock ([^\n]+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def plain(text: str) -> str:
    """Text with every space that must not break as a plain one."""
    return re.sub("[\u00a0\u202f]", " ", text)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_what_the_readme_shows_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["aftershock", *shlex.split(command)])
    with pytest.raises(SystemExit):
        main()
    printed = iter(plain(capsys.readouterr().out).splitlines())
    for line in plain(shown).splitlines():
        assert any(found.startswith(line) for found in printed), f"{line!r} is not printed, or not in this order"


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3
