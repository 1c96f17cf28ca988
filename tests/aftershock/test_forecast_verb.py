"""`aftershock forecast` on files that people bring: what is written, who answers, what moved a forecast."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import aftershock
from aftershock.forecasting.forecasts import QUANTILES, SHIPPED, forecast, forecast_file, why
from aftershock.forecasting.hourly_prices import SAMPLE_PRICES, read_prices
from chain.errors import InputError
from chain.snapshot import save
from models.panel import Panel
from models.task import Task, horizon_returns, outcomes
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import bar_lines, frame_of

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["as_of", "asset", "horizon_hours", "variance", *QUANTILES, "model", *(f"v{name}" for name in QUANTILES)]


def test_the_written_table_keeps_the_contract_and_the_models_have_skill(panel: Panel, bars: Path) -> None:
    found = forecast_file(bars, "close", first="2022-02-01", last="2022-03-01")
    assert found.table.columns.tolist() == COLUMNS and not found.unanswered
    assert set(found.table["model"]) == {"boosting on GLM"} and found.table["as_of"].nunique() == 29
    inner = found.table[[f"v{name}" for name in QUANTILES]].to_numpy()
    assert (np.diff(inner, axis=1) >= 0).all() and (found.table["variance"] > 0).all()
    at = np.unique(np.array([stamp.timestamp() for stamp in found.table["as_of"]], dtype=np.int64))
    y, r = outcomes(panel, at, Task()), horizon_returns(panel, at, Task())
    wide = {
        name: found.table.pivot(index="as_of", columns="asset", values=name)[list(panel.assets)].to_numpy()
        for name in ("variance", "q05", "q95")
    }
    # prices that were drawn, of assets that were never in training: the level is right and moves with the truth
    known = np.isfinite(y)
    assert 0.5 < np.median(y[known] / wide["variance"][known]) < 1.5
    moves_together = stats.spearmanr(y[known], wide["variance"][known])
    assert moves_together.statistic > 0.25 and moves_together.pvalue < 1e-3
    inside = (r > wide["q05"]) & (r < wide["q95"])
    assert 0.8 < inside[np.isfinite(r)].mean() < 0.99


def test_later_prices_change_no_forecast(panel: Panel, bars: Path, tmp_path: Path) -> None:
    cut = pd.Timestamp("2022-02-20").timestamp()
    whole = frame_of(panel)
    whole.loc[whole["timestamp"] > cut, ["open", "high", "low", "close"]] *= 1.7
    whole.to_parquet(tmp_path / "other.parquet")
    before, after = (
        forecast_file(path, "close", first="2022-02-10", last="2022-02-20").table
        for path in (bars, tmp_path / "other.parquet")
    )
    pd.testing.assert_frame_equal(before, after)


def test_who_answers_when_less_is_known(panel: Panel, tmp_path: Path) -> None:
    closes = tmp_path / "closes.csv"
    frame_of(panel, bars=False).to_csv(closes, index=False)
    assert set(forecast_file(closes).table["model"]) == {"gamma GLM on closes"}
    alone = tmp_path / "alone.csv"
    frame_of(panel.select(["AAA"])).to_csv(alone, index=False)
    assert forecast_file(alone, "close").table["model"].tolist() == ["boosting on GLM"]
    young = frame_of(panel)
    young = young[(young["symbol"] != "AAA") | (young["timestamp"] > panel.end_s[-50])]
    young.to_csv(tmp_path / "young.csv", index=False)
    found = forecast_file(tmp_path / "young.csv", "close")
    assert found.unanswered == (("AAA", 1),) and len(found.table) == 3
    frame_of(panel).tail(10).to_csv(tmp_path / "ten.csv", index=False)
    with pytest.raises(aftershock.AftershockError, match=r"10 hourly closes .* looks back on 113"):
        forecast_file(tmp_path / "ten.csv", "close")


def test_history_fills_what_came_before(panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole = frame_of(panel)
    cut = panel.end_s[24 * 50]
    whole[whole["timestamp"] <= cut].to_csv(tmp_path / "early.csv", index=False)
    whole[whole["timestamp"] > cut].to_csv(tmp_path / "late.csv", index=False)
    joined = forecast_file(tmp_path / "late.csv", "close", history=tmp_path / "early.csv").table
    straight = forecast_file(bars, "close").table
    pd.testing.assert_frame_equal(
        joined.sort_values("asset", ignore_index=True), straight.sort_values("asset", ignore_index=True), rtol=1e-9
    )


def test_the_verb_writes_shows_and_refuses(ask: Ask, bars: Path) -> None:
    said = ask("forecast", "--prices", str(bars), "--stamp", "close", "--from", "2022-02-27", "--out", "f.parquet")
    assert said.code == 0 and "boosting on GLM" in said.out and "not annualised" in said.out
    assert pd.read_parquet("f.parquet").columns.tolist() == COLUMNS
    record = json.loads(ask("forecast", "--prices", str(bars), "--stamp", "close", "--json").out)
    assert len(record["forecasts"]) == 4 and record["forecasts"][0]["as_of"].endswith("Z")
    for words, message in (
        (("--stamp", "open", "--horizon", "5"), "there are models for 1, 24, 168 hours"),
        (("--stamp", "open", "--bar", "5m"), "are of hourly bars"),
        ((), "--stamp open|close"),
        (("--stamp", "open", "--from", "soon"), "which is no date"),
        (("--stamp", "open", "--from", "now"), "--from is 'now', which is no date"),
        (("--stamp", "open", "--to", ""), "--to is '', which is no date"),
        (("--stamp", "open", "--from", "05/06/2022"), "--from is '05/06/2022', which is no date; write 2023-06-01"),
        (("--stamp", "open", "--to", "05.06.2022"), "--to is '05.06.2022', which is no date"),
        (("--stamp", "open", "--from", "10:00"), "--from is '10:00', which is no date"),
        (("--stamp", "open", "--from", "2030-01-01"), "ask for an earlier instant"),
        (("--stamp", "open", "--out", "f.txt"), ".parquet or .csv"),
    ):
        refused = ask("forecast", "--prices", str(bars), *words)
        assert refused.code == 2 and message in refused.err.replace("\n", " "), refused.err


def test_a_range_from_nothing_is_said_to_hold_more_than_nine_in_ten(ask: Ask) -> None:
    """Shares of the law itself: an hour ahead the quantile at 5 % is 0, so nothing lies below it; a day ahead it is not."""
    for hours, lowest in (("1", True), ("24", False)):
        record = json.loads(ask("forecast", "--horizon", hours, "--json").out)["forecasts"]
        assert all((one["vq05"] == 0) == lowest for one in record)
        page = " ".join(ask("forecast", "--horizon", hours).out.split())
        assert ("Where nine in ten begins at 0, nineteen in twenty lie in it" in page) == lowest


def test_without_a_file_the_embedded_prices_answer_and_say_what_they_are(ask: Ask) -> None:
    record = json.loads(ask("forecast", "--json").out)
    assert record["caption"] == "invented prices"
    assert [row["asset"] for row in record["forecasts"]] == ["ETH", "LINK", "lstETH", "WBTC"]
    card = json.loads((SHIPPED / "volatility_24h" / "card.json").read_text())
    year = "the unseen year 2023 (fitted once, before it)"
    worth = card["scores"][f"QLIKE to log-HAR an asset, {year}, boosting on GLM"]
    table = pd.read_csv(ROOT / "docs" / "results" / "volatility.csv")
    [told] = table.query("horizon_hours == 24 and model == 'boosting on GLM, fitted once' and reference == 'log-HAR'")[
        "ratio"
    ]
    assert worth == told
    assert record["answered_by"] == [
        {"model": "boosting on GLM", "forecasts": 4, "qlike_to_log_har": worth, "measured_on": year}
    ]
    said = ask("forecast").out.replace("\n", " ")
    assert f"QLIKE) was {worth:.3f} of log-HAR's, {100 * (1 - worth):.1f} % less" in said and "invented prices" in said
    refused = ask("forecast", "--stamp", "open")
    assert refused.code == 2 and "name the file" in refused.err


def test_the_embedded_prices_end_where_the_embedded_snapshot_stands() -> None:
    snapshot, panel = aftershock.load(), read_prices(None).panel
    at_s = snapshot.anchors[0].timestamp
    assert 0 <= at_s - panel.end_s[-1] < 3_600 and SAMPLE_PRICES.stat().st_size < 600_000
    symbols = dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["symbol"], strict=True))
    named = {symbols[key]: usd for key, usd in snapshot["prices"][["asset", "price_usd"]].itertuples(index=False)}
    wanted = [named["WETH" if name == "ETH" else name] for name in panel.assets]
    np.testing.assert_allclose(panel.close[-1], wanted)


def test_reasons_multiply_to_the_forecast_and_name_what_moved_it(panel: Panel, bars: Path, tmp_path: Path) -> None:
    priced = read_prices(bars, "close")
    found = forecast(priced)
    reasons = why(priced, found, "LINK")
    told = found.table.set_index("asset").at["LINK", "variance"]
    assert reasons.forecast_variance == pytest.approx(told, rel=1e-9)
    assert reasons.usual_variance * np.prod(list(reasons.variance_factors.values())) == pytest.approx(told, rel=1e-9)
    # prices of the last week that moved three times as far make "its own moves" larger, and by most
    wild = frame_of(panel)
    late = (wild["symbol"] == "LINK") & (wild["timestamp"] > panel.end_s[-168])
    middle = np.sqrt(wild["high"] * wild["low"])
    wild["high"] = np.where(late, middle * (wild["high"] / middle) ** 3, wild["high"])
    wild["low"] = np.where(late, middle * (wild["low"] / middle) ** 3, wild["low"])
    wild.to_parquet(tmp_path / "wild.parquet")
    other = read_prices(tmp_path / "wild.parquet", "close")
    moved = why(other, forecast(other), "LINK").variance_factors
    raised = {name: moved[name] / factor for name, factor in reasons.variance_factors.items()}
    assert max(raised, key=lambda name: raised[name]) == "its own moves" and raised["its own moves"] > 1.3
    with pytest.raises(aftershock.AftershockError, match="no asset with a forecast named"):
        why(priced, found, "DOGE")


def test_why_is_one_picture_of_the_deviation_and_a_record_of_the_variance(ask: Ask) -> None:
    said = ask("forecast", "--why", "LINK")
    assert said.code == 0 and "Why LINK: a usual asset" in said.out and "its own moves" in said.out and "━" in said.out
    whole = json.loads(ask("forecast", "--why", "LINK", "--json").out)
    [variance] = [row["variance"] for row in whole["forecasts"] if row["asset"] == "LINK"]
    told = whole["why"]
    assert set(told) == {"asset", "usual_variance", "variance_factors", "forecast_variance"}
    assert told["asset"] == "LINK" and told["forecast_variance"] == pytest.approx(variance, rel=1e-9)
    assert told["usual_variance"] * np.prod(list(told["variance_factors"].values())) == pytest.approx(variance)
    lines = {line.split("  ")[0]: line for line in said.out.splitlines() if "×" in line}
    for words, factor in told["variance_factors"].items():
        assert f"× {factor**0.5:.2f}" in lines[words]


def test_whatever_decides_the_numbers_decides_the_content_id(ask: Ask, tmp_path: Path) -> None:
    """Instants, horizon and weights; of what is held also whose and when. The same question twice has one id."""
    mine = tmp_path / "models"
    shutil.copytree(SHIPPED / "volatility_24h", mine / "volatility_24h")
    weights = mine / "volatility_24h" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-8] ^= 1  # the last bit of the last number
    weights.write_bytes(bytes(changed))
    sample = aftershock.load()
    later = save(replace(sample, anchors=(replace(sample.anchors[0], number=10**6),)), tmp_path / "later")
    asked = (
        (),
        ("--to", "2023-11-06"),
        ("--from", "2023-12-14"),
        ("--from", "2023-12-14", "--every", "48h"),
        ("--horizon", "168"),
        ("--model", str(mine)),
        ("--why", "ETH"),
        ("--of", "core"),
        ("--of", "core", "--to", "2023-11-06"),
        ("--of", "core", "--horizon", "168"),
        ("--of", "core", "--of", "prime"),
        ("--of", "core", "--snapshot", str(later)),
    )
    records = [json.loads(ask("forecast", *words, "--json").out) for words in asked]
    ids = [record["content_id"] for record in records]
    assert len(set(ids)) == len(asked)
    assert json.loads(ask("forecast", "--json").out) == records[0]
    assert records[7]["snapshot_id"] == sample.content_id not in ids
    assert ids[7] in ask("forecast", "--of", "core").out


def test_forecasts_in_json_say_where_they_come_from(ask: Ask) -> None:
    record = json.loads(ask("forecast", "--json").out)
    assert record["tool"] == f"aftershock {aftershock.__version__}"
    assert record["as_of"] == max(row["as_of"] for row in record["forecasts"])
    assert record["content_id"].startswith("as1-")
    assert record["anchors"] == []


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2030-01-01", "--at is 2030-01-01, and bars.csv ends at"),
        ("2019-01-01", "--at is 2019-01-01, and bars.csv begins at"),
        ("2022-01-02", "has 24 hourly closes until 2022-01-02 00:00 UTC"),
        ("2022-01-08T05:30", "--at is 2022-01-08T05:30; give a whole hour"),
    ],
)
def test_an_instant_is_spoken_of_by_its_own_option(tmp_path: Path, at: str, said: str) -> None:
    (tmp_path / "bars.csv").write_text("\n".join(bar_lines()) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(said)):
        forecast_file(tmp_path / "bars.csv", "open", at=at)
    assert set(forecast_file(tmp_path / "bars.csv", "open", at="2022-01-08T05:00").table["as_of"]) == {
        pd.Timestamp("2022-01-08T05:00Z")
    }
