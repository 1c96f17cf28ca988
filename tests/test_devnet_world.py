"""The world of real contracts is what it says: repeatable, solvent to begin with, drawn from the laws it names."""

import csv
import math
import re
import tomllib
from pathlib import Path

import pytest

from tests.devnet import availability
from tests.devnet.availability import DevnetUnavailableError, require_devnet
from tests.devnet.contracts import CODE_SIZE_LIMIT_BYTES, MULTICALL3_ADDRESS, artifact
from tests.devnet.laws import (
    DEBT_CUT_USD,
    DEBT_MEAN_LOG,
    DEBT_SIGMA_LOG,
    HEALTH_CUT,
    HEALTH_MEAN_LOG,
    HEALTH_SIGMA_LOG,
    CutLognormal,
    fit_cut_lognormal,
)
from tests.devnet.market import RESERVES
from tests.devnet.node import Node
from tests.devnet.population import SMALLEST_WORLD
from tests.devnet.transactions import Ledger, RevertedError, address_of
from tests.devnet.world import World, build_world

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DEBTORS = DATA / "aavev3-top1000-borrowers" / "hercules_top_1000_borrowed_users.csv"
STAKERS = DATA / "lido-aave-steth-positions" / "steth_aave.csv"


def column(file: Path, name: str) -> list[float]:
    if not file.is_file():
        pytest.skip(f"the real data file {file.name} is not beside the checkout, in ../shared/data")
    with file.open(newline="") as lines:
        return [float(row[name]) for row in csv.DictReader(lines)]


@pytest.mark.devnet
def test_the_same_arguments_give_the_same_chain() -> None:
    require_devnet()
    ends = []
    for seed in (3, 3, 4):
        with build_world(accounts=10, seed=seed) as world:
            ends.append((world.block_number, world.block_hash))
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


@pytest.mark.devnet
def test_health_factors_end_where_they_were_meant_to(devnet_world: World) -> None:
    for account in devnet_world.accounts:
        data = devnet_world.pool.functions.getUserAccountData(account.address).call(
            block_identifier=devnet_world.block_number
        )
        if account.intended_health_factor is None:
            assert data[1] == 0
            continue
        health = data[5] / 10**18
        # Debt grows faster than collateral: a little under. Gifts and repayments of others lift some over.
        assert health > 1
        assert 0.99 < health / account.intended_health_factor < 1.25, account


@pytest.mark.devnet
def test_the_market_is_worth_reading(devnet_world: World) -> None:
    provider = devnet_world.market.data_provider
    use = {}
    for symbol in RESERVES:
        data = provider.functions.getReserveData(devnet_world.tokens[symbol].address).call()
        use[symbol] = data[4] / data[2]
        assert data[2] > 0, symbol
        if RESERVES[symbol].borrowable:
            assert data[9] % 10**9 and data[10] % 10**9, f"a round index of {symbol}"
    assert 0.5 < use["USDC"] < 0.95 and 0.5 < use["DAI"] < 0.95
    treasury = devnet_world.market.treasury
    assert devnet_world.market.receipt_tokens["USDC"].functions.balanceOf(treasury).call() > 0
    assert devnet_world.heirs
    assert any(account.disabled for account in devnet_world.accounts)
    assert {account.category for account in devnet_world.accounts} == {0, 1, 2}


@pytest.mark.devnet
def test_pairs_agree_with_the_oracle(devnet_world: World) -> None:
    for name, pair in devnet_world.pairs.items():
        base, quote = name.split("/")
        reserves = list(pair.functions.getReserves().call()[:2])
        if pair.functions.token0().call() != devnet_world.tokens[base].address:
            reserves.reverse()
        prices = [
            devnet_world.oracle.functions.getAssetPrice(devnet_world.tokens[symbol].address).call()
            for symbol in (base, quote)
        ]
        values = [
            reserve / 10.0 ** RESERVES[symbol].decimals * price
            for reserve, symbol, price in zip(reserves, (base, quote), prices, strict=True)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-5), name


@pytest.mark.devnet
def test_addresses_in_the_book_are_contracts(devnet_world: World) -> None:
    book = tomllib.loads(devnet_world.deployments.read_text())["deployments"]
    assert [entry["reader"] for entry in book] == ["aave_v3", "uniswap_v2", "chainlink", "erc20"]
    addresses = [address for entry in book for address in entry.get("addresses", {}).values()]
    addresses += [row["address"] for entry in book for row in (*entry.get("feeds", ()), *entry.get("tokens", ()))]
    assert len(addresses) == len(set(addresses)) == 4 + 1 + 5 + 6
    for address in (*addresses, MULTICALL3_ADDRESS):
        assert len(devnet_world.w3.eth.get_code(address)) > 100, address


@pytest.mark.devnet
def test_the_staked_token_is_priced_by_its_rate(devnet_world: World) -> None:
    adapter = devnet_world.price_adapter.functions
    ether = devnet_world.feeds["ETH"].functions.latestAnswer().call()
    rate = devnet_world.tokens["lstETH"].functions.convertToAssets(10**18).call()
    assert adapter.getRatio().call() == rate > 10**18
    assert adapter.latestAnswer().call() == ether * rate // 10**18
    assert adapter.BASE_TO_USD_AGGREGATOR().call() == devnet_world.feeds["ETH"].address
    assert adapter.RATIO_PROVIDER().call() == devnet_world.tokens["lstETH"].address
    assert (adapter.RATIO_DECIMALS().call(), adapter.DECIMALS().call(), adapter.decimals().call()) == (18, 8, 8)


