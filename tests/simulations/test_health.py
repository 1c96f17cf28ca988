"""The float health that screens positions sees what the exact rule sees: an average threshold cut to whole basis points, where the rule cuts it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chain.files.book_file import read_book
from chain.units import RAY, WAD
from graph.build import build
from simulations.book import Book
from simulations.book_of_graph import from_graph
from simulations.channels.liquidation import keepers, liquidatable
from simulations.health import at_risk, by_position, health_factors
from simulations.rules import FAMILIES
from simulations.state import start
from tests.simulations.hand_made import book as made

# Two collaterals of 100 with thresholds 80.01 % and 80 %: the average of 80.005 % is cut to 80 %, and 160.005 is owed.
ROWS = """market,position_id,asset,side,amount,price,threshold_bps
m,between,AAA,collateral,100,1,8001
m,between,BBB,collateral,100,1,8000
m,between,USD1,debt,160.005,1,
m,above,AAA,collateral,100,1,8001
m,above,BBB,collateral,100,1,8000
m,above,USD1,debt,159.99,1,
m,without,BBB,collateral,5,1,8000
m,nothing,USD1,debt,1,1,
"""
UNCUT, CUT = (200 * 0.80005 / 160.005, 200 * 0.8 / 160.005)


def book(folder: Path, family: str, revision: int | None) -> Book:
    """The rows as a market of a protocol; amounts as stored units at an index of one."""
    (folder / "book.csv").write_text(ROWS, encoding="utf-8")
    made = from_graph(build(read_book(folder / "book.csv")))
    market = replace(made.markets[0], family=family, revision=revision)
    reserves = tuple(
        replace(one, supply_index=RAY, supply_unit=RAY, debt_index=RAY, debt_unit=RAY) for one in made.reserves
    )
    return replace(made, markets=(market,), reserves=reserves)


@pytest.mark.parametrize(
    ("family", "revision", "expected"),
    [("aave_v2", 2, CUT), ("aave_v3", 1, CUT), ("aave_v3", 8, CUT), ("aave_v3", 10, UNCUT), ("generic", None, UNCUT)],
)
def test_the_screen_agrees_with_the_exact_rule(
    tmp_path: Path, family: str, revision: int | None, expected: float
) -> None:
    made = book(tmp_path, family, revision)
    state, number = start(made), made.position_ids.index("between")
    health = health_factors(state)
    assert health[number] == pytest.approx(expected, rel=1e-12)
    for one, said in enumerate(health):
        exact = FAMILIES[family].health_factor_wad(state.position(one))
        assert (np.isinf(said) and exact > 10**30) or said == pytest.approx(exact / WAD, rel=1e-9)
    broken = {"nothing"} | ({"between"} if expected < 1 else set())
    assert {made.position_ids[one] for one in liquidatable(state, keepers(made, 0.0), health)} == broken
    assert at_risk(made, "AAA", [0.0])["positions"].tolist() == [len(broken)]


@pytest.mark.parametrize(
    ("offsets", "values", "sums"),
    [
        ([0, 0, 2], [5.0, 7.0], [0.0, 12.0]),
        ([0, 2, 2], [5.0, 7.0], [12.0, 0.0]),
        ([0, 0, 1, 1, 1, 2, 2], [5.0, 7.0], [0.0, 5.0, 0.0, 0.0, 7.0, 0.0]),
        ([0, 0], [], [0.0]),
        ([0], [], []),
    ],
)
def test_a_position_without_legs_has_nothing(offsets: list[int], values: list[float], sums: list[float]) -> None:
    held = replace(
        made([("one", "ETH", "collateral", 1.0)], {"ETH": 1.0}),
        offsets=np.array(offsets, dtype=np.int64),
        position_ids=tuple(map(str, offsets[1:])),
    )
    assert by_position(held, np.array(values)).tolist() == sums
