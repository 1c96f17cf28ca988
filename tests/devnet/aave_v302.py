"""Aave V3.0.2 (POOL_REVISION 1) deployed from the bytecode that was published, in the order in which Aave deploys a market.

The package @aave/core-v3 carries compiled contracts; nothing is compiled here. Same reserves and categories as the 3.6 market
(`market.py`), as far as 3.0 can say them: an asset has one category, and a category may have a price of its own.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from web3 import Web3
from web3.contract import Contract

from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact
from tests.devnet.market import CATEGORIES, LIQUIDATION_PROTOCOL_FEE_BPS, RESERVES
from tests.devnet.transactions import Ledger

PACKAGE = NODE_MODULES / "@aave" / "core-v3"
MARKET_ID = "Devnet Market 3.0.2"
ZERO_ADDRESS = "0x" + "0" * 40
LISTING_GAS = 16_000_000
RAY = 10**27
LIBRARIES = (
    *("SupplyLogic", "BorrowLogic", "LiquidationLogic", "EModeLogic", "BridgeLogic", "PoolLogic", "ConfiguratorLogic"),
    "FlashLoanLogic",
)
CATEGORY_PRICE_KEYS: Mapping[int, str] = {2: "0x" + "0" * 37 + "e02"}
"""Category -> the address under which the oracle keeps the category's own price."""


@dataclass(frozen=True)
class Aave302:
    """The contracts of the market. `receipt_tokens` and `debt_tokens` are by symbol; `provider` is its addresses provider."""

    provider: Contract
    pool: Contract
    configurator: Contract
    oracle: Contract
    receipt_tokens: Mapping[str, Contract]
    debt_tokens: Mapping[str, Contract]
    treasury: str


@cache
def published(name: str) -> Artifact:
    """A contract of the package by its name, with the places where its libraries go."""
    file = next(
        path for path in (PACKAGE / "artifacts" / "contracts").rglob(f"{name}.json") if "interfaces" not in path.parts
    )
    content = json.loads(file.read_text())
    links = {
        library: tuple(place["start"] for place in places)
        for libraries in content["linkReferences"].values()
        for library, places in libraries.items()
    }
    return Artifact(name, content["abi"], content["bytecode"].removeprefix("0x"), links)


def error_codes() -> dict[str, str]:
    """Name of an error in capitals -> its code, as Errors.sol of the package declares them."""
    source = (PACKAGE / "contracts" / "protocol" / "libraries" / "helpers" / "Errors.sol").read_text()
    return dict(re.findall(r"constant (\w+) = '(\d+)'", source))


def deploy_aave_v302(
    ledger: Ledger, tokens: Mapping[str, Contract], sources: Mapping[str, str], treasury: str, category_source: str
) -> Aave302:
    """Deploy a market and list the six reserves.

    Parameters
    ----------
    ledger : Its deployer becomes owner, pool admin and listing admin.
    tokens : Symbol -> token contract.
    sources : Symbol -> address of the price source (``latestAnswer`` in USD, 8 decimals).
    treasury : Receives the reserves' share of interest.
    category_source : price source of the categories that have a price of their own.
    """
    admin = ledger.deployer
    provider = ledger.deploy(published("PoolAddressesProvider"), MARKET_ID, admin)
    libraries: dict[str, str] = {}
    for name in LIBRARIES:
        libraries[name] = str(ledger.deploy(published(name), libraries=libraries).address)
    ledger.call("set ACL admin", provider, "setACLAdmin", admin)
    roles = ledger.deploy(published("ACLManager"), provider.address)
    ledger.call("set ACL manager", provider, "setACLManager", roles.address)
    for role in ("addPoolAdmin", "addAssetListingAdmin", "addRiskAdmin"):
        ledger.call(role, roles, role, admin)
    keys = [tokens[symbol].address for symbol in RESERVES] + list(
        map(Web3.to_checksum_address, CATEGORY_PRICE_KEYS.values())
    )
    feeds = [sources[symbol] for symbol in RESERVES] + [category_source] * len(CATEGORY_PRICE_KEYS)
    oracle = ledger.deploy(published("AaveOracle"), provider.address, keys, feeds, ZERO_ADDRESS, ZERO_ADDRESS, 10**8)
    ledger.call("set price oracle", provider, "setPriceOracle", oracle.address)
    pool_code = ledger.deploy(published("Pool"), provider.address, libraries=libraries)
    ledger.call("set pool", provider, "setPoolImpl", pool_code.address)
    configurator_code = ledger.deploy(published("PoolConfigurator"), libraries=libraries)
    ledger.call("set configurator", provider, "setPoolConfiguratorImpl", configurator_code.address)
    ledger.mine()
    pool = ledger.at(published("Pool"), provider.functions.getPool().call())
    configurator = ledger.at(published("PoolConfigurator"), provider.functions.getPoolConfigurator().call())
    data_provider = ledger.deploy(published("AaveProtocolDataProvider"), provider.address)
    ledger.call("set data provider", provider, "setPoolDataProvider", data_provider.address)
    _list_reserves(ledger, provider, configurator, pool, tokens, treasury)
    found = {
        symbol: data_provider.functions.getReserveTokensAddresses(token.address).call()
        for symbol, token in tokens.items()
    }
    return Aave302(
        provider=provider,
        pool=pool,
        configurator=configurator,
        oracle=oracle,
        receipt_tokens={symbol: ledger.at(published("AToken"), one[0]) for symbol, one in found.items()},
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
    codes = [
        ledger.deploy(published(name), pool.address).address
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    ]
    listings = []
    for symbol, reserve in RESERVES.items():
        curve = (reserve.optimal_bps, reserve.base_rate_bps, reserve.slope1_bps, reserve.slope2_bps)
        # the last five are of stable debt, which nobody has here
        figures = [bps * RAY // 10_000 for bps in (*curve, 100, 100, 100, 100, 2_000)]
        strategy = ledger.deploy(published("DefaultReserveInterestRateStrategy"), provider.address, *figures)
        names = [f"Aave 3.0.2 {symbol}", f"a{symbol}", f"Aave 3.0.2 Variable Debt {symbol}", f"variableDebt{symbol}"]
        names += [f"Aave 3.0.2 Stable Debt {symbol}", f"stableDebt{symbol}"]
        where = (strategy.address, tokens[symbol].address, treasury, ZERO_ADDRESS)
        listings.append((*codes, reserve.decimals, *where, *names, b""))
    ledger.call("list reserves", configurator, "initReserves", listings, gas=LISTING_GAS)
    for symbol, reserve in RESERVES.items():
        asset = tokens[symbol].address
        settings: dict[str, tuple[object, ...]] = {
            "configureReserveAsCollateral": (reserve.ltv_bps, reserve.threshold_bps, reserve.bonus_bps),
            "setReserveBorrowing": (reserve.borrowable,),
            "setReserveFactor": (reserve.reserve_factor_bps,),
            "setLiquidationProtocolFee": (LIQUIDATION_PROTOCOL_FEE_BPS,),
        }
        for function, values in settings.items():
            ledger.call(f"{function} of {symbol}", configurator, function, asset, *values)
    for number, category in CATEGORIES.items():
        figures = [category.ltv_bps, category.threshold_bps, category.bonus_bps]
        price_key = Web3.to_checksum_address(CATEGORY_PRICE_KEYS.get(number, ZERO_ADDRESS))
        ledger.call(f"e-mode {number}", configurator, "setEModeCategory", number, *figures, price_key, category.label)
        for symbol in category.collateral:
            ledger.call(f"e-mode of {symbol}", configurator, "setAssetEModeCategory", tokens[symbol].address, number)
    ledger.mine()
