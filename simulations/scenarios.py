"""Named scenarios: TOML files that say what is shocked and under which assumptions. Shipped ones lie in `scenarios/`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chain.errors import InputError, unknown_name
from chain.toml_file import read_toml
from simulations.book import Book
from simulations.shocks import PriceShock, canonical

FOLDER = Path(__file__).parent / "scenarios"
KINDS = ("hypothetical", "historical")


@dataclass(frozen=True)
class Assumptions:
    """What a run takes as given, beside keepers without capital, who sell what they seize in the same step for enough to repay.

    Attributes
    ----------
    pass_through : share of on-chain price impact that the outside market does not absorb, 0 (price taker) to 1 (closed world).
    gas_usd : cost of one liquidation, USD.
    max_rounds : the loop raises if it is not calm by then.
    """

    pass_through: float = 0.5
    gas_usd: float = 5.0
    max_rounds: int = 200

    def __post_init__(self) -> None:
        if not (math.isfinite(self.pass_through) and 0 <= self.pass_through <= 1):
            raise InputError(f"pass_through {self.pass_through} is not between 0 and 1")
        if not (math.isfinite(self.gas_usd) and self.gas_usd >= 0):
            raise InputError(f"gas_usd {self.gas_usd} is not a finite, non-negative amount")
        if self.max_rounds < 1:
            raise InputError(f"max_rounds {self.max_rounds} is not a positive number")


@dataclass(frozen=True)
class Scenario:
    """Shocks with sizes, under assumptions; `instant`: no outside time passes, run to calm."""

    name: str
    title: str
    shocks: tuple[PriceShock, ...]
    kind: str = "hypothetical"
    description: str = ""
    assumptions: Assumptions = field(default_factory=Assumptions)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def decided_by(self) -> dict[str, Any]:
        """What of it decides the numbers of a run, for content ids: not what it is called, nor the rounds after which a run would be given up."""
        taken = self.assumptions
        return {
            "shocks": [[shock.asset, float(shock.change)] for shock in self.shocks],
            "pass_through": float(taken.pass_through),
            "gas_usd": float(taken.gas_usd),
        }


def of_shocks(shocks: Sequence[PriceShock], assumptions: Assumptions | None = None) -> Scenario:
    """A scenario from shocks given on the spot; named after them."""
    title = _title(shocks)
    return Scenario(title, title, tuple(shocks), assumptions=assumptions or Assumptions())


def _title(shocks: Sequence[PriceShock]) -> str:
    return ", ".join(shock.text for shock in shocks)


def in_book(book: Book, scenario: Scenario) -> Scenario:
    """The scenario with its shocks in their one form (`simulations.shocks.canonical`), named after them anew where it was; UnknownNameError if the book lacks an asset."""
    shocks = canonical(book, scenario.shocks)
    if scenario.name == _title(scenario.shocks):
        return of_shocks(shocks, scenario.assumptions)
    return replace(scenario, shocks=shocks)


def names() -> list[str]:
    """Names of the shipped scenarios, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def get(name: str, **changes: Any) -> Scenario:
    """A shipped scenario by name, or one from a TOML file by path; `changes` replace assumptions."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file() and not name.endswith(".toml"):
        raise unknown_name("scenario", name, names())
    scenario = read(path)
    return replace(scenario, assumptions=replace(scenario.assumptions, **changes)) if changes else scenario


def read(path: Path) -> Scenario:
    """Read one scenario file; InputError names file, entry and what to write instead."""
    content = read_toml(path, "a scenario")
    _only(path, "scenario", content, {"title", "kind", "description", "shocks", "assumptions"})
    if content.get("kind", KINDS[0]) not in KINDS:
        raise InputError(f"{path}: kind {content['kind']!r} is not one of {', '.join(KINDS)}")
    shocks = content.get("shocks")
    if not isinstance(shocks, list) or not shocks:
        raise InputError(f"{path}: no [[shocks]]; give at least one with asset and change")
    try:
        return Scenario(
            name=path.stem,
            title=str(content.get("title", path.stem)),
            shocks=tuple(_shock(path, number, entry) for number, entry in enumerate(shocks, start=1)),
            kind=content.get("kind", KINDS[0]),
            description=str(content.get("description", "")),
            assumptions=_assumptions(path, content.get("assumptions", {})),
        )
    except InputError as error:
        raise type(error)(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def _shock(path: Path, number: int, entry: Any) -> PriceShock:
    if not isinstance(entry, dict):
        raise InputError(f"{path}: shock {number} is no table")
    _only(path, f"shock {number}", entry, {"asset", "change"})
    asset, change = entry.get("asset"), entry.get("change")
    if not isinstance(asset, str) or not isinstance(change, int | float) or isinstance(change, bool):
        raise InputError(f'{path}: shock {number} needs asset = "ETH" and change = -0.2, not {entry}')
    return PriceShock(asset, float(change))


def _assumptions(path: Path, entries: Any) -> Assumptions:
    if not isinstance(entries, dict):
        raise InputError(f"{path}: assumptions is no table")
    types = {"pass_through": (int, float), "gas_usd": (int, float), "max_rounds": (int,)}
    _only(path, "assumptions", entries, set(types))
    for name, value in entries.items():
        if isinstance(value, bool) or not isinstance(value, types[name]):
            raise InputError(
                f"{path}: assumptions.{name} {value!r} is not of the right type ({types[name][-1].__name__})"
            )
    return Assumptions(**entries)


def _only(path: Path, where: str, entries: Mapping[str, Any], known: set[str]) -> None:
    for name in entries:
        if name not in known:
            raise InputError(f"{path}: {unknown_name(f'{where} field', name, known)}")
