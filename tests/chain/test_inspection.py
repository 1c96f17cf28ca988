"""The shipped address books, and the doctor's look at a node and at contracts: on the development node, right books and wrong ones."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import is_checksum_address

from chain.deployments import read_deployments
from chain.inspection import Finding, addresses, clock, node, shipped
from chain.networks import networks
from chain.node.client import Client
from chain.protocols import PROTOCOLS
from chain.reading import READERS
from tests.devnet.uniswap_v3_exchange import deploy_exchange
from tests.devnet.world import World

SOURCE = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}:[\w./+-]+\.\w+")
CHAIN = "eip155:31337"
WANTED = {"ethereum", "base", "arbitrum", "optimism", "polygon", "avalanche", "gnosis", "bnb"}


def unsourced(entry: dict[str, Any]) -> list[str]:
    """What an entry says of its origin that is not repository, commit and path."""
    return [part for part in str(entry.get("source", "")).split("; ") if not SOURCE.fullmatch(part)]


def named(entry: dict[str, Any]) -> list[str]:
    listed = [item["address"] for field in ("feeds", "tokens") for item in entry.get(field, [])]
    return [*entry.get("addresses", {}).values(), *listed]


def test_every_shipped_row_names_repository_commit_and_path() -> None:
    assert set(shipped()) == WANTED
    seen = 0
    for path in shipped().values():
        for entry in tomllib.loads(path.read_text())["deployments"]:
            assert unsourced(entry) == [], path.name
            assert all(is_checksum_address(address) for address in named(entry)), "a typing error breaks the checksum"
            seen += len(named(entry))
    assert seen > 90


@pytest.mark.parametrize(
    "source", ["", "by hand", "Uniswap/docs:main.md", "Uniswap/docs@8c5d09e:docs/a.md", "a/b@" + "0" * 40]
)
def test_a_row_without_a_source_is_refused(source: str) -> None:
    assert unsourced({"source": source})


def test_shipped_books_can_be_read_and_belong_to_known_chains() -> None:
    protocols: dict[str, set[str]] = {}
    for name, path in shipped().items():
        entries = read_deployments(path)
        assert len({entry.chain for entry in entries}) == 1 and entries[0].chain in networks()
        protocols[name] = {entry.reader for entry in entries}
        assert all(feed.heartbeat_seconds > 0 and feed.deviation_bps > 0 for entry in entries for feed in entry.feeds)
    assert all("aave_v3" in readers for readers in protocols.values())
    assert {name for name, readers in protocols.items() if "uniswap_v3" in readers} == WANTED - {"gnosis"}


def look(world: World, file: Path) -> list[Finding]:
    with Client.connect(world.url, CHAIN) as client:
        client.pin("latest")
        return addresses(client, read_deployments(file))


@pytest.mark.devnet
def test_the_worlds_own_book_is_sound(devnet_world: World) -> None:
    with devnet_world.undone():
        exchange = deploy_exchange(devnet_world, 1)
        found = look(devnet_world, exchange.deployments)
    broken = [finding for finding in found if finding.state != "ok"]
    assert len(broken) == len(devnet_world.feeds), broken
    assert all("description is v0.8/tests/MockV3Aggregator.sol" in one.text for one in broken), "the mock's fixed words"
    text = "\n".join(finding.text for finding in found)
    for words in (
        "POOL_REVISION is 10",
        "feeAmountTickSpacing is 60",
        "allPairsLength is 6",
        "ETH / USD",
        "symbol is WETH",
    ):
        assert words in text
    assert set(PROTOCOLS) == set(READERS)
    unknown = {name for name, protocol in PROTOCOLS.items() if protocol.roles and not protocol.identities}
    assert not unknown, "the doctor cannot recognise their contracts"


WRONG = {
    "an account in place of a contract": ("pool = ", "0x" + "9" * 40, "no code at 0x999"),
    "another contract as the oracle": ("oracle = ", "token", "getPriceOracle is 0x"),
    "another contract as the factory": ("factory = ", "token", "does not answer allPairsLength"),
    "a feed of another pair": ("pair = ", "DOGE / USD", "the book says DOGE / USD"),
    "a token of another name": ("symbol = ", "WETHER", "the book says WETHER"),
}


@pytest.mark.devnet
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_book_is_found(devnet_world: World, tmp_path: Path, mistake: str) -> None:
    field, value, words = WRONG[mistake]
    value = str(devnet_world.tokens["LINK"].address) if value == "token" else value
    text, changed = re.subn(rf'(?m)^{field}".*"$', f'{field}"{value}"', devnet_world.deployments.read_text(), count=1)
    assert changed == 1
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    broken = [finding for finding in look(devnet_world, file) if finding.state == "broken"]
    assert len(broken) >= 1 and any(words in finding.text for finding in broken)


@pytest.mark.devnet
def test_a_node_is_looked_at(devnet_world: World) -> None:
    found = {one.subject: one for one in node(devnet_world.url, CHAIN, now=devnet_world.timestamp + 7)}
    assert {subject: one.state for subject, one in found.items()} == dict.fromkeys(
        ("node", "clock", "events", "archive"), "ok"
    )
    assert str(devnet_world.block_number) in found["node"].text and "7 s old" in found["clock"].text
    assert "from block 1 on" in found["archive"].text and "whole chain" in found["events"].text
    with Client.connect(devnet_world.url, CHAIN) as client:
        client.pin("latest")
        assert "lags" in clock(client, devnet_world.timestamp + 3600).text
        assert clock(client, devnet_world.timestamp - 3600).state == "broken"
