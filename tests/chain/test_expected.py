"""The estimate of `snapshot --dry` against what the same snapshot then took, and its arithmetic against populations that are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import aftershock.cli
from chain.deployments import read_deployments
from chain.expected import Expected, Sample, expect, expected_kinds
from chain.findings import Findings
from chain.inspection import QUIET_TOPIC
from chain.node.calls import Log
from chain.node.logs import Window, read
from chain.node.range_costs import Allowed, Seen, simulated_questions
from chain.node.resumable import ResumableClient
from chain.node.rpc import Refusal
from chain.reading import describe, in_order, read_one, row_count
from tests.chain.faults.kinds import limited_ranges
from tests.chain.faults.proxy import Exchange, Proxy, Reply, serve
from tests.devnet.world import World, build_world

FACTOR = 2
"""By which calls, rows and bytes may be off where every block was looked at."""


def real_cost(world: World, url: str = "") -> list[Expected]:
    """What reading the world takes, counted while it is read."""
    found_parts = []
    with ResumableClient.connect(url or world.url, "eip155:31337") as client:
        assert isinstance(client, ResumableClient)
        found = Findings(client.pin(world.block_number))
        deployments = in_order(read_deployments(world.deployments))
        for number in range(len(deployments) + 1):
            before = client.tally.calls, client.tally.ranges, row_count(found), client.tally.bytes
            if number < len(deployments):
                read_one(client, deployments[number], found, lambda *_: None)
            else:
                describe(client, found, lambda *_: None)
            after = client.tally.calls, client.tally.ranges, row_count(found), client.tally.bytes
            calls, ranges, rows, size = (new - old for new, old in zip(after, before, strict=True))
            label = f"{deployments[number].protocol} {deployments[number].instance}" if number < 4 else "describe"
            found_parts.append(Expected(label, calls, ranges, 0, rows, size))
    return found_parts


def compare(estimate: list[Expected], real: list[Expected]) -> None:
    assert [part.label for part in estimate] == [part.label for part in real]
    for guess, truth in zip(estimate, real, strict=True):
        for name in ("calls", "rows", "bytes"):
            ours, theirs = getattr(guess, name), getattr(truth, name)
            assert theirs / FACTOR <= ours <= theirs * FACTOR, f"{guess.label} {name}: {ours} for {theirs}"


@pytest.mark.devnet
@pytest.mark.parametrize("accounts", [10, 40, 10_000])
def test_the_estimate_is_near_what_is_asked(devnet_world: World, accounts: int) -> None:
    estimate = expect(devnet_world.url, devnet_world.deployments, devnet_world.block_number, Sample(accounts=accounts))
    real = real_cost(devnet_world)
    compare(list(estimate.parts), real)
    if accounts == 10_000:
        exact = [(part.calls, part.log_requests, part.rows) for part in estimate.parts]
        assert exact == [(part.calls, part.log_requests, part.rows) for part in real]
    else:
        assert estimate.asked_calls < 0.8 * sum(part.calls for part in real)


@pytest.mark.devnet
@pytest.mark.parametrize("blocks", [3, 10, 33, 10**9])
def test_the_requests_for_events_are_near_those_that_are_made(devnet_world: World, blocks: int) -> None:
    """From two fifths of the blocks, on nodes that take so many blocks at once; the real ones counted by a proxy."""
    counted = 0

    def limited(exchange: Exchange) -> Reply | None:
        nonlocal counted
        asked = [each["params"][0]["topics"][0] for each in exchange.questions if each["method"] == "eth_getLogs"]
        counted += len([topic for topic in asked if topic != QUIET_TOPIC])
        return limited_ranges(exchange, blocks, 10**9, "block range is too wide")

    with serve(Proxy([devnet_world.url], [limited])) as proxy:
        estimate = expect(proxy.url, devnet_world.deployments, devnet_world.block_number, Sample(4, 7, 10_000))
        assert estimate.share < 0.5
        counted = 0
        real = real_cost(devnet_world, proxy.url)
    assert sum(part.log_requests for part in real) == counted > 3
    for guess, truth in zip(estimate.parts, real, strict=True):
        assert truth.log_requests / FACTOR <= guess.log_requests <= truth.log_requests * FACTOR, guess.label
    assert counted / FACTOR <= estimate.total.log_requests <= counted * FACTOR


def test_a_limit_of_events_is_between_what_was_given_and_what_was_refused() -> None:
    allowed = Allowed(100)
    allowed.learn(7, 0)
    assert allowed.events == float("inf")
    allowed.learn(16, 4)
    assert allowed.events == 32
    allowed.learn(10, 2.25)
    assert allowed.events == 16  # not 15: sixteen were given


@pytest.mark.parametrize("blocks", [9, 50, 10**9])
@pytest.mark.parametrize("events", [12, 100, 10**9])
def test_simulated_questions_are_those_of_a_read(blocks: int, events: int) -> None:
    """Against `logs.read` on 4,000 blocks with Poisson(0.5) and, from 3,000 on, Poisson(2) events; a tenth of the blocks is seen."""
    counts = np.random.default_rng(5).poisson(np.where(np.arange(4_000) < 3_000, 0.5, 2.0))
    asked = 0

    def node(start: int, end: int) -> list[Log] | Refusal:
        nonlocal asked
        asked += 1
        is_much = end > start and (end - start + 1 > blocks or counts[start : end + 1].sum() > events)
        return Refusal(0, "too much") if is_much else []

    read(node, lambda _: "0x", 0, 3_999, 3_960, window=Window())
    seen = [Seen(start, 50, int(counts[start : start + 50].sum())) for start in range(0, 4_000, 500)]
    guess = simulated_questions(Allowed(blocks, events), seen, 0, 3_999, 3_960, Window())
    assert asked / FACTOR <= guess <= asked * FACTOR
    if events == 10**9:
        assert guess == asked


@pytest.mark.devnet
@pytest.mark.soak
def test_the_estimate_of_a_larger_world_asks_a_fraction() -> None:
    with build_world(accounts=1_500, seed=3) as world:
        estimate, real = expect(world.url, world.deployments, world.block_number), real_cost(world)
        compare(list(estimate.parts), real)
        assert estimate.asked_calls < 0.3 * sum(part.calls for part in real)


@pytest.mark.devnet
def test_dry_writes_nothing_and_says_what_it_would_take(devnet_world: World, tmp_path: Path) -> None:
    common = ["snapshot", "--dry", "--rpc", devnet_world.url, "--deployments", str(devnet_world.deployments)]
    printed = CliRunner().invoke(aftershock.cli.app, [*common, "--out", str(tmp_path / "core")])
    assert printed.exit_code == 0, printed.output
    for words in ("aave-v3 core", "calls", "rows", "kB of answers", "in all"):
        assert words in printed.stdout
    assert not list(tmp_path.iterdir())
    record = json.loads(CliRunner().invoke(aftershock.cli.app, [*common, "--json"]).stdout)
    assert record["parts"][0]["calls"] > 100 and record["share"] == 1


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_the_number_of_kinds_is_near_that_of_a_known_population(share: float) -> None:
    """2,000 accounts, each named Poisson(5) + 1 times; a share of the events is seen."""
    rng = np.random.default_rng(4)
    owners = np.repeat(np.arange(2_000), rng.poisson(5, 2_000) + 1)
    seen = owners[rng.random(len(owners)) < share]
    counts = np.unique(seen, return_counts=True)[1].tolist()
    assert 1_400 <= expected_kinds(counts, share) <= 2_600
    assert expected_kinds(counts, 1.0) == len(counts)
