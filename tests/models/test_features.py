"""Features against pandas' rolling windows and against sums by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from models.features import price_features
from models.features.surroundings import neighbour_features, weights_by_day
from models.features.variance import decayed_mean
from models.features.windows import Windows
from models.panel import FloatArray, Panel
from models.task import HOUR_S
from tests.models.drawn_panel import START_S, drawn_panel

PANEL = drawn_panel()
AT = PANEL.end_s[24 * 40 :: 7].copy()
FEATURES = price_features(PANEL, AT, 24)
RETURNS = pd.DataFrame(PANEL.log_returns(), index=PANEL.end_s)
RANGES = pd.DataFrame(np.log(PANEL.high / PANEL.low), index=PANEL.end_s)
VALUE = pd.DataFrame(PANEL.volume * PANEL.close, index=PANEL.end_s)


def rolling(frame: pd.DataFrame, hours: int) -> pd.DataFrame:
    return frame.rolling(hours, min_periods=min(int(np.ceil(2 * hours / 3)), 112)).mean().loc[AT]


def bipower(returns: pd.DataFrame) -> pd.DataFrame:
    return np.pi / 2 * returns.abs() * returns.shift(1).abs()


BODY = pd.DataFrame(np.log(PANEL.close / PANEL.open), index=PANEL.end_s)
EXPECTED = {
    "rv_6": lambda: np.log(rolling(RETURNS**2, 6)),
    "rv_168": lambda: np.log(rolling(RETURNS**2, 168)),
    "rv_720": lambda: np.log(rolling(RETURNS**2, 720)),
    "range_24": lambda: np.log(rolling(RANGES**2, 24) / (4 * np.log(2))),
    "abs_range_720": lambda: np.log(rolling(RANGES, 720)),
    "abs_return_24": lambda: np.log(rolling(RETURNS.abs(), 24)),
    "gk_168": lambda: np.log(rolling(0.5 * RANGES**2 - (2 * np.log(2) - 1) * BODY**2, 168)),
    "down_24": lambda: (
        rolling(RETURNS.where(RETURNS < 0, 0.0).where(RETURNS.notna()) ** 2, 24) / rolling(RETURNS**2, 24)
    ),
    "jump_168": lambda: (1 - rolling(bipower(RETURNS), 168) / rolling(RETURNS**2, 168)).clip(0, 1),
    "return_168": lambda: RETURNS.rolling(168, min_periods=1).sum().loc[AT],
    "ewma": lambda: np.log((RETURNS**2).ewm(alpha=1 - 0.94 ** (1 / 24), ignore_na=False).mean().loc[AT]),
    "drop_720": lambda: np.log(
        pd.DataFrame(PANEL.close, index=PANEL.end_s).rolling(720, min_periods=1).max()
        / pd.DataFrame(PANEL.close, index=PANEL.end_s).ffill(limit=24)
    ).loc[AT],
    "volume_24_720": lambda: np.log(rolling(VALUE, 24) / rolling(VALUE, 720)),
    "vwap_24": lambda: np.log(
        pd.DataFrame(PANEL.close, index=PANEL.end_s).loc[AT]
        / (rolling(VALUE, 24) / rolling(pd.DataFrame(PANEL.volume, index=PANEL.end_s), 24))
    ),
    "flow_24": lambda: rolling(np.sign(RETURNS) * VALUE, 24) / rolling(VALUE.where(RETURNS.notna()), 24),
    "impact_24_720": lambda: (
        np.log(rolling(RETURNS.abs(), 24) / rolling(VALUE, 24))
        - np.log(rolling(RETURNS.abs(), 720) / rolling(VALUE, 720))
    ),
    "peak_24": lambda: np.log(RANGES.rolling(24, min_periods=1).max().loc[AT] / rolling(RANGES, 24)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_window_is_what_pandas_makes_of_it(name: str) -> None:
    expected = EXPECTED[name]().to_numpy()
    np.testing.assert_allclose(FEATURES[name], expected, rtol=1e-8, atol=1e-10)
    assert np.isfinite(expected).mean() > 0.9  # and there was something to compare


def test_market_factors_are_means_over_assets_and_leaders_are_themselves() -> None:
    np.testing.assert_allclose(FEATURES["market_rv_24"][:, 2], np.nanmean(FEATURES["rv_24"], axis=1))
    last = np.isfinite(FEATURES["rv_24"][:, 1])
    np.testing.assert_array_equal(FEATURES["eth_rv_24"][last, 3], FEATURES["rv_24"][last, 1])
    index = RETURNS.mean(axis=1)
    expected = np.log((index**2).rolling(168).mean().loc[AT].to_numpy())
    np.testing.assert_allclose(FEATURES["index_rv_168"][:, 0], expected, rtol=1e-8)
    alone = price_features(PANEL.select(["AAA"]), AT, 24)
    np.testing.assert_array_equal(alone["btc_abs_range_24"], alone["market_abs_range_24"])


def test_the_calendar() -> None:
    friday = 5 * 86_400 + START_S + 86_400  # the first of January was a Saturday
    features = price_features(PANEL, np.array([friday, friday + 6 * HOUR_S]), 24)
    assert features["weekday_4"][0, 0] == 1 and sum(features[f"weekday_{d}"][0, 0] for d in range(7)) == 1
    assert features["hour_sin"][1, 0] == pytest.approx(1.0)


def test_the_slot_is_the_same_hours_of_earlier_weeks() -> None:
    row = 24 * 80
    features = price_features(PANEL, PANEL.end_s[[row]], 6)
    ranges = RANGES.to_numpy()[:, 1]
    same = [ranges[row + 1 - 168 * week : row + 7 - 168 * week].mean() for week in range(1, 12)]
    assert features["slot_own"][0, 1] == pytest.approx(np.log(np.mean(same) / ranges[: row + 1][-168 * 12 :].mean()))
    ranges = RANGES.mean(axis=1).to_numpy()
    same = [ranges[row + 1 - 168 * week : row + 7 - 168 * week].mean() for week in range(1, 12)]
    expected = np.log(np.mean(same) / ranges[: row + 1][-168 * 12 :].mean())
    np.testing.assert_allclose(features["slot_market"][0], expected)


def test_neighbours_are_weighted_and_never_the_asset_itself() -> None:
    own = {f"{m}_{w}": np.array([[1.0, 2.0, np.nan]]) for m in ("rv", "abs_range") for w in (24, 168)}
    weights = np.array([[5.0, 1.0, 3.0], [1.0, 0.0, 1.0], [2.0, 6.0, 0.0]])
    found = neighbour_features("swaps", weights, own)["swaps_rv_24"]
    np.testing.assert_allclose(found, [[2.0, 1.0, (2 * 1.0 + 6 * 2.0) / 8]])


def test_an_edge_stamped_with_a_day_is_used_from_the_next_day_on() -> None:
    edges = pd.DataFrame(
        {"day": ["2022-01-05", "2022-01-05"], "source": ["A", "A"], "target": ["B", "C"], "weight": [3.0, 1.0]}
    )
    midnight = int(pd.Timestamp("2022-01-06").timestamp())
    at = np.array([midnight - 6 * HOUR_S, midnight, midnight + 6 * 86_400, midnight + 7 * 86_400])
    weights = weights_by_day(edges, ("A", "B", "C"), at)
    assert weights[:, 0].tolist() == [[0, 0, 0], [0, 0.75, 0.25], [0, 0.75, 0.25], [0, 0, 0]]
    assert not weights[:, 1:].any()


def test_a_young_asset_has_an_answer_once_two_thirds_of_a_week_are_known() -> None:
    back = Windows(np.array([111, 112]), HOUR_S)
    values: FloatArray = np.ones((200, 1))
    assert np.isnan(back.mean(values, 720)[0, 0]) and back.mean(values, 720)[1, 0] == 1.0


def test_closes_alone_give_what_closes_can() -> None:
    nothing = np.full(PANEL.close.shape, np.nan)
    bare = Panel(PANEL.assets, PANEL.end_s, nothing, nothing, nothing, PANEL.close, nothing, HOUR_S)
    features = price_features(bare, AT, 24)
    assert np.isnan(features["abs_range_24"]).all() and np.isnan(features["vwap_24"]).all()
    np.testing.assert_array_equal(features["rv_24"], FEATURES["rv_24"])
    assert np.isfinite(features["peak_24"]).mean() > 0.9


def test_a_decayed_mean_is_the_filter_of_scipy_to_the_last_bit() -> None:
    values = np.where(np.random.default_rng(4).random((900, 3)) < 0.05, np.nan, RETURNS.to_numpy()[:900, :3] ** 2)
    known, decay = np.isfinite(values), 0.94 ** (1 / 24)
    total, weight = (
        lfilter([1.0], [1.0, -decay], part, axis=0) for part in (np.where(known, values, 0.0), 1.0 * known)
    )
    with np.errstate(invalid="ignore"):
        expected = np.where(weight > 0, total / weight, np.nan)
    np.testing.assert_array_equal(decayed_mean(values, decay), expected)
