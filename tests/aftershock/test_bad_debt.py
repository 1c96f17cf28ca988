"""Bad debt under drawn shocks: which assets of a law are shocked in a book, what the draws cost, what their tail may be told from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import aftershock
from aftershock.bad_debt import BadDebt, Shocked, bad_debt_under, shocked_in
from aftershock.forecast_shocks import ShockLaw, constant_law, law_of_forecasts
from aftershock.forecasting.forecasts import forecast_file
from models.panel import Panel
from simulations.book_of_graph import from_graph
from tests.aftershock.forecast_inputs import drawn_prices

BOOK = """market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps
mine,alice,ETH,collateral,10,2000,8250,500,5000
mine,alice,USDC,debt,14000,1,,,5000
mine,bob,WBTC,collateral,1,30000,7800,500,5000
mine,bob,ETH,debt,8,2000,,,5000
"""


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


def test_no_hit_in_two_hundred_draws_allows_some() -> None:
    law = ShockLaw(("A",), np.array([0.1]), np.ones((1, 1)), 4.0, "by hand")
    none = BadDebt(law, Shocked({"A": "A"}), np.zeros(200), 0)
    assert none.hit_interval == pytest.approx((0.0, 1 - 0.025 ** (1 / 200)))  # nothing in 200: (1 - p)^200 = 0.025
    some = BadDebt(law, Shocked({"A": "A"}), np.repeat([0.0, 5.0], [190, 10]), 0)
    exact = stats.binomtest(10, 200).proportion_ci(0.95)
    assert some.hit_interval == pytest.approx((exact.low, exact.high))


def test_the_bad_debt_of_markets_adds_up_to_that_of_the_book() -> None:
    book = from_graph(aftershock.graph(aftershock.load()))
    law = ShockLaw(("ETH",), np.array([0.3]), np.ones((1, 1)), 4.0, "by hand")
    (whole,) = bad_debt_under(book, law, 1, 5).bad_debt_usd
    parts = [bad_debt_under(book, law, 1, 5, market=one.key).bad_debt_usd[0] for one in book.markets]
    assert sum(parts) == pytest.approx(whole) and whole > max(parts) > 0


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
