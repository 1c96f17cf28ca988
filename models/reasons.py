"""Why a forecast is what it is, in words for groups of features: factors whose product, times the usual level, is the forecast.

The gamma regression is linear in its features, so what a group adds to ln f is exact: the sum of (x - its training mean) times its slope. That an asset is this one is a factor of its own, and so are trees on top. Features of
one group say much the same, and how they share is arbitrary, so they are told together. Networks are taken apart by `models.explain`; log-HAR and averages read one group alone.
"""

from dataclasses import dataclass

import numpy as np

from chain.errors import InputError
from models.answering import OfAssets
from models.baselines.boosting import FittedBoosting
from models.baselines.gamma_glm import FittedGlm
from models.baselines.har import FittedHar
from models.baselines.simple import Lookback
from models.forecaster import Fitted
from models.samples import Samples

GROUPS = (
    ("the market's moves", ("market_", "index_")),
    ("Bitcoin's and Ether's moves", ("btc_", "eth_")),
    ("hour and weekday", ("weekday_", "hour_", "slot_")),
    ("its trading", ("volume_", "vwap_", "flow_", "impact_")),
    ("its own moves", ("abs_range_", "abs_return_", "rv_", "range_", "gk_", "jump_", "peak_", "return_", "drop_", "down_", "ewma")),
    ("what else the file says", ("",)),
)  # fmt: skip
EFFECT = "that it is this asset"
TREES = "what trees add to that"


@dataclass(frozen=True)
class Reasons:
    """`asset`: whose forecast it is; `usual_variance`: over the horizon, where every feature stands at its training mean; `variance_factors`: by group, in order; `forecast_variance`: usual times all of them.

    The last three are of the variance; the square root of a factor is what it does to the deviation.
    """

    asset: str
    usual_variance: float
    variance_factors: dict[str, float]
    forecast_variance: float


def reasons_of(fitted: Fitted, samples: Samples, asset: str) -> Reasons:
    """Of the forecast for one asset at the last instant of some samples.

    Raises
    ------
    InputError
        If the model is neither the gamma regression nor trees on it, or has no answer there.
    """
    line = fitted.offset if isinstance(fitted, FittedBoosting) else fitted
    if not isinstance(line, FittedGlm):
        raise InputError(f"{asset} is answered by {_not_taken_apart(fitted)}")
    column = samples.assets.index(asset)
    forecast = float(fitted.predict(samples)[-1, column])
    if not np.isfinite(forecast):
        raise InputError(f"{asset} has no forecast at the last instant; give more prices")
    parts = np.nan_to_num((samples.x[-1, column, samples.columns(line.features)] - line.centre) * line.slopes)
    sums: dict[str, float] = {}
    for name, part in zip(line.features, parts.tolist(), strict=True):
        group = next(words for words, stems in GROUPS if name.startswith(stems))
        sums[group] = sums.get(group, 0.0) + part
    factors = {words: float(np.exp(sums[words])) for words, _ in GROUPS if words in sums}
    if line.effects_of((asset,))[0] != 1.0:
        factors[EFFECT] = float(line.effects_of((asset,))[0])
    if isinstance(fitted, FittedBoosting):
        factors[TREES] = forecast / float(line.predict(samples)[-1, column])
    return Reasons(asset, float(np.exp(line.intercept)) * samples.task.horizon_bars, factors, forecast)


def _not_taken_apart(fitted: Fitted) -> str:
    """What a model is of which no groups of features can be told, and what to do."""
    model = fitted.model if isinstance(fitted, OfAssets) else fitted
    other = "ask models in which the gamma regression or trees answer, such as those that ship"
    if hasattr(model, "members"):
        return (
            f"a network ({getattr(model, 'network', '')}), which is not taken apart here; "
            f"call models.explain.attributions in Python (integrated gradients), or {other}"
        )
    if isinstance(model, FittedHar):
        return f"{model.model.name}, a regression on past variance alone: there are no groups of features to tell apart; {other}"
    if isinstance(model, Lookback):
        return (
            f"{model.name}, an average of its own past variance: there are no groups of features to tell apart; "
            f"give more prices, with high and low, or {other}"
        )
    return f"a {type(model).__name__}, which is not taken apart here; {other}"
