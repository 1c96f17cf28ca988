"""Ways of a loss, with USD worked out by hand: the small world, a file with a circle, and files against every simple path."""

import itertools
import json
from pathlib import Path

import networkx
import numpy as np
import pytest

import aftershock
from chain.errors import InputError, UnknownNameError
from chain.files.exposure_file import read_exposures
from graph.build import build
from graph.dependences import dependences, reserve
from graph.exposures.answer import exposure, records
from graph.paths import PathIndex
from tests.graph.small_world import CENT, MARKET, SHARE, USDC, WAD, WETH, E, Rows, small_rows, small_world

FILE = """holder,claim_on,amount_usd
alice,Fund,60
bob,Fund,40
Fund,Bank,70
Fund,Issuer,30
Bank,Issuer,50
Bank,Fund,20
carol,Bank,10
"""


@pytest.fixture(scope="module")
def small() -> PathIndex:
    return PathIndex(build(small_world(caption="by hand", gaps=("bands are not read",))))


def of_file(folder: Path, text: str) -> PathIndex:
    path = folder / "claims.csv"
    path.write_text(text, encoding="utf-8")
    return PathIndex(build(read_exposures(path)))


def shown(index: PathIndex, loser: str, cause: str, top: int = 10) -> dict[str, float]:
    return {path.text: path.amount_usd for path in index.paths(loser, cause, top).paths}


def test_a_vault_on_ether_through_the_debt_of_others(small: PathIndex) -> None:
    """30,000 of 80,000 USDC are the vault's; 8,000 of those are lent against WETH, a tenth: 3,000."""
    assert shown(small, "Prime USDC vault", "ETH") == pytest.approx(
        {"Prime USDC vault → Aave V3 core: USDC → WETH → ETH": 3_000}
    )
    answer = small.paths("vUSDC", "ETH")
    assert [hop.relation for hop in answer.paths[0].hops] == ["backs", "supplies", "secured_by", "wraps"]
    assert [hop.amount_usd for hop in answer.paths[0].hops] == [30_000, 30_000, 8_000, None]
    assert answer.paths[0].narrowest == 2
    assert answer.are_all


def test_a_market_on_ether_in_order(small: PathIndex) -> None:
    assert shown(small, "aave-v3", "ETH") == pytest.approx(
        {
            "Aave V3 core: WETH → WETH → ETH": 24_000,
            "Aave V3 core: lstETH → lstETH → WETH → ETH": 11_700,
            "Aave V3 core: USDC → WETH → ETH": 8_000,
            "Aave V3 core: WETH → lstETH → WETH → ETH": 2_000,
        }
    )
    first = small.paths("core", "ETH", top=1)
    assert [path.amount_usd for path in first.paths] == [24_000] and not first.are_all


