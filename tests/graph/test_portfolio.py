"""Holders looked through, what they share, and value counted once: numbers by hand."""

from pathlib import Path

import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from graph.build import build
from graph.counted import value_counted
from graph.dependences import idle
from graph.exposure import exposure
from graph.paths import PathIndex
from graph.portfolio import dependents, final_roots, shared_roots, subject
from graph.protocol_graph import ProtocolGraph
from tests.graph.small_world import CENT, LSTETH, MARKET, SHARE, USDC, WAD, WETH, E, small_rows, small_world


@pytest.fixture(scope="module")
def graph() -> ProtocolGraph:
    return build(small_world())


def of_file(folder: Path, *rows: str) -> ProtocolGraph:
    path = folder / "claims.csv"
    path.write_text("\n".join(["holder,claim_on,amount_usd", *rows]) + "\n", encoding="utf-8")
    return build(read_exposures(path))


def test_a_pool_and_a_holder_finally(graph: ProtocolGraph) -> None:
    pool = final_roots(graph, subject(graph, "Uniswap V2 WETH/USDC").held).set_index("label")
    assert pool["amount_usd"].to_dict() == pytest.approx({"ETH": 200_000, "USDC": 200_000})
    bob = final_roots(graph, subject(graph, E["bob"]).held)
    assert bob[["label", "amount_usd", "held", "ends"]].to_numpy().tolist() == [
        ["ETH", pytest.approx(11_700), "lstETH", "root"]
    ]
    assert bob.at[0, "evidence"].count("call") == 3  # the position, the backing, the wrapped coin


def test_a_vaults_share_is_what_the_vault_has(graph: ProtocolGraph) -> None:
    table = exposure(graph, SHARE).outbound["made_of"]
    assert table[["root", "share", "path"]].to_numpy().tolist() == [[USDC, 1.0, "vUSDC → USDC"]]


def test_what_a_vault_lends_nowhere_is_its_own_and_in_no_market() -> None:
    """42,000 USDC are behind the share: 30,000 lent, 5,000 counted among balances, so 7,000 more lie idle; a third of the shares is carol's."""
    rows = small_rows()
    read = {"evidence": "call", "status": "verified"}
    behind = {"claim": SHARE, "backing": USDC, "holder": E["share"], "amount_raw": 42_000 * CENT, **read}
    backings = [*rows["backings"], {**behind, "rate_wad": None, "redemption": "none"}]
    balances = [
        *rows["balances"],
        {"asset": USDC, "holder": E["share"], "amount_raw": 5_000 * CENT, **read},
        {"asset": SHARE, "holder": E["carol"], "amount_raw": 14_000 * WAD, **read},
    ]
    assets = [{**row, "total_supply_raw": 42_000 * WAD} if row["asset"] == SHARE else row for row in rows["assets"]]
    graph = build(small_world({"backings": backings, "balances": balances, "assets": assets}))
    [row] = idle(graph).to_dict("records")
    assert (row["source"], row["target"], row["amount_raw"], row["amount_usd"]) == (
        E["share"],
        USDC,
        7_000 * CENT,
        pytest.approx(7_000),
    )
    answer = exposure(graph, E["share"])
    assert answer.outbound["roots"]["amount_usd"].sum() == pytest.approx(42_000)
    assert answer.outbound["markets"]["amount_usd"].sum() == pytest.approx(30_000)
    of_carol = exposure(graph, E["carol"]).outbound  # 50,000 of her own, and a third of the vault's
    assert of_carol["roots"]["amount_usd"].sum() == pytest.approx(50_000 + 14_000)
    assert of_carol["markets"]["amount_usd"].sum() == pytest.approx(50_000 + 10_000)
    steps = PathIndex(graph).paths(E["carol"], MARKET).paths
    assert sum(one.amount_usd for one in steps) == pytest.approx(50_000 + 10_000)


def test_the_rate_of_a_claim_is_the_same_from_above_and_from_below(graph: ProtocolGraph, tmp_path: Path) -> None:
    """175 are claimed on X, which has 60 of R1 and 40 of R2; 50 on Y, which has 25 of R1 and 75 of X, more than it owes."""
    rows = ("a,X,50", "b,X,30", "c,X,20", "a,Y,50", "X,R1,60", "X,R2,40", "Y,R1,25", "Y,X,75")
    funds = of_file(tmp_path, *rows)
    below = exposure(funds, "R1").inbound["claims"].set_index("label")["rate"].to_dict()
    assert below == pytest.approx({"X": 60 / 175, "Y": 25 / 100})
    above = exposure(funds, "R2").inbound["claims"], exposure(funds, "X").inbound["claims"]
    assert [dict(zip(one["label"], one["rate"], strict=True)) for one in above] == [
        {"X": pytest.approx(40 / 175)},
        {"Y": pytest.approx(75 / 100)},
    ]
    for claim, rate in below.items():
        made_of = exposure(funds, claim).outbound["made_of"]
        assert made_of.set_index("path").at[f"{claim} → R1", "rate"] == pytest.approx(rate)
    # 4,000 shares of a pool have 100 ether behind them
    weth = exposure(graph, "WETH").inbound["claims"].set_index("label")["rate"].to_dict()
    assert weth == pytest.approx({"lstETH": 1.17, "UNI-V2": 100 / 4_000, "aWETH": 1.0})


