"""What the pages of `query` say: names that lead to one thing, commands that can be pasted, amounts that can be read."""

import json
import subprocess
from csv import writer
from pathlib import Path

import numpy as np
import pytest

import aftershock
from aftershock.cli.options import quoted
from aftershock.cli.units import fitting
from chain import snapshot as snapshots
from graph.dependences import dependences
from graph.systemic import Uncertainty
from reports.amounts import money_for
from reports.market_rows import of_market
from tests.aftershock.command import LIBRARY, Ask


@pytest.fixture(scope="module")
def graph() -> aftershock.ProtocolGraph:
    """The embedded sample."""
    return aftershock.graph(aftershock.load())


def test_tokens_of_one_name_are_told_apart_in_ways_and_ranks(graph: aftershock.ProtocolGraph) -> None:
    """Six liquidity shares of the sample are called UNI-V2; who has five of them loses through each of them."""
    held = graph.relations["holds"]
    shares = {key for key in held["target"] if graph.label(key) == "UNI-V2"}
    holder = held[held["target"].isin(list(shares))].groupby("source").size().idxmax()
    ways = aftershock.paths(graph, holder, "ETH").paths
    through = {path.hops[0].target: path.text.split(" → ")[1] for path in ways}
    assert len(through) == len(set(through.values())) == 5
    for key, name in through.items():
        assert key.endswith(name[-4:]) and name == f"UNI-V2 {key[-42:-36]}…{key[-4:]}"
    ranked = aftershock.systemic(graph, Uncertainty(draws=2)).set_index("node")["label"]
    assert ranked.is_unique and {ranked[key][-4:] for key in shares & set(ranked.index)} >= {
        key[-4:] for key in through
    }


NAMES = (
    "Fund",
    "=cmd()",
    "Fund A",
    "it's",
    "$HOME",
    "a`b`",
    'say "so"',
    "x;y",
    "* ?",
    "~",
    "=ls",
    "a\\b",
    "Zürich & Co",
    "a!b",
)


def words_of(command: str) -> list[str]:
    """What a shell makes of a line that begins with `aftershock`."""
    script = f'aftershock() {{ printf "%s\\0" "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_a_quoted_name_is_one_word_of_a_shell() -> None:
    assert words_of(f"aftershock {' '.join(map(quoted, NAMES))}") == list(NAMES)
    assert quoted("Fund") == "Fund" and quoted("Fund A") == '"Fund A"' and quoted("=ls") != "=ls"


def test_what_to_run_next_can_be_pasted(ask: Ask, tmp_path: Path) -> None:
    """The words that a shell makes of the line, given back to the command, answer about the same name."""
    file, name = tmp_path / "claims.csv", "=cmd() it's $HOME"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer(out).writerows([("holder", "claim_on", "amount_usd"), ("alice", name, 10), (name, "Gold", 5)])
    for verb in (("systemic", "--draws", "2"), ("paths", "--from", "alice", "--to", name), ("risk", name)):
        said = ask("query", *verb, "--exposures", str(file)).out.split("next  ")[1].split("   add --json")[0]
        words = words_of(" ".join(said.split("content id")[0].split("\n")))
        assert words[:3] == ["query", "exposure", name]
    assert ask(*words).out.startswith(name)


