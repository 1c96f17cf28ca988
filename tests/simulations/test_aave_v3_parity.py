"""Our Aave rule against the deployed contracts of 3.0.2 and 3.6: the same liquidation in both, compared to the smallest unit.

The contracts' own account of what happened (receipt, stored balances, deficits, treasury, cash, health factor) is the oracle; our rule
never judges itself. 200 calls of each version in the quick tier, 2,000 in the longer one.
"""

import re
from collections import Counter
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from web3 import Web3

from chain.accounting import aave_v3 as accounting
from chain.units import Rounding
from simulations.rules import aave_v3, aave_v3_float
from simulations.rules.aave_v3_revisions import REVISIONS
from simulations.rules.rule import Liquidation, Refusal
from tests.devnet.aave_v302 import error_codes
from tests.devnet.market import RESERVES
from tests.devnet.world import World
from tests.simulations.liquidation_bench import bench_36, bench_302
from tests.simulations.liquidation_cases import Case, cases, float_differences
from tests.simulations.liquidation_laws import NEAR, require_shares, require_twin, wrong

pytestmark = pytest.mark.devnet

SEED = 11
BENCHES = {1: bench_302, 10: bench_36}
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
        return Run(revision, list(cases(bench, states, np.random.default_rng(SEED + states))))


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
    require_shares(f"Aave {REVISIONS[run.revision].version}, near {dict(near)}", total, counts, least)
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
    missed = [(case.call.draw.aim, differences) for case in run.cases if (differences := case.differences(case.said))]
    assert missed == []


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


OTHER: dict[Rounding, Rounding] = {"half_up": "floor", "floor": "ceil", "ceil": "floor"}


@pytest.mark.parametrize("name", ROW_ROUNDINGS)
def test_a_wrong_rounding_of_the_liquidation_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = REVISIONS[run.revision]
    other = replace(row, **{name: OTHER[getattr(row, name)]})  # type: ignore[arg-type]
    monkeypatch.setitem(REVISIONS, run.revision, other)
    assert wrong(run.cases)


@pytest.mark.parametrize("name", BALANCE_ROUNDINGS)
def test_a_wrong_rounding_of_the_account_is_noticed(run: Run, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = accounting.ROUNDINGS[run.revision]
    other = replace(row, **{name: OTHER[getattr(row, name)]})  # type: ignore[arg-type]
    monkeypatch.setitem(accounting.ROUNDINGS, run.revision, other)
    assert wrong(run.cases)


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
    assert wrong(run.cases)


def test_the_float_twin_agrees(run: Run) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold, where cases are counted."""
    require_twin(f"Aave {REVISIONS[run.revision].version}, float twin", run.cases, float_differences, least=0.85)


def test_the_float_health_factor_agrees(run: Run) -> None:
    for case in run.cases:
        exact = aave_v3.health_factor_wad(case.position)
        said = aave_v3_float.health_factor(case.float_legs(), run.revision)
        assert said == pytest.approx(exact / 1e18, rel=1e-9)
