"""Cascades a second of processor time: many scenarios on one book, each prepared anew and from one opening, in one run, outputs compared.

    python -m benchmarks.cascades --draws 40 --seed 1

The book is the embedded sample's; each draw is a joint fall or rise of ETH, WBTC and LINK, Student t with 4 degrees of freedom and the deviation
that is asked for. Timed: `cascade.run` on the book, which prepares it and makes every table, with everybody's place in the order worked out
(`tests/simulations/plain_turns.py`) and as it is; `cascade.run` on its opening; `cascade.to_calm` on its opening, which is what draws of joint
shocks need. The run fails (exit code 1) if the records of the first three differ in a byte, or the bad debt of the fourth.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

import aftershock
from simulations import cascade
from simulations.book_of_graph import from_graph
from simulations.channels import liquidation
from simulations.opening import opening
from simulations.result import direct_and_indirect_usd
from simulations.scenarios import Scenario, of_shocks
from simulations.shocks import PriceShock
from tests.simulations import plain_turns

T = TypeVar("T")
ASSETS, FREEDOM = ("ETH", "WBTC", "LINK"), 4.0


@dataclass(frozen=True)
class Speed:
    """Processor milliseconds a cascade of one way to run them."""

    way: str
    milliseconds: float


def main() -> int:
    """Measure every way and print a table; 1 if an output differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--deviation", type=float, default=0.12, help="of each log return (0.12)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    speeds, wrong = measure(drawn(options.draws, options.deviation, options.seed))
    sys.stdout.write("| way | processor ms a cascade | times as fast |\n|---|--:|--:|\n")
    for one in speeds:
        sys.stdout.write(f"| {one.way} | {one.milliseconds:.1f} | {speeds[0].milliseconds / one.milliseconds:.1f} |\n")
    sys.stdout.write("\n".join(wrong) + "\n" if wrong else "all outputs equal\n")
    return 1 if wrong else 0


def drawn(draws: int, deviation: float, seed: int) -> list[Scenario]:
    """Joint shocks of the three assets; correlation 0.7."""
    rng = np.random.default_rng(seed)
    correlation = np.full((3, 3), 0.7) + 0.3 * np.eye(3)
    normal = rng.standard_normal((draws, 3)) @ np.linalg.cholesky(correlation).T
    mixing = np.sqrt(rng.chisquare(FREEDOM, size=(draws, 1)) / (FREEDOM - 2))
    changes = np.maximum(np.expm1(normal / mixing * deviation), -0.999)
    return [of_shocks([PriceShock(name, float(one)) for name, one in zip(ASSETS, row, strict=True)]) for row in changes]


def measure(scenarios: Sequence[Scenario]) -> tuple[list[Speed], list[str]]:
    """The speed of each way, and what differed (nothing, if all is well)."""
    book = from_graph(aftershock.graph(aftershock.load()))
    thrifty, liquidation.act = liquidation.act, plain_turns.act
    try:
        plain, plain_ms = _timed(scenarios, lambda one: cascade.run(book, one))
    finally:
        liquidation.act = thrifty
    anew, anew_ms = _timed(scenarios, lambda one: cascade.run(book, one))
    started = time.process_time()
    begin = opening(book)
    once_ms = 1_000 * (time.process_time() - started) / len(scenarios)
    shared, shared_ms = _timed(scenarios, lambda one: cascade.run(begin, one))
    alone, alone_ms = _timed(scenarios, lambda one: sum(direct_and_indirect_usd(cascade.to_calm(begin, one).rounds)))
    wrong = [
        one.scenario.title
        for one, two, three, usd in zip(plain, anew, shared, alone, strict=True)
        if len({json.dumps(found.to_dict()) for found in (one, two, three)}) > 1 or one.bad_debt_usd != usd
    ]
    speeds = [
        Speed("a book, all tables, everybody asked", plain_ms),
        Speed("a book, all tables", anew_ms),
        Speed("its opening, all tables", shared_ms + once_ms),
        Speed("its opening, bad debt alone", alone_ms + once_ms),
    ]
    return speeds, wrong


def _timed(scenarios: Sequence[Scenario], run: Callable[[Scenario], T]) -> tuple[list[T], float]:
    started = time.process_time()
    found = [run(one) for one in scenarios]
    return found, 1_000 * (time.process_time() - started) / len(scenarios)


if __name__ == "__main__":
    sys.exit(main())
