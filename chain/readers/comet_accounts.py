"""Compound III accounts: everybody who ever got base or collateral by an event, asked with userBasic and userCollateral at the block.

Who has a principal or collateral appears first as the receiver of Transfer, SupplyCollateral or TransferCollateral: whatever raises a supply
emits Transfer, nobody may owe against nothing (isBorrowCollateralized), and a transfer of base that only repays or only borrows is silent,
but its two sides had collateral before. Supply, Withdraw, WithdrawCollateral, AbsorbDebt and AbsorbCollateral name nobody new. Source:
compound-finance/comet@d5a30b0a, contracts/CometWithExtendedAssetList.sol; Comet.sol as first deployed (4efc3aef) emits the same.
"""

from collections.abc import Sequence

from chain.accounting.comet import INDEX_SCALE, present_value
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers.comet_questions import Collateral
from chain.readers.holders import TRANSFER

RECEIVED = (
    TRANSFER,
    event_topic("SupplyCollateral(address,address,address,uint256)"),
    event_topic("TransferCollateral(address,address,address,uint256)"),
)
"""Events whose second indexed address gets something."""
USER = "userBasic(address)->(int104,uint64,uint64,uint16,uint8)"
POSTED = "userCollateral(address,address)->(uint128,uint128)"
BALANCES = {"supply": "balanceOf(address)->(uint256)", "debt": "borrowBalanceOf(address)->(uint256)"}
BITS_IN_FIRST = 16
"""Collaterals 0 to 15 have their bit in assetsIn, 16 to 23 in the byte after it (isInAsset)."""


def read(
    client: Client,
    comet: str,
    market: str,
    base: str,
    indices: tuple[int, int],
    collaterals: Sequence[Collateral],
    first_block: int,
    found: Findings,
) -> None:
    """Read every position of a Comet; `indices` are those of supply and debt at the block. ContractError if it refuses."""
    # Where
    last = client.anchor.number
    logs = [log for topic in RECEIVED for log in client.logs([comet], topic, first_block, last)]
    people = sorted({"0x" + log.topics[2][-40:] for log in logs})

    # Ask
    users = client.ask({who: Call(comet, USER, (who,)) for who in people})
    bits = {who: user[3] | user[4] << BITS_IN_FIRST for who, user in users.items()}
    held = [(who, one.token) for who in people for one in collaterals if bits[who] >> one.offset & 1]
    posted = client.ask({(who, token): Call(comet, POSTED, (who, token)) for who, token in held})
    sides = {who: "supply" if user[0] > 0 else "debt" for who, user in users.items() if user[0]}
    balances = client.ask({who: Call(comet, BALANCES[side], (who,)) for who, side in sides.items()})
    owing = [who for who in people if users[who][0] < 0]
    unsafe = client.ask({who: Call(comet, "isLiquidatable(address)->(bool)", (who,), optional=True) for who in owing})

    # Decode and rows
    for who in people:
        if (side := sides.get(who)) is not None:
            index = indices[0] if side == "supply" else indices[1]
            _position(found, comet, market, who, base, side, abs(users[who][0]), index)
            found.witness("balance", (market, who, base, side), balances[who])
    for (who, token), (amount, _) in posted.items():
        _position(found, comet, market, who, found.token(token), "collateral", amount, None)
    for who, answer in unsafe.items():
        if answer is None:
            found.gaps.append(f"{market}: isLiquidatable does not answer for {who}, so that account was not checked")
        else:
            found.witness("comet liquidatable", (market, who), answer)


def _position(
    found: Findings, comet: str, market: str, who: str, asset: str, side: str, stored: int, index: int | None
) -> None:
    found.add(
        "positions",
        found.asked("userCollateral" if index is None else "userBasic", comet),
        market=market,
        position_id=who,
        asset=asset,
        side=side,
        owner=found.entity(who, "account"),
        stored_raw=stored,
        index_raw=1 if index is None else index,
        index_unit_raw=1 if index is None else INDEX_SCALE,
        amount_raw=stored if index is None else present_value(stored, index),
        collateral_enabled=side == "collateral",
        category=0,
    )
