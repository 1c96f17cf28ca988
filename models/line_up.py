"""Which models are compared, and which answers, by horizon. How each of these was chosen is told in docs/volatility.md; nothing was chosen on 2023."""

from collections.abc import Sequence

from models.baselines.boosting import Boosting
from models.baselines.combination import Combination
from models.baselines.gamma_glm import GammaGlm
from models.baselines.garch import Garch
from models.baselines.har import har_models, network_har
from models.baselines.simple import ewma, persistence, rolling_mean
from models.baselines.stochastic_volatility import StochasticVolatility
from models.features.trading import TRADING_FEATURES
from models.features.variance import WINDOWS
from models.forecaster import Forecaster

RANGES = tuple(f"abs_range_{w}" for w in WINDOWS)
RETURNS = tuple(f"abs_return_{w}" for w in WINDOWS)
MARKET = tuple(f"market_abs_range_{w}" for w in WINDOWS)
MARKET_RV = tuple(f"market_rv_{w}" for w in WINDOWS)
LEADERS = tuple(f"{leader}_abs_range_{w}" for leader in ("btc", "eth") for w in WINDOWS)
CALENDAR = (*(f"weekday_{day}" for day in range(6)), "slot_market", "slot_own")
HOURS = ("hour_sin", "hour_cos")
LAST_HOUR = ("abs_range_1", "market_abs_range_1", "btc_abs_range_1", "eth_abs_range_1")
SIGNED = ("return_24", "return_168", "jump_24", "peak_24", "market_return_24", "market_return_168")
INDEX = tuple(f"index_rv_{w}" for w in WINDOWS)
LEVEL = "abs_range_720"
RIDGE, RIDGE_FROM_LEVEL = 0.03, 0.1
CAP, EFFECTS = 10.0, 100.0
TREES = {
    "learning_rate": 0.02,
    "max_iter": 60,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 1_000,
    "l2_regularization": 100.0,
}
"""An hour and a day ahead."""
TREES_OF_A_WEEK = {**TREES, "max_leaf_nodes": 4, "min_samples_leaf": 3_000, "l2_regularization": 1.0}
"""Outcomes of a week overlap, so there are fewer of them than rows."""

HORIZONS = (1, 24, 168)


def glm(horizon_hours: int) -> GammaGlm:
    """Pooled gamma regression on ranges, absolute returns, market factors, calendar and trading, held near the asset's own level."""
    short = (*HOURS, *LAST_HOUR) if horizon_hours == 1 else ()
    index = INDEX if horizon_hours < 168 else ()
    names = (*RANGES, *RETURNS, *MARKET, *MARKET_RV, *LEADERS, *index, *CALENDAR, *short, *TRADING_FEATURES)
    effects = EFFECTS if horizon_hours > 1 else None
    return GammaGlm("gamma GLM", names, RANGES, RIDGE_FROM_LEVEL, LEVEL, CAP, effects)


def boosting(horizon_hours: int) -> Boosting:
    """Trees on that regression as offset."""
    levels = (
        *RANGES[:3],
        *RETURNS,
        *MARKET,
        *LEADERS,
        *(LAST_HOUR if horizon_hours == 1 else ()),
        "rv_24",
        "rv_168",
        *MARKET_RV[1:3],
        "index_rv_24",
        "index_rv_168",
    )
    return Boosting(
        "boosting on GLM",
        glm(horizon_hours),
        levels,
        (*CALENDAR, *HOURS, *TRADING_FEATURES, *SIGNED),
        settings=TREES if horizon_hours < 168 else TREES_OF_A_WEEK,
        cap=CAP,
    )


def baselines(horizon_hours: int) -> Sequence[Forecaster]:
    """Every baseline, the reference (log-HAR an asset) among them."""
    lags = tuple(f"rv_{w}" for w in WINDOWS)
    return (
        persistence(horizon_hours),
        rolling_mean(),
        ewma(),
        Garch("GARCH"),
        Garch("GJR"),
        Garch("EGARCH"),
        StochasticVolatility(),
        *har_models(horizon_hours),
        network_har("correlation", horizon_hours),
        network_har("shuffled", horizon_hours),
        GammaGlm("gamma GLM, lags only", lags, lags, RIDGE),
        GammaGlm("gamma GLM, own ranges", RANGES, RANGES, RIDGE),
        GammaGlm("gamma GLM, own and market ranges", (*RANGES, *MARKET), RANGES, RIDGE),
        glm(horizon_hours),
        boosting(horizon_hours),
        Combination("combination", (glm(horizon_hours), boosting(horizon_hours))),
    )


def answers(horizon_hours: int) -> str:
    """The name of the model that answers by default."""
    return boosting(horizon_hours).name


def closes_only(horizon_hours: int) -> GammaGlm:
    """For files without highs, lows and volumes: absolute returns, the market's variance and the calendar."""
    return GammaGlm(
        "gamma GLM on closes",
        (*RETURNS, *MARKET_RV, *INDEX, *CALENDAR, *(HOURS if horizon_hours == 1 else ())),
        RETURNS,
        RIDGE,
    )
