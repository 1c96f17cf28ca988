"""Prices that stand still, found by what they do: against contracts whose code says what they are."""

from collections.abc import Iterator
from typing import Any

import pytest

from chain.readers.price_behaviour import Look, judged
from chain.reading import take
from chain.snapshot import Snapshot
from tests.chain.picky_node import Whims, picky
from tests.devnet.quiet_prices import QuietPrices, quiet_prices
from tests.devnet.world import World

devnet = pytest.mark.devnet
BY_CODE = "reads no storage and no other contract (eth_createAccessList)"
STATES = {
    "live": "live",
    "constant": "hard_coded",
    "stored": "hard_coded",
    "bare": "hard_coded",
    "time": "unknown",
    "passing": "unknown",
    "made_up": "hard_coded",
    "stopped": "stale",
    "rate": "unknown",
}


@pytest.fixture(scope="module")
def quiet(devnet_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuietPrices]:
    with quiet_prices(devnet_world, tmp_path_factory.mktemp("quiet")) as made:
        yield made


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, quiet: QuietPrices) -> Snapshot:
    taken = take(devnet_world.url, quiet.book, "latest")
    assert {check.name: check.failures for check in taken.checks if not check.passed} == {}
    return taken


def last_step(snapshot: Snapshot, quiet: QuietPrices, name: str) -> dict[str, Any]:
    source = f"eip155:31337:{quiet.oracles[name].address.lower()}"
    rows = [row for row in snapshot["feeds"].to_dict("records") if row["source"] == source]
    return {str(key): value for key, value in max(rows, key=lambda row: row["step"]).items()}


@devnet
@pytest.mark.parametrize("name", STATES)
def test_the_state_is_what_the_code_says(snapshot: Snapshot, quiet: QuietPrices, name: str) -> None:
    assert last_step(snapshot, quiet, name)["state"] == STATES[name]


@devnet
def test_every_finding_says_what_it_rests_on(snapshot: Snapshot, quiet: QuietPrices) -> None:
    evidence = {name: last_step(snapshot, quiet, name)["evidence"] for name in STATES}
    assert all((BY_CODE in evidence[name]) == (name in ("constant", "made_up")) for name in STATES)
    assert "while what it prices moved by -5.0 %" in evidence["stored"]
    assert "the same round and" in evidence["stopped"] and "no vault and no feed" in evidence["bare"]
    bare = last_step(snapshot, quiet, "bare")
    assert (bare["kind"], bare["value_raw"]) == ("fixed", quiet.oracles["bare"].functions.price().call())


@devnet
def test_a_node_without_access_lists_leaves_the_answers_before(devnet_world: World, quiet: QuietPrices) -> None:
    with picky(devnet_world.url, Whims(refuse={"eth_createAccessList": "the method does not exist"})) as url:
        taken = take(url, quiet.book, "latest")
    found = {name: last_step(taken, quiet, name) for name in STATES}
    assert {name: row["state"] for name, row in found.items()} == STATES, "all were still while ether moved"
    assert not any(BY_CODE in row["evidence"] for row in found.values())
    assert "it names no time of publication" in found["made_up"]["evidence"]


@devnet
def test_without_a_move_only_the_code_tells(devnet_world: World, quiet: QuietPrices) -> None:
    world = devnet_world
    with world.undone():
        world.node.request("anvil_mine", hex(110))
        taken = take(world.url, quiet.book, "latest")
    assert last_step(taken, quiet, "stored")["state"] == "unknown"
    assert last_step(taken, quiet, "constant")["state"] == "hard_coded"


def look(**more: Any) -> Look:
    return Look(**{"now": 5, "before": {10: 5}, "time_now": None, "times": {10: None}, "reads": 3, **more})


@pytest.mark.parametrize(
    ("seen", "moved", "state"),
    [
        (look(), (10, -0.02), "hard_coded"),
        (look(), (10, 0.0199), "unknown"),
        (look(), None, "unknown"),
        (look(), (9, -0.5), "unknown"),
        (look(reads=0), None, "hard_coded"),
        (look(reads=None), None, "unknown"),
        (look(reads=0, before={}), None, "unknown"),
        (look(reads=0, before={10: 5, 20: 6}), (10, 0.5), "unknown"),
        (look(time_now=900, times={10: 900}), (10, 0.1), "stale"),
        (look(time_now=500, times={10: 500}), (10, 0.1), "stale"),
        (look(time_now=0, times={10: 0}), (10, 0.1), "hard_coded"),
        (look(time_now=1_000, times={10: 1_000}), (10, 0.1), "hard_coded"),
        (look(time_now=1_000, times={10: 500}), (10, 0.1), "hard_coded"),
        (look(time_now=950, times={10: 400}), (10, 0.1), "hard_coded"),
    ],
)
def test_what_a_look_shows_by_hand(seen: Look, moved: tuple[int, float] | None, state: str) -> None:
    """The pinned block is of 1,000 s."""
    assert judged(seen, moved, 1_000)[0] == state
