"""Morpho Blue accounts: everybody whom an event gave shares or collateral, and whoever ever received fees, asked with position() at the block.

Events (EventsLib, @morpho-org/morpho-blue 1.0.0): an owner first appears in Supply or SupplyCollateral, since nobody may borrow against
nothing (Morpho.borrow). Interest gives shares to the fee recipient without such an event (EventsLib says so). What was posted is counted from the events too, since the contract keeps no sum of it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from chain.accounting.morpho_blue import VIRTUAL_ASSETS, VIRTUAL_SHARES, Totals, to_assets
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.units import ZERO_ADDRESS

POSITION = "position(bytes32,address)->(uint256,uint128,uint128)"
FEE_RECIPIENT = event_topic("SetFeeRecipient(address)")
SUPPLIED = event_topic("Supply(bytes32,address,address,uint256,uint256)")
COLLATERAL_MOVED = {
    event_topic("SupplyCollateral(bytes32,address,address,uint256)"): (3, 0, 1),
    event_topic("WithdrawCollateral(bytes32,address,address,address,uint256)"): (2, 1, -1),
    event_topic("Liquidate(bytes32,address,address,uint256,uint256,uint256,uint256,uint256)"): (3, 2, -1),
}
"""Event -> which topic is the owner, which word of the data the amount, and its sign."""


@dataclass(frozen=True)
class Market:
    """Key of a market, its tokens, and its totals at the block."""

    key: str
    loan: str
    collateral: str
    now: Totals


def read(
    client: Client, morpho: str, first_block: int, markets: Mapping[bytes, Market], found: Findings
) -> dict[bytes, int]:
    """Read every position; what is posted in each market, by its events. ContractError if the contract refuses."""
    # Where
    last = client.anchor.number
    owners: set[tuple[bytes, str]] = set()
    posted: dict[tuple[bytes, str], int] = defaultdict(int)
    for log in client.logs([morpho], SUPPLIED, first_block, last):
        owners.add((bytes.fromhex(log.topics[1][2:]), "0x" + log.topics[3][-40:]))
    for topic, (place, word, sign) in COLLATERAL_MOVED.items():
        for log in client.logs([morpho], topic, first_block, last):
            amount = int(log.data[2 + 64 * word : 66 + 64 * word], 16)
            posted[bytes.fromhex(log.topics[1][2:]), "0x" + log.topics[place][-40:]] += sign * amount
    recipients = {"0x" + log.topics[1][-40:] for log in client.logs([morpho], FEE_RECIPIENT, first_block, last)}
    owners |= set(posted) | {(key, who) for key in markets for who in recipients - {ZERO_ADDRESS}}

    strange = sorted({"0x" + key.hex() for key, _ in owners if key not in markets})
    if strange:
        found.gaps.append(f"{morpho}: events name markets that no CreateMarket does: {', '.join(strange)}")
    owners = {(key, who) for key, who in owners if key in markets}

    # Ask
    positions = client.ask({(key, who): Call(morpho, POSITION, (key, who)) for key, who in sorted(owners)})

    # Decode and rows
    for (key, who), (supplied, borrowed, collateral) in positions.items():
        market, now = markets[key], markets[key].now
        lent = (now.supply_assets + VIRTUAL_ASSETS, now.supply_shares + VIRTUAL_SHARES)
        owed = (now.borrow_assets + VIRTUAL_ASSETS, now.borrow_shares + VIRTUAL_SHARES)
        rows = (
            ("supply", market.loan, supplied, lent, to_assets(supplied, *lent, "floor")),
            ("debt", market.loan, borrowed, owed, to_assets(borrowed, *owed, "ceil")),
            ("collateral", market.collateral, collateral, (1, 1), collateral),
        )
        for side, token, stored, (index, unit), amount in rows:
            if not stored:
                continue
            found.add(
                "positions",
                found.asked("position", morpho),
                market=market.key,
                position_id=who,
                asset=found.token(token),
                side=side,
                owner=found.entity(who, "account"),
                stored_raw=stored,
                index_raw=index,
                index_unit_raw=unit,
                amount_raw=amount,
                collateral_enabled=side == "collateral",
                category=0,
            )
        if collateral or posted.get((key, who)):
            subject = (market.key, who, found.token(market.collateral), "collateral")
            found.witness("posted", subject, posted.get((key, who), 0))
    sums = dict.fromkeys(markets, 0)
    for (key, _), amount in posted.items():
        if key in sums:
            sums[key] += amount
    return sums
