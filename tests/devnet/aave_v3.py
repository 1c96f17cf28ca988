"""Aave V3.6 deployed from its own sources, in the order in which Aave deploys a market.

Libraries, addresses provider, access control, oracle, pool and configurator behind the provider's proxies, data
provider, token implementations, reserves, e-modes. The treasury is a plain address. Reserve figures come from
`market.py` and are chosen, not copied from a live market.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from web3.contract import Contract

from tests.devnet.contracts import artifact
from tests.devnet.market import CATEGORIES, LIQUIDATION_PROTOCOL_FEE_BPS, RESERVES
from tests.devnet.transactions import Ledger

MARKET_ID = "Devnet Market"
ZERO_ADDRESS = "0x" + "0" * 40
LISTING_GAS = 16_000_000
LIBRARIES = ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "PoolLogic", "ConfiguratorLogic", "FlashLoanLogic")


@dataclass(frozen=True)
class AaveMarket:
    """The contracts of one Aave market. `receipt_tokens` and `debt_tokens` are by symbol of the underlying asset."""

    addresses_provider: Contract
    pool: Contract
    configurator: Contract
    oracle: Contract
    data_provider: Contract
    receipt_tokens: Mapping[str, Contract]
    debt_tokens: Mapping[str, Contract]
    treasury: str


def deploy_aave(
    ledger: Ledger, tokens: Mapping[str, Contract], sources: Mapping[str, str], treasury: str
) -> AaveMarket:
    """Deploy a market and list the six reserves.

    Parameters
    ----------
    ledger : Ledger
        Its deployer becomes owner, pool admin and listing admin.
    tokens : mapping
        Symbol -> token contract.
    sources : mapping
        Symbol -> address of the price source (``latestAnswer`` in USD, 8 decimals).
    treasury : str
        Receives the reserves' share of interest.
    """
    admin = ledger.deployer
    provider = ledger.deploy(artifact("PoolAddressesProvider"), MARKET_ID, admin)
    libraries: dict[str, str] = {}
    for name in LIBRARIES:
        libraries[name] = str(ledger.deploy(artifact(name), libraries=libraries).address)
    ledger.call("set ACL admin", provider, "setACLAdmin", admin)
    roles = ledger.deploy(artifact("ACLManager"), provider.address)
    ledger.call("set ACL manager", provider, "setACLManager", roles.address)
    for role in ("addPoolAdmin", "addAssetListingAdmin", "addRiskAdmin"):
        ledger.call(role, roles, role, admin)
    assets = [tokens[symbol].address for symbol in RESERVES]
    oracle = ledger.deploy(
        artifact("AaveOracle"),
        *(provider.address, assets, [sources[symbol] for symbol in RESERVES]),
        *(ZERO_ADDRESS, ZERO_ADDRESS, 10**8),
    )
    ledger.call("set price oracle", provider, "setPriceOracle", oracle.address)
    rates = ledger.deploy(artifact("DefaultReserveInterestRateStrategyV2"), provider.address)
    pool_code = ledger.deploy(artifact("PoolInstance"), provider.address, rates.address, libraries=libraries)
    ledger.call("set pool", provider, "setPoolImpl", pool_code.address)
    configurator_code = ledger.deploy(artifact("PoolConfiguratorInstance"), libraries=libraries)
    ledger.call("set configurator", provider, "setPoolConfiguratorImpl", configurator_code.address)
    ledger.mine()
    pool = ledger.at(artifact("PoolInstance"), provider.functions.getPool().call())
    configurator = ledger.at(artifact("PoolConfiguratorInstance"), provider.functions.getPoolConfigurator().call())
    data_provider = ledger.deploy(artifact("AaveProtocolDataProvider"), provider.address)
    ledger.call("set data provider", provider, "setPoolDataProvider", data_provider.address)
    _list_reserves(ledger, configurator, pool, tokens, treasury)
    receipts = {s: pool.functions.getReserveAToken(token.address).call() for s, token in tokens.items()}
    debts = {s: pool.functions.getReserveVariableDebtToken(token.address).call() for s, token in tokens.items()}
    return AaveMarket(
        addresses_provider=provider,
        pool=pool,
        configurator=configurator,
        oracle=oracle,
        data_provider=data_provider,
        receipt_tokens={s: ledger.at(artifact("ATokenInstance"), address) for s, address in receipts.items()},
        debt_tokens={s: ledger.at(artifact("VariableDebtTokenInstance"), address) for s, address in debts.items()},
        treasury=treasury,
    )


def set_caps(
    ledger: Ledger,
    market: AaveMarket,
    tokens: Mapping[str, Contract],
    supplied: Mapping[str, int],
    borrowed: Mapping[str, int],
) -> None:
    """Set supply caps to 1.6 times and borrow caps to 1.3 times what the world is going to hold, in whole tokens.

    Parameters
    ----------
    supplied, borrowed : mapping
        Symbol -> amount in the token's smallest units.
    """
    for symbol, reserve in RESERVES.items():
        unit = 10**reserve.decimals
        asset = tokens[symbol].address
        supply_cap, borrow_cap = supplied[symbol] * 16 // (10 * unit) + 10, borrowed[symbol] * 13 // (10 * unit) + 10
        ledger.call(f"supply cap of {symbol}", market.configurator, "setSupplyCap", asset, supply_cap)
        ledger.call(f"borrow cap of {symbol}", market.configurator, "setBorrowCap", asset, borrow_cap)
    ledger.mine()


def _list_reserves(
    ledger: Ledger, configurator: Contract, pool: Contract, tokens: Mapping[str, Contract], treasury: str
) -> None:
    receipt_code = ledger.deploy(artifact("ATokenInstance"), pool.address, ZERO_ADDRESS, treasury)
    debt_code = ledger.deploy(artifact("VariableDebtTokenInstance"), pool.address, ZERO_ADDRESS)
    listings = []
    for symbol, reserve in RESERVES.items():
        curve = (reserve.optimal_bps, reserve.base_rate_bps, reserve.slope1_bps, reserve.slope2_bps)
        rate_data = ledger.node.w3.codec.encode(["(uint16,uint32,uint32,uint32)"], [curve])
        names = (f"Aave Devnet {symbol}", f"a{symbol}", f"Aave Devnet Variable Debt {symbol}", f"variableDebt{symbol}")
        listings.append((receipt_code.address, debt_code.address, tokens[symbol].address, *names, b"", rate_data))
    ledger.call("list reserves", configurator, "initReserves", listings, gas=LISTING_GAS)
    for symbol, reserve in RESERVES.items():
        asset = tokens[symbol].address
        settings: dict[str, tuple[object, ...]] = {
            "configureReserveAsCollateral": (reserve.ltv_bps, reserve.threshold_bps, reserve.bonus_bps),
            "setReserveBorrowing": (reserve.borrowable,),
            "setReserveFactor": (reserve.reserve_factor_bps,),
            "setReserveFlashLoaning": (True,),
            "setLiquidationProtocolFee": (LIQUIDATION_PROTOCOL_FEE_BPS,),
        }
        for function, values in settings.items():
            ledger.call(f"{function} of {symbol}", configurator, function, asset, *values)
    for number, category in CATEGORIES.items():
        figures = (category.ltv_bps, category.threshold_bps, category.bonus_bps)
        ledger.call(f"e-mode {number}", configurator, "setEModeCategory", number, *figures, category.label)
        for function, members in (
            ("setAssetCollateralInEMode", category.collateral),
            ("setAssetBorrowableInEMode", category.borrowable),
        ):
            for symbol in members:
                ledger.call(f"{function} {symbol}", configurator, function, tokens[symbol].address, number, True)
    ledger.mine()
