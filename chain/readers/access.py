"""Who holds the roles of a contract: everybody whom a RoleGranted event names, asked with hasRole at the block.

OpenZeppelin's AccessControl (@openzeppelin/contracts 5.4.0, access/AccessControl.sol; the copies in @aave/core-v3 1.19.3 and
aave-v3-origin 3.6 are the same in this), which Aave's ACLManager and TimelockController are. Who holds a role's admin role may give
itself the role in one transaction, and is listed with it.
"""

from collections.abc import Mapping, Sequence

from chain.calls import Call, event_topic
from chain.client import Client
from chain.findings import Findings

GRANTED = event_topic("RoleGranted(bytes32,address,address)")


def holders(client: Client, contract: str, roles: Sequence[str], first_block: int) -> dict[str, dict[str, str]]:
    """By role (the name of its getter): who has it at the block -> how, in words for the evidence.

    Raises
    ------
    ContractError
        If the contract has no such role.
    """
    # Where
    named = client.ask({role: Call(contract, f"{role}()->(bytes32)") for role in roles})
    admins = client.ask({role: Call(contract, "getRoleAdmin(bytes32)->(bytes32)", (named[role],)) for role in roles})
    given: dict[bytes, set[str]] = {}
    for log in client.logs([contract], GRANTED, first_block, client.anchor.number):
        given.setdefault(bytes.fromhex(log.topics[1][2:]), set()).add("0x" + log.topics[2][-40:])

    # Ask
    wanted = {*named.values(), *admins.values()}
    places = [(role, who) for role in sorted(wanted) for who in sorted(given.get(role, ()))]
    has = client.ask({place: Call(contract, "hasRole(bytes32,address)->(bool)", place) for place in places})
    now = {role: [who for of, who in places if of == role and has[of, who]] for role in wanted}
    return {
        role: dict.fromkeys(now[admins[role]], f"hasRole admin of {role}")
        | dict.fromkeys(now[named[role]], f"hasRole {role}")
        for role in roles
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


def describe(client: Client, found: Findings) -> None:
    """Say of every authority what it is: a timelock (with its delay), another contract, or an account.

    A timelock is what answers getMinDelay and has proposers (TimelockController); a multisig shows as `contract`.
    """
    # Where
    rows = found.rows.get("authorities", [])
    who = sorted({row["authority"].rpartition(":")[2] for row in rows})

    # Ask
    codes = dict(zip(who, client.codes(who), strict=True))
    asks = {"delay": "getMinDelay()->(uint256)", "role": "PROPOSER_ROLE()->(bytes32)"}
    answers = client.ask({(at, name): Call(at, text, optional=True) for at in who for name, text in asks.items()})

    # Rows
    for row in rows:
        at = row["authority"].rpartition(":")[2]
        if answers[at, "delay"] is not None and answers[at, "role"] is not None:
            row["kind"] = "timelock"
            row.setdefault("delay_seconds", answers[at, "delay"])
        elif codes[at] != "0x" and not codes[at].lower().startswith("0xef0100"):
            row["kind"] = "contract"
