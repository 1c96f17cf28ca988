"""The loop: cases that can be done by hand, both identities with planted faults, and what must hold on the sample."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import aftershock
from chain.errors import ConservationError, ConvergenceError
from simulations import health
from simulations.book_of_graph import from_graph
from simulations.cascade import run
from simulations.channels import liquidation
from simulations.ledger import Ledger
from simulations.scenarios import Assumptions, of_shocks
from simulations.shocks import parse
from simulations.state import State, start
from tests.simulations.hand_made import book, snapshot

ALICE = [("alice", "ETH", "collateral", 10.0), ("alice", "USDC", "debt", 14_000.0)]
PRICES = {"ETH": 2_000.0, "USDC": 1.0}


def cascade(held: Any, *shocks: str, **assumptions: Any) -> aftershock.CascadeResult:
    return run(held, of_shocks([parse(shock) for shock in shocks], Assumptions(**{"gas_usd": 0.0, **assumptions})))


def test_half_of_a_debt_is_repaid_by_hand() -> None:
    """HF 10 x 1,600 x 0.8 / 14,000 = 0.914; half of 14,000 repaid, 7,000 x 1.05 / 1,600 ETH taken; then HF 8,650 x 0.8 / 7,000 = 0.989: again."""
    result = cascade(book(ALICE, PRICES), "ETH=-20%")
    first = result.rounds[0].liquidations.iloc[0]
    assert first["repaid_usd"] == pytest.approx(7_000)
    assert first["seized_usd"] == pytest.approx(7_350)
    row = result.positions.iloc[0]
    assert row["health_factor_before"] == pytest.approx(20_000 * 0.8 / 14_000)
    assert row["collateral_before_usd"] == pytest.approx(20_000)
    assert row["collateral_after_usd"] == pytest.approx(16_000 - 7_350 - 3_675)
    assert row["debt_after_usd"] == pytest.approx(3_500)
    assert row["health_factor_after"] == pytest.approx((16_000 - 7_350 - 3_675) * 0.8 / 3_500)
    assert result.bad_debt_usd == 0


def test_debt_beyond_collateral_is_bad_debt_of_the_first_round() -> None:
    """At 1,200: 12,000 of collateral repays 12,000 / 1.05 of 14,000 (close factor 1); what is left has nothing behind it."""
    result = cascade(book(ALICE, PRICES, close_factor_bps=10_000), "ETH=-40%")
    assert result.direct_usd == pytest.approx(14_000 - 12_000 / 1.05, abs=1e-5)
    assert result.indirect_usd == 0
    assert result.positions.iloc[0]["loss_usd"] == pytest.approx(14_000 - 12_000 / 1.05, abs=1e-5)


def test_a_mild_shock_changes_nothing_but_prices() -> None:
    result = cascade(book(ALICE, PRICES), "ETH=-5%")
    assert (result.liquidated_usd, result.bad_debt_usd, result.calm_after) == (0, 0, 0)
    assert result.positions.iloc[0]["collateral_after_usd"] == pytest.approx(19_000)


def test_price_takers_do_not_move_the_market_and_a_closed_world_does() -> None:
    shallow = (300.0, 600_000.0)
    taker = cascade(book(ALICE, PRICES, pool=shallow), "ETH=-20%", pass_through=0.0)
    closed = cascade(book(ALICE, PRICES, pool=shallow), "ETH=-20%", pass_through=1.0)
    assert taker.rounds[-1].market_price_usd["ETH"] == pytest.approx(1_600, rel=1e-12)
    assert closed.rounds[-1].market_price_usd["ETH"] < 1_600
    assert closed.rounds[-1].market_price_usd["USDC"] == 1


def test_the_first_sale_by_hand() -> None:
    """The pool is brought to 1,600 (x y kept but for fees), then 7,000 x 1.05 / 1,600 ETH are sold into it; impact beyond the fee passes through."""
    result = cascade(book(ALICE, PRICES, pool=(1_000.0, 2_000_000.0)), "ETH=-20%", pass_through=1.0)
    sale = result.rounds[0].sales.iloc[0]
    g = 0.997
    sold_in = ((g * 1_000 * 2_000_000 / 1_600) ** 0.5 - 1_000) / g
    reserve_eth = 1_000 + sold_in
    reserve_usdc = 2_000_000 - g * sold_in * 2_000_000 / (1_000 + g * sold_in)
    x = 7_000 * 1.05 / 1_600
    out = g * x * reserve_usdc / (reserve_eth + g * x)
    assert sale["amount_in_raw"] / 1e18 == pytest.approx(x, rel=1e-9)
    assert sale["amount_out_raw"] / 1e6 == pytest.approx(out, rel=1e-9)
    after = (reserve_usdc - out) / (reserve_eth + x)
    assert result.rounds[0].market_price_usd["ETH"] == pytest.approx(min(1_600, after / g), rel=1e-6)


def test_a_keeper_without_enough_depth_waits_and_is_counted() -> None:
    result = cascade(book(ALICE, PRICES, pool=(0.001, 2.0)), "ETH=-20%")
    assert result.liquidated_usd == 0
    assert result.rounds[0].waiting == 1
    assert sum(result.rounds[0].waiting_debt_usd.values()) == pytest.approx(14_000)


def test_gas_that_costs_more_than_the_bonus_stops_keepers() -> None:
    assert cascade(book(ALICE, PRICES), "ETH=-20%", gas_usd=351.0).liquidated_usd == 0
    assert cascade(book(ALICE, PRICES), "ETH=-20%", gas_usd=349.0).liquidated_usd > 0


def test_not_calm_in_time_raises() -> None:
    with pytest.raises(ConvergenceError, match="max_rounds"):
        cascade(book(ALICE, PRICES), "ETH=-20%", max_rounds=1)


@pytest.mark.parametrize("why", ["repaid", "seized", "sale", "repaid or written off", "arbitrage"])
def test_a_movement_that_is_not_recorded_is_noticed(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    honest = Ledger.move

    def forgetful(self: Ledger, *movement: Any) -> None:
        if movement[-1] != why:
            honest(self, *movement)

    monkeypatch.setattr(Ledger, "move", forgetful)
    with pytest.raises(ConservationError):
        cascade(book(ALICE, PRICES, pool=(1_000.0, 2_000_000.0)), "ETH=-20%")


@pytest.mark.parametrize("where", ["held", "keeper", "pool0", "treasury", "supply", "debt"])
def test_a_unit_from_nowhere_is_noticed(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    honest = liquidation.carry_out

    def generous(state: State, *arguments: Any) -> None:
        honest(state, *arguments)
        getattr(state, where)[0] += 1

    monkeypatch.setattr(liquidation, "carry_out", generous)
    with pytest.raises(ConservationError):
        cascade(book(ALICE, PRICES, pool=(1_000.0, 2_000_000.0)), "ETH=-20%")


def test_the_order_of_rows_does_not_matter() -> None:
    many = [
        row
        for number in range(12)
        for row in (
            (f"p{number}", "ETH", "collateral", 1.0 + number),
            (f"p{number}", "USDC", "debt", 1_450.0 * (1 + number)),
        )
    ]
    forward, backward = (book(rows, PRICES, pool=(50.0, 100_000.0)) for rows in (many, many[::-1]))
    assert cascade(forward, "ETH=-15%").to_dict() == cascade(backward, "ETH=-15%").to_dict()


def test_two_runs_give_the_same_record_and_other_content_another_id() -> None:
    one, two = (cascade(book(ALICE, PRICES), "ETH=-20%") for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert cascade(book(ALICE, PRICES), "ETH=-21%").content_id != one.content_id
    assert snapshot(ALICE, PRICES).content_id != snapshot(ALICE, {**PRICES, "ETH": 2_001.0}).content_id


@pytest.fixture(scope="module")
def sample_result() -> aftershock.CascadeResult:
    return aftershock.simulate(aftershock.load(), "eth-30")


def test_parts_of_a_result_add_up(sample_result: aftershock.CascadeResult) -> None:
    by_market, by_position = sample_result.markets, sample_result.positions
    assert sample_result.bad_debt_usd > 0
    assert by_market["bad_debt_usd"].sum() == pytest.approx(sample_result.bad_debt_usd)
    assert by_position["loss_usd"].sum() == pytest.approx(sample_result.bad_debt_usd)
    assert by_position["liquidated_usd"].sum() == pytest.approx(sample_result.liquidated_usd)
    assert sample_result.direct_usd + sample_result.indirect_usd == pytest.approx(sample_result.bad_debt_usd)
    assert sample_result.identities.worst_residual_ratio < 1e-9


def test_nobody_is_left_below_one_without_a_reason(sample_result: aftershock.CascadeResult) -> None:
    """At the end whoever has collateral and is below 1 waits: it is counted."""
    left = sample_result.positions
    below = left[(left["health_factor_after"] < 1) & (left["collateral_after_usd"] > 0)]
    assert len(below) == sample_result.rounds[-1].waiting


def test_more_pass_through_means_at_least_as_much_bad_debt() -> None:
    held = from_graph(aftershock.graph(aftershock.load()))
    losses = [
        run(held, replace(of_shocks([parse("ETH=-20%")]), assumptions=Assumptions(pass_through=share))).bad_debt_usd
        for share in (0.0, 0.25, 0.5)
    ]
    assert losses == sorted(losses)
    assert losses[0] < losses[-1]


def test_the_at_risk_curve_rises_and_starts_where_the_book_stands() -> None:
    held = from_graph(aftershock.graph(aftershock.load()))
    curve = health.at_risk(held, "ETH", [0.0, 0.1, 0.2, 0.3])
    assert curve["liquidatable_debt_usd"].is_monotonic_increasing
    assert curve["positions"].iloc[0] == int((health.health_factors(start(held)) < 1).sum())
    assert np.isfinite(curve.to_numpy()).all()


def test_a_round_in_json_has_prices_of_one_kind(sample_result: aftershock.CascadeResult) -> None:
    """In USD per whole token, one an asset, as the world trades it; what a market believes is in its own currency and is not told."""
    names = {
        "number",
        "liquidated_usd",
        "bad_debt_usd",
        "waiting",
        "waiting_debt_usd",
        "market_price_usd",
        "liquidations",
        "sales",
    }
    record = sample_result.to_dict()
    assert all(set(step) == names for step in record["rounds"])
    assert set(record["rounds"][0]["market_price_usd"]) == set(record["market_price_before_usd"])


def test_what_a_rise_covers_again_is_relief_and_is_not_taken_off_the_bad_debt_of_others() -> None:
    """At 2,400 the 10 ETH of `deep` repay 24,000 / 1.05 of 30,000, so that 7,143 of the 10,000 stay that were under water; the 10,000 of
    `short` repay 10,000 / 1.05 of the 4.5 ETH that it owes, and 1,276 are new."""
    positions = [("deep", "ETH", "collateral", 10.0), ("deep", "USDC", "debt", 30_000.0)]
    positions += [("short", "USDC", "collateral", 10_000.0), ("short", "ETH", "debt", 4.5)]
    result = cascade(book(positions, PRICES, close_factor_bps=10_000), "ETH=+20%")
    left, new = 30_000 - 24_000 / 1.05, 4.5 * 2_400 - 10_000 / 1.05
    (row,) = result.markets.to_dict("records")
    assert row["before_usd"] == pytest.approx(10_000)
    assert result.relief_usd == row["relief_usd"] == pytest.approx(10_000 - left, abs=0.01)
    assert result.bad_debt_usd == row["bad_debt_usd"] == pytest.approx(new, abs=0.01)
    assert row["before_usd"] + row["bad_debt_usd"] - row["relief_usd"] == pytest.approx(left + new, abs=0.01)
    assert result.to_dict()["totals"]["relief_usd"] == result.relief_usd
    alone = cascade(book(positions[:2], PRICES, close_factor_bps=10_000), "ETH=+20%")
    assert alone.bad_debt_usd == 0 and alone.rounds[0].bad_debt_usd == {"file:market/hand": 0.0}
    assert (alone.positions["loss_usd"] == 0).all()
