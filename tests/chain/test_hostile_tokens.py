"""Tokens, vaults and feeds that lie, loop, revert or shout: a reading names them and goes on, and their words reach no page as code."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from eth_utils.crypto import keccak

import aftershock
from chain.errors import AftershockError, ContractError
from chain.reading import take
from chain.snapshot import Snapshot, save
from chain.units import address_of
from reports import render
from tests.devnet.contracts import artifact, compiled
from tests.devnet.world import World

pytestmark = pytest.mark.devnet

SOURCE = "hostile/Hostile.sol"
CLIMBING = "../../../climbing"
SCRIPT = "<script>alert('S')</script>"
IMPLEMENTATION = hex(int.from_bytes(keccak(text="eip1967.proxy.implementation")) - 1)
"""Slot of a proxy's implementation, as EIP-1967 derives it."""
PAINTED = "\x1b[31mRED\x00\u202eDER\n"


@dataclass
class Zoo:
    """Hostile contracts by name, on a world with a pair for each token."""

    world: World
    tokens: dict[str, str] = field(default_factory=dict)
    book: Path = Path()


def deploy(world: World, name: str, *arguments: object) -> str:
    return str(world.ledger.deploy(compiled(SOURCE)[name], *arguments).address).lower()


@pytest.fixture(scope="module")
def zoo(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    """Each token is listed in the deployments file or, where it does not even answer totalSupply, only traded in a pair."""
    world, found = devnet_world, Zoo(devnet_world)
    with world.undone():
        listed = {
            "long": deploy(world, "LongName"),
            "climbing": deploy(world, "AnyText", CLIMBING, CLIMBING.encode()),
            "script": deploy(world, "AnyText", SCRIPT, SCRIPT.encode()),
            "painted": deploy(world, "AnyText", PAINTED, PAINTED.encode()),
            "no text": deploy(world, "AnyText", "Bad", b"\xff\xfeBAD\xed\xa0\x80"),
            "empty": deploy(world, "AnyText", "", b""),
            "255 decimals": deploy(world, "AnyDecimals", 255),
            "endless decimals": deploy(world, "AnyDecimals", 2**200),
            "nameless": deploy(world, "Nameless"),
            "reverting": deploy(world, "Reverting"),
            "early": deploy(world, "Bytes32Text"),
            "reentrant": deploy(world, "Reentrant"),
        }
        traded = {f"{length} bytes": deploy(world, "Answering", length) for length in (0, 5, 32, 1_000_000)}
        found.tokens = {**listed, **traded}
        dollar, factory = world.tokens["USDC"].address, world.exchange.factory
        for token in found.tokens.values():
            world.ledger.call("list", factory, "createPair", world.w3.to_checksum_address(token), dollar)
        world.ledger.mine()
        found.book = tmp_path_factory.mktemp("zoo") / "book.toml"
        entries = "".join(
            f'[[deployments.tokens]]\naddress = "{token}"\nsymbol = "{name}"\nrole = "token"\n'
            for name, token in listed.items()
        )
        found.book.write_text(world.deployments.read_text() + entries)
        yield found


@pytest.fixture(scope="module")
def snapshot(zoo: Zoo) -> Snapshot:
    return take(zoo.world.url, zoo.book, "latest")


def asset(snapshot: Snapshot, address: str) -> dict[str, Any]:
    rows = cast("list[dict[str, Any]]", snapshot["assets"].to_dict("records"))
    return next(row for row in rows if row["address"] == address)


def test_words_of_tokens_are_short_printable_text(zoo: Zoo, snapshot: Snapshot) -> None:
    said = {name: asset(snapshot, token) for name, token in zoo.tokens.items()}
    assert said["long"]["symbol"] == ("Name" * 16) and len(said["long"]["name"]) == 256
    assert said["climbing"]["symbol"] == CLIMBING
    assert said["painted"]["symbol"] == said["painted"]["name"] == "[31mREDDER"
    assert said["no text"]["symbol"] == "\ufffd\ufffdBAD\ufffd\ufffd\ufffd"
    assert (said["early"]["symbol"], said["early"]["name"]) == ("EARLY", "Early Token")
    for name in ("empty", "nameless", "reverting", *(f"{length} bytes" for length in (0, 5, 32, 1_000_000))):
        assert said[name]["symbol"] == zoo.tokens[name], name
    for table in snapshot.tables.values():
        for column in table.select_dtypes(include="str"):
            assert all(len(text) < 1000 and text.isprintable() for text in table[column].dropna()), column


def test_decimals_that_are_none_are_said(zoo: Zoo, snapshot: Snapshot) -> None:
    assert asset(snapshot, zoo.tokens["255 decimals"])["decimals"] == 255
    for name in ("endless decimals", "nameless", "reverting", "5 bytes"):
        assert asset(snapshot, zoo.tokens[name])["decimals"] == 0
        assert any(zoo.tokens[name] in gap and "answers no decimals" in gap for gap in snapshot.gaps), name


def test_what_the_others_answer_is_not_harmed(zoo: Zoo, snapshot: Snapshot) -> None:
    """A call that eats all gas or answers a megabyte travels with others in one bundle; those are read as without it."""
    alone = take(zoo.world.url, zoo.world.deployments, "latest")
    for table in ("positions", "reserves", "prices", "markets", "categories", "feeds"):
        assert snapshot[table].equals(alone[table]), table
    mine = {address_of(row) for row in snapshot["pool_assets"]["asset"]}
    assert set(zoo.tokens.values()) <= mine
    [gap] = [gap for gap in snapshot.gaps if "answer no balanceOf" in gap]
    silent = {name for name, token in zoo.tokens.items() if token in gap}
    assert silent == {"reentrant", "0 bytes", "5 bytes"}
    assert [check for check in snapshot.checks if not check.passed] == []


def test_a_snapshot_of_the_zoo_writes_nothing_outside_and_no_code(snapshot: Snapshot, tmp_path: Path) -> None:
    home = tmp_path / "a" / "b" / "c" / "d"
    home.mkdir(parents=True)
    folder = save(snapshot, home / "zoo")
    assert aftershock.load(folder).content_id == snapshot.content_id
    assessed = aftershock.report(snapshot, scenario_names=[aftershock.scenarios()[0].name])
    written = render.write(assessed, home / "report", ["html", "md"])
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and home not in path.parents]
    assert not outside and written
    pages = [path.read_text() for path in home.rglob("*.html")]
    assert pages and not any("<script>alert" in page for page in pages)


