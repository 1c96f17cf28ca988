"""Rounds, phases and staleness against Chainlink's own proxy (EACAggregatorProxy), asked through plain web3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from chain.reading import take
from chain.snapshot import Snapshot
from tests.devnet.contracts import artifact, chainlink_proxy
from tests.devnet.market import raw_price
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
ZERO_ADDRESS = "0x" + "0" * 40


@pytest.fixture
def proxy(devnet_world: World) -> Iterator[Contract]:
    """A proxy in front of the world's ether feed; taken back after each test."""
    with devnet_world.undone():
        yield devnet_world.ledger.deploy(chainlink_proxy(), devnet_world.feeds["ETH"].address, ZERO_ADDRESS)


def row(world: World, proxy: Contract, folder: Path) -> dict[str, Any]:
    """The feeds row of the proxy, which the address book names in place of the ether feed."""
    book = folder / "proxy.toml"
    book.write_text(world.deployments.read_text().replace(world.feeds["ETH"].address, proxy.address))
    taken: Snapshot = take(world.url, book, "latest")
    assert [check.name for check in taken.checks if not check.passed] == []
    [found] = [
        one for one in taken["feeds"].to_dict("records") if one["source"] == f"eip155:31337:{proxy.address.lower()}"
    ]
    return {str(name): value for name, value in found.items()}


def test_the_round_of_a_proxy_has_its_phase(devnet_world: World, proxy: Contract, tmp_path: Path) -> None:
    found, answer = row(devnet_world, proxy, tmp_path), proxy.functions.latestRoundData().call()
    inner = devnet_world.feeds["ETH"].functions.latestRound().call()
    assert (found["round_raw"], found["value_raw"], found["updated_at"]) == (answer[0], answer[1], answer[3])
    assert (found["phase"], found["round_raw"] - 2**64) == (proxy.functions.phaseId().call(), inner) and inner > 1
    assert (found["kind"], found["state"], found["heartbeat_seconds"]) == ("feed", "live", 3600)


def test_a_replaced_aggregator_is_a_new_phase(devnet_world: World, proxy: Contract, tmp_path: Path) -> None:
    deployer = devnet_world.ledger.deployer
    successor = devnet_world.ledger.deploy(artifact("MockV3Aggregator"), 8, raw_price(1_999.0))
    devnet_world.send("propose", proxy, "proposeAggregator", successor.address, sender=deployer)
    devnet_world.send("confirm", proxy, "confirmAggregator", successor.address, sender=deployer)
    found = row(devnet_world, proxy, tmp_path)
    assert (found["phase"], found["round_raw"], found["value_raw"]) == (2, 2 * 2**64 + 1, raw_price(1_999.0))
    assert found["round_raw"] == proxy.functions.latestRoundData().call()[0]


@pytest.mark.parametrize(("seconds", "state"), [(0, "live"), (1, "stale")])
def test_a_feed_is_stale_from_one_second_beyond_its_heartbeat(
    devnet_world: World, proxy: Contract, tmp_path: Path, seconds: int, state: str
) -> None:
    updated = proxy.functions.latestRoundData().call()[3]
    devnet_world.advance(updated + 3600 + seconds - devnet_world.w3.eth.get_block("latest")["timestamp"])
    assert row(devnet_world, proxy, tmp_path)["state"] == state
