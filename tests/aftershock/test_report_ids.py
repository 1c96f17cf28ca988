"""A report's content id: however the same question is typed, one id and one record; whatever else is asked, another id."""

from pathlib import Path

import pytest

import aftershock
from chain.errors import InputError

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,LINK,collateral,10,14,7000,500,5000
mine,alice,USDC,debt,14000,1,,,5000
"""
FALL = 'title = "ETH falls"\n[[shocks]]\nasset = "ETH"\nchange = -0.2\n'


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> aftershock.ProtocolGraph:
    path = tmp_path_factory.mktemp("book") / "book.csv"
    path.write_text(BOOK)
    return aftershock.graph(aftershock.load(path))


def test_the_same_question_typed_otherwise_is_the_same_report(graph: aftershock.ProtocolGraph) -> None:
    usual = aftershock.report(graph, "mine")
    every = [line.name for line in usual.scenarios]
    key = next(asset for asset in graph.nodes["asset"]["node"] if graph.label(asset) == "ETH")
    assert len(every) == 3 and usual.command == "aftershock report mine --snapshot book"
    for asset in ("ETH", "eth", key):
        for names in ((), [*every[::-1], every[0]]):
            assert aftershock.report(graph, "mine", names, asset) == usual


def test_another_question_is_another_report_and_its_command_asks_it_again(graph: aftershock.ProtocolGraph) -> None:
    found = [
        aftershock.report(graph, "mine"),
        aftershock.report(graph, "mine", asset="link"),
        aftershock.report(graph, "mine", ["eth-10"]),
        aftershock.report(graph, "mine", ["eth-10"], given="books/book.csv"),
    ]
    assert len({one.content_id for one in found}) == len(found)
    assert [one.command.removeprefix("aftershock report mine ") for one in found[1:]] == [
        "--asset LINK --snapshot book",
        "--scenario eth-10 --snapshot book",
        "--scenario eth-10 --snapshot books/book.csv",
    ]
    with pytest.raises(InputError, match="no asset named"):
        aftershock.report(graph, "mine", asset="LINC")


def test_a_scenario_of_ones_own_is_named_as_it_was_given(graph: aftershock.ProtocolGraph, tmp_path: Path) -> None:
    paths = [tmp_path / "one/fall.toml", tmp_path / "two/fall.toml"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(FALL)
    one, two = (aftershock.report(graph, "mine", [str(path)]) for path in paths)
    assert one.scenarios == two.scenarios and str(paths[0]) in one.command
    assert one.content_id != two.content_id, "the command that they print differs"
    both = aftershock.report(graph, "mine", [str(path) for path in paths])
    assert both == one, "the same scenario twice is run once"