def test_what_two_have_in_common(graph: ProtocolGraph) -> None:
    table = shared_roots(graph, E["bob"], "core")  # 11,700 of ether; the market has 24,000 + 11,700 and 80,000 USDC
    assert table[["label", "left_usd", "right_usd", "overlap_usd"]].to_numpy().tolist() == [
        ["ETH", pytest.approx(11_700), pytest.approx(35_700), pytest.approx(11_700)]
    ]
    assert table.at[0, "overlap_ratio"] == pytest.approx(35_700 / 115_700)
    assert not len(shared_roots(graph, E["bob"], E["carol"]))
    with pytest.raises(InputError, match="two different holders"):
        shared_roots(graph, "WETH", WETH)
    with pytest.raises(InputError, match="is a feed"):
        shared_roots(graph, "WETH", "USDC / USD")


def test_two_funds_in_a_circle_share_its_roots(tmp_path: Path) -> None:
    """A is half B, half P; B is half A, half Q: A = 2/3 P + 1/3 Q, B = 1/3 P + 2/3 Q."""
    found = of_file(tmp_path, "x,A,50", "y,B,50", "A,B,50", "A,P,50", "B,A,50", "B,Q,50")
    table = shared_roots(found, "x", "y").set_index("label")
    assert table["left_usd"].to_dict() == pytest.approx({"P": 100 / 3, "Q": 50 / 3})
    assert table["overlap_usd"].to_dict() == pytest.approx({"P": 50 / 3, "Q": 50 / 3})
    assert table["overlap_ratio"].sum() == pytest.approx(2 / 3)
    assert set(exposure(found, "x").outbound["roots"]["ends"]) == {"recursive"}


def test_a_circle_without_anything_outside_is_named(tmp_path: Path) -> None:
    found = of_file(tmp_path, "x,A,10", "A,B,10", "B,A,20")
    table = exposure(found, "x").outbound["roots"]
    assert table[["label", "ends", "amount_usd"]].to_numpy().tolist() == [["A", "circular", pytest.approx(10)]]


def test_everybody_who_depends_on_an_asset(graph: ProtocolGraph, tmp_path: Path) -> None:
    table = dependents(graph, WETH).set_index("holder")
    assert table["direct_usd"].to_dict() == pytest.approx({E["alice"]: 20_000, E["bob"]: 0, E["dave"]: 4_000})
    assert table["looked_through_usd"].to_dict() == pytest.approx(
        {E["alice"]: 20_000, E["bob"]: 11_700, E["dave"]: 4_000 + 50_000}
    )
    assert dependents(graph, LSTETH)["looked_through_usd"].tolist() == pytest.approx([11_700])
    found = of_file(tmp_path, "x,A,50", "y,B,50", "A,B,50", "A,P,50", "B,A,50", "B,Q,50")
    answer = exposure(found, "P")
    assert answer.inbound["dependents"].set_index("label")["looked_through_usd"].to_dict() == pytest.approx(
        {"x": 100 / 3, "y": 50 / 3}
    )
    spread = answer.inbound["concentration"].set_index("of")
    assert spread.at["all who have it, looked through", "hhi"] == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2)


def test_value_counted_once(graph: ProtocolGraph) -> None:
    """Aave: 115,700 supplied, 10,000 of it lent out, 11,700 are lstETH, whose 1,170 WETH lie with lstETH. The vault's is Aave's."""
    table = value_counted(graph).set_index("label")
    assert table["gross_usd"].to_dict() == pytest.approx(
        {"0x2880…0000": 2_340_000, "Uniswap V2": 400_000, "Aave V3": 115_700, "Prime USDC vault": 30_000}
    )
    assert table.loc["Aave V3", ["lent_out_usd", "counted_elsewhere_usd", "net_usd"]].tolist() == pytest.approx(
        [10_000, 11_700, 94_000]
    )
    assert table.loc["Prime USDC vault", ["counted_elsewhere_usd", "net_usd"]].tolist() == pytest.approx([30_000, 0])
    assert table["net_usd"].sum() == pytest.approx(2_340_000 + 400_000 + 94_000)
    assert exposure(graph, "aave-v3").figures["net_usd"] == pytest.approx(94_000)
