"""The Curve reader against recorded answers of Curve's own contracts (no package carries them); the header of the file says how they were had."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chain import reading
from chain.comparisons import venue_checks
from chain.comparisons.comparison import Comparison
from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.resumable import ResumableClient
from chain.readers import curve_stableswap
from chain.snapshot import Check, Snapshot, from_rows
from chain.units import WAD, address_of, native_id
from graph.build import build
from graph.lookthrough import roots
from simulations.venues.from_tables import venue_of
from simulations.venues.stableswap import StableSwap

RECORDED = Path(__file__).parent / "recorded" / "curve_stableswap.jsonl"
REGISTRY = "0x26763706a726adfbc382d62a982a88f4d7046e6e"
CHAIN = "eip155:31337"
GET_DY = "get_dy(int128,int128,uint256)->(uint256)"
PARTS = tuple(3**power for power in range(0, 24, 3))
COINS = {
    "3pool": ["DAI", "USDC", "USDT"],
    "base": ["FRAX", "USDC"],
    "eth": ["ETH", "stETH"],
    "meta": ["GUSD", "3Crv"],
    "late meta": ["HUSD", "3Crv"],
}
NOTHING: dict[str, Any] = dict.fromkeys((*curve_stableswap.POOL_ASKS, *curve_stableswap.LENDS, "rates"))
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def extra_sales(rows: Rows) -> dict[tuple[str, int, int, int], Call]:
    """Sales of many sizes, from every coin to every other: what was recorded besides what the reader asks."""
    calls = {}
    for pool in rows["pools"]:
        sides = [row for row in rows["pool_assets"] if row["pool"] == pool["pool"]]
        for sold in sides:
            for bought in sides:
                for part in PARTS if sold is not bought else ():
                    sale = (sold["slot"], bought["slot"], sold["reserve_raw"] // part)
                    calls[pool["pool"], *sale] = Call(address_of(pool["pool"]), GET_DY, sale)
    return calls


@pytest.fixture(scope="module")
def client() -> Iterator[ResumableClient]:
    with ResumableClient.replay(RECORDED) as client:
        client.pin("latest")
        yield client


@pytest.fixture(scope="module")
def settled(client: ResumableClient) -> tuple[Findings, list[Comparison], Check]:
    book = Deployment(CHAIN, "curve-dex", "registry", "curve_stableswap", 1, "recorded", {"registry": REGISTRY})
    return reading._settled(client, [book], lambda *_: None)


@pytest.fixture(scope="module")
def snapshot(settled: tuple[Findings, list[Comparison], Check]) -> Snapshot:
    found, comparisons, references = settled
    checks = (*(comparison.check for comparison in comparisons), references)
    return from_rows("curve", (found.anchor,), found.rows, checks=checks, gaps=tuple(found.gaps))


def said(client: ResumableClient, at: str, text: str, *arguments: Any) -> Any:
    """A view's recorded answer; the reader asks what not every pool has with leave to refuse."""
    return client.call(Call(at, text, arguments, optional=True))


def pools(snapshot: Snapshot) -> dict[str, Any]:
    """Rows of `pools` by the name above, told by their coins."""
    symbols = snapshot["assets"].set_index("asset")["symbol"]
    sides = snapshot["pool_assets"].sort_values(["pool", "slot"])
    coins = {pool: [symbols[asset] for asset in some["asset"]] for pool, some in sides.groupby("pool")}
    names = {tuple(own): name for name, own in COINS.items()}
    return {names[tuple(coins[row.pool])]: row for row in snapshot["pools"].itertuples()}


def test_the_recording_holds_no_code() -> None:
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    assert "curvefi/curve-contract@574f44027d08" in lines[0]["source"] and "vyper 0.2.16" in lines[0]["source"]
    asked = {line["ask"][1]: line for line in lines[1:]}
    assert "eth_getCode" not in asked
    assert {line["answer"] for line in lines[1:] if line["ask"][1] == "code_start"} <= {"0x", "0x01"}
    assert max(len(str(line.get("answer"))) for line in lines[1:] if line["ask"][1] == "eth_call") < 2_000


def test_pools_are_what_the_contracts_say(client: ResumableClient, snapshot: Snapshot) -> None:
    found = pools(snapshot)
    assert set(found) == set(COINS)
    for name, row in found.items():
        at = address_of(row.pool)
        amplification = "A()->(uint256)" if name == "3pool" else "A_precise()->(uint256)"
        assert row.amplification_raw == said(client, at, amplification)
        assert row.amplification_unit_raw == (1 if name == "3pool" else 100)
        assert row.fee_wad == said(client, at, "fee()->(uint256)") * 10**8
        assert row.admin_fee_wad == said(client, at, "admin_fee()->(uint256)") * 10**8
        share = said(client, REGISTRY, "get_lp_token(address)->(address)", at)
        assert address_of(row.lp_asset.replace("/erc20", "")) == share
        assert row.lp_supply_raw == client.call(Call(share, "totalSupply()->(uint256)"))
        for side in snapshot["pool_assets"].query("pool == @row.pool").itertuples():
            assert side.reserve_raw == said(client, at, "balances(uint256)->(uint256)", int(side.slot))
            assert side.balance_raw >= side.reserve_raw > 0
            coin = said(client, at, "coins(uint256)->(address)", int(side.slot))
            is_native = coin == curve_stableswap.NATIVE
            assert side.asset == (native_id(CHAIN) if is_native else f"{CHAIN}/erc20:{coin}")


