"""Who may change Maker: the wards of its contracts, everybody whom an event ever made one, asked with wards() at the block.

A ward may call every function under `auth`; which powers that gives was read in the sources (dss 1.0.2 and 1.3.0, osm@e36c874b). The older
contracts note rely and deny (`maker_notes`), the newer ones emit Rely; a ward of the first hour, the deployer, has no event in the older ones.
Wards that are the protocol's own contracts are left out: their code says what they do with it. A ward whose owner is a DSPause
(dapphub/ds-pause@0763eafc: it answers `delay`, and its `proxy` is that ward) acts only after its delay.
"""

from collections.abc import Collection, Mapping, Sequence

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers import access
from chain.readers.maker_notes import address_argument, noted
from chain.units import ZERO_ADDRESS

WARDS = "wards(address)->(uint256)"
RELY_NOTED, RELY = noted("rely(address)"), event_topic("Rely(address)")
POWERS = {
    "vat": ("mint", "caps"),
    "jug": ("parameters",),
    "spotter": ("parameters", "oracle"),
    "dog": ("parameters", "pause"),
    "vow": ("parameters",),
    "clip": ("parameters", "pause"),
    "oracle": ("oracle", "pause"),
}
"""What may be done to the whole by whom each contract obeys (suck, file line; file duty; file mat, pip; file chop, hole, cage; ...)."""


def ever_wards(client: Client, contract: str, first_block: int) -> set[str]:
    """Everybody whom a contract ever relied on."""
    return _relied(client, [contract], first_block)[contract]


def read(
    client: Client,
    deployment: Deployment,
    clips: Mapping[str, str],
    oracles: Sequence[str],
    own: Collection[str],
    found: Findings,
) -> None:
    """One row for each power of each ward that is none of the protocol's `own` contracts; `clips` with their markets.

    What is changed is the protocol, for a clipper its market, for an oracle itself.
    """
    # Where
    kinds = {deployment.addresses[role]: role for role in POWERS if role in deployment.addresses}
    kinds |= dict.fromkeys(clips, "clip") | dict.fromkeys(oracles, "oracle")
    relied = _relied(client, sorted(kinds), deployment.first_block)

    # Ask
    pairs = [(at, who) for at in sorted(kinds) for who in sorted(relied[at]) if who not in own]
    wards = client.ask({(at, who): Call(at, WARDS, (who,), optional=True) for at, who in pairs})
    delays = _delays(client, sorted({who for (_, who), is_ward in wards.items() if is_ward}))

    # Rows
    rows: dict[tuple[str, str, str], str] = {}
    for (at, who), is_ward in wards.items():
        target = clips.get(at) or (found.entity(at, "feed") if kinds[at] == "oracle" else deployment.protocol)
        for power in POWERS[kinds[at]] if is_ward else ():
            rows.setdefault((who, target, power), at)
    for (who, target, power), at in rows.items():
        access.add_power(found, who, target, power, found.asked("wards", at))
        if who in delays:
            found.rows["authorities"][-1] |= {"kind": "timelock", "delay_seconds": delays[who]}


def _relied(client: Client, contracts: Sequence[str], first_block: int) -> dict[str, set[str]]:
    """By contract: everybody named by the event of rely, in either form. The Vat's has no caller before the arguments; the data has neither."""
    found: dict[str, set[str]] = {at: set() for at in contracts}
    last = client.anchor.number
    for log in client.logs(contracts, RELY_NOTED, first_block, last, has_no_sum=True):
        found[log.address].add(address_argument(log, 0))
    for log in client.logs(contracts, RELY, first_block, last, has_no_sum=True):
        found[log.address].add("0x" + log.topics[1][-40:])
    return found


def _delays(client: Client, wards: Sequence[str]) -> dict[str, int]:
    """Delay in seconds of each ward that acts for a pause."""
    owners = client.ask({who: Call(who, "owner()->(address)", optional=True) for who in wards})
    pauses = sorted({at for at in owners.values() if at and at != ZERO_ADDRESS})
    asks = {"proxy": "proxy()->(address)", "delay": "delay()->(uint256)"}
    said = client.ask({(at, name): Call(at, text, optional=True) for at in pauses for name, text in asks.items()})
    return {
        who: said[at, "delay"]
        for who, at in owners.items()
        if (at, "delay") in said and said[at, "delay"] is not None and said[at, "proxy"] == who
    }
