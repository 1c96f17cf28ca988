"""`aftershock forecast` on files that people bring: what is written, who answers, what is refused; and forecasts as the law of shocks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import aftershock
from aftershock.forecast_shocks import (
    ShockLaw,
    bad_debt_under,
    constant_law,
    implied_freedom,
    law_of_forecasts,
)
from aftershock.forecasts import QUANTILES, SHIPPED, forecast, forecast_file, why
from aftershock.hourly_prices import SAMPLE_PRICES, read_prices
from models.panel import Panel
from models.task import Task, horizon_returns, outcomes
from simulations.book_of_graph import from_graph
from tests.aftershock.command import Ask
from tests.models.drawn_panel import drawn_panel

ROOT = Path(__file__).resolve().parents[2]
BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,WBTC,collateral,1,30000,7800,500,5000
mine,bob,ETH,debt,8,2000,,,5000
"""
TRAINED = "prices that training may have seen"
COLUMNS = ["as_of", "asset", "horizon_hours", "variance", *QUANTILES, "model", *(f"v{name}" for name in QUANTILES)]


def frame_of(panel: Panel, bars: bool = True) -> pd.DataFrame:
    parts = []
    for n, asset in enumerate(panel.assets):
        columns = {
            name: getattr(panel, name)[:, n]
            for name in (("open", "high", "low", "close", "volume") if bars else ("close",))
        }
        parts.append(pd.DataFrame({"timestamp": panel.end_s, "symbol": asset, **columns}).dropna())
    return pd.concat(parts)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return drawn_panel(60, ("BTC", "ETH", "LINK", "AAA"))


@pytest.fixture(scope="module")
def bars(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prices") / "bars.parquet"
    frame_of(panel).to_parquet(path)
    return path


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
    with pytest.raises(aftershock.AftershockError, match=r"10 hourly closes .* looks back on 112"):
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
        (("--stamp", "open", "--bar", "5m"), "trained on hourly bars"),
        ((), "--stamp open|close"),
        (("--stamp", "open", "--from", "soon"), "which is no date"),
        (("--stamp", "open", "--from", "2030-01-01"), "ask for an earlier instant"),
        (("--stamp", "open", "--out", "f.txt"), ".parquet or .csv"),
    ):
        refused = ask("forecast", "--prices", str(bars), *words)
        assert refused.code == 2 and message in refused.err.replace("\n", " "), refused.err


def test_the_joint_law_has_the_deviations_correlations_and_tails_that_it_says() -> None:
    correlation = np.array([[1.0, 0.6], [0.6, 1.0]])
    law = ShockLaw(("A", "B"), np.array([0.05, 0.1]), correlation, 4.0, "by hand")
    drawn = law.draw(200_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.std(axis=0), law.deviation, rtol=0.03)
    np.testing.assert_allclose(stats.kendalltau(*drawn[:20_000].T).statistic, 2 / np.pi * np.arcsin(0.6), atol=0.02)
    expected = stats.t.ppf(0.99, 4) / np.sqrt(2) * 0.05
    assert np.quantile(drawn[:, 0], 0.99) == pytest.approx(expected, rel=0.03)
    assert implied_freedom(float(stats.t.ppf(0.95, 5.0) * np.sqrt(3 / 5))) == pytest.approx(5.0, rel=0.03)


def test_wider_forecasts_cost_more_and_the_same_seed_the_same(panel: Panel, bars: Path, tmp_path: Path) -> None:
    table = forecast_file(bars, "close").table
    law = law_of_forecasts(table, panel)
    as_of = int(table["as_of"].iloc[0].timestamp())
    assert np.linalg.eigvalsh(law.correlation).min() > 0
    flat = constant_law(panel, as_of, 24, law.freedom)
    steps = panel.until(as_of).log_returns()
    np.testing.assert_allclose(flat.deviation, np.sqrt(24 * np.nanmean(steps**2, axis=0)))
    own = tmp_path / "book.csv"
    own.write_text(BOOK)
    book = from_graph(aftershock.graph(aftershock.load(own)))
    wild = ShockLaw(law.assets, law.deviation * 6, law.correlation, law.freedom, "wild")
    found = bad_debt_under(book, wild, 16, 3)
    again = bad_debt_under(book, wild, 16, 3)
    calm = bad_debt_under(book, law, 16, 3)
    assert found.used == ("BTC", "ETH") and found.bad_debt_usd.tobytes() == again.bad_debt_usd.tobytes()
    assert found.bad_debt_usd.max() > calm.bad_debt_usd.max() and found.bad_debt_usd.sum() > calm.bad_debt_usd.sum()


