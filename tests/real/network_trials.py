"""Networks against the linear model on the validation half-year: every attempt, three seeds, a day, a week and an hour ahead. 2023 is never read.

python -m tests.real.network_trials            tries what was not tried yet and writes the tables of docs/results/volatility-networks.md and its CSV
python -m tests.real.network_trials --page     the same from what was kept, without a fit

Forecasts are kept in --kept by attempt, seed, settings, graphs and samples, so a run that was stopped goes on where it was, and a changed feature is tried anew.
"""

import argparse
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volatility.networks import SEEDS, digest_of
from benchmarks.volatility.record import RESULTS
from chain.files.frames import file_hash
from models.digests import digest
from models.networks.forecaster import train_network
from models.panel import FloatArray
from models.store import hash_of
from tests.real.network_attempts import HORIZONS, Ground, Tried, attempts, ground
from tests.real.network_histories import CUTS, FLOWS, PRICES, panel
from tests.real.network_page import table_of, write_tables

CHOSEN = RESULTS / "volatility-networks-mlp.toml"
Found = dict[str, Any]
"""What is kept of one fit: forecast, quantiles if it has some, epochs kept by cut, seconds (processor, clock), commit."""


def main() -> int:
    """Try what has not been tried, write the tables; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--horizons", type=int, nargs="+", default=list(HORIZONS), choices=HORIZONS)
    parser.add_argument("--only", default="", help="attempts whose name this pattern finds")
    parser.add_argument("--kept", type=Path, default=Path(".cache/network-trials"))
    parser.add_argument("--page", action="store_true", help="fit nothing")
    options = parser.parse_args()
    prices = panel()
    tuned = tomllib.loads(CHOSEN.read_text(encoding="utf-8"))["values"] if CHOSEN.is_file() else None
    tables = {}
    for horizon in HORIZONS:
        here = ground(prices, horizon)
        every = list(attempts(here, tuned))
        linear, quantiles = here.linear()
        found: dict[str, list[Found]] = {attempt.name: [] for attempt in every}
        for seed in SEEDS:
            for attempt in every:
                path = options.kept / f"{horizon}h" / f"{attempt.name}-{seed}-{key_of(here, attempt, seed)[:12]}.npz"
                wanted = not options.page and horizon in options.horizons and re.search(options.only, attempt.name)
                if not path.is_file() and wanted:
                    keep(path, tried(here, attempt, seed))
                    _say(f"{horizon:>3} h  {attempt.name}, seed {seed}: {_told(path, here.fresh.y, linear)}")
                if path.is_file():
                    with np.load(path) as file:
                        found[attempt.name].append(dict(file))
        tables[horizon] = table_of(here, linear, quantiles, {name: each for name, each in found.items() if each})
        _say(f"{horizon:>3} h  {sum(map(len, found.values()))} of {len(SEEDS) * len(every)} fits are there")
    data = {"prices": file_hash(PRICES), "panel until 2022": hash_of(prices), "flows": file_hash(FLOWS)}
    write_tables(tables, data, RESULTS)
    return 0


def key_of(here: Ground, attempt: Tried, seed: int) -> str:
    """A hash of all that decides a forecast but the code."""
    given = here.forecaster(attempt, seed)
    return digest((replace(given, history=None), here.base.model, seed, CUTS, here.content, digest_of(given.history)))


def tried(here: Ground, attempt: Tried, seed: int) -> Found:
    """Fit at each cut, ask until the next."""
    given, clock, wall = here.forecaster(attempt, seed), time.process_time(), time.perf_counter()
    forecasts, quantiles, lives = [], [], []
    for train, asked in here.folds:
        fitted = train_network(given, train, None, np.random.default_rng(seed))
        forecasts.append(fitted.predict(asked))
        if fitted.levels:
            quantiles.append(fitted.quantiles(asked))
        lives.append(fitted.lived[0].kept)
    found: Found = {"forecast": np.concatenate(forecasts), "kept": np.array(lives), "commit": np.array(_commit())}
    if quantiles:
        found["quantiles"] = np.concatenate(quantiles)
    return found | {"seconds": np.array([time.process_time() - clock, time.perf_counter() - wall])}


def keep(path: Path, found: Found) -> None:
    """Write one fit beside, then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **found)
    part.replace(path)


def _told(path: Path, y: FloatArray, linear: FloatArray) -> str:
    from models.scores import qlike

    with np.load(path) as file:
        ratio = np.nanmean(qlike(y, file["forecast"])) / np.nanmean(qlike(y, linear))
        return f"{ratio:.4f} of the linear model, epochs {file['kept'].tolist()}, {file['seconds'][0]:.0f} s"


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
