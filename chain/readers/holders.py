"""Who holds a token: from its Transfer events since the deployment, with the balances from balanceOf at the block."""

from collections.abc import Sequence

from chain.errors import InputError
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.units import ZERO_ADDRESS

BALANCE = "balanceOf(address)->(uint256)"
TRANSFER = event_topic("Transfer(address,address,uint256)")


def ever_held(client: Client, tokens: Sequence[str], first_block: int) -> dict[str, set[str]]:
    """Every address that a Transfer of each token names since `first_block`, the zero address included.

    Raises
    ------
    InputError
        If `first_block` lies after the pinned block.
    """
    if first_block > client.anchor.number:
        raise InputError(
            f"first_block {first_block} lies after the block that is read ({client.anchor.number}); correct the deployments file"
        )
    found: dict[str, set[str]] = {token: set() for token in tokens}
    for log in client.logs(tokens, TRANSFER, first_block, client.anchor.number):
        if len(log.topics) == 3:  # a token whose Transfer does not index both sides is no ERC-20
            found[log.address] |= {"0x" + topic[-40:].lower() for topic in log.topics[1:]}
    return found


def read_balances(client: Client, shares: Sequence[str], first_block: int, found: Findings) -> None:
    """Add a balance row for every holder of these share tokens (the zero address holds what is burnt in Uniswap V2)."""
    # Where
    held_by = ever_held(client, shares, first_block)

    # Ask
    balances = client.ask(
        {(share, who): Call(share, BALANCE, (who,)) for share in shares for who in sorted(held_by[share])}
    )

    # Rows
    for (share, who), amount in balances.items():
        if amount:
            kind = "burn" if who == ZERO_ADDRESS else "account"
            found.add(
                "balances",
                found.asked("balanceOf", share),
                asset=found.token(share),
                holder=found.entity(who, kind),
                amount_raw=amount,
            )
