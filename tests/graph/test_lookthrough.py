"""What claims are made of: chains and cycles with numbers worked out by hand."""

import pytest

from chain.errors import UnknownNameError
from graph.build import build
from graph.lookthrough import rates_through, roots
from tests.graph.small_world import AWETH, ETHER, LP, LSTETH, USDC, WETH, backed, small_world


def test_two_levels() -> None:
    table = roots(build(small_world()), LSTETH)
    assert table[["root", "rate", "share", "path", "ends"]].to_numpy().tolist() == [
        [ETHER, 1.17, 1.0, "lstETH → WETH → ETH", "root"]
    ]
    assert table.at[0, "evidence"].count("call") == 2  # one for each step: the backing and the wrapped coin


def test_a_pool_share_is_made_of_both_reserves() -> None:
    table = roots(build(small_world()), LP).set_index("label")
    assert table.at["ETH", "rate"] == pytest.approx(0.025)  # 100 of 4,000 shares
    assert table.at["USDC", "rate"] == pytest.approx(50)
    assert table["share"].tolist() == pytest.approx([0.5, 0.5])


def test_rates_reach_every_form_of_ether() -> None:
    rates = rates_through(build(small_world()))
    assert rates[LSTETH] == {LSTETH: 1.0, WETH: 1.17, ETHER: pytest.approx(1.17)}
    assert rates[WETH] == {WETH: 1.0, ETHER: 1.0} and rates[ETHER] == {ETHER: 1.0}
    assert rates[AWETH] == {AWETH: 1.0, WETH: 1.0, ETHER: 1.0}
    assert rates[USDC] == {USDC: 1.0}


def test_several_backings_split_by_value() -> None:
    # a dollar token on 60 GOLD (30 USD) and 5,400 USD of notes (1 USD): 1,800 + 5,400, a quarter and three quarters
    snapshot = backed(
        ("DLR", "GOLD", 60, None),
        ("DLR", "NOTE", 5400, None),
        DLR=("token", None, 1),
        GOLD=("token", None, 30),
        NOTE=("token", None, 1),
    )
    table = roots(build(snapshot), "file:DLR").set_index("label")
    assert table["share"].to_dict() == pytest.approx({"NOTE": 0.75, "GOLD": 0.25})
    assert table["rate"].to_dict() == pytest.approx({"NOTE": 0.75, "GOLD": 0.25 / 30})


def test_stated_rates_are_weighed_with_the_split() -> None:
    # a share is bought back for 2 A or for 4 B; a quarter of what is held is A: 0.25 x 2 A and 0.75 x 4 B
    snapshot = backed(
        ("S", "A", 10, 2.0),
        ("S", "B", 60, 4.0),
        S=("token", None, None),
        A=("token", None, 2),
        B=("token", None, 1),
    )
    table = roots(build(snapshot), "file:S").set_index("label")
    assert table["rate"].to_dict() == pytest.approx({"A": 0.5, "B": 3.0})


def test_without_prices_the_split_is_by_units_per_claim() -> None:
    snapshot = backed(
        ("SHARE", "A", 60, None),
        ("SHARE", "B", 40, None),
        SHARE=("vault_share", 100 * 10**18, None),
        A=("token", None, None),
        B=("token", None, None),
    )
    table = roots(build(snapshot), "file:SHARE").set_index("label")
    assert table["rate"].to_dict() == pytest.approx({"A": 0.6, "B": 0.4})
    assert table["share"].isna().all()


def test_a_circle_is_solved_and_marked() -> None:
    # X is half ether, half Y; Y is all X (2 X each): X = 0.5 + 0.5 X, all ether in the end
    snapshot = backed(
        ("X", "ETH", 100, None),
        ("X", "Y", 50, None),
        ("Y", "X", 100, 2.0),
        X=("stablecoin", None, 1),
        Y=("token", None, 2),
        ETH=("native", None, 1),
    )
    graph = build(snapshot)
    for claim, rate in (("X", 1.0), ("Y", 2.0)):
        table = roots(graph, f"file:{claim}")
        assert table[["label", "share", "path", "ends"]].to_numpy().tolist() == [
            ["ETH", pytest.approx(1.0), f"{claim} → ETH", "recursive"]
        ]
        assert table["rate"].tolist() == pytest.approx([rate])
        assert table.at[0, "evidence"].count("call") == 3  # every step of the circle
    assert rates_through(graph) == {f"file:{name}": {f"file:{name}": 1.0} for name in ("X", "Y", "ETH")}


