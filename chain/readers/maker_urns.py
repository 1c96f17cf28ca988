"""Maker urns: everybody whom the Vat's events gave collateral, debt, free collateral or Dai, asked at the block.

Events (LibNote in vat.sol, makerdao/dss 1.0.2): the topics are the selector and the first three arguments, the data carries all of them.
An urn first appears in frob, fork or grab; free collateral in slip, flux, frob or grab; Dai in frob, move, suck or fold; sin in
suck or grab. Who controls an urn of the DssCdpManager (makerdao/dss-cdp-manager@95eb0884) is asked there; any other urn controls itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.readers.maker_ilks import Ilk
from chain.readers.maker_notes import address_argument, argument, noted
from chain.units import ZERO_ADDRESS

FROB = "frob(bytes32,address,address,address,int256,int256)"
GRAB = "grab(bytes32,address,address,address,int256,int256)"
URN_ARGUMENTS = {FROB: (1,), "fork(bytes32,address,address,int256,int256)": (1, 2), GRAB: (1,)}
FREE_ARGUMENTS = {
    "slip(bytes32,address,int256)": (1,),
    "flux(bytes32,address,address,uint256)": (1, 2),
    FROB: (2,),
    GRAB: (2,),
}
DAI_ARGUMENTS = {
    FROB: (3,),
    "move(address,address,uint256)": (0, 1),
    "suck(address,address,uint256)": (1,),
    "fold(bytes32,address,int256)": (1,),
}
SIN_ARGUMENTS = {"suck(address,address,uint256)": (0,), GRAB: (3,)}
"""Function of the Vat -> which of its arguments name somebody."""


def read(
    client: Client,
    deployment: Deployment,
    ilks: Sequence[Ilk],
    dai: str,
    on_sale: Mapping[tuple[str, str], int],
    found: Findings,
) -> dict[bytes, int]:
    """Read every urn, all free collateral and all internal Dai; the collateral of all urns by ilk, in wads."""
    # Where
    vat = deployment.addresses["vat"]
    notes: dict[str, list[Log]] = {}
    for signature in dict.fromkeys((*URN_ARGUMENTS, *FREE_ARGUMENTS, *DAI_ARGUMENTS, *SIN_ARGUMENTS)):
        topic = noted(signature)
        notes[signature] = client.logs([vat], topic, deployment.first_block, client.anchor.number)

    def named(arguments: Mapping[str, tuple[int, ...]]) -> list[tuple[bytes, str]]:
        logs = ((log, place) for text, places in arguments.items() for log in notes[text] for place in places)
        return sorted({(argument(log, 0), address_argument(log, place)) for log, place in logs})

    urns, free = named(URN_ARGUMENTS), named(FREE_ARGUMENTS)
    rich, sinful = (sorted({who for _, who in named(places)}) for places in (DAI_ARGUMENTS, SIN_ARGUMENTS))

    # Ask
    known = {ilk.id: ilk for ilk in ilks}
    urn = client.ask(
        {key: Call(vat, "urns(bytes32,address)->(uint256,uint256)", key) for key in urns if key[0] in known}
    )
    gem = client.ask({key: Call(vat, "gem(bytes32,address)->(uint256)", key) for key in free if key[0] in known})
    owners = _owners(client, deployment)
    held = client.ask({who: Call(vat, "dai(address)->(uint256)", (who,)) for who in rich})
    sin = client.ask({who: Call(vat, "sin(address)->(uint256)", (who,)) for who in sinful})

    # Rows
    inks: dict[bytes, int] = defaultdict(int)
    for (key, who), (ink, art) in urn.items():
        inks[key] += ink
        ilk, owner = known[key], owners.get(who, who)
        if ink:
            _position(found, vat, ilk, who, owner, "collateral", ilk.asset, (ink, 1, ilk.unit), "urns")
        if art:
            _position(found, vat, ilk, who, owner, "debt", dai, (art, ilk.rate_now, 1), "urns")
    for (key, who), amount in gem.items():
        ilk = known[key]
        amount -= on_sale.get((ilk.market, who), 0)
        if amount:
            _position(found, vat, ilk, f"{who}/gem", who, "collateral", ilk.asset, (max(amount, 0), 1, ilk.unit), "gem")
        if amount < 0:
            found.gaps.append(f"{ilk.market}: {who} sells {-amount} more than it has")
    for who, amount in held.items():
        if amount:
            found.add(
                "balances", found.asked("dai", vat), asset=dai, holder=found.entity(who, "account"), amount_raw=amount
            )
    found.witness("sins", (dai,), sum(sin.values()))
    return inks


def _owners(client: Client, deployment: Deployment) -> dict[str, str]:
    """Urn -> who controls it, for the urns of the manager."""
    manager = deployment.addresses["cdp_manager"]
    if manager == ZERO_ADDRESS:
        return {}
    count = client.call(Call(manager, "cdpi()->(uint256)"))
    numbers = range(1, count + 1)
    urns = client.ask({number: Call(manager, "urns(uint256)->(address)", (number,)) for number in numbers})
    owners = client.ask({number: Call(manager, "owns(uint256)->(address)", (number,)) for number in numbers})
    return {urns[number]: owners[number] for number in numbers}


def _position(
    found: Findings, vat: str, ilk: Ilk, name: str, owner: str, side: str, asset: str,
    stored: tuple[int, int, int], function: str,
) -> None:  # fmt: skip
    amount, index, unit = stored
    found.add(
        "positions",
        found.asked(function, vat),
        market=ilk.market,
        position_id=name,
        asset=asset,
        side=side,
        owner=found.entity(owner, "account"),
        stored_raw=amount,
        index_raw=index,
        index_unit_raw=unit,
        amount_raw=amount * index // unit,
        collateral_enabled=side == "collateral" and function == "urns",
        category=0,
    )
