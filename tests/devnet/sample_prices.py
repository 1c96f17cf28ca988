"""Draws the embedded price sample: invented hourly bars of the assets that move in the embedded snapshot, so that a forecast has something to look back on.

    python -m tests.devnet.sample_prices          (or `make sample-prices`, after `make sample`)

No price in it was ever traded. Each log return is a market part and an own part; their volatilities are exponentials of slow and fast autoregressions (stochastic volatility
with two factors, as in Chernov, Gallant, Ghysels and Tauchen 2003, doi:10.1016/S0304-4076(03)00108-8), innovations are Student t with four degrees of freedom, hours of the day
differ. Bars end at the last full hour before the snapshot's block, at the snapshot's own prices. The same seed gives the same bytes.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

import aftershock
from aftershock.forecasting.hourly_prices import SAMPLE_PRICES
from models.panel import FloatArray
from models.task import HOUR_S

SEED, DAYS, SUBSTEPS = 11, 120, 12
FREEDOM = 4.0
HOURLY_DEVIATION = 0.0035
"""Of the market, where its volatility stands at its middle: 1.7 % a day."""


@dataclass(frozen=True)
class Drawn:
    """How an asset moves: its load on the market, its own deviation over the market's, its usual volume in tokens an hour."""

    symbol: str
    load: float
    own: float
    volume: float


ASSETS = (
    Drawn("ETH", 1.1, 0.45, 15_000.0),
    Drawn("WBTC", 0.9, 0.35, 900.0),
    Drawn("LINK", 1.3, 0.9, 400_000.0),
)
STAKED, DISCOUNT_DEVIATION, DISCOUNT_MEMORY = "lstETH", 0.0012, 0.98
"""Follows ether at the snapshot's rate but for a discount that comes and goes."""


def drawn(ends: dict[str, float], end_s: int, seed: int = SEED, days: int = DAYS) -> pd.DataFrame:
    """Bars: timestamp (end of the bar, Unix seconds), symbol, open, high, low, close, volume.

    Parameters
    ----------
    ends : last close of each asset, USD.
    end_s : end of the last bar.
    """
    rng = np.random.default_rng(seed)
    bars = 24 * days
    hour = (end_s // HOUR_S - np.arange(bars)[::-1]) % 24
    day = 1.0 + 0.3 * np.sin(2 * np.pi * (hour - 9) / 24)
    market_deviation = HOURLY_DEVIATION * day * _volatility(bars, rng)
    market = market_deviation[:, None] * _fat(rng, bars)
    paths, volumes = {}, {}
    for asset in ASSETS:
        deviation = HOURLY_DEVIATION * asset.own * day * _volatility(bars, rng)
        paths[asset.symbol] = asset.load * market + deviation[:, None] * _fat(rng, bars)
        total = np.sqrt((asset.load * market_deviation) ** 2 + deviation**2)
        volumes[asset.symbol] = asset.volume * np.sqrt(total / np.median(total)) * rng.lognormal(0.0, 0.4, bars)
    discount = DISCOUNT_DEVIATION * _autoregression(bars * SUBSTEPS, DISCOUNT_MEMORY, rng).reshape(bars, SUBSTEPS)
    steps = np.diff(discount.reshape(-1), prepend=0.0).reshape(bars, SUBSTEPS)
    paths[STAKED], volumes[STAKED] = paths["ETH"] + steps, 0.05 * volumes["ETH"] * rng.lognormal(0.0, 0.3, bars)
    stamps = end_s - HOUR_S * np.arange(bars, dtype=np.int64)[::-1]
    return pd.concat(
        [_bars(symbol, stamps, steps, volumes[symbol], ends[symbol]) for symbol, steps in paths.items()],
        ignore_index=True,
    )


def _volatility(bars: int, rng: np.random.Generator) -> FloatArray:
    """Around one: a slow factor with a memory of weeks, a fast one of half a day."""
    return np.asarray(np.exp(0.45 * _autoregression(bars, 0.997, rng) + 0.3 * _autoregression(bars, 0.92, rng)))


def _autoregression(steps: int, memory: float, rng: np.random.Generator) -> FloatArray:
    """First order, deviation one, started from its own law."""
    values = rng.standard_normal(steps)
    for step in range(1, steps):
        values[step] = memory * values[step - 1] + np.sqrt(1 - memory**2) * values[step]
    return values


def _fat(rng: np.random.Generator, bars: int) -> FloatArray:
    """Steps inside bars that add up to a Student t of deviation one: all steps of a bar share the mixing draw."""
    mixing = np.sqrt(rng.chisquare(FREEDOM, (bars, 1)) / (FREEDOM - 2))
    return np.asarray(rng.standard_normal((bars, SUBSTEPS)) / np.sqrt(SUBSTEPS) / mixing)


def _bars(symbol: str, stamps: np.ndarray, steps: FloatArray, volume: FloatArray, end: float) -> pd.DataFrame:
    path = np.cumsum(steps.reshape(-1)).reshape(steps.shape)
    path += np.log(end) - path[-1, -1]
    before = np.concatenate([[path[0, 0] - steps[0, 0]], path[:-1, -1]])
    prices = {
        "open": before,
        "high": np.maximum(path.max(axis=1), before),
        "low": np.minimum(path.min(axis=1), before),
        "close": path[:, -1],
    }
    digits = 6 - len(str(int(end)))
    columns = {name: np.exp(logs).round(digits) for name, logs in prices.items()}
    scale = 10.0 ** (3 - np.floor(np.log10(volume)))
    return pd.DataFrame({"timestamp": stamps, "symbol": symbol, **columns, "volume": np.round(volume * scale) / scale})


def main() -> None:
    """Draw up to the embedded snapshot's block, and write."""
    snapshot = aftershock.load()
    symbols = dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["symbol"], strict=True))
    prices = snapshot["prices"]
    named = {symbols[key]: float(usd) for key, usd in zip(prices["asset"], prices["price_usd"], strict=True)}
    ends = {"ETH": named["WETH"], **{symbol: named[symbol] for symbol in ("WBTC", "LINK", STAKED)}}
    at_s = min(anchor.timestamp for anchor in snapshot.anchors)
    frame = drawn(ends, at_s // HOUR_S * HOUR_S)
    SAMPLE_PRICES.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(SAMPLE_PRICES, index=False, compression="zstd")
    sys.stderr.write(f"{SAMPLE_PRICES.name}: {len(frame):,} bars, {SAMPLE_PRICES.stat().st_size / 1e3:,.0f} kB\n")


if __name__ == "__main__":
    main()
