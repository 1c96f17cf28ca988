"""The two sides of a bridge: what lies in an escrow on one chain, and the token that another chain has for it.

Each chain's address book has an entry for its own side; entries of one protocol and instance belong together (`chain/bridges.py` lays them
side by side once both chains were read). An escrow may lock for several chains, so its balance is an upper bound for each.
"""

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE

VERSION = 1


def read_escrow(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """What the escrow holds of the token; ContractError if the token does not answer."""
    token, escrow = deployment.addresses["token"], deployment.addresses["escrow"]
    progress("bridge_escrow", 0, 1, "what is locked")
    locked = client.call(Call(token, BALANCE, (escrow,)))
    asset = found.token(token)
    holder = found.entity(escrow, "bridge", f"{deployment.protocol} {deployment.instance} escrow", deployment.protocol)
    known = {(row["asset"], row["holder"]) for row in found.rows.get("balances", ())}
    if (asset, holder) not in known:
        found.add("balances", found.asked("balanceOf", token), asset=asset, holder=holder, amount_raw=locked)
    progress("bridge_escrow", 1, 1, "done")


def read_token(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """The token that the bridge issues; ContractError if it has no supply."""
    token, bridge = deployment.addresses["token"], deployment.addresses["bridge"]
    progress("bridged_token", 0, 1, "what was minted")
    client.call(Call(token, "totalSupply()->(uint256)"))
    issuer = found.entity(bridge, "bridge", f"{deployment.protocol} {deployment.instance} bridge", deployment.protocol)
    found.token(token, "bridged", issuer, deployment.protocol)
    progress("bridged_token", 1, 1, "done")
