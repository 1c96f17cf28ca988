"""Aave V3 from its events: liquidations, flows, rates, deficits, and parameters as its configurator changed them.

Declarations: IPool and IPoolConfigurator of aave-v3-origin 3.6.0 and @aave/core-v3 1.19.3 (npm); 3.0.2 has no deficits and writes a category
of an asset in one event. LiquidationCall states what the liquidator got; the protocol's fee is not in it. CollateralConfigurationChanged
states no old values.
"""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode

from chain.deployments import Deployment
from chain.histories.events import Rows, Source, ToRows, source
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.units import BPS, BPS_TO_WAD, RAY, ZERO_ADDRESS, entity_id, market_id, token_id

BPS_TO_RAY = RAY // BPS
MEMBERS = "categories.collateral_bitmap"
"""Which assets are in a category: an event names one of them and says in words whether it is in."""
RATE_DATA = ("uint16", "uint32", "uint32", "uint32")
"""IDefaultInterestRateStrategyV2.InterestRateData: optimal use, base, slope 1, slope 2, in basis points."""


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The pool and its configurator; ContractError if the provider refuses."""
    pool, provider = deployment.addresses["pool"], deployment.addresses["pool_addresses_provider"]
    market = market_id(client.chain, deployment.protocol, pool)
    configurator = client.call(Call(provider, "getPoolConfigurator()->(address)"))
    assets = client.call(Call(pool, "getReservesList()->(address[])"))
    decimals = client.ask({asset: Call(asset, "decimals()->(uint8)") for asset in assets})
    unit = client.call(Call(deployment.addresses["oracle"], "BASE_CURRENCY_UNIT()->(uint256)"))
    label = f"{deployment.protocol} {deployment.instance}"
    return [
        source(f"{label} pool", [pool], _pool(client.chain, market)),
        source(f"{label} parameters", [configurator], _configurator(client.chain, market, decimals, unit)),
    ]


def _pool(chain: str, market: str) -> Mapping[str, ToRows]:
    def flow(kind: str, who: str, actor: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            yield (
                "flows",
                {
                    "market": market,
                    "position_id": event[who],
                    "asset": token_id(chain, event["reserve"]),
                    "kind": kind,
                    "amount_raw": event["amount"],
                    "actor": entity_id(chain, event[actor]),
                },
            )

        return rows

    def liquidation(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "liquidations",
            {
                "market": market,
                "position_id": event["user"],
                "kind": "direct",
                "liquidator": entity_id(chain, event["liquidator"]),
                "collateral_asset": token_id(chain, event["collateralAsset"]),
                "collateral_raw": event["liquidatedCollateralAmount"],
                "debt_asset": token_id(chain, event["debtAsset"]),
                "debt_raw": event["debtToCover"],
            },
        )

    def rates(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "rates",
            {
                "market": market,
                "asset": token_id(chain, event["reserve"]),
                "supply_rate_ray": event["liquidityRate"],
                "borrow_rate_ray": event["variableBorrowRate"],
                "supply_index_raw": event["liquidityIndex"],
                "borrow_index_raw": event["variableBorrowIndex"],
            },
        )

    def created(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "deficits",
            {
                "market": market,
                "asset": token_id(chain, event["debtAsset"]),
                "kind": "created",
                "position_id": event["user"],
                "amount_raw": event["amountCreated"],
            },
        )

    def covered(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "deficits",
            {
                "market": market,
                "asset": token_id(chain, event["reserve"]),
                "kind": "covered",
                "amount_raw": event["amountCovered"],
            },
        )

    return {
        "LiquidationCall(address indexed collateralAsset, address indexed debtAsset, address indexed user, uint256 debtToCover, "
        "uint256 liquidatedCollateralAmount, address liquidator, bool receiveAToken)": liquidation,
        "Supply(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount, uint16 indexed referralCode)": flow(
            "supply", "onBehalfOf", "user"
        ),
        "Withdraw(address indexed reserve, address indexed user, address indexed to, uint256 amount)": flow(
            "withdraw", "user", "to"
        ),
        "Borrow(address indexed reserve, address user, address indexed onBehalfOf, uint256 amount, uint8 interestRateMode, uint256 borrowRate, "
        "uint16 indexed referralCode)": flow("borrow", "onBehalfOf", "user"),
        "Repay(address indexed reserve, address indexed user, address indexed repayer, uint256 amount, bool useATokens)": flow(
            "repay", "user", "repayer"
        ),
        "ReserveDataUpdated(address indexed reserve, uint256 liquidityRate, uint256 stableBorrowRate, uint256 variableBorrowRate, "
        "uint256 liquidityIndex, uint256 variableBorrowIndex)": rates,
        "DeficitCreated(address indexed user, address indexed debtAsset, uint256 amountCreated)": created,
        "DeficitCovered(address indexed reserve, address caller, uint256 amountCovered)": covered,
    }


def _configurator(chain: str, market: str, decimals: Mapping[str, int], unit: int) -> Mapping[str, ToRows]:
    """Values are in the units of the reserves table; a cap or a ceiling of zero is none, as there."""

    def change(event: Mapping[str, Any], parameter: str, old: Any, new: Any, **rest: Any) -> tuple[str, dict[str, Any]]:
        asset = event.get("asset")
        where = {"market": market, "asset": token_id(chain, asset) if asset else None, "parameter": parameter}
        return "parameter_changes", {**where, "old_raw": old, "new_raw": new, **rest}

    def old_and_new(parameter: str, name: str, scale: int = 1) -> ToRows:
        return lambda event, _: [change(event, parameter, event[f"old{name}"] * scale, event[f"new{name}"] * scale)]

    def cap(parameter: str, name: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            whole = 10 ** decimals[event["asset"]]
            yield change(event, parameter, event[f"old{name}"] * whole or None, event[f"new{name}"] * whole or None)

        return rows

    def switch(parameter: str, name: str) -> ToRows:
        return lambda event, _: [change(event, parameter, None, int(event[name]))]

    def ceiling(event: Mapping[str, Any], _: Log) -> Rows:
        old, new = (event[f"{when}DebtCeiling"] * unit // 100 or None for when in ("old", "new"))
        yield change(event, "reserves.debt_ceiling_raw", old, new)

    def terms(table: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            category = {"category": event["categoryId"]} if "categoryId" in event else {}
            names = {
                "ltv_wad": "ltv",
                "liquidation_threshold_wad": "liquidationThreshold",
                "liquidation_bonus_wad": "liquidationBonus",
            }
            for column, name in names.items():
                yield change(event, f"{table}.{column}", None, event[name] * BPS_TO_WAD, **category)
            if category:
                yield change(event, f"{table}.label", None, None, new_text=event["label"], **category)

        return rows

    def curve(event: Mapping[str, Any], _: Log) -> Rows:
        if len(event["data"]) != 32 * len(RATE_DATA):
            return  # another strategy's own form
        columns = ("rate_optimal_ray", "rate_base_ray", "rate_slope1_ray", "rate_slope2_ray")
        for column, bps in zip(columns, decode(RATE_DATA, event["data"]), strict=True):
            yield change(event, f"reserves.{column}", None, bps * BPS_TO_RAY)

    def listed(event: Mapping[str, Any], _: Log) -> Rows:
        yield change(event, "reserves.asset", None, None, new_text=token_id(chain, event["asset"]))
        yield change(event, "reserves.receipt_asset", None, None, new_text=token_id(chain, event["aToken"]))
        debt = event["variableDebtToken"]
        if debt != ZERO_ADDRESS:
            yield change(event, "reserves.debt_asset", None, None, new_text=token_id(chain, debt))

    def category_of(event: Mapping[str, Any], _: Log) -> Rows:
        old, new = (f"in category {event[f'{when}CategoryId']}" for when in ("old", "new"))
        yield change(event, MEMBERS, None, None, category=event["newCategoryId"], old_text=old, new_text=new)

    def member(parameter: str, name: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            word = "with this asset" if event[name] else "without this asset"
            yield change(event, parameter, None, None, category=event["categoryId"], new_text=word)

        return rows

    return {
        "ReserveInitialized(address indexed asset, address indexed aToken, address stableDebtToken, address variableDebtToken, "
        "address interestRateStrategyAddress)": listed,
        "CollateralConfigurationChanged(address indexed asset, uint256 ltv, uint256 liquidationThreshold, uint256 liquidationBonus)": terms(
            "reserves"
        ),
        "EModeCategoryAdded(uint8 indexed categoryId, uint256 ltv, uint256 liquidationThreshold, uint256 liquidationBonus, address oracle, "
        "string label)": terms("categories"),
        "EModeAssetCategoryChanged(address indexed asset, uint8 oldCategoryId, uint8 newCategoryId)": category_of,
        "AssetCollateralInEModeChanged(address indexed asset, uint8 categoryId, bool collateral)": member(
            MEMBERS, "collateral"
        ),
        "AssetBorrowableInEModeChanged(address indexed asset, uint8 categoryId, bool borrowable)": member(
            "categories.borrowable_bitmap", "borrowable"
        ),
        "AssetLtvzeroInEModeChanged(address indexed asset, uint8 categoryId, bool ltvzero)": member(
            "categories.ltvzero_bitmap", "ltvzero"
        ),
        "ReserveFactorChanged(address indexed asset, uint256 oldReserveFactor, uint256 newReserveFactor)": old_and_new(
            "reserves.reserve_factor_wad", "ReserveFactor", BPS_TO_WAD
        ),
        "LiquidationProtocolFeeChanged(address indexed asset, uint256 oldFee, uint256 newFee)": old_and_new(
            "reserves.liquidation_fee_wad", "Fee", BPS_TO_WAD
        ),
        "BorrowCapChanged(address indexed asset, uint256 oldBorrowCap, uint256 newBorrowCap)": cap(
            "reserves.borrow_cap_raw", "BorrowCap"
        ),
        "SupplyCapChanged(address indexed asset, uint256 oldSupplyCap, uint256 newSupplyCap)": cap(
            "reserves.supply_cap_raw", "SupplyCap"
        ),
        "DebtCeilingChanged(address indexed asset, uint256 oldDebtCeiling, uint256 newDebtCeiling)": ceiling,
        "SiloedBorrowingChanged(address indexed asset, bool oldState, bool newState)": old_and_new(
            "reserves.siloed", "State"
        ),
        "BorrowableInIsolationChanged(address asset, bool borrowable)": switch(
            "reserves.borrowable_in_isolation", "borrowable"
        ),
        "ReserveActive(address indexed asset, bool active)": switch("reserves.active", "active"),
        "ReserveFrozen(address indexed asset, bool frozen)": switch("reserves.frozen", "frozen"),
        "ReservePaused(address indexed asset, bool paused)": switch("reserves.paused", "paused"),
        "ReserveBorrowing(address indexed asset, bool enabled)": switch("reserves.borrowable", "enabled"),
        "LiquidationGracePeriodChanged(address indexed asset, uint40 gracePeriodUntil)": switch(
            "reserves.grace_until", "gracePeriodUntil"
        ),
        "ReserveInterestRateDataChanged(address indexed asset, address indexed strategy, bytes data)": curve,
    }
