"""Joint shocks from forecasts: what the law draws, what its tail may be told from, and what a report says of it."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import aftershock
from aftershock.cli import joint_shocks
from aftershock.cli.terminal import Page
from aftershock.forecast_shocks import (
    BadDebt,
    Shocked,
    ShockLaw,
    bad_debt_under,
    constant_law,
    correlation_at,
    implied_freedom,
    law_of_forecasts,
    shocked_in,
)
from aftershock.forecasting.forecasts import SHIPPED, forecast, forecast_file
from aftershock.forecasting.hourly_prices import LAST, SAMPLE_PRICES, read_prices
from aftershock.outlooks import apart
from chain.snapshot import Anchor
from models.panel import Panel
from reports.amounts import money
from simulations.book_of_graph import from_graph
from tests.aftershock.command import Ask

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,WBTC,collateral,1,30000,7800,500,5000
mine,bob,ETH,debt,8,2000,,,5000
"""


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
    flat = constant_law(law, panel, as_of, 24)
    steps = panel.select(law.assets).until(as_of).log_returns()
    np.testing.assert_allclose(flat.deviation, np.sqrt(24 * np.nanmean(steps**2, axis=0)))
    own = tmp_path / "book.csv"
    own.write_text(BOOK)
    book = from_graph(aftershock.graph(aftershock.load(own)))
    wild = replace(law, deviation=law.deviation * 6, quantiles=None)
    found = bad_debt_under(book, wild, 16, 3)
    again = bad_debt_under(book, wild, 16, 3)
    calm = bad_debt_under(book, law, 16, 3)
    assert tuple(found.shocked.names) == ("BTC", "ETH") and found.bad_debt_usd.tobytes() == again.bad_debt_usd.tobytes()
    assert found.bad_debt_usd.max() > calm.bad_debt_usd.max() and found.bad_debt_usd.sum() > calm.bad_debt_usd.sum()


def test_a_level_is_told_only_where_five_draws_lie_beyond_it() -> None:
    law = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand")
    rng = np.random.default_rng(0)
    for draws, known in ((99, ()), (100, ("95",)), (499, ("95",)), (500, ("95", "99"))):
        amounts = rng.permutation(np.arange(1.0, draws + 1))
        said = BadDebt(law, Shocked({"A": "A"}), amounts, 0).to_dict()
        assert [level for level in ("95", "99") if said[f"var_usd_{level}"] is not None] == list(known)
        for level in known:
            beyond = draws * (100 - int(level)) // 100
            assert said[f"var_usd_{level}"] == draws - beyond
            assert said[f"es_usd_{level}"] == pytest.approx(draws - (beyond - 1) / 2)
        assert len(said["notes"]) == 2 - len(known)


def test_joint_shocks_from_the_embedded_prices_say_what_they_stand_on(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "book.csv").write_text(BOOK)
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
    joint_shocks.show(Page(), drawn, 24, aftershock.load(), forecast(read_prices(None), LAST, 24), "as1-0")
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
        joint_shocks.show(Page(), [nothing, nothing], 24, aftershock.load(), found, "as1-0")
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


def test_a_report_with_forecasts_says_which_model_answers_and_by_how_much(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "book.csv").write_text(BOOK)
    monkeypatch.setattr(joint_shocks, "LEAST_DRAWS", 1)
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
    assert record["command"].endswith("--shocks forecast --horizon 168 --draws 100 --seed 1")
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


def test_the_bad_debt_of_markets_adds_up_to_that_of_the_book() -> None:
    book = from_graph(aftershock.graph(aftershock.load()))
    law = ShockLaw(("ETH",), np.array([0.3]), np.ones((1, 1)), 4.0, "by hand")
    (whole,) = bad_debt_under(book, law, 1, 5).bad_debt_usd
    parts = [bad_debt_under(book, law, 1, 5, market=one.key).bad_debt_usd[0] for one in book.markets]
    assert sum(parts) == pytest.approx(whole) and whole > max(parts) > 0


def test_the_interval_of_a_level_is_the_one_that_order_statistics_give() -> None:
    law = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand")
    amounts = np.random.default_rng(2).exponential(1.0, 2_000)
    said = BadDebt(law, Shocked({"A": "A"}), amounts, 5).to_dict()
    ordered = np.sort(amounts)
    low, high = (int(stats.binom.ppf(one, 2_000, 0.95)) for one in (0.025, 0.975))
    assert said["var_usd_95_interval"] == pytest.approx([ordered[low - 1], ordered[high]], rel=0.03)
    low, high = said["es_usd_95_interval"]
    assert low < said["es_usd_95"] < high and low < 1 + np.log(20) < high, (
        "ES of an exponential is one beyond its quantile"
    )


def test_a_claim_is_not_shocked_on_top_of_what_it_is_a_claim_on() -> None:
    book = from_graph(aftershock.graph(aftershock.load()))
    law = ShockLaw(("ETH", "lstETH"), np.array([0.1, 0.1]), np.array([[1.0, 0.9], [0.9, 1.0]]), 4.0, "by hand")
    found = bad_debt_under(book, law, 1, 3)
    assert tuple(found.shocked.names) == ("ETH",) and found.shocked.along == ("lstETH",) and "lstETH not shocked" in found.notes[0]  # fmt: skip
    alone = bad_debt_under(book, ShockLaw(("lstETH",), law.deviation[:1], np.ones((1, 1)), 4.0, "by hand"), 1, 3)
    assert tuple(alone.shocked.names) == ("lstETH",) and not alone.shocked.along


