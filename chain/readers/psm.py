"""Peg stability modules: what a stablecoin can be turned into at once, at which fee, and how much of it. Written against DssPsm (makerdao/dss-psm,
commit 7d717d88d6b6dfcb346119369647969df6cadad3, src/psm.sol and join-5-auth.sol) and DssLitePsm (makerdao/dss-lite-psm, commit
dbf0022225f645f5697e5517d0cf00810471bccf, src/DssLitePsm.sol).

`buyGem` takes one coin and the fee `tout` for each whole token. The tokens lie with the join adapter, and no more can be bought than the
module's own collateral in the core; in the later form they lie in a pocket, and no more can be bought than it allows the module.
"""

from typing import Any

from chain.deployments import Deployment
from chain.errors import ContractError
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers.holders import BALANCE
from chain.units import UINT256_MAX, WAD

VERSION = 1
HALTED = UINT256_MAX
"""A fee of this much means that nothing is sold (DssLitePsm.HALTED)."""
ASKS = {
    "tin": "tin()->(uint256)",
    "tout": "tout()->(uint256)",
    "dai": "dai()->(address)",
    "ilk": "ilk()->(bytes32)",
    "vat": "vat()->(address)",
    "join": "gemJoin()->(address)",
    "pocket": "pocket()->(address)",
    "gem": "gem()->(address)",
}
OPTIONAL = ("pocket", "gem")


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one module; ContractError if it is of no known form."""
    # Where
    psm = deployment.addresses["psm"]
    found.entity(psm, "contract", f"{deployment.protocol} {deployment.instance}", deployment.protocol)
    progress("psm", 0, 1, "terms")

    # Ask
    asked = client.ask({name: Call(psm, text, optional=name in OPTIONAL) for name, text in ASKS.items()})
    is_lite = asked["pocket"] is not None
    if is_lite and asked["gem"] is None:
        raise ContractError(f"{psm} has a pocket and no gem, so it is no module that is known; check this address")
    gem = asked["gem"] if is_lite else client.call(Call(asked["join"], "gem()->(address)"))
    holder = asked["pocket"] if is_lite else asked["join"]
    held, decimals = client.call_many([Call(gem, BALANCE, (holder,)), Call(gem, "decimals()->(uint8)")])
    most = _most(client, psm, asked, gem, decimals, is_lite)

    # Rows
    is_open = asked["tout"] != HALTED
    found.add(
        "backings",
        found.asked("tout", psm),
        claim=found.token(asked["dai"], "stablecoin"),
        backing=found.token(gem),
        holder=found.entity(holder, "contract", protocol=deployment.protocol),
        amount_raw=held,
        rate_wad=WAD,
        redemption="psm" if is_open else "none",
        delay_seconds=0 if is_open else None,
        capacity_raw=min(held, most) if is_open else 0,
        fee_wad=asked["tout"] if is_open else None,
    )
    progress("psm", 1, 1, "done")


def _most(client: Client, psm: str, asked: dict[str, Any], gem: str, decimals: int, is_lite: bool) -> int:
    """The most that may leave, in smallest units of the token, whatever is held."""
    if is_lite:
        return int(client.call(Call(gem, "allowance(address,address)->(uint256)", (asked["pocket"], psm))))
    urn = Call(asked["vat"], "urns(bytes32,address)->(uint256,uint256)", (asked["ilk"], psm))
    return int(min(client.call(urn)) // 10 ** (18 - decimals))
