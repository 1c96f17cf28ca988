"""The address book: which contracts make up a protocol's instance, and who says so. Read from the user's TOML file.

```toml
[[deployments]]
chain = "eip155:1"
protocol = "aave-v3"          # slug as DefiLlama spells it
instance = "core"             # label for people
reader = "aave_v3"            # file in chain/readers that knows how to read it
first_block = 16291127        # block of the first deployment: events are read from here on
source = "where the addresses come from"
like_revision = 1             # only for a fork of Aave V3 whose POOL_REVISION counts on its own: the revision it is a copy of
[deployments.addresses]       # roles that the reader needs
pool = "0x..."
```

A `chainlink` entry lists `[[deployments.feeds]]` (address, pair, heartbeat_seconds, deviation_bps: neither of the two is on chain), an
`erc20` entry lists `[[deployments.tokens]]` (address, symbol, role).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.errors import InputError, unknown_name
from chain.networks import networks
from chain.protocols import PROTOCOLS
from chain.toml_file import read_toml
from chain.units import to_address

TOKEN_ROLES = ("wrapped_native", "erc4626", "stablecoin", "token", "wsteth", "reth")


@dataclass(frozen=True)
class Feed:
    """What the operator publishes about a price feed: pair, longest time between updates (s), move that triggers one (1e-4)."""

    address: str
    pair: str
    heartbeat_seconds: int
    deviation_bps: int


@dataclass(frozen=True)
class Token:
    """A token that the user wants to be read, and what it is."""

    address: str
    symbol: str
    role: str


@dataclass(frozen=True)
class Deployment:
    """One instance of one protocol on one chain; addresses are lower case. `like_revision`: see the example above."""

    chain: str
    protocol: str
    instance: str
    reader: str
    first_block: int
    source: str
    addresses: Mapping[str, str]
    feeds: tuple[Feed, ...] = ()
    tokens: tuple[Token, ...] = ()
    like_revision: int | None = None


class _Entry:
    """One table of the file with the words for where it stands; every getter checks and names the field."""

    def __init__(self, where: str, table: Any) -> None:
        if not isinstance(table, dict):
            raise InputError(f"{where} is no table; write it as [[deployments]] with key = value lines")
        self.where, self.table = where, table

    def text(self, field: str) -> str:
        value = self._get(field)
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{self.where}: {field} is {value!r}; give a text in quotes")
        return value

    def whole(self, field: str) -> int:
        value = self._get(field)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InputError(f"{self.where}: {field} is {value!r}; give a whole number that is not negative")
        return value

    def address(self, field: str) -> str:
        value = self.text(field)
        try:
            return to_address(value)
        except ValueError as error:
            raise InputError(f"{self.where}: {field} {error}") from error

    def one_of(self, field: str, kind: str, known: Iterable[str]) -> str:
        value, names = self.text(field), list(known)
        if value not in names:
            raise InputError(f"{self.where}: {field}: {unknown_name(kind, value, names)}")
        return value

    def children(self, field: str) -> list["_Entry"]:
        value = self.table.get(field, [])
        if not isinstance(value, list):
            raise InputError(f"{self.where}: {field} must be written as [[deployments.{field}]]")
        return [_Entry(f"{self.where}, {field} {number}", item) for number, item in enumerate(value, start=1)]

    def only(self, known: Iterable[str]) -> None:
        names = list(known)
        for field in self.table:
            if field not in names:
                raise InputError(f"{self.where}: {unknown_name('field', field, names)}")

    def _get(self, field: str) -> Any:
        if field not in self.table:
            raise InputError(f"{self.where}: {field} is missing")
        return self.table[field]


def read_deployments(path: Path) -> tuple[Deployment, ...]:
    """Read an address book of one chain.

    Raises
    ------
    InputError
        If the file cannot be read, or an entry is incomplete or wrong; the sentence names file, entry and field.
    """
    content = read_toml(path, "a deployments file")
    _Entry(str(path), content).only(["deployments"])
    entries = _Entry(str(path), content).children("deployments")
    if not entries:
        raise InputError(f"{path} has no [[deployments]] entry; add one for each protocol to be read")
    found = tuple(_deployment(entry) for entry in entries)
    chains = sorted({deployment.chain for deployment in found})
    if len(chains) > 1:
        raise InputError(
            f"{path} names {len(chains)} chains ({', '.join(chains)}); one snapshot reads one, so split the file"
        )
    twice = _first_repeat((deployment.protocol, deployment.instance) for deployment in found)
    if twice:
        raise InputError(f"{path} has two entries for {twice[0]} {twice[1]!r}; give each instance its own name")
    return found


def _deployment(entry: _Entry) -> Deployment:
    optional = ["addresses", "feeds", "tokens", "like_revision"]
    entry.only(["chain", "protocol", "instance", "reader", "first_block", "source", *optional])
    chain = entry.one_of("chain", "chain", networks())
    reader = entry.one_of("reader", "reader", PROTOCOLS)
    protocol = PROTOCOLS[reader]
    roles = _Entry(f"{entry.where}, addresses", entry.table.get("addresses", {}))
    optional_roles = [role for role in protocol.optional_roles if role in roles.table]
    roles.only([*protocol.roles, *protocol.optional_roles])
    feeds = tuple(
        Feed(item.address("address"), item.text("pair"), item.whole("heartbeat_seconds"), item.whole("deviation_bps"))
        for item in entry.children("feeds")
    )
    tokens = tuple(
        Token(item.address("address"), item.text("symbol"), item.one_of("role", "token role", TOKEN_ROLES))
        for item in entry.children("tokens")
    )
    for field, items, owner in (("feeds", feeds, "chainlink"), ("tokens", tokens, "erc20")):
        if bool(items) != (reader == owner):
            verb = "needs" if reader == owner else "has no use for"
            raise InputError(f"{entry.where}: reader {reader!r} {verb} [[deployments.{field}]]")
        twice = _first_repeat(item.address for item in items)
        if twice:
            raise InputError(f"{entry.where}, {field}: address {twice} is listed twice")
    like_revision = entry.whole("like_revision") if "like_revision" in entry.table else None
    if like_revision is not None and reader != "aave_v3":
        raise InputError(f"{entry.where}: reader {reader!r} has no use for like_revision")
    return Deployment(
        chain,
        entry.text("protocol"),
        entry.text("instance"),
        reader,
        entry.whole("first_block"),
        entry.text("source"),
        {role: roles.address(role) for role in [*protocol.roles, *optional_roles]},
        feeds,
        tokens,
        like_revision,
    )


def _first_repeat(values: Iterable[Any]) -> Any:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
