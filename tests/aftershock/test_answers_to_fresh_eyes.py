"""What people met who asked for the first time: empty tables, options that did nothing, numbers in a unit too large to read, two things under one name."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import aftershock
from aftershock.cli.diff import SHOWN
from aftershock.cli.progress import Step
from aftershock.cli.terminal import WIDTH, Page
from aftershock.cli.timeline import Figure, _table
from aftershock.cli.units import fitting
from aftershock.timelines import Timeline
from chain import snapshot as snapshots
from graph.identity import told_apart
from reports.amounts import money_for
from tests.aftershock.command import Ask

CLAIMS = "holder,claim_on,amount_usd\nalice,Fund,60\nFund,Bank,70\n"
BOOK = "market,position_id,asset,side,amount,price\ncore,p1,ETH,supply,1,2000\n"


@pytest.fixture(scope="module")
def graph() -> aftershock.ProtocolGraph:
    """The embedded sample."""
    return aftershock.graph(aftershock.load())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A file of claims and a book, in the folder where the command runs."""
    (tmp_path / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    (tmp_path / "book.csv").write_text(BOOK, encoding="utf-8")
    (tmp_path / "semicolons.csv").write_text(CLAIMS.replace(",", ";"), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("chainlink", "Nobody supplies to Chainlink or borrows from it: it is known here by 5 feeds."),
        ("metamorpho", "Metamorpho has no market and no pool of its own: it is known here by 1 vault."),
    ],
)
def test_a_protocol_without_markets_says_what_it_is(ask: Ask, protocol: str, said: str) -> None:
    shown = ask("query", "exposure", protocol).out
    assert said in shown
    assert "largest suppliers" not in shown
    assert "counts as collateral" not in shown


def test_the_feeds_of_a_protocol_say_what_they_price(graph: aftershock.ProtocolGraph) -> None:
    answer, of_one = aftershock.exposure(graph, "chainlink"), aftershock.exposure(graph, "ETH / USD")
    prices = answer.inbound["prices"].set_index("label")["collateral_usd"]
    assert set(answer.outbound["parts"]["kind"]) == {"feed"}
    assert prices["ETH / USD"] == pytest.approx(of_one.figures["collateral_usd"])


def test_a_holder_s_shares_of_a_vault_have_their_part_of_its_backing(graph: aftershock.ProtocolGraph) -> None:
    sample = graph.snapshot
    share = sample["assets"].set_index("symbol").loc["svUSDC"]
    behind = sample["backings"].set_index("claim").loc[share["asset"]]
    price = aftershock.exposure(graph, "USDC").figures["price_usd"]
    balances = sample["balances"]
    held = balances[balances["asset"] == share["asset"]].iloc[0]
    answer = aftershock.exposure(graph, held["holder"])
    row = answer.outbound["held"].set_index("label").loc["svUSDC"]
    expected = held["amount_raw"] / share["total_supply_raw"] * behind["amount_raw"] / 10**6 * price
    assert row["amount_usd"] == pytest.approx(expected, rel=1e-9)
    assert answer.figures["held_usd"] == pytest.approx(answer.outbound["held"]["amount_usd"].sum())


