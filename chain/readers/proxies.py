"""What stands behind proxies: the contract whose code answers, by where each kind of proxy keeps its address.

- the slots of ERC-1967, its own and that of a beacon, which names the contract (@openzeppelin/contracts 5.4.0, proxy/ERC1967/ERC1967Utils.sol);
- the slot that OpenZeppelin used before (openzeppelin-sdk@7a9a0d6c, packages/lib/contracts/upgradeability/UpgradeabilityProxy.sol; USDC has it);
- the code of a minimal proxy (EIP-1167: github.com/ethereum/ERCs, ERCS/erc-1167.md), which is the address with fixed bytes around it;
- getters: a Safe's masterCopy (@gnosis.pm/safe-contracts 1.3.0, proxies/GnosisSafeProxy.sol), Compound's comptrollerImplementation and
  implementation (@thenextblock/hardhat-compound 0.0.14: Unitroller, CErc20Delegator, GovernorBravoDelegator).

A diamond (ERC-2535) has no one implementation and is none here.
"""

import re
from collections.abc import Mapping, Sequence

from eth_utils.crypto import keccak

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.facts import Code, Slot
from chain.node.together import Inquiry
from chain.units import ZERO_ADDRESS, address_of

IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
"""keccak256("eip1967.proxy.implementation") - 1."""
BEACON_SLOT = "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"
"""keccak256("eip1967.proxy.beacon") - 1."""
OLD_SLOT = "0x" + keccak(text="org.zeppelinos.proxy.implementation").hex()
MINIMAL = re.compile(r"0x363d3d373d3d3d363d73([0-9a-f]{40})5af43d82803e903d91602b57fd5bf3")
MINIMAL_START = "0x363d3d"
MAY_BE_PROXIES = ("market", "token", "vault", "feed", "treasury", "contract")
GETTERS = ("masterCopy", "comptrollerImplementation")
IMPLEMENTATION = "implementation()->(address)"
"""A beacon answers it too, and is no proxy: it is asked only of tokens and of who may change something."""


def behind(found: Findings, codes: Mapping[str, str]) -> Inquiry[dict[str, str]]:
    """Proxy -> entity of the contract that it delegates to, of everything but mere accounts and pools; they are mentioned too.

    Parameters
    ----------
    codes : how the code at each mentioned address begins.
    """
    # Where
    acting = {address_of(row["authority"]) for row in found.rows.get("authorities", ())}
    asked = [
        at
        for at, mention in found.entities.items()
        if (mention.kind in MAY_BE_PROXIES or at in acting) and codes.get(at, "0x") != "0x"
    ]

    # Ask, of each only until it is known
    minimal = [at for at in asked if codes[at] == MINIMAL_START]
    answers = yield {at: Slot(at, IMPLEMENTATION_SLOT) for at in asked} | {("code", at): Code(at) for at in minimal}
    known = {at: _address(answers[at]) for at in asked}
    refused = [at for at in asked if known[at] is None]
    if refused:
        found.gaps.append(f"implementations of {len(refused)} contracts: the node refuses eth_getStorageAt")
    told = {at: one for at, one in known.items() if one}
    left = [at for at in asked if at not in told and at not in refused]
    slots = yield {(at, slot): Slot(at, slot) for at in left for slot in (BEACON_SLOT, OLD_SLOT)}
    beacons = {at: one for at in left if (one := _address(slots[at, BEACON_SLOT]))}
    named = yield {at: Call(one, IMPLEMENTATION, optional=True) for at, one in beacons.items()}
    told |= {at: one for at, one in named.items() if one}
    told |= {at: one for at in left if at not in beacons and (one := _address(slots[at, OLD_SLOT]))}
    matches = {at: MINIMAL.fullmatch(answers["code", at].lower()) for at in minimal}
    told |= {at: "0x" + match.group(1) for at, match in matches.items() if match}
    told |= yield from _by_getters(found, [at for at in asked if at not in told], acting)

    # Rows
    return {at: found.entity(one, "contract", protocol=found.entities[at].protocol) for at, one in told.items()}


def _address(word: str | None) -> str | None:
    """The address in a slot: None where the node does not say, empty where the word is no address."""
    if word is None:
        return None
    return "0x" + word[-40:] if 0 < int(word, 16) < 1 << 160 else ""


def _by_getters(found: Findings, addresses: Sequence[str], acting: set[str]) -> Inquiry[dict[str, str]]:
    texts = {name: f"{name}()->(address)" for name in GETTERS}
    calls = {(at, name): Call(at, text, optional=True) for at in addresses for name, text in texts.items()}
    named = [at for at in addresses if at in acting or found.entities[at].kind == "token"]
    calls |= {(at, "implementation"): Call(at, IMPLEMENTATION, optional=True) for at in named}
    answers = yield calls
    return {at: one for (at, _), one in answers.items() if one not in (None, ZERO_ADDRESS)}