def vault_book(world: World, folder: Path, vault: str) -> Path:
    path = folder / "vault.toml"
    entry = f'[[deployments.tokens]]\naddress = "{vault}"\nsymbol = "vANY"\nrole = "erc4626"\n'
    path.write_text(world.deployments.read_text() + entry)
    return path


def test_vaults_out_of_range(devnet_world: World, tmp_path: Path) -> None:
    weth = devnet_world.tokens["WETH"].address
    with devnet_world.undone():
        wide = vault_book(devnet_world, tmp_path, deploy(devnet_world, "AnyVault", weth, 255, 1))
        with pytest.raises(ContractError, match="255 decimals"):
            take(devnet_world.url, wide, "latest")
        deployed = deploy(devnet_world, "AnyVault", weth, 77, 2**256 - 1)
        rich = take(devnet_world.url, vault_book(devnet_world, tmp_path, deployed), "latest")
        [row] = [row for row in rich["backings"].to_dict("records") if deployed in row["claim"]]
        assert row["amount_raw"] == 2**256 - 1 and row["rate_wad"] == (2**256 - 1)
        low = deploy(devnet_world, "AnyDecimals", 0)
        deployed = deploy(devnet_world, "AnyVault", devnet_world.w3.to_checksum_address(low), 0, 2**256 - 1)
        rich = take(devnet_world.url, vault_book(devnet_world, tmp_path, deployed), "latest")
        [row] = [row for row in rich["backings"].to_dict("records") if deployed in row["claim"]]
        assert row["rate_wad"] is None and any("fits no uint256" in gap for gap in rich.gaps)