def test_a_head_is_broken_between_words_only(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ["label", "amount, $m", "collateral enabled", *(f"amount, $k{number}" for number in range(4))]
    Page().table(heads, [["n" * 60, *["1"] * 6]], right=list(range(1, 7)))
    head = capsys.readouterr().out.splitlines()
    assert head[0].count("amount,") == 5
    assert "enabled" in head[1]


def test_one_name_for_several_things_carries_the_end_of_its_key(ask: Ask) -> None:
    keys = [f"eip155:1/erc20:0x{digit * 40}" for digit in "ab"]
    assert told_apart({keys[0]: "UNI-V2", keys[1]: "UNI-V2", "x": "DAI"}) == {
        keys[0]: "UNI-V2 0xaaaa…aaaa",
        keys[1]: "UNI-V2 0xbbbb…bbbb",
        "x": "DAI",
    }
    shown = ask("query", "exposure", "lstETH").out
    names = [line.split("  ")[0] for line in shown.splitlines() if line.startswith("alstETH 0x")]
    assert len(set(names)) > 1
    assert not [line for line in shown.splitlines() if line.startswith("alstETH  ")]


def test_a_vault_is_told_apart_from_its_share_on_the_way_of_a_loss(graph: aftershock.ProtocolGraph) -> None:
    share = graph.find("svUSDC", "asset")
    held = graph.relations["holds"]
    holder = held[held["target"] == share]["source"].iloc[0]
    found = aftershock.paths(graph, holder, "USDC", 2).paths
    assert found
    for path in found:
        assert path.text.split(" → ")[1:3] == ["svUSDC", "svUSDC (vault)"]


def lined_up(snapshots: int, rows: int) -> Timeline:
    """A timeline of a figure that grows."""
    table = [
        ("asset", f"a{row}", None, f"asset {row}", "supplied_usd", tuple(1e6 * (row + n) for n in range(snapshots)))
        for row in range(rows)
    ]
    columns = ["kind", "node", "asset", "label", "figure", "values"]
    return Timeline(tuple(map(str, range(snapshots))), pd.DataFrame(table, columns=columns), ())


@pytest.mark.parametrize(
    ("columns", "rows", "said"),
    [
        (40, SHOWN + 3, "not shown: 3 more rows and snapshots 2 to "),
        (3, SHOWN + 1, "not shown: 1 more row; --json has all"),
        (3, SHOWN, ""),
    ],
)
def test_a_long_timeline_fits_the_page_and_says_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str], columns: int, rows: int, said: str
) -> None:
    _table(Page(), lined_up(columns, rows), Figure.supplied)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].split()[2] == "1"
    assert lines[1].split()[-1] == str(columns)
    assert (said in lines[-1]) if said else ("not shown" not in lines[-1])


def test_risk_of_an_asset_lists_names_that_can_be_typed(ask: Ask, graph: aftershock.ProtocolGraph) -> None:
    refused = ask("query", "risk", "WETH")
    assert refused.code == 2
    assert "eip155" not in refused.err
    for name in refused.err.rpartition("one of ")[2].strip().split(", "):
        assert graph.find(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "--shock", "ETH=-20%", "--draws", "200"), "--draws would do nothing without --shocks forecast"),
        (
            ("simulate", "--shock", "ETH=-20%", "--seed", "0", "--horizon", "24"),
            "--horizon and --seed would do nothing",
        ),
        (("simulate", "--scenario", "eth-20", "--at", "2022-01-01"), "--at would do nothing"),
        (
            ("simulate", "--shock", "ETH=-9%", "--book", "book.csv", "--snapshot", "sample"),
            "either --snapshot or --book",
        ),
        (
            ("query", "exposure", "Fund", "--exposures", "claims.csv", "--snapshot", "sample"),
            "either --snapshot or --exp",
        ),
        (("query", "names", "--snapshot", "sample", "--exposures", "claims.csv"), "either --snapshot or --exposures"),
        (("query", "systemic", "--exposures", "book.csv"), "book.csv has no columns holder and claim_on"),
        (("query", "risk", "p1", "--exposures", "book.csv"), "ask it with --snapshot book.csv"),
        (("query", "systemic", "--exposures", "semicolons.csv"), "save the file with commas between the columns"),
    ],
)
@pytest.mark.usefixtures("files")
def test_an_option_that_would_do_nothing_is_refused(ask: Ask, words: tuple[str, ...], said: str) -> None:
    refused = ask(*words)
    assert refused.code == 2
    assert said in refused.err
    assert not refused.out


def test_a_small_amount_beside_a_huge_one_can_be_read() -> None:
    amounts = [4e14, 1_234.0, 620_000.0]
    write = fitting(money_for(max(amounts)), amounts)
    assert [write.column(one) for one in amounts] == ["$400,000bn", "$1,234", "$620k"]
    assert fitting(money_for(4e9), [4e9, 3e9, 12.0]).column(12.0) == "$12.00"


