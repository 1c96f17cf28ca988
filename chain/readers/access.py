"""Who holds the roles of a contract: everybody whom a RoleGranted event names, asked with hasRole at the block.

OpenZeppelin's AccessControl (@openzeppelin/contracts 5.4.0, access/AccessControl.sol; the copies in @aave/core-v3 1.19.3 and
aave-v3-origin 3.6 are the same in this), which Aave's ACLManager and TimelockController are. Who holds a role's admin role may give
itself the role in one transaction, and is listed with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chain.calls import Call, event_topic
from chain.client import Client
from chain.findings import Findings
from chain.units import address_of

GRANTED = event_topic("RoleGranted(bytes32,address,address)")
HAS = "hasRole(bytes32,address)->(bool)"
ADMIN = "getRoleAdmin(bytes32)->(bytes32)"


def holders(client: Client, contract: str, roles: Sequence[str], first_block: int) -> dict[str, dict[str, str]]:
    """By role (the name of its getter): who has it at the block -> how, in words for the evidence.

    Raises
    ------
    ContractError
        If the contract has no such role.
    """
    # Where
    granted = {
        (bytes.fromhex(log.topics[1][2:]), "0x" + log.topics[2][-40:])
        for log in client.logs([contract], GRANTED, first_block, client.anchor.number, has_no_sum=True)
    }

    # Ask, of every role that was ever granted
    calls: dict[tuple[Any, str], Call] = {(role, "name"): Call(contract, f"{role}()->(bytes32)") for role in roles}
    calls |= {place: Call(contract, HAS, place) for place in sorted(granted)}
    calls |= {(role, "admin"): Call(contract, ADMIN, (role,)) for role in sorted({role for role, _ in granted})}
    answers = client.ask(calls)
    named = {role: answers[role, "name"] for role in roles}
    never = sorted(set(named.values()) - {role for role, _ in granted})
    answers |= client.ask({(role, "admin"): Call(contract, ADMIN, (role,)) for role in never})

    def now(role: bytes) -> list[str]:
        return [who for of, who in sorted(granted) if of == role and answers[of, who]]

    return {
        role: dict.fromkeys(now(answers[key, "admin"]), f"hasRole admin of {role}")
        | dict.fromkeys(now(key), f"hasRole {role}")
        for role, key in named.items()
    }


def add_powers(
    found: Findings,
    contract: str,
    target: str,
    powers: Mapping[str, Sequence[str]],
    held: Mapping[str, Mapping[str, str]],
) -> None:
    """One row for each power that somebody has over `target` through a role of `contract` (CAIP-10 or market key), each once."""
    rows: dict[tuple[str, str], str] = {}
    for role, who_has in held.items():
        for who, how in who_has.items():
            for power in powers[role]:
                rows.setdefault((who, power), how)
    for (who, power), how in rows.items():
        add_power(found, who, target, power, found.asked(how, contract))


def add_power(found: Findings, who: str, target: str, power: str, evidence: str) -> None:
    """One row of who may change what; its kind and delay are settled when all readers are done."""
    found.add(
        "authorities", evidence, authority=found.entity(who, "account"), target=target, power=power, kind="account"
    )


def describe(client: Client, found: Findings, codes: Mapping[str, str]) -> None:
    """Say of every authority what it is: a timelock (with its delay), another contract, or an account; `codes` say how each begins.

    A timelock is what answers getMinDelay and has proposers (TimelockController); a multisig shows as `contract`.
    """
    # Where
    rows = found.rows.get("authorities", [])
    who = sorted({address_of(row["authority"]) for row in rows})
    who = [at for at in who if codes[at] != "0x"]

    # Ask
    asks = {"delay": "getMinDelay()->(uint256)", "role": "PROPOSER_ROLE()->(bytes32)"}
    answers = client.ask({(at, name): Call(at, text, optional=True) for at in who for name, text in asks.items()})

    # Rows
    for row in rows:
        at = address_of(row["authority"])
        if codes[at] == "0x":
            continue
        if answers[at, "delay"] is not None and answers[at, "role"] is not None:
            row["kind"] = "timelock"
            row.setdefault("delay_seconds", answers[at, "delay"])
        elif row["kind"] == "account" and not codes[at].lower().startswith("0xef0100"):
            row["kind"] = "contract"
