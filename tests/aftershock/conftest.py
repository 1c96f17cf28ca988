"""The command line as a function: words in, exit code and texts out; and drawn prices, once for all tests of forecasts."""

import sys
from pathlib import Path

import pytest

from aftershock.cli import main
from models.panel import Panel
from tests.aftershock.command import Answer, Ask
from tests.aftershock.forecast_inputs import frame_of
from tests.models.drawn_panel import drawn_panel


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


@pytest.fixture(scope="session")
def panel() -> Panel:
    return drawn_panel(60, ("BTC", "ETH", "LINK", "AAA"))


@pytest.fixture(scope="session")
def bars(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prices") / "bars.parquet"
    frame_of(panel).to_parquet(path)
    return path