def test_what_if_counts_one_row_as_one(graph: aftershock.ProtocolGraph, tmp_path: Path) -> None:
    sample = graph.snapshot
    owner = sample["positions"].groupby("owner").size().loc[lambda found: found == 1].index[0]
    (tmp_path / "edits.toml").write_text(f'[[remove]]\nnode = "{owner}"\n', encoding="utf-8")
    assert "1 supply or debt" in " ".join(aftershock.what_if(sample, tmp_path / "edits.toml").gaps)


@pytest.mark.parametrize(
    "words",
    [
        ("exposure", "aave-v3"),
        ("paths", "--from", "aave-v3", "--to", "ETH", "--top", "1"),
        ("shared", "WETH", "lstETH"),
        ("systemic", "--draws", "2", "--top", "1"),
        ("risk", "morpho-blue", "--scenario", "none", "--fall", "0"),
        ("names", "weth"),
    ],
    ids=lambda words: words[0],
)
def test_every_answer_in_json_says_where_it_comes_from(ask: Ask, words: tuple[str, ...]) -> None:
    manifest = json.loads((aftershock.SAMPLE / snapshots.MANIFEST).read_text(encoding="utf-8"))
    record = json.loads(ask("query", *words, "--json").out)
    for name in ("anchors", "caption", "content_id"):
        assert record[name] == manifest[name]
    assert record["tool"] == f"aftershock {aftershock.__version__}"


def test_forecasts_in_json_say_where_they_come_from(ask: Ask) -> None:
    record = json.loads(ask("forecast", "--json").out)
    assert record["tool"] == f"aftershock {aftershock.__version__}"
    assert record["as_of"] == max(row["as_of"] for row in record["forecasts"])
    assert record["content_id"].startswith("as1-")
    assert record["anchors"] == []


def test_diff_refuses_the_later_one_first(ask: Ask, graph: aftershock.ProtocolGraph, tmp_path: Path) -> None:
    sample = graph.snapshot
    earlier = tuple(replace(anchor, timestamp=anchor.timestamp - 3600) for anchor in sample.anchors)
    snapshots.save(replace(sample, name="earlier", anchors=earlier), tmp_path / "earlier")
    refused = ask("diff", "sample", str(tmp_path / "earlier"))
    assert refused.code == 2
    assert "2023-12-16 02:07:08" in refused.err
    assert "2023-12-16 01:07:08" in refused.err


def test_a_step_is_seen_on_a_terminal_as_soon_as_it_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    Step("risk")
    assert "risk" in capsys.readouterr().err


TWO_PRICES = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,30,2000,8250,500,5000
mine,alice,USDC,debt,42000,1,,,5000
other,bob,ETH,collateral,10,2100,8250,500,
other,bob,USDC,debt,10000,1,,,
"""


def test_the_price_beside_the_rounds_is_compared_with_itself_where_markets_differ(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text(TWO_PRICES, encoding="utf-8")
    words = ("simulate", "--book", "two.csv", "--shock", "ETH=-20%")
    rows = [line.split() for line in ask(*words).out.splitlines() if line.strip()]
    after = rows.index(next(row for row in rows if row[:1] == ["round"]))
    assert rows[after + 1][:3] == ["1", "22,050", "−20.0"]
    assert next(row for row in rows[after:] if row[0] == "total")[2] == "−20.0"
    told = json.loads(ask(*words, "--json").out)
    assert (told["market_price_before_usd"]["file:ETH"], told["rounds"][-1]["market_price_usd"]["file:ETH"]) == (
        2000,
        1600,
    )
    result = aftershock.simulate(aftershock.load(tmp_path / "two.csv"), shocks=["ETH=-20%"])
    for market in ("mine", "other"):
        assessed = aftershock.report(aftershock.load(tmp_path / "two.csv"), market, known=[result])
        falls = {one.largest_fall_percent: one.leading_change_ratio for one in assessed.scenarios}
        assert falls and all(ratio == pytest.approx(-fall / 100) for fall, ratio in falls.items())
