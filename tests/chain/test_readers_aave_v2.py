"""The Aave V2 reader against the contracts themselves (@aave/protocol-v2 1.0.1), asked one by one through plain web3."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from web3 import Web3

import aftershock
from chain.accounting import aave_v3 as accounting
from chain.errors import ContractError, InputError
from chain.readers import aave_v2, aave_v3_accounts
from chain.reading import take
from chain.snapshot import Snapshot
from chain.units import BPS_TO_WAD, RAY
from tests.chain.snapshot_rows import failed
from tests.devnet.aave_v2 import published
from tests.devnet.aave_v2_market import FIXED, PEOPLE, V2Market, fix, live
from tests.devnet.aave_v302 import published as published_v302
from tests.devnet.market import RESERVES
from tests.devnet.transactions import address_of
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
ZERO_ADDRESS = "0x" + "0" * 40
MARKET_ASSET = "eip155:31337/erc20:"


@pytest.fixture(scope="module")
def lived(devnet_world: World) -> Iterator[V2Market]:
    with devnet_world.undone():
        yield live(devnet_world)


@pytest.fixture(scope="module")
def variable(lived: V2Market, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The market while all debts are at variable rates."""
    return take(lived.world.url, lived.book(tmp_path_factory.mktemp("variable")), "latest", "variable")


