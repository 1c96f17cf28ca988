"""A panel that is drawn: clustered volatility that assets share, an overnight calm, a few holes. Nothing real, and the same every time."""

import numpy as np

from models.panel import Panel
from models.task import HOUR_S

START_S = 1_640_995_200  # 2022-01-01 00:00 UTC, a Saturday


def drawn_panel(days: int = 90, assets: tuple[str, ...] = ("BTC", "ETH", "AAA", "BBB"), seed: int = 3) -> Panel:
    """Bars of an hour, `days` of them, with one hole of thirty hours in the last asset and one missing bar in the first."""
    rng = np.random.default_rng(seed)
    bars, n = 24 * days, len(assets)
    common = np.zeros(bars)
    for bar in range(1, bars):
        common[bar] = 0.98 * common[bar - 1] + 0.15 * rng.normal()
    own = np.zeros((bars, n))
    for bar in range(1, bars):
        own[bar] = 0.97 * own[bar - 1] + 0.12 * rng.normal(size=n)
    hours = np.arange(bars) % 24
    sigma = 0.006 * np.exp(0.5 * common[:, None] + 0.5 * own + 0.4 * np.sin(2 * np.pi * hours / 24)[:, None])
    steps = (
        sigma[:, :, None] * (0.6 * rng.normal(size=(bars, 1, 12)) + 0.8 * rng.normal(size=(bars, n, 12))) / np.sqrt(12)
    )
    paths = np.cumsum(steps.transpose(0, 2, 1).reshape(bars * 12, n), axis=0).reshape(bars, 12, n)
    start = np.concatenate([np.zeros((1, n)), paths[:-1, -1]])
    close = np.exp(paths[:, -1])
    high, low = np.exp(np.maximum(paths.max(axis=1), start)), np.exp(np.minimum(paths.min(axis=1), start))
    volume = rng.lognormal(mean=3.0, sigma=0.5, size=(bars, n)) * (1 + 100 * sigma)
    columns = [np.exp(start), high, low, close, volume]
    for column in columns:
        column[500:530, -1] = np.nan
        column[700, 0] = np.nan
    end = START_S + HOUR_S * np.arange(1, bars + 1, dtype=np.int64)
    return Panel(assets, end, *columns, bar_s=HOUR_S)  # type: ignore[misc]
