"""Holders looked through, what they share, and value counted once: numbers by hand."""

from pathlib import Path

import numpy as np
import pytest

from chain.errors import InputError
from chain.files.exposure_file import read_exposures
from graph.build import build
from graph.dependences import idle
from graph.exposures.answer import exposure
from graph.exposures.counted import value_counted
from graph.exposures.portfolio import dependents, final_roots, shared_roots, subject
from graph.paths import PathIndex
from graph.protocol_graph import ProtocolGraph
from graph.systemic import losses_if_it_fails
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
    assert below == pytest.approx({"X": 60 / 175, "Y": 25 / 50})
    above = exposure(funds, "R2").inbound["claims"], exposure(funds, "X").inbound["claims"]
    assert [dict(zip(one["label"], one["rate"], strict=True)) for one in above] == [
        {"X": pytest.approx(40 / 175)},
        {"Y": pytest.approx(75 / 50)},
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
    table = dependents(graph, WETH)[0].set_index("holder")
    assert table["direct_usd"].to_dict() == pytest.approx({E["alice"]: 20_000, E["bob"]: 0, E["dave"]: 4_000})
    assert table["looked_through_usd"].to_dict() == pytest.approx(
        {E["alice"]: 20_000, E["bob"]: 11_700, E["dave"]: 4_000 + 50_000}
    )
    assert dependents(graph, LSTETH)[0]["looked_through_usd"].tolist() == pytest.approx([11_700])
    found = of_file(tmp_path, "x,A,50", "y,B,50", "A,B,50", "A,P,50", "B,A,50", "B,Q,50")
    answer = exposure(found, "P")
    assert answer.inbound["dependents"].set_index("label")["looked_through_usd"].to_dict() == pytest.approx(
        {"x": 100 / 3, "y": 50 / 3}
    )
    spread = answer.inbound["concentration"].set_index("of")
    assert spread.at["final holders, directly or through claims", "hhi"] == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2)


def test_direct_holders_are_told_apart_from_final_ones(tmp_path: Path) -> None:
    """The file is the oracle: every row that names Fund is a direct holder, Bank too, who owes Fund and carol in its turn."""
    rows = ("alice,Fund,60", "bob,Fund,40", "Fund,Bank,70", "Fund,Issuer,30", "Bank,Issuer,50", "Bank,Fund,20", "carol,Bank,10")  # fmt: skip
    found = of_file(tmp_path, *rows)
    for name in ("Fund", "Issuer", "Bank"):
        claims = {row.split(",")[0]: int(row.split(",")[2]) for row in rows if row.split(",")[1] == name}
        inbound, total = exposure(found, name).inbound, sum(claims.values())
        direct = inbound["holders"].set_index("label")
        assert direct["amount_usd"].to_dict() == claims
        assert direct["share_ratio"].to_dict() == pytest.approx({key: usd / total for key, usd in claims.items()})
        assert set(inbound["dependents"]["label"]) <= {"alice", "bob", "carol"}
        spread = inbound["concentration"].set_index("of")
        assert spread.at["direct holders", "hhi"] == pytest.approx(sum((usd / total) ** 2 for usd in claims.values()))


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


def test_who_has_a_part_of_what_is_claimed_has_that_part_of_what_is_there(tmp_path: Path) -> None:
    """A bank owes 100 and is known to have 3, which are a vault's, who owes 4: so 60 of the bank's are 1.8 of the vault's, 1 more is eve's."""
    rows = ("dep1,Bank,60", "dep2,Bank,40", "Bank,Vault,3", "eve,Vault,1", "Vault,Issuer,4")
    found = of_file(tmp_path, *rows)
    for asset in ("Vault", "Issuer"):
        table = dependents(found, f"file:{asset}")[0].set_index("label")
        assert table["looked_through_usd"].to_dict() == pytest.approx({"dep1": 1.8, "dep2": 1.2, "eve": 1.0})
        assert table["share_ratio"].to_dict() == pytest.approx({"dep1": 0.45, "dep2": 0.3, "eve": 0.25})
    answer = exposure(found, "Vault")
    spread = answer.inbound["concentration"].set_index("of").loc["final holders, directly or through claims"]
    assert spread[["hhi", "effective_number"]].tolist() == pytest.approx([0.355, 1 / 0.355])
    both = shared_roots(found, "dep1", "dep2").set_index("label")
    assert both["left_usd"].to_dict() == pytest.approx({"Bank": 58.2, "Issuer": 1.8})
    assert both["right_usd"].to_dict() == pytest.approx({"Bank": 38.8, "Issuer": 1.2})
    held = exposure(found, "dep1").outbound["roots"].set_index("label")
    assert held["amount_usd"].to_dict() == pytest.approx({"Bank": 58.2, "Issuer": 1.8})
    assert held["ends"].to_dict() == {"Bank": "rest", "Issuer": "root"}
    made_of = exposure(found, "Bank").outbound["made_of"]  # what is known of it, as a whole
    assert made_of[["label", "share"]].to_numpy().tolist() == [["Issuer", 1.0]]


