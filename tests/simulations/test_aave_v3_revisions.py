"""The table of Aave V3 revisions: accounts worked out by hand where rows part, exact boundaries, and that unchecked rows are said aloud.

Prices are whole dollars with 8 decimals, indices 1, tokens without decimals unless said, so that every figure can be checked in the head.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import aftershock
from aftershock.cli.cascade import show
from aftershock.cli.terminal import Page
from chain.accounting.aave_v3 import ROUNDINGS
from chain.errors import InputError
from chain.units import RAY, WAD
from simulations import cascade
from simulations.book import Book, Reserve
from simulations.book_of_graph import from_graph
from simulations.rules import aave_v3, notes
from simulations.rules.aave_v3_float import FloatLeg
from simulations.rules.aave_v3_float import liquidate as float_liquidate
from simulations.rules.aave_v3_revisions import REVISIONS
from simulations.rules.rule import Leg, Liquidation, Position, Refusal
from simulations.scenarios import Scenario
from simulations.shocks import PriceShock
from tests.core_sample import core

COVERAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
ALL = 2**256 - 1
DOLLAR = 10**8
CENTS = 2


def reserve(slot: int, threshold_bps: int, bonus_bps: int, fee_bps: int) -> Reserve:
    """An active reserve with indices of 1."""
    return Reserve(
        market=0, asset=slot, slot=slot, supply_index=RAY, supply_unit=RAY, debt_index=RAY, debt_unit=RAY, held_raw=0,
        treasury_stored=0, threshold_bps=threshold_bps, bonus_bps=bonus_bps, fee_bps=fee_bps, close_factor_bps=None, active=True,
        paused=False, grace_until=0, price_raw=0, price_decimals=8, driver=0, fixed_price=False, deviation_bps=0,
    )  # fmt: skip


def leg(
    slot: int,
    supply: int = 0,
    debt: int = 0,
    price: int = DOLLAR,
    threshold_bps: int = 8_000,
    bonus_bps: int = 10_500,
    fee_bps: int = 0,
) -> Leg:
    """One leg in cents of a token."""
    return Leg(
        reserve(slot, threshold_bps, bonus_bps, fee_bps), CENTS, 10**30, supply, debt, supply > 0, threshold_bps, bonus_bps, price
    )  # fmt: skip


def account(revision: int, *legs: Leg) -> Position:
    """An account of a market of some revision."""
    return Position(legs, revision, 1)


@pytest.mark.parametrize("revision", REVISIONS)
def test_how_much_of_a_large_debt_may_be_repaid(revision: int) -> None:
    # $10,000 at 80 % against $6,000 and $2,400 of debt: health factor 0.952, so half. Half of the reserve's debt is $3,000, of all debt $4,200.
    position = account(revision, leg(0, 1_000_000), leg(1, debt=600_000), leg(2, debt=240_000))
    done = aave_v3.liquidate(position, 0, 1, ALL)
    assert isinstance(done, Liquidation)
    assert done.repaid_raw == (300_000 if revision < 7 else 420_000)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_supply_that_is_not_posted_neither_counts_nor_can_be_taken(revision: int) -> None:
    # $10,000 at 80 % against $10,000 is 0.8, whatever else is lent without being posted
    lent = replace(leg(1, 500_000), enabled=False)
    position = account(revision, leg(0, 1_000_000), lent, leg(2, debt=1_000_000))
    assert aave_v3.health_factor_wad(position) == 8 * WAD // 10
    assert aave_v3.liquidate(position, 1, 2, ALL) == Refusal("CollateralCannotBeLiquidated")
    assert isinstance(aave_v3.liquidate(position, 0, 2, ALL), Liquidation)


@pytest.mark.parametrize("revision", REVISIONS)
def test_small_positions_are_taken_whole_since_3_3(revision: int) -> None:
    # $1,999.99 of debt is under 2,000: all of it may go; before, half. At $2,000.00 it is half again, which leaves $1,000 and is allowed.
    for debt, whole in ((199_999, True), (200_000, False)):
        position = account(revision, leg(0, 240_000), leg(1, debt=debt))
        done = aave_v3.liquidate(position, 0, 1, ALL)
        assert isinstance(done, Liquidation)
        assert done.repaid_raw == (debt if whole and revision >= 7 else (debt + 1) // 2)


@pytest.mark.parametrize("revision", REVISIONS)
def test_dust_may_not_be_left_since_3_3(revision: int) -> None:
    # $2,400 of collateral, $2,400 of debt (health factor 0.8): repaying all but $1,000.00 is allowed, all but $999.99 is not.
    position = account(revision, leg(0, 300_000), leg(1, debt=300_000))
    assert isinstance(aave_v3.liquidate(position, 0, 1, 180_000), Liquidation)
    left_alone = aave_v3.liquidate(position, 0, 1, 200_001)
    assert left_alone == Refusal("MustNotLeaveDust") if revision >= 7 else isinstance(left_alone, Liquidation)


@pytest.mark.parametrize("revision", REVISIONS)
def test_debt_without_collateral_stays_until_3_2_and_becomes_a_deficit_since_3_3(revision: int) -> None:
    # $105 of collateral, bonus 5 %: it pays for $100 of a debt of $150 and of another of $7.
    position = account(revision, leg(0, 10_500), leg(1, debt=15_000), leg(2, debt=700))
    done = aave_v3.liquidate(position, 0, 1, ALL)
    assert isinstance(done, Liquidation)
    assert (done.repaid_raw, done.seized_raw) == (10_000, 10_500)
    assert done.deficit_raw == ((0, 0, 0) if revision < 7 else (0, 5_000, 700))
    assert done.debt_burnt == ((0, 10_000, 0) if revision < 7 else (0, 15_000, 700))


@pytest.mark.parametrize(("revision", "lost"), [(10, 5_000), (11, 0)])
def test_worthless_collateral_counts_as_left_since_3_7(revision: int, lost: int) -> None:
    # One cent of a token at a price of 1e-8 is worth nothing: to 3.6 the account is empty, from 3.7 a unit is left and the debt stays.
    position = account(revision, leg(0, 10_500), leg(1, debt=15_000), leg(2, supply=1, price=1))
    done = aave_v3.liquidate(position, 0, 1, ALL)
    assert isinstance(done, Liquidation) and sum(done.deficit_raw) == lost


def test_3_7_rounds_what_is_taken_against_the_liquidator() -> None:
    # For 111 cents at 5 % bonus: 116.55, half up 117, down 116. Of 117, 111.4 are without bonus, half up 111: bonus 6, a tenth is 0.6,
    # half up 1. Of 116, 110.5 are without bonus, down 110: bonus 6, a tenth is 0.6, up 1. For 84 cents: 88.2, 88; without bonus 83.8,
    # half up 84, bonus 4, fee 0.4, half up 0; down 83, bonus 5, fee 0.5, up 1.
    seen = {}
    for revision in (10, 11):
        position = account(revision, leg(0, 500_000, fee_bps=1_000), leg(1, debt=450_000))
        outcomes = [aave_v3.liquidate(position, 0, 1, cover) for cover in (111, 84)]
        seen[revision] = [(one.seized_raw, one.fee_raw) for one in outcomes if isinstance(one, Liquidation)]
    assert seen == {10: [(116, 1), (88, 0)], 11: [(115, 1), (87, 1)]}


@pytest.mark.parametrize(("revision", "refused"), [(1, False), (7, False), (8, True), (10, True), (11, True)])
def test_a_borrower_may_liquidate_himself_until_3_3(revision: int, refused: bool) -> None:
    done = aave_v3.liquidate(account(revision, leg(0, 10_500), leg(1, debt=15_000)), 0, 1, ALL, by_borrower=True)
    assert (done == Refusal("SelfLiquidation")) is refused


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_health_factor_of_exactly_one_is_healthy_and_of_exactly_0_95_is_not_halved(revision: int) -> None:
    # $10,000 at 80 % is 8,000: a debt of 8,000.00 is healthy, of 8,000.01 is not. $9,500 at 80 % over 8,000 is 0.95.
    healthy, not_quite = (account(revision, leg(0, 1_000_000), leg(1, debt=debt)) for debt in (800_000, 800_001))
    assert aave_v3.health_factor_wad(healthy) == WAD
    assert aave_v3.liquidate(healthy, 0, 1, ALL) == Refusal("HealthFactorNotBelowThreshold")
    assert isinstance(aave_v3.liquidate(not_quite, 0, 1, ALL), Liquidation)
    at_limit = account(revision, leg(0, 950_000), leg(1, debt=800_000))
    above = account(revision, leg(0, 950_100), leg(1, debt=800_000))
    assert aave_v3.health_factor_wad(at_limit) == 95 * WAD // 100
    repaid = [
        done.repaid_raw
        for one in (at_limit, above)
        if isinstance(done := aave_v3.liquidate(one, 0, 1, ALL), Liquidation)
    ]
    assert repaid == [800_000, 400_000]


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_float_twin_reads_the_same_table(revision: int) -> None:
    position = account(revision, leg(0, 10_500), leg(1, debt=15_000), leg(2, debt=700))
    legs = [
        FloatLeg(one.supply_stored / 100, one.debt_stored / 100, 1.0, one.enabled, 0.8, 1.05, 0.0, 0.01)
        for one in position.legs
    ]
    about = float_liquidate(legs, 0, 1, 1e9, revision)
    assert (about.repaid, about.seized, about.deficit) == pytest.approx((100, 105, 0 if revision < 7 else 57))


def test_what_is_not_in_the_table_is_refused() -> None:
    for revision in (2, 12, None):
        with pytest.raises(InputError, match="written are 1, 4, 5, 6, 7, 8, 9, 10, 11"):
            aave_v3.require_revision(revision)


def test_the_coverage_page_says_what_the_tables_say() -> None:
    said = re.findall(
        r"^\| (\d+) \| (\S+) \| (\w+) \| (\w+) \|$", COVERAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    word = {True: "compared", False: "unchecked"}
    assert said == [
        (str(revision), row.version, word[row.checked], word[ROUNDINGS[revision].checked])
        for revision, row in REVISIONS.items()
    ]
    assert list(REVISIONS) == list(ROUNDINGS)
    assert [row.version for row in REVISIONS.values()] == [row.version for row in ROUNDINGS.values()]


@pytest.fixture(scope="module")
def sample() -> Book:
    """The embedded sample: one market of revision 10."""
    return from_graph(aftershock.graph(core()))


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_unchecked_row_says_so(sample: Book, revision: int) -> None:
    markets = [replace(sample.markets[0], revision=revision)]
    assert bool(notes(markets)) is not REVISIONS[revision].checked
    for sentence in notes(markets):
        assert f"POOL_REVISION {revision}" in sentence and "not compared" in sentence


def test_a_run_with_an_unchecked_row_carries_the_note_to_screen_and_json(
    sample: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = Scenario("fall", "ETH falls", (PriceShock("ETH", -0.1),))
    assert cascade.run(sample, scenario).notes == ()
    result = cascade.run(replace(sample, markets=(replace(sample.markets[0], revision=11),)), scenario)
    assert len(result.notes) == 1 and result.to_dict()["notes"] == list(result.notes)
    show(Page(), result, aftershock.graph(aftershock.load()))
    assert "not compared with a running contract" in re.sub(r"\s+", " ", capsys.readouterr().out)
