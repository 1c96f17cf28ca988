"""Compound V2 on a local node, with the bytecode of its npm package: Unitroller, Comptroller, three cToken markets, a price oracle set by hand."""

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
TOKENS = {"WETH": (18, 2_000), "USDC": (6, 1), "WBTC": (8, 60_000)}
"""Decimals and opening price in USD."""
CLOSE_FACTOR, INCENTIVE = WAD // 2, 108 * WAD // 100
FACTORS = {"WETH": 825 * WAD // 1000, "USDC": 75 * WAD // 100, "WBTC": 7 * WAD // 10}


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
    no_interest: Contract

    def set_price(self, ledger: Ledger, symbol: str, mantissa: int) -> None:
        """Queue a price: USD of one whole token x 10^(36 - decimals)."""
        ledger.call("price", self.oracle, "setUnderlyingPrice", self.markets[symbol].address, mantissa)

    def stop_interest(self, ledger: Ledger) -> None:
        """Queue a rate of zero for every market, so that what is read is what the next call finds; indices stay as they grew."""
        for market in self.markets.values():
            ledger.call("no interest", market, "_setInterestRateModel", self.no_interest.address)


def deploy(ledger: Ledger) -> CompoundMarket:
    """Deploy everything; rates are raised a hundredfold, since interest accrues by block and blocks are dear."""
    unitroller, logic = ledger.deploy(published("Unitroller")), ledger.deploy(published("Comptroller"))
    ledger.call("pending logic", unitroller, "_setPendingImplementation", logic.address)
    ledger.call("become", logic, "_become", unitroller.address)
    comptroller = ledger.at(published("Comptroller"), str(unitroller.address))
    oracle = ledger.deploy(published("SimplePriceOracle"))
    ledger.call("oracle", comptroller, "_setPriceOracle", oracle.address)
    ledger.call("close factor", comptroller, "_setCloseFactor", CLOSE_FACTOR)
    ledger.call("incentive", comptroller, "_setLiquidationIncentive", INCENTIVE)
    jump = published("JumpRateModelV2")
    rates = ledger.deploy(jump, 5 * WAD, 20 * WAD, 109 * WAD, 80 * WAD // 100, ledger.deployer)
    no_interest = ledger.deploy(jump, 0, 0, 0, 80 * WAD // 100, ledger.deployer)
    delegate, tokens, markets = ledger.deploy(published("CErc20Delegate")), {}, {}
    for symbol, (decimals, price) in TOKENS.items():
        tokens[symbol] = ledger.deploy(artifact("TestnetERC20"), symbol, symbol, decimals, ledger.deployer)
        proxy = ledger.deploy(
            published("CErc20Delegator"), tokens[symbol].address, comptroller.address, rates.address, 2 * 10 ** (decimals + 8),
            f"Compound {symbol}", f"c{symbol}", 8, ledger.deployer, delegate.address, b"",
        )  # fmt: skip
        markets[symbol] = ledger.at(published("CErc20Delegate"), str(proxy.address))
        ledger.call("list", comptroller, "_supportMarket", proxy.address)
        ledger.call("price", oracle, "setUnderlyingPrice", proxy.address, price * 10 ** (36 - decimals))
        ledger.call("factor", comptroller, "_setCollateralFactor", proxy.address, FACTORS[symbol])
        ledger.call("reserve factor", markets[symbol], "_setReserveFactor", WAD // 10)
    ledger.mine()
    for symbol, market in markets.items():
        if comptroller.functions.markets(market.address).call()[1] != FACTORS[symbol]:
            raise RuntimeError(f"setting the collateral factor of {symbol} failed softly")
    return CompoundMarket(comptroller, oracle, tokens, markets, no_interest)