def test_names_of_a_file_of_claims_are_those_that_can_be_asked_for(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text("holder,claim_on,amount_usd\nalice,Fund,60\nFund,Gold,30\n")
    names = json.loads(ask("query", "names", "--exposures", str(file), "--json").out)["names"]
    assert [(one["kind"], one["name"]) for one in names] == [("asset", "Fund"), ("asset", "Gold")]
    found = json.loads(ask("query", "names", "ali", "--exposures", str(file), "--json").out)["names"]
    assert [(one["kind"], one["name"]) for one in found] == [("account", "alice")]


def test_all_is_told_from_nearly_all(ask: Ask, tmp_path: Path) -> None:
    """Two funds in a circle have everything from P: if it fails, all is lost, though the circle is gone round without end."""
    file = tmp_path / "claims.csv"
    rows = ["alice,A,30", "bob,B,20", "A,B,45", "A,P,25", "B,A,40", "B,P,25"]
    file.write_text("\n".join(["holder,claim_on,amount_usd", *rows]) + "\n")
    page = ask("query", "systemic", "--draws", "2", "--exposures", str(file)).out
    assert "P: if it fails, holders lose $50.00, 100 % of what they" in page.replace("\u202f", " ")
    file.write_text("\n".join(["holder,claim_on,amount_usd", *rows, "eve,P,10000000000", "carol,Q,1"]) + "\n")
    page = ask("query", "systemic", "--draws", "2", "--exposures", str(file)).out
    assert "over 99.9 % of what they" in page.replace("\u202f", " ")


@pytest.mark.parametrize("seed", range(40))
def test_every_amount_of_a_column_has_two_figures(seed: int) -> None:
    """What is printed, read back, is within half a unit of the second figure (5 %); nothing but nothing is 0."""
    rng = np.random.default_rng(seed)
    amounts = 10 ** rng.uniform(rng.uniform(-1, 6), rng.uniform(6, 11), int(rng.integers(1, 8)))
    write = fitting(money_for(float(amounts.max())), [0.0, *amounts])
    units = {"": write.usd, "k": 1e3, "m": 1e6, "bn": 1e9}
    for usd in amounts.tolist():
        text = write.column(usd)
        letters = text.lstrip("$0123456789,.")
        number = float(text.removesuffix(letters).lstrip("$").replace(",", ""))
        unit = 1.0 if text.startswith("$") and not letters else units[letters]
        assert number * unit == pytest.approx(usd, rel=0.0501), (usd, text)
        assert len(text.removesuffix(letters).partition(".")[2]) <= 4, text
    assert write.column(0.0) in ("0", "$0")


def test_a_column_of_thousands_says_what_is_small_in_it(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text("holder,claim_on,amount_usd\na,B,100000\nb,B,950\nc,B,75\nd,B,14\n")
    for words in (("exposure", "B"), ("risk", "B")):
        lines = [line.split() for line in ask("query", *words, "--exposures", str(file)).out.splitlines()]
        rows = [line[-5:] if words[0] == "exposure" else line for line in lines if {"c", "d"} & set(line[:2])]
        assert [[cell for cell in row if cell in ("0.075", "0.014")] for row in rows if len(row) > 4] == [
            ["0.075", "0.075"],
            ["0.014", "0.014"],
        ]


def test_rows_are_said_to_be_left_out_only_where_some_are(
    ask: Ask, tmp_path: Path, graph: aftershock.ProtocolGraph
) -> None:
    """No row of a file is unverified, so --kept moves nothing there; in the sample some are, as many as is said."""
    file = tmp_path / "claims.csv"
    file.write_text("holder,claim_on,amount_usd\nalice,Fund,60\nFund,Gold,30\n")
    command = ("query", "systemic", "--draws", "3", "--exposures", str(file), "--kept")
    pages = {" ".join(ask(*command, kept).out.split()) for kept in ("1", "0")}
    assert len(pages) == 1 and "--kept changes nothing" in (page := pages.pop()) and "left out with" not in page
    steps = dependences(graph)["status"].tolist().count("unverified")
    page = " ".join(ask("query", "systemic", "--draws", "2").out.split())
    assert steps and f"each of {steps} steps that nothing vouches for left out with probability 10 %" in page


HEADER = "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"


def test_a_book_does_not_know_what_can_leave(ask: Ask, tmp_path: Path) -> None:
    """It states positions: what lies in the reserves is not nothing, it is not known, in both answers and in JSON."""
    book = tmp_path / "book.csv"
    book.write_text(HEADER + "m,alice,ETH,collateral,10,2000,8000,500,\nm,alice,USDC,debt,1000,1,,,\n")
    page = " ".join(ask("query", "exposure", "m", "--snapshot", str(book)).out.split())
    assert "can leave now not known cash in the reserves" in page
    risk = ("query", "risk", "m", "--snapshot", str(book), "--scenario", "none", "--fall", "0")
    assert "can leave now not known" in " ".join(ask(*risk).out.split())
    asked = json.loads(ask("query", "exposure", "m", "--snapshot", str(book), "--json").out)
    assert asked["figures"]["cash_usd"] is None and json.loads(ask(*risk, "--json").out)["figures"]["cash_usd"] is None
    assert [row["cash_usd"] for row in asked["outbound"]["reserves"]] == [None, None]


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


def test_one_name_for_several_things_carries_the_end_of_its_key(ask: Ask) -> None:
    shown = ask("query", "exposure", "lstETH").out
    names = [line.split("  ")[0] for line in shown.splitlines() if line.startswith("alstETH 0x")]
    assert len(set(names)) > 1
    assert not [line for line in shown.splitlines() if line.startswith("alstETH  ")]


def test_a_small_amount_beside_a_huge_one_can_be_read() -> None:
    amounts = [4e14, 1_234.0, 620_000.0]
    write = fitting(money_for(max(amounts)), amounts)
    assert [write.column(one) for one in amounts] == ["$400tn", "$1,234", "$620k"]
    assert fitting(money_for(4e9), [4e9, 3e9, 12.0]).column(12.0) == "$12.00"


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


def test_names_can_be_listed(ask: Ask) -> None:
    found = ask("query", "names", "usdc", "--json")
    graph = aftershock.graph(aftershock.load())
    rows = {line.split('"')[3] for line in found.out.splitlines() if '"key"' in line}
    assert rows == {key for key, label in graph.labels.items() if "usdc" in label.lower()}
    assert ask("query", "names", "--kind", "markt").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("paths", "--from", "chainlink", "--to", "core"), "chainlink has neither markets nor pools"),
        (("exposure", "Xyzzyplugh"), "`aftershock query names` lists all."),
    ],
)
def test_a_name_that_cannot_be_asked_about_says_why(ask: Ask, words: tuple[str, ...], said: str) -> None:
    answer = ask("query", *words)
    told = " ".join(answer.err.split())
    assert answer.code == 2 and said in told, told
    assert not [word for word in LIBRARY if word in told]


