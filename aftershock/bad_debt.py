"""Bad debt under a joint law of shocks (`aftershock.forecast_shocks`): which of its assets a book knows, one cascade a draw, and what the tail of the draws says.

A level is told only where enough draws lie beyond it, each with its sampling error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import betaincinv

from aftershock.forecast_shocks import ShockLaw
from chain.errors import AftershockError, InputError
from chain.files.price_files import folded
from models.panel import FloatArray
from simulations import cascade
from simulations.book import Book
from simulations.opening import opening
from simulations.result import direct_and_indirect_usd
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import PriceShock, factors, find, reference_prices

SMALLEST_MOVE = 1e-6
LEVELS = (0.95, 0.99)
RESAMPLES = 1_000
LEAST_BEYOND = 5
"""A level of a tail is printed only where at least so many draws lie beyond it: 100 draws for 95 %, 500 for 99 %."""


@dataclass(frozen=True)
class Shocked:
    """Which assets of a law are shocked in a book, each with the name that the book knows it by, and which are not: claims on others of them, and other names of them (with the asset that they mean)."""

    names: dict[str, str]
    along: tuple[str, ...] = ()
    again: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> tuple[str, ...]:
        """All that the book knows, shocked or not."""
        return (*self.names, *self.along, *self.again)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not shocked, a sentence each."""
        along = f"{', '.join(self.along)} not shocked: a claim on another asset of the law, and moves with it"
        return (
            *((along,) if self.along else ()),
            *(
                f"{name} not shocked: in this book it is {other}, whose own prices count"
                for name, other in self.again.items()
            ),
        )


@dataclass(frozen=True)
class BadDebt:
    """Bad debt over many draws, USD: one figure a draw; which of the law's assets were shocked, and which were not."""

    law: ShockLaw
    shocked: Shocked
    bad_debt_usd: FloatArray
    seed: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not shocked, and which levels are not told, each with the reason."""
        draws = len(self.bad_debt_usd)
        few = [
            f"No VaR and ES at {100 * level:g} %: {_beyond(draws, level)} of {draws} draws lie beyond, and fewer than {LEAST_BEYOND} say nothing; "
            f"give --draws {round(LEAST_BEYOND / (1 - level))}"
            for level in LEVELS
            if _beyond(draws, level) < LEAST_BEYOND
        ]
        return (*self.shocked.notes, *self.law.notes, *few)

    @property
    def hit_interval(self) -> tuple[float, float]:
        """95 % interval of the share of draws with bad debt: Clopper and Pearson 1934 (doi:10.1093/biomet/26.4.404), exact for a share of independent draws."""
        draws, hits = len(self.bad_debt_usd), int((self.bad_debt_usd > SMALLEST_MOVE).sum())
        low = float(betaincinv(hits, draws - hits + 1, 0.025)) if hits else 0.0
        return low, float(betaincinv(hits + 1, draws - hits, 0.975)) if hits < draws else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Tail figures; VaR is the smallest amount that at most 5 (1) % of draws exceed, ES the mean of the worst 5 (1) %; None where fewer than five draws lie beyond.

        Beside each its 95 % interval (lowest and highest) over RESAMPLES of the draws with replacement: sampling error only.
        """
        ordered = np.sort(self.bad_debt_usd)
        told = [level for level in LEVELS if _beyond(len(ordered), level) >= LEAST_BEYOND]
        tail: dict[str, float | list[float] | None] = {
            f"{name}_{100 * level:g}{more}": None
            for level in LEVELS
            for name in ("var_usd", "es_usd")
            for more in ("", "_interval")
        }
        again = resampled(ordered, np.random.default_rng(self.seed)) if told else np.empty((0, 0))
        for level in told:
            ranges = np.quantile([_tail(one, level) for one in again], (0.025, 0.975), axis=0).T.tolist()
            for name, value, interval in zip(("var_usd", "es_usd"), _tail(ordered, level), ranges, strict=True):
                tail[f"{name}_{100 * level:g}"], tail[f"{name}_{100 * level:g}_interval"] = value, interval
        return {
            "law": self.law.text,
            "assets": list(self.shocked.names),
            "freedom": self.law.freedom,
            "draws": len(ordered),
            "seed": self.seed,
            "mean_usd": float(ordered.mean()),
            "share_with_bad_debt": float((ordered > SMALLEST_MOVE).mean()),
            "share_with_bad_debt_interval": list(self.hit_interval),
            **tail,
            "notes": list(self.notes),
        }


