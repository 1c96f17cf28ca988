"""Compound V2 on a local node, with the bytecode of its npm package: Unitroller, Comptroller, five cToken markets, a price oracle set by hand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from web3.contract import Contract

from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.transactions import Ledger

PACKAGE = "@thenextblock/hardhat-compound"
FOLDER = NODE_MODULES / PACKAGE / "dist" / "artifacts" / "contracts" / "compound"
WAD = 10**18
TOKENS = {"WETH": (18, 2_000), "USDC": (6, 1), "WBTC": (8, 60_000), "DAI": (18, 1), "LINK": (18, 14)}
"""Decimals and opening price in USD."""
CLOSE_FACTOR, INCENTIVE, RESERVE_FACTOR = WAD // 2, 108 * WAD // 100, WAD // 10
FACTORS = {symbol: bps * WAD // 10_000 for symbol, bps in zip(TOKENS, (8_250, 7_500, 7_000, 8_350, 7_900), strict=True)}
RATES = (2 * WAD // 100, 18 * WAD // 100, WAD // 2, 8 * WAD // 10)
"""Base, multiplier, jump (a year) and kink."""


@cache
def published(name: str) -> Artifact:
    """A contract as the package publishes it; it needs no libraries."""
    one = json.loads((FOLDER / f"{name}.sol" / f"{name}.json").read_text())
    return Artifact(name, one["abi"], one["bytecode"].removeprefix("0x"))


@dataclass(frozen=True)
class CompoundMarket:
    """One Comptroller with its markets by symbol; `tokens` are the underlying."""

    comptroller: Contract
    oracle: Contract
    tokens: Mapping[str, Contract]
    markets: Mapping[str, Contract]
    rates: Contract


def sources(name: str) -> str:
    """Solidity source of a file of the package, for the names of its errors."""
    return (NODE_MODULES / PACKAGE / "dist" / "contracts" / "compound" / f"{name}.sol").read_text()


def deploy(ledger: Ledger, underlying: Mapping[str, Contract] | None = None) -> CompoundMarket:
    """Deploy everything, with one rate model for all markets; on tokens of its own where no `underlying` is given."""
    unitroller, logic = ledger.deploy(published("Unitroller")), ledger.deploy(published("Comptroller"))
    ledger.call("pending logic", unitroller, "_setPendingImplementation", logic.address)
    ledger.call("become", logic, "_become", unitroller.address)
    comptroller = ledger.at(published("Comptroller"), str(unitroller.address))
    oracle = ledger.deploy(published("SimplePriceOracle"))
    ledger.call("oracle", comptroller, "_setPriceOracle", oracle.address)
    ledger.call("close factor", comptroller, "_setCloseFactor", CLOSE_FACTOR)
    ledger.call("incentive", comptroller, "_setLiquidationIncentive", INCENTIVE)
    rates = ledger.deploy(published("JumpRateModelV2"), *RATES, ledger.deployer)
    delegate, tokens, markets = ledger.deploy(published("CErc20Delegate")), {}, {}
    for symbol, (decimals, price) in TOKENS.items():
        own = (symbol, symbol, decimals, ledger.deployer)
        tokens[symbol] = underlying[symbol] if underlying else ledger.deploy(artifact("TestnetERC20"), *own)
        proxy = ledger.deploy(
            published("CErc20Delegator"), tokens[symbol].address, comptroller.address, rates.address, 2 * 10 ** (decimals + 8),
            f"Compound {symbol}", f"c{symbol}", 8, ledger.deployer, delegate.address, b"",
        )  # fmt: skip
        markets[symbol] = ledger.at(published("CErc20Delegate"), str(proxy.address))
        ledger.call("list", comptroller, "_supportMarket", proxy.address)
        ledger.call("price", oracle, "setUnderlyingPrice", proxy.address, price * 10 ** (36 - decimals))
        ledger.call("factor", comptroller, "_setCollateralFactor", proxy.address, FACTORS[symbol])
        ledger.call("reserve factor", markets[symbol], "_setReserveFactor", RESERVE_FACTOR)
    ledger.mine()
    for symbol, market in markets.items():
        if comptroller.functions.markets(market.address).call()[1] != FACTORS[symbol]:
            raise RuntimeError(f"setting the collateral factor of {symbol} failed softly")
    return CompoundMarket(comptroller, oracle, tokens, markets, rates)