def test_the_feed_that_a_page_names_is_the_one_that_a_report_names(graph: aftershock.ProtocolGraph, ask: Ask) -> None:
    """Of ways to a price whose steps all decide about the same collateral, both name the last step that publishes one."""
    for market in graph.nodes["market"]["node"]:
        first = aftershock.exposure(graph, market).outbound["feeds"].iloc[0]
        posted = aftershock.exposure(graph, market).outbound["collateral"].set_index("asset")["collateral_usd"]
        of_report = of_market(graph, market).feeds.set_index("asset")["feed"]
        assert first["label"] == posted.groupby(of_report).sum().idxmax(), market
    assert "the feed ETH / USD prices 100\u202f% of it" in ask("query", "exposure", "blue 0x7afabf77").out
    assert "the price source 0x6ad0…ab05" in ask("query", "exposure", "blue 0x73e5f1fe").out


def test_an_asset_at_two_prices_is_told_wherever_both_are_counted(ask: Ask, tmp_path: Path) -> None:
    """10 ETH at 2,000 in m1 and 10 at 2,500 in m2: 45,000 by the markets' own prices, 20,000 each at one price; WBTC has one."""
    book = tmp_path / "two.csv"
    book.write_text(
        "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps\n"
        "m1,alice,ETH,collateral,10,2000,8250,500\nm1,alice,USDC,debt,14000,1,,\n"
        "m2,bob,ETH,collateral,10,2500,8250,1000\nm2,bob,USDC,debt,15000,1,,\nm2,c,WBTC,collateral,1,60000,7000,1000\n"
    )
    clause = "Book m2 prices ETH at $2,500, where most is supplied it is $2,000: totals of a market,"
    for name, is_told in (("ETH", True), ("m2", True), ("book", True), ("m1", False), ("WBTC", False)):
        page = ask("query", "exposure", name, "--snapshot", str(book))
        assert page.code == 0 and (f"Note: {clause}" in " ".join(page.out.split())) == is_told, name
        notes = json.loads(ask("query", "exposure", name, "--snapshot", str(book), "--json").out)["notes"]
        assert len(notes) == is_told and all(note.startswith(clause) for note in notes)
    asset = json.loads(ask("query", "exposure", "ETH", "--snapshot", str(book), "--json").out)
    assert asset["figures"]["supplied_usd"] == 45_000
    assert [row["amount_usd"] for row in asset["inbound"]["holders"]] == [20_000, 20_000]