@pytest.fixture(scope="module")
def health(lived: V2Market, variable: Snapshot) -> list[dict[str, int]]:
    """Health factors by the contract (1e-18): as `variable` was taken, and with ether 30 % lower against everything but staked ether."""
    names = sorted(set(variable["positions"]["position_id"]))
    with lived.world.undone():
        before = _health(lived, names)
        for symbol in ("USDC", "DAI", "WBTC", "LINK"):
            source = lived.sources[symbol]
            lived.world.send("fall", source, "updateAnswer", source.functions.latestAnswer().call() * 10 // 7)
        return [before, _health(lived, names)]


def _health(lived: V2Market, names: list[str]) -> dict[str, int]:
    ask = lived.market.pool.functions.getUserAccountData
    return {name: ask(Web3.to_checksum_address(name)).call()[5] for name in names}


@pytest.fixture(scope="module")
def v2(lived: V2Market, health: list[dict[str, int]]) -> V2Market:
    """The market with debts at both kinds of rate, people who left and a frozen reserve."""
    del health
    fix(lived)
    return lived


@pytest.fixture(scope="module")
def book(v2: V2Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return v2.book(tmp_path_factory.mktemp("v2"))


@pytest.fixture(scope="module")
def snapshot(v2: V2Market, book: Path) -> Snapshot:
    return take(v2.world.url, book, "latest", "v2")


def rows(snapshot: Snapshot, table: str) -> list[dict[str, Any]]:
    filled = snapshot[table].astype(object).where(snapshot[table].notna(), None)
    return cast("list[dict[str, Any]]", filled.to_dict("records"))


def key(contract: Any) -> str:
    return f"{MARKET_ASSET}{contract.address.lower()}"


def by_symbol(v2: V2Market, snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    found = {row["asset"]: row for row in rows(snapshot, "reserves")}
    return {symbol: found[key(v2.world.tokens[symbol])] for symbol in RESERVES}


def everybody(v2: V2Market) -> list[str]:
    return [*v2.people.values(), v2.market.treasury]


def test_everything_that_was_compared_agrees(v2: V2Market, snapshot: Snapshot) -> None:
    assert failed(snapshot) == {}
    compared = {check.name: check.compared for check in snapshot.checks}
    assert compared["stored supply adds up to scaledTotalSupply"] == len(RESERVES)
    assert compared["accounts agree with getUserAccountData"] == len(everybody(v2)) - 1 > PEOPLE, "all but the guest"
    assert compared["amount is balanceOf"] == len(snapshot["positions"])
    assert set(snapshot["positions"]["status"]) == {"verified"}
    [market] = rows(snapshot, "markets")
    assert market["revision"] == 2 == v2.market.pool.functions.LENDINGPOOL_REVISION().call()
    assert (market["family"], market["base_unit_raw"]) == ("aave_v2", 10**18)
    assert market["base_asset"] == key(v2.world.tokens["WETH"]), "the oracle's WETH"
    assert not any("never compared" in gap for gap in snapshot.gaps)


def test_reserves_are_what_the_data_provider_says(v2: V2Market, snapshot: Snapshot) -> None:
    ask = v2.market.data_provider.functions
    for symbol, row in by_symbol(v2, snapshot).items():
        asset = v2.world.tokens[symbol].address
        config, data = ask.getReserveConfigurationData(asset).call(), ask.getReserveData(asset).call()
        terms = [row[f"{name}_wad"] // BPS_TO_WAD for name in ("ltv", "liquidation_threshold", "liquidation_bonus")]
        assert terms == config[1:4] and row["reserve_factor_wad"] == config[4] * BPS_TO_WAD
        assert (row["borrowable"], row["active"], row["frozen"], row["paused"]) == (
            config[6],
            config[8],
            config[9],
            False,
        )
        assert row["frozen"] == (symbol == "LINK")
        assert [row["supply_rate_ray"], row["borrow_rate_ray"], row["last_accrual"]] == [data[3], data[4], data[9]]
        assert row["fixed_rate_ray"] == (data[5] if config[7] else None)
        assert row["fixed_debt_raw"] == data[1] == v2.market.fixed_debt_tokens[symbol].functions.totalSupply().call()
        assert row["cash_raw"] == data[0] == row["balance_raw"]
        assert row["borrowed_stored_raw"] == v2.market.debt_tokens[symbol].functions.scaledTotalSupply().call()
        assert row["supply_index_raw"] == v2.market.pool.functions.getReserveNormalizedIncome(asset).call()
        assert row["borrow_index_raw"] == v2.market.pool.functions.getReserveNormalizedVariableDebt(asset).call()
        assert (row["treasury_stored_raw"], row["liquidation_fee_wad"], row["supply_cap_raw"]) == (0, 0, None)
        place = v2.market.pool.functions.getReserveData(asset).call()[10]
        rates = v2.world.w3.eth.contract(
            address=place, abi=published("DefaultReserveInterestRateStrategy").abi
        ).functions
        assert [row[f"rate_{name}_ray"] for name in ("optimal", "base", "slope1", "slope2")] == [
            rates.OPTIMAL_UTILIZATION_RATE().call(),
            rates.baseVariableBorrowRate().call(),
            rates.variableRateSlope1().call(),
            rates.variableRateSlope2().call(),
        ]
        tokens = (v2.market.receipt_tokens, v2.market.debt_tokens, v2.market.fixed_debt_tokens)
        assert [row[f"{name}_asset"] for name in ("receipt", "debt", "fixed_debt")] == [
            key(one[symbol]) for one in tokens
        ]
        assert row["reserve_index"] == v2.market.pool.functions.getReservesList().call().index(asset)


def test_prices_are_the_oracles_in_ether_and_dollars(v2: V2Market, snapshot: Snapshot) -> None:
    found = {row["asset"]: row for row in rows(snapshot, "prices")}
    ether_usd = v2.world.feeds["ETH"].functions.latestAnswer().call() / 1e8
    for symbol, token in v2.world.tokens.items():
        row = found[key(token)]
        wei = v2.market.oracle.functions.getAssetPrice(token.address).call()
        assert (row["price_raw"], row["decimals"]) == (wei, 18)
        assert row["price_usd"] == pytest.approx(wei / 1e18 * ether_usd, rel=1e-12)
        assert "feed ETH / USD" in row["usd_path"]
        source = f"eip155:31337:{v2.sources[symbol].address.lower()}"
        assert row["source"] == (None if symbol == "WETH" else source), "ether is worth one by itself"
    assert found[key(v2.world.tokens["WETH"])]["price_raw"] == 10**18
    [check] = [check for check in snapshot.checks if check.name.startswith("the oracle's price")]
    assert check.compared == len(RESERVES) - 1


@pytest.mark.parametrize("beside", ["aave_v3", "nothing"])
def test_dollars_come_from_another_market_where_no_feed_is_listed(v2: V2Market, tmp_path: Path, beside: str) -> None:
    taken = take(v2.world.url, v2.book(tmp_path, [beside]), "latest")
    found = [row for row in rows(taken, "prices") if row["quote_asset"] != "iso4217:USD"]
    assert failed(taken) == {} and len(found) == len(RESERVES)
    gaps = [gap for gap in taken.gaps if "price in USD is not known: list the feed ETH / USD" in gap]
    if beside == "nothing":
        assert len(gaps) == 1 and {row["price_usd"] for row in found} == {None}
        return
    ether_usd = v2.world.oracle.functions.getAssetPrice(v2.world.tokens["WETH"].address).call() / 1e8
    assert gaps == [] and all("aave-v3" in row["usd_path"] for row in found)
    wanted = {row["asset"]: row["price_raw"] / 1e18 * ether_usd for row in found}
    assert {row["asset"]: row["price_usd"] for row in found} == pytest.approx(wanted, rel=1e-12)


def test_every_account_has_every_balance(v2: V2Market, snapshot: Snapshot) -> None:
    amounts = {
        (row["position_id"], row["asset"], row["side"]): row["amount_raw"] for row in rows(snapshot, "positions")
    }
    market = v2.market
    sides = {"supply": market.receipt_tokens, "debt": market.debt_tokens, "fixed_debt": market.fixed_debt_tokens}
    places = [
        (who, symbol, side, {"to": token.address, "data": token.encode_abi("balanceOf", [who])})
        for side, tokens in sides.items()
        for symbol, token in tokens.items()
        for who in everybody(v2)
    ]
    answers = v2.world.node.batch([("eth_call", (call, "latest")) for *_, call in places])
    found: dict[str, int] = dict.fromkeys(sides, 0)
    for (who, symbol, side, _), answer in zip(places, answers, strict=True):
        balance = int(answer, 16)
        assert amounts.get((who.lower(), key(v2.world.tokens[symbol]), side), 0) == balance
        found[side] += balance > 0
    assert sum(found.values()) == len(amounts) and found["fixed_debt"] == len(FIXED) + 1 and found["debt"] > PEOPLE - 1


def test_collateral_is_what_the_pool_counts(v2: V2Market, snapshot: Snapshot) -> None:
    ask, tokens = v2.market.data_provider.functions, {key(one): one.address for one in v2.world.tokens.values()}
    flags = [
        (
            row["collateral_enabled"],
            ask.getUserReserveData(tokens[row["asset"]], Web3.to_checksum_address(row["position_id"])).call()[8],
        )
        for row in rows(snapshot, "positions")
        if row["side"] == "supply"
    ]
    assert all(ours == theirs for ours, theirs in flags) and {ours for ours, _ in flags} == {True, False}


def test_a_fixed_debt_is_its_principal_and_its_own_growth(v2: V2Market, snapshot: Snapshot) -> None:
    who = v2.people["fixed one"]
    [row] = [
        one for one in rows(snapshot, "positions") if (one["position_id"], one["side"]) == (who.lower(), "fixed_debt")
    ]
    assert row["stored_raw"] == v2.market.fixed_debt_tokens["DAI"].functions.principalBalanceOf(who).call()
    assert row["index_unit_raw"] == RAY < row["index_raw"] and not row["collateral_enabled"]
    [check] = [check for check in snapshot.checks if check.name.startswith("fixed-rate debt")]
    assert check.compared == 3 and "residuals" in check.note


def test_who_may_change_the_market(v2: V2Market, snapshot: Snapshot, book: Path) -> None:
    boss = v2.world.ledger.deployer
    found = {(row["authority"][-42:], row["power"]) for row in rows(snapshot, "authorities")}
    assert found == {(boss.lower(), power) for power in ("upgrade", "oracle", "parameters", "list", "pause")}
    with v2.world.undone():
        parts = {"pool admin": "setPoolAdmin", "emergency admin": "setEmergencyAdmin", "owner": "transferOwnership"}
        for name, function in parts.items():
            v2.world.send(function, v2.market.provider, function, address_of(name))
        changed = take(v2.world.url, book, "latest")
    found = {(row["authority"][-42:], row["power"]) for row in rows(changed, "authorities")}
    wanted = {
        "pool admin": ("upgrade", "parameters", "list"),
        "emergency admin": ("pause",),
        "owner": ("upgrade", "oracle"),
    }
    assert found == {(address_of(name).lower(), power) for name, powers in wanted.items() for power in powers} | {
        (boss.lower(), "oracle")  # who owns the oracle sets its sources
    }


def test_a_paused_pool_is_paused_in_every_reserve(v2: V2Market, book: Path) -> None:
    with v2.world.undone():
        v2.world.send("pause", v2.market.configurator, "setPoolPause", True)
        paused = take(v2.world.url, book, "latest")
    assert failed(paused) == {} and all(row["paused"] for row in rows(paused, "reserves"))


@pytest.mark.parametrize("currency", ["WETH", "USD"])
def test_a_later_oracle_names_its_currency_and_unit(v2: V2Market, tmp_path: Path, currency: str) -> None:
    """BASE_CURRENCY and BASE_CURRENCY_UNIT as in aave/protocol-v2's IAaveOracle; the contract with both at hand is that of V3.0.2."""
    world, unit = v2.world, 10**18 if currency == "WETH" else 10**8
    base = world.tokens["WETH"].address if currency == "WETH" else ZERO_ADDRESS
    assets = [world.tokens[symbol].address for symbol in RESERVES]
    with world.undone():
        sources = [v2.sources[symbol].address for symbol in RESERVES]
        order = (world.market.addresses_provider.address, assets, sources, ZERO_ADDRESS, base, unit)
        oracle = world.ledger.deploy(published_v302("AaveOracle"), *order)
        world.send("another oracle", v2.market.provider, "setPriceOracle", oracle.address)
        taken = take(world.url, v2.book(tmp_path), "latest")
    [market] = rows(taken, "markets")
    assert failed(taken) == {} and market["base_unit_raw"] == unit
    assert market["base_asset"] == (key(world.tokens["WETH"]) if currency == "WETH" else "iso4217:USD")
    assert {row["quote_asset"] for row in rows(taken, "prices")} == {market["base_asset"]}
    assert [row["source"] for row in rows(taken, "prices")].count(None) == (currency == "WETH")


def test_an_oracle_without_a_currency_is_refused(v2: V2Market, tmp_path: Path) -> None:
    with v2.world.undone():
        token = str(v2.world.tokens["LINK"].address)
        v2.world.send("no oracle", v2.market.provider, "setPriceOracle", token)
        with pytest.raises(ContractError, match="answers neither BASE_CURRENCY nor WETH"):
            take(v2.world.url, v2.book(tmp_path), "latest")


def test_addresses_that_do_not_belong_together_are_refused(v2: V2Market, book: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    other = str(v2.world.market.oracle.address)
    wrong.write_text(book.read_text().replace(str(v2.market.oracle.address), other))
    with pytest.raises(InputError, match=f"as oracle at block .* the file names {other.lower()}"):
        take(v2.world.url, wrong, "latest")


WRONG: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], set[str]]] = {
    "supply_balance down": (lambda patch: _rounded(patch, supply_balance="floor"), {"amount is balanceOf"}),
    "debt_value up": (lambda patch: _rounded(patch, debt_value="ceil"), {"accounts agree with getUserAccountData"}),
    "sum of thresholds": (
        lambda patch: _rounded(patch, average_threshold_first=False),
        {"accounts agree with getUserAccountData"},
    ),
    "growth of V3": (
        lambda patch: patch.setattr(aave_v2, "compounded_growth", accounting.compounded),
        {"amount is balanceOf", "accounts agree with getUserAccountData"},
    ),
    "fixed debts forgotten": (
        lambda patch: patch.setattr(aave_v3_accounts, "_fixed_debts", lambda *_: {}),
        {"fixed-rate debt adds up to totalSupply within its bound", "accounts agree with getUserAccountData"},
    ),
}


def _rounded(patch: pytest.MonkeyPatch, **change: Any) -> None:
    patch.setitem(accounting.ROUNDINGS, 1, replace(accounting.ROUNDINGS[1], **change))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_reader_fails_a_check(v2: V2Market, book: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    plant, checks = WRONG[wrong]
    plant(monkeypatch)
    assert checks <= set(failed(take(v2.world.url, book, "latest")))


def test_exposure_of_a_market_that_counts_in_ether(v2: V2Market, snapshot: Snapshot) -> None:
    ask, names = v2.market.pool.functions, set(snapshot["positions"]["position_id"])
    totals = [ask.getUserAccountData(Web3.to_checksum_address(name)).call() for name in names]
    ether_usd = v2.world.feeds["ETH"].functions.latestAnswer().call() / 1e8
    graph = aftershock.graph(snapshot)
    answer = aftershock.exposure(graph, "aave-v2")
    assert answer.figures["collateral_usd"] == pytest.approx(sum(one[0] for one in totals) / 1e18 * ether_usd, rel=1e-9)
    assert answer.figures["borrowed_usd"] == pytest.approx(sum(one[1] for one in totals) / 1e18 * ether_usd, rel=1e-6)
    assert {"USDC", "DAI", "WETH"} <= set(answer.outbound["borrowed"]["symbol"])
    with pytest.raises(InputError, match=r"owes .* at a fixed rate"):
        aftershock.simulate(graph, shocks=["ETH=-5%"])


def test_a_fall_hits_whom_the_contract_would_call_unhealthy(variable: Snapshot, health: list[dict[str, int]]) -> None:
    assert failed(variable) == {}
    graph = aftershock.graph(variable)
    result = aftershock.simulate(graph, shocks=["ETH=-30%"])
    found = result.positions.set_index("position_id")["health_factor_before"].to_dict()
    owing = {name: factor / 1e18 for name, factor in health[0].items() if factor < 2**255}
    assert len(owing) == PEOPLE and {name: found[name] for name in owing} == pytest.approx(owing, rel=1e-9)
    unhealthy = {name for name, factor in health[1].items() if factor < 10**18}
    first = result.rounds[0]
    liquidated = set(first.liquidations["position_id"])
    assert liquidated <= unhealthy and len(liquidated) + first.waiting == len(unhealthy) > PEOPLE // 3
    assert 0 < aftershock.simulate(graph, shocks=["ETH=-5%"]).liquidated_usd < result.liquidated_usd
