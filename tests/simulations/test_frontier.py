"""The toxic frontier, on markets made by hand: what liquidation cannot heal, what does not pay, what dust rules hold."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import aftershock
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.channels import liquidation, offers
from simulations.frontier import after_fall, against_falls, by_market, by_position, frontiers
from simulations.health import health_factors
from simulations.rules import generic
from simulations.rules.rule import Liquidation, Refusal
from simulations.state import start
from simulations.venues import routing
from tests.simulations.hand_made import book as made
from tests.simulations.test_aave_v3_revisions import account, leg

# threshold 80 %, bonus 5 %: the frontier is 0.84. Ether is worth 1,000.
POSITIONS = [
    ("healthy", "ETH", "collateral", 10.0),
    ("healthy", "USDC", "debt", 7_000.0),
    ("heals", "ETH", "collateral", 10.0),
    ("heals", "USDC", "debt", 8_800.0),
    ("toxic", "ETH", "collateral", 10.0),
    ("toxic", "USDC", "debt", 9_600.0),
    ("tiny", "ETH", "collateral", 0.001),
    ("tiny", "USDC", "debt", 0.9),
]
PRICES = {"ETH": 1_000.0, "USDC": 1.0}


@pytest.fixture(scope="module")
def book() -> Book:
    return made(POSITIONS, PRICES)


def flagged(held: Book, flag: str, gas_usd: float = 0.0) -> set[str]:
    """Names of the positions that bear a flag at the block."""
    table = by_position(start(held), liquidation.keepers(held, gas_usd))
    return set(table.loc[table[flag].astype(bool), "position_id"])


def test_the_frontier_is_threshold_times_one_plus_bonus(book: Book) -> None:
    low, high = frontiers(book)
    assert low == pytest.approx([0.84] * 4) and high == pytest.approx([0.84] * 4)


def test_whoever_has_no_collateral_has_no_frontier() -> None:
    held = made([("bare", "USDC", "debt", 1.0), *POSITIONS[:2], ("last", "USDC", "debt", 2.0)], PRICES)
    low, high = frontiers(held)
    at = {name: held.position_ids.index(name) for name in ("bare", "healthy", "last")}
    assert low[at["healthy"]] == high[at["healthy"]] == pytest.approx(0.84)
    assert np.isnan([edge[at[name]] for edge in (low, high) for name in ("bare", "last")]).all()


def test_markets_are_asked_one_by_one_or_together_alike() -> None:
    held = from_graph(aftershock.graph(aftershock.load()))
    state, terms = after_fall(start(held), "ETH", 0.3), liquidation.keepers(held, 5.0)
    together = by_market(state, terms)
    alone = [by_market(state, terms, [market.key]) for market in held.markets]
    assert len(together) > 2 and together == tuple(one for (one,) in alone)
    key = held.markets[-1].key
    assert set(by_position(state, terms, [key])["market"]) == {key}


def test_positions_fall_on_the_right_side(book: Book) -> None:
    assert flagged(book, "liquidatable") == {"heals", "toxic", "tiny"}
    assert flagged(book, "toxic") == {"toxic"}


def test_the_edge_itself_heals_nothing_and_harms_nothing() -> None:
    """Threshold 80 %, bonus 25 %: the frontier is 1. A debt of 8,000 stands on both edges: healthy, and not beyond the frontier."""
    for debt, healthy, toxic in ((8_000.0, set(), set()), (7_999.0, set(), set()), (8_001.0, {"one"}, {"one"})):
        held = made([("one", "ETH", "collateral", 10.0), ("one", "USDC", "debt", debt)], PRICES, bonus_bps=12_500)
        assert (flagged(held, "liquidatable"), flagged(held, "toxic")) == (healthy, toxic)


def test_healthy_and_already_beyond_the_frontier() -> None:
    """Threshold 80 %, bonus 30 %: the frontier is 1.04. Health 8,000 / 7,800 = 1.026 lies below it, 8,000 / 7,600 = 1.053 above."""
    rows = [(name, asset, side, amount) for name, debt in (("in", 7_800.0), ("out", 7_600.0))
            for asset, side, amount in (("ETH", "collateral", 10.0), ("USDC", "debt", debt))]  # fmt: skip
    held = made(rows, PRICES, bonus_bps=13_000)
    assert flagged(held, "healthy_toxic") == {"in"} and flagged(held, "liquidatable") == set()
    (market,) = by_market(start(held), liquidation.keepers(held, 0.0))
    assert market.healthy_toxic_debt_usd == pytest.approx(7_800)


def test_two_collaterals_on_two_sides() -> None:
    """Thresholds of 80 % on both, bonuses of 5 and 25 %: frontiers 0.84 and 1. Health 0.8 x 10,000 / 8,800 = 0.909 lies between."""
    rows = [
        ("both", "ETH", "collateral", 5.0),
        ("both", "STETH", "collateral", 5.0),
        ("both", "USDC", "debt", 8_800.0),
    ]
    held = made(rows, {**PRICES, "STETH": 1_000.0})
    bonus = held.leg_bonus_bps.copy()
    bonus[1] = 12_500
    low, high = frontiers(replace(held, leg_bonus_bps=bonus))
    assert (low[0], high[0]) == pytest.approx((0.84, 1.0))
    assert flagged(replace(held, leg_bonus_bps=bonus), "partly_toxic") == {"both"}
    assert flagged(replace(held, leg_bonus_bps=bonus), "toxic") == set() == flagged(held, "partly_toxic")


@pytest.mark.parametrize("name", ["heals", "toxic"])
def test_the_sign_agrees_with_what_a_liquidation_does(book: Book, name: str) -> None:
    """The rule carries out a small liquidation; health is recomputed from what is left."""
    number = book.position_ids.index(name)
    view = start(book).position(number)
    collateral, debt = (1, 0) if view.legs[0].debt_stored else (0, 1)
    before = generic.health_factor_wad(view)
    done = generic.liquidate(view, collateral, debt, generic.debt_raw(view, debt) // 10)
    assert isinstance(done, Liquidation)
    legs = list(view.legs)
    legs[collateral] = replace(legs[collateral], supply_stored=legs[collateral].supply_stored - done.supply_burnt)
    legs[debt] = replace(legs[debt], debt_stored=legs[debt].debt_stored - done.debt_burnt[debt])
    after = generic.health_factor_wad(replace(view, legs=tuple(legs)))
    assert (after > before) == (name == "heals")


def test_gas_decides_what_pays(book: Book) -> None:
    """No pool: the outside buys at the market price, so half of each debt earns 5 %: 220, 240 (both of one debt's half), and 0.0225."""
    assert flagged(book, "unprofitable") == set()
    assert flagged(book, "unprofitable", gas_usd=0.0226) == {"tiny"}
    assert flagged(book, "unprofitable", gas_usd=0.0224) == set()
    assert flagged(book, "unprofitable", gas_usd=230.0) == {"tiny", "heals"}
    assert flagged(book, "unprofitable", gas_usd=250.0) == {"tiny", "heals", "toxic"}


def test_slippage_is_what_the_pools_take() -> None:
    """Constant product, fee 0.3 %: selling s of a reserve R loses s / R and the fee. The least that is tried is 8,800 / 2 / 32 = 137.5,
    so 0.144375 ETH are sold: 0.997 x 0.144375 x 1,000 R / (R + 0.997 x 0.144375) is above 137.5 where R is above 3.07.
    """
    one = POSITIONS[2:4]
    sold = 0.997 * 137.5 * 1.05 / 1_000
    edge = sold * 137.5 / (1_000 * sold - 137.5)
    for reserve, unprofitable in ((edge * 0.999, {"heals"}), (edge * 1.001, set())):
        held = made(one, PRICES, pool=(reserve, 1_000.0 * reserve))
        assert flagged(held, "unprofitable") == unprofitable, reserve


def test_sums_by_market(book: Book) -> None:
    (market,) = by_market(start(book), liquidation.keepers(book, 5.0))
    assert market.liquidatable_debt_usd == pytest.approx(8_800 + 9_600 + 0.9)
    assert market.toxic_debt_usd == pytest.approx(9_600) and market.unprofitable_debt_usd == pytest.approx(0.9)
    assert (market.positions, market.toxic_positions) == (3, 1)
    assert market.to_dict()["dust_held_debt_usd"] == market.refused_debt_usd == 0.0


def test_a_fall_moves_positions_over_both_edges(book: Book) -> None:
    """At 850, health of the first is 6,800 / 7,000 = 0.971 and of the second 6,800 / 8,800 = 0.773: past the frontier."""
    (_, (now,)), (fall, (later,)) = against_falls(book, "ETH", (0.0, 0.15), 5.0)
    assert now == by_market(start(book), liquidation.keepers(book, 5.0))[0] and fall == 0.15
    assert health_factors(after_fall(start(book), "ETH", 0.15))[book.position_ids.index("healthy")] == pytest.approx(
        6.8 / 7
    )
    assert later.liquidatable_debt_usd == pytest.approx(7_000 + 8_800 + 9_600 + 0.9)
    assert later.toxic_debt_usd == pytest.approx(8_800 + 9_600 + 0.9)


def only_above(least: int, reason: str, exact: Any) -> Any:
    """The exact rule, refusing what repays less than `least`."""

    def strict(view: object, collateral: int, debt: int, cover: int) -> Liquidation | Refusal:
        return exact(view, collateral, debt, cover) if cover >= least else Refusal(reason)

    return strict


def test_dust_holds_only_what_every_size_leaves_as_dust(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that refuses less than 2,000 for dust holds the smallest position; the others have a size that works."""
    monkeypatch.setattr(generic, "liquidate", only_above(2_000 * 10**6, "MustNotLeaveDust", generic.liquidate))
    assert flagged(book, "dust_held", 1.0) == {"tiny"}
    assert flagged(book, "refused", 1.0) == set() == flagged(book, "unprofitable", 1.0)


def test_other_refusals_are_no_dust(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generic, "liquidate", only_above(2_000 * 10**6, "ReservePaused", generic.liquidate))
    assert flagged(book, "refused", 1.0) == {"tiny"} and flagged(book, "dust_held", 1.0) == set()


def test_a_size_refused_for_dust_does_not_end_the_keepers_search() -> None:
    """Aave from 3.3: $2,100 owed here and $1,900 elsewhere. Half of both is 2,000, which would leave $100; 1,050 leaves 1,050 and is done."""
    from simulations.rules import aave_v3

    position = account(10, leg(0, 490_000), leg(1, debt=210_000), leg(2, debt=190_000))
    assert aave_v3.health_factor_wad(position) == 98 * 10**16
    assert aave_v3.liquidate(position, 0, 1, 210_000) == Refusal("MustNotLeaveDust")
    assert isinstance(aave_v3.liquidate(position, 0, 1, 105_000), Liquidation)


def test_the_keeper_goes_on_to_the_size_that_works(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = generic.liquidate

    def no_large(view: Any, collateral: int, debt: int, cover: int) -> Liquidation | Refusal:
        return exact(view, collateral, debt, cover) if cover <= 2_500 * 10**6 else Refusal("MustNotLeaveDust")

    monkeypatch.setattr(generic, "liquidate", no_large)
    state, terms = start(book), liquidation.keepers(book, 5.0)
    offer = offers.best_offer(state, terms, offers.Asked(state, terms, book.position_ids.index("heals")))
    assert offer is not None and offer.outcome.repaid_raw == 2_200 * 10**6


@pytest.mark.parametrize("richer", [0, 1])
def test_the_keeper_takes_the_collateral_that_brings_more(richer: int) -> None:
    """Half of 9,800 is repaid; the outside pays market prices, so a bonus of 5 % brings 245 and one of 10 % brings 490, less gas."""
    rows = [("both", "ETH", "collateral", 6.0), ("both", "STETH", "collateral", 6.0), ("both", "USDC", "debt", 9_800.0)]
    held = made(rows, {**PRICES, "STETH": 1_000.0})
    bonus = held.leg_bonus_bps.copy()
    bonus[richer] = 11_000
    held = replace(held, leg_bonus_bps=bonus)
    state, terms = start(held), liquidation.keepers(held, 5.0)
    asked = offers.Asked(state, terms, 0)
    offer = offers.best_offer(state, terms, asked)
    assert offer is not None and offer.collateral == richer
    assert offer.profit_usd == pytest.approx(4_900 * 0.10 - 5)
    assert sorted(one.profit_usd for one in offers.best_by_pair(state, terms, asked, routing.best)) == pytest.approx(
        [4_900 * 0.05 - 5, 4_900 * 0.10 - 5]
    )


def test_what_is_lent_and_not_posted_counts_nowhere() -> None:
    """10 ETH posted at 80 % and 5 STETH only lent, against 8,800: health 8,000 / 8,800, the frontier of ETH alone, and no keeper may take STETH, whose bonus is five times as large."""
    rows = [("one", "ETH", "collateral", 10.0), ("one", "STETH", "supply", 5.0), ("one", "USDC", "debt", 8_800.0)]
    held = made(rows, {**PRICES, "STETH": 1_000.0})
    bonus = held.leg_bonus_bps.copy()
    bonus[[held.assets[held.reserves[slot].asset].symbol == "STETH" for slot in held.leg_reserve]] = 12_500
    held = replace(held, leg_bonus_bps=bonus)
    state, terms = start(held), liquidation.keepers(held, 0.0)
    assert health_factors(state).tolist() == pytest.approx([8_000 / 8_800])
    assert [edge.tolist() for edge in frontiers(held)] == [[pytest.approx(0.84)]] * 2
    asked = offers.Asked(state, terms, 0)
    [offer] = offers.best_by_pair(state, terms, asked, routing.best)
    assert offer.profit_usd == pytest.approx(4_400 * 0.05)
    lent = next(number for number, leg in enumerate(asked.view.legs) if leg.supply_stored and not leg.enabled)
    owed = next(number for number, leg in enumerate(asked.view.legs) if leg.debt_stored)
    assert isinstance(asked.liquidate(lent, owed, 10**6), Refusal)
