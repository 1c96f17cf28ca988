"""`aftershock query risk` and what an unchecked revision says in every answer; the sums are added up again from the positions."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import aftershock
from aftershock.cli import app
from chain.errors import InputError
from chain.snapshot import save
from tests.aftershock.command import Ask
from tests.core_sample import core

RUNNER = CliRunner()


def asked(*words: str) -> tuple[int, str]:
    """Exit code and what is printed, with every run of spaces as one."""
    quick = () if "--scenario" in words else ("--scenario", "none")
    result = RUNNER.invoke(app, ["query", "risk", *words, *quick])
    return result.exit_code, re.sub(r"\s+", " ", result.stdout)


def test_json_adds_up_and_repeats() -> None:
    code, first = asked("core", "--json", "--fall", "0", "--fall", "30", "--gas-gwei", "20")
    record = json.loads(first)
    assert code == 0 and first == asked("core", "--json", "--fall", "0", "--fall", "30", "--gas-gwei", "20")[1]
    assert [point["fall_percent"] for point in record["falls"]] == [0.0, 30.0]
    now, (later,) = record["falls"][0]["markets"][0], record["falls"][1]["markets"]
    assert now["liquidatable_debt_usd"] == sum(one["debt_usd"] for one in record["positions"] if one["liquidatable"])
    assert 0 < later["toxic_debt_usd"] < later["liquidatable_debt_usd"]
    assert later["toxic_debt_usd"] + later["partly_toxic_debt_usd"] <= later["liquidatable_debt_usd"]
    # ether is at 2,000 in the sample: 500,000 units at 20 gwei are 0.01 ether
    assert record["gas"] == {"usd": pytest.approx(20.0), "units": 500_000, "gwei": 20.0}
    for edge in record["frontiers"]:
        assert edge["frontier"] == pytest.approx(edge["threshold_bps"] / 1e4 * (1 + edge["bonus_bps"] / 1e4))


def test_the_positions_are_all_that_owe_something() -> None:
    snapshot = core()
    table = aftershock.risk(snapshot, "core", falls=(0.0,)).positions
    rows = snapshot["positions"]
    assert set(table["position_id"]) == set(
        rows.loc[(rows["side"] == "debt") & (rows["stored_raw"] > 0), "position_id"]
    )
    assert (table["frontier_low"] <= table["frontier_high"]).all()


def test_the_page_says_what_was_assumed_and_what_the_words_mean() -> None:
    code, said = asked("core", "--fall", "0", "--fall", "30", "--gas-usd", "7.5")
    assert code == 0
    assert "gas of one liquidation $7.50, which is 500,000 units at 7.5 gwei" in said
    assert "toxic: health factor below threshold × (1 + bonus)" in said
    assert "earlier sales can only make later liquidations pay less" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "WETH"}, "neither a market nor a protocol"),
        ({"name": "aave-v3", "falls": (1.0,)}, "a fall of 100 % cannot be"),
        ({"name": "aave-v3", "falls": (-0.1,)}, "a fall of -10 % cannot be"),
        ({"name": "aave-v3", "gas_usd": 1.0, "gas_gwei": 1.0}, "either in USD or as a price of gas"),
        ({"name": "aave-v3", "gas_usd": -1.0}, "not negative"),
        ({"name": "aave-v3", "gas_gwei": float("nan")}, "finite"),
        ({"name": "aave-v3", "gas_gwei": 1.0, "gas_units": -1}, "units of gas"),
    ],
)
def test_what_cannot_be_asked_says_so(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        aftershock.risk(aftershock.load(), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--fall", "120"), "a fall of 120 % cannot be"),
        (("--fall", "-1"), "a fall of -1 % cannot be"),
        (("--gas-usd", "1", "--gas-gwei", "1"), "either in USD or as a price of gas"),
        (("--gas-usd", "nan"), "gas in USD is nan"),
        (("--gas-units", "-1"), "units of gas is -1"),
        (("--scenario", "eth30"), "did you mean eth-30"),
        (("--scenario", "none.toml"), "none.toml"),
        (("--exposures", "nowhere.csv", "--gas-usd", "0"), "claims knows no collateral: leave out --gas-usd"),
        (("--exposures", "nowhere.csv", "--asset", "A", "--gas-units", "5"), "leave out --asset and --gas-units"),
        (("--exposures", "nowhere.csv", "--fall", "0"), "--fall is 0; give a part of its worth above 0"),
        ((), "nowhere does not exist"),
    ],
)
def test_options_are_read_before_data(words: tuple[str, ...], message: str) -> None:
    """The data are not there: whatever is wrong with an option is said first."""
    source = () if "--exposures" in words else ("--snapshot", "nowhere")
    result = RUNNER.invoke(app, ["query", "risk", "core", *words, *source])
    assert isinstance(result.exception, InputError) and message in str(result.exception)


def test_one_answer_joins_exposure_place_and_a_cascade() -> None:
    """Every part is what its own question says, and the positions add up to the cascade's sums."""
    sample = aftershock.load()
    record = json.loads(asked("aave-v3", "--fall", "30", "--scenario", "largest_fall", "--json")[1])
    exposed, run = aftershock.exposure(sample, "aave-v3"), aftershock.simulate(sample, "eth-30")
    assert record["figures"] == dict(exposed.figures)
    assert [row["of"] for row in record["concentration"]] == ["suppliers", "borrowers", "collateral by asset"]
    mine = set(sample["markets"].loc[sample["markets"]["protocol"] == "aave-v3", "market"])
    rows = sample["positions"]
    owed = rows.loc[(rows["side"] == "debt") & rows["market"].isin(mine), "owner"]
    assert len(mine) == 2 and record["concentration"][1]["count"] == owed.nunique()
    [anchor] = sample.anchors
    time = datetime.fromtimestamp(anchor.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert record["as_of"] == [{"chain": "eip155:31337", "number": anchor.number, "hash": anchor.hash, "timestamp": anchor.timestamp, "time": time}]  # fmt: skip
    counted = aftershock.value_counted(sample).set_index("protocol")["net_usd"]
    assert record["place"]["net_ratio"] == pytest.approx(counted["aave-v3"] / counted.sum())
    assert record["place"]["rank"] == sorted(counted, reverse=True).index(counted["aave-v3"]) + 1
    found, hit = record["cascade"], run.positions[run.positions["market"].isin(mine)]
    assert found["content_id"] == run.content_id and found["scenario"]["name"] == "eth-30"
    assert found["bad_debt_usd"] == pytest.approx(hit["loss_usd"].sum())
    assert found["liquidated_usd"] == pytest.approx(hit["liquidated_usd"].sum())
    assert found["liquidated_positions"] == (hit["liquidated_usd"] > 0).sum()


@pytest.mark.parametrize(("name", "said"), [("prime", True), ("aave-v3", False)])
def test_what_is_counted_once_is_of_whom_it_says(name: str, said: bool) -> None:
    """A market is a part of its protocol, whose other market is in the figure; the protocol is all of it."""
    counted = aftershock.value_counted(aftershock.load()).set_index("protocol")["net_usd"]
    page = asked(name, "--fall", "0")[1]
    assert round(counted["aave-v3"] / 1e9, 2) == 1.38
    assert f"{'Aave V3, all 2 markets: ' if said else ''}counted once $1.38bn" in page
    assert ("all 2 markets" in page) is said
    place = json.loads(asked(name, "--fall", "0", "--json")[1])["place"]
    assert (place["protocol"], place["markets"], place["net_usd"]) == ("Aave V3", 2, counted["aave-v3"])


def test_every_fall_is_told_when_it_is_worked_out() -> None:
    told: list[str] = []
    aftershock.risk(core(), "core", falls=(0.0, 0.1, 0.2), tell=told.append)
    assert told == ["fall 1 of 3", "fall 2 of 3", "fall 3 of 3"]


def test_the_page_fits_one_screen() -> None:
    result = RUNNER.invoke(app, ["query", "risk", "core", "--scenario", "eth-10"])
    assert "run to calm in" in result.stdout and "position" in result.stdout
    assert "counted once $1.38bn" in result.stdout and len(result.stdout.splitlines()) <= 40


def test_simulate_says_before_and_after() -> None:
    result = RUNNER.invoke(app, ["simulate", "--shock", "ETH=-30%", "--json"])
    record = json.loads(result.stdout)["frontier"]
    key = core()["markets"]["market"].iloc[0]
    before, after = (next(one for one in record[when] if one["market"] == key) for when in ("before", "after"))
    assert before["liquidatable_debt_usd"] == 0 < after["liquidatable_debt_usd"]
    assert 0 < after["toxic_debt_usd"] <= after["liquidatable_debt_usd"]


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One market of the sample as it is, and planted with revision 11, which nobody compared with a contract."""
    folder = tmp_path_factory.mktemp("planted")
    markets = core()["markets"].assign(revision=11)
    save(replace(core(), tables={**core().tables, "markets": markets}), folder / "revision-11")
    save(core(), folder / "plain")
    return folder


@pytest.mark.parametrize(
    "words",
    [("simulate", "--shock", "ETH=-10%"), ("query", "risk", "core", "--fall", "10", "--scenario", "none")],
    ids=["simulate", "risk"],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["terminal", "json"])
def test_an_unchecked_revision_is_named_in_every_answer(unchecked: Path, words: tuple[str, ...], as_json: bool) -> None:
    for folder, told in ((unchecked / "revision-11", True), (unchecked / "plain", False)):
        result = RUNNER.invoke(app, [*words, "--snapshot", str(folder), *(["--json"] if as_json else [])])
        assert result.exit_code == 0, result.output
        said = re.sub(r"\s+", " ", result.stdout)
        assert ("(POOL_REVISION 11) follow its source and were not compared with a running contract" in said) is told
        if as_json:
            assert len(json.loads(result.stdout)["notes"]) == int(told)


def test_the_headline_is_about_the_worst_fall_whatever_the_order(ask: Ask) -> None:
    def headline(*falls: str) -> str:
        words = [word for fall in falls for word in ("--fall", fall)]
        shown: str = ask("query", "risk", "aave-v3", "--scenario", "none", *words).out.replace("\u202f", " ")
        return next(line for line in shown.splitlines() if line.startswith("Aave V3, core: at "))

    assert "ETH −50 %" in headline("50", "10")
    assert headline("50", "10") == headline("10", "50")


def test_risk_of_an_asset_lists_names_that_can_be_typed(ask: Ask) -> None:
    refused = ask("query", "risk", "WETH")
    assert refused.code == 2
    assert "eip155" not in refused.err
    graph = aftershock.graph(aftershock.load())
    for name in refused.err.rpartition("one of ")[2].strip().split(", "):
        assert graph.find(name)
