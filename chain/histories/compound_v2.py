"""Compound V2 from its events: liquidations, flows, interest as it was written down, and parameters.

Declarations: CTokenInterfaces and ComptrollerInterface of npm @thenextblock/hardhat-compound 0.0.14 (dist/contracts). A liquidation takes
cTokens: the collateral of its row is the cToken, less the protocol's share (CToken.seizeInternal), which stands beside it.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.histories.events import Rows, Source, ToRows, source
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.units import WAD, entity_id, market_id, native_id, token_id


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The comptroller and every market that it lists at the pinned block; ContractError if a contract refuses."""
    comptroller = deployment.addresses["comptroller"]
    market = market_id(client.chain, deployment.protocol, comptroller)
    ctokens = client.call(Call(comptroller, "getAllMarkets()->(address[])"))
    asked = {(at, "underlying"): Call(at, "underlying()->(address)", optional=True) for at in ctokens}
    asked |= {(at, "share"): Call(at, "protocolSeizeShareMantissa()->(uint256)", optional=True) for at in ctokens}
    answers = client.ask(asked)
    assets = {
        at: native_id(client.chain) if not (one := answers[at, "underlying"]) else token_id(client.chain, one)
        for at in ctokens
    }
    shares = {at: answers[at, "share"] or 0 for at in ctokens}
    label = f"{deployment.protocol} {deployment.instance}"
    return [
        source(f"{label} markets", ctokens, _ctoken(client.chain, market, assets, shares)),
        source(f"{label} parameters", [comptroller], _comptroller(client.chain, market, assets)),
    ]


def _ctoken(chain: str, market: str, assets: Mapping[str, str], shares: Mapping[str, int]) -> Mapping[str, ToRows]:
    def flow(kind: str, who: str, amount: str, actor: str) -> ToRows:
        def rows(event: Mapping[str, Any], log: Log) -> Rows:
            yield (
                "flows",
                {
                    "market": market,
                    "position_id": event[who],
                    "asset": assets[log.address],
                    "kind": kind,
                    "amount_raw": event[amount],
                    "actor": entity_id(chain, event[actor]),
                },
            )

        return rows

    def liquidation(event: Mapping[str, Any], log: Log) -> Rows:
        taken, seized = event["cTokenCollateral"], event["seizeTokens"]
        kept = seized * shares[taken] // WAD
        yield (
            "liquidations",
            {
                "market": market,
                "position_id": event["borrower"],
                "kind": "direct",
                "liquidator": entity_id(chain, event["liquidator"]),
                "collateral_asset": token_id(chain, taken),
                "collateral_raw": seized - kept,
                "fee_raw": kept,
                "debt_asset": assets[log.address],
                "debt_raw": event["repayAmount"],
            },
        )

    def accrual(event: Mapping[str, Any], log: Log) -> Rows:
        yield (
            "accruals",
            {
                "market": market,
                "asset": assets[log.address],
                "interest_raw": event["interestAccumulated"],
                "borrow_index_raw": event["borrowIndex"],
                "borrowed_raw": event["totalBorrows"],
                "cash_raw": event["cashPrior"],
            },
        )

    def factor(event: Mapping[str, Any], log: Log) -> Rows:
        old, new = event["oldReserveFactorMantissa"], event["newReserveFactorMantissa"]
        yield "parameter_changes", _changed(market, assets[log.address], "reserves.reserve_factor_wad", old, new)

    return {
        "Mint(address minter, uint256 mintAmount, uint256 mintTokens)": flow(
            "supply", "minter", "mintAmount", "minter"
        ),
        "Redeem(address redeemer, uint256 redeemAmount, uint256 redeemTokens)": flow(
            "withdraw", "redeemer", "redeemAmount", "redeemer"
        ),
        "Borrow(address borrower, uint256 borrowAmount, uint256 accountBorrows, uint256 totalBorrows)": flow(
            "borrow", "borrower", "borrowAmount", "borrower"
        ),
        "RepayBorrow(address payer, address borrower, uint256 repayAmount, uint256 accountBorrows, uint256 totalBorrows)": flow(
            "repay", "borrower", "repayAmount", "payer"
        ),
        "LiquidateBorrow(address liquidator, address borrower, uint256 repayAmount, address cTokenCollateral, uint256 seizeTokens)": liquidation,
        "AccrueInterest(uint256 cashPrior, uint256 interestAccumulated, uint256 borrowIndex, uint256 totalBorrows)": accrual,
        "NewReserveFactor(uint256 oldReserveFactorMantissa, uint256 newReserveFactorMantissa)": factor,
    }


