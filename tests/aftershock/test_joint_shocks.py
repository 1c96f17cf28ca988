"""`simulate` and `report --shocks forecast`: what they stand on and say of a tail; `--history` and `--model` against what `forecast` itself says of the same files and models."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aftershock
from aftershock.bad_debt import BadDebt, Shocked
from aftershock.cli import joint_shocks
from aftershock.cli.terminal import Page
from aftershock.forecast_shocks import ShockLaw
from aftershock.forecasting.forecasts import SHIPPED, forecast
from aftershock.forecasting.hourly_prices import LAST, SAMPLE_PRICES, Priced, read_prices
from aftershock.forecasting.training import Wish, train_volatility
from aftershock.outlooks import apart
from chain.snapshot import Anchor
from models.panel import Panel
from models.store import load, save
from reports.amounts import money
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import frame_of

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,9900,50,10000
mine,alice,USDC,debt,19700,1,,,10000
"""
VERBS = (("simulate", "--book", "book.csv"), ("report", "--snapshot", "book.csv", "--out", "out"))


@pytest.fixture(scope="module")
def files(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a book, prices, the same in two files one after the other, and models of one's own."""
    folder = tmp_path_factory.mktemp("files")
    frame = frame_of(panel)
    late = frame["timestamp"] > panel.end_s[-40 * 24]
    frame.to_parquet(folder / "whole.parquet")
    frame[late].to_parquet(folder / "late.parquet")
    frame[~late].to_parquet(folder / "early.parquet")
    (folder / "book.csv").write_text(BOOK)
    train_volatility(Priced(panel, "drawn"), folder / "my-models", Wish("glm"))
    return folder


@pytest.fixture
def told(ask: Ask, files: Path, monkeypatch: pytest.MonkeyPatch) -> "Told":
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)  # a hundred cascades take seconds
    return Told(ask, files, monkeypatch)


