"""The readers in states that the world does not end in: changed parameters, a silent oracle, bad debt, odd holders, wrong files."""

from pathlib import Path
from typing import Any

import pytest

from chain.errors import ContractError
from chain.readers import holders
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import address_of
from tests.chain.snapshot_rows import rows
from tests.devnet.contracts import artifact
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
DELEGATED = "0xef0100" + "11" * 20


def now(world: World, deployments: Path | None = None) -> Snapshot:
    return take(world.url, deployments or world.deployments, "latest")


def reserve(snapshot: Snapshot, world: World, symbol: str) -> dict[str, Any]:
    address = world.tokens[symbol].address.lower()
    return next(row for row in rows(snapshot, "reserves") if address_of(row["asset"]) == address)


def configure(world: World, function: str, *arguments: object) -> None:
    world.send(function, world.market.configurator, function, *arguments, sender=world.ledger.deployer)


def assert_sound(snapshot: Snapshot) -> None:
    assert [check for check in snapshot.checks if not check.passed] == []


def test_parameters_are_the_contracts(devnet_world: World) -> None:
    snapshot = now(devnet_world)
    pool = devnet_world.pool.functions
    strategy = devnet_world.w3.eth.contract(
        address=pool.RESERVE_INTEREST_RATE_STRATEGY().call(), abi=artifact("DefaultReserveInterestRateStrategyV2").abi
    ).functions
    for symbol in ("WETH", "lstETH", "USDC"):
        asset, row = devnet_world.tokens[symbol].address, reserve(snapshot, devnet_world, symbol)
        asks = (strategy.getBaseVariableBorrowRate, strategy.getVariableRateSlope1, strategy.getVariableRateSlope2)
        rates = [ask(asset).call() for ask in asks]
        assert [row["rate_base_ray"], row["rate_slope1_ray"], row["rate_slope2_ray"]] == rates
        assert row["rate_optimal_ray"] == strategy.getOptimalUsageRatio(asset).call()
        assert row["treasury_stored_raw"] == pool.getReserveData(asset).call()[12]
    assert len(snapshot["categories"]) == 2
    for row in rows(snapshot, "categories"):
        number = row["category"]
        assert row["label"] == pool.getEModeCategoryLabel(number).call()
        assert row["collateral_bitmap"] == pool.getEModeCategoryCollateralBitmap(number).call()
        assert row["borrowable_bitmap"] == pool.getEModeCategoryBorrowableBitmap(number).call()
        terms = [row["ltv_wad"], row["liquidation_threshold_wad"], row["liquidation_bonus_wad"]]
        assert [value // 10**14 for value in terms] == list(pool.getEModeCategoryCollateralConfig(number).call())


def test_switches_and_limits_are_read(devnet_world: World) -> None:
    weth, usdc = devnet_world.tokens["WETH"].address, devnet_world.tokens["USDC"].address
    with devnet_world.undone():
        configure(devnet_world, "setReservePause(address,bool,uint40)", usdc, True, 0)
        configure(devnet_world, "setReservePause(address,bool,uint40)", usdc, False, 3600)
        graced = now(devnet_world)
        configure(devnet_world, "setReservePause(address,bool,uint40)", usdc, True, 0)
        configure(devnet_world, "setReserveFreeze", usdc, True)
        configure(devnet_world, "setReserveBorrowing", weth, False)
        configure(devnet_world, "setSupplyCap", weth, 0)
        configure(devnet_world, "setBorrowCap", weth, 7)
        configure(devnet_world, "setAssetLtvzeroInEMode", weth, 1, True)
        configure(devnet_world, "setEModeCategory", 2, 9100, 9400, 10150, "Dollars")
        changed = now(devnet_world)
        grace = devnet_world.pool.functions.getLiquidationGracePeriod(usdc).call()
        ltvzero = devnet_world.pool.functions.getEModeCategoryLtvzeroBitmap(1).call()
    assert reserve(graced, devnet_world, "USDC")["grace_until"] == grace > devnet_world.timestamp
    usd, ether = reserve(changed, devnet_world, "USDC"), reserve(changed, devnet_world, "WETH")
    assert (usd["paused"], usd["frozen"], usd["active"]) == (True, True, True)
    assert (ether["paused"], ether["frozen"], ether["borrowable"]) == (False, False, False)
    assert (ether["supply_cap_raw"], ether["borrow_cap_raw"]) == (None, 7 * 10**18)
    categories = {row["category"]: row for row in rows(changed, "categories")}
    assert categories[1]["ltvzero_bitmap"] == ltvzero > 0
    assert (categories[2]["label"], categories[2]["liquidation_threshold_wad"]) == ("Dollars", 94 * 10**16)
    assert_sound(changed)


def test_an_oracle_without_an_answer_is_a_gap_and_not_a_fault(devnet_world: World) -> None:
    link = f"eip155:31337/erc20:{devnet_world.tokens['LINK'].address.lower()}"
    with devnet_world.undone():
        devnet_world.set_price("LINK", 0)
        snapshot = now(devnet_world)
    assert link not in set(snapshot["prices"]["asset"]) and len(snapshot["prices"]) == 5
    assert any("no price" in gap and link in gap for gap in snapshot.gaps)
    assert any("getUserAccountData" in gap for gap in snapshot.gaps)
    assert_sound(snapshot)
    whole = now(devnet_world)
    accounts = {check.name: check.compared for check in snapshot.checks}["accounts agree with getUserAccountData"]
    assert (
        0 < accounts < {check.name: check.compared for check in whole.checks}["accounts agree with getUserAccountData"]
    )


def test_bad_debt_is_read_as_a_deficit(devnet_world: World) -> None:
    """An ether price of $20 leaves a borrower of dollars with less collateral than debt; one real liquidation leaves a deficit."""
    before = now(devnet_world)
    ether, dollar = devnet_world.tokens["WETH"], devnet_world.tokens["USDC"]
    held: dict[str, set[tuple[str, str]]] = {}
    for row in rows(before, "positions"):
        held.setdefault(row["position_id"], set()).add((row["side"], address_of(row["asset"])))
    wanted = {("supply", ether.address.lower()), ("debt", dollar.address.lower())}
    borrower = devnet_world.w3.to_checksum_address(next(who for who, has in sorted(held.items()) if has == wanted))
    deployer = devnet_world.ledger.deployer
    with devnet_world.undone():
        devnet_world.set_price("ETH", 20)
        devnet_world.send("mint", dollar, "mint(address,uint256)", deployer, 10**15, sender=deployer)
        devnet_world.send("approve", dollar, "approve", devnet_world.pool.address, 10**15, sender=deployer)
        call = (ether.address, dollar.address, borrower, 2**256 - 1, False)
        devnet_world.send("liquidate", devnet_world.pool, "liquidationCall", *call, sender=deployer)
        after = now(devnet_world)
        deficit = devnet_world.pool.functions.getReserveDeficit(dollar.address).call()
        to_treasury = devnet_world.pool.functions.getReserveData(dollar.address).call()[12]
    assert reserve(after, devnet_world, "USDC")["deficit_raw"] == deficit > 0
    assert reserve(after, devnet_world, "USDC")["treasury_stored_raw"] == to_treasury > 0
    assert borrower.lower() not in set(after["positions"]["position_id"])
    assert_sound(after)


def test_holders_with_code_are_contracts_unless_they_delegate(devnet_world: World) -> None:
    plain, coded, delegated = (account.address for account in devnet_world.accounts[:3])
    with devnet_world.undone():
        devnet_world.node.request("anvil_setCode", coded, "0x6000")
        devnet_world.node.request("anvil_setCode", delegated, DELEGATED)
        devnet_world.advance()
        snapshot = now(devnet_world)
    found = {row["address"]: (row["kind"], row["is_contract"]) for row in rows(snapshot, "entities")}
    assert found[plain.lower()] == ("account", False)
    assert found[coded.lower()] == ("contract", True)
    assert found[delegated.lower()] == ("account", True)


def test_a_forgotten_holder_of_shares_fails_the_sum(devnet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = holders.ever_held

    def forgetful(*arguments: Any) -> dict[str, set[str]]:
        return {token: set(sorted(held)[1:]) for token, held in real(*arguments).items()}

    monkeypatch.setattr(holders, "ever_held", forgetful)
    planted = now(devnet_world)
    failed = [check for check in planted.checks if not check.passed]
    assert [check.name for check in failed] == ["balances of a share add up to totalSupply"]
    assert "unverified" in set(planted["balances"]["status"])


def test_tokens_sent_to_a_pair_are_balance_and_not_reserve(devnet_world: World) -> None:
    pair, token, deployer = devnet_world.pairs["WETH/USDC"], devnet_world.tokens["USDC"], devnet_world.ledger.deployer
    with devnet_world.undone():
        devnet_world.send("gift", token, "mint(address,uint256)", pair.address, 12345, sender=deployer)
        snapshot = now(devnet_world)
    place = (f"eip155:31337:{pair.address.lower()}", f"eip155:31337/erc20:{token.address.lower()}")
    row = next(row for row in rows(snapshot, "pool_assets") if (row["pool"], row["asset"]) == place)
    assert row["balance_raw"] - row["reserve_raw"] == 12345
    assert_sound(snapshot)


def changed(world: World, folder: Path, old: str, new: str) -> Path:
    text = world.deployments.read_text()
    assert old in text
    path = folder / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_a_token_or_feed_that_is_none_is_named(devnet_world: World, tmp_path: Path) -> None:
    link, nobody = devnet_world.tokens["LINK"].address, "0x" + "9" * 40
    with pytest.raises(ContractError, match=f"totalSupply of {nobody} failed"):
        now(devnet_world, changed(devnet_world, tmp_path, f'address = "{link}"', f'address = "{nobody}"'))
    feed = devnet_world.feeds["LINK"].address
    silent = now(devnet_world, changed(devnet_world, tmp_path, f'address = "{feed}"', f'address = "{nobody}"'))
    assert any("LINK / USD" in gap and "latestRoundData" in gap for gap in silent.gaps)
    renamed = now(devnet_world, changed(devnet_world, tmp_path, 'symbol = "LINK"', 'symbol = "LNK"'))
    assert any("LNK" in gap and "the contract says LINK" in gap for gap in renamed.gaps)
