"""What claims are made of: chains and cycles with numbers worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from chain.errors import UnknownNameError
from chain.files.exposure_file import read_exposures
from graph.build import build
from graph.lookthrough import roots
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import ETHER, LP, LSTETH, backed, small_world


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


def test_a_circle_without_prices_ends_and_has_no_share() -> None:
    links = [("X", "Y", 1, None), ("X", "P", 1, None), ("Y", "X", 1, None)]
    table = roots(build(backed(*links, **dict.fromkeys("XYP", ("token", None, None)))), "file:X").set_index("label")
    assert table["ends"].to_dict() == {"P": "root", "X": "recursive"}
    assert table["share"].isna().all()


def test_a_stablecoin_is_looked_through() -> None:
    snapshot = backed(("DLR", "ETH", 1, None), DLR=("stablecoin", None, 1), ETH=("native", None, 2000))
    graph = build(snapshot)
    assert roots(graph, "file:DLR")["label"].tolist() == ["ETH"]
    assert roots(graph, "file:DLR")["rate"].tolist() == pytest.approx([0.0005])


def test_an_unknown_rate_stays_unknown() -> None:
    graph = build(backed(("C", "B", 5, None), C=("token", None, None), B=("token", None, None)))
    assert roots(graph, "file:C")["rate"].isna().all()


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


def claims(folder: Path, *rows: str) -> ProtocolGraph:
    path = folder / "claims.csv"
    path.write_text("\n".join(["holder,claim_on,amount_usd", *rows]) + "\n", encoding="utf-8")
    return build(read_exposures(path))


def rates_of(graph: ProtocolGraph, name: str) -> dict[str, float]:
    """Root -> whole units of it behind one whole claim, all ways together."""
    found: dict[str, float] = roots(graph, f"file:{name}").groupby("label")["rate"].sum(min_count=1).to_dict()
    return found


def test_what_stands_behind_one_claim_in_a_circle_is_the_fixed_point(tmp_path: Path) -> None:
    """A fund owes 120 and has 70 at a bank and 30 with an issuer, the bank owes 80 and has 50 there and 20 of the fund: f = 1/4 + 7/12 b, b = 5/8 + 1/4 f."""
    rows = ("alice,Fund,60", "bob,Fund,40", "Fund,Bank,70", "Fund,Issuer,30", "Bank,Issuer,50", "Bank,Fund,20")
    graph = claims(tmp_path, *rows, "carol,Bank,10")
    fund = (1 / 4 + 7 / 12 * 5 / 8) / (1 - 7 / 12 / 4)
    assert fund == pytest.approx(0.7195, abs=5e-5)
    assert rates_of(graph, "Fund") == pytest.approx({"Issuer": fund})
    assert rates_of(graph, "Bank") == pytest.approx({"Issuer": 5 / 8 + fund / 4})


def test_more_than_is_claimed_stands_behind_one_claim(tmp_path: Path) -> None:
    """4 are claimed on X, which has 300 of R and 100 of Q: 75 and 25 behind one claim; Y, on which 100 are claimed, has 3 of the 4."""
    graph = claims(tmp_path, "h,X,1", "X,R,300", "X,Q,100", "Y,X,3", "g,Y,100")
    assert rates_of(graph, "X") == pytest.approx({"R": 75, "Q": 25})
    assert rates_of(graph, "Y") == pytest.approx({"R": 2.25, "Q": 0.75})
    assert rates_of(claims(tmp_path, "h,X,1", "X,R,300"), "X") == pytest.approx({"R": 300})


def test_nothing_stands_behind_one_claim_where_nobody_outside_has_any(tmp_path: Path) -> None:
    """A and B have all of each other, and 50 of P and Q besides: who divides 100 by no claim?"""
    graph = claims(tmp_path, "A,B,50", "B,A,50", "A,P,50", "B,Q,50")
    table = roots(graph, "file:A")
    assert table["rate"].isna().all() and table.set_index("label")["share"].to_dict() == pytest.approx(
        {"P": 2 / 3, "Q": 1 / 3}
    )
    # or where a circle gives back more than it takes: one X is stated to stand for half an ether and two Y, one Y for one X
    links = [("X", "ETH", 100, 1.0), ("X", "Y", 100, 4.0), ("Y", "X", 100, 1.0)]
    found = roots(build(backed(*links, **dict.fromkeys(("X", "Y", "ETH"), ("token", None, 1)))), "file:X")
    assert found["rate"].isna().all() and found["share"].tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("seed", range(6))
def test_rates_against_a_dense_inverse(tmp_path: Path, seed: int) -> None:
    """X = R X + B, R of claims held over all that is claimed; every name with claims from outside."""
    rng = np.random.default_rng(seed)
    owed = np.round(rng.uniform(1, 100, (6, 8)), 1) * (rng.random((6, 8)) < 0.5)
    owed[np.arange(6), np.arange(6)] = 0
    owed[:, 6:] += 1
    outside = np.round(rng.uniform(1, 50, 6), 1)
    rows = [f"N{row},{'PQ'[at - 6] if at > 5 else f'N{at}'},{owed[row, at]}" for row, at in np.argwhere(owed)]
    graph = claims(tmp_path, *rows, *(f"h,N{at},{usd}" for at, usd in enumerate(outside)))
    units = owed / (owed[:, :6].sum(axis=0) + outside)[:, None]
    wanted = np.linalg.solve(np.eye(6) - units[:, :6], units[:, 6:])
    for number in range(6):
        assert rates_of(graph, f"N{number}") == pytest.approx(dict(zip("PQ", wanted[number], strict=True)), rel=1e-9)
