"""Thresholds: the numbers from which sentences and grades are made, as data that every report prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.errors import InputError, unknown_name
from chain.toml_file import read_toml
from reports.amounts import THIN, listing

SHIPPED = Path(__file__).parent / "thresholds.toml"
MEASURES = (
    "bad_debt",
    "under_water",
    "ordinary_bad_debt",
    "at_risk",
    "capacity",
    "one_feed",
    "indirect",
    "few_positions",
)
RULES = (
    "generated_data",
    "failed_check",
    "known_below_half",
    "known_below_most",
    "known_below_nearly_all",
    "stale_feed",
    "one_protocol",
    "no_probability",
)
KNOWN = ("half", "most", "nearly_all")
GRADES = "ABCD"
NEVER = "never"


@dataclass(frozen=True)
class Measure:
    """A ratio with named levels, lowest first: a level holds from its number upward. `alarm` is a level's name, or `never`."""

    name: str
    title: str
    levels: tuple[tuple[str, float], ...]
    alarm: str

    def level(self, value: float) -> str:
        """The name of the level that a value is in."""
        return [word for word, start in self.levels if value >= start or start == self.levels[0][1]][-1]

    def crossed(self, value: float) -> bool:
        """Whether the value has reached the alarm level."""
        return self.alarm != NEVER and value >= dict(self.levels)[self.alarm]

    @property
    def limits(self) -> str:
        """The levels in words: `small from 0.01 %, material from 0.1 %`."""
        return ", ".join(f"{word} from {100 * start:g}{THIN}%" for word, start in self.levels[1:])


@dataclass(frozen=True)
class Thresholds:
    """All thresholds. `confidence` is rule -> best grade while it applies; `known` are shares of supplied value."""

    ordinary_fall_percent: float
    watch_fall_percent: float
    measures: Mapping[str, Measure]
    confidence: Mapping[str, str]
    known: Mapping[str, float]

    @classmethod
    def shipped(cls) -> "Thresholds":
        """Those of `reports/thresholds.toml`."""
        return read(SHIPPED)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, in the shape of the file."""
        return {
            "ordinary": {"fall_percent": self.ordinary_fall_percent, "watch_percent": self.watch_fall_percent},
            **{
                name: {"title": measure.title, "levels": dict(measure.levels), "alarm": measure.alarm}
                for name, measure in self.measures.items()
            },
            "confidence": dict(self.confidence),
            "known": dict(self.known),
        }


def read(path: Path) -> Thresholds:
    """Read a thresholds file; InputError names the file and the entry that is missing, unknown or out of order."""
    content = read_toml(path, "thresholds")
    try:
        return of_dict(content)
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error


def of_dict(content: Mapping[str, Any]) -> Thresholds:
    """Thresholds from the content of a file; see `read`."""
    _same("section", content, {"ordinary", "confidence", "known", *MEASURES})
    _same("[ordinary] entry", content["ordinary"], {"fall_percent", "watch_percent"})
    _same("[confidence] rule", content["confidence"], set(RULES))
    _same("[known] entry", content["known"], set(KNOWN))
    for rule, grade in content["confidence"].items():
        if grade not in tuple(GRADES):
            raise InputError(f"confidence.{rule} is {grade!r}; write one of {', '.join(GRADES)}")
    return Thresholds(
        ordinary_fall_percent=float(content["ordinary"]["fall_percent"]),
        watch_fall_percent=float(content["ordinary"]["watch_percent"]),
        measures={name: _measure(name, content[name]) for name in MEASURES},
        confidence={rule: content["confidence"][rule] for rule in RULES},
        known={name: float(content["known"][name]) for name in KNOWN},
    )


def _measure(name: str, entries: Mapping[str, Any]) -> Measure:
    _same(f"[{name}] entry", entries, {"title", "levels", "alarm"})
    levels = tuple((word, float(start)) for word, start in entries["levels"].items())
    starts = [start for _, start in levels]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        raise InputError(f"{name}.levels must start at 0 and rise, not {listing([f'{start:g}' for start in starts])}")
    if entries["alarm"] not in {word for word, _ in levels} | {NEVER}:
        raise unknown_name(f"level of {name}", entries["alarm"], [*dict(levels), NEVER])
    return Measure(name, entries["title"], levels, entries["alarm"])


def _same(kind: str, entries: Mapping[str, Any], wanted: set[str]) -> None:
    for name in sorted(set(entries) - wanted):
        raise unknown_name(kind, name, wanted)
    for name in sorted(wanted - set(entries)):
        raise InputError(f"{kind} {name!r} is missing; write it as in {SHIPPED.name}")
