"""A fork of Aave V3 by configuration alone: a second V3 market, called spark in the address book, read beside the first.

The second market is 3.0.2, of which SparkLend 1.0.0 is a copy; its own contracts were not at hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.contract import Contract

import aftershock
from chain.errors import ContractError, InputError
from chain.readers.proxies import IMPLEMENTATION_SLOT
from chain.reading import take
from chain.snapshot import Snapshot
from tests.devnet.aave_v302 import Aave302, deploy_aave_v302
from tests.devnet.assets import fund, price_sources
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import RESERVES
from tests.devnet.transactions import address_of
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
PEOPLE = 12
SEED = 1_000
"""Tells the entry of the fork from those of the world."""
VARIABLE_RATE = 2


@dataclass(frozen=True)
class Two:
    """The world's own market, the fork, who is in the fork (accounts of the world), and what was read of both."""

    world: World
    spark: Aave302
    people: tuple[str, ...]
    snapshot: Snapshot


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the address book of both markets is written."""
    return tmp_path_factory.mktemp("spark") / "book.toml"


@pytest.fixture(scope="module")
def two(devnet_world: World, book: Path) -> Iterator[Two]:
    world = devnet_world
    with world.undone():
        sources, adapter = price_sources(world.ledger, world.tokens, world.feeds)
        spark = deploy_aave_v302(
            world.ledger, world.tokens, sources, address_of("spark treasury"), str(adapter.address)
        )
        people = tuple(account.address for account in world.accounts[:PEOPLE])
        _live(world, spark, people)
        roles = {
            "pool_addresses_provider": spark.provider,
            "pool": spark.pool,
            "pool_data_provider": spark.data_provider,
            "oracle": spark.oracle,
        }
        entry = [
            *entry_lines(SEED, "spark", "main", "aave_v3"),
            *address_lines({k: v.address for k, v in roles.items()}),
        ]
        book.write_text("\n".join([world.deployments.read_text(), *entry]))
        yield Two(world, spark, people, take(world.url, book, "latest", "two"))


def _live(world: World, spark: Aave302, people: tuple[str, ...]) -> None:
    """Each supplies ether; every second one owes USDC at a variable rate, for twenty days."""
    ledger, tokens = world.ledger, world.tokens
    for symbol, whole in (("WETH", 10 * PEOPLE), ("USDC", 500_000)):
        amount = whole * 10 ** RESERVES[symbol].decimals
        fund(ledger, tokens, symbol, amount)
        ledger.call("approve", tokens[symbol], "approve", spark.pool.address, amount)
    usdc, ether = tokens["USDC"].address, tokens["WETH"].address
    ledger.call("lend", spark.pool, "supply", usdc, 500_000 * 10**6, ledger.deployer, 0)
    for number, who in enumerate(people):
        ledger.call("supply", spark.pool, "supply", ether, 10**19 - number, who, 0)
        if number % 2:
            order = (usdc, (3_000 + 517 * number) * 10**6, VARIABLE_RATE, 0, who)
            ledger.call("borrow", spark.pool, "borrow", *order, sender=who)
    ledger.mine()
    ledger.node.mine(20 * 86_400)


def _totals(pool: Contract, names: set[str]) -> tuple[float, float]:
    """Collateral and debt of accounts in USD, by the pool."""
    answers = [pool.functions.getUserAccountData(Web3.to_checksum_address(name)).call() for name in names]
    return sum(one[0] for one in answers) / 1e8, sum(one[1] for one in answers) / 1e8


def _rows(snapshot: Snapshot, table: str) -> list[Any]:
    return list(snapshot[table].itertuples(index=False))


def test_both_are_read_by_one_reader_and_agree_with_their_contracts(two: Two) -> None:
    assert all(check.passed for check in two.snapshot.checks)
    found = {row.protocol: (row.market, row.revision) for row in _rows(two.snapshot, "markets")}
    assert {name: revision for name, (_, revision) in found.items()} == {"aave-v3": 10, "spark": 1}
    assert found["spark"][0] == f"eip155:31337:spark/{two.spark.pool.address.lower()}"
    assert (
        dict.fromkeys(("aave-v3", "spark"), "lending").items()
        <= {row.protocol: row.kind for row in _rows(two.snapshot, "protocols")}.items()
    )
    assert set(two.snapshot.readers) >= {"aave_v3"} and "spark" not in two.snapshot.readers
    held = {row.position_id for row in _rows(two.snapshot, "positions") if row.market == found["spark"][0]}
    assert {who.lower() for who in two.people} < held


def test_each_shows_its_own_exposure(two: Two) -> None:
    for name, pool in (("spark", two.spark.pool), ("aave-v3", two.world.pool)):
        [market] = [row.market for row in _rows(two.snapshot, "markets") if row.protocol == name]
        names = {row.position_id for row in _rows(two.snapshot, "positions") if row.market == market}
        collateral, debt = _totals(pool, names)
        figures = aftershock.exposure(two.snapshot, name).figures
        assert figures["collateral_usd"] == pytest.approx(collateral, rel=1e-9)
        assert figures["borrowed_usd"] == pytest.approx(debt, rel=1e-6)


def test_an_account_is_seen_in_both(two: Two) -> None:
    who = two.people[1]
    supplied = sum(_totals(pool, {who})[0] for pool in (two.spark.pool, two.world.pool))
    answer = aftershock.exposure(two.snapshot, who.lower())
    markets = {row.market for row in _rows(two.snapshot, "positions") if row.position_id == who.lower()}
    assert len(markets) == 2
    assert answer.figures["supplied_usd"] == pytest.approx(supplied, rel=1e-9)


def test_a_fork_that_counts_on_its_own_is_read_as_what_the_book_says(two: Two, book: Path, tmp_path: Path) -> None:
    """SparkLend's pool was upgraded three times since it reported 1; Aave's own 4 is another version (3.1)."""
    entry = f'source = "tests/devnet world, seed {SEED}"\n'
    stated = tmp_path / "book.toml"
    stated.write_text(book.read_text().replace(entry, entry + "like_revision = 1\n"))
    with two.world.undone():
        _report(two.world, two.spark.pool, 4)
        with pytest.raises(ContractError, match=r"POOL_REVISION 4; this reader knows 1, 8, 9, 10 .* like_revision"):
            take(two.world.url, book, "latest")
        taken = take(two.world.url, stated, "latest")
    assert all(check.passed for check in taken.checks)
    assert {row.protocol: row.revision for row in _rows(taken, "markets")} == {"aave-v3": 10, "spark": 1}
    assert len(taken["categories"]) == len(two.snapshot["categories"]) > 2
    [gap] = [gap for gap in taken.gaps if "copy of Aave" in gap]
    assert gap.startswith("spark main: the pool reports POOL_REVISION 4 and is read as a copy of Aave's 1")
    assert len(taken["positions"]) == len(two.snapshot["positions"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("like_revision = 4", "POOL_REVISION 1 and is read as a copy of Aave's 4; this reader knows"),
        ('like_revision = "one"', "like_revision is 'one'; give a whole number"),
    ],
)
def test_a_stated_revision_must_be_one_that_is_known(
    two: Two, book: Path, tmp_path: Path, line: str, words: str
) -> None:
    entry = f'source = "tests/devnet world, seed {SEED}"\n'
    stated = tmp_path / "book.toml"
    stated.write_text(book.read_text().replace(entry, f"{entry}{line}\n"))
    with pytest.raises((ContractError, InputError), match=words):
        take(two.world.url, stated, "latest")


def _report(world: World, pool: Contract, revision: int) -> None:
    """Let a pool report another revision: its code moves aside, and what is in its place answers POOL_REVISION and passes on the rest."""
    slot = world.node.request("eth_getStorageAt", pool.address, IMPLEMENTATION_SLOT, "latest")
    code, aside = "0x" + slot[-40:], address_of("the pool's own code")
    world.node.request("anvil_setCode", aside, world.node.request("eth_getCode", code, "latest"))
    selector = Web3.keccak(text="POOL_REVISION()")[:4].hex()
    is_asked = f"60003560e01c63{selector}14604257"  # 15 bytes; to byte 66 if it is POOL_REVISION
    pass_on = f"366000803760008036600073{aside[2:]}5af43d6000803e603d573d6000fd5b3d6000f3"  # 51 bytes
    answer = f"5b60{revision:02x}60005260206000f3"
    world.node.request("anvil_setCode", Web3.to_checksum_address(code), "0x" + is_asked + pass_on + answer)
