"""Liquidations per second: our rule in integers, its float twin and the protocol's own contract on a local node, in one run.

    python -m benchmarks.liquidations --states 200

Every family of `FAMILIES` draws random accounts as its parity test does. The contract's time is one transaction from sending to receipt, on a
node that mines at once; writing the state and reading it back are not in it. Rule and twin are timed on the same cases, pure Python, one core,
repeated for a second; the twin's account is put into floats before the clock starts.
The run fails (exit code 1) if the rule differs from the contract in one unit, or the twin from the rule by more than the bar allows.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from tests.devnet.node import Node
from tests.devnet.world import build_world
from tests.simulations import (
    liquidation_bench_compound,
    liquidation_bench_morpho,
    liquidation_cases,
    test_compound_v2_parity,
    test_morpho_blue_parity,
)
from tests.simulations.liquidation_bench import bench_36, bench_302
from tests.simulations.liquidation_laws import TIE

LEAST_SECONDS = 1.0
Compare = Callable[[Any], "list[str] | None"]


@dataclass(frozen=True)
class Speed:
    """Liquidations a second of one family; `ties`: decisions of the twin that differ, all within 1e-9 of a threshold."""

    family: str
    states: int
    rule: float
    twin: float
    contract: float
    ties: int


@contextmanager
def _aave(open_bench: Callable[..., Any]) -> Iterator[Callable[[int, np.random.Generator], Iterator[Any]]]:
    with build_world() as world:
        bench = open_bench(world)
        yield lambda states, rng: liquidation_cases.cases(bench, states, rng)


@contextmanager
def _compound() -> Iterator[Callable[[int, np.random.Generator], Iterator[Any]]]:
    with Node(liquidation_bench_compound.NODE_OPTIONS) as node:
        yield liquidation_bench_compound.Bench(node).cases


@contextmanager
def _morpho() -> Iterator[Callable[[int, np.random.Generator], Iterator[Any]]]:
    with Node() as node:
        yield liquidation_bench_morpho.Bench(node).cases


FAMILIES: dict[str, tuple[Callable[[], Any], Compare]] = {
    "Aave V3.6": (lambda: _aave(bench_36), liquidation_cases.float_differences),
    "Aave 3.0.2": (lambda: _aave(bench_302), liquidation_cases.float_differences),
    "Compound V2": (_compound, test_compound_v2_parity.float_differences),
    "Morpho Blue": (_morpho, test_morpho_blue_parity.float_differences),
}
"""How to open a bench that draws cases, and how its float twin is compared. Another protocol is one more line."""


def main() -> int:
    """Measure every family and print a table; 1 if an output differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=200, help="liquidations of each family (200)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--family", choices=list(FAMILIES), action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    speeds, wrong = [], []
    for family in options.family or FAMILIES:
        _say(f"{family}: {options.states} liquidations ...", sys.stderr)
        speed, differences = measure(family, options.states, options.seed)
        speeds.append(speed)
        wrong += [f"{family}: {one}" for one in differences]
    _say("| family | states | integers a second | floats a second | contract a second | twin otherwise |")
    _say("|---|---|---|---|---|---|")
    for one in speeds:
        rates = " | ".join(f"{rate:,.0f}" for rate in (one.rule, one.twin, one.contract))
        _say(f"| {one.family} | {one.states} | {rates} | {one.ties} |")
    _say("\n".join(wrong) if wrong else "all outputs equal")
    return 1 if wrong else 0


def _say(text: str, stream: TextIO = sys.stdout) -> None:
    stream.write(text + "\n")
    stream.flush()


def measure(family: str, states: int, seed: int) -> tuple[Speed, list[str]]:
    """The speeds of one family, and what differed (nothing, if all is well)."""
    opened, compare = FAMILIES[family]
    with opened() as draw:
        cases = list(draw(states, np.random.default_rng(seed)))
    wrong, ties = [], 0
    for case in cases:
        wrong += case.differences(case.rule())
        if compare(case):
            near = any(abs(margin) <= TIE for margin in case.about.margins.values())
            ties += near
            wrong += [] if near else [str(compare(case))]
    contract = states / sum(case.seconds for case in cases)
    rule, twin = _per_second([case.rule for case in cases]), _per_second([case.prepared_twin() for case in cases])
    return Speed(family, states, rule, twin, contract, ties), wrong


def _per_second(calls: Sequence[Callable[[], object]]) -> float:
    rounds, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < LEAST_SECONDS:
        for call in calls:
            call()
        rounds += 1
    return rounds * len(calls) / taken


if __name__ == "__main__":
    sys.exit(main())