class Told:
    """Answers in JSON, asked in the folder of the files."""

    def __init__(self, ask: Ask, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(files)
        self.ask = ask

    def __call__(self, *words: str) -> dict[str, object]:
        answer = self.ask(*words, "--json")
        assert answer.code in (0, 1), answer.err
        return dict(json.loads(answer.out))


LATE = ("--prices", "late.parquet", "--stamp", "close")
HISTORY = (*LATE, "--history", "early.parquet")
SHOCKS = ("--shocks", "forecast", "--draws", "6")
USUAL = joint_shocks.Asked(None, None, "1h", None, None, None, 24, 200, 0)


def test_history_is_looked_back_on(told: Told) -> None:
    """With the earlier file the answer is that of one file with all bars, to the last digit; without it, another."""
    whole, parts, late = (
        told(*VERBS[0], *SHOCKS, *words) for words in (("--prices", "whole.parquet", "--stamp", "close"), HISTORY, LATE)
    )
    assert parts["laws"] == whole["laws"] != late["laws"]
    assert parts["content_id"] == whole["content_id"] != late["content_id"]
    assert [parts["prices"], parts["history"]] == ["late.parquet", "early.parquet"] and late["history"] is None
    page = " ".join(told.ask(*VERBS[0], *SHOCKS, *HISTORY).out.split())
    assert "of the models that ship, from prices of late.parquet with earlier ones of early.parquet." in page
    report = told(*VERBS[1], *SHOCKS, *HISTORY)
    assert report["outlook"]["prices"] == "late.parquet with early.parquet"  # type: ignore[index]
    assert report["outlook"]["tails"][0]["mean_usd"] == parts["laws"][0]["mean_usd"]  # type: ignore[index]


def test_a_model_of_ones_own_answers_and_is_named(told: Told, files: Path) -> None:
    prices = ("--prices", "whole.parquet", "--stamp", "close")
    forecasts = told("forecast", *prices, "--model", "my-models")
    mine, shipped = (told(*VERBS[0], *SHOCKS, *prices, *words) for words in (("--model", "my-models"), ()))
    assert (mine["models"], shipped["models"]) == ("my-models", None) and mine["models_id"] != shipped["models_id"]
    assert mine["answered_by"] == forecasts["answered_by"] != shipped["answered_by"]
    assert mine["content_id"] != shipped["content_id"] and mine["laws"] != shipped["laws"]
    report, usual = (told(*VERBS[1], *SHOCKS, *prices, *words) for words in (("--model", "my-models"), ()))
    assert report["content_id"] != usual["content_id"]
    outlook = dict(report["outlook"])  # type: ignore[call-overload]
    assert (outlook["models"], outlook["models_id"]) == ("my-models", mine["models_id"])
    [ether] = [one for one in forecasts["forecasts"] if one["asset"] == "ETH"]  # type: ignore[attr-defined]
    [move] = [one for one in outlook["moves"] if one["asset"] == "ETH"]
    assert move["deviation_ratio"] == pytest.approx(ether["variance"] ** 0.5) and move["model"] == ether["model"]
    page = (files / "out/report.md").read_text(encoding="utf-8")
    assert "by the models that ship" in page and "my-models" not in page
    told(*VERBS[1], *SHOCKS, *prices, "--model", "my-models")
    assert "by the models in my-models" in (files / "out/report.md").read_text(encoding="utf-8")
    said = " ".join(told.ask(*VERBS[0], *SHOCKS, *prices, "--model", "my-models").out.split())
    assert f"{ether['model']} (4), of the models in my-models, from prices of whole.parquet." in said


def test_what_models_were_trained_on_stands_beside_whatever_they_answer(told: Told, files: Path) -> None:
    """The same weights, whose card has a caption now, on a user's own prices: forecast, values, simulate, and the report, whose grade it costs."""
    fitted, card = load(files / "my-models" / "volatility_24h")
    said = "models trained on invented prices"
    save(files / "captioned" / "volatility_24h", fitted, replace(card, caption=said))
    assert load(files / "captioned" / "volatility_24h")[1].caption == said and not card.caption
    prices = ("--prices", "whole.parquet", "--stamp", "close", "--model")
    for words in (("forecast", "--of", "aave-v3"), (*VERBS[0], *SHOCKS)):
        assert told(*words, *prices, "captioned")["prices_caption"] == said
    assert said in " ".join(told.ask("forecast", *prices, "captioned").out.split())
    report, plain = (told(*VERBS[1], *SHOCKS, *prices, folder) for folder in ("captioned", "my-models"))
    assert report["outlook"]["prices"] == "whole.parquet"  # type: ignore[index]
    assert f"captioned “{said} in the outlook”" in str(report) and said not in str(plain)


def test_one_instant_is_one_report_however_it_was_typed(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded prices end at 2023-12-16 00:00 UTC; one o'clock at Berlin is that instant."""
    (tmp_path / "book.csv").write_text(BOOK)
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)
    ways: tuple[str, ...] = ("", "2023-12-16", "2023-12-16T00:00Z", "2023-12-16T01:00+01:00", "2023-12-15")
    found = []
    for at in ways:
        words = ("report", "--snapshot", "book.csv", "--scenario", "eth-10", *SHOCKS, *(("--at", at) if at else ()))
        found.append(json.loads(ask(*words, "--out", "out", "--json").out))
    assert len({one["content_id"] for one in found[:4]}) == 1 != len({one["content_id"] for one in found})
    assert [("--at 2023-12-16T00:00Z " in one["command"]) for one in found] == [True] * 4 + [False]


def test_the_printed_command_reproduces_the_report(told: Told, files: Path) -> None:
    report = told(*VERBS[1], *SHOCKS, *HISTORY, "--model", "my-models")
    command = str(report["command"])
    assert "--history early.parquet --model my-models" in command
    first = (files / "out/report.html").read_bytes()
    again = told(*shlex.split(command)[1:], "--out", "again")
    assert again["content_id"] == report["content_id"] and (files / "again/report.html").read_bytes() == first


@pytest.mark.parametrize(
    "words",
    [
        ("--history", "early.parquet"),
        (*LATE, "--history", "none.parquet"),
        (*LATE, "--history", "."),
        ("--model", "nowhere"),
        ("--model", "my-models", "--horizon", "168"),
        ("--model", "book.csv"),
    ],
)
def test_what_cannot_be_used_is_refused_as_by_forecast(told: Told, words: tuple[str, ...]) -> None:
    said = told.ask("forecast", *words)
    assert said.code == 2
    wanted = said.err.strip().splitlines()[-1]
    for verb in VERBS:
        refused = told.ask(*verb, *SHOCKS, *words)
        assert refused.code == 2 and refused.err.strip() == wanted, "before anything is read"
        unread = told.ask(*verb, *(("--shock", "ETH=-1%") if verb[0] == "simulate" else ()), *words)
        assert unread.code == 2 and "would do nothing without --shocks forecast" in unread.err


def test_models_that_read_chains_are_refused_with_a_way_out(told: Told, files: Path, panel: Panel) -> None:
    lent = np.random.default_rng(3).uniform(0.2, 0.8, panel.close.shape)
    beside = replace(panel, extras={"utilisation": lent})
    train_volatility(Priced(beside, "drawn"), files / "of-chains", Wish("glm"))
    for verb in VERBS:
        refused = told.ask(*verb, *SHOCKS, "--model", "of-chains")
        assert refused.code == 2
        assert "the models in of-chains read utilisation of snapshots and histories" in refused.err
        assert refused.err.strip().endswith("give a --model that was trained without --tables")


BOTH = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,WBTC,collateral,1,30000,7800,500,5000
mine,bob,ETH,debt,8,2000,,,5000
"""


def test_joint_shocks_from_the_embedded_prices_say_what_they_stand_on(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "book.csv").write_text(BOTH)
    words = ("simulate", "--book", str(tmp_path / "book.csv"), "--shocks", "forecast", "--json", "--draws")
    refused = ask(*words, "99")
    assert refused.code == 2 and "at least 100" in refused.err
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)  # a hundred cascades take seconds
    first, again, other = (json.loads(ask(*words, "8", "--seed", seed).out) for seed in ("1", "1", "2"))
    assert first == again and first["content_id"] != other["content_id"]
    assert first["prices_caption"] == "invented prices" and first["anchors"] == [] and first["caption"] == ""
    assert first["as_of"] == "2023-12-16T00:00:00Z" and first["answered_by"][0]["model"] == "boosting on GLM"
    law = first["laws"][0]
    assert law["var_usd_95"] is None and law["var_usd_99"] is None and "give --draws 500" in law["notes"][-1]


def test_value_at_risk_and_shortfall_are_printed_with_their_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    law = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand")
    drawn = [BadDebt(law, Shocked({"A": "A"}), np.random.default_rng(seed).exponential(1e6, 200), 5) for seed in (2, 3)]
    joint_shocks.show(Page(), drawn, 24, aftershock.load(), forecast(read_prices(None), LAST, 24), "as1-0", USUAL)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "95 % confidence" in line]
    for row, one in zip(rows, drawn, strict=True):
        said = one.to_dict()
        (low, high), (es_low, es_high) = said["var_usd_95_interval"], said["es_usd_95_interval"]
        assert 0 < low < high < es_high and low < es_low
        assert row[3:5] == [f"{money(low)}–{money(high)}", f"{money(es_low)}–{money(es_high)}"]


def test_a_level_that_is_not_told_is_not_none_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    law, found = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand"), forecast(read_prices(None))
    for draws, said in ((8, "8 draws: too few to say what bad debt stays below"), (100, "bad debt is none; under")):
        nothing = BadDebt(law, Shocked({"A": "A"}), np.zeros(draws), 0)
        joint_shocks.show(Page(), [nothing, nothing], 24, aftershock.load(), found, "as1-0", USUAL)
        shown = " ".join(capsys.readouterr().out.split())
        assert said in shown and ("bad debt is none" in shown) is (draws == 100)


DAY = 86_400


NOON = 1_700_049_600  # 2023-11-15 12:00 UTC


@pytest.mark.parametrize(
    ("read_s", "said"),
    [
        ([], ""),
        ([NOON], ""),
        ([NOON + DAY], ""),
        ([NOON + DAY + 3_600], "2023-11-15 12:00 UTC; positions and their prices were read as of 2023-11-16 13:00 UTC, 25 hours later"),
        ([NOON - 198 * DAY], "2023-11-15 12:00 UTC; positions and their prices were read as of 2023-05-01 12:00 UTC, 198 days earlier"),
        ([NOON + 60, NOON - 2 * DAY], "read as of 2023-11-13 12:00 UTC, 2 days earlier"),
    ],
    ids=["a file", "at once", "a day", "25 hours", "198 days", "two chains, one far off"],
)  # fmt: skip
def test_shocks_of_another_date_than_the_positions_are_told_with_both_dates(read_s: list[int], said: str) -> None:
    anchors = [Anchor(f"eip155:{chain}", 1, "0x", one) for chain, one in enumerate(read_s)]
    found = apart(NOON, anchors)
    assert said in found if said else found == ""


def test_a_report_says_in_the_terminal_what_its_outlook_stands_on(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)
    words = ("--shocks", "forecast", "--at", "2023-11-01", "--draws", "1")
    told = ask("report", "compound-v2", "--scenario", "eth-10", *words, "--out", "out")
    assert told.code in (0, 1), told.err
    flat = " ".join(told.out.split())
    note = "The shocks are those of 2023-11-01 00:00 UTC; positions and their prices were read as of 2023-12-16 02:07 UTC, 45 days later"
    assert f"Note: {note}." in flat
    assert flat.endswith("generated accounts, real contracts, invented prices in the outlook")
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"<b>Two dates.</b> {note}." in page
    banner = page[page.index('<div class="caption"') : page.index("<header>")]
    assert "invented prices" in banner
    assert json.loads(ask("simulate", *words, "--json").out)["apart"] == note


def test_a_report_with_forecasts_says_which_model_answers_and_by_how_much(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text(BOTH)
    words = ("report", "--snapshot", "book.csv", "--out", "out", "--shocks", "forecast", "--horizon", "168")
    told = ask(*words, "--draws", "100", "--seed", "1", "--json")
    assert told.code in (0, 1), told.err
    record = json.loads(told.out)
    found = record["outlook"]
    card = json.loads((SHIPPED / "volatility_168h" / "card.json").read_text())
    year = "the unseen year 2023 (fitted once, before it)"
    worth = card["scores"][f"QLIKE to log-HAR an asset, {year}, boosting on GLM"]
    assert found["answers"] == [
        {"model": "boosting on GLM", "forecasts": 2, "qlike_to_log_har": worth, "measured_on": year}
    ]
    page = (tmp_path / "out" / "report.md").read_text().replace("\u202f", " ").replace("\u00a0", " ")
    by = f"{100 * abs(worth - 1):.1f} % {'less' if worth < 1 else 'more'}"
    assert f"its loss (QLIKE) was {worth:.3f} of log-HAR’s, {by}, on {year}" in page
    assert "invented prices" in page and "none is drawn from a forecast" not in page
    assert record["command"].endswith("--shocks forecast --at 2023-12-16T00:00Z --horizon 168 --draws 100 --seed 1")
    forecasts = json.loads(ask("forecast", "--horizon", "168", "--json").out)["forecasts"]
    said = {one["asset"]: one for one in forecasts}
    for move in found["moves"]:
        one = said[move["asset"]]
        assert move["deviation_ratio"] == pytest.approx(one["variance"] ** 0.5)
        assert move["high_ratio"] == pytest.approx(np.exp(one["q95"]) - 1)
    tails = json.loads(
        ask("simulate", "--book", "book.csv", *words[5:], "--draws", "100", "--seed", "1", "--json").out
    )["laws"]
    assert found["tails"][0]["var_95_usd"] == tails[0]["var_usd_95"], "one market: the same draws, the same bad debt"
    assert found["tails"][1]["mean_usd"] == pytest.approx(tails[1]["mean_usd"])


def test_the_printed_command_names_prices_where_they_were_and_gives_the_same_bytes(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "book.csv").write_text(BOTH)
    (tmp_path / "prices").mkdir()
    shutil.copy(SAMPLE_PRICES, tmp_path / "prices/bars.parquet")
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)
    words = ("--shocks", "forecast", "--draws", "2", "--prices", "prices/bars.parquet", "--stamp", "close")
    told = ask("report", "--snapshot", "book.csv", *words, "--out", "one", "--json")
    assert told.code in (0, 1), told.err
    command = json.loads(told.out)["command"]
    assert "--snapshot book.csv" in command and "--prices prices/bars.parquet" in command
    assert ask(*shlex.split(command)[1:], "--out", "two").code == told.code
    assert (tmp_path / "one/report.html").read_bytes() == (tmp_path / "two/report.html").read_bytes()
