"""`aftershock export`: what is written, read back by libraries that know nothing of us."""

import json
from pathlib import Path

import networkx
import pandas as pd
import pytest

import aftershock
from tests.aftershock.command import Ask

CLAIMS = "holder,claim_on,amount_usd\nalice,Fund,100\nFund,Bank,60\nbob,Bank,40\n"


@pytest.fixture(scope="module")
def positions_usd() -> float:
    """All that accounts supply in the sample, from its tables."""
    return float(aftershock.graph(aftershock.load()).relations["supplies"]["amount_usd"].sum())


@pytest.mark.parametrize("name", ["graph.graphml", "graph.cyjs"])
def test_a_file_is_read_by_networkx(ask: Ask, tmp_path: Path, name: str, positions_usd: float) -> None:
    path = tmp_path / name
    answer = ask("export", str(path), "--json")
    told = json.loads(answer.out)
    if name == "graph.cyjs":
        found = networkx.cytoscape_graph(json.loads(path.read_text(encoding="utf-8")))
    else:
        found = networkx.read_graphml(path)
    assert (found.number_of_nodes(), found.number_of_edges()) == (told["nodes"], told["relations"])
    supplied = [edge["amount_usd"] for *_, edge in found.edges(data=True) if edge["relation"] == "supplies"]
    assert sum(supplied) == pytest.approx(positions_usd)
    assert dict(found.graph)["content_id"] == told["content_id"] == aftershock.load().content_id
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_folder_is_read_by_pandas_and_written_anew(ask: Ask, tmp_path: Path, positions_usd: float) -> None:
    folder = tmp_path / "graph"
    for _ in range(2):
        assert ask("export", str(folder)).code == 0
        assert pd.read_parquet(folder / "relations" / "supplies.parquet")["amount_usd"].sum() == pytest.approx(positions_usd)  # fmt: skip
    (tmp_path / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    assert ask("export", str(folder), "--exposures", str(tmp_path / "claims.csv")).code == 0
    assert len(pd.read_parquet(folder / "relations" / "supplies.parquet")) == 0
    assert pd.read_parquet(folder / "relations" / "holds.parquet")["amount_usd"].sum() == 140  # Fund's claim backs Fund
    assert sorted(one.name for one in tmp_path.iterdir()) == ["claims.csv", "graph"]


def test_what_cannot_be_written_is_said_and_nothing_is_lost(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    for path, said in (
        (tmp_path / "graph.xlsx", "there is no form '.xlsx'; end the name with .graphml"),
        (tmp_path / "mine", "is there and holds no graph"),
        (tmp_path / "nowhere" / "graph.json", "cannot be written (no such file or directory)"),
    ):
        refused = ask("export", str(path))
        assert refused.code == 2 and said in refused.err
    assert [one.name for one in tmp_path.rglob("*")] == ["mine", "letter.txt"]
