"""Liquity V1 accounts: every trove with what redistributions owe it, every deposit in the stability pool, every surplus that waits.

The array TroveOwners names every open trove. Depositors are those whom UserDepositChanged names, owners of a surplus those whom
CollBalanceUpdated names. What a redistribution gave a trove is not written into it until it is touched: it is its stake times what was
distributed per stake since. Source: TroveManager.sol, StabilityPool.sol, CollSurplusPool.sol of liquity/dev@5174ecd0, packages/contracts/contracts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.findings import Findings
from chain.node.calls import Call, Log, event_topic
from chain.node.client import Client
from chain.units import WAD

OWNER = "getTroveFromTroveOwnersArray(uint256)->(address)"
OF_TROVE = {
    "trove": "Troves(address)->(uint256,uint256,uint256,uint8,uint128)",
    "since": "rewardSnapshots(address)->(uint256,uint256)",
    "entire": "getEntireDebtAndColl(address)->(uint256,uint256,uint256,uint256)",
    "nominal": "getNominalICR(address)->(uint256)",
}
OF_DEPOSIT = {
    "deposit": "deposits(address)->(uint256,address)",
    "left": "getCompoundedLUSDDeposit(address)->(uint256)",
    "gain": "getDepositorETHGain(address)->(uint256)",
}
SURPLUS = "getCollateral(address)->(uint256)"
TOUCHED = event_topic("TroveUpdated(address,uint256,uint256,uint256,uint8)")
DEPOSITED = event_topic("UserDepositChanged(address,uint256)")
POOL_CHANGED = event_topic("StabilityPoolLUSDBalanceUpdated(uint256)")
PRODUCT_CHANGED = event_topic("P_Updated(uint256)")
SURPLUS_CHANGED = event_topic("CollBalanceUpdated(address,uint256)")


@dataclass(frozen=True)
class Place:
    """The market's key, its two assets, and where its events begin."""

    market: str
    ether: str
    lusd: str
    first_block: int


def read(client: Client, place: Place, system: Mapping[str, Any], found: Findings) -> None:
    """Read everybody who has something in the system; ContractError if a contract refuses."""
    _troves(client, place, system, found)
    _deposits(client, place, system, found)
    _surpluses(client, place, system, found)


def pending(stake: int, per_stake: int, since: int) -> int:
    """What redistributions gave a stake since its snapshot, rounded down (getPendingETHReward, getPendingLUSDDebtReward)."""
    return stake * (per_stake - since) // WAD


def _troves(client: Client, place: Place, system: Mapping[str, Any], found: Findings) -> None:
    # Where
    manager = system["trove_manager"]
    owners = client.call_many([Call(manager, OWNER, (number,)) for number in range(system["troves"])])

    # Ask
    asked = client.ask({(who, name): Call(manager, text, (who,)) for who in owners for name, text in OF_TROVE.items()})
    touched = client.logs([manager], TOUCHED, place.first_block, client.anchor.number)

    # Decode and rows
    stakes = []
    for who in owners:
        debt, collateral, stake, _, _ = asked[who, "trove"]
        since_eth, since_debt = asked[who, "since"]
        entire_debt = debt + pending(stake, system["per_stake_debt"], since_debt)
        entire_collateral = collateral + pending(stake, system["per_stake_eth"], since_eth)
        how = found.asked("Troves, rewardSnapshots", manager)
        _position(found, place, who, who, how, (place.ether, "collateral", collateral, entire_collateral))
        _position(found, place, who, who, how, (place.lusd, "debt", debt, entire_debt))
        told = asked[who, "entire"]
        found.witness("liquity trove", (place.market, who), (told[0], told[1], asked[who, "nominal"]))
        stakes.append(stake)
    found.witness("liquity stakes", (place.market,), (sum(stakes), system["stakes"], len(touched)))


def _deposits(client: Client, place: Place, system: Mapping[str, Any], found: Findings) -> None:
    # Where
    pool, last = system["stability"], client.anchor.number
    people = sorted({"0x" + log.topics[1][-40:] for log in client.logs([pool], DEPOSITED, place.first_block, last)})

    # Ask
    asked = client.ask({(who, name): Call(pool, text, (who,)) for who in people for name, text in OF_DEPOSIT.items()})
    changes = client.logs([pool], POOL_CHANGED, place.first_block, last)
    products = client.logs([pool], PRODUCT_CHANGED, place.first_block, last)

    # Decode and rows
    for who in people:
        initial, left, gain = (asked[who, name] for name in OF_DEPOSIT)
        there = f"{who}/stability-pool"
        if left:
            how = found.asked("getCompoundedLUSDDeposit", pool)
            _position(found, place, there, who, how, (place.lusd, "supply", initial[0], left))
        if gain:
            how = found.asked("getDepositorETHGain", pool)
            _position(found, place, there, who, how, (place.ether, "collateral", gain, gain), enabled=False)
    initials = sum(asked[who, "deposit"][0] for who in people)
    most = max(map(_number, changes), default=system["deposits"])
    found.witness(
        "liquity pool", (place.market,), (initials, most, len(changes), tuple(_number(log) for log in products))
    )


def _surpluses(client: Client, place: Place, system: Mapping[str, Any], found: Findings) -> None:
    # Where
    pool, last = system["coll_surplus_pool"], client.anchor.number
    logs = client.logs([pool], SURPLUS_CHANGED, place.first_block, last)

    # Ask
    people = sorted({"0x" + log.topics[1][-40:] for log in logs})
    asked = client.ask({who: Call(pool, SURPLUS, (who,)) for who in people})

    # Rows
    for who, amount in asked.items():
        if amount:
            how = found.asked("getCollateral", pool)
            _position(
                found, place, f"{who}/surplus", who, how, (place.ether, "collateral", amount, amount), enabled=False
            )


def _position(
    found: Findings,
    place: Place,
    name: str,
    who: str,
    evidence: str,
    leg: tuple[str, str, int, int],
    enabled: bool = True,
) -> None:
    """One row; `leg` is asset, side, what is stored, what it is with everything that is due. Its index is the quotient of the two."""
    asset, side, stored, amount = leg
    is_same = stored == amount or not stored
    found.add(
        "positions",
        evidence,
        market=place.market,
        position_id=name,
        asset=asset,
        side=side,
        owner=found.entity(who, "account"),
        stored_raw=stored or amount,
        index_raw=1 if is_same else amount,
        index_unit_raw=1 if is_same else stored,
        amount_raw=amount,
        collateral_enabled=side == "collateral" and enabled,
        category=0,
    )


def _number(log: Log) -> int:
    return int(log.data[2:66], 16)
