"""Who may change a Comet: its governor and pause guardian, and whoever may replace its code.

The governor withdraws reserves and lets others spend what the Comet holds; it and the guardian pause. All other terms stand in the code
(immutables of CometWithExtendedAssetList.sol, compound-finance/comet@d5a30b0a, contracts), so they change with an upgrade: by the proxy's
admin (ERC-1967), which is a contract, and its owner. The Configurator, which prepares upgrades, is not read.
"""

from collections.abc import Mapping

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import access
from chain.units import ZERO_ADDRESS

POWERS = {"governor": ("parameters", "pause"), "pauseGuardian": ("pause",)}
ADMIN_SLOT = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"
"""keccak256("eip1967.proxy.admin") - 1 (ERC-1967; @openzeppelin/contracts 5.4.0, proxy/ERC1967/ERC1967Utils.sol)."""


def read(client: Client, comet: str, market: str, named: Mapping[str, str], found: Findings) -> None:
    """Add a row for each power; `named` are the addresses that the Comet answers by the names of POWERS."""
    # Where
    [word] = client.slots([comet], ADMIN_SLOT)
    admin = "0x" + word[-40:] if word is not None else ZERO_ADDRESS
    if word is None:
        found.gaps.append(f"{market}: who may replace its code is not read, the node refuses eth_getStorageAt")

    # Ask
    owner = None
    if admin != ZERO_ADDRESS:
        owner = client.call(Call(admin, "owner()->(address)", optional=True))

    # Rows
    rows = [(named[role], power, role, comet) for role, powers in POWERS.items() for power in powers]
    rows += [(admin, "upgrade", "slot eip1967.proxy.admin", comet), (owner or ZERO_ADDRESS, "upgrade", "owner", admin)]
    said: set[tuple[str, str]] = set()
    for who, power, how, where in rows:
        if who != ZERO_ADDRESS and (who, power) not in said:
            said.add((who, power))
            access.add_power(found, who, market, power, found.asked(how, where))