def bad_debt_under(
    book: Book,
    law: ShockLaw,
    count: int,
    seed: int,
    assumptions: Assumptions | None = None,
    progress: Callable[[int], None] = lambda _: None,
    market: str | None = None,
) -> BadDebt:
    """Run one cascade a draw, of the assets that `shocked_in` finds; of one market only its own bad debt counts.

    Raises
    ------
    InputError
        If the book knows none of the law's assets.
    """
    shocked = shocked_in(book, law.assets)
    columns = [law.assets.index(name) for name in shocked.names]
    changes = np.expm1(law.draw_calibrated(count, np.random.default_rng(seed))[:, columns])
    found, begin = np.empty(count), opening(book)
    for number, row in enumerate(changes):
        moves = zip(shocked.names.values(), row, strict=True)
        shocks = [PriceShock(known, float(max(change, -0.999))) for known, change in moves]
        rounds = cascade.to_calm(begin, of_shocks(shocks, assumptions)).rounds
        found[number] = (
            sum(direct_and_indirect_usd(rounds))
            if market is None
            else sum(step.bad_debt_usd[market] for step in rounds)
        )
        progress(number + 1)
    return BadDebt(law, shocked, found, seed)


def shocked_in(book: Book, assets: Sequence[str]) -> Shocked:
    """Which of some assets a book knows, and which of these are shocked.

    An asset moves the book's asset of that name, or else its wrapped token (BTC: WBTC). What nobody holds or owes is left out; so are a second name of an asset (BTC beside WBTC
    where the book has WBTC alone) and a claim on another one (staked ether beside ether), which moves with what backs it: their own shocks would come on top.

    Raises
    ------
    InputError
        If the book knows none of them.
    """
    known = {name: called for name in assets if (called := _known_as(book, name)) is not None}
    if not known:
        raise InputError(
            f"nobody in this book holds or owes {', '.join(assets[:8])}; give prices of assets that the book knows"
        )
    meant = {name: find(book, called) for name, called in known.items()}
    symbols = {name: {book.assets[number].symbol for number in meant[name]} for name in known}
    own = {name: (folded(name) in map(folded, symbols[name]), name in symbols[name]) for name in known}
    first: dict[int, str] = {}
    for name in sorted(known, key=own.__getitem__, reverse=True):
        for number in meant[name]:
            first.setdefault(number, name)
    again = {name: first[meant[name][0]] for name in known if first[meant[name][0]] != name}
    single = [name for name in known if name not in again]
    along = tuple(
        name for name in single if moves_with(book, meant[name], [meant[other] for other in single if other != name])
    )
    return Shocked({name: known[name] for name in single if name not in along}, along, again)


def moves_with(book: Book, own: Sequence[int], others: Sequence[Sequence[int]]) -> bool:
    """Whether an asset falls because another of some falls, and not the other way round: it is a claim on it. Assets are places in the book."""

    def falls(fallen: Sequence[int], asked: Sequence[int]) -> bool:
        halved = np.ones(len(book.assets))
        halved[list(fallen)] = 0.5
        return bool((factors(book, halved)[list(asked)] < 1).any())

    return any(falls(other, own) and not falls(own, other) for other in others)


def _known_as(book: Book, name: str) -> str | None:
    """The name by which a fall of an asset moves something in the book: its own, or that of its wrapped token."""
    for known in (name, f"W{name}"):
        try:
            reference_prices(book, [PriceShock(known, -0.1)])
        except AftershockError:
            continue
        return known
    return None


def resampled(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """RESAMPLES samples with replacement, as large as the first one, each in rising order: the bootstrap of Efron (1979)."""
    return np.sort(values[rng.integers(len(values), size=(RESAMPLES, len(values)))], axis=1)


def _beyond(draws: int, level: float) -> int:
    """How many draws lie beyond a level."""
    return draws - int(np.ceil(round(level * draws, 9)))


def _tail(ordered: Sequence[float] | FloatArray, level: float) -> tuple[float, float]:
    values = np.asarray(ordered)
    place = min(len(values) - _beyond(len(values), level), len(values))
    worst = values[place:]
    return float(values[place - 1]), float(worst.mean() if len(worst) else values[-1])
