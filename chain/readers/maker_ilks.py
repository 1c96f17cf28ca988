"""Maker's ilks: which there are, what the four contracts say of each, and its joins. What the other files of this reader share.

Ilks and joins are found by what the Vat notes of init and rely (`maker_notes`; the Vat of today's dss notes nothing and cannot be read). A join is a ward of the Vat that answers ilk, gem and dec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.accounting.maker import accrued_rate
from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import maker_authorities
from chain.readers.maker_notes import noted
from chain.units import market_id

WAD_DECIMALS = 18
ILK = "ilks(bytes32)"
ASKS = {
    "vat": f"{ILK}->(uint256,uint256,uint256,uint256,uint256)",  # Art, rate, spot, line, dust
    "jug": f"{ILK}->(uint256,uint256)",  # duty, rho
    "spotter": f"{ILK}->(address,uint256)",  # pip, mat
    "dog": f"{ILK}->(address,uint256,uint256,uint256)",  # clip, chop, hole, dirt
}
WHOLE = {
    ("vat", "live"): "live()->(uint256)",
    ("vat", "debt"): "debt()->(uint256)",
    ("vat", "vice"): "vice()->(uint256)",
    ("jug", "base"): "base()->(uint256)",
    ("spotter", "par"): "par()->(uint256)",
    ("dog", "live"): "live()->(uint256)",
    ("dog", "Hole"): "Hole()->(uint256)",
}
JOIN = {"ilk": "ilk()->(bytes32)", "gem": "gem()->(address)", "dec": "dec()->(uint256)"}


@dataclass(frozen=True)
class Ilk:
    """One ilk: its market, the answers of the four contracts, its joins, the token (None without a join) and wads per unit of it."""

    market: str
    id: bytes
    asked: Mapping[str, Any]
    joins: tuple[str, ...]
    gem: str | None
    asset: str
    unit: int
    rate_now: int

    @property
    def label(self) -> str:
        """Its name, `ETH-A`."""
        return self.id.rstrip(b"\0").decode("ascii", errors="replace")


def read(client: Client, deployment: Deployment, found: Findings) -> tuple[list[Ilk], dict[tuple[str, str], Any]]:
    """Every ilk of one Vat, and what the contracts say once for all ilks; ContractError if one refuses."""
    # Where
    at, last = deployment.addresses, client.anchor.number
    logs = client.logs([at["vat"]], noted("init(bytes32)"), deployment.first_block, last)
    ids = list(dict.fromkeys(bytes.fromhex(log.topics[1][2:]) for log in logs))
    wards = maker_authorities.ever_wards(client, at["vat"], deployment.first_block)

    # Ask
    whole = client.ask({key: Call(at[key[0]], text) for key, text in WHOLE.items()})
    asked = client.ask({(key, role): Call(at[role], text, (key,)) for key in ids for role, text in ASKS.items()})
    joins = _joins(client, sorted(wards))
    return [
        _ilk(found, deployment, key, {role: asked[key, role] for role in ASKS}, joins.get(key, {}), whole)
        for key in ids
    ], whole


def _joins(client: Client, wards: Sequence[str]) -> dict[bytes, dict[str, tuple[str, int]]]:
    """By ilk: the joins among the Vat's wards, with token and decimals; a join is what answers all three questions."""
    answers = client.ask({(at, name): Call(at, text, optional=True) for at in wards for name, text in JOIN.items()})
    joins: dict[bytes, dict[str, tuple[str, int]]] = {}
    for at in wards:
        ilk, gem, dec = (answers[at, name] for name in JOIN)
        if ilk is not None and gem is not None and dec is not None and dec <= WAD_DECIMALS:
            joins.setdefault(ilk, {})[at] = (gem, dec)
    return joins


def _ilk(
    found: Findings,
    deployment: Deployment,
    key: bytes,
    asked: Mapping[str, Any],
    joins: Mapping[str, tuple[str, int]],
    whole: Mapping[Any, Any],
) -> Ilk:
    chain, vat = found.anchor.chain, deployment.addresses["vat"]
    label = key.rstrip(b"\0").decode("ascii", errors="replace")
    tokens = sorted(set(joins.values()))
    if len(tokens) > 1:
        found.gaps.append(
            f"{deployment.protocol} {label}: its joins take {len(tokens)} tokens; only {tokens[0][0]} is read"
        )
    joins = {join: token for join, token in joins.items() if token == tokens[0]}
    gem, decimals = tokens[0] if tokens else (None, WAD_DECIMALS)
    if gem is None:
        found.gaps.append(
            f"{deployment.protocol} {label}: no join was found, so its collateral is no known token and is not compared"
        )
        asset = found.known_asset(
            f"{chain}/vat:{vat}/{label}", found.asked("ilks", vat), chain=chain, symbol=label, decimals=18, kind="token"
        )
    else:
        asset = found.token(gem)
    for join in joins:
        found.entity(join, "contract", f"{label} join", deployment.protocol)
    duty, since = asked["jug"]
    grown = (
        accrued_rate(asked["vat"][1], duty + whole["jug", "base"], found.anchor.timestamp - since)
        if duty
        else asked["vat"][1]
    )
    market = market_id(chain, deployment.protocol, vat, label)
    return Ilk(market, key, asked, tuple(joins), gem, asset, 10 ** (WAD_DECIMALS - decimals), grown)
