"""The generic rule and its float twin against a closed form in fractions: on drawn legs, and on the same accounts written to a user's file.

The closed form is worked out here from what was drawn: health as a fraction, what is repaid, what is seized, what is left. 200 accounts in
the quick tier, 2,000 in the longer one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from chain.files.book_file import read_book
from chain.units import Rounding
from graph.build import build
from simulations.book import Book, Reserve
from simulations.book_of_graph import from_graph
from simulations.rules import generic, generic_float
from simulations.rules.aave_v3_float import FloatLeg, FloatOutcome
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from simulations.state import start

SEED = 5
NEAR, TIE = 1e-2, 1e-9
RAY = 10**27
THRESHOLDS = ("health factor 1", "collateral just enough")
DECIMALS = (6, 6, 18, 18, 8)
SIZES = {"health 1": 0.4, "just enough": 0.3, "any": 0.3}
ODD = ("paused", "inactive", "not collateral", "not owed", "cash")
MAX_UINT = 2**256 - 1


@dataclass(frozen=True)
class Side:
    """One asset of a drawn account: amounts stored, indices in 1e-27, price in 1e-18, terms in 1e-4 (bonus over 10,000)."""

    decimals: int
    supply: int
    debt: int
    supply_index: int
    debt_index: int
    price: int
    threshold: int
    bonus: int
    close_factor: int | None
    enabled: bool

    @property
    def supply_raw(self) -> int:
        """Supply in smallest units."""
        return math.floor(Fraction(self.supply * self.supply_index, RAY))

    @property
    def debt_raw(self) -> int:
        """Debt in smallest units."""
        return math.ceil(Fraction(self.debt * self.debt_index, RAY))

    @property
    def unit_price(self) -> Fraction:
        """Price of one smallest unit."""
        return Fraction(self.price, 10 ** (18 + self.decimals))


@dataclass(frozen=True)
class Account:
    """A drawn account and the call: legs to take and to repay, how much; `odd` is what is wrong with it."""

    sides: tuple[Side, ...]
    taken: int
    owed: int
    cover: int
    cash: int
    odd: str = ""


@dataclass(frozen=True)
class Answer:
    """What the closed form says."""

    refused: str | None
    repaid: int = 0
    seized: int = 0


def by_hand(account: Account) -> Answer:
    """The definition, in fractions."""
    taken, owed = account.sides[account.taken], account.sides[account.owed]
    if account.odd in ("inactive", "paused"):
        return Answer(account.odd)
    if health(account) >= 1:
        return Answer("healthy")
    if not taken.enabled or taken.supply_raw == 0:
        return Answer("no such collateral")
    if owed.debt_raw == 0:
        return Answer("no such debt")
    share = Fraction(10_000 if owed.close_factor is None else owed.close_factor, 10_000)
    repaid = min(account.cover, math.ceil(share * owed.debt_raw))
    rate = owed.unit_price / taken.unit_price * Fraction(taken.bonus, 10_000)
    seized = math.floor(repaid * rate)
    if seized > taken.supply_raw:
        seized = taken.supply_raw
        repaid = math.ceil(seized / rate)
    return Answer("not enough cash") if seized > account.cash else Answer(None, repaid, seized)


def health(account: Account) -> Fraction:
    """Collateral x threshold over debt."""
    limit = sum(s.supply_raw * s.unit_price * Fraction(s.threshold, 10_000) for s in account.sides if s.enabled)
    return Fraction(limit) / sum(side.debt_raw * side.unit_price for side in account.sides)


def draw(rng: np.random.Generator) -> Account:
    """Mostly beside a threshold; sizes are solved from it."""
    aim = str(rng.choice(list(SIZES), p=list(SIZES.values())))
    held, owing = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.25, 0.25, 0.1])), int(rng.choice([1, 2, 3]))
    prices = [int(10 ** rng.uniform(-2, 4.8) * 1e18) + int(rng.integers(10**6)) for _ in range(held + owing)]
    terms = [(int(rng.integers(3_000, 9_600)), 10_000 + int(rng.integers(0, 1_500))) for _ in prices]
    worth = 10 ** rng.uniform(2, 6)
    supplies = list(rng.dirichlet(np.full(held, 2.0)) * worth)
    ratio = {"health 1": _beside(rng), "just enough": rng.uniform(0.3, 0.6), "any": rng.uniform(0.4, 1.05)}[aim]
    counts = [number == 0 or rng.random() > 0.15 for number in range(held)]
    limit = sum(usd * terms[number][0] / 1e4 for number, usd in enumerate(supplies) if counts[number])
    debts = list(rng.dirichlet(np.full(owing, 2.0)) * limit / ratio)
    factor = None if rng.random() < 0.2 else int(rng.integers(500, 10_001))
    taken, owed = int(rng.integers(held)), int(rng.integers(owing))
    most = debts[owed] * (factor or 10_000) / 1e4
    cover: float | None = None
    if aim == "just enough":
        supplies[taken] = min(supplies[taken], 0.9 * most * terms[taken][1] / 1e4)
        cover = supplies[taken] / terms[taken][1] * 1e4 * _beside(rng)
    elif rng.random() < 0.5:
        cover = most * rng.uniform(0.01, 1.2)
    sides = []
    for number, usd in enumerate([*supplies, *debts]):
        decimals = int(rng.choice(DECIMALS))
        indices = [RAY + int(rng.integers(1, 10**18)) * 10**9 + 1 for _ in range(2)]
        stored = int(usd / prices[number] * 1e18 * 10.0**decimals / indices[number >= held] * 1e27) + 1
        supply, debt = (stored, 0) if number < held else (0, stored)
        close = factor if number == held + owed else int(rng.integers(1, 10_001))
        sides.append(
            Side(
                decimals,
                supply,
                debt,
                indices[0],
                indices[1],
                prices[number],
                *terms[number],
                close,
                number < held and counts[number],
            )
        )
    owed += held
    cover_raw = MAX_UINT if cover is None else int(cover / prices[owed] * 1e18 * 10.0 ** sides[owed].decimals) + 1
    account = Account(tuple(sides), taken, owed, cover_raw, sides[taken].supply_raw)
    return _odd(rng, account, owed) if rng.random() < 0.2 else account


def _odd(rng: np.random.Generator, account: Account, owed: int) -> Account:
    odd = str(rng.choice(ODD))
    if odd == "not collateral":
        return replace(account, taken=owed, odd=odd)
    if odd == "not owed":
        return replace(account, owed=account.taken, odd=odd)
    return replace(account, odd=odd, cash=account.cash // 2 if odd == "cash" else account.cash)


def _beside(rng: np.random.Generator) -> float:
    return float(1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-10, -2.05))


def position_of(account: Account) -> Position:
    """The account as the rule sees it; `odd` marks the reserve that is taken."""
    legs = []
    for number, side in enumerate(account.sides):
        marked = account.odd if number == account.taken else ""
        reserve = Reserve(
            market=0,
            asset=number,
            slot=number,
            supply_index=side.supply_index,
            supply_unit=RAY,
            debt_index=side.debt_index,
            debt_unit=RAY,
            held_raw=0,
            treasury_stored=0,
            threshold_bps=side.threshold,
            bonus_bps=side.bonus,
            fee_bps=0,
            close_factor_bps=side.close_factor,
            active=marked != "inactive",
            paused=marked == "paused",
            grace_until=0,
            price_raw=0,
            price_decimals=18,
            driver=0,
            fixed_price=False,
            deviation_bps=0,
        )
        legs.append(
            Leg(
                reserve=reserve,
                decimals=side.decimals,
                held_raw=account.cash,
                supply_stored=side.supply,
                debt_stored=side.debt,
                enabled=side.enabled,
                threshold_bps=side.threshold,
                bonus_bps=side.bonus,
                price_raw=side.price,
            )
        )
    return Position(tuple(legs), None, 0)


def in_floats(account: Account) -> FloatOutcome:
    """The float twin's answer."""
    owed = account.sides[account.owed]
    close = 1.0 if owed.close_factor is None else owed.close_factor / 1e4
    return generic_float.liquidate(
        [_float_leg(side) for side in account.sides],
        account.taken,
        account.owed,
        account.cover / 10**owed.decimals,
        close,
    )


