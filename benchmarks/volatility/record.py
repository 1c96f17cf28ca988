"""What every page of the volatility evaluation says about its run: the command without this machine's paths, and how often what was held out was opened."""

import csv
import subprocess
import sys
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
OPENINGS = RESULTS / "volatility-openings.csv"
FIELDS = ("when_utc", "commit", "window", "reason")
NOTHING_CHOSEN = "a replication that chooses nothing"
"""In the reason of an opening: a published figure was repeated, and no model was taken or left by what came out."""
OF_THIS_MACHINE = ("--kept",)
"""Options that say where forecasts are kept: they change no number."""


def command(module: str, given: list[str] | None = None) -> str:
    """The command as anybody would type it."""
    left = list(sys.argv[1:] if given is None else given)
    for option in OF_THIS_MACHINE:
        if option in left:
            at = left.index(option)
            del left[at : at + 2]
    return " ".join(["python -m", module, *(f'"{word}"' if " " in word else word for word in left)])


def log_opening(window: str, reason: str) -> None:
    """Write down that a held-out window is read. The same reason once more is a run that goes on where it stopped, not another opening."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    is_new = not OPENINGS.is_file()
    if not is_new:
        with OPENINGS.open(newline="") as file:
            if any((row["window"], row["reason"]) == (window, reason) for row in csv.DictReader(file)):
                return
    with OPENINGS.open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(FIELDS)
        writer.writerow([f"{pd.Timestamp.now('UTC'):%Y-%m-%d %H:%M}", commit, window, reason])


def openings(window: str) -> int:
    """How often a window was opened."""
    return len(_reasons(window))


def replications(window: str) -> int:
    """How many of these openings chose nothing, by their own reason."""
    return sum(NOTHING_CHOSEN in reason for reason in _reasons(window))


def _reasons(window: str) -> list[str]:
    if not OPENINGS.is_file():
        return []
    with OPENINGS.open(newline="") as file:
        return [row["reason"] for row in csv.DictReader(file) if row["window"] == window]


def p_of(value: float) -> str:
    """A p-value as tables show it."""
    return "–" if value != value else ("<.0001" if value < 1e-4 else f"{value:.4f}")
