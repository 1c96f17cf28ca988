"""`aftershock what-if` and `aftershock diff` as people type them: words, figures, a cascade before and after, JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from chain.snapshot import save
from tests.aftershock.command import Ask
from tests.core_sample import core

ROOT = Path(__file__).resolve().parents[2]
RUNNER = CliRunner()
EDITS = """
[[remove]]
node = "lstETH"
[[freeze]]
market = "core"
asset = "WETH"
state = "paused"
"""


def asked(*words: str) -> tuple[int, str]:
    """Exit code and what is printed, every run of spaces as one."""
    result = RUNNER.invoke(app, [*words])
    return result.exit_code, re.sub(r"\s+", " ", result.stdout)


@pytest.fixture
def edits(tmp_path: Path) -> str:
    path = tmp_path / "edits.toml"
    path.write_text(EDITS)
    return str(path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample's first market by itself, as a folder."""
    return str(save(core(), tmp_path_factory.mktemp("core") / "alone"))


def test_the_whole_sample_without_an_asset_is_simulated(edits: str) -> None:
    """Who owes on Morpho against the asset that is gone has nothing left to seize, and is left alone."""
    code, printed = asked("what-if", edits, "--shock", "ETH=-10%", "--json")
    found = {row["figure"] for row in json.loads(printed)["cascade"]}
    assert code == 0 and found == {
        "before_usd",
        "bad_debt_usd",
        "relief_usd",
        "liquidated_usd",
        "waiting_debt_usd",
        "rounds",
    }


@pytest.mark.verify
def test_a_what_if_says_what_changed_and_what_a_cascade_costs_then(edits: str, alone: str) -> None:
    code, printed = asked("what-if", edits, "--shock", "ETH=-10%", "--json", "--snapshot", alone)
    record, sample = json.loads(printed), aftershock.load(alone)
    assert code == 0 and record["content_id_before"] == sample.content_id != record["content_id"]
    assert record["words"][1:3] == ["lstETH in Aave V3 core was removed.", "WETH in Aave V3 core was paused."]
    assert "have a health factor below 1" in record["words"][0]
    left = aftershock.what_if(sample, edits)
    for side, snapshot in (("before", sample), ("after", left)):
        run = aftershock.simulate(snapshot, shocks=["ETH=-10%"])
        (market,) = run.markets.to_dict("records")
        found = {row["figure"]: row[side] for row in record["cascade"]}
        hit = sum(len(step.liquidations) > 0 for step in run.rounds)
        assert found == {
            "rounds": hit,
            **{name: market[name] for name in ("before_usd", "bad_debt_usd", "relief_usd", "liquidated_usd")},
            "waiting_debt_usd": market["waiting_debt_usd"],
        }
        figures = aftershock.exposure(snapshot, "core").figures
        stated = {row["figure"]: row[side] for row in record["figures"]}
        assert set(stated) >= {"supplied_usd", "cash_usd"}
        assert stated == {name: figures[name] for name in stated}
    for row in (*record["cascade"], *record["figures"]):
        assert row["difference"] == pytest.approx(row["after"] - row["before"])


@pytest.mark.verify
def test_the_page_tells_debt_that_the_change_left_under_water_from_what_the_shock_adds(edits: str, alone: str) -> None:
    code, said = asked("what-if", edits, "--shock", "ETH=-10%", "--snapshot", alone)
    assert code == 0 and "lstETH (asset, with its vault) is removed" in said and "nobody reacts to the change" in said
    assert "what-if with 2 changes, not as it was read" in said
    assert "in the end no collateral covers" in said and "bad debt before the shock" in said


def test_the_entries_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8").split("## A what-if")[1]
    block = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    (tmp_path / "edits.toml").write_text(block, encoding="utf-8")
    graph = aftershock.graph(aftershock.what_if(aftershock.load(), tmp_path / "edits.toml"))
    assert aftershock.exposure(graph, "second").figures["suppliers"] == 2


@pytest.mark.verify
def test_a_difference_of_two_folders_in_words_and_as_a_table(edits: str, alone: str, tmp_path: Path) -> None:
    sample = aftershock.load(alone)
    reserves = sample["reserves"].assign(frozen=True)
    later = replace(sample, name="later", tables={**sample.tables, "reserves": reserves})
    folder = str(save(later, tmp_path / "later"))
    code, said = asked("diff", alone, folder)
    assert code == 0 and "From sample to later" in said and said.count("was frozen.") == 6
    record = json.loads(asked("diff", alone, folder, "--json")[1])
    assert [row["what"] for row in record["changes"]] == ["frozen"] * 6 and record["figures"] == []
    assert record["before"]["content_id"] == sample.content_id and record["after"]["content_id"] == later.content_id
    gone = str(save(replace(aftershock.what_if(sample, edits), name="gone"), tmp_path / "gone"))
    assert "Aave V3 core supplied $m 2,185 1,943 −242" in asked("diff", alone, gone)[1]


def test_snapshots_of_other_chains_are_not_compared(tmp_path: Path) -> None:
    sample = aftershock.load()
    other = replace(sample, name="other", anchors=(replace(sample.anchors[0], chain="eip155:1"),))
    folder = save(other, tmp_path / "other")
    result = RUNNER.invoke(app, ["diff", "sample", str(folder)])
    assert "compare two of the same chains" in str(result.exception)


def test_one_change_is_told_as_one(ask: Ask, tmp_path: Path) -> None:
    for count, said in ((1, "1 sentence says what was changed"), (2, "2 sentences say what was changed")):
        path = tmp_path / f"{count}.toml"
        path.write_text("".join(f'[[freeze]]\nmarket = "core"\nasset = "{one}"\n' for one in ("WETH", "LINK")[:count]))
        assert said in ask("what-if", str(path), "--json").err


def test_what_if_counts_one_row_as_one(tmp_path: Path) -> None:
    sample = aftershock.load()
    owner = sample["positions"].groupby("owner").size().loc[lambda found: found == 1].index[0]
    (tmp_path / "edits.toml").write_text(f'[[remove]]\nnode = "{owner}"\n', encoding="utf-8")
    assert "1 supply or debt" in " ".join(aftershock.what_if(sample, tmp_path / "edits.toml").gaps)