def test_collateral_counts_up_to_the_debt_and_debt_up_to_the_collateral() -> None:
    """Alice owes 8,000 USDC against WETH of 1,000 and lstETH of 23,400: 1,000 hang on WETH, 8,000 on lstETH."""
    rows: Rows = small_rows()
    positions, reserves = list(rows["positions"]), list(rows["reserves"])
    positions[0] = {**positions[0], "stored_raw": WAD // 2, "amount_raw": WAD // 2}
    positions.append({**positions[2], "position_id": E["alice"], "owner": E["alice"]} | {"amount_raw": 10 * WAD})
    reserves[0] = {**reserves[0], "supply_index_raw": 10**27, "supplied_stored_raw": 5 * WAD // 2}
    reserves[1] = {**reserves[1], "supplied_stored_raw": 15 * WAD}
    index = PathIndex(build(small_world({**rows, "positions": positions, "reserves": reserves})))
    assert shown(index, E["carol"], "WETH") == pytest.approx(
        {  # 50,000 of 80,000 USDC
            "Carol's fund → Aave V3 core: USDC → WETH": 1_000 * 5 / 8,
            "Carol's fund → Aave V3 core: USDC → lstETH → WETH": 8_000 * 5 / 8,
        }
    )


@pytest.mark.parametrize(("weth", "secured"), [(10, 13_000), (5, 10_000)])
def test_a_debt_at_a_fixed_rate_is_a_debt(weth: int, secured: float) -> None:
    """Alice owes 8,000 USDC and 5,000 at a fixed rate against so many WETH at 2,000: the smaller of the sum and the collateral hangs on them."""
    rows: Rows = small_rows()
    positions, reserves = list(rows["positions"]), list(rows["reserves"])
    positions[0] = {**positions[0], "stored_raw": weth * WAD, "amount_raw": weth * WAD}
    positions.append({**positions[1], "side": "fixed_debt", "stored_raw": 5_000 * CENT, "amount_raw": 5_000 * CENT})
    reserves[0] = {**reserves[0], "supply_index_raw": 10**27, "supplied_stored_raw": (weth + 2) * WAD}
    reserves[2] = {**reserves[2], "fixed_debt_raw": 5_000 * CENT, "cash_raw": 67_000 * CENT}
    index = PathIndex(build(small_world({"positions": positions, "reserves": reserves})))
    assert shown(index, "core", "WETH")["Aave V3 core: USDC → WETH"] == pytest.approx(secured)
    assert shown(index, "core", "ETH / USD")["Aave V3 core: USDC → ETH / USD"] == pytest.approx(secured)
    steps = index.steps[(index.steps["relation"] == "secured_by") & (index.steps["target"] == WETH)]
    of_usdc = steps[steps["source"] == f"{MARKET}#{USDC}"].iloc[0]
    assert of_usdc["amount_usd"] == pytest.approx(secured) and of_usdc["share"] == pytest.approx(secured / 80_000)
    assert of_usdc["evidence"].startswith("sum over 1 position that owes and has it;")


def test_a_feed_puts_the_debts_that_it_decides_about_at_stake(small: PathIndex) -> None:
    """ETH / USD prices alice's WETH (8,000 USDC) and bob's lstETH and debt (2,000 WETH, no more than is owed)."""
    assert shown(small, "core", "ETH / USD") == pytest.approx(
        {"Aave V3 core: USDC → ETH / USD": 8_000, "Aave V3 core: WETH → ETH / USD": 2_000}
    )
    assert shown(small, E["dave"], "ETH / USD") == pytest.approx(
        {"0x3500…0000 → Aave V3 core: WETH → ETH / USD": 4_000 / 12}
    )


def test_a_market_or_protocol_that_fails_takes_what_was_supplied(small: PathIndex) -> None:
    assert shown(small, "Prime USDC vault", "aave-v3") == {"Prime USDC vault → Aave V3 core: USDC": 30_000}
    assert shown(small, E["bob"], "core") == pytest.approx({"0x3480…0000 → Aave V3 core: lstETH": 11_700})


def test_a_liquidity_share_and_the_pool(small: PathIndex) -> None:
    assert shown(small, "UNI-V2", "USDC") == pytest.approx({"UNI-V2 → USDC": 200_000})
    assert shown(small, "uniswap-v2", "ETH") == pytest.approx({"Uniswap V2 WETH/USDC → WETH → ETH": 200_000})
    assert shown(small, "aWETH", "lstETH") == pytest.approx({"aWETH → Aave V3 core: WETH → lstETH": 2_000})


def test_a_holder_of_liquidity_shares(small: PathIndex) -> None:
    """Dave has a quarter of the shares of a pool of 400,000, half of it USDC; the pool's contract keeps it all."""
    assert shown(small, E["dave"], "Uniswap V2 WETH/USDC") == pytest.approx({"0x3500…0000 → UNI-V2": 100_000})
    ways = shown(small, E["dave"], "USDC")
    assert ways == pytest.approx({"0x3500…0000 → UNI-V2 → USDC": 50_000})
    first = small.paths(E["dave"], "USDC").paths[0].hops[0]  # worked out from balance, supply and both reserves
    assert first.status == "derived" and first.evidence.count("call for") == 4
    [held] = records(exposure(small.graph, E["dave"]).outbound["held"])
    assert (held["amount_usd"], held["evidence"], held["status"]) == (100_000, first.evidence, first.status)


def test_the_record_is_json_and_every_hop_has_evidence(small: PathIndex) -> None:
    record = json.loads(json.dumps(small.paths("aave-v3", "ETH").to_dict(), allow_nan=False))
    assert all(hop["evidence"] and hop["status"] for path in record["paths"] for hop in path["hops"])
    assert record["caption"] == "by hand" and record["gaps"][0] == "bands are not read"
    assert record["anchors"][0]["number"] == 100


def test_a_file_with_a_circle(tmp_path: Path) -> None:
    """Fund owes 120 and has 100; Bank owes 80 and has 70. Through Bank: 60 x 70/120 x 50/80."""
    index = of_file(tmp_path, FILE)
    assert shown(index, "alice", "Issuer") == pytest.approx(
        {"alice → Fund → Bank → Issuer": 60 * 70 / 120 * 50 / 80, "alice → Fund → Issuer": 60 * 30 / 120}
    )
    assert index.paths("alice", "Issuer").paths[0].hops[1].evidence == "claims.csv row 4"
    assert shown(index, "Issuer", "alice") == {}


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    head, *rows = FILE.splitlines()
    texts = {
        tuple(path.text for path in of_file(tmp_path, "\n".join([head, *order])).paths("alice", "Issuer").paths)
        for order in (rows, rows[::-1], rows[3:] + rows[:3])
    }
    assert len(texts) == 1


@pytest.mark.parametrize("seed", range(6))
def test_files_against_every_simple_path(tmp_path: Path, seed: int) -> None:
    """Shares by the file's own sums: what a name has in another over what is claimed on it, or all it has if that is more."""
    rng = np.random.default_rng(seed)
    pairs = {tuple(pair) for pair in rng.integers(0, 8, (24, 2)).tolist() if pair[0] != pair[1]}
    claims = {(f"n{a}", f"n{b}"): float(rng.integers(1, 1000)) for a, b in sorted(pairs)} | {("x", "n0"): 100.0}
    index = of_file(
        tmp_path, "holder,claim_on,amount_usd\n" + "".join(f"{a},{b},{usd}\n" for (a, b), usd in claims.items())
    )
    worth = {
        name: max(
            sum(usd for (_, b), usd in claims.items() if b == name),
            sum(usd for (a, _), usd in claims.items() if a == name),
        )
        for name in itertools.chain(*claims)
    }
    network = networkx.DiGraph(list(claims))
    for cause in sorted({b for _, b in claims if b != "n0"}):
        expected = {}
        for nodes in networkx.all_simple_paths(network, "x", cause):
            usd = claims[nodes[0], nodes[1]]
            for pair in itertools.pairwise(nodes[1:]):
                usd = min(usd * claims[pair] / worth[pair[0]], claims[pair])
            expected[" → ".join(nodes)] = usd
        assert shown(index, "x", cause, 1000) == pytest.approx(expected)


def test_bad_questions(small: PathIndex) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        small.paths("aave-v4", "ETH")
    for pair in (("core", "aave-v3"), ("aave-v3", "core")):
        with pytest.raises(InputError, match="a part of the other"):
            small.paths(*pair)
    with pytest.raises(InputError, match="two different things"):
        small.paths("ETH", "ETH")
    with pytest.raises(InputError, match="top is 0"):
        small.paths("core", "ETH", top=0)


def test_an_unknown_name_of_a_file_is_answered_with_the_names_of_the_file(tmp_path: Path) -> None:
    index = of_file(tmp_path, "holder,claim_on,amount_usd\nalice,Fund,60\nbob,Fund,40\nFund,Bank,70\n")
    with pytest.raises(UnknownNameError, match=r"named 'alicee'; did you mean alice\?"):
        index.paths("alicee", "Bank")
    with pytest.raises(UnknownNameError, match=r"named 'Q'; known are: Bank, Fund, alice, bob\."):
        index.paths("alice", "Q")


def test_a_vault_whose_positions_are_not_known_loses_by_what_it_allocated() -> None:
    """USDC is behind the vault's share, and it says that it lent 30,000 of them to the market; no position of it was read."""
    rows = small_rows()
    rows["positions"] = [row for row in rows["positions"] if row["owner"] != E["share"]]
    rows["reserves"][2] = {**rows["reserves"][2], "supplied_stored_raw": 50_000 * CENT}
    rows["backings"].append(
        {**rows["backings"][0], "claim": SHARE, "backing": USDC, "holder": E["share"], "amount_raw": 30_000 * CENT}
    )
    found = dependences(build(small_world(rows)))
    found = found[found["relation"] == "allocates_to"]
    assert found[["source", "target", "amount_usd", "share"]].to_numpy().tolist() == [
        [E["share"], reserve(MARKET, USDC), 30_000, 1]
    ]


def test_a_vault_is_told_apart_from_its_share_on_the_way_of_a_loss() -> None:
    graph = build(aftershock.load())
    share = graph.find("svUSDC", "asset")
    held = graph.relations["holds"]
    holder = held[held["target"] == share]["source"].iloc[0]
    found = aftershock.paths(graph, holder, "USDC", 2).paths
    assert found
    for path in found:
        assert path.text.split(" → ")[1:3] == ["svUSDC", "svUSDC (vault)"]