@pytest.mark.devnet
def test_what_a_test_does_can_be_undone(devnet_world: World) -> None:
    for _ in range(2):
        with devnet_world.undone():
            devnet_world.set_price("ETH", 1_500)
            weth = devnet_world.tokens["WETH"].address
            assert devnet_world.oracle.functions.getAssetPrice(weth).call() == 1_500 * 10**8
            number = devnet_world.advance(3_600)
            assert devnet_world.w3.eth.get_block(number)["timestamp"] == devnet_world.timestamp + 12 + 3_600
        latest = devnet_world.w3.eth.get_block("latest")
        assert (latest["number"], latest["hash"].to_0x_hex()) == (devnet_world.block_number, devnet_world.block_hash)


@pytest.mark.devnet
def test_a_refused_transaction_says_which_and_why(devnet_world: World) -> None:
    poor = address_of("somebody without collateral")
    with devnet_world.undone(), pytest.raises(RevertedError, match="borrow without collateral"):
        arguments = (devnet_world.tokens["USDC"].address, 10**6, 2, 0, poor)
        devnet_world.send("borrow without collateral", devnet_world.pool, "borrow", *arguments, sender=poor)


@pytest.mark.devnet
def test_contracts_fit_in_a_block_chain_account() -> None:
    require_devnet()
    pool = artifact("PoolInstance")
    libraries = dict.fromkeys(pool.links, "0x" + "11" * 20)
    assert set(pool.links) >= {"SupplyLogic", "BorrowLogic", "LiquidationLogic"}
    assert "_" not in pool.linked(libraries)
    assert len(pool.bytecode) // 2 < 2 * CODE_SIZE_LIMIT_BYTES


@pytest.mark.devnet
def test_the_node_stops_and_starts() -> None:
    require_devnet()
    with Node() as node:
        assert Ledger(node, address_of("deployer")).mine() == []
        assert node.mine(100) == 1
    node.stop()
    assert not node.w3.is_connected()


def test_a_missing_node_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(availability, "NODE_MODULES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANVIL", str(tmp_path / "anvil"))
    with pytest.raises(DevnetUnavailableError, match=r"Node\.js is not installed") as caught:
        availability.check_devnet()
    for part in ("npm packages are not installed", "npm ci", "is not a file"):
        assert part in str(caught.value)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no local node"):
        require_devnet()
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="no local node"):
        require_devnet()


@pytest.mark.parametrize("package", availability.NEEDED_PACKAGES)
def test_one_missing_package_fails_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    for name in availability.NEEDED_PACKAGES:
        if name != package:
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / "package.json").write_text("{}")
    monkeypatch.setattr(availability, "NODE_MODULES", tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=rf"not installed \({re.escape(package)}\)"):
        require_devnet()


def test_too_small_a_world_is_refused() -> None:
    with pytest.raises(ValueError, match=f"at least {SMALLEST_WORLD} accounts"):
        build_world(accounts=SMALLEST_WORLD - 1)


def test_a_cut_lognormal_is_found_again() -> None:
    law = CutLognormal(2.0, 0.7, 3.0, 40.0)
    shares = [(place + 0.5) / 20_000 for place in range(20_000)]
    fitted = fit_cut_lognormal([law.quantile(share) for share in shares], 3.0, 40.0)
    assert (fitted.mean_log, fitted.sigma_log) == pytest.approx((2.0, 0.7), rel=1e-3)


@pytest.mark.real
def test_debts_follow_the_law_fitted_to_the_largest_borrowers() -> None:
    debts = column(DEBTORS, "total_debt_usd")
    assert (len(debts), min(debts)) == (1_000, DEBT_CUT_USD)
    fitted = fit_cut_lognormal(debts, lower=min(debts))
    assert (fitted.mean_log, fitted.sigma_log) == pytest.approx((DEBT_MEAN_LOG, DEBT_SIGMA_LOG), abs=1e-3)


@pytest.mark.real
def test_health_factors_follow_the_law_fitted_to_real_positions() -> None:
    borrowed, healths = column(STAKERS, "debt"), column(STAKERS, "healthf")
    seen = [h - 1 for debt, h in zip(borrowed, healths, strict=True) if debt > 0 and 1 < h < HEALTH_CUT]
    fitted = fit_cut_lognormal(seen, upper=HEALTH_CUT - 1)
    assert len(seen) == 1_249
    assert (fitted.mean_log, fitted.sigma_log) == pytest.approx((HEALTH_MEAN_LOG, HEALTH_SIGMA_LOG), abs=1e-3)
    law = CutLognormal(HEALTH_MEAN_LOG, HEALTH_SIGMA_LOG, upper=HEALTH_CUT - 1)
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        seen_share = sum(value <= law.quantile(share) for value in seen) / len(seen)
        assert math.isclose(seen_share, share, abs_tol=0.04)
