"""`aftershock what-if --out`: the changed snapshot as a folder of which every verb can be asked, and what is never overwritten."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from chain.errors import AftershockError, InputError, SnapshotError
from chain.snapshot import MANIFEST, save
from tests.aftershock.command import Ask
from tests.graph.small_world import RAY, WAD, small_rows, small_world

RUNNER = CliRunner()


@pytest.fixture
def edits(tmp_path: Path) -> str:
    """WETH of the only market is paused; the vault goes with its 30,000 of 80,000 USDC."""
    path = tmp_path / "edits.toml"
    path.write_text('[[freeze]]\nmarket = "core"\nasset = "WETH"\nstate = "paused"\n[[remove]]\nnode = "vUSDC"\n')
    return str(path)


@pytest.fixture
def read(tmp_path: Path) -> str:
    """The small world as a folder that was read."""
    rows = small_rows()
    rows["reserves"][0] = {**rows["reserves"][0], "supply_index_raw": RAY, "supplied_stored_raw": 12 * WAD}
    rows["prices"] = [{**row, "price_usd": row["price_raw"] / 10**8} for row in rows["prices"]]
    return str(save(small_world(rows), tmp_path / "read"))


def asked(*words: str) -> str:
    result = RUNNER.invoke(app, [*words], catch_exceptions=False, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def unbroken(text: str) -> str:
    """Without blanks and the ends of lines, where long commands are broken."""
    return "".join(text.split())


def test_questions_can_be_asked_of_the_folder(edits: str, read: str, tmp_path: Path) -> None:
    out = str(tmp_path / "what if")
    said = asked("what-if", edits, "--snapshot", read, "--out", out)
    stored = aftershock.load(out)
    assert stored.content_id == aftershock.what_if(aftershock.load(read), edits).content_id
    assert stored.caption.startswith("what-if with 2 changes, not as it was read") and f"written to {out}" in said
    commands = unbroken(said.split("next ")[1].split("content id")[0])
    assert commands.count(unbroken(f"--snapshot {shlex.quote(out)}")) == 3
    # 50,000 USDC are left, at 1 USD; 12 WETH at 2,000 and 5 lstETH at 2,340
    record = json.loads(asked("query", "exposure", "core", "--snapshot", out, "--json"))
    assert record["figures"]["supplied_usd"] == pytest.approx(50_000 + 24_000 + 11_700)
    assert record["caption"].startswith("what-if") and record["content_id"] == stored.content_id
    assert "Prime USDC vault" not in asked("query", "names", "--snapshot", out)


@pytest.mark.verify
def test_a_cascade_a_report_and_a_difference_can_be_asked_of_the_folder(edits: str, read: str, tmp_path: Path) -> None:
    out = str(tmp_path / "what if")
    aftershock.what_if(aftershock.load(read), edits, out)
    assert "what-ifwith2changes" in unbroken(asked("simulate", "--snapshot", out, "--shock", "WETH=-30%"))
    asked("report", "core", "--snapshot", out, "--out", str(tmp_path / "reports"))
    assert any("what-if" in page.read_text() for page in (tmp_path / "reports").glob("**/*.md"))
    assert "WETH in Aave V3 core was paused." in asked("diff", read, out)


def test_without_a_folder_the_next_lines_ask_the_same_file(edits: str, read: str) -> None:
    said = unbroken(asked("what-if", edits, "--snapshot", read))
    for words in ("--out FOLDER", "--shock WETH=-30%"):
        assert unbroken(f"aftershock what-if {edits} --snapshot {read} {words}") in said
    assert "queryexposure" not in said
    assert json.loads(asked("what-if", edits, "--snapshot", read, "--json"))["folder"] is None


def test_claims_that_are_gone_are_gone_from_every_answer(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("holder,claim_on,amount_usd\nalice,Fund,60\nbob,Fund,40\nFund,Bank,70\n")
    (tmp_path / "edits.toml").write_text('[[remove]]\nnode = "bob"\n')
    out = tmp_path / "claims"
    said = asked("what-if", str(tmp_path / "edits.toml"), "--snapshot", str(tmp_path / "claims.csv"), "--out", str(out))
    assert unbroken(f"aftershock query systemic --snapshot {out}") in unbroken(said) and "simulate" not in said
    record = json.loads(asked("query", "exposure", "Fund", "--snapshot", str(out), "--json"))
    assert [row["label"] for row in record["inbound"]["holders"]] == ["alice"]
    # 70 of Bank's stand behind 60 of alice's: all of hers is lost
    paths = json.loads(asked("query", "paths", "--from", "alice", "--to", "Bank", "--snapshot", str(out), "--json"))
    assert paths["paths"][0]["amount_usd"] == pytest.approx(60)


def test_nothing_but_an_earlier_what_if_is_overwritten(edits: str, read: str, tmp_path: Path) -> None:
    source, before = aftershock.load(read), (Path(read) / MANIFEST).read_bytes()
    with pytest.raises(InputError, match="holds a snapshot as it was read"):
        aftershock.what_if(source, edits, read)
    assert (Path(read) / MANIFEST).read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SnapshotError, match="exists and is not a snapshot"):
        aftershock.what_if(source, edits, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
    out = tmp_path / "out"
    first = aftershock.what_if(source, edits, out)
    (tmp_path / "other.toml").write_text('[[freeze]]\nmarket = "core"\n')
    second = aftershock.what_if(source, tmp_path / "other.toml", out)
    assert first.content_id != second.content_id == aftershock.load(out).content_id


def test_what_cannot_be_made_leaves_no_folder(read: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[[remove]]\nnode = "nobody"\n')
    with pytest.raises(AftershockError, match="nobody"):
        aftershock.what_if(aftershock.load(read), tmp_path / "wrong.toml", tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_a_cascade_that_is_not_calm_names_an_option_that_there_is(tmp_path: Path) -> None:
    """10 ETH at 1,400 and 82.5 % are 11,550 against 14,000 owed: the first round liquidates, so one is not enough."""
    (tmp_path / "book.csv").write_text(
        "market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps\n"
        "mine,alice,ETH,collateral,10,2000,8250,500,5000\nmine,alice,USDC,debt,14000,1,,,5000\n"
    )
    scenario = 'title = "ETH −30\u202f%"\n[[shocks]]\nasset = "ETH"\nchange = -0.3\n[assumptions]\nmax_rounds = '
    for name, rounds in (("short", 1), ("long", 2000)):
        (tmp_path / f"{name}.toml").write_text(f"{scenario}{rounds}\n")
    (tmp_path / "freeze.toml").write_text('[[freeze]]\nmarket = "mine"\nasset = "USDC"\n')
    for verb in (["what-if", str(tmp_path / "freeze.toml")], ["simulate"]):
        words = [*verb, "--snapshot", str(tmp_path / "book.csv"), "--scenario"]
        said = str(RUNNER.invoke(app, [*words, str(tmp_path / "short.toml")]).exception)
        assert "not calm after 1 rounds" in said and "max_rounds" in said and "with --scenario" in said
        assert "\\u202f" not in said and "ETH −30\u202f%" in said
        assert "--scenario" in RUNNER.invoke(app, [*verb, "--help"]).output
        asked(*words, str(tmp_path / "long.toml"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sample", "means the embedded sample"),
        ("./sample", "means the embedded sample"),
        ("changed.csv", "leave .csv out of the name"),
        ("changed.parquet", "leave .parquet out of the name"),
    ],
)
def test_a_name_that_is_read_otherwise_is_refused(ask: Ask, edits: str, read: str, name: str, said: str) -> None:
    for words in (["what-if", edits, "--snapshot", read], ["snapshot"]):
        answer = ask(*words, "--out", name)
        assert answer.code == 2 and said in " ".join(answer.err.split()), answer
    assert not Path(name).exists()
    assert ask("what-if", edits, "--snapshot", read, "--out", "mine/sample").code == 0
    assert aftershock.load("mine/sample").caption.startswith("what-if")


@pytest.mark.parametrize(
    "entry",
    [
        '[[remove]]\nnode = "claims"',
        '[[remove]]\nnode = "file:claims"',
        '[[remove]]\nnode = "Exposures"',
        '[[remove]]\nnode = "USD"',
        '[[remove]]\nrelation = "lists"\nsource = "claims"\ntarget = "Fund"',
        '[[freeze]]\nmarket = "claims"',
    ],
)
def test_what_nobody_wrote_in_a_file_of_claims_cannot_be_named(ask: Ask, tmp_path: Path, entry: str) -> None:
    (tmp_path / "claims.csv").write_text("holder,claim_on,amount_usd\nalice,Fund,60\nFund,Bank,70\n")
    (tmp_path / "edits.toml").write_text(f"{entry}\n")
    answer = ask("what-if", "edits.toml", "--snapshot", "claims.csv", "--out", "out")
    assert answer.code == 2 and "edits.toml, " in answer.err and not Path("out").exists()
    known = answer.err.partition("known are: ")[2]
    assert "Exposures" not in known and "USD" not in known, answer.err


def test_a_name_of_the_file_is_found_though_the_graph_has_one_like_it(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("holder,claim_on,amount_usd\nalice,USD,60\nUSD,claims,70\n")
    assert "alice" in ask("query", "exposure", "USD", "--exposures", "claims.csv").out
    (tmp_path / "edits.toml").write_text('[[remove]]\nnode = "claims"\n')
    assert "Claims on claims: USD $70 (gone)." in ask("what-if", "edits.toml", "--snapshot", "claims.csv").out


@pytest.mark.parametrize("size", ["1e300", "1e999999999", "1e60", "1e-999999999"])
def test_a_factor_that_fits_no_amount_names_file_and_entry(ask: Ask, tmp_path: Path, size: str) -> None:
    (tmp_path / "claims.csv").write_text("holder,claim_on,amount_usd\nalice,Fund,60\nFund,Bank,70.000000000000000001\n")
    (tmp_path / "edits.toml").write_text(f'[[back]]\nclaim = "Fund"\nbacking = "Bank"\nfactor = {size}\n')
    answer = ask("what-if", "edits.toml", "--snapshot", "claims.csv")
    assert answer.code == 2, answer
    assert (
        "edits.toml, back 1: factor: " in answer.err and f"is too {'small' if '-' in size else 'large'}" in answer.err
    )