def _comptroller(chain: str, market: str, assets: Mapping[str, str]) -> Mapping[str, ToRows]:
    def listed(event: Mapping[str, Any], _: Log) -> Rows:
        asset = assets[event["cToken"]]
        yield "parameter_changes", _changed(market, asset, "reserves.asset", None, None, new_text=asset)

    def collateral(event: Mapping[str, Any], _: Log) -> Rows:
        old, new = event["oldCollateralFactorMantissa"], event["newCollateralFactorMantissa"]
        for column in ("ltv_wad", "liquidation_threshold_wad"):
            yield "parameter_changes", _changed(market, assets[event["cToken"]], f"reserves.{column}", old, new)

    def of_all(column: str, name: str) -> ToRows:
        return lambda event, _: [
            (
                "parameter_changes",
                _changed(market, None, f"reserves.{column}", event[f"old{name}"], event[f"new{name}"]),
            )
        ]

    def oracle(event: Mapping[str, Any], _: Log) -> Rows:
        old, new = (entity_id(chain, event[f"{when}PriceOracle"]) for when in ("old", "new"))
        yield "parameter_changes", _changed(market, None, "markets.oracle", None, None, old_text=old, new_text=new)

    def cap(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "parameter_changes",
            _changed(market, assets[event["cToken"]], "reserves.borrow_cap_raw", None, event["newBorrowCap"] or None),
        )

    def paused(event: Mapping[str, Any], _: Log) -> Rows:
        """Mint or Borrow of one market: `borrowable` has its column; that nothing new may be supplied is said in words, for no column has it."""
        asset, state = assets[event["cToken"]], event["pauseState"]
        if event["action"] == "Borrow":
            yield "parameter_changes", _changed(market, asset, "reserves.borrowable", int(state), int(not state))
        else:
            word = f"{event['action']} {'paused' if state else 'open'}"
            yield "parameter_changes", _changed(market, asset, "reserves.frozen", None, None, new_text=word)

    def all_paused(event: Mapping[str, Any], _: Log) -> Rows:
        state = event["pauseState"]
        if event["action"] == "Seize":
            yield "parameter_changes", _changed(market, None, "reserves.liquidatable", int(state), int(not state))

    return {
        "MarketListed(address cToken)": listed,
        "NewCollateralFactor(address cToken, uint256 oldCollateralFactorMantissa, uint256 newCollateralFactorMantissa)": collateral,
        "NewCloseFactor(uint256 oldCloseFactorMantissa, uint256 newCloseFactorMantissa)": of_all(
            "close_factor_wad", "CloseFactorMantissa"
        ),
        "NewLiquidationIncentive(uint256 oldLiquidationIncentiveMantissa, uint256 newLiquidationIncentiveMantissa)": of_all(
            "liquidation_bonus_wad", "LiquidationIncentiveMantissa"
        ),
        "NewPriceOracle(address oldPriceOracle, address newPriceOracle)": oracle,
        "NewBorrowCap(address indexed cToken, uint256 newBorrowCap)": cap,
        "ActionPaused(address cToken, string action, bool pauseState)": paused,
        "ActionPaused(string action, bool pauseState)": all_paused,
    }


def _changed(market: str, asset: str | None, parameter: str, old: Any, new: Any, **texts: str) -> dict[str, Any]:
    return {"market": market, "asset": asset, "parameter": parameter, "old_raw": old, "new_raw": new, **texts}
