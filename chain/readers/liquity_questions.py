"""Liquity V1: what its contracts are asked about the system as a whole, answered by name.

TroveManager.sol, ActivePool.sol, DefaultPool.sol, CollSurplusPool.sol, StabilityPool.sol, SortedTroves.sol, PriceFeed.sol and
Dependencies/TellorCaller.sol of liquity/dev@5174ecd0, packages/contracts/contracts: the commit that the deployment names.
"""

from collections.abc import Mapping
from typing import Any

from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE

OF_MANAGER = {
    "active": "activePool()->(address)",
    "default": "defaultPool()->(address)",
    "stability": "stabilityPool()->(address)",
    "borrowing": "borrowerOperationsAddress()->(address)",
    "sorted": "sortedTroves()->(address)",
    "feed": "priceFeed()->(address)",
    "lusd": "lusdToken()->(address)",
    "troves": "getTroveOwnersCount()->(uint256)",
    "stakes": "totalStakes()->(uint256)",
    "per_stake_eth": "L_ETH()->(uint256)",
    "per_stake_debt": "L_LUSDDebt()->(uint256)",
    "eth_error": "lastETHError_Redistribution()->(uint256)",
    "debt_error": "lastLUSDDebtError_Redistribution()->(uint256)",
    "minimum_ratio": "MCR()->(uint256)",
    "critical_ratio": "CCR()->(uint256)",
    "gas_reserve": "LUSD_GAS_COMPENSATION()->(uint256)",
    "minimum_net_debt": "MIN_NET_DEBT()->(uint256)",
    "redemption_rate": "getRedemptionRateWithDecay()->(uint256)",
    "lqty": "lqtyToken()->(address)",
    "bootstrap": "BOOTSTRAP_PERIOD()->(uint256)",
}
COUNTED = "getETH()->(uint256)"
OWNED = ("trove_manager", "borrowing", "feed", "stability", "active", "default")
"""Contracts that had an owner until their addresses were set."""
ETHER_REQUEST = 1
"""What Tellor calls ether in dollars (PriceFeed.ETHUSD_TELLOR_REQ_ID)."""


def of_system(client: Client, addresses: Mapping[str, str]) -> dict[str, Any]:
    """Everything that holds for all troves; ContractError if a contract refuses."""
    manager = addresses["trove_manager"]
    answer: dict[str, Any] = dict(addresses)
    answer |= client.ask({name: Call(manager, text) for name, text in OF_MANAGER.items()})
    lusd, feed = answer["lusd"], answer["feed"]
    later = {
        "active_eth": Call(answer["active"], COUNTED),
        "default_eth": Call(answer["default"], COUNTED),
        "stability_eth": Call(answer["stability"], COUNTED),
        "surplus_eth": Call(addresses["coll_surplus_pool"], COUNTED),
        "active_debt": Call(answer["active"], "getLUSDDebt()->(uint256)"),
        "default_debt": Call(answer["default"], "getLUSDDebt()->(uint256)"),
        "deposits": Call(answer["stability"], "getTotalLUSDDeposits()->(uint256)"),
        "scale": Call(answer["stability"], "currentScale()->(uint256)"),
        "sorted_size": Call(answer["sorted"], "getSize()->(uint256)"),
        "supply": Call(lusd, "totalSupply()->(uint256)"),
        "in_gas_pool": Call(lusd, BALANCE, (addresses["gas_pool"],)),
        "in_stability_pool": Call(lusd, BALANCE, (answer["stability"],)),
        "began": Call(answer["lqty"], "getDeploymentStartTime()->(uint256)"),
        "price": Call(feed, "fetchPrice()->(uint256)", optional=True),
        "last_good": Call(feed, "lastGoodPrice()->(uint256)", optional=True),
        "feed_state": Call(feed, "status()->(uint8)", optional=True),
        "aggregator": Call(feed, "priceAggregator()->(address)", optional=True),
        "tellor": Call(feed, "tellorCaller()->(address)", optional=True),
    }
    later |= {f"owner of {name}": Call(answer[name], "owner()->(address)", optional=True) for name in OWNED}
    answer |= client.ask(later)
    pools = ("active", "default", "stability", "coll_surplus_pool")
    held = client.native_balances([answer[name] for name in pools])
    answer |= {"held": dict(zip(("active", "default", "stability", "surplus"), held, strict=True))}
    return answer | client.ask(_last(answer, manager))


def _last(answer: Mapping[str, Any], manager: str) -> dict[str, Call]:
    """What needs the price or the feed's parts."""
    calls = {}
    if answer["price"] is not None:
        calls["ratio"] = Call(manager, "getTCR(uint256)->(uint256)", (answer["price"],))
    if answer["aggregator"] is not None:
        text = "latestRoundData()->(uint80,int256,uint256,uint256,uint80)"
        calls["round"] = Call(answer["aggregator"], text, optional=True)
        calls["round_decimals"] = Call(answer["aggregator"], "decimals()->(uint8)", optional=True)
    if answer["tellor"] is not None:
        text = "getTellorCurrentValue(uint256)->(bool,uint256,uint256)"
        calls["tellor_value"] = Call(answer["tellor"], text, (ETHER_REQUEST,), optional=True)
    return calls
