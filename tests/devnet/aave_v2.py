"""Aave V2 deployed from the bytecode that was published (@aave/protocol-v2 1.0.1, LENDINGPOOL_REVISION 2); nothing is compiled here.

Prices are in ether with 18 decimals, so every source answers in wei and wrapped ether is worth one by itself. The six reserves of
`market.py`, as far as V2 can say them: no categories, no caps, no protocol fee, and loans at a fixed rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from web3.contract import Contract

from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact
from tests.devnet.contracts import published as artifact_at
from tests.devnet.market import RESERVES
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger

PACKAGE = NODE_MODULES / "@aave" / "protocol-v2"
MARKET_ID = "Devnet Market 2"
ZERO_ADDRESS = "0x" + "0" * 40
BPS_RAY = 10**23
FIXED_RATE, VARIABLE_RATE = 1, 2
FIXED_SLOPES_BPS = (200, 6_000)
MARKET_FIXED_RATE_BPS = 310
"""Starting point of the fixed rates, which the rate oracle answers for every asset."""
_FOLDERS = {
    "LendingPoolAddressesProvider": "protocol/configuration",
    "LendingPool": "protocol/lendingpool",
    "LendingPoolConfigurator": "protocol/lendingpool",
    "LendingPoolCollateralManager": "protocol/lendingpool",
    "DefaultReserveInterestRateStrategy": "protocol/lendingpool",
    "GenericLogic": "protocol/libraries/logic",
    "ReserveLogic": "protocol/libraries/logic",
    "ValidationLogic": "protocol/libraries/logic",
    "AToken": "protocol/tokenization",
    "StableDebtToken": "protocol/tokenization",
    "VariableDebtToken": "protocol/tokenization",
    "AaveOracle": "misc",
    "AaveProtocolDataProvider": "misc",
    "LendingRateOracle": "mocks/oracle",
    "MockAggregator": "mocks/oracle/CLAggregators",
}


@dataclass(frozen=True)
class AaveV2:
    """The contracts of the market; tokens by symbol of the underlying. `provider` is its addresses provider."""

    provider: Contract
    pool: Contract
    configurator: Contract
    oracle: Contract
    data_provider: Contract
    receipt_tokens: Mapping[str, Contract]
    fixed_debt_tokens: Mapping[str, Contract]
    debt_tokens: Mapping[str, Contract]
    treasury: str


@cache
def published(name: str) -> Artifact:
    """A contract of the package by its name."""
    return artifact_at(f"@aave/protocol-v2/artifacts/contracts/{_FOLDERS[name]}/{name}.sol/{name}.json")


def deploy_price_sources(ledger: Ledger, prices_wei: Mapping[str, int]) -> dict[str, Contract]:
    """One source a token, with a price in wei that stands in its first storage slot."""
    return {symbol: ledger.deploy(published("MockAggregator"), price) for symbol, price in prices_wei.items()}


def set_price(node: Node, source: Contract, price_wei: int) -> None:
    """Let a source of `deploy_price_sources` answer another price, from the next block on."""
    node.request("anvil_setStorageAt", source.address, "0x" + "0" * 64, "0x" + price_wei.to_bytes(32).hex())
    node.mine()


def deposit(ledger: Ledger, market: AaveV2, token: Contract, amount: int, owner: str) -> None:
    """Queue a deposit that the deployer pays, for anybody; a first deposit counts as collateral at once."""
    ledger.call("approve", token, "approve", market.pool.address, 2**256 - 1)
    ledger.call("deposit", market.pool, "deposit", token.address, amount, owner, 0)


def borrow(ledger: Ledger, market: AaveV2, token: Contract, amount: int, owner: str, kind: int = VARIABLE_RATE) -> None:
    """Queue a loan at a variable or fixed rate."""
    ledger.call("borrow", market.pool, "borrow", token.address, amount, kind, 0, owner, sender=owner)


def deploy_aave_v2(ledger: Ledger, tokens: Mapping[str, Contract], sources: Mapping[str, str], treasury: str) -> AaveV2:
    """Deploy a market and list the reserves.

    Parameters
    ----------
    ledger : Its deployer becomes owner, pool admin and emergency admin.
    tokens : Symbol -> token contract, for each of `market.RESERVES`.
    sources : Symbol -> address of the price source (``latestAnswer`` in wei). The one of wrapped ether is never asked.
    treasury : Receives the reserves' share of interest.
    """
    admin = ledger.deployer
    provider = ledger.deploy(published("LendingPoolAddressesProvider"), MARKET_ID)
    libraries: dict[str, str] = {}
    for name in ("GenericLogic", "ReserveLogic", "ValidationLogic"):
        libraries[name] = str(ledger.deploy(published(name), libraries=libraries).address)
    assets = [tokens[symbol].address for symbol in RESERVES]
    oracle = ledger.deploy(
        published("AaveOracle"), assets, [sources[s] for s in RESERVES], ZERO_ADDRESS, tokens["WETH"].address
    )
    rate_oracle = ledger.deploy(published("LendingRateOracle"))
    for asset in assets:
        ledger.call("fixed rate", rate_oracle, "setMarketBorrowRate", asset, MARKET_FIXED_RATE_BPS * BPS_RAY)
    named = {
        "setPoolAdmin": admin,
        "setEmergencyAdmin": admin,
        "setPriceOracle": oracle.address,
        "setLendingRateOracle": rate_oracle.address,
        "setLendingPoolCollateralManager": ledger.deploy(published("LendingPoolCollateralManager")).address,
        "setLendingPoolImpl": ledger.deploy(published("LendingPool"), libraries=libraries).address,
        "setLendingPoolConfiguratorImpl": ledger.deploy(published("LendingPoolConfigurator")).address,
    }
    for function, address in named.items():
        ledger.call(function, provider, function, address)
    ledger.mine()
    pool = ledger.at(published("LendingPool"), provider.functions.getLendingPool().call())
    configurator = ledger.at(
        published("LendingPoolConfigurator"), provider.functions.getLendingPoolConfigurator().call()
    )
    data_provider = ledger.deploy(published("AaveProtocolDataProvider"), provider.address)
    _list_reserves(ledger, provider, configurator, pool, tokens, treasury)
    found = {
        symbol: data_provider.functions.getReserveTokensAddresses(token.address).call()
        for symbol, token in tokens.items()
    }
    return AaveV2(
        provider=provider,
        pool=pool,
        configurator=configurator,
        oracle=oracle,
        data_provider=data_provider,
        receipt_tokens={symbol: ledger.at(published("AToken"), one[0]) for symbol, one in found.items()},
        fixed_debt_tokens={symbol: ledger.at(published("StableDebtToken"), one[1]) for symbol, one in found.items()},
        debt_tokens={symbol: ledger.at(published("VariableDebtToken"), one[2]) for symbol, one in found.items()},
        treasury=treasury,
    )


def _list_reserves(
    ledger: Ledger,
    provider: Contract,
    configurator: Contract,
    pool: Contract,
    tokens: Mapping[str, Contract],
    treasury: str,
) -> None:
    for symbol, reserve in RESERVES.items():
        asset = tokens[symbol].address
        codes = [
            ledger.deploy(published("AToken"), pool.address, asset, treasury, f"a{symbol}", f"a{symbol}", ZERO_ADDRESS)
        ]
        for kind in ("StableDebtToken", "VariableDebtToken"):
            name = f"{kind} {symbol}"
            codes.append(ledger.deploy(published(kind), pool.address, asset, name, name, ZERO_ADDRESS))
        curve = (reserve.optimal_bps, reserve.base_rate_bps, reserve.slope1_bps, reserve.slope2_bps, *FIXED_SLOPES_BPS)
        strategy = ledger.deploy(
            published("DefaultReserveInterestRateStrategy"), provider.address, *(bps * BPS_RAY for bps in curve)
        )
        addresses = [code.address for code in codes]
        ledger.call(
            f"list {symbol}", configurator, "initReserve", *addresses, reserve.decimals, strategy.address, gas=8_000_000
        )
        settings: dict[str, tuple[object, ...]] = {
            "configureReserveAsCollateral": (reserve.ltv_bps, reserve.threshold_bps, reserve.bonus_bps),
            "setReserveFactor": (reserve.reserve_factor_bps,),
        }
        if reserve.borrowable:
            settings["enableBorrowingOnReserve"] = (True,)
        for function, values in settings.items():
            ledger.call(f"{function} of {symbol}", configurator, function, asset, *values)
    ledger.mine()