ROUNDS = {
    "negative": (-5, 1_700_000_000),
    "lowest": (-(2**255), 0),
    "highest, from the end of time": (2**255 - 1, 2**256 - 1),
}


@pytest.mark.parametrize("case", [*ROUNDS, "dead", "gone"])
def test_a_dead_oracle_is_a_gap(devnet_world: World, case: str) -> None:
    """The feed of LINK is replaced: by one with another round, by one that reverts, by nothing. The others are read as before."""
    feed = devnet_world.feeds["LINK"].address
    link = devnet_world.tokens["LINK"].address.lower()
    with devnet_world.undone():
        if case in ROUNDS:
            other = deploy(devnet_world, "AnyRound", *ROUNDS[case])
            source = devnet_world.market.oracle
            asset_ = devnet_world.tokens["LINK"].address
            checked = devnet_world.w3.to_checksum_address(other)
            devnet_world.send(
                "replace", source, "setAssetSources", [asset_], [checked], sender=devnet_world.ledger.deployer
            )
        else:
            devnet_world.node.request("anvil_setCode", feed, "0x60006000fd" if case == "dead" else "0x")
            devnet_world.advance()
        snapshot = take(devnet_world.url, devnet_world.deployments, "latest")
        sources = {address_of(row) for row in snapshot["feeds"]["source"]}
    priced = {address_of(row) for row in snapshot["prices"]["asset"]}
    if case.startswith("highest"):
        assert link in priced and other in sources
    else:
        assert link not in priced and len(priced) == 5
        assert any("no price" in gap and link in gap for gap in snapshot.gaps)
    assert [check for check in snapshot.checks if not check.passed] == []
    try:
        assert aftershock.simulate(snapshot, shocks=["ETH=-20%"]).rounds
    except AftershockError as error:
        assert "LINK" in str(error) or "price" in str(error)


def test_a_paused_pool_and_a_reserve_that_nobody_uses(devnet_world: World) -> None:
    market, deployer = devnet_world.market, devnet_world.ledger.deployer
    with devnet_world.undone():
        token = devnet_world.ledger.deploy(artifact("TestnetERC20"), "Unused", "UNUSED", 18, deployer)
        data = market.pool.functions.getReserveData(devnet_world.tokens["DAI"].address).call()
        codes = [
            "0x" + devnet_world.node.request("eth_getStorageAt", data[slot], IMPLEMENTATION, "latest")[-40:]
            for slot in (8, 10)
        ]
        rates = devnet_world.w3.codec.encode(["(uint16,uint32,uint32,uint32)"], [(9000, 0, 300, 4000)])
        names = ("Aave Unused", "aUNUSED", "Debt Unused", "debtUNUSED")
        to = devnet_world.w3.to_checksum_address
        devnet_world.ledger.call(
            "list",
            market.configurator,
            "initReserves",
            [(to(codes[0]), to(codes[1]), token.address, *names, b"", rates)],
        )
        devnet_world.ledger.call("pause", market.configurator, "setPoolPause(bool)", True)
        devnet_world.ledger.mine()
        snapshot = take(devnet_world.url, devnet_world.deployments, "latest")
    rows = cast("list[dict[str, Any]]", snapshot["reserves"].to_dict("records"))
    assert len(rows) == 7
    [unused] = [row for row in rows if address_of(row["asset"]) == token.address.lower()]
    assert (unused["supplied_stored_raw"], unused["borrowed_stored_raw"], unused["balance_raw"]) == (0, 0, 0)
    assert sum(row["paused"] for row in rows) == 7
    assert any("no price" in gap and token.address.lower() in gap for gap in snapshot.gaps)
    assert [check for check in snapshot.checks if not check.passed] == []
