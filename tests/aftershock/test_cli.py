"""The command as people type it: answers, JSON, exit codes, and one clear sentence for everything that cannot be done."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import aftershock
from aftershock.cli import app
from tests.aftershock.command import Ask

ROOT = Path(__file__).resolve().parents[2]
VERBS = (
    "demo",
    "doctor",
    "snapshot",
    "history",
    "check",
    "simulate",
    "scenarios",
    "replay",
    "forecast",
    "report",
    "what-if",
    "diff",
    "timeline",
    "export",
    "query exposure",
    "query paths",
    "query shared",
    "query systemic",
    "query risk",
    "query names",
    "train volatility",
)


BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
"""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(ask: Ask, verb: str) -> None:
    answer = ask(*verb.split(), "--help")
    assert answer.code == 0
    assert f"Example: aftershock {verb}" in re.sub(r"\s+", " ", answer.out)
    assert "--json" in answer.out


def test_the_verbs_are_those_that_are_tested() -> None:
    group: Any = typer.main.get_command(app)
    names = group.list_commands(None)
    under = {name: group.commands[name].list_commands(None) for name in group.commands}
    listed = {f"{name} {verb}" for name, verbs in under.items() for verb in verbs} | set(names) - set(under)
    assert listed == set(VERBS)


def test_a_verb_imports_only_what_it_asks() -> None:
    """The question about exposures needs neither the simulation nor the report."""
    code = (
        "import sys; from aftershock.cli import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join(sorted(name for name in sys.modules if name in ('simulations.cascade', 'reports.assessment', 'scipy.sparse', 'pandas'))))"
    )
    for words, brought in (
        (("query", "exposure", "aave-v3"), "pandas"),
        (("query", "paths", "--from", "aave-v3", "--to", "ETH"), "pandas"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert (done.returncode, done.stderr) == (0, brought)


def test_a_verb_that_is_none_brings_the_nearest(ask: Ask) -> None:
    assert "Did you mean 'simulate'" in ask("simulat").err and "Did you mean 'risk'" in ask("query", "risc").err


def test_exposure_says_what_the_collateral_is_made_of_and_carries_the_caption(ask: Ask) -> None:
    answer = ask("query", "exposure", "aave-v3")
    assert answer.code == 0
    assert "of what counts as collateral is finally ETH" in answer.out
    assert "generated accounts, real contracts" in answer.out


def test_exposure_as_json_has_evidence_in_every_row(ask: Ask) -> None:
    record = json.loads(ask("query", "exposure", "aave-v3", "--json").out)
    tables = [*record["outbound"].values(), *record["inbound"].values()]
    assert record["content_id"] == aftershock.load().content_id
    assert tables and all(row["evidence"] for table in tables for row in table)


CLAIMS = """holder,claim_on,amount_usd,kind
alice,Fund,60,share
bob,Fund,40,share
Fund,Bank,70,deposit
Fund,Issuer,30,
"""


def test_paths_say_what_each_step_is_and_where_it_was_read(ask: Ask) -> None:
    said = " ".join(ask("query", "paths", "--from", "aave-v3", "--to", "lstETH", "--top", "2").out.split())
    assert "What Aave V3 loses if lstETH fails" in said and "generated accounts, real contracts" in said
    assert "is secured by" in said and "call getReserveData" in said and "more than 2 ways" in said
    record = json.loads(ask("query", "paths", "--from", "aave-v3", "--to", "lstETH", "--json").out)
    amounts = [path["amount_usd"] for path in record["paths"]]
    assert amounts == sorted(amounts, reverse=True) and len(amounts) > 2
    assert all(hop["evidence"] for path in record["paths"] for hop in path["hops"])
    assert "turn --from and --to round" in " ".join(ask("query", "paths", "--from", "ETH", "--to", "core").out.split())


def test_a_file_of_exposures_answers_without_a_node(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text(CLAIMS)
    file = ("--exposures", "claims.csv")
    record = json.loads(ask("query", "paths", "--from", "alice", "--to", "Bank", *file, "--json").out)
    assert [path["amount_usd"] for path in record["paths"]] == [pytest.approx(42)]
    assert record["paths"][0]["hops"][0]["evidence"] == "claims.csv row 2 (kind share)"
    assert "alice → Fund → Bank" in ask("query", "paths", "--from", "alice", "--to", "Bank", *file).out
    found = json.loads(ask("query", "exposure", "alice", *file, "--json").out)
    assert {row["label"]: row["amount_usd"] for row in found["outbound"]["roots"]} == pytest.approx(
        {"Bank": 42, "Issuer": 18}
    )
    shared = json.loads(ask("query", "shared", "alice", "bob", "--snapshot", "claims.csv", "--json").out)
    assert shared["overlap_usd"] == pytest.approx(40) and shared["overlap_ratio"] == pytest.approx(1)
    assert "$40" in ask("query", "shared", "alice", "bob", *file).out


def test_a_users_book_before_and_after(ask: Ask, tmp_path: Path) -> None:
    """10 ETH at 1,600 against 14,000: HF 0.943; half is repaid, 4.59375 ETH taken; HF 8,650 x 0.825 / 7,000."""
    (tmp_path / "book.csv").write_text(BOOK)
    record = json.loads(ask("simulate", "--book", "book.csv", "--shock", "ETH=-20%", "--json").out)
    position = record["positions"][0]
    assert position["health_factor_before"] == pytest.approx(20_000 * 0.825 / 14_000)
    assert position["health_factor_after"] == pytest.approx(8_650 * 0.825 / 7_000)
    assert (position["collateral_before_usd"], position["debt_before_usd"]) == (20_000, 14_000)
    assert (position["collateral_after_usd"], position["debt_after_usd"]) == (
        pytest.approx(8_650),
        pytest.approx(7_000),
    )


def test_rounds_on_the_screen_add_up_to_the_total(ask: Ask) -> None:
    answer = ask("simulate", "--scenario", "eth-30")
    rows = re.findall(r"^\s*(\d+(?:–\d+)?|total)\s+([\d,.]+)\s+−[\d.]+\s+([\d.]+)", answer.out, re.M)
    assert rows[-1][0] == "total" and len(rows) > 3
    assert sum(float(row[2]) for row in rows[:-1]) == pytest.approx(float(rows[-1][2]), abs=0.01 * len(rows))


def test_a_crossed_threshold_is_exit_code_one(ask: Ask) -> None:
    assert ask("simulate", "--scenario", "eth-30", "--fail-above", "1000000").code == 1
    assert ask("simulate", "--scenario", "eth-30", "--fail-above", "1000000000").code == 0


def test_the_report_is_written_whole_and_names_its_command(ask: Ask, tmp_path: Path) -> None:
    answer = ask("report", "core", "--scenario", "eth-10", "--scenario", "eth-30", "--out", "out")
    assert answer.code in (0, 1)
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {
        "report.html",
        "report.md",
        "report.json",
        "run.json",
    }
    text = (tmp_path / "out" / "report.md").read_text()
    assert "aftershock report core --scenario eth-10 --scenario eth-30" in text
    assert "generated accounts, real contracts" in text
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert record["content_id"] in answer.out and record["content_id"] in text
    pictures = re.findall(r"upload://([\w-]+\.png)", text)
    assert pictures and all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no file, not even from root")
def test_a_report_that_cannot_be_kept_is_refused_before_any_work(ask: Ask) -> None:
    answer = ask("report", "core", "--out", "/proc/x")
    assert answer.code == 2 and "cannot be written below /proc" in answer.err and "load" not in answer.err


def test_a_report_on_a_users_own_book_says_that_it_has_no_block(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text(BOOK)
    assert ask("report", "--snapshot", "book.csv", "--out", "out").code in (0, 1)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "a file, no block" in text.lower() and "Block None" not in text


def test_the_same_report_twice_has_the_same_bytes(ask: Ask, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        ask("report", "core", "--scenario", "eth-10", "--out", folder)
    for name in ("report.html", "report.md", "report.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_demo_does_the_whole_job(ask: Ask, tmp_path: Path) -> None:
    answer = ask("demo", "--json")
    record = json.loads(answer.out)
    assert answer.code == 0
    assert record["cascade"]["totals"]["bad_debt_usd"] > 0 and record["exposure"]["outbound"]["collateral"]
    assert all((tmp_path / file).is_file() for file in record["files"])
    gaps, sentences = record["assessment"]["coverage"]["gaps"], " ".join(record["assessment"]["verdict"]["sentences"])
    assert gaps[-1].startswith("scenarios that ship and were not run: ETH, WBTC, LINK −30")
    assert "the worst of the five scenarios run" in " ".join(sentences.split())


def test_doctor_and_scenarios_answer(ask: Ask) -> None:
    assert "hashes agree" in ask("doctor").out
    assert {entry["name"] for entry in json.loads(ask("scenarios", "--json").out)} >= {"eth-30", "broad-30"}


BAD = [
    (("query", "paths", "--from", "core", "--to", "aave-v3"), 2, "a part of the other"),
    (("query", "paths", "--from", "core", "--to", "nothing-like-it"), 2, "There is no"),
    (("query", "exposure", "a", "--exposures", "missing.csv"), 2, "is no file"),
    (("query", "exposure", "a", "--exposures", "x.csv", "--snapshot", "y"), 2, "not both"),
    (("query", "shared", "WETH", "WETH"), 2, "two different holders"),
    (("simulate", "--shock", "ETH=-120%"), 2, "more than -100%"),
    (("simulate", "--shock", "ETH=nan%"), 2, "ETH=-20%"),
    (("simulate", "--shock", "ETH=-20"), 2, "ETH=-20%"),
    (("simulate", "--shock", "ETHER=-20%"), 2, "did you mean"),
    (("simulate", "--shock", "DAI=-20%", "--book", "book.csv"), 2, "no asset named 'DAI'"),
    (("simulate", "--scenario", "eth30"), 2, "did you mean eth-30"),
    (("simulate", "--scenario", "missing.toml"), 2, "missing.toml"),
    (("simulate",), 2, "either a scenario or at least one shock"),
    (("simulate", "--scenario", "eth-30", "--shock", "ETH=-20%"), 2, "either a scenario or at least one shock"),
    (("simulate", "--shock", "ETH=-20%", "--pass-through", "2"), 2, "not between 0 and 1"),
    (("simulate", "--shock", "ETH=-20%", "--book", "nowhere.csv"), 2, "nowhere.csv does not exist"),
    (("simulate", "--shock", "ETH=-20%", "--book", "broken.csv"), 2, "broken.csv row 2"),
    (("query", "exposure", "aave-v4"), 2, "did you mean aave-v3"),
    (("query", "exposure", "aave-v3", "--snapshot", "nowhere"), 2, "nowhere does not exist"),
    (("query", "exposure", "aave-v3", "--snapshot", "."), 3, "no snapshot"),
    (("report", "compound"), 2, "named 'compound'"),
    (("report", "core", "--asset", "USD-COIN"), 2, "no asset named"),
    (("snapshot", "--deployments", "nowhere.toml", "--out", "new"), 2, "nowhere.toml"),
    (("snapshot", "--deployments", "book.csv", "--out", "new"), 2, "book.csv"),
]


@pytest.mark.parametrize(
    ("words", "code", "says"), BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    ask: Ask, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "book.csv").write_text(BOOK)
    (tmp_path / "broken.csv").write_text(BOOK.replace("2000", "two thousand"))
    before = {file.name for file in tmp_path.iterdir()}
    answer = ask(*words)
    sentence = answer.err.strip().splitlines()[-1]
    assert answer.code == code, answer.err
    assert sentence.startswith("aftershock: ") and says in sentence, answer.err
    assert "Traceback" not in answer.err and answer.out == ""
    assert {file.name for file in tmp_path.iterdir()} == before


def test_damaged_snapshots_are_named(ask: Ask, tmp_path: Path) -> None:
    from chain.snapshot import save

    folder = save(aftershock.load(), tmp_path / "mine")
    whole = (folder / "positions.parquet").read_bytes()
    (folder / "positions.parquet").write_bytes(whole[: len(whole) // 2])
    answer = ask("query", "exposure", "aave-v3", "--snapshot", "mine")
    assert (answer.code, answer.out) == (3, "") and "positions.parquet cannot be read as Parquet" in answer.err
    (folder / "positions.parquet").write_bytes((folder / "prices.parquet").read_bytes())
    assert ask("query", "exposure", "aave-v3", "--snapshot", "mine").code == 3
    (folder / "positions.parquet").write_bytes(whole)
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(
        re.sub(r'("positions": \{\s*"rows": \d+,\s*"sha256": ")....', r"\g<1>0000", text)
    )
    answer = ask("report", "--snapshot", "mine")
    assert answer.code == 3 and "hash differs" in answer.err


def test_the_command_works_outside_the_checkout(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "aftershock", "scenarios"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert "eth-30" in done.stdout


def test_a_closed_pipe_is_not_a_crossed_threshold(tmp_path: Path) -> None:
    command = f"{sys.executable} -m aftershock simulate --shock ETH=-1% --json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False, env=_environment()
    )
    assert done.returncode == 141 and "Traceback" not in done.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_systemic_ranks_with_a_range(ask: Ask) -> None:
    """The order in JSON is that of the terminal's third column (one label may be part of another)."""
    answer = ask("query", "systemic", "--top", "5", "--draws", "10", "--json")
    rows = json.loads(answer.out)["systemic"]
    assert answer.code == 0 and len(rows) == 5
    assert [row["loss_usd"] for row in rows] == sorted((row["loss_usd"] for row in rows), reverse=True)
    shown = ask("query", "systemic", "--top", "5", "--draws", "10").out
    named = re.findall(r"^ +\d+ +\d+–\d+  (.+?)  ", shown, re.MULTILINE)
    assert named == [row["label"] for row in rows]
    assert ask("query", "systemic", "--sigma", "9").code == 2


def test_the_version_is_told(ask: Ask) -> None:
    assert ask("--version").out == f"aftershock {aftershock.__version__}\n"


def test_options_behind_two_dashes_are_said_to_stand_too_late(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("holder,claim_on,amount_usd\n-a,Fund,60\nFund,Bank,70\n")
    late = ask("query", "exposure", "--", "-a", "--exposures", "claims.csv")
    assert late.code == 2
    assert "Everything behind -- is taken for a name, --exposures too; put options before it" in late.err
    assert ask("query", "exposure", "--exposures", "claims.csv", "--", "-a").code == 0
    assert "Everything behind" not in ask("query", "exposure", "a", "b").err
