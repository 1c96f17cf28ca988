"""How long a question on the command line takes, as a person waits for it: whole processes on the clock, in turn, each followed by the import of pandas and pyarrow alone.

    python -m benchmarks.questions --times 8

Six questions about the embedded snapshot. The import is the yardstick: what it costs changes from hour to hour on one machine by more than most changes of the code do, so it is timed right after each question.
Seconds mean something only with nothing else running. It fails if a question does.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

from chain.errors import many

QUESTIONS = (
    "exposure aave-v3",
    "exposure ETH",
    "exposure svUSDC",
    "paths --from aave-v3 --to ETH",
    "shared WETH lstETH",
    "names ETH",
)
YARDSTICK = ("-c", "import pandas, pyarrow.parquet")
LONG_S = 1.0


def asked(question: str) -> tuple[str, ...]:
    """The words after `python` that ask a question."""
    return ("-m", "aftershock", "query", *question.split(), "--json")


def seconds(words: tuple[str, ...]) -> float:
    """How long a fresh interpreter takes with these words; CalledProcessError if it fails."""
    begun = time.perf_counter()
    subprocess.run((sys.executable, *words), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def told(name: str, taken: list[float]) -> str:
    """Median, fastest and slowest of some times, and how many are long."""
    long = sum(one > LONG_S for one in taken)
    return f"{name}: median {np.median(taken):.2f} s, fastest {min(taken):.2f} s, slowest {max(taken):.2f} s, {long} of {len(taken)} above {LONG_S:g} s"


def main() -> None:
    """Time them in turn and print."""
    parser = argparse.ArgumentParser(description="Time questions on the command line.")
    parser.add_argument("--times", type=int, default=8, help="how often each question is asked")
    rounds = parser.parse_args().times
    if rounds < 1:
        parser.error(f"--times is {rounds}; give at least 1")
    taken: dict[str, list[float]] = {question: [] for question in QUESTIONS}
    alone: list[float] = []
    for number in range(rounds):
        for question in QUESTIONS:
            taken[question].append(seconds(asked(question)))
            alone.append(seconds(YARDSTICK))
        print(f"  asked {many(number + 1, 'time')} of {rounds}", file=sys.stderr, flush=True)  # noqa: T201
    for question, each in taken.items():
        print(told(question, each))  # noqa: T201
    every = [taken[question][number] for number in range(rounds) for question in QUESTIONS]
    print(told("all questions", every))  # noqa: T201
    print(told("the import alone", alone))  # noqa: T201
    ratios = np.array(every) / np.array(alone)
    print(f"a question : the import after it, median of {many(len(ratios), 'pair')}: {np.median(ratios):.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