def _float_leg(side: Side) -> FloatLeg:
    unit = 10**side.decimals
    return FloatLeg(
        supply=side.supply_raw / unit,
        debt=side.debt_raw / unit,
        price=side.price / 1e18,
        enabled=side.enabled,
        threshold_ratio=side.threshold / 1e4,
        bonus_ratio=side.bonus / 1e4,
        fee_ratio=0.0,
        unit=1 / unit,
    )


@pytest.fixture(scope="module", params=[200, pytest.param(2_000, marks=pytest.mark.verify)])
def accounts(request: pytest.FixtureRequest) -> list[Account]:
    rng = np.random.default_rng(SEED)
    return [draw(rng) for _ in range(request.param)]


def test_the_draws_are_hard(accounts: list[Account]) -> None:
    abouts = [in_floats(account) for account in accounts]
    counts = {
        "within 1 % of a threshold": sum(
            any(abs(about.margins.get(name, 1)) <= NEAR for name in THRESHOLDS) for about in abouts
        ),
        "three or more collaterals": sum(sum(side.enabled for side in a.sides) >= 3 for a in accounts),
        "6 decimals": sum(6 in (a.sides[a.taken].decimals, a.sides[a.owed].decimals) for a in accounts),
        "18 decimals": sum(18 in (a.sides[a.taken].decimals, a.sides[a.owed].decimals) for a in accounts),
        "liquidated": sum(by_hand(a).refused is None for a in accounts),
        "all collateral taken": sum(0 < by_hand(a).seized == a.sides[a.taken].supply_raw for a in accounts),
    }
    least = dict(zip(counts, (0.3, 0.2, 0.2, 0.2, 0.4, 0.1), strict=True))
    print(f"\ngeneric: {len(accounts)} states, {counts}")  # noqa: T201
    assert not [name for name, share in least.items() if counts[name] < share * len(accounts)], counts
    refused = {by_hand(account).refused for account in accounts} - {None}
    assert refused == {"healthy", "paused", "inactive", "no such collateral", "no such debt", "not enough cash"}


