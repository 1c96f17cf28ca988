"""The Balancer V2 reader against the vault and the pools themselves, asked through plain web3, and its shares as claims in the graph."""

import random
from collections.abc import Iterator
from itertools import permutations

import pytest
from web3.exceptions import ContractLogicError

from chain.comparisons import venue_checks
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import balancer_v2
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import WAD, address_of
from graph.build import build
from graph.exposures.answer import exposure
from graph.lookthrough import roots
from simulations.venues.balancer_stable import BalancerStable
from simulations.venues.from_tables import venue_of
from simulations.venues.weighted import Weighted
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.balancer_v2_market import HOLDERS, Market, deploy_market
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
SIZES = 5


@pytest.fixture(scope="module")
def market(devnet_world: World) -> Iterator[Market]:
    with devnet_world.undone():
        yield deploy_market(devnet_world)


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, market: Market) -> Snapshot:
    return take(devnet_world.url, market.deployments, "latest", "with balancer")


def pool_key(market: Market, name: str) -> str:
    return f"eip155:31337:{str(market.contracts[name].address).lower()}"


def share_of(market: Market, name: str) -> str:
    return pool_key(market, name).replace("31337:", "31337/erc20:")


def test_pools_are_what_the_contracts_say(market: Market, snapshot: Snapshot) -> None:
    found = {row["pool"]: row for row in rows(snapshot, "pools") if row["protocol"] == "balancer-v2"}
    assert set(found) == {pool_key(market, name) for name in market.pools}
    assert any("not read: 0x" in gap for gap in snapshot.gaps), "the pool that was never filled"
    for name in market.pools:
        row, ask = found[pool_key(market, name)], market.contracts[name].functions
        assert (row["fee_wad"], row["paused"]) == (ask.getSwapFeePercentage().call(), False)
        if name not in market.weights:
            amplification, _, unit = ask.getAmplificationParameter().call()
            assert (row["amplification_raw"], row["amplification_unit_raw"]) == (amplification, unit)
        if "composable" in name or "nested" in name:
            assert row["lp_supply_raw"] == ask.getActualSupply().call() < ask.totalSupply().call() // 10**6
        elif "old" in name or name == "plain":
            assert row["lp_supply_raw"] == ask.totalSupply().call()


