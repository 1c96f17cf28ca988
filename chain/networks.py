"""The chains we know: name, native coin, where the node's address comes from, Multicall3, block interval, finality lag.

The facts are in `networks.toml`, with their sources. RPC addresses often carry a key in their path or query, so whatever may end up
in an error, a log or a manifest passes through `redact` first.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from chain.errors import InputError, unknown_name

_FILE = Path(__file__).parent / "networks.toml"


@dataclass(frozen=True)
class Network:
    """One chain.

    Attributes
    ----------
    chain : CAIP-2 id, `eip155:<chain id>`.
    name : label for people.
    native_symbol : symbol of the native coin (18 decimals on every EVM chain).
    multicall3 : address of Multicall3, lower case.
    block_interval_seconds : time between two blocks.
    finality_lag_blocks : how far behind the head a block is taken as final.
    """

    chain: str
    name: str
    native_symbol: str
    multicall3: str
    block_interval_seconds: float
    finality_lag_blocks: int

    @property
    def chain_id(self) -> int:
        """The number after `eip155:`."""
        return int(self.chain.removeprefix("eip155:"))

    @property
    def rpc_variables(self) -> tuple[str, ...]:
        """Environment variables that may hold the node's address, the first that is set wins."""
        own = (f"AFTERSHOCK_RPC_{self.chain_id}",)
        return (*own, "ETH_RPC_URL", "WEB3_PROVIDER_URI") if self.chain_id == 1 else (*own, "WEB3_PROVIDER_URI")


@cache
def networks() -> dict[str, Network]:
    """Every known chain by CAIP-2 id."""
    with _FILE.open("rb") as handle:
        return {chain: Network(chain=chain, **facts) for chain, facts in tomllib.load(handle).items()}


def network(chain: str) -> Network:
    """One chain by CAIP-2 id; UnknownNameError with the nearest known ones otherwise."""
    if chain not in networks():
        raise unknown_name("chain", chain, networks())
    return networks()[chain]


def chain_name(chain: str) -> str:
    """A chain's name for people; its CAIP-2 id where it is not known."""
    return networks()[chain].name if chain in networks() else chain


def placed(label: str, key: str, chains: Collection[str]) -> str:
    """A label with its chain behind it, `USDC on Base`, where there are several chains (CAIP-2) and the key begins with one; else the label."""
    if len(chains) < 2 or key in chains:
        return label
    chain = next((one for one in chains if key.startswith((f"{one}:", f"{one}/"))), None)
    return label if chain is None else f"{label} on {chain_name(chain)}"


def node_url(chain: str, environment: Mapping[str, str], given: str = "") -> str:
    """The nodes' addresses for a chain, one a line: those given, else those of its first environment variable that is set.

    Several are separated by commas or new lines; the first is preferred.

    Raises
    ------
    InputError
        If there is none, or one is not http or https.
    """
    names = network(chain).rpc_variables
    text = given or next((environment[name] for name in names if environment.get(name)), "")
    if not node_urls(text):
        raise InputError(f"No node is given for {chain}; pass --rpc URL or set {' or '.join(names)}")
    return "\n".join(checked_url(url) for url in node_urls(text))


def node_urls(text: str) -> tuple[str, ...]:
    """The addresses in a text, separated by commas or new lines, each once."""
    return tuple(dict.fromkeys(url.strip() for url in text.replace(",", "\n").splitlines() if url.strip()))


def checked_url(url: str) -> str:
    """The address itself if it is http or https with a host; InputError (which does not repeat it) otherwise."""
    if _redacted(url) == _UNREADABLE or urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"The node address {redact(url)} cannot be used; it must start with http:// or https://")
    return url


_UNREADABLE = "(no readable address)"


def redact(text: str) -> str:
    """Scheme and host of each address in a text, nothing else: keys live in the path, the query and the user name."""
    return ", ".join(_redacted(url) for url in node_urls(text)) or _UNREADABLE


def _redacted(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _UNREADABLE
    if not parts.scheme or not host:
        return _UNREADABLE
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