def differences(account: Account) -> list[str]:
    """What the rule says otherwise than the closed form."""
    position, expected = position_of(account), by_hand(account)
    if generic.health_factor_wad(position) != math.floor(health(account) * 10**18):
        return ["health factor"]
    said = generic.liquidate(position, account.taken, account.owed, account.cover)
    if isinstance(said, Refusal) or expected.refused:
        return [] if isinstance(said, Refusal) and said.reason == expected.refused else [f"{said} {expected}"]
    taken, owed = account.sides[account.taken], account.sides[account.owed]
    pairs = {
        "repaid": (said.repaid_raw, expected.repaid),
        "seized": (said.seized_raw, expected.seized),
        "supply burnt": (said.supply_burnt, math.ceil(Fraction(expected.seized * RAY, taken.supply_index))),
        "debt burnt": (said.debt_burnt[account.owed], math.floor(Fraction(expected.repaid * RAY, owed.debt_index))),
        "only this debt": (sum(said.debt_burnt), said.debt_burnt[account.owed]),
        "no loss, no fee": (sum(said.deficit_raw) + said.fee_raw + said.fee_stored, 0),
    }
    return [f"{name}: {said} for {right}" for name, (said, right) in pairs.items() if said != right]


def test_amounts_and_refusals_equal_the_closed_form(accounts: list[Account]) -> None:
    wrong = [(account, found) for account in accounts if (found := differences(account))]
    assert wrong == []


OTHER: dict[Rounding, Rounding] = {"floor": "ceil", "ceil": "floor"}


@pytest.mark.parametrize("name", list(generic.ROUNDINGS))
def test_a_wrong_rounding_is_noticed(accounts: list[Account], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generic.ROUNDINGS, name, OTHER[generic.ROUNDINGS[name]])
    assert any(differences(account) for account in accounts)


