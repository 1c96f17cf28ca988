"""The toxic frontier, on markets made by hand: what liquidation cannot heal, what does not pay, what dust rules hold."""

from dataclasses import replace

import pytest

from graph.build import build
from simulations.book import Book, from_graph
from simulations.frontier import Keeping, by_market, by_position, frontiers
from simulations.rules import generic
from simulations.rules.rule import Liquidation, Refusal
from simulations.state import start
from tests.simulations.hand_made import snapshot

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


@pytest.fixture(scope="module")
def book() -> Book:
    return from_graph(build(snapshot(POSITIONS, {"ETH": 1_000.0, "USDC": 1.0})))


def test_the_frontier_is_threshold_times_one_plus_bonus(book: Book) -> None:
    low, high = frontiers(book)
    assert low == pytest.approx([0.84] * 4) and high == pytest.approx([0.84] * 4)


def test_positions_fall_on_the_right_side(book: Book) -> None:
    table = by_position(book).set_index("position_id")
    assert table["liquidatable"].to_dict() == {"healthy": False, "heals": True, "toxic": True, "tiny": True}
    assert table["toxic"].to_dict() == {"healthy": False, "heals": False, "toxic": True, "tiny": False}


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


def test_gas_and_slippage_decide_what_pays(book: Book) -> None:
    def unprofitable(keeping: Keeping) -> set[str]:
        table = by_position(book, keeping=keeping)
        return set(table.loc[table["unprofitable"], "position_id"])

    assert unprofitable(Keeping()) == set()
    assert unprofitable(Keeping(gas_usd=5.0)) == {"tiny"}
    assert unprofitable(Keeping(slippage_ratio=0.06)) == {"heals", "toxic", "tiny"}  # 1.05 x 0.94 < 1


def test_sums_by_market(book: Book) -> None:
    (market,) = by_market(book, keeping=Keeping(gas_usd=5.0))
    assert market.liquidatable_debt_usd == pytest.approx(8_800 + 9_600 + 0.9)
    assert market.toxic_debt_usd == pytest.approx(9_600) and market.unprofitable_debt_usd == pytest.approx(0.9)
    assert (market.positions, market.toxic_positions) == (3, 1)
    assert market.to_dict()["dust_held_debt_usd"] == 0.0


def test_dust_holds_only_what_every_size_leaves_as_dust(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that refuses less than 2,000 for dust holds the smallest position; the others have a size that works."""
    exact = generic.liquidate

    def strict(view: object, collateral: int, debt: int, cover: int) -> Liquidation | Refusal:
        return exact(view, collateral, debt, cover) if cover >= 2_000 * 10**6 else Refusal("MustNotLeaveDust")  # type: ignore[arg-type]

    monkeypatch.setattr(generic, "liquidate", strict)
    table = by_position(book).set_index("position_id")
    assert table["dust_held"].to_dict() == {"healthy": False, "heals": False, "toxic": False, "tiny": True}
