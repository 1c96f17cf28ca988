"""The readers against the contracts themselves, asked one by one through plain web3 and not through our client."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chain.accounting import aave_v3 as accounting
from chain.errors import ContractError, InputError
from chain.readers import aave_v3_accounts, holders
from chain.reading import take
from chain.snapshot import Snapshot, load, save
from chain.units import BPS_TO_WAD, address_of
from tests.chain.snapshot_rows import failed, rows
from tests.devnet.market import RESERVES
from tests.devnet.world import World

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def snapshot(devnet_world: World) -> Snapshot:
    return take(devnet_world.url, devnet_world.deployments, devnet_world.block_number, "world")


def key(contract: Any) -> str:
    return f"eip155:31337/erc20:{contract.address.lower()}"


def test_everything_that_was_compared_agrees(snapshot: Snapshot, devnet_world: World) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["amount is balanceOf"] == len(snapshot["positions"]) > 2 * len(devnet_world.accounts)
    assert compared["accounts agree with getUserAccountData"] >= len(devnet_world.accounts)
    assert compared["the oracle's price is what its source's steps give"] == len(RESERVES)
    assert min(compared.values()) > 0 and len(compared) == 11
    for table in ("positions", "reserves", "prices", "pool_assets", "balances"):
        assert set(snapshot[table]["status"]) == {"verified"}, table
    assert set(snapshot["entities"]["status"]) == {"unverified"}


def test_the_block_is_the_one_asked_for(snapshot: Snapshot, devnet_world: World) -> None:
    [anchor] = snapshot.anchors
    assert (anchor.number, anchor.hash) == (devnet_world.block_number, devnet_world.block_hash)
    assert rows(snapshot, "blocks")[0]["timestamp"] == devnet_world.timestamp
    assert all(str(anchor.number) in row["evidence"] for row in rows(snapshot, "positions"))


def test_reserves_are_what_the_data_provider_says(snapshot: Snapshot, devnet_world: World) -> None:
    ask = devnet_world.market.data_provider.functions
    by_asset = {row["asset"]: row for row in rows(snapshot, "reserves")}
    assert len(by_asset) == len(RESERVES)
    for symbol in RESERVES:
        token = devnet_world.tokens[symbol]
        row, receipt, debt = (
            by_asset[key(token)],
            devnet_world.market.receipt_tokens[symbol],
            devnet_world.market.debt_tokens[symbol],
        )
        config = ask.getReserveConfigurationData(token.address).call()
        assert [
            row[f"{name}_wad"] // BPS_TO_WAD for name in ("ltv", "liquidation_threshold", "liquidation_bonus")
        ] == config[1:4]
        assert row["reserve_factor_wad"] == config[4] * BPS_TO_WAD
        assert (row["borrowable"], row["active"], row["frozen"]) == (config[6], config[8], config[9])
        assert row["paused"] == ask.getPaused(token.address).call()
        caps = [10 ** config[0] * cap or None for cap in ask.getReserveCaps(token.address).call()]
        assert [row["borrow_cap_raw"], row["supply_cap_raw"]] == caps
        assert row["liquidation_fee_wad"] == ask.getLiquidationProtocolFee(token.address).call() * BPS_TO_WAD
        data = ask.getReserveData(token.address).call()
        assert [row["supply_rate_ray"], row["borrow_rate_ray"], row["last_accrual"]] == [data[5], data[6], data[11]]
        assert row["supply_index_raw"] == devnet_world.pool.functions.getReserveNormalizedIncome(token.address).call()
        assert (
            row["borrow_index_raw"]
            == devnet_world.pool.functions.getReserveNormalizedVariableDebt(token.address).call()
        )
        assert row["supplied_stored_raw"] == receipt.functions.scaledTotalSupply().call()
        assert row["borrowed_stored_raw"] == debt.functions.scaledTotalSupply().call()
        assert row["cash_raw"] == ask.getVirtualUnderlyingBalance(token.address).call()
        assert row["balance_raw"] == token.functions.balanceOf(receipt.address).call()
        assert row["deficit_raw"] == ask.getReserveDeficit(token.address).call()
        assert (row["receipt_asset"], row["debt_asset"]) == (key(receipt), key(debt))


def test_every_account_has_every_balance(snapshot: Snapshot, devnet_world: World) -> None:
    """Whoever the world gave something, and heirs who never appear in an event of the pool: each token is asked for each of them."""
    amounts = {
        (row["position_id"], row["asset"], row["side"]): row["amount_raw"] for row in rows(snapshot, "positions")
    }
    people = (
        [account.address for account in devnet_world.accounts]
        + list(devnet_world.heirs)
        + [devnet_world.market.treasury]
    )
    found = 0
    for symbol in RESERVES:
        for side, tokens in (("supply", devnet_world.market.receipt_tokens), ("debt", devnet_world.market.debt_tokens)):
            for who in people:
                balance = tokens[symbol].functions.balanceOf(who).call()
                assert amounts.get((who.lower(), key(devnet_world.tokens[symbol]), side), 0) == balance
                found += balance > 0
    assert found == len(amounts)


def test_flags_and_categories_are_the_pools(snapshot: Snapshot, devnet_world: World) -> None:
    ask = devnet_world.market.data_provider.functions
    held = rows(snapshot, "positions")
    assert {row["category"] for row in held} > {0} and {row["collateral_enabled"] for row in held} == {True, False}
    for row in held[::3]:
        asset, who = (
            devnet_world.w3.to_checksum_address(address_of(row["asset"])),
            devnet_world.w3.to_checksum_address(row["position_id"]),
        )
        assert row["category"] == devnet_world.pool.functions.getUserEMode(who).call()
        enabled = ask.getUserReserveData(asset, who).call()[8]
        assert row["collateral_enabled"] == (enabled and row["side"] == "supply")


def test_pools_and_their_holders_are_the_pairs(snapshot: Snapshot, devnet_world: World) -> None:
    reserves = {(row["pool"], row["slot"]): row for row in rows(snapshot, "pool_assets")}
    held = {(row["asset"], address_of(row["holder"])): row["amount_raw"] for row in rows(snapshot, "balances")}
    assert len(snapshot["pools"]) == len(devnet_world.pairs)
    names = {row["entity"]: row["name"] for row in rows(snapshot, "entities")}
    for row in rows(snapshot, "pools"):
        pair = next(pair for pair in devnet_world.pairs.values() if pair.address.lower() == address_of(row["pool"]))
        amounts = pair.functions.getReserves().call()
        assert [reserves[row["pool"], slot]["reserve_raw"] for slot in (0, 1)] == amounts[:2]
        assert row["updated_at"] == amounts[2]
        assert address_of(reserves[row["pool"], 0]["asset"]) == pair.functions.token0().call().lower()
        assert row["lp_supply_raw"] == pair.functions.totalSupply().call()
        burnt = held[key(pair), "0x" + "0" * 40]
        assert burnt == 1000 == pair.functions.balanceOf("0x" + "0" * 40).call()
        assert set(names[row["pool"]].split("/")) <= set(RESERVES)


def test_prices_come_with_their_sources(snapshot: Snapshot, devnet_world: World) -> None:
    steps = {(row["source"], row["step"]): row for row in rows(snapshot, "feeds")}
    for row in rows(snapshot, "prices"):
        asset = devnet_world.w3.to_checksum_address(address_of(row["asset"]))
        assert row["price_raw"] == devnet_world.oracle.functions.getAssetPrice(asset).call()
        assert row["price_usd"] == pytest.approx(row["price_raw"] / 10**8, rel=1e-15)
        assert address_of(row["source"]) == devnet_world.oracle.functions.getSourceOfAsset(asset).call().lower()
        assert (row["source"], 0) in steps
    adapter = f"eip155:31337:{devnet_world.price_adapter.address.lower()}"
    ether = f"eip155:31337:{devnet_world.feeds['ETH'].address.lower()}"
    rate, feed = steps[adapter, 0], steps[adapter, 1]
    assert (rate["kind"], rate["value_raw"]) == ("rate", devnet_world.price_adapter.functions.getRatio().call())
    assert (feed["kind"], feed["address"]) == ("feed", ether)
    answer = devnet_world.feeds["ETH"].functions.latestRoundData().call()
    assert (feed["value_raw"], feed["updated_at"], feed["state"]) == (answer[1], answer[3], "live")
    assert (feed["round_raw"], feed["phase"]) == (answer[0], 0) and answer[0] > 1
    assert (feed["heartbeat_seconds"], feed["description"]) == (3600, "ETH / USD")


def test_a_feed_beyond_its_heartbeat_is_stale(devnet_world: World) -> None:
    with devnet_world.undone():
        late = take(devnet_world.url, devnet_world.deployments, devnet_world.advance(2 * 3600))
    states = {(row["description"], row["state"]) for row in rows(late, "feeds") if row["kind"] == "feed"}
    assert ("ETH / USD", "stale") in states
    assert {state for _, state in states} == {"stale", "live"}, "one feed has a heartbeat of a day"
    assert failed(late) == {}, "two hours of interest change every balance and no agreement"


def test_what_stands_behind_claims(snapshot: Snapshot, devnet_world: World) -> None:
    backings = {row["claim"]: row for row in rows(snapshot, "backings")}
    wrapped, vault = backings[key(devnet_world.tokens["WETH"])], backings[key(devnet_world.tokens["lstETH"])]
    ether = devnet_world.w3.eth.get_balance(devnet_world.tokens["WETH"].address)
    assert (wrapped["backing"], wrapped["amount_raw"], wrapped["rate_wad"]) == ("eip155:31337/slip44:60", ether, 10**18)
    functions = devnet_world.tokens["lstETH"].functions
    assert vault["backing"] == key(devnet_world.tokens["WETH"])
    assert (vault["amount_raw"], vault["rate_wad"]) == (
        functions.totalAssets().call(),
        functions.convertToAssets(10**18).call(),
    )
    kinds = {row["asset"]: row["kind"] for row in rows(snapshot, "assets")}
    assert kinds[key(devnet_world.tokens["USDC"])] == "stablecoin"
    assert kinds[key(devnet_world.tokens["lstETH"])] == "vault_share"
    assert kinds[key(devnet_world.market.debt_tokens["DAI"])] == "debt"
    assert kinds[key(devnet_world.pairs["WETH/USDC"])] == "lp_share"


def test_two_readings_are_the_same_snapshot(snapshot: Snapshot, devnet_world: World, tmp_path: Path) -> None:
    again = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number, "world")
    assert again.content_id == snapshot.content_id
    assert load(save(again, tmp_path / "world")).content_id == snapshot.content_id
    earlier = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number - 1, "world")
    assert earlier.content_id != snapshot.content_id


WRONG = {
    "supply_balance half up": ({"supply_balance": "half_up"}, "amount is balanceOf"),
    "supply_balance up": ({"supply_balance": "ceil"}, "amount is balanceOf"),
    "debt_balance half up": ({"debt_balance": "half_up"}, "amount is balanceOf"),
    "debt_value down": ({"debt_value": "floor"}, "accounts agree with getUserAccountData"),
    "average threshold first": ({"average_threshold_first": True}, "accounts agree with getUserAccountData"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rounding_fails_a_check(devnet_world: World, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    change, check = WRONG[wrong]
    rounded = replace(accounting.ROUNDINGS[10], **change)  # type: ignore[arg-type]
    monkeypatch.setitem(accounting.ROUNDINGS, 10, rounded)
    planted = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number)
    assert failed(planted)[check].failures
    assert "unverified" in set(planted["positions"]["status"])


def test_a_missing_holder_fails_the_sum(devnet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = devnet_world.heirs[0].lower()
    real = holders.ever_held

    def forgetful(*arguments: Any) -> dict[str, set[str]]:
        return {token: held - {missing} for token, held in real(*arguments).items()}

    monkeypatch.setattr(aave_v3_accounts, "ever_held", forgetful)
    planted = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number)
    check = failed(planted)["stored supply adds up to scaledTotalSupply"]
    assert len(check.failures) >= 1
    broken = {row["asset"] for row in rows(planted, "reserves") if row["status"] == "unverified"}
    assert all(any(asset in failure for failure in check.failures) for asset in broken) and broken


def changed(world: World, folder: Path, old: str, new: str) -> Path:
    text = world.deployments.read_text()
    assert old in text
    path = folder / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_addresses_that_do_not_belong_together_are_refused(devnet_world: World, tmp_path: Path) -> None:
    again = partial(take, devnet_world.url, block=devnet_world.block_number)
    oracle, weth = devnet_world.oracle.address, devnet_world.tokens["WETH"].address
    with pytest.raises(InputError, match=r"names .* as oracle"):
        again(changed(devnet_world, tmp_path, f'oracle = "{oracle}"', f'oracle = "{weth}"'))
    factory = devnet_world.exchange.factory.address
    with pytest.raises(ContractError, match=r"allPairsLength of .* check this address in the deployments file"):
        again(changed(devnet_world, tmp_path, f'factory = "{factory}"', f'factory = "{weth}"'))
    with pytest.raises(InputError, match="first_block 999999 lies after the block"):
        again(changed(devnet_world, tmp_path, "first_block = 1", "first_block = 999999"))
    with pytest.raises(ContractError, match=r"asset of .* failed"):
        again(changed(devnet_world, tmp_path, 'role = "wrapped_native"', 'role = "erc4626"'))