def test_two_names_of_one_asset_are_one_shock() -> None:
    """The book has WBTC and no BTC: bitcoin's series moves it where WBTC has none of its own, and does not come on top of it."""
    book = from_graph(aftershock.graph(aftershock.load()))
    pair = ShockLaw(("BTC", "WBTC"), np.array([0.1, 0.1]), np.array([[1.0, 0.9], [0.9, 1.0]]), 4.0, "by hand")
    for assets in (pair.assets, pair.assets[::-1]):
        found = bad_debt_under(book, replace(pair, assets=assets), 1, 3)
        assert found.shocked.names == {"WBTC": "WBTC"} and found.shocked.again == {"BTC": "WBTC"}
        assert found.notes[0] == "BTC not shocked: in this book it is WBTC, whose own prices count"
    assert shocked_in(book, ("BTC",)).names == {"BTC": "WBTC"}
    assert shocked_in(book, ("eth", "ETH")).again == {"eth": "ETH"}


def drawn_prices(correlation: float, hours: int = 4_000) -> Panel:
    """Closes of A and B, whose hourly moves have a correlation, and of C and D, which have none with anything."""
    rng = np.random.default_rng(8)
    moves = 0.01 * rng.standard_normal((hours, 4))
    moves[:, 1] = correlation * moves[:, 0] + np.sqrt(1 - correlation**2) * moves[:, 1]
    close, none = np.exp(np.cumsum(moves, axis=0)), np.full((hours, 4), np.nan)
    end = np.arange(1, hours + 1, dtype=np.int64) * 3_600
    return Panel(("A", "B", "C", "D"), end, none, none, none, close, none, 3_600)


def test_a_correlation_is_that_of_the_hours_that_both_have_whatever_else_is_in_the_file() -> None:
    panel = drawn_prices(0.99)
    last = int(panel.end_s[-1])
    whole, told = correlation_at(panel, last)
    returns = panel.log_returns()[-90 * 24 :]
    np.testing.assert_allclose(whole, np.corrcoef(returns.T), atol=1e-12)
    np.testing.assert_allclose(correlation_at(panel.select(["A", "B"]), last)[0], whole[:2, :2], atol=1e-12)
    close = panel.close.copy()
    close[:-480, 1] = np.nan  # B is twenty days old, and of A every seventh close is missing
    close[::7, 0] = np.nan
    young, said = correlation_at(replace(panel, close=close), last)
    both = np.isfinite(np.diff(np.log(close[-481:, :2]), axis=0)).all(axis=1)
    assert 240 < both.sum() < 480 and not said and not told
    assert young[0, 1] == pytest.approx(np.corrcoef(np.diff(np.log(close[-481:, :2]), axis=0)[both].T)[0, 1], rel=1e-9)
    assert young[0, 1] > 0.98 and np.linalg.eigvalsh(young).min() > 0


def test_what_is_known_for_too_few_hours_gets_the_mean_of_the_others_and_that_is_told() -> None:
    panel = drawn_prices(0.9)
    close = panel.close.copy()
    close[:-200, 3] = np.nan
    found, told = correlation_at(replace(panel, close=close), int(panel.end_s[-1]))
    mean = (found[0, 1] + found[0, 2] + found[1, 2]) / 3
    np.testing.assert_allclose(found[3, :3], mean, rtol=1e-9)
    assert len(told) == 1 and told[0].startswith("D: fewer than 240 hourly returns")
    same = np.stack([panel.close[:, 0]] * 2, axis=1)  # one series under two names can still be drawn from
    none = np.full(same.shape, np.nan)
    twins, _ = correlation_at(Panel(("A", "B"), panel.end_s, none, none, none, same, none, 3_600), int(panel.end_s[-1]))
    assert np.isfinite(np.linalg.cholesky(twins)).all() and twins[0, 1] == pytest.approx(1.0, abs=1e-7)


def test_what_is_drawn_in_a_cascade_has_the_range_that_is_printed() -> None:
    """Calibrated quantiles with a long lower tail cost more than a symmetric law of the same deviation."""
    book = from_graph(aftershock.graph(aftershock.load()))
    skewed = np.array([[-0.3, -0.05, 0.0, 0.03, 0.1]])
    law = ShockLaw(("ETH",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand", skewed)
    plain = replace(law, quantiles=None)
    wide, narrow = (bad_debt_under(book, one, 12, 5).bad_debt_usd.sum() for one in (law, plain))
    assert wide > narrow
    flat = constant_law(law, replace(drawn_prices(0.5), assets=("ETH", "B", "C", "D")), 4_000 * 3_600, 24)
    assert flat.quantiles is not None
    np.testing.assert_allclose(flat.quantiles / flat.deviation[:, None], skewed / 0.1)


def test_no_hit_in_two_hundred_draws_allows_some() -> None:
    law = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand")
    none = BadDebt(law, Shocked({"A": "A"}), np.zeros(200), 0)
    assert none.hit_interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 200)))  # nothing in 200: (1 - p)^200 = 0.025
    some = BadDebt(law, Shocked({"A": "A"}), np.repeat([0.0, 5.0], [190, 10]), 0)
    exact = stats.binomtest(10, 200).proportion_ci(0.95)
    assert some.hit_interval == pytest.approx((exact.low, exact.high))


def test_the_printed_command_names_prices_where_they_were_and_gives_the_same_bytes(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "book.csv").write_text(BOOK)
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
