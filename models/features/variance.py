"""How much an asset moved, measured in every way that bars allow. Logarithms of a mean over a window, of one bar; shares lie in 0 to 1.

Sources: heterogeneous lags, Corsi 2009 (doi:10.1093/jjfinec/nbp001); range, Parkinson 1980 (doi:10.1086/296071); open, high, low and close,
Garman and Klass 1980 (doi:10.1086/296072), equation 19b without drift; semivariance, Barndorff-Nielsen, Kinnebrock and Shephard 2010; bipower
variation and jumps, Barndorff-Nielsen and Shephard 2004 (doi:10.1093/jjfinec/nbh001), equation 4.
"""

from itertools import pairwise

import numpy as np

from models.features.windows import Running, Windows, log_floored
from models.panel import FloatArray, Panel
from models.task import DAY_S, RANGE_TO_VARIANCE

WINDOWS = (6, 24, 168, 720)
DECAY_A_DAY = 0.94
"""RiskMetrics 1996, daily data."""
LEAST_OF_A_BAR, LEAST_MOVE = 1e-12, 1e-5
"""Of a mean variance and of a mean move of a bar, before the logarithm: nothing moved."""


def variance_features(panel: Panel, back: Windows, horizon_hours: int) -> dict[str, FloatArray]:
    """Features by name, each of shape (A, N).

    rv_W, range_W, abs_range_W, abs_return_W over WINDOWS and the horizon; gk_24, gk_168; down_W and jump_W: shares of rv_W; peak_24: largest log range of a day
    over its mean (absolute returns until a bar has a range); ewma; return_24, return_168: signed; drop_720: how far below its highest close.
    """
    returns = panel.log_returns()
    moves = np.abs(returns)
    squares, ranges = returns**2, np.log(panel.high / panel.low)
    range_squares = ranges**2
    garman_klass = 0.5 * range_squares - (2 * np.log(2.0) - 1) * np.log(panel.close / panel.open) ** 2
    down = np.where(returns >= 0, 0.0, squares)
    pairs = np.full(returns.shape, np.nan)
    np.multiply(np.pi / 2 * moves[1:], moves[:-1], out=pairs[1:])
    in_squares, in_range_squares, in_ranges, in_moves = (
        back.running(values) for values in (squares, range_squares, ranges, moves)
    )

    def peak(each: FloatArray, running: Running) -> FloatArray:
        return log_floored(back.largest(each, 24), LEAST_MOVE) - log_floored(running.mean(24), LEAST_MOVE)

    features: dict[str, FloatArray] = {}
    for hours in sorted({*WINDOWS, horizon_hours}):
        features[f"rv_{hours}"] = log_floored(in_squares.mean(hours), LEAST_OF_A_BAR)
        features[f"range_{hours}"] = log_floored(RANGE_TO_VARIANCE * in_range_squares.mean(hours), LEAST_OF_A_BAR)
        features[f"abs_range_{hours}"] = log_floored(in_ranges.mean(hours), LEAST_MOVE)
        features[f"abs_return_{hours}"] = log_floored(in_moves.mean(hours), LEAST_MOVE)
    in_garman_klass, in_down, in_pairs, in_returns = (
        back.running(values) for values in (garman_klass, down, pairs, returns)
    )
    for hours in (24, 168):
        total = np.maximum(in_squares.mean(hours), LEAST_OF_A_BAR)
        features[f"gk_{hours}"] = log_floored(in_garman_klass.mean(hours), LEAST_OF_A_BAR)
        features[f"down_{hours}"] = in_down.mean(hours) / total
        features[f"jump_{hours}"] = np.clip(1.0 - in_pairs.mean(hours) / total, 0.0, 1.0)
        features[f"return_{hours}"] = in_returns.sums(hours)[0]
    features["peak_24"] = back.of_ranges(ranges, lambda: peak(ranges, in_ranges), lambda: peak(moves, in_moves))
    features["ewma"] = log_floored(
        back.last(decayed_mean(squares, DECAY_A_DAY ** (panel.bar_s / DAY_S))), LEAST_OF_A_BAR
    )
    features["drop_720"] = log_floored(back.largest(panel.close, 720), 0.0) - log_floored(
        back.last_known(panel.close, 24), 0.0
    )
    return features


def decayed_mean(values: FloatArray, decay: float) -> FloatArray:
    """Mean of all values so far with weights decay^age, by row, shape (T, N); what is missing has no weight."""
    known = np.isfinite(values)
    sums = np.concatenate([np.where(known, values, 0.0), known], axis=1)
    for before, now in pairwise(sums):
        now += decay * before
    total, weight = np.split(sums, 2, axis=1)
    return np.asarray(np.where(weight > 1e-9, total / np.maximum(weight, 1e-9), np.nan))
