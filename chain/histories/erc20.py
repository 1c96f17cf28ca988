"""Large transfers of the tokens that an address book lists: those of at least a stated amount, for no node can be asked by size.

Declaration: IERC20 of @openzeppelin/contracts 5.4.0 (npm).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chain.deployments import Deployment
from chain.errors import unknown_name
from chain.histories.events import Rows, Source, source
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.units import entity_id, token_id


def sources(client: Client, deployment: Deployment, least: Mapping[str, Decimal]) -> list[Source]:
    """Tokens by symbol and the least amount (whole tokens) of a transfer that is kept; the others are not read.

    Raises
    ------
    UnknownNameError
        If a symbol is none of the address book's tokens.
    """
    listed = {token.symbol: token.address for token in deployment.tokens}
    for symbol in least:
        if symbol not in listed:
            raise unknown_name("token", symbol, listed)
    decimals = client.ask({symbol: Call(listed[symbol], "decimals()->(uint8)") for symbol in least})
    least_raw = {listed[symbol]: int(amount.scaleb(decimals[symbol])) for symbol, amount in least.items()}

    def transfer(event: Mapping[str, Any], log: Log) -> Rows:
        if event["amount"] >= least_raw[log.address]:
            yield (
                "transfers",
                {
                    "asset": token_id(client.chain, log.address),
                    "sender": entity_id(client.chain, event["from"]),
                    "receiver": entity_id(client.chain, event["to"]),
                    "amount_raw": event["amount"],
                },
            )

    shape = "Transfer(address indexed from, address indexed to, uint256 amount)"
    return (
        [source(f"{deployment.protocol} {deployment.instance}", list(least_raw), {shape: transfer})]
        if least_raw
        else []
    )
