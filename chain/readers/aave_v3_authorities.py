"""Aave V3: who may change a market, by the owner of its addresses provider and the roles of its ACLManager.

Which role may call what was read in PoolConfigurator, PoolAddressesProvider and AaveOracle of @aave/core-v3 1.19.3 and
aave-v3-origin 3.6.0; both agree in the powers below. Who holds a role is asked at the block (`access`).
"""

from collections.abc import Mapping

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.readers import access

POWERS: Mapping[str, tuple[str, ...]] = {
    "POOL_ADMIN_ROLE": ("upgrade", "parameters", "caps", "pause", "list", "oracle"),
    "RISK_ADMIN_ROLE": ("parameters", "caps"),
    "EMERGENCY_ADMIN_ROLE": ("pause",),
    "ASSET_LISTING_ADMIN_ROLE": ("list", "oracle"),
}
OWNER_POWERS = ("upgrade", "oracle")
"""The owner of the addresses provider replaces the pool's code (setPoolImpl) and the oracle (setPriceOracle)."""


def read(
    client: Client, deployment: Deployment, market: str, manager: str, provider_owner: str, found: Findings
) -> Inquiry[None]:
    """Add who may change a market, given its ACLManager and who owns its addresses provider; ContractError if a contract refuses."""
    # Ask
    held = yield from access.holders(client, manager, tuple(POWERS), deployment.first_block)

    # Rows
    found.entity(manager, "contract", f"{deployment.protocol} {deployment.instance} roles", deployment.protocol)
    access.add_powers(found, manager, market, POWERS, held)
    known = {(row["authority"], row["power"]) for row in found.rows.get("authorities", ()) if row["target"] == market}
    owner = found.entity(provider_owner, "account")
    for power in OWNER_POWERS:
        if (owner, power) not in known:
            evidence = found.asked("owner", deployment.addresses["pool_addresses_provider"])
            access.add_power(found, provider_owner, market, power, evidence)