def test_the_float_twin_agrees(accounts: list[Account]) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold, where cases are counted."""
    ties, excused, compared = 0, 0, 0
    for account in accounts:
        expected, about = by_hand(account), in_floats(account)
        if expected.refused in ("paused", "inactive", "not enough cash"):
            continue
        units = [10 ** account.sides[number].decimals for number in (account.taken, account.owed)]
        wrong = about.refused != expected.refused or any(
            abs(exact / unit - value) > max(1e-9 * exact / unit, 2 / unit)
            for exact, value, unit in zip(
                (expected.seized, expected.repaid), (about.seized, about.repaid), units, strict=True
            )
        )
        tie = any(abs(margin) <= TIE for margin in about.margins.values())
        ties, excused, compared = ties + tie, excused + (tie and wrong), compared + 1
        assert tie or not wrong, (account, expected, about)
    counted = f"{compared} compared, {ties} within 1e-9 of a threshold, {excused} of them decided otherwise"
    print(f"\ngeneric: {counted}")  # noqa: T201
    assert compared > 0.8 * len(accounts) and excused < 0.02 * len(accounts), counted


def test_the_float_health_factor_agrees(accounts: list[Account]) -> None:
    for account in accounts:
        said = generic_float.health_factor([_float_leg(side) for side in account.sides])
        assert said == pytest.approx(float(health(account)), rel=1e-9)


def as_file(accounts: list[Account]) -> str:
    """One market an account; whole tokens in plain decimals, the bonus without the principal, the close factor on the debt."""
    lines = ["market,position_id,asset,side,amount,price,threshold_bps,bonus_bps,close_factor_bps"]
    for number, account in enumerate(accounts):
        for place, side in enumerate(account.sides):
            amount = Decimal(side.supply or side.debt).scaleb(-side.decimals)
            price = Decimal(side.price).scaleb(-18)
            kind = "collateral" if side.supply else "debt"
            terms = f"{side.threshold},{side.bonus - 10_000}," if side.supply else f",,{side.close_factor or ''}"
            lines.append(f"m{number},p,A{number}x{place},{kind},{amount:f},{price:f},{terms}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def book(accounts: list[Account], tmp_path_factory: pytest.TempPathFactory) -> Book:
    path: Path = tmp_path_factory.mktemp("generic") / "book.csv"
    path.write_text(as_file(accounts), encoding="utf-8")
    return from_graph(build(read_book(path)))


def _from_file(accounts: list[Account], book: Book) -> Iterator[tuple[Account, Position, dict[int, int]]]:
    """The accounts with amounts that do not accrue and smallest units of 1e-18, as a file has them; where each leg lies in the book."""
    state, numbers = start(book), {book.markets[m].key: p for p, m in enumerate(book.position_market)}
    for number, account in enumerate(accounts):
        if any(side.supply and not side.enabled for side in account.sides):
            continue  # a file cannot say so
        sides = tuple(
            replace(s, decimals=18, supply=s.supply * grow, debt=s.debt * grow, supply_index=RAY, debt_index=RAY)
            for s in account.sides
            for grow in [10 ** (18 - s.decimals)]
        )
        position = state.position(numbers[f"m{number}"])
        place = {int(book.assets[leg.reserve.asset].symbol.split("x")[1]): at for at, leg in enumerate(position.legs)}
        cover = (
            account.cover
            if account.cover == MAX_UINT
            else account.cover * 10 ** (18 - account.sides[account.owed].decimals)
        )
        cash = sides[account.taken].supply_raw
        yield replace(account, sides=sides, cover=cover, cash=cash, odd=""), position, place


def test_a_file_gives_the_same_accounts(accounts: list[Account], book: Book) -> None:
    """Threshold, close factor and bonus from the file decide, to the last digit of the file."""
    done = 0
    for account, position, place in _from_file(accounts, book):
        assert generic.health_factor_wad(position) == math.floor(health(account) * 10**18)
        expected = by_hand(account)
        said = generic.liquidate(position, place[account.taken], place[account.owed], account.cover)
        if expected.refused:
            assert isinstance(said, Refusal) and said.reason == expected.refused
            continue
        assert isinstance(said, Liquidation)
        assert (said.repaid_raw, said.seized_raw) == (expected.repaid, expected.seized)
        assert (said.debt_burnt[place[account.owed]], said.supply_burnt) == (expected.repaid, expected.seized)
        done += 1
    assert done > 0.4 * len(accounts)
