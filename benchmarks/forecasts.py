"""What `aftershock forecast` costs on a year of hours: the whole command, from the file of 50 drawn assets to the file of 18,250 forecasts.

    python -m benchmarks.forecasts

A process of its own, in processor seconds of all its threads and in seconds on the clock; it fails if an answer is missing.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from models.panel import Panel
from models.task import HOUR_S

ASSETS, DAYS, BEFORE = 50, 365, 31
"""BEFORE: days of prices before the first forecast."""


def drawn_prices(assets: int, bars: int) -> Panel:
    """Random walks in hourly bars from 1970 on."""
    rng = np.random.default_rng(1)
    close = np.exp(np.cumsum(0.01 * rng.standard_normal((bars, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]])
    spread = np.exp(np.abs(0.005 * rng.standard_normal((bars, assets))))
    high, low = np.maximum(opened, close) * spread, np.minimum(opened, close) / spread
    end = np.arange(1, bars + 1, dtype=np.int64) * HOUR_S
    names = tuple(f"A{number}" for number in range(assets))
    return Panel(names, end, opened, high, low, close, np.ones_like(close), HOUR_S)


def bars_of(panel: Panel, first_s: int) -> pd.DataFrame:
    """A panel as people bring it, its clock moved by `first_s`."""
    rows = {name: getattr(panel, name).T.ravel() for name in ("open", "high", "low", "close", "volume")}
    stamps = np.tile(panel.end_s + first_s, len(panel.assets))
    return pd.DataFrame({"timestamp": stamps, "symbol": np.repeat(panel.assets, len(panel.end_s)), **rows})


def main() -> int:
    """Run it and print; 1 if an answer is missing."""
    first = int(pd.Timestamp("2022-01-01").timestamp())
    begin = str(pd.Timestamp(first + (BEFORE + 1) * 24 * HOUR_S, unit="s").date())
    with tempfile.TemporaryDirectory() as folder:
        prices, out = Path(folder) / "bars.parquet", Path(folder) / "forecasts.parquet"
        bars_of(drawn_prices(ASSETS, (DAYS + BEFORE) * 24), first).to_parquet(prices, index=False)
        words = ("--prices", prices, "--stamp", "close", "--from", begin, "--horizon", "24", "--out", out)
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "aftershock", "forecast", *map(str, words)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        answers = len(pd.read_parquet(out))
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(f"{ASSETS} assets: {answers:,} forecasts, {used:.1f} processor seconds, {wall:.1f} on the clock\n")
    return 0 if answers == DAYS * ASSETS else 1


if __name__ == "__main__":
    sys.exit(main())
