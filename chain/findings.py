"""What the readers of one snapshot have found so far: rows, who was mentioned, what was asked for comparison, what was left out.

Readers add rows as they decode them, and *mention* tokens, addresses and price sources; these are described once, at the end, whoever
mentioned them. Answers that serve only to check the rows (`witnesses`) are kept apart from the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chain.node.calls import Call
from chain.snapshot import Anchor
from chain.units import entity_id, token_id

Progress = Callable[[str, int, int, str], None]
"""Called with reader, steps done, steps in all, note."""

ENTITY_KINDS = ("burn", "treasury", "vault", "pool", "market", "bridge", "feed", "token", "contract", "account")
"""Most specific first: an address that is several things is listed as the first of these."""
ASSET_KINDS = (
    "native",
    "wrapped_native",
    "receipt",
    "debt",
    "vault_share",
    "lp_share",
    "staked",
    "bridged",
    "stablecoin",
    "token",
)
"""Most specific first."""


@dataclass
class Mention:
    """A token or an address that some reader came across."""

    kind: str
    name: str | None = None
    protocol: str | None = None
    issuer: str | None = None


@dataclass
class Findings:
    """The collector that readers write to.

    Attributes
    ----------
    anchor : the pinned block.
    rows : rows by table.
    entities, tokens : mentions by lower-case address.
    sources : price source -> what the user's file says about it, (pair, heartbeat in s, deviation in bps), or None.
    answers : price source -> the call whose answer it is; of the sources that are not asked for latestAnswer.
    explained : price sources (ids) whose steps a reader has added itself.
    witnesses : kind of question -> subject -> answer of the chain, to be compared with the rows.
    gaps : what exists and was not read, in sentences.
    """

    anchor: Anchor
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    entities: dict[str, Mention] = field(default_factory=dict)
    tokens: dict[str, Mention] = field(default_factory=dict)
    sources: dict[str, tuple[str, int, int] | None] = field(default_factory=dict)
    answers: dict[str, Call] = field(default_factory=dict)
    explained: set[str] = field(default_factory=set)
    witnesses: dict[str, dict[tuple[str, ...], Any]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def add(self, table: str, evidence: str, **columns: Any) -> None:
        """Add a row; it is `unverified` until a check has compared it with the chain."""
        self.rows.setdefault(table, []).append({**columns, "evidence": evidence, "status": "unverified"})

    def known_asset(self, asset: str, evidence: str, **columns: Any) -> str:
        """Add an asset that is no contract (a currency, a native coin) unless it is there already. Returns its id."""
        if not any(row["asset"] == asset for row in self.rows.get("assets", ())):
            self.add("assets", evidence, asset=asset, **columns)
        return asset

    def asked(self, function: str, address: str) -> str:
        """Evidence of a call at the pinned block."""
        return f"call {function} @{address} block {self.anchor.number}"

    def entity(self, address: str, kind: str, name: str | None = None, protocol: str | None = None) -> str:
        """Mention an address; the most specific kind wins, a name is kept once given. Returns its id."""
        known = self.entities.setdefault(address, Mention(kind))
        if ENTITY_KINDS.index(kind) < ENTITY_KINDS.index(known.kind):
            known.kind = kind
        known.name, known.protocol = known.name or name, known.protocol or protocol
        return entity_id(self.anchor.chain, address)

    def token(self, address: str, kind: str = "token", issuer: str | None = None, protocol: str | None = None) -> str:
        """Mention a token (and its contract); the most specific kind wins. Returns the asset's id."""
        known = self.tokens.setdefault(address, Mention(kind))
        if ASSET_KINDS.index(kind) < ASSET_KINDS.index(known.kind):
            known.kind = kind
        known.issuer = known.issuer or issuer
        self.entity(address, "token", protocol=protocol)
        return token_id(self.anchor.chain, address)

    def source(self, address: str) -> str:
        """Mention a contract that a market asks for prices. Returns its id."""
        self.sources.setdefault(address, None)
        return self.entity(address, "feed")

    def source_about(self, call: Call, subject: str) -> str:
        """Mention what a contract that prices many assets answers about one; the subject's address tells it from its others. Returns its id."""
        source = f"{self.entity(call.address, 'feed')}/{subject}"
        self.answers[source] = call
        return source

    def witness(self, question: str, subject: tuple[str, ...], answer: Any) -> None:
        """Keep an answer of the chain that a check will compare with the rows."""
        self.witnesses.setdefault(question, {})[subject] = answer