def test_a_metapool_counts_its_last_coin_at_the_base_pools_virtual_price(
    client: ResumableClient, snapshot: Snapshot
) -> None:
    """One keeps what it asked for 20 minutes ago, which has expired; the other what it asked for a block before it moved, which counts."""
    found = pools(snapshot)
    now = said(client, address_of(found["3pool"].pool), "get_virtual_price()->(uint256)")
    kept = said(client, address_of(found["late meta"].pool), "base_virtual_price()->(uint256)")
    old = said(client, address_of(found["meta"].pool), "base_virtual_price()->(uint256)")
    assert now not in (kept, old)
    for name, rate in (("meta", now), ("late meta", kept)):
        sides = snapshot["pool_assets"].query(f"pool == '{found[name].pool}'").sort_values("slot")
        assert list(sides["rate_raw"]) == [10**30, rate]
    at = {**NOTHING, "base_rate": kept, "base_time": 1_000}
    assert curve_stableswap._rates(1_600, at, [6, 18], now) == [10**30, kept]
    assert curve_stableswap._rates(1_601, at, [6, 18], now) == [10**30, now]


@pytest.mark.parametrize(
    "told", [{"moving_fee": 10**10}, {"moving_rates": [WAD]}, {"lends_early": REGISTRY}, {"rates": [WAD, WAD + 1]}]
)
def test_pools_that_others_have_a_say_in_have_no_rates(told: dict[str, Any]) -> None:
    answer = dict.fromkeys((*curve_stableswap.POOL_ASKS, *curve_stableswap.LENDS, "rates"))
    assert curve_stableswap._rates(0, answer, [18, 6], None) == [WAD, 10**30]
    assert curve_stableswap._rates(0, {**NOTHING, **told}, [18, 6], None) == [None, None]


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert [check for check in snapshot.checks if not check.passed] == []
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["the invariant a share is the pool's rate"] == 5
    assert compared["sales bring what get_dy says"] == 33
    assert compared["balances of a share add up to totalSupply"] == 5
    assert set(snapshot["pools"]["status"]) == {"verified"}


@pytest.mark.parametrize(
    ("column", "caught_by"),
    [
        ("amplification_raw", {"the invariant a share is the pool's rate", "sales bring what get_dy says"}),
        ("fee_wad", {"sales bring what get_dy says"}),
        ("lp_supply_raw", {"the invariant a share is the pool's rate"}),
    ],
)
def test_a_wrong_row_is_found(
    settled: tuple[Findings, list[Comparison], Check], column: str, caught_by: set[str]
) -> None:
    found, _, _ = settled
    changed = {name: [dict(row) for row in found.rows[name]] for name in ("pools", "pool_assets")}
    changed["pools"][1][column] += 10**8
    failed = {one.check.name for one in venue_checks.run(changed, found.witnesses) if one.check.failures}
    assert failed == caught_by


def test_venues_pay_what_get_dy_says(client: ResumableClient, snapshot: Snapshot) -> None:
    """Every pair of coins of every pool at eight sizes, to the last unit; the first pools' view rounds otherwise than their exchange."""
    table = {name: snapshot[name].to_dict("records") for name in ("pools", "pool_assets")}
    answers = client.ask(extra_sales(table))
    decimals = dict(zip(snapshot["assets"]["asset"], snapshot["assets"]["decimals"], strict=True))
    found = {row.pool: row for row in snapshot["pools"].itertuples()}
    compared = 0
    for (pool, sold, bought, amount), answer in answers.items():
        sides = list(snapshot["pool_assets"].query("pool == @pool").sort_values("slot").itertuples())
        venue = venue_of(found[pool], sides, [], [int(decimals[side.asset]) for side in sides])
        assert isinstance(venue, StableSwap)
        assert venue.admin_fee == said(client, address_of(pool), "admin_fee()->(uint256)") > 0
        ours = venue.view if venue.a_precision == 1 else venue.quote
        assert ours(sold, bought, amount) == answer
        compared += 1
    assert compared == 8 * (6 + 2 + 2 + 2 + 2)


def test_a_share_of_a_share_is_looked_through_to_coins(snapshot: Snapshot) -> None:
    """GUSD/3Crv: as many coins for one share as its part of both pools' balances."""
    graph, found = build(snapshot), pools(snapshot)
    inside = {
        (row.pool, snapshot["assets"].set_index("asset")["symbol"][row.asset]): row
        for row in snapshot["pool_assets"].itertuples()
    }
    meta, base = found["meta"], found["3pool"]
    part = inside[meta.pool, "3Crv"].reserve_raw / meta.lp_supply_raw
    rates = roots(graph, meta.lp_asset).set_index("label")["rate"]
    assert set(rates.index) == {"GUSD", "DAI", "USDC", "USDT"}
    assert rates["GUSD"] == pytest.approx(inside[meta.pool, "GUSD"].reserve_raw * 10**12 / meta.lp_supply_raw)
    for coin, scale in (("DAI", 1), ("USDC", 10**12), ("USDT", 10**12)):
        assert rates[coin] == pytest.approx(part * inside[base.pool, coin].reserve_raw * scale / base.lp_supply_raw)