def test_without_a_file_the_embedded_prices_answer_and_say_what_they_are(ask: Ask) -> None:
    record = json.loads(ask("forecast", "--json").out)
    assert record["caption"] == "invented prices"
    assert [row["asset"] for row in record["forecasts"]] == ["ETH", "LINK", "WBTC", "lstETH"]
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


def put(frame: pd.DataFrame, rows: pd.Series, **values: float) -> pd.DataFrame:
    """The frame with some cells put to something else."""
    changed = frame.reset_index(drop=True)
    changed.loc[rows.to_numpy(), list(values)] = list(values.values())
    return changed


BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "zero": (lambda f: put(f, f["timestamp"] == f["timestamp"].min(), close=0.0), "close is 0.0; give a finite price"),
    "negative": (lambda f: put(f, f["timestamp"] == f["timestamp"].min(), low=-3.0), "low is -3.0; give a finite"),
    "twice": (lambda f: pd.concat([f, f.head(1).assign(close=1.5)]), "has two prices at"),
    "shifted": (lambda f: f.assign(timestamp=f["timestamp"] + 600), "no multiple of 3600 s"),
    "millis": (lambda f: f.assign(timestamp=f["timestamp"] * 1000), "is no time between 2009 and 2100"),
    "text": (lambda f: f.assign(timestamp="13th"), "row 2: timestamp is '13th', which is no instant"),
    "slashes": (
        lambda f: f.assign(timestamp="18/08/2023 03:00"),
        "row 2: timestamp is '18/08/2023 03:00', and whether day or month",
    ),
    "book": (lambda f: f.assign(imbalance=2.0), "imbalance is 2.0; give a number from -1 to 1"),
    "spread": (lambda f: f.assign(spread_bps="wide"), "spread_bps is 'wide'; give a number of at least zero"),
    "daily": (lambda f: f[f["timestamp"] % 86_400 == 0], "60 hourly closes until"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_refused_with_the_row_and_what_to_do(
    name: str, panel: Panel, tmp_path: Path
) -> None:
    change, message = BAD[name]
    change(frame_of(panel)).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(aftershock.AftershockError, match=message) as refused:
        forecast_file(tmp_path / "bad.csv", "close")
    assert "bad.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_odd_but_usable_is_answered_and_told(panel: Panel, bars: Path, tmp_path: Path) -> None:
    whole = frame_of(panel)
    straight = forecast_file(bars, "close").table

    def answered(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        frame.to_parquet(tmp_path / "odd.parquet")
        found = forecast_file(tmp_path / "odd.parquet", "close")
        assert TRAINED in found.notes[-1]
        return found.table, found.notes[:-1]

    late = (whole["symbol"] == "AAA") & (whole["timestamp"] > panel.end_s[700])
    thousand = {name: whole.loc[late, name] * 1_000 for name in ("open", "high", "low", "close")}
    table, notes = answered(whole.assign(**{name: whole[name].where(~late, thousand[name]) for name in thousand}))
    assert "jumps by a factor of 1000" in notes[0] and len(notes) == 1
    np.testing.assert_allclose(table["variance"], straight["variance"], rtol=0.01)
    berlin = pd.to_datetime(whole["timestamp"], unit="s", utc=True).dt.tz_convert("Europe/Berlin")
    pd.testing.assert_frame_equal(answered(whole.assign(timestamp=berlin))[0], straight)
    pd.testing.assert_frame_equal(answered(pd.concat([whole, whole.head(9)]))[0], straight)
    table, notes = answered(whole.assign(high=whole["low"] * 0.999))
    assert len(notes) == 4 and "did not hold their open and close" in notes[0]
    hole = whole[(whole["timestamp"] < panel.end_s[-60]) | (whole["timestamp"] > panel.end_s[-3])]
    assert set(answered(hole)[0]["model"]) == {"rolling mean 30 d"}


def test_closes_stamped_at_the_open_are_known_an_hour_later(panel: Panel, tmp_path: Path) -> None:
    closes = frame_of(panel)[["timestamp", "symbol", "close"]]
    closes.to_parquet(tmp_path / "known.parquet")
    closes.assign(timestamp=closes["timestamp"] - 3_600).to_parquet(tmp_path / "opened.parquet")
    known = forecast_file(tmp_path / "known.parquet").table
    pd.testing.assert_frame_equal(forecast_file(tmp_path / "opened.parquet", "open").table, known)
    assert not forecast_file(tmp_path / "opened.parquet", "close").table["variance"].equals(known["variance"])


def test_what_training_has_seen_and_what_is_long_after_it_is_told(panel: Panel, tmp_path: Path) -> None:
    frame, last = frame_of(panel), int(panel.end_s[-1])
    for name, end, told in (("seen", "2022-06-01", True), ("fresh", "2023-06-01", False)):
        moved = frame["timestamp"] - last + int(pd.Timestamp(end).timestamp())
        frame.assign(timestamp=moved).to_parquet(tmp_path / f"{name}.parquet")
        assert any(TRAINED in note for note in forecast_file(tmp_path / f"{name}.parquet", "close").notes) == told
    over = frame["timestamp"] - last + int(pd.Timestamp("2023-01-11").timestamp())
    frame.assign(timestamp=over).to_parquet(tmp_path / "over.parquet")
    [note] = forecast_file(tmp_path / "over.parquet", "close", first="2022-12-30", last="2023-01-10").notes
    assert note.startswith("2 of 12 instants lie before 2023-01-01")
    old = frame["timestamp"] - last + int(pd.Timestamp("2027-06-01").timestamp())
    frame.assign(timestamp=old).to_parquet(tmp_path / "old.parquet")
    [note] = forecast_file(tmp_path / "old.parquet", "close").notes
    assert "more than a year before" in note and "train volatility" in note


def test_the_shipped_models_do_not_read_what_no_panel_had(panel: Panel, bars: Path, tmp_path: Path) -> None:
    more = frame_of(panel).assign(spread_bps=3.0, funding_rate=1e-4, sentiment=np.nan)
    more.to_parquet(tmp_path / "more.parquet")
    found = forecast_file(tmp_path / "more.parquet", "close").table
    pd.testing.assert_frame_equal(found, forecast_file(bars, "close").table)
    read = read_prices(tmp_path / "more.parquet", "close").panel
    assert set(read.extras) == {"spread_bps", "funding_rate", "sentiment"}


def test_a_series_that_ended_and_one_that_hardly_moves_are_told(panel: Panel, tmp_path: Path) -> None:
    frame = frame_of(panel)
    ended = (frame["symbol"] == "LINK") & (frame["timestamp"] > panel.end_s[-1] - 10 * 86_400)
    still = frame["symbol"] == "ETH"
    for name in ("open", "high", "low", "close"):
        frame[name] = np.where(still, 1 + 1e-5 * (frame["timestamp"] // 3_600 % 2), frame[name])
    frame[~ended].to_parquet(tmp_path / "odd.parquet")
    notes = forecast(read_prices(tmp_path / "odd.parquet", "close")).notes
    assert any(note.startswith("LINK has no price after") for note in notes)
    assert any(note.startswith("ETH hardly moves") for note in notes)
    assert len(notes) == 3 and TRAINED in notes[-1], notes


def test_reasons_multiply_to_the_forecast_and_name_what_moved_it(panel: Panel, bars: Path, tmp_path: Path) -> None:
    priced = read_prices(bars, "close")
    found = forecast(priced)
    reasons = why(priced, found, "LINK")
    told = found.table.set_index("asset").at["LINK", "variance"]
    assert reasons.forecast == pytest.approx(told, rel=1e-9)
    assert reasons.usual * np.prod(list(reasons.factors.values())) == pytest.approx(told, rel=1e-9)
    # prices of the last week that moved three times as far make "its own moves" larger, and by most
    wild = frame_of(panel)
    late = (wild["symbol"] == "LINK") & (wild["timestamp"] > panel.end_s[-168])
    middle = np.sqrt(wild["high"] * wild["low"])
    wild["high"] = np.where(late, middle * (wild["high"] / middle) ** 3, wild["high"])
    wild["low"] = np.where(late, middle * (wild["low"] / middle) ** 3, wild["low"])
    wild.to_parquet(tmp_path / "wild.parquet")
    other = read_prices(tmp_path / "wild.parquet", "close")
    moved = why(other, forecast(other), "LINK").factors
    raised = {name: moved[name] / factor for name, factor in reasons.factors.items()}
    assert max(raised, key=lambda name: raised[name]) == "its own moves" and raised["its own moves"] > 1.3
    with pytest.raises(aftershock.AftershockError, match="no asset with a forecast named"):
        why(priced, found, "DOGE")


def test_why_is_one_picture(ask: Ask) -> None:
    said = ask("forecast", "--why", "LINK")
    assert said.code == 0 and "Why LINK: a usual asset" in said.out and "its own moves" in said.out and "━" in said.out
    record = json.loads(ask("forecast", "--why", "LINK", "--json").out)["why"]
    assert record["asset"] == "LINK" and record["forecast"] > 0
