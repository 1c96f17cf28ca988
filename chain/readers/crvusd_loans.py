"""crvUSD loans: everybody in a controller's list, with what lies in the bands for them, and their debt as it was last written.

The contract tells what is owed at the block, not what was written down and at which rate multiplier. Both follow from events
(Controller.vy, curvefi/curve-stablecoin@d132ca74): UserState names the debt at each change, Liquidate what a part of one repaid (its controller
logs no UserState then), and the AMM's SetRate in the same block the multiplier. debt() is kept to compare.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.accounting.crvusd import grown_debt
from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, Log, event_topic
from chain.node.client import Client

STATE = event_topic("UserState(address,uint256,uint256,int256,int256,uint256)")
LIQUIDATED = event_topic("Liquidate(address,address,uint256,uint256,uint256)")
COLLECTED = event_topic("CollectFees(uint256,uint256)")
RATE_SET = event_topic("SetRate(uint256,uint256,uint256)")
LOAN = {
    "debt": "debt(address)->(uint256)",
    "health": "health(address)->(int256)",
    "discount": "liquidation_discounts(address)->(uint256)",
}
PLACE = {
    "sums": "get_sum_xy(address)->(uint256[2])",
    "parts": "get_xy(address)->(uint256[][2])",
    "bands": "read_user_tick_numbers(address)->(int256[2])",
}


@dataclass(frozen=True)
class Market:
    """One controller: its key, contracts, tokens, what they said, and how many units of 18 decimals are one of the collateral's."""

    key: str
    controller: str
    amm: str
    collateral: str
    asset: str
    said: Mapping[str, Any]
    precision: int


@dataclass
class _Written:
    """A debt as it was last written: principal, multiplier."""

    principal: int = 0
    multiplier: int = 0


def read(client: Client, deployment: Deployment, markets: Sequence[Market], stable: str, found: Findings) -> None:
    """Read every loan of these markets."""
    # Where
    places = [(one, number) for one in markets for number in range(one.said["loans"])]
    users = client.call_many([Call(one.controller, "loans(uint256)->(address)", (number,)) for one, number in places])
    loans = [(one, user) for (one, _), user in zip(places, users, strict=True)]
    written, counts = _written(client, deployment, markets)

    # Ask
    asked = client.ask(
        {
            (one.key, user, name): Call(one.controller, text, (user,))
            for one, user in loans
            for name, text in LOAN.items()
        }
        | {(one.key, user, name): Call(one.amm, text, (user,)) for one, user in loans for name, text in PLACE.items()}
    )

    # Rows
    for one, user in loans:
        said = {name: asked[one.key, user, name] for name in (*LOAN, *PLACE)}
        (x, y), (first, last) = said["sums"], said["bands"]
        loan = written[one.controller][user]
        now = one.said["multiplier"]
        row = {"market": one.key, "position_id": user, "owner": found.entity(user, "account"), "category": 0}
        row |= {"first_band": first, "last_band": last}
        for asset, amount in ((one.asset, y), (stable, x)):
            if amount:
                found.add(
                    "positions", found.asked("get_sum_xy", one.amm), **row, asset=asset, side="collateral", stored_raw=amount,
                    index_raw=1, index_unit_raw=1, amount_raw=amount, collateral_enabled=True,
                )  # fmt: skip
        debt = grown_debt(loan.principal, now, loan.multiplier) if loan.multiplier else 0
        found.add(
            "positions", f"events UserState, Liquidate @{one.controller}, SetRate @{one.amm}", **row, asset=stable, side="debt",
            stored_raw=loan.principal, index_raw=now, index_unit_raw=max(loan.multiplier, 1), amount_raw=debt,
            collateral_enabled=False,
        )  # fmt: skip
        found.witness("loan debt", (one.key, user, stable, "debt"), said["debt"])
        health = (said["health"], said["discount"], one.precision, said["parts"])
        found.witness("loan health", (one.key, user, stable, "debt"), health)
    for one in markets:
        found.witness("loan writings", (one.key, stable), counts[one.controller])


def _written(
    client: Client, deployment: Deployment, markets: Sequence[Market]
) -> tuple[Mapping[str, Mapping[str, _Written]], Mapping[str, tuple[int, int]]]:
    """By controller: debts as last written, by user; and how often debts and the total were written."""
    first, last = deployment.first_block, client.anchor.number
    controllers, amms = [one.controller for one in markets], {one.amm: one.controller for one in markets}
    multipliers: dict[tuple[str, int], int] = {}
    for log in client.logs(list(amms), RATE_SET, first, last) if amms else ():
        multipliers[amms[log.address], log.block_number] = _word(log, 1)
    changes = [
        log for topic in (STATE, LIQUIDATED) for log in (client.logs(controllers, topic, first, last) if amms else ())
    ]
    collected = client.logs(controllers, COLLECTED, first, last) if amms else []
    written: dict[str, dict[str, _Written]] = defaultdict(lambda: defaultdict(_Written))
    counts = {at: (0, sum(log.address == at for log in collected)) for at in controllers}
    for log in sorted(changes, key=lambda one: (one.block_number, one.log_index)):
        is_state = log.topics[0] == STATE
        loan = written[log.address]["0x" + log.topics[1 if is_state else 2][-40:]]
        multiplier = multipliers.get((log.address, log.block_number), 0)
        if is_state:
            loan.principal = _word(log, 1)
        else:
            owed = grown_debt(loan.principal, multiplier, loan.multiplier) if loan.multiplier else 0
            loan.principal = max(owed - _word(log, 2), 0)
        loan.multiplier = multiplier
        counts[log.address] = (counts[log.address][0] + 1, counts[log.address][1] + 1)
    return written, counts


def _word(log: Log, place: int) -> int:
    return int(log.data[2 + 64 * place : 66 + 64 * place], 16)
