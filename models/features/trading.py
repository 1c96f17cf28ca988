"""What was traded: volume, the price it was traded at, and which side pressed. All relative, so that assets of any size can be pooled."""

import numpy as np

from models.features.windows import Windows, log_floored
from models.panel import FloatArray, Panel

LEAST_VOLUME = 1e-12
TRADING_FEATURES = (
    *("volume_6_168", "volume_24_720", "vwap_24", "vwap_168", "vwap_distance_24", "vwap_distance_168"),
    *("flow_24", "flow_168", "impact_24_720"),
)


def trading_features(panel: Panel, back: Windows) -> dict[str, FloatArray]:
    """Features by name, each of shape (A, N); NaN without volumes.

    volume_6_168, volume_24_720: log of the mean traded value (volume x close) of the short window over that of the long one.
    vwap_24, vwap_168: log of the last close over the mean price weighted by volume; vwap_distance_24, vwap_distance_168: its absolute value.
    flow_24, flow_168: traded value signed by the bar's own return over all traded value, -1 to 1. This is a proxy: bars do not say who was the aggressor.
    impact_24_720: log of mean absolute return per traded value, short window over long (Amihud 2002, doi:10.1016/S1386-4181(01)00024-6).
    """
    value = panel.volume * panel.close
    returns = panel.log_returns()
    signed = np.sign(returns) * value
    both = np.where(np.isfinite(signed), value, np.nan)
    priced = np.where(np.isfinite(panel.volume), value, np.nan)
    in_value, in_priced, in_volume, in_signed, in_both, in_moves = (
        back.running(values) for values in (value, priced, panel.volume, signed, both, np.abs(returns))
    )
    features = {}
    for short, long in ((6, 168), (24, 720)):
        features[f"volume_{short}_{long}"] = log_floored(in_value.mean(short), LEAST_VOLUME) - log_floored(
            in_value.mean(long), LEAST_VOLUME
        )
    last = back.last(panel.close)
    for hours in (24, 168):
        with np.errstate(divide="ignore", invalid="ignore"):
            vwap = in_priced.mean(hours) / in_volume.mean(hours)
            features[f"vwap_{hours}"] = _finite(np.log(last / vwap))
            features[f"flow_{hours}"] = _finite(in_signed.mean(hours) / in_both.mean(hours))
        features[f"vwap_distance_{hours}"] = np.abs(features[f"vwap_{hours}"])
    features["impact_24_720"] = (
        log_floored(in_moves.mean(24), LEAST_VOLUME)
        - log_floored(in_moves.mean(720), LEAST_VOLUME)
        - features["volume_24_720"]
    )
    return features


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)
