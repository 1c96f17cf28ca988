"""Aave V3.0.2 (POOL_REVISION 1) deployed from the bytecode that was published, in the order in which Aave deploys a market.

The package @aave/core-v3 1.19.3 carries compiled contracts; nothing is compiled here. Same reserves as the 3.6 market (`market.py`).
`deploy_market` leaves categories to whoever asks; `deploy_aave_v302` adds those of 3.6, as far as 3.0 can say them: an asset has one
category, and a category may have a price of its own. `aave_v302_market` lives in a market of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from web3 import Web3
from web3.contract import Contract

from tests.devnet import contracts
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact
from tests.devnet.market import CATEGORIES, LIQUIDATION_PROTOCOL_FEE_BPS, RESERVES
from tests.devnet.transactions import Ledger

PACKAGE = NODE_MODULES / "@aave" / "core-v3"
MARKET_ID = "Devnet Market 3.0.2"
ZERO_ADDRESS = "0x" + "0" * 40
LISTING_GAS = 25_000_000
BPS_RAY = 10**23
FIXED_CURVE_BPS = (50, 6_000, 100, 800, 2_000)
"""Both slopes, base offset, excess offset and optimal ratio of debts at a fixed rate (DefaultReserveInterestRateStrategy)."""
LIBRARIES = (
    *("SupplyLogic", "BorrowLogic", "LiquidationLogic", "EModeLogic", "BridgeLogic", "PoolLogic", "ConfiguratorLogic"),
    "FlashLoanLogic",
)
CATEGORY_PRICE_KEYS: Mapping[int, str] = {2: "0x" + "0" * 37 + "e02"}
"""Category -> the address under which the oracle keeps the category's own price."""


@dataclass(frozen=True)
class Aave302:
    """The contracts of the market; tokens are by symbol of the underlying, `provider` is its addresses provider."""

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
    """A contract of the package by its name, with the places where its libraries go."""
    file = next(
        path for path in (PACKAGE / "artifacts" / "contracts").rglob(f"{name}.json") if "interfaces" not in path.parts
    )
    return contracts.published(str(file.relative_to(NODE_MODULES)))


def error_codes() -> dict[str, str]:
    """Name of an error in capitals -> its code, as Errors.sol of the package declares them."""
    source = (PACKAGE / "contracts" / "protocol" / "libraries" / "helpers" / "Errors.sol").read_text()
    return dict(re.findall(r"constant (\w+) = '(\d+)'", source))


def deploy_aave_v302(
    ledger: Ledger, tokens: Mapping[str, Contract], sources: Mapping[str, str], treasury: str, category_source: str
) -> Aave302:
    """Deploy a market with the categories of the 3.6 market.

    Parameters
    ----------
    ledger, tokens, sources, treasury : As for `deploy_market`.
    category_source : price source of the categories that have a price of their own.
    """
    market = deploy_market(ledger, tokens, sources, treasury)
    keys = list(map(Web3.to_checksum_address, CATEGORY_PRICE_KEYS.values()))
    ledger.call("prices of categories", market.oracle, "setAssetSources", keys, [category_source] * len(keys))
    for number, category in CATEGORIES.items():
        figures = (category.ltv_bps, category.threshold_bps, category.bonus_bps)
        price_key = Web3.to_checksum_address(CATEGORY_PRICE_KEYS.get(number, ZERO_ADDRESS))
        order = (number, *figures, price_key, category.label)
        ledger.call(f"e-mode {number}", market.configurator, "setEModeCategory", *order)
        for symbol in category.collateral:
            asset = tokens[symbol].address
            ledger.call(f"e-mode of {symbol}", market.configurator, "setAssetEModeCategory", asset, number)
    ledger.mine()
    return market


def deploy_market(ledger: Ledger, tokens: Mapping[str, Contract], sources: Mapping[str, str], treasury: str) -> Aave302:
    """Deploy a market and list the six reserves.

    Parameters
    ----------
    ledger : Its deployer becomes owner, pool admin, risk admin and listing admin.
    tokens : Symbol -> token contract.
    sources : Symbol -> address of the price source (``latestAnswer`` in USD, 8 decimals).
    treasury : Receives the reserves' share of interest.
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
    assets = [tokens[symbol].address for symbol in RESERVES]
    feeds = [sources[symbol] for symbol in RESERVES]
    oracle = ledger.deploy(published("AaveOracle"), provider.address, assets, feeds, ZERO_ADDRESS, ZERO_ADDRESS, 10**8)
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
    found = {s: data_provider.functions.getReserveTokensAddresses(token.address).call() for s, token in tokens.items()}
    receipts, fixed, debts = (
        {symbol: ledger.at(published(kind), found[symbol][place]) for symbol in tokens}
        for place, kind in enumerate(("AToken", "StableDebtToken", "VariableDebtToken"))
    )
    return Aave302(provider, pool, configurator, oracle, data_provider, receipts, fixed, debts, treasury)


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
        figures = [bps * BPS_RAY for bps in (*curve, *FIXED_CURVE_BPS)]
        strategy = ledger.deploy(published("DefaultReserveInterestRateStrategy"), provider.address, *figures)
        names = [f"{kind}{symbol}" for kind in ("a", "a", "variableDebt", "variableDebt", "stableDebt", "stableDebt")]
        where = (strategy.address, tokens[symbol].address, treasury, ZERO_ADDRESS)
        listings.append((*codes, reserve.decimals, *where, *names, b""))
    ledger.call("list reserves", configurator, "initReserves", listings, gas=LISTING_GAS)
    for symbol, reserve in RESERVES.items():
        settings: dict[str, tuple[object, ...]] = {
            "configureReserveAsCollateral": (reserve.ltv_bps, reserve.threshold_bps, reserve.bonus_bps),
            "setReserveBorrowing": (reserve.borrowable,),
            "setReserveFactor": (reserve.reserve_factor_bps,),
            "setLiquidationProtocolFee": (LIQUIDATION_PROTOCOL_FEE_BPS,),
        }
        for function, values in settings.items():
            ledger.call(f"{function} of {symbol}", configurator, function, tokens[symbol].address, *values)
    ledger.mine()
