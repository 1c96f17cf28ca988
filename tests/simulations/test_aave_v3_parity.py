"""Our Aave rule against the deployed contracts of 3.0.2 and 3.6: the same liquidation in both, compared to the smallest unit.

The contracts' own account of what happened (receipt, stored balances, deficits, treasury, cash, health factor) is the oracle; our rule
never judges itself. 200 calls of each version in the quick tier, 2,000 in the longer one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from web3 import Web3

from chain.accounting import aave_v3 as accounting
from chain.units import Rounding
from simulations.rules import aave_v3, aave_v3_float
from simulations.rules.aave_v3_float import FloatLeg, FloatOutcome
from simulations.rules.aave_v3_revisions import REVISIONS
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from tests.devnet.aave_v302 import error_codes
from tests.devnet.market import RESERVES
from tests.devnet.world import World
from tests.simulations.contract_state import Bench, Call
from tests.simulations.liquidation_bench import bench_36, bench_302
from tests.simulations.liquidation_draws import SYMBOLS, draw

pytestmark = pytest.mark.devnet

SEED = 11
BENCHES = {1: bench_302, 10: bench_36}
NEAR, TIE = 1e-2, 1e-9
FLOAT_RELATIVE, FLOAT_UNITS = 1e-9, 2
THRESHOLDS = ("health factor 1", "health factor 0.95", "collateral just enough", "2,000", "1,000")
ROW_ROUNDINGS = ("max_collateral", "debt_needed", "without_bonus", "fee", "supply_burnt", "debt_burnt")
BALANCE_ROUNDINGS = ("supply_balance", "debt_balance", "debt_value")
ALWAYS_REFUSED = {
    "HealthFactorNotBelowThreshold",
    "ReservePaused",
    "ReserveInactive",
    "CollateralCannotBeLiquidated",
    "SpecifiedCurrencyNotBorrowedByUser",
}


@dataclass(frozen=True)
class Case:
    """One attempted liquidation: what the rule was given and said, what the contract did."""

    position: Position
    collateral: int
    debt: int
    call: Call
    ltv_bps: tuple[int, ...]
    said: Liquidation | Refusal
    about: FloatOutcome

    def rule(self) -> Liquidation | Refusal:
        """The rule asked again."""
        drawn = self.call.draw
        return aave_v3.liquidate(self.position, self.collateral, self.debt, drawn.cover, drawn.by_borrower)


@dataclass(frozen=True)
class Run:
    """All cases of one revision."""

    revision: int
    cases: list[Case]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((1, 200), id="3.0.2"),
        pytest.param((10, 200), id="3.6"),
        pytest.param((1, 2_000), id="3.0.2-2000", marks=pytest.mark.verify),
        pytest.param((10, 2_000), id="3.6-2000", marks=pytest.mark.verify),
    ],
)
def run(request: pytest.FixtureRequest, devnet_world: World) -> Run:
    """Seeded random liquidations on a deployed market."""
    revision, states = request.param
    with devnet_world.undone():
        bench = BENCHES[revision](devnet_world)
        assert bench.revision == revision
        return Run(revision, list(_cases(bench, states, np.random.default_rng(SEED + states))))


def _cases(bench: Bench, states: int, rng: np.random.Generator) -> Iterator[Case]:
    for _ in range(states):
        call = bench.call(draw(rng, bench.next_indices(), category_price=bench.revision == 1))
        position = bench.position(call)
        collateral, debt = SYMBOLS.index(call.draw.collateral), SYMBOLS.index(call.draw.owed)
        said = aave_v3.liquidate(position, collateral, debt, call.draw.cover, call.draw.by_borrower)
        ltv = tuple(bench.terms(call.draw, symbol).ltv_bps for symbol in SYMBOLS)
        yield Case(position, collateral, debt, call, ltv, said, _in_floats(position, collateral, debt, call.draw.cover))


def _in_floats(position: Position, collateral: int, debt: int, cover: int) -> FloatOutcome:
    revision = position.revision or 0
    legs = [_float_leg(leg, revision) for leg in position.legs]
    return aave_v3_float.liquidate(legs, collateral, debt, cover / 10 ** position.legs[debt].decimals, revision)


def _float_leg(leg: Leg, revision: int) -> FloatLeg:
    unit = 10**leg.decimals
    return FloatLeg(
        supply=accounting.supply_balance(leg.supply_stored, leg.reserve.supply_index, revision) / unit,
        debt=accounting.debt_balance(leg.debt_stored, leg.reserve.debt_index, revision) / unit,
        price=leg.price_raw / 1e8,
        enabled=leg.enabled and not (accounting.roundings(revision).needs_own_threshold and leg.threshold_bps == 0),
        threshold_ratio=leg.threshold_bps / 1e4,
        bonus_ratio=leg.bonus_bps / 1e4,
        fee_ratio=leg.reserve.fee_bps / 1e4,
        unit=1 / unit,
    )


def test_the_draws_are_hard(run: Run) -> None:
    total, done = len(run.cases), [case for case in run.cases if case.call.events]
    near = Counter(
        name
        for case in run.cases
        for name, margin in case.about.margins.items()
        if name in THRESHOLDS and abs(margin) <= NEAR and not case.call.draw.paused and not case.call.draw.inactive
    )
    counts = {
        "within 1 % of a threshold": sum(
            any(abs(case.about.margins.get(name, 1)) <= NEAR for name in THRESHOLDS) for case in run.cases
        ),
        "three or more collaterals": sum(len(case.call.draw.enabled) >= 3 for case in run.cases),
        "in a category": sum(case.call.draw.category > 0 for case in run.cases),
        "6 decimals": sum(_decimals(case, 6) for case in run.cases),
        "18 decimals": sum(_decimals(case, 18) for case in run.cases),
        "indices not round": sum(
            case.position.legs[case.debt].reserve.debt_index % 10**15 > 0
            and (
                case.position.legs[case.collateral].reserve.supply_index % 10**15 > 0
                or case.call.draw.collateral == "lstETH"
            )
            for case in run.cases
        ),
        "liquidated": len(done),
        "all collateral taken": sum(case.about.margins.get("collateral just enough", -1) >= 0 for case in done),
    }
    if run.revision == 1:
        counts["liquidated at a category's own price"] = sum(_at_own_price(case) for case in done)
        assert counts["liquidated at a category's own price"] > 0.02 * total, counts
    least = {
        "within 1 % of a threshold": 0.3,
        "three or more collaterals": 0.2,
        "in a category": 0.2,
        "6 decimals": 0.2,
    }
    least |= {"18 decimals": 0.2, "indices not round": 1.0, "liquidated": 0.4, "all collateral taken": 0.05}
    print(f"\n{REVISIONS[run.revision].version}: {total} states, {counts}, near {dict(near)}")  # noqa: T201
    assert not [name for name, share in least.items() if counts[name] < share * total], (counts, near)
    expected = THRESHOLDS if run.revision == 10 else THRESHOLDS[:3]
    assert not [name for name in expected if near[name] < 0.02 * total], near


def _at_own_price(case: Case) -> bool:
    """Whether the category's price, and not the reserve's, decided: both sides may have it, so one suffices."""
    drawn = case.call.draw
    return any(drawn.prices[symbol] != drawn.feeds[symbol] for symbol in (drawn.collateral, drawn.owed))


def _decimals(case: Case, decimals: int) -> bool:
    return decimals in (RESERVES[case.call.draw.collateral].decimals, RESERVES[case.call.draw.owed].decimals)


def test_refusals_are_predicted_with_their_reason(run: Run) -> None:
    seen: Counter[str] = Counter()
    for case in run.cases:
        if case.call.refusal is None:
            assert isinstance(case.said, Liquidation), case
            continue
        assert isinstance(case.said, Refusal), case
        assert _encoded(case.said.reason, run.revision) in case.call.refusal, (case.said, case.call.refusal)
        seen[case.said.reason] += 1
    by_borrower = [case for case in run.cases if case.call.draw.by_borrower]
    if run.revision == 10:
        assert set(seen) >= {*ALWAYS_REFUSED, "MustNotLeaveDust", "SelfLiquidation"}, seen
    else:
        assert set(seen) >= ALWAYS_REFUSED, seen
        assert any(case.call.events for case in by_borrower), (
            "3.0.2 lets a borrower liquidate himself; no draw showed it"
        )


def _encoded(reason: str, revision: int) -> str:
    """How a contract of the revision says it: the selector of a custom error, or a text with the number of the error."""
    if revision == 10:
        return str(Web3.keccak(text=f"{reason}()")[:4].to_0x_hex())
    code = error_codes()[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason).upper()]
    return f"{len(code):064x}{code.encode().hex():0<64}"


def test_amounts_and_storage_equal_the_contract_to_the_unit(run: Run) -> None:
    wrong = [(case.call.draw.aim, differences) for case in run.cases if (differences := _differences(case, case.said))]
    assert wrong == []


def _differences(case: Case, said: Liquidation | Refusal) -> list[str]:
    """What the contract did otherwise than the rule says."""
    before, after, events = case.call.before, case.call.after, case.call.events
    if events is None or isinstance(said, Refusal):
        same = events is None and isinstance(said, Refusal)
        health = aave_v3.health_factor_wad(case.position)
        if same and after.account[5] != health:
            return [f"health factor: contract {after.account[5]}, rule {health}"]
        return [] if same else [f"contract {events or 'refused'}, rule {said}"]
    taken, owed = SYMBOLS[case.collateral], SYMBOLS[case.debt]
    left = aave_v3.after(case.position, case.collateral, said)
    moved = {symbol: said.repaid_raw * (symbol == owed) - said.seized_raw * (symbol == taken) for symbol in SYMBOLS}
    expected = {
        "repaid": (events["repaid"], said.repaid_raw),
        "seized": (events["seized"], said.seized_raw),
        "treasury": (after.treasury[taken], before.treasury[taken] + said.fee_stored),
        "health factor": (after.account[5], aave_v3.health_factor_wad(left)),
    }
    for number, symbol in enumerate(SYMBOLS):
        leg = left.legs[number]
        expected |= {
            f"supply {symbol}": (after.supply[symbol], leg.supply_stored),
            f"debt {symbol}": (after.debt[symbol], leg.debt_stored),
            f"deficit {symbol}": (after.deficit[symbol], before.deficit[symbol] + said.deficit_raw[number]),
            f"cash {symbol}": (after.cash[symbol], before.cash[symbol] + moved[symbol]),
            f"counts {symbol}": (after.flags >> 2 * leg.reserve.slot + 1 & 1, int(leg.enabled)),
        }
    return [f"{name}: contract {seen}, rule {rule}" for name, (seen, rule) in expected.items() if seen != rule]


def test_the_whole_account_equals_the_contracts_answer(run: Run) -> None:
    """Collateral, debt, average threshold, average LTV and health factor of getUserAccountData after the call."""
    for case in run.cases:
        done = isinstance(case.said, Liquidation)
        position = aave_v3.after(case.position, case.collateral, case.said) if done else case.position  # type: ignore[arg-type]
        holdings = [
            accounting.Holding(
                price_raw=leg.price_raw,
                decimals=leg.decimals,
                supply_stored=leg.supply_stored,
                supply_index=leg.reserve.supply_index,
                debt_stored=leg.debt_stored,
                debt_index=leg.reserve.debt_index,
                ltv_bps=ltv,
                threshold_bps=leg.threshold_bps,
                enabled=leg.enabled,
            )
            for leg, ltv in zip(position.legs, case.ltv_bps, strict=True)
        ]
        data = accounting.account_data(holdings, run.revision)
        collateral, debt, _, threshold, ltv, health = case.call.after.account
        assert data == accounting.AccountData(collateral, debt, ltv, threshold, health)


def _notice(run: Run) -> int:
    """How many cases the rule, as it is now, answers otherwise than the contract did."""
    return sum(bool(_differences(case, case.rule())) for case in run.cases)


OTHER: dict[Rounding, Rounding] = {"half_up": "floor", "floor": "ceil", "ceil": "floor"}


@pytest.mark.parametrize("name", ROW_ROUNDINGS)
def test_a_wrong_rounding_of_the_liquidation_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = REVISIONS[run.revision]
    wrong = replace(row, **{name: OTHER[getattr(row, name)]})  # type: ignore[arg-type]
    monkeypatch.setitem(REVISIONS, run.revision, wrong)
    assert _notice(run) > 0


@pytest.mark.parametrize("name", BALANCE_ROUNDINGS)
def test_a_wrong_rounding_of_the_account_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = accounting.ROUNDINGS[run.revision]
    wrong = replace(row, **{name: OTHER[getattr(row, name)]})  # type: ignore[arg-type]
    monkeypatch.setitem(accounting.ROUNDINGS, run.revision, wrong)
    assert _notice(run) > 0


@pytest.mark.parametrize(
    "name", ["whole_position", "writes_off", "refuses_self", "average_threshold_first", "needs_own_threshold"]
)
def test_the_rule_of_another_revision_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every switch of the two tables matters: taken from the other revision, the contract disagrees."""
    other = 10 if run.revision == 1 else 1
    for table in (REVISIONS, accounting.ROUNDINGS):
        row = table[run.revision]
        if name in {field.name for field in fields(row)}:
            monkeypatch.setitem(table, run.revision, replace(row, **{name: getattr(table[other], name)}))
    assert _notice(run) > 0


