"""Who holds the roles of a contract: everybody whom a RoleGranted event names, asked with hasRole at the block.

OpenZeppelin's AccessControl (@openzeppelin/contracts 5.4.0, access/AccessControl.sol; the copies in @aave/core-v3 1.19.3 and
aave-v3-origin 3.6 are the same in this), which Aave's ACLManager and TimelockController are. Who holds a role's admin role may give
itself the role in one transaction, and is listed with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.node.facts import CodeStart
from chain.node.together import Inquiry
from chain.readers import authorities
from chain.units import ZERO_ADDRESS, address_of

GRANTED = event_topic("RoleGranted(bytes32,address,address)")
HAS = "hasRole(bytes32,address)->(bool)"
ADMIN = "getRoleAdmin(bytes32)->(bytes32)"
MOST_LEVELS = 4
DELEGATED = "0xef0100"
"""How the code of an account begins that delegates to a contract (EIP-7702): it stays an account."""


def holders(
    client: Client, contract: str, roles: Sequence[str], first_block: int
) -> Inquiry[dict[str, dict[str, str]]]:
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
    answers = yield calls
    named = {role: answers[role, "name"] for role in roles}
    never = sorted(set(named.values()) - {role for role, _ in granted})
    answers |= yield {(role, "admin"): Call(contract, ADMIN, (role,)) for role in never}

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


def describe(found: Findings, codes: Mapping[str, str]) -> Inquiry[dict[str, str]]:
    """Say of every authority what it is (`authorities`), and add who decides in what is only a means: one level after the other.

    What a reader has said of one itself stays where its form says no more than that it is a contract.

    Parameters
    ----------
    codes : how the code at each mentioned address begins.

    Returns
    -------
    codes, with those of the addresses that came to light.
    """
    known, told = dict(codes), set[str]()
    for _ in range(MOST_LEVELS):
        who = sorted({address_of(row["authority"]) for row in found.rows.get("authorities", ())} - told)
        if not who:
            break
        known |= yield {at: CodeStart(at) for at in who if at not in known}
        contracts = [at for at in who if known[at] != "0x" and not known[at].lower().startswith(DELEGATED)]
        forms = yield from authorities.forms(contracts)
        for row in found.rows["authorities"]:
            if (form := forms.get(address_of(row["authority"]))) is not None:
                if form.kind != "contract" or row["kind"] == "account":
                    row["kind"] = form.kind
                row |= {name: value for name, value in form.columns.items() if row.get(name) is None}
        for at, form in forms.items():
            _name_and_admin(found, at, form)
        told |= set(who)
    return known


def _name_and_admin(found: Findings, at: str, form: authorities.Form) -> None:
    target = found.entity(at, "contract", form.name)
    rows = found.rows["authorities"]
    if form.admin in (None, ZERO_ADDRESS, at):
        return
    admin = found.entity(str(form.admin), "account")
    if not any((row["authority"], row["target"], row["power"]) == (admin, target, "parameters") for row in rows):
        add_power(found, str(form.admin), target, "parameters", found.asked(form.asked, at))
