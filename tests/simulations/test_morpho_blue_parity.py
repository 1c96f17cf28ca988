"""Our Morpho Blue rule and its float twin against the deployed contract: receipts, storage, tokens and health to the smallest unit.

Interest accrues inside the call, after up to 10,000,000 seconds. A market has one collateral by design and Morpho Blue has no pause, so neither
several collaterals nor paused states can be drawn.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chain.accounting import morpho_blue as accounting
from chain.units import WAD, Rounding, mul_div
from simulations.rules import morpho_blue, morpho_blue_float
from simulations.rules.rule import Liquidation, Refusal
from tests.devnet.availability import require_devnet
from tests.devnet.node import Node
from tests.simulations.liquidation_bench_morpho import Bench, Case, position_of
from tests.simulations.liquidation_draws_morpho import MARKETS
from tests.simulations.liquidation_laws import beyond, near, require_reasons, require_shares, require_twin, wrong

pytestmark = pytest.mark.devnet

SEED = 5
THRESHOLDS = ("health factor 1", "collateral just enough", "the whole debt")
REASONS = {
    "market not created",
    "inconsistent input",
    "position is healthy",
    "max uint128 exceeded",
    "Panic(0x11)",
    "Panic(0x12)",
}
OF_AMOUNTS = {"position is healthy", "Panic(0x11)"}


@pytest.fixture(
    scope="module", params=[pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.verify)]
)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Seeded random liquidations in four markets."""
    require_devnet()
    with Node() as node:
        return list(Bench(node).cases(request.param, np.random.default_rng(SEED)))


def test_the_draws_are_hard(cases: list[Case]) -> None:
    done = [case for case in cases if case.events]
    counts = {
        "within 1 % of a threshold": sum(bool(near(case.about, THRESHOLDS)) for case in cases),
        "6 decimals": sum(6 in MARKETS[case.draw.market][1] for case in cases),
        "18 decimals": sum(18 in MARKETS[case.draw.market][1] for case in cases),
        "interest in the call": sum(case.found.borrow_assets > case.draw.totals.borrow_assets for case in cases),
        "liquidated": len(done),
        "exactly on the threshold": sum(morpho_blue.health_factor_wad(case.position) == WAD for case in cases),
        "by seizing": sum(case.draw.seized > 0 for case in done),
        "by repaying": sum(case.draw.shares > 0 for case in done),
        "bad debt": sum(bool(case.events and case.events[3]) for case in done),
        "by the borrower": sum(case.draw.by_borrower for case in done),
        "healthy after": sum(bool(case.after.healthy) for case in done),
    } | {name: sum(name in near(case.about, [name]) for case in cases) for name in THRESHOLDS}
    least = dict.fromkeys(THRESHOLDS, 0.04) | {
        "within 1 % of a threshold": 0.3, "6 decimals": 0.2, "18 decimals": 0.2, "interest in the call": 0.9, "exactly on the threshold": 0.005, "liquidated": 0.4,
        "by seizing": 0.15, "by repaying": 0.15, "bad debt": 0.05, "by the borrower": 0.005, "healthy after": 0.02,
    }  # fmt: skip
    require_shares("Morpho Blue", len(cases), counts, least)


def test_receipt_storage_and_health_equal_the_rule_to_the_unit(cases: list[Case]) -> None:
    """Repaid, seized, bad debt, shares, totals, tokens moved, and the health factor from storage, which the contract agrees with."""
    assert wrong(cases) == []


def test_refusals_are_predicted_with_their_reason(cases: list[Case]) -> None:
    require_reasons(cases, REASONS)
    assert all(case.said == Refusal(case.refusal) for case in cases if case.refusal)


def test_without_the_interest_of_the_call_the_contract_is_missed(cases: list[Case]) -> None:
    stale = [replace(case, position=position_of(case.draw, case.draw.totals)) for case in cases]
    assert len(wrong(stale)) > len(cases) / 5


def _turned(before: Rounding, now: Rounding, exact: Callable[..., int]) -> Callable[..., int]:
    def other(a: int, b: int, denominator: int, rounding: Rounding = "floor") -> int:
        return exact(a, b, denominator, now if rounding == before else rounding)

    return other


@pytest.mark.parametrize(
    ("module", "name", "before", "now"),
    [
        (morpho_blue, "mul_div", "ceil", "floor"),
        (morpho_blue, "mul_div", "floor", "ceil"),
        (morpho_blue, "to_assets", "ceil", "floor"),
        (morpho_blue, "to_assets", "floor", "ceil"),
        (morpho_blue, "to_shares", "ceil", "floor"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_wrong_rounding_is_noticed(
    cases: list[Case], module: Any, name: str, before: Rounding, now: Rounding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, _turned(before, now, getattr(module, name)))
    assert wrong(cases)


def test_a_wrong_rounding_of_the_interest_is_noticed(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "mul_div", _turned("floor", "ceil", mul_div))
    assert any(
        accounting.accrue(case.draw.totals, case.rate, case.after.now) != case.found
        for case in cases
        if case.rate is not None
    )


def test_the_float_twin_agrees(cases: list[Case]) -> None:
    """Amounts within 1e-9 or two smallest units; decisions equal except within 1e-9 of a threshold."""
    require_twin("Morpho Blue, float twin", cases, float_differences)


def float_differences(case: Case) -> list[str] | None:
    """What the twin says otherwise than the integers; None where the decision does not depend on amounts."""
    said, about = case.said, case.about
    if isinstance(said, Refusal):
        if said.reason not in OF_AMOUNTS:
            return None
        return [] if about.refused == said.reason else [f"{said} {about.refused}"]
    if about.refused:
        return [about.refused]
    assert isinstance(said, Liquidation)
    unit_c, unit_d = (10**leg.decimals for leg in case.position.legs)
    pairs = {
        "repaid": (said.repaid_raw / unit_d, about.repaid, 1 / unit_d),
        "seized": (said.seized_raw / unit_c, about.seized, 1 / unit_c),
        "bad debt": (said.deficit_raw[1] / unit_d, about.deficit, 1 / unit_d),
    }
    return [
        f"{name}: {exact!r} {value!r}" for name, (exact, value, unit) in pairs.items() if beyond(exact, value, unit)
    ]


def test_the_float_health_factor_agrees(cases: list[Case]) -> None:
    for case in cases:
        exact = morpho_blue.health_factor_wad(case.position)
        said = morpho_blue_float.health_factor(case.float_account())
        assert said == (np.inf if exact == 2**256 - 1 else pytest.approx(exact / 1e18, rel=1e-9))
