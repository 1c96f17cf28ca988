"""Forecasts of the value that protocols, markets and pools hold: against sums written out by hand, and against draws of the joint law."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import aftershock
from aftershock.forecast_shocks import ShockLaw
from aftershock.forecasting.value_forecasts import moved_by, value_forecasts
from models.calibration import LEVELS
from tests.aftershock.command import Ask

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,WBTC,collateral,1,30000,7800,500,5000
mine,bob,ETH,debt,8,2000,,,5000
mine,carol,USDC,collateral,50000,1,8000,500,5000
"""
LAW = ShockLaw(("BTC", "ETH"), np.array([0.03, 0.05]), np.array([[1.0, 0.6], [0.6, 1.0]]), 5.0, "by hand")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> aftershock.ProtocolGraph:
    path = tmp_path_factory.mktemp("book") / "book.csv"
    path.write_text(BOOK)
    return aftershock.graph(aftershock.load(path))


@pytest.fixture(scope="module")
def sample() -> aftershock.ProtocolGraph:
    return aftershock.graph(aftershock.load())


def test_the_variance_is_that_of_the_portfolio_written_out(mine: aftershock.ProtocolGraph) -> None:
    (found,) = value_forecasts(mine, LAW, ["mine"], 0)
    held = {"BTC": 30_000.0, "ETH": 20_000.0}  # 1 WBTC, 10 ETH; 50,000 USDC stand still
    assert found.value_usd == pytest.approx(100_000) and found.moved_usd == pytest.approx(held)
    assert found.still == pytest.approx({"USDC": 50_000.0})
    by_hand = (0.3 * 0.03) ** 2 + (0.2 * 0.05) ** 2 + 2 * 0.6 * 0.3 * 0.03 * 0.2 * 0.05
    assert found.variance == pytest.approx(by_hand, rel=1e-12)
    assert found.shares["BTC"] == pytest.approx(((0.3 * 0.03) ** 2 + 0.6 * 0.3 * 0.03 * 0.2 * 0.05) / by_hand)
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_variance_and_quantiles_are_those_of_draws_made_by_somebody_else(mine: aftershock.ProtocolGraph) -> None:
    """SciPy's multivariate t with the law's covariance; the closed form is of first order, so a few parts in a hundred apart."""
    (found,) = value_forecasts(mine, LAW, ["mine"], 0)
    covariance = LAW.correlation * np.outer(LAW.deviation, LAW.deviation)
    drawn = stats.multivariate_t(shape=covariance * 3 / 5, df=5.0, seed=7).rvs(400_000)
    value = 30_000 * np.exp(drawn[:, 0]) + 20_000 * np.exp(drawn[:, 1]) + 50_000
    returns = np.log(value / 100_000)
    assert found.variance == pytest.approx(float(np.expm1(returns).var()), rel=0.05)
    expected = np.quantile(returns, [0.05, 0.25, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(found.quantiles, expected, atol=0.02 * float(returns.std()))


def test_what_holds_one_asset_has_that_assets_calibrated_range(mine: aftershock.ProtocolGraph) -> None:
    """30 of 100 move, the rest stands still: ln(1 + (exp q - 1) w) is monotone in q, so each quantile is that of the asset's, in closed form."""
    calibrated = np.array([[-0.09, -0.02, 0.001, 0.015, 0.05], [-0.1, -0.03, 0.0, 0.03, 0.2]])
    alone = ShockLaw(("BTC",), LAW.deviation[:1], np.ones((1, 1)), 5.0, "by hand", calibrated[:1])
    (found,) = value_forecasts(mine, alone, ["mine"], 0)
    expected = np.log1p(0.3 * np.expm1(calibrated[0]))
    np.testing.assert_allclose(found.quantiles, expected, atol=0.01 * float(expected[4] - expected[0]))
    drawn = replace(LAW, quantiles=calibrated).draw_calibrated(200_000, np.random.default_rng(1))
    for n, own in enumerate(calibrated):
        np.testing.assert_allclose(np.quantile(drawn[:, n], LEVELS), own, atol=0.02 * (own[4] - own[0]))
    low, end = stats.t.ppf(
        [0.01, 0.05], 5.0
    )  # beyond 5 and 95 % the t's tail, each as wide as its half: from 0 to -0.1, from 0 to 0.2
    beyond = [-0.1 * low / end, 0.2 * low / end]
    np.testing.assert_allclose(np.quantile(drawn[:, 1], [0.01, 0.99]), beyond, rtol=0.03)
    plain = LAW.draw(200_000, np.random.default_rng(1))  # a copula keeps the order of every asset's draws
    assert stats.spearmanr(drawn)[0] == pytest.approx(stats.spearmanr(plain)[0], abs=1e-9)


def test_margins_that_are_a_wider_t_give_the_multivariate_t_of_that_width(mine: aftershock.ProtocolGraph) -> None:
    wider = np.array([1.5, 0.8]) * LAW.deviation
    own = np.outer(wider, stats.t.ppf(LEVELS, 5.0) * np.sqrt(3 / 5))
    (found,) = value_forecasts(mine, replace(LAW, quantiles=own), ["mine"], 0)
    drawn = stats.multivariate_t(shape=LAW.correlation * np.outer(wider, wider) * 3 / 5, df=5.0, seed=8).rvs(400_000)
    returns = np.log((30_000 * np.exp(drawn[:, 0]) + 20_000 * np.exp(drawn[:, 1]) + 50_000) / 100_000)
    np.testing.assert_allclose(found.quantiles, np.quantile(returns, LEVELS), atol=0.02 * float(returns.std()))
    assert found.variance == pytest.approx(value_forecasts(mine, LAW, ["mine"], 0)[0].variance)


def test_a_claim_moves_with_what_is_behind_it_unless_it_has_prices_of_its_own(sample: aftershock.ProtocolGraph) -> None:
    staked, wrapped, receipt = (sample.find(name, "asset") for name in ("lstETH", "WETH", "cWETH"))
    dollars = sample.find("USDC", "asset")
    held = {staked: 100.0, wrapped: 10.0, receipt: 1.0, dollars: 5.0}
    ether = ShockLaw(("ETH",), np.array([0.05]), np.ones((1, 1)), 5.0, "by hand")
    moved, still = moved_by(sample, ether, held)
    assert moved == pytest.approx({"ETH": 111.0}) and still == {"USDC": 5.0}
    both = ShockLaw(("ETH", "lstETH"), np.array([0.05, 0.05]), np.eye(2), 5.0, "by hand")
    moved, _ = moved_by(sample, both, held)
    assert moved == pytest.approx({"ETH": 11.0, "lstETH": 100.0})


def test_a_protocol_holds_what_its_markets_hold(sample: aftershock.ProtocolGraph) -> None:
    law = ShockLaw(("ETH", "WBTC"), np.array([0.05, 0.04]), np.array([[1.0, 0.5], [0.5, 1.0]]), 5.0, "by hand")
    whole, core, prime, pool = value_forecasts(sample, law, ["aave-v3", "core", "prime", "Uniswap V2 WBTC/WETH"], 0)
    assert whole.value_usd == pytest.approx(core.value_usd + prime.value_usd)
    assert whole.moved_usd["WBTC"] == pytest.approx(core.moved_usd["WBTC"] + prime.moved_usd["WBTC"])
    # of a pool of equal halves: (0.05² + 0.04² + 2 · 0.5 · 0.05 · 0.04) / 4
    assert pool.variance == pytest.approx(0.25 * (0.0025 + 0.0016 + 0.002), rel=0.01) and not pool.still
    reserves, prices = (sample.snapshot[name] for name in ("reserves", "prices"))
    assert core.node in set(reserves["market"]) and core.node in set(prices["market"])


def test_the_verb_answers_for_names_and_refuses_what_holds_nothing(ask: Ask) -> None:
    record = json.loads(ask("forecast", "--of", "aave-v3", "--of", "core", "--horizon", "168", "--json").out)
    first = record["values"][0]
    assert [one["kind"] for one in record["values"]] == ["protocol", "market"] and first["q05"] < 0 < first["q95"]
    assert record["caption"] == "generated accounts, real contracts" and record["prices_caption"] == "invented prices"
    assert record["anchors"] and record["content_id"] and record["answered_by"]
    assert sum(first["moved_usd"].values()) + sum(first["still_usd"].values()) == pytest.approx(first["value_usd"])
    text = ask("forecast", "--of", "aave-v3").out.replace("\n", " ")
    assert "Aave V3 holds $2.25bn" in text and "no forecast of USDC, DAI" in text
    for words, message in (
        (("--of", "LINK"), "is no protocol, market or pool"),
        (("--of", "core", "--out", "f.csv"), "without --of"),
    ):
        refused = ask("forecast", *words)
        assert refused.code == 2 and message in refused.err.replace("\n", " ")


def test_a_forecast_of_values_tells_what_a_forecast_of_prices_tells_and_both_dates(ask: Ask) -> None:
    span = ("--from", "2023-12-10", "--to", "2023-12-10")
    plain, values = (json.loads(ask("forecast", *more, *span, "--json").out) for more in ((), ("--of", "core")))
    assert len(plain["notes"]) >= 2 and plain["not_in_training"] == ["lstETH", "WBTC"]
    for name in (
        "notes",
        "missing_bars",
        "not_in_training",
        "replaced_by_the_market",
        "answered_by",
        "trained_until_s",
    ):
        assert values[name] == plain[name]
    said = "The forecast is of prices to 2023-12-10 00:00 UTC; what is held was read as of 2023-12-16 02:07 UTC, 6 days later"
    assert values["apart"] == said
    shown = [" ".join(ask("forecast", *more, *span).out.split()) for more in ((), ("--of", "core"))]
    assert f"Note: {said}." in shown[1] and said not in shown[0]
    for text in (*(f"Note: {note}." for note in plain["notes"]), "Models trained on prices until 2023-01-01"):
        assert text in shown[0] and text in shown[1]
    assert json.loads(ask("forecast", "--of", "core", "--json").out)["apart"] is None  # two hours apart
