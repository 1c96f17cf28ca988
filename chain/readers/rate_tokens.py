"""Tokens that stand for others at a rate which only grows or falls: wrapped staked ether and the like, by the getters of each.

`wsteth`: WstETH and the StETH in it (lidofinance/core@33fe1ebb, contracts/0.6.12/WstETH.sol, contracts/0.4.24/StETH.sol): unwrapped at once for what lies in
the wrapper, and from there to ether through a queue. `reth`: RocketTokenRETH (rocket-pool/rocketpool@0125b448,
contracts/contract/token/RocketTokenRETH.sol): burnt at once, as far as its collateral goes. Vault shares with a rate of the standard
(ERC-4626) are read by `erc4626`.
"""

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE
from chain.units import WAD, native_id

MANY = WAD * WAD
"""So many smallest units, 10**18 tokens: their worth tells every digit of the rate."""
WSTETH = {
    "inner": "stETH()->(address)",
    "rate": "stEthPerToken()->(uint256)",
}
WSTETH_MANY = "getStETHByWstETH(uint256)->(uint256)"
POOLED = "getTotalPooledEther()->(uint256)"
RETH = {
    "rate": "getExchangeRate()->(uint256)",
    "collateral": "getTotalCollateral()->(uint256)",
    "supply": "totalSupply()->(uint256)",
}
RETH_WORTH = "getEthValue(uint256)->(uint256)"


def wsteth(client: Client, address: str, deployment: Deployment, found: Findings) -> None:
    """Read a wrapper like wstETH, and the token in it; ContractError if it does not answer as one."""
    # Ask
    token = client.ask({name: Call(address, text) for name, text in WSTETH.items()})
    asks = {"held": Call(token["inner"], BALANCE, (address,)), "pooled": Call(token["inner"], POOLED)}
    answers = client.ask(asks | {"many": Call(address, WSTETH_MANY, (MANY,), optional=True)})

    # Rows: what lies in the wrapper can be had at once, what lies in the staking contract through its queue
    wrapper, staking = (
        found.entity(address, "token", protocol=deployment.protocol),
        found.entity(token["inner"], "token"),
    )
    claim = found.token(address, "staked", wrapper)
    inner = found.token(token["inner"], "staked", staking)
    if answers["many"] is not None:
        found.witness("worth of many", (claim, inner, wrapper), answers["many"])
    found.add(
        "backings",
        found.asked("stEthPerToken", address),
        claim=claim,
        backing=inner,
        holder=wrapper,
        amount_raw=answers["held"],
        rate_wad=token["rate"],
        redemption="instant",
        delay_seconds=0,
        capacity_raw=answers["held"],
        fee_wad=0,
    )
    if not any(row["claim"] == inner for row in found.rows["backings"]):
        found.add(
            "backings",
            found.asked("getTotalPooledEther", token["inner"]),
            claim=inner,
            backing=_ether(client, found),
            holder=staking,
            amount_raw=answers["pooled"],
            rate_wad=WAD,
            redemption="queue",
        )


def reth(client: Client, address: str, deployment: Deployment, found: Findings) -> None:
    """Read a token like rETH; ContractError if it does not answer as one."""
    # Ask
    token = client.ask({name: Call(address, text) for name, text in RETH.items()})
    asks = {"all": Call(address, RETH_WORTH, (token["supply"],))}
    worth = client.ask(asks | {"many": Call(address, RETH_WORTH, (MANY,), optional=True)})

    # Rows
    holder = found.entity(address, "token", protocol=deployment.protocol)
    claim, ether = found.token(address, "staked", holder), _ether(client, found)
    if worth["many"] is not None:
        found.witness("worth of many", (claim, ether, holder), worth["many"])
    found.add(
        "backings",
        found.asked("getExchangeRate", address),
        claim=claim,
        backing=ether,
        holder=holder,
        amount_raw=worth["all"],
        rate_wad=token["rate"],
        redemption="instant",
        delay_seconds=0,
        capacity_raw=min(token["collateral"], worth["all"]),
        fee_wad=0,
    )


def _ether(client: Client, found: Findings) -> str:
    return found.known_asset(
        native_id(client.chain),
        "chain registry",
        chain=client.chain,
        symbol=client.network.native_symbol,
        decimals=18,
        kind="native",
    )