def test_the_float_twin_agrees(run: Run) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold, where cases are counted."""
    ties, excused, compared = 0, 0, 0
    for case in run.cases:
        said, about = case.said, case.about
        if isinstance(said, Refusal) and said.reason in ("ReservePaused", "ReserveInactive", "SelfLiquidation"):
            continue  # does not depend on amounts
        wrong = _float_differences(case, said, about)
        tie = any(abs(margin) <= TIE for margin in about.margins.values())
        ties += tie
        excused += bool(tie and wrong)
        compared += 1
        assert tie or not wrong, (wrong, said, about)
    counted = f"{compared} compared, {ties} within 1e-9 of a threshold, {excused} of them decided otherwise"
    print(f"\n{REVISIONS[run.revision].version}: {counted}")  # noqa: T201
    assert compared > 0.85 * len(run.cases) and excused < 0.02 * len(run.cases), counted


def _float_differences(case: Case, said: Liquidation | Refusal, about: FloatOutcome) -> list[str]:
    units = 10 ** case.position.legs[case.collateral].decimals, 10 ** case.position.legs[case.debt].decimals
    if isinstance(said, Refusal):
        if said.reason == "InvalidBurnAmount":  # an amount that rounds to nothing
            small = min(about.seized * units[0], about.repaid * units[1])
            return [] if small <= FLOAT_UNITS else [f"{small} units are not nothing"]
        return [] if about.refused == said.reason else [f"{said} {about.refused}"]
    lost = sum(
        raw / 10**leg.decimals * leg.price_raw / 1e8
        for raw, leg in zip(said.deficit_raw, case.position.legs, strict=True)
    )
    unit_usd = sum(leg.price_raw / 1e8 / 10**leg.decimals for leg in case.position.legs if leg.debt_stored)
    pairs = {
        "repaid": (said.repaid_raw / units[1], about.repaid, 1 / units[1]),
        "seized": (said.seized_raw / units[0], about.seized, 1 / units[0]),
        "fee": (said.fee_raw / units[0], about.fee, 1 / units[0]),
        "deficit": (lost, about.deficit, unit_usd),
    }
    if about.refused:
        return [about.refused]
    return [
        f"{name}: exact {exact!r}, float {value!r}"
        for name, (exact, value, unit) in pairs.items()
        if abs(exact - value) > max(FLOAT_RELATIVE * abs(exact), FLOAT_UNITS * unit)
    ]


def test_the_float_health_factor_agrees(run: Run) -> None:
    for case in run.cases:
        exact = aave_v3.health_factor_wad(case.position)
        said = aave_v3_float.health_factor([_float_leg(leg, run.revision) for leg in case.position.legs], run.revision)
        assert said == pytest.approx(exact / 1e18, rel=1e-9)
