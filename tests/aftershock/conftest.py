"""The command line as a function: words in, exit code and texts out."""

import sys
from pathlib import Path

import pytest

from aftershock.cli import main
from tests.aftershock.command import Answer, Ask


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Run the command in an empty folder and collect what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["aftershock", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Answer(int(ended.value.code or 0), said.out, said.err)

    return run
