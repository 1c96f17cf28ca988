"""Our Compound V2 rule and its float twin against the deployed contract: events, storage and the account's liquidity to the smallest unit.

Interest accrues inside the call, in two of five markets, after up to 200,000 blocks.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from chain.accounting import compound_v2 as accounting
from chain.units import BPS_TO_WAD
from simulations.rules import compound_v2, compound_v2_float
from simulations.rules.rule import Leg, Liquidation, Refusal
from tests.devnet.availability import require_devnet
from tests.devnet.compound_v2 import TOKENS
from tests.devnet.node import Node
from tests.simulations.liquidation_bench_compound import NODE_OPTIONS, REVERTS, Bench, Case, position_of
from tests.simulations.liquidation_laws import beyond, near, require_reasons, require_shares, require_twin, wrong

pytestmark = pytest.mark.devnet

SEED = 3
THRESHOLDS = ("health factor 1", "collateral just enough", "close factor")
SOFT = {
    "MARKET_NOT_LISTED",
    "PRICE_ERROR",
    "INSUFFICIENT_SHORTFALL",
    "TOO_MUCH_REPAY",
    "LIQUIDATE_LIQUIDATOR_IS_BORROWER",
    "LIQUIDATE_CLOSE_AMOUNT_IS_ZERO",
}
OF_AMOUNTS = {
    "INSUFFICIENT_SHORTFALL",
    "TOO_MUCH_REPAY",
    "LIQUIDATE_CLOSE_AMOUNT_IS_ZERO",
    "LIQUIDATE_SEIZE_TOO_MUCH",
}


@pytest.fixture(
    scope="module", params=[pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.verify)]
)
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """Seeded random liquidations."""
    require_devnet()
    with Node(NODE_OPTIONS) as node:
        return list(Bench(node).cases(request.param, np.random.default_rng(SEED)))


def test_the_draws_are_hard(cases: list[Case]) -> None:
    done = [case for case in cases if case.events]
    counts = {
        "within 1 % of a threshold": sum(bool(near(case.about, THRESHOLDS)) for case in cases),
        "three or more collaterals": sum(len(set(case.draw.ctokens) & set(case.draw.entered)) >= 3 for case in cases),
        "6 decimals": sum(_decimals(case, 6) for case in cases),
        "18 decimals": sum(_decimals(case, 18) for case in cases),
        "interest in the call": sum(_grew(case) for case in cases),
        "liquidated": len(done),
        "exactly on the threshold": sum(len(set(compound_v2.liquidity(case.position))) == 1 for case in cases),
        "took what was not entered": sum(case.draw.collateral not in case.draw.entered for case in done),
        "all collateral but a cToken taken": sum(_left(case) <= 1 for case in done),
        "repaid in the market it took from": sum(case.collateral == case.debt for case in done),
    } | {name: sum(name in near(case.about, [name]) for case in cases) for name in THRESHOLDS}
    least = dict.fromkeys(THRESHOLDS, 0.04) | {
        "within 1 % of a threshold": 0.3, "three or more collaterals": 0.2, "6 decimals": 0.2, "18 decimals": 0.2, "interest in the call": 0.99, "exactly on the threshold": 0.005,
        "liquidated": 0.4, "took what was not entered": 0.005, "all collateral but a cToken taken": 0.005, "repaid in the market it took from": 0.02,
    }  # fmt: skip
    require_shares("Compound V2", len(cases), counts, least)


def _decimals(case: Case, decimals: int) -> bool:
    return decimals in (TOKENS[case.draw.collateral][0], TOKENS[case.draw.owed][0])


def _grew(case: Case) -> bool:
    return all(
        case.found[s].borrow_index > case.draw.markets[s].borrow_index for s in (case.draw.owed, case.draw.collateral)
    )


def _left(case: Case) -> int:
    return case.after.held[case.draw.collateral]


def test_events_storage_and_liquidity_equal_the_rule_to_the_unit(cases: list[Case]) -> None:
    """Repaid, seized, the protocol's share, every market's totals and indices, balances, debts and getAccountLiquidity after the call."""
    assert wrong(cases) == []


def test_refusals_are_predicted_with_their_reason(cases: list[Case]) -> None:
    """Soft failures by the numbers of their event, reverts by their text; that each was predicted is part of the comparison above."""
    require_reasons(cases, SOFT | set(REVERTS))
    assert all(case.said == Refusal(case.refusal) for case in cases if case.refusal)


def test_a_market_that_the_call_does_not_touch_keeps_its_old_index(cases: list[Case]) -> None:
    """Accrued everywhere, as it is tempting to do, the contract's liquidity is missed."""
    all_accrued = [replace(case, position=position_of(case.draw, case.everywhere)) for case in cases]
    assert len(wrong(all_accrued)) > len(cases) / 5


def _ceiled(exact: Callable[..., int]) -> Callable[..., int]:
    return lambda *given: exact(*given) + 1


@pytest.mark.parametrize(
    ("module", "name"),
    [(compound_v2, "_ratio"), (compound_v2, "_most"), (accounting, "exchange_rate"), (accounting, "borrow_balance")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_value_rounded_up_is_noticed(
    cases: list[Case], module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, _ceiled(getattr(module, name)))
    assert wrong(cases)


def test_one_fraction_instead_of_truncations_is_noticed(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    def one_fraction(taken: Leg, owed: Leg) -> Fraction:
        below = taken.price_raw * taken.reserve.supply_index
        above = taken.bonus_bps * BPS_TO_WAD * owed.price_raw * taken.reserve.supply_unit
        return Fraction(above, below) if below else Fraction(0)

    monkeypatch.setattr(compound_v2, "_ratio", one_fraction)
    assert wrong(cases)


def test_the_float_twin_agrees(cases: list[Case]) -> None:
    """Amounts within 1e-9 or two smallest units, in cTokens and in the token; decisions equal except within 1e-9 of a threshold."""
    require_twin("Compound V2, float twin", cases, float_differences)


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
    unit_c, unit_d = (10 ** case.position.legs[number].decimals for number in (case.collateral, case.debt))
    pairs = {
        "repaid": (said.repaid_raw / unit_d, about.repaid, 1 / unit_d),
        "seized": (said.seized_raw / unit_c, about.seized, 1 / unit_c),
        "fee": (said.fee_raw / unit_c, about.fee, 1 / unit_c),
        "cTokens seized": (said.supply_burnt / 1e8, about.seized_ctokens, 1e-8),
        "cTokens of the fee": (said.fee_stored / 1e8, about.fee_ctokens, 1e-8),
    }
    return [
        f"{name}: {exact!r} {value!r}" for name, (exact, value, unit) in pairs.items() if beyond(exact, value, unit)
    ]


def test_the_float_health_factor_agrees(cases: list[Case]) -> None:
    for case in cases:
        exact = compound_v2.health_factor_wad(case.position)
        said = compound_v2_float.health_factor(case.float_legs())
        assert said == (np.inf if exact == 2**256 - 1 else pytest.approx(exact / 1e18, rel=1e-9))
