"""Morpho Blue from its events: liquidations with the bad debt that they leave, flows, interest, and what its owner set.

Declarations: EventsLib of @morpho-org/morpho-blue 1.0.0 (npm). Everything of a market names its id; tokens come from idToMarketParams, which
never changes. AccrueInterest states the rate that held until then. Bad debt is borne at once by the market's suppliers (`settled`).
"""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode

from chain.deployments import Deployment
from chain.histories.events import Event, Rows, Source, ToRows, source
from chain.node.calls import Log, event_topic
from chain.node.client import Client
from chain.units import RAY, WAD, entity_id, market_id, token_id

YEAR = 365 * 24 * 3600
_PARAMS = "(address,address,address,address,uint256)"
CREATED = event_topic(f"CreateMarket(bytes32,{_PARAMS})")


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The one contract; ContractError if it refuses."""
    morpho = deployment.addresses["morpho"]
    logs = client.logs([morpho], CREATED, deployment.first_block, client.anchor.number, has_no_sum=True)
    params = {bytes.fromhex(log.topics[1][2:]): decode([_PARAMS], bytes.fromhex(log.data[2:]))[0] for log in logs}
    tokens = {key: (token_id(client.chain, one[0]), token_id(client.chain, one[1])) for key, one in params.items()}
    keys = {key: market_id(client.chain, deployment.protocol, morpho, "0x" + key.hex()) for key in params}
    label = f"{deployment.protocol} {deployment.instance}"
    one = source(label, [morpho], _shapes(client.chain, keys, tokens))

    def created(values: Mapping[str, Any], _: Log) -> Rows:
        where = {"market": keys[values["id"]], "parameter": "markets.market", "new_text": keys[values["id"]]}
        yield "parameter_changes", where

    listing = Event("CreateMarket", CREATED, (("bytes32", "id"),), ((_PARAMS, "params"),))
    return [Source(one.label, one.addresses, {**one.shapes, CREATED: (listing, created)})]


def _shapes(chain: str, keys: Mapping[bytes, str], tokens: Mapping[bytes, tuple[str, str]]) -> Mapping[str, ToRows]:
    def flow(kind: str, actor: str, place: int = 0) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            yield (
                "flows",
                {
                    "market": keys[event["id"]],
                    "position_id": event["onBehalf"],
                    "asset": tokens[event["id"]][place],
                    "kind": kind,
                    "amount_raw": event["assets"],
                    "shares_raw": event.get("shares"),
                    "actor": entity_id(chain, event[actor]),
                },
            )

        return rows

    def liquidation(event: Mapping[str, Any], _: Log) -> Rows:
        loan, collateral = tokens[event["id"]]
        where = {"market": keys[event["id"]], "position_id": event["borrower"]}
        yield (
            "liquidations",
            {
                **where,
                "kind": "direct",
                "liquidator": entity_id(chain, event["caller"]),
                "collateral_asset": collateral,
                "collateral_raw": event["seizedAssets"],
                "debt_asset": loan,
                "debt_raw": event["repaidAssets"],
            },
        )
        if event["badDebtAssets"]:
            yield "deficits", {**where, "asset": loan, "kind": "settled", "amount_raw": event["badDebtAssets"]}

    def accrual(event: Mapping[str, Any], _: Log) -> Rows:
        yield (
            "accruals",
            {
                "market": keys[event["id"]],
                "asset": tokens[event["id"]][0],
                "interest_raw": event["interest"],
                "borrow_rate_before_ray": event["prevBorrowRate"] * YEAR * (RAY // WAD),
                "fee_shares_raw": event["feeShares"],
            },
        )

    def fee(event: Mapping[str, Any], _: Log) -> Rows:
        where = {"market": keys[event["id"]], "asset": tokens[event["id"]][0]}
        yield "parameter_changes", {**where, "parameter": "reserves.reserve_factor_wad", "new_raw": event["newFee"]}

    behalf = "address indexed onBehalf"
    return {
        "Liquidate(bytes32 indexed id, address indexed caller, address indexed borrower, uint256 repaidAssets, uint256 repaidShares, "
        "uint256 seizedAssets, uint256 badDebtAssets, uint256 badDebtShares)": liquidation,
        f"Supply(bytes32 indexed id, address indexed caller, {behalf}, uint256 assets, uint256 shares)": flow(
            "supply", "caller"
        ),
        f"Withdraw(bytes32 indexed id, address caller, {behalf}, address indexed receiver, uint256 assets, uint256 shares)": flow(
            "withdraw", "caller"
        ),
        f"Borrow(bytes32 indexed id, address caller, {behalf}, address indexed receiver, uint256 assets, uint256 shares)": flow(
            "borrow", "caller"
        ),
        f"Repay(bytes32 indexed id, address indexed caller, {behalf}, uint256 assets, uint256 shares)": flow(
            "repay", "caller"
        ),
        f"SupplyCollateral(bytes32 indexed id, address indexed caller, {behalf}, uint256 assets)": flow(
            "post", "caller", 1
        ),
        f"WithdrawCollateral(bytes32 indexed id, address caller, {behalf}, address indexed receiver, uint256 assets)": flow(
            "release", "caller", 1
        ),
        "AccrueInterest(bytes32 indexed id, uint256 prevBorrowRate, uint256 interest, uint256 feeShares)": accrual,
        "SetFee(bytes32 indexed id, uint256 newFee)": fee,
    }
