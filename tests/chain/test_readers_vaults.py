"""Vaults and other claims, from the contracts to the exposure of who holds them: rows and amounts against the contracts' own views.

A vault over three Morpho markets, a vault that lends to Aave, and a share, an aToken and a cToken as collateral elsewhere.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from web3.contract import Contract

from aftershock.cli import main
from chain.deployments import read_deployments
from chain.expected import expect
from chain.inspection import addresses
from chain.node.client import Client
from chain.reading import take
from chain.snapshot import Snapshot, save
from chain.units import WAD
from graph.build import build
from graph.exposures.answer import exposure
from graph.lookthrough import roots
from graph.paths import PathIndex
from graph.protocol_graph import ProtocolGraph
from tests.devnet.transactions import address_of
from tests.devnet.vault_world import BORROWERS, CAPS, FEES, OTHERS, SAVER, TIMELOCK, Claims, add_claims
from tests.devnet.world import World

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def claims(devnet_world: World) -> Iterator[Claims]:
    with devnet_world.undone():
        yield add_claims(devnet_world)


@pytest.fixture(scope="module")
def snapshot(claims: Claims, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return take(claims.world.url, claims.write_book(tmp_path_factory.mktemp("claims")), "latest", "claims")


@pytest.fixture(scope="module")
def graph(snapshot: Snapshot) -> ProtocolGraph:
    return build(snapshot)


def rows(snapshot: Snapshot, table: str, column: str, contract: Contract) -> list[dict[str, Any]]:
    found = cast("list[dict[str, Any]]", snapshot[table].to_dict("records"))
    return [row for row in found if row[column].endswith(contract.address.lower())]


def price(graph: ProtocolGraph, symbol: str, asset: str) -> float:
    [usd] = graph.nodes["asset"].query("node == @asset")["price_usd"]
    assert graph.label(asset) == symbol
    return float(usd)


def test_everything_that_was_compared_agrees(snapshot: Snapshot) -> None:
    assert {check.name: check.failures for check in snapshot.checks if not check.passed} == {}
    compared = {check.name: check for check in snapshot.checks}
    assert compared["allocations add up to totalAssets"].compared == 1, "listed twice, read once"
    assert compared["a vault's own balance and positions give totalAssets"].note == "", "nothing is anywhere else"
    assert set(snapshot["backings"]["status"]) == set(snapshot["queues"]["status"]) == {"verified"}


def test_the_doctor_and_the_dry_run_know_the_vault(claims: Claims, snapshot: Snapshot, tmp_path: Path) -> None:
    book = claims.write_book(tmp_path)
    with Client.connect(claims.world.url, snapshot.anchors[0].chain) as client:
        client.pin("latest")
        found = [one for one in addresses(client, read_deployments(book)) if one.subject.startswith("metamorpho")]
    assert {one.state for one in found} == {"ok"} and any("withdrawQueueLength is 3" in one.text for one in found)
    told = expect(claims.world.url, book, "latest").total
    assert told.rows == pytest.approx(sum(len(table) for table in snapshot.tables.values()), rel=0.05)


def test_the_vaults_allocation_and_what_it_can_pay(claims: Claims, snapshot: Snapshot) -> None:
    ask = claims.vault.functions
    queued = {
        row["market"]: row for row in rows(snapshot, "queues", "vault", claims.vault) if row["side"] == "withdraw"
    }
    assert list(queued) == [claims.market(name) for name in CAPS]
    for name, cap in CAPS.items():
        row = queued[claims.market(name)]
        assert row["allocated_raw"] == ask.held(claims.ids[name]).call()
        assert (row["cap_raw"], row["timelock_seconds"]) == (cap * 10**6, TIMELOCK)
        assert (row["pending_cap_raw"] == 500_000 * 10**6) == (name == "bad")
    [row] = rows(snapshot, "backings", "claim", claims.vault)
    assert row["amount_raw"] == ask.totalAssets().call() == sum(one["allocated_raw"] for one in queued.values())
    assert row["holder"].endswith(claims.morpho.address.lower())
    assert row["capacity_raw"] == ask.liquid().call() == ask.maxWithdraw(SAVER).call() < row["amount_raw"]
    assert row["rate_wad"] * 10**6 // WAD == ask.convertToAssets(10**18).call() > 10**6
    assert (row["gain_fee_wad"], row["gain_base_raw"]) == (WAD // 10, ask.lastTotalAssets().call())
    held = {one["holder"][-42:]: one["amount_raw"] for one in rows(snapshot, "balances", "asset", claims.vault)}
    people = (SAVER, OTHERS, FEES, claims.morpho.address)
    assert held == {who.lower(): have for who in people if (have := ask.balanceOf(who).call())}
    powers = {(row["authority"][-42:], row["power"]) for row in rows(snapshot, "authorities", "target", claims.vault)}
    assert (address_of("claims guardian").lower(), "veto") in powers
    assert (address_of("claims allocator").lower(), "allocate") in powers


def test_a_plain_vault_says_what_lies_in_it_and_what_it_lent(claims: Claims, snapshot: Snapshot) -> None:
    lender, usdc = claims.lender.address, claims.world.tokens["USDC"].functions
    places = {row["holder"][-42:]: row["amount_raw"] for row in rows(snapshot, "backings", "claim", claims.lender)}
    receipt = claims.world.market.receipt_tokens["USDC"].functions.balanceOf(lender).call()
    assert places == {lender.lower(): usdc.balanceOf(lender).call(), claims.world.pool.address.lower(): receipt}
    assert sum(places.values()) == claims.lender.functions.totalAssets().call() and min(places.values()) > 10**10


def test_one_address_is_one_entity(claims: Claims, snapshot: Snapshot, graph: ProtocolGraph) -> None:
    kinds = {row["address"]: row["kind"] for row in snapshot["entities"].to_dict("records")}
    aave = f"eip155:{claims.world.chain_id}:aave-v3/{claims.world.pool.address.lower()}"
    supplies = graph.relations["supplies"]
    for vault, markets in ((claims.vault, {claims.market(name) for name in CAPS}), (claims.lender, {aave})):
        key = f"eip155:{claims.world.chain_id}:{vault.address.lower()}"
        assert kinds[vault.address.lower()] == "vault" and graph.node_kind(key) == "vault"
        assert set(supplies[supplies["source"] == key]["target"]) == markets
    morpho = f"eip155:{claims.world.chain_id}:{claims.morpho.address.lower()}"
    assert aave in set(supplies[supplies["source"] == morpho]["target"]), "it holds the aTokens that were posted"


def test_claims_look_through_to_the_last_asset(claims: Claims, graph: ProtocolGraph) -> None:
    """Rates: what the contracts convert to, whole tokens."""
    cusdc, aweth = claims.compound.markets["USDC"], claims.world.market.receipt_tokens["WETH"]
    rate = cusdc.functions.exchangeRateStored().call() / 10 ** (18 + 6 - 8)
    usdc = claims.asset(claims.world.tokens["USDC"])
    wanted = {
        claims.asset(claims.vault): (usdc, claims.vault.functions.convertToAssets(10**36).call() / 10**24),
        claims.asset(claims.lender): (usdc, claims.lender.functions.convertToAssets(10**24).call() / 10**24),
        claims.asset(cusdc): (claims.asset(claims.compound.tokens["USDC"]), rate),
        claims.asset(aweth): (f"eip155:{claims.world.chain_id}/slip44:60", 1.0),
    }
    for claim, (root, units) in wanted.items():
        [row] = roots(graph, claim).to_dict("records")
        assert (row["root"], row["ends"]) == (root, "root") and row["rate"] == pytest.approx(units, rel=1e-12)


def test_the_markets_of_a_share_holder(claims: Claims, graph: ProtocolGraph) -> None:
    """Split as the vault's own money is; what a share is worth by its oracle was set to the vault's rate a block before."""
    ask = claims.vault.functions
    worth = ask.convertToAssets(ask.balanceOf(SAVER).call()).call() / 10**6
    usd = worth * price(graph, "USDC", claims.asset(claims.world.tokens["USDC"]))
    answer = exposure(graph, SAVER.lower())
    found = {row["market"]: row for row in answer.outbound["markets"].to_dict("records")}
    assert list(found) == [claims.market(name) for name in CAPS]
    for name in CAPS:
        part = ask.held(claims.ids[name]).call() / ask.totalAssets().call()
        assert found[claims.market(name)]["amount_usd"] == pytest.approx(usd * part, rel=1e-6)
        assert found[claims.market(name)]["share_ratio"] == pytest.approx(part, rel=1e-12)
    assert found[claims.market("bad")]["against"] == "BAD"
    assert found[claims.market("bad")]["path"].startswith("qvUSDC → Morpho")
    assert answer.outbound["roots"]["amount_usd"].tolist() == pytest.approx([usd], rel=1e-6)


def test_the_command_line_names_the_bad_market(
    claims: Claims,
    snapshot: Snapshot,
    graph: ProtocolGraph,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(snapshot, tmp_path / "claims")
    words = ["aftershock", "query", "exposure", SAVER.lower(), "--snapshot", str(tmp_path / "claims")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().out
    assert not ended.value.code
    [line] = [line for line in said.partition("depends on: markets")[2].splitlines() if "BAD" in line]
    ask = claims.vault.functions
    part = ask.held(claims.ids["bad"]).call() / ask.totalAssets().call()
    worth = ask.convertToAssets(ask.balanceOf(SAVER).call()).call() / 10**6
    usd = worth * part * price(graph, "USDC", claims.asset(claims.world.tokens["USDC"]))
    assert f" {usd / 1_000:,.0f} " in line and f"{part:.0%}"[:-1] in line, line


def test_a_claim_that_is_posted_elsewhere_is_in_both_markets(claims: Claims, graph: ProtocolGraph) -> None:
    wanted = {
        "share": {claims.market(name) for name in ("share", *CAPS)},
        "receipt": {
            claims.market("receipt"),
            f"eip155:{claims.world.chain_id}:aave-v3/{claims.world.pool.address.lower()}",
        },
        "ctoken": {
            claims.market("ctoken"),
            f"eip155:{claims.world.chain_id}:compound-v2/{claims.compound.comptroller.address.lower()}",
        },
    }
    for name, markets in wanted.items():
        table = exposure(graph, BORROWERS[name].lower()).outbound["markets"]
        assert set(table["market"]) == markets
        posted = table[table["market"] == claims.market(name)]["amount_usd"].sum()
        through = table[(table["market"] != claims.market(name)) & table["path"].str.contains("aWETH|cUSDC|qvUSDC")]
        assert through["amount_usd"].sum() == pytest.approx(posted, rel=1e-9)


def test_idle_money_of_a_vault_is_in_no_market(claims: Claims, graph: ProtocolGraph) -> None:
    table = exposure(graph, OTHERS.lower()).outbound["markets"]
    aave = table[table["market"].str.contains("aave-v3")]
    lent = claims.world.market.receipt_tokens["USDC"].functions.balanceOf(claims.lender.address).call()
    usdc = price(graph, "USDC", claims.asset(claims.world.tokens["USDC"]))
    assert aave["amount_usd"].tolist() == pytest.approx([lent / 10**6 * usdc], rel=1e-6)
    key = f"eip155:{claims.world.chain_id}:{claims.lender.address.lower()}"
    [final] = exposure(graph, key).outbound["roots"]["amount_usd"]
    assert final == pytest.approx(claims.lender.functions.totalAssets().call() / 10**6 * usdc, rel=1e-9)


def test_what_a_share_holder_loses_with_a_bad_collateral(claims: Claims, graph: ProtocolGraph) -> None:
    """The way from the holder to the collateral against what the share lost once it was worth nothing and all of it was seized."""
    told = PathIndex(graph).paths(SAVER.lower(), claims.asset(claims.tokens["bad"])).paths
    assert told[0].text.endswith("USDC → BAD") and "qvUSDC" in told[0].text
    ask, shares = claims.vault.functions, claims.vault.functions.balanceOf(SAVER).call()
    world = claims.world
    with world.undone():
        world.send("count the gains", claims.vault, "setFee", WAD // 10, FEES)  # else the fee due falls with the loss
        before = ask.convertToAssets(shares).call()
        world.send("fall", claims.oracles["bad"], "setPrice", 1)
        seized = (claims.params["bad"], BORROWERS["bad"], 50_000 * WAD, 0, b"")
        world.send("funds", world.tokens["USDC"], "mint(address,uint256)", OTHERS, 10**6)
        world.send("liquidate", claims.morpho, "liquidate", *seized, sender=OTHERS)
        after = ask.convertToAssets(shares).call()
    lost = (before - after) / 10**6 * price(graph, "USDC", claims.asset(world.tokens["USDC"]))
    assert lost > 150_000
    assert told[0].amount_usd == pytest.approx(lost, rel=1e-5)
