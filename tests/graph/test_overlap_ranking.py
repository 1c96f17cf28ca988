"""Overlap by hand, and ranks under uncertainty against the chance that a normal variable has."""

from math import erf, sqrt

import numpy as np
import pandas as pd
import pytest

from chain.errors import InputError
from graph.balance_sheets import Floats, Network
from graph.overlap import overlaps
from graph.ranking import ranking, uncertain


def test_overlap_by_hand() -> None:
    holdings = [
        ("a", "ETH", 60.0),
        ("a", "ETH", 40.0),
        ("a", "X", 5.0),
        ("b", "ETH", 50.0),
        ("b", "BTC", 120.0),
        ("c", "BTC", 9.0),
    ]
    holdings += [("b", "X", 3.0)]
    found = overlaps(holdings, {"ETH": 1000.0, "BTC": 500.0}).set_index(["holder", "other"])
    assert found.loc[("a", "b")].to_dict() == pytest.approx(
        {
            "overlap_usd": 100 * 50 / 1000,
            "shared_usd": 53.0,
            "cosine": (100 * 50 + 15) / sqrt((100**2 + 5**2) * (50**2 + 120**2 + 3**2)),
            "unsold": "X",
        }
    )
    assert found.loc[("b", "c"), "overlap_usd"] == pytest.approx(120 * 9 / 500)
    assert len(found) == 2
    assert found.index[0] == ("a", "b")


def test_equal_portfolios_have_a_cosine_of_one_and_nothing_in_common_no_row() -> None:
    found = overlaps([("a", "X", 1.0), ("b", "X", 7.0), ("c", "Y", 2.0)], {"X": 10.0, "Y": 10.0})
    assert found[["holder", "other"]].to_numpy().tolist() == [["a", "b"]]
    assert found["cosine"].tolist() == [pytest.approx(1.0)]


def test_holdings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="a holds -1"):
        overlaps([("a", "X", -1.0)], {"X": 1.0})


def owed_to(network: Network) -> Floats:
    return network.obligations


def test_the_chance_to_come_first_is_that_of_two_lognormals() -> None:
    # x owes 100, y owes 90, both uncertain by 30 %: P(x > y) = P(normal < log(100/90) / (0.3 sqrt 2))
    network = Network.from_claims([("h", "x", 100.0), ("h", "y", 90.0)], {})
    table = ranking(network, owed_to, uncertain(network, np.full(2, 0.3)), draws=4_000, seed=5).set_index("node")
    chance = 0.5 * (1 + erf(np.log(100 / 90) / (0.3 * sqrt(2)) / sqrt(2)))
    assert table.at["x", "first_share"] == pytest.approx(chance, abs=4 * sqrt(chance * (1 - chance) / 4_000))
    assert table["rank"].to_dict() == {"x": 1, "y": 2, "h": 3}
    assert table.at["x", "score"] == 100.0
    low = 100 * np.exp(0.3 * -1.6448536 - 0.3**2 / 2)
    assert table.at["x", "score_low"] == pytest.approx(low, rel=0.03)
    assert (table.at["x", "rank_low"], table.at["x", "rank_high"]) == (1, 2)


def test_what_is_certain_keeps_its_rank_and_equal_scores_share_it() -> None:
    network = Network.from_claims([("h", "x", 5.0), ("h", "y", 5.0), ("h", "z", 1.0)], {})
    table = ranking(network, owed_to, uncertain(network, np.zeros(3)), draws=3)
    assert table[["node", "rank", "rank_low", "rank_high"]].to_numpy().tolist() == [
        ["x", 1, 1, 1], ["y", 1, 1, 1], ["z", 3, 3, 3], ["h", 4, 4, 4],
    ]  # fmt: skip


def test_the_order_in_which_floats_were_added_decides_no_rank() -> None:
    one, other = (0.1 + 0.2 + 0.3) * 1e10, 0.6e10
    network = Network.from_claims([("h", "x", other), ("h", "y", one), ("h", "z", one * (1 - 1e-9))], {})
    table = ranking(network, owed_to, uncertain(network, np.zeros(3)), draws=3).set_index("node")
    assert one > other and table.at["x", "score"] == table.at["y", "score"] == pytest.approx(other, rel=1e-12)
    assert table["rank"].to_dict() == {"x": 1, "y": 1, "z": 3, "h": 4}
    assert table["first_share"].to_dict() == {"x": 1, "y": 1, "z": 0, "h": 0}


def test_rows_that_may_not_exist_drop_out() -> None:
    network = Network.from_claims([("h", "x", 5.0), ("h", "y", 4.0)], {})
    keep = np.array([0.25, 1.0])
    table = ranking(network, owed_to, uncertain(network, np.zeros(2), keep), draws=2_000, seed=1).set_index("node")
    assert table.at["x", "first_share"] == pytest.approx(0.25, abs=0.04)


def test_the_same_seed_gives_the_same_table() -> None:
    network = Network.from_claims([("h", "x", 5.0), ("h", "y", 4.0)], {})
    one, two = (ranking(network, owed_to, uncertain(network, np.full(2, 0.5)), draws=20, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
