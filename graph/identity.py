"""Which node an address is. One address is one node, so that a vault that supplies to a market is seen as the vault.

An address can play many parts. The kind is the first that fits: pool, vault, account (it has positions), bridge, issuer, market,
account (it has balances), authority, feed. A market's contract becomes the market's node when it serves one market only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from chain.snapshot import Snapshot
from chain.tables import each_row


class Entity(NamedTuple):
    """What the tables say about one address: kind as `entities` has it, label, evidence."""

    kind: str
    label: str
    evidence: str


@dataclass(frozen=True)
class Identities:
    """`kinds`: address -> node kind. `entities`: what is known of it. `share`: vault -> share token. `market`: contract -> market."""

    kinds: Mapping[str, str]
    entities: Mapping[str, Entity]
    share: Mapping[str, str]
    market: Mapping[str, str]

    def node(self, entity: str) -> str:
        """The node key of an address: itself, or the market whose contract it is."""
        return self.market[entity] if self.kinds.get(entity) == "market" else entity

    def nodes(self, entities: "pd.Series[Any]") -> list[str]:
        """`node` of each row."""
        markets = {entity: market for entity, market in self.market.items() if self.kinds.get(entity) == "market"}
        return [markets.get(entity, entity) for entity in entities.tolist()]

    def of_kind(self, kind: str) -> list[str]:
        """Addresses whose node is of this kind, sorted."""
        return sorted(entity for entity, found in self.kinds.items() if found == kind)

    def entity(self, entity: str, evidence: str = "named in another table; not in entities") -> Entity:
        """What is known of an address; for one that `entities` does not have, its short form."""
        return self.entities.get(entity) or Entity("account", short(entity), evidence)


def short(key: str) -> str:
    """An address inside `key` as people write it (0x3f9a…c41e); the key itself where it holds none."""
    start = key.rfind("0x")
    address = key[start:] if start >= 0 else ""
    return f"{address[:6]}…{address[-4:]}" if len(address) == 42 else key


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names by key; where several keys have one name, with the end of the key (0x3f9a…c41e) behind it."""
    keys: dict[str, list[str]] = {}
    for key, name in names.items():
        keys.setdefault(name, []).append(key)
    return {key: name if len(keys[name]) == 1 else f"{name} {_end(key)}" for key, name in names.items()}


def _end(key: str) -> str:
    digits = key[key.rfind("0x") :] if "0x" in key else ""
    return f"{digits[:6]}…{digits[-4:]}" if len(digits) > 12 else key


def identify(snapshot: Snapshot) -> Identities:
    """The identity join: `entities` with the parts that addresses play in the other tables."""
    described = list(each_row(snapshot["entities"]))
    entities = {
        row.entity: Entity(row.kind, row.name if isinstance(row.name, str) else short(row.entity), row.evidence)
        for row in described
    }
    token = {
        (row.chain, row.address): row.asset for row in each_row(snapshot["assets"]) if isinstance(row.address, str)
    }
    place = {row.entity: (row.chain, row.address) for row in described}
    at = {where: entity for entity, where in place.items() if isinstance(where[1], str)}
    share = {
        entity: token[place[entity]]
        for entity, known in entities.items()
        if known.kind == "vault" and place[entity] in token
    }
    allocating = set(snapshot["queues"]["vault"].tolist())
    for where, asset in token.items():
        if asset in allocating:
            share[at.get(where) or f"{where[0]}:{where[1]}"] = asset
    markets: dict[str, list[str]] = {}
    on_chain = snapshot["markets"][snapshot["markets"]["address"] != ""]
    for row in each_row(on_chain):
        markets.setdefault(at.get((row.chain, row.address)) or f"{row.chain}:{row.address}", []).append(row.market)
    market = {entity: keys[0] for entity, keys in markets.items() if len(keys) == 1}

    parts = [
        ("pool", _distinct(snapshot, "pools", "pool")),
        ("vault", set(share)),
        ("account", _distinct(snapshot, "positions", "owner")),
        ("bridge", {entity for entity, known in entities.items() if known.kind == "bridge"}),
        ("issuer", {entity for entity, known in entities.items() if known.kind == "issuer"}),
        ("issuer", _distinct(snapshot, "assets", "issuer")),
        ("market", set(market)),
        ("account", _distinct(snapshot, "balances", "holder")),
        ("account", _distinct(snapshot, "pool_positions", "owner")),
        ("authority", _distinct(snapshot, "authorities", "authority")),
        ("feed", _distinct(snapshot, "feeds", "address")),
    ]
    kinds: dict[str, str] = {}
    for kind, members in parts:
        kinds |= {entity: kind for entity in members if entity not in kinds}
    return Identities(kinds, entities, share, market)


def _distinct(snapshot: Snapshot, table: str, column: str) -> set[str]:
    return set(snapshot[table][column].dropna().tolist())