def test_two_claims_half_made_of_each_other() -> None:
    # A = B/2 + P/2, B = A/2 + Q/2: A = 2/3 P + 1/3 Q
    links = [("A", "B", 1, None), ("A", "P", 1, None), ("B", "A", 1, None), ("B", "Q", 1, None)]
    graph = build(backed(*links, **dict.fromkeys("ABPQ", ("token", None, 1))))
    table = roots(graph, "file:A").set_index("label")
    assert table["share"].to_dict() == pytest.approx({"P": 2 / 3, "Q": 1 / 3})
    assert set(table["ends"]) == {"recursive"}


def test_what_only_backs_itself_is_circular_and_claims_above_it_still_reach_it() -> None:
    snapshot = backed(("X", "X", 1, 1.0), ("Z", "X", 3, 3.0), X=("token", None, None), Z=("vault_share", None, None))
    graph = build(snapshot)
    assert roots(graph, "file:Z")[["label", "rate", "ends"]].to_numpy().tolist() == [["X", 3.0, "circular"]]
    assert rates_through(graph)["file:Z"] == {"file:Z": 1.0, "file:X": 3.0}


def test_a_circle_without_prices_ends_and_has_no_share() -> None:
    links = [("X", "Y", 1, None), ("X", "P", 1, None), ("Y", "X", 1, None)]
    table = roots(build(backed(*links, **dict.fromkeys("XYP", ("token", None, None)))), "file:X").set_index("label")
    assert table["ends"].to_dict() == {"P": "root", "X": "recursive"}
    assert table["share"].isna().all()


def test_a_shock_does_not_pass_through_a_stablecoin_but_the_eye_does() -> None:
    snapshot = backed(("DLR", "ETH", 1, None), DLR=("stablecoin", None, 1), ETH=("native", None, 2000))
    graph = build(snapshot)
    assert rates_through(graph)["file:DLR"] == {"file:DLR": 1.0}
    assert roots(graph, "file:DLR")["label"].tolist() == ["ETH"]
    assert roots(graph, "file:DLR")["rate"].tolist() == pytest.approx([0.0005])


def test_an_unknown_rate_stays_unknown() -> None:
    graph = build(backed(("C", "B", 5, None), C=("token", None, None), B=("token", None, None)))
    assert roots(graph, "file:C")["rate"].isna().all()
    assert rates_through(graph)["file:C"] == {"file:C": 1.0}


def test_dense_recursion_ends() -> None:
    names = [f"T{number}" for number in range(12)]
    links = [(claim, backing, 1, None) for claim in names for backing in names if claim != backing]
    graph = build(backed(*links, **dict.fromkeys(names, ("token", None, 1))))
    table = roots(graph, "file:T0")
    assert table[["label", "share", "ends"]].to_numpy().tolist() == [["T0", 1.0, "circular"]]


def test_dense_recursion_with_a_way_out_is_all_of_the_root() -> None:
    names = [f"T{number}" for number in range(40)]
    links = [(claim, backing, 1, None) for claim in names for backing in names if claim != backing]
    graph = build(backed(*links, ("T0", "ETH", 1, None), **dict.fromkeys([*names, "ETH"], ("token", None, 1))))
    table = roots(graph, "file:T7")
    assert table[["label", "ends"]].to_numpy().tolist() == [["ETH", "recursive"]]
    assert table["share"].tolist() == pytest.approx([1.0])


def test_unknown_asset() -> None:
    with pytest.raises(UnknownNameError):
        roots(build(small_world()), "nothing")