@pytest.mark.parametrize("seed", range(8))
def test_who_finally_has_what_against_a_dense_inverse(tmp_path: Path, seed: int) -> None:
    """Names with claims on each other, under- and over-backed: holders' parts X of each name solve X = S X + 1, S of what is owed or had, whichever is more."""
    rng = np.random.default_rng(seed)
    names, holders = [f"N{number}" for number in range(7)], ["h0", "h1", "h2"]
    owed = np.round(10 ** rng.uniform(0, 6, (7, 7)), 2) * (rng.random((7, 7)) < 0.3) * (1 - np.eye(7))
    held = np.round(10 ** rng.uniform(0, 6, (3, 7)), 2) * (rng.random((3, 7)) < 0.6)
    held[0] += 1
    rows = [
        f"{name},{names[there]},{matrix[here, there]}"
        for matrix, who in ((owed, names), (held, holders))
        for here, name in enumerate(who)
        for there in np.flatnonzero(matrix[here])
    ]
    found = of_file(tmp_path, *rows)
    claimed, has = owed.sum(axis=0) + held.sum(axis=0), owed.sum(axis=1)
    shares = owed / np.maximum(claimed, has)[:, None]
    for number, name in enumerate(names):
        cut = shares.copy()
        cut[number] = 0  # what stands behind a name is its own matter
        parts = np.linalg.solve(np.eye(7) - cut, np.eye(7)[number])
        table = dependents(found, f"file:{name}")[0].set_index("label")["looked_through_usd"]
        wanted = dict(zip(holders, (held @ parts).tolist(), strict=True))
        assert table.to_dict() == pytest.approx({who: usd for who, usd in wanted.items() if usd > 0})
        lost = losses_if_it_fails(found, f"file:{name}", [1.0])["lost_usd"].iloc[0]
        assert table.sum() == pytest.approx(lost, rel=1e-6)
    for who, amounts in zip(holders, held, strict=True):
        passed = np.linalg.solve((np.eye(7) - shares).T, amounts)
        left = passed * np.maximum(1 - shares.sum(axis=1), 0)
        table = final_roots(found, subject(found, who).held).set_index("label")["amount_usd"]
        wanted = {name: usd for name, usd in zip(names, left.tolist(), strict=True) if usd > 1e-6}
        assert table[table > 1e-6].to_dict() == pytest.approx(wanted)


def test_a_market_has_as_much_of_an_asset_as_its_suppliers(graph: ProtocolGraph) -> None:
    """Twice as many lstETH for the same 1,170 WETH: bob's 11,700 as collateral are 5,850 of WETH, in the market's row and in his."""
    rows = small_rows()
    assets = [{**row, "total_supply_raw": 2_000 * WAD} if row["asset"] == LSTETH else row for row in rows["assets"]]
    for found, usd in ((graph, 11_700), (build(small_world({"assets": assets})), 5_850)):
        answer = exposure(found, "WETH").inbound
        assert answer["dependents"].set_index("holder").at[E["bob"], "looked_through_usd"] == pytest.approx(usd)
        assert answer["markets"].set_index("posted").at[LSTETH, "supplied_usd"] == pytest.approx(usd)


def test_a_claim_lists_what_it_has_itself(graph: ProtocolGraph, tmp_path: Path) -> None:
    """Two loans to one bank are one row; what the bank has in turn is in `made_of` alone."""
    path = tmp_path / "claims.csv"
    rows = ("alice,Fund,60,", "Fund,Bank,50,loan", "Fund,Bank,20,deposit", "Fund,Issuer,30,", "Bank,Gold,70,")
    path.write_text("\n".join(["holder,claim_on,amount_usd,kind", *rows]) + "\n", encoding="utf-8")
    found = build(read_exposures(path))
    table = exposure(found, "Fund").outbound["backed_by"]
    assert table[["label", "amount_usd", "share_ratio", "rate"]].to_numpy().tolist() == [
        ["Bank", 70.0, pytest.approx(0.7), pytest.approx(70 / 60)],
        ["Issuer", 30.0, pytest.approx(0.3), pytest.approx(30 / 60)],
    ]
    assert table["status"].tolist() == ["file", "file"] and "row 4 (kind deposit)" in table.at[0, "evidence"]
    assert not len(exposure(found, "Gold").outbound["backed_by"])
    [weth] = exposure(graph, "lstETH").outbound["backed_by"].to_dict("records")
    assert (weth["backing"], weth["amount_raw"], weth["amount_usd"]) == (WETH, 1_170 * WAD, pytest.approx(2_340_000))
    other = {**small_rows()["backings"][0], "holder": E["council"], "amount_raw": 30 * WAD}
    two = build(small_world({"backings": [*small_rows()["backings"], other]}))
    [weth] = exposure(two, "lstETH").outbound["backed_by"].to_dict("records")
    assert (weth["amount_raw"], weth["amount_usd"]) == (1_200 * WAD, pytest.approx(2_400_000))
