"""`--history` and `--model` of `simulate` and `report --shocks forecast`: what `forecast` itself says of the same files and models, and its errors."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aftershock.cli import joint_shocks
from aftershock.forecasting.hourly_prices import Priced
from aftershock.forecasting.training import Wish, train_volatility
from models.panel import Panel
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


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)


@pytest.fixture
def told(ask: Ask, files: Path, monkeypatch: pytest.MonkeyPatch) -> "Told":
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


def test_history_is_looked_back_on(told: Told) -> None:
    """With the earlier file the answer is that of one file with all bars, to the last digit; without it, another."""
    whole, parts, late = (
        told(*VERBS[0], *SHOCKS, *words) for words in (("--prices", "whole.parquet", "--stamp", "close"), HISTORY, LATE)
    )
    assert parts["laws"] == whole["laws"] != late["laws"]
    assert parts["content_id"] == whole["content_id"] != late["content_id"]
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
    assert f"{ether['model']} (4), of the models in my-models." in said


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