@pytest.mark.verify
def test_shares_minted_in_advance_are_not_counted_where_a_pool_does_not_say(
    devnet_world: World, market: Market, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools that answer no getActualSupply: the supply less what the vault keeps of it for the pool itself (no protocol fee is due here)."""
    monkeypatch.setitem(balancer_v2.POOL_ASKS, "actual", "nothingLikeIt()->(uint256)")
    found = take(devnet_world.url, market.deployments, "latest")["pools"]
    assert list(found["lp_supply_raw"]) == list(snapshot["pools"]["lp_supply_raw"])


def test_balances_and_weights_are_the_vaults(market: Market, snapshot: Snapshot) -> None:
    table = rows(snapshot, "pool_assets")
    for name, pool_id in market.pools.items():
        tokens, balances, _ = market.exchange.vault.functions.getPoolTokens(pool_id).call()
        places = {token.lower(): (slot, held) for slot, (token, held) in enumerate(zip(tokens, balances, strict=True))}
        found = {address_of(row["asset"]): row for row in table if row["pool"] == pool_key(market, name)}
        assert set(found) == {token.address.lower() for token in market.tokens[name]}, "not the pool's own share"
        for token, row in found.items():
            assert (row["slot"], row["reserve_raw"], row["managed_raw"]) == (*places[token], 0)
        if name in market.weights:
            assert [row["weight_wad"] for row in found.values()] == market.weights[name]


def test_rates_are_those_of_the_next_swap(market: Market, snapshot: Snapshot) -> None:
    """The factors that a pool counts with; where a cached rate has expired, the one that its provider gives now."""
    base = market.contracts["third composable"]
    now, moved = int(base.functions.getRate().call()), 0
    table = rows(snapshot, "pool_assets")
    for name in market.pools:
        if name in market.weights:
            continue
        factors = market.contracts[name].functions.getScalingFactors().call()
        for row in (row for row in table if row["pool"] == pool_key(market, name)):
            is_expired = name == "nested, expired" and address_of(row["asset"]) == base.address.lower()
            assert row["rate_raw"] == (now if is_expired else factors[row["slot"]])
            moved += row["rate_raw"] != factors[row["slot"]]
    assert moved == 1


def test_everything_that_was_compared_agrees(market: Market, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check for check in snapshot.checks}
    assert compared["balances to their weights give the pool's invariant"].compared == len(market.weights)
    assert compared["the invariant a share is the pool's rate"].compared == len(market.pools) - len(market.weights) - 1
    assert compared["the vault holds what its pools count"].compared == sum(map(len, market.tokens.values()))
    mine = snapshot["pools"].query("protocol == 'balancer-v2'")
    assert set(mine[mine["pool"] != pool_key(market, "nested, expired")]["status"]) == {"verified"}


def test_holders_are_all_there(market: Market, snapshot: Snapshot) -> None:
    table = {(row["asset"], address_of(row["holder"])): row["amount_raw"] for row in rows(snapshot, "balances")}
    for name in market.pools:
        for holder in HOLDERS:
            said = market.contracts[name].functions.balanceOf(holder).call()
            assert table[share_of(market, name), holder.lower()] == said > 0


@pytest.mark.parametrize(
    ("table", "column", "check"),
    [
        ("pool_assets", "reserve_raw", "balances to their weights give the pool's invariant"),
        ("pools", "lp_supply_raw", "the invariant a share is the pool's rate"),
        ("pools", "amplification_raw", "the invariant a share is the pool's rate"),
    ],
)
def test_a_wrong_row_is_found(
    market: Market, devnet_world: World, snapshot: Snapshot, table: str, column: str, check: str
) -> None:
    changed = {name: rows(snapshot, name) for name in ("pools", "pool_assets", "backings")}
    name = "three" if column == "reserve_raw" else "first composable"
    row = next(row for row in changed[table] if row["pool"] == pool_key(market, name))
    row[column] += max(1, row[column] // 10**9)
    with Client.connect(devnet_world.url, "eip155:31337") as client:
        client.pin("latest")
        at = address_of(pool_key(market, name))
        text = "getInvariant()->(uint256)" if name == "three" else "getRate()->(uint256)"
        said = {(pool_key(market, name),): client.call(Call(at, text))}
    found = venue_checks.run(changed, {"pool invariant" if name == "three" else "pool rate": said})
    assert check in {one.check.name for one in found if one.check.failures}


def test_a_vault_that_holds_too_little_is_found(market: Market, snapshot: Snapshot) -> None:
    changed = {name: rows(snapshot, name) for name in ("pools", "pool_assets", "backings")}
    row = next(row for row in changed["pool_assets"] if row["pool"] == pool_key(market, "plain"))
    place = (f"eip155:31337:{str(market.exchange.vault.address).lower()}", row["asset"])
    needed = sum(
        one["reserve_raw"]
        for one in changed["pool_assets"]
        if one["asset"] == row["asset"] and one["managed_raw"] is not None
    )
    for held, is_short in ((needed, False), (needed - 1, True)):
        found = venue_checks.vault_holds(changed, {place: held})
        assert bool(found.check.failures) == is_short == bool(found.differed)


def test_every_pool_pays_what_the_vault_says(market: Market, snapshot: Snapshot) -> None:
    """As a venue: every pair of assets of every pool, small and large, to the last unit; refused where the pool refuses."""
    rng, compared, refused = random.Random(4), 0, 0
    decimals = {row["asset"]: int(row["decimals"]) for row in rows(snapshot, "assets")}
    found = {row.pool: row for row in snapshot["pools"].itertuples()}
    for name, pool_id in market.pools.items():
        row = found[pool_key(market, name)]
        sides = list(snapshot["pool_assets"].query("pool == @row.pool").sort_values("slot").itertuples())
        venue = venue_of(row, sides, [], [decimals[side.asset] for side in sides])
        assert isinstance(venue, Weighted | BalancerStable), name
        ends = [market.exchange.ledger.node.w3.to_checksum_address(address_of(side.asset)) for side in sides]
        for sold, bought in permutations(range(len(sides)), 2):
            for number in range(SIZES):
                share = rng.uniform(0.2, 0.4) if number < 2 else 10 ** rng.uniform(-9, 0.5)
                amount = max(1, int(sides[sold].reserve_raw * share))
                ours = venue.quote(sold, bought, amount)
                try:
                    assert market.exchange.query(pool_id, ends[sold], ends[bought], amount) == ours, name
                    compared += 1
                except ContractLogicError as error:
                    assert "BAL#304" in str(error) and ours == 0, name
                    refused += 1
    assert compared > 12 * SIZES and refused > 2
    row = found[pool_key(market, "plain")]
    assert venue_of(row._replace(paused=True), sides, [], [18, 18]) is None
    assert venue_of(row._replace(revision="other"), sides, [], [18, 18]) is None


def test_a_share_is_what_one_gets_for_it(market: Market, snapshot: Snapshot) -> None:
    """Look through shares, a nested one included: as many tokens for one share as a proportional exit of the vault pays."""
    graph = build(snapshot)
    for name in ("old 60/40", "three", "plain"):
        share = market.contracts[name].functions
        supply = int(share.totalSupply().call() if name != "three" else graph_supply(snapshot, share_of(market, name)))
        tokens, balances, _ = market.exchange.vault.functions.getPoolTokens(market.pools[name]).call()
        found = dict(zip(*(roots(graph, share_of(market, name))[column] for column in ("label", "rate")), strict=True))
        for token, balance in zip(tokens, balances, strict=True):
            [contract] = [one for one in market.tokens[name] if one.address == token]
            label = contract.functions.symbol().call().replace("WETH", "ETH")
            whole = balance / 10 ** contract.functions.decimals().call() / (supply / WAD)
            assert found[label] == pytest.approx(whole, rel=1e-12)
    nested, base = roots(graph, share_of(market, "nested")), roots(graph, share_of(market, "third composable"))
    table = {(row["pool"], row["asset"]): row["reserve_raw"] for row in rows(snapshot, "pool_assets")}
    inside = table[pool_key(market, "nested"), share_of(market, "third composable")]
    supply = market.contracts["nested"].functions.getActualSupply().call()
    through = nested[nested["path"].str.count("→") == 2].set_index("label")["rate"]
    for label, rate in zip(base["label"], base["rate"], strict=True):
        assert through[label] == pytest.approx(inside / supply * rate, rel=1e-12)


def graph_supply(snapshot: Snapshot, asset: str) -> int:
    """Shares by all balances of the table, which a check compared with totalSupply."""
    return sum(row["amount_raw"] for row in rows(snapshot, "balances") if row["asset"] == asset)


def test_a_share_as_collateral_is_an_exposure_to_its_tokens(market: Market, snapshot: Snapshot) -> None:
    """DAI stands behind the share, the share behind a debt in Morpho: the market and the borrower depend on DAI."""
    graph = build(snapshot)
    [dai] = [row["asset"] for row in rows(snapshot, "assets") if row["symbol"] == "DAI"]
    answer = exposure(graph, dai, top=500)
    lending = next(row["market"] for row in rows(snapshot, "markets") if row["protocol"] == "morpho-blue")
    markets = answer.inbound["markets"].set_index("market")
    assert "DAI" in markets.loc[lending, "path"] and markets.loc[lending, "depth"] == 1
    posted = market.morpho.functions.position(market_id(lending), HOLDERS[0]).call()[2]
    part = next(
        row.share for row in roots(graph, share_of(market, "third composable")).itertuples() if row.label == "DAI"
    )
    assert markets.loc[lending, "collateral_usd"] == pytest.approx(posted / WAD * part, rel=0.02)
    first = f"eip155:31337:{HOLDERS[0].lower()}"
    assert first in set(answer.inbound["dependents"]["holder"])


def market_id(key: str) -> bytes:
    return bytes.fromhex(key.rsplit("/", 1)[1].removeprefix("0x"))


def test_what_the_vault_keeps_is_nobodys_share(market: Market, snapshot: Snapshot) -> None:
    """Shares minted in advance are in `balances` (their sum is totalSupply) and in no relation; backings name the vault as their keeper."""
    graph, vault = build(snapshot), f"eip155:31337:{str(market.exchange.vault.address).lower()}"
    assert vault in set(snapshot["balances"]["holder"])
    assert vault not in set(graph.relations["holds"]["source"])
    backs = graph.relations["backs"]
    mine = backs[backs["target"].isin([share_of(market, name) for name in market.pools])]
    assert set(mine["holder"]) == {vault} and not (mine["source"] == mine["target"]).any()
