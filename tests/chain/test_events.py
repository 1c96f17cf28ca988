"""Events that a node leaves out: found by the sums of the protocol or by asking twice, read again of another node, or a named error."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import aftershock
from chain.errors import NodeError
from chain.node.calls import event_topic
from chain.node.client import Client
from chain.node.events import MOST_READINGS
from chain.node.pacing import Manners
from chain.node.resumable import ResumableClient
from chain.reading import take, unfinished_read
from chain.snapshot import Snapshot
from tests.chain.faults.proxy import Exchange, Proxy, Reply, serve
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
LOCAL = "eip155:31337"
TRANSFER = event_topic("Transfer(address,address,uint256)")


@dataclass
class Forgetful:
    """Leaves events out of its answers: the first so many questions each one more, then always as many as at last; counts them."""

    lost: Sequence[int]
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, exchange: Exchange) -> Reply | None:
        """The node's answer without the newest events."""
        if "eth_getLogs" not in exchange.methods:
            return None
        answers = exchange.answers()
        for question, answer in zip(exchange.questions, answers, strict=True):
            if question["method"] == "eth_getLogs" and "result" in answer:
                [query] = question["params"]
                lost = self.lost[min(len(self.asked), len(self.lost) - 1)]
                self.asked.append((int(query["fromBlock"], 16), int(query["toBlock"], 16)))
                answer["result"] = answer["result"][: max(len(answer["result"]) - lost, 0)]
        return exchange.reply(answers)


@contextmanager
def before(world: World, *nodes: Forgetful) -> Iterator[str]:
    """Addresses of proxies before the world's node, each with a memory of its own."""
    with ExitStack() as stack:
        yield ",".join(stack.enter_context(serve(Proxy([world.url], [node]))).url for node in nodes)


@pytest.fixture(scope="module")
def whole(devnet_world: World) -> Snapshot:
    return take(devnet_world.url, devnet_world.deployments, devnet_world.block_number)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSHOCK_CACHE", "off")


def failed(snapshot: Snapshot) -> list[str]:
    return [check.name for check in snapshot.checks if not check.passed]


@pytest.mark.parametrize("lost", [[3, 0], [5, 5, 4, 0], [0, 0, 40, 0]])
def test_events_that_were_left_out_are_read_again(devnet_world: World, whole: Snapshot, lost: list[int]) -> None:
    with before(devnet_world, Forgetful(lost)) as url:
        assert take(url, devnet_world.deployments, devnet_world.block_number).content_id == whole.content_id


def test_the_other_node_is_asked_when_events_are_in_doubt(devnet_world: World, whole: Snapshot) -> None:
    """The first one leaves out the same events always; so the second has to answer, with every range."""
    bad, good = Forgetful([7]), Forgetful([0])
    with before(devnet_world, bad, good) as url:
        assert take(url, devnet_world.deployments, devnet_world.block_number).content_id == whole.content_id
    assert set(good.asked) == set(bad.asked)
    assert good.asked


def test_a_difference_that_stands_is_a_failed_check(devnet_world: World) -> None:
    """All nodes leave out the same: as if the protocol did not add up. Read twice, not more, and said."""
    sound, node = Forgetful([0]), Forgetful([7])
    with before(devnet_world, sound) as url:
        take(url, devnet_world.deployments, devnet_world.block_number)
    with before(devnet_world, node) as url:
        taken = take(url, devnet_world.deployments, devnet_world.block_number)
    assert "stored supply adds up to scaledTotalSupply" in failed(taken)
    assert node.asked == sound.asked * 2


def test_a_node_that_changes_its_mind_is_named_and_nothing_of_it_is_kept(
    devnet_world: World, whole: Snapshot, tmp_path: Path
) -> None:
    said: list[str] = []
    with (
        before(devnet_world, Forgetful(range(4, 400))) as url,
        pytest.raises(NodeError, match="gave other events in 4 readings"),
    ):
        aftershock.snapshot(devnet_world.deployments, url, None, tmp_path / "core", lambda *step: said.append(step[0]))
    left = tmp_path / "incomplete_core"
    assert said.count("events") == MOST_READINGS - 1
    assert left.is_dir() and not (tmp_path / "core").exists() and not list(left.glob("events_*"))
    taken = aftershock.snapshot(devnet_world.deployments, devnet_world.url, None, tmp_path / "core")
    assert taken.content_id == whole.content_id and not left.exists()


def test_ranges_that_an_earlier_run_kept_are_doubted_too(devnet_world: World, whole: Snapshot, tmp_path: Path) -> None:
    """The first run takes in lossy answers and is stopped before it can compare."""

    def stop(*step: object) -> None:
        if step[0] == "describe":
            raise KeyboardInterrupt

    with before(devnet_world, Forgetful([9])) as url, pytest.raises(KeyboardInterrupt):
        aftershock.snapshot(devnet_world.deployments, url, None, tmp_path / "core", stop)
    assert list((tmp_path / "incomplete_core").glob("events_*"))
    taken = aftershock.snapshot(devnet_world.deployments, devnet_world.url, None, tmp_path / "core")
    assert taken.content_id == whole.content_id and not failed(taken)


def test_what_the_cache_holds_is_no_second_opinion(devnet_world: World, whole: Snapshot, tmp_path: Path) -> None:
    manners = Manners(0, cache=tmp_path, keeps_recent=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chain.node.client.manners_from", lambda _: manners)
        with before(devnet_world, Forgetful([7])) as url:
            assert failed(take(url, devnet_world.deployments, devnet_world.block_number))
        taken = take(devnet_world.url, devnet_world.deployments, devnet_world.block_number)
    assert taken.content_id == whole.content_id


def asked_twice(url: str, world: World, patch: pytest.MonkeyPatch) -> int:
    """How many transfers of a token the client gives when no sum vouches for them."""
    patch.setattr("chain.node.pacing.FIRST_WAIT_SECONDS", 0.002)
    with Client.connect(url, LOCAL, Manners(0)) as client:
        client.pin(world.block_number)
        token = world.tokens["USDC"].address.lower()
        return len(client.logs([token], TRANSFER, 1, world.block_number, has_no_sum=True))


def test_events_without_a_sum_are_asked_until_three_readings_agree(
    devnet_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reading is one question: the blocks up to the last final one travel with those after it."""
    every = asked_twice(devnet_world.url, devnet_world, monkeypatch)
    assert every > 20
    for lost, questions in (([0], 3), ([5, 0], 4), ([5, 5, 0], 5), ([0, 5, 0], 4)):
        node = Forgetful(lost)
        with before(devnet_world, node) as url:
            assert asked_twice(url, devnet_world, monkeypatch) == every
        assert len(node.asked) == questions
    with (
        before(devnet_world, Forgetful(range(1, 99))) as url,
        pytest.raises(NodeError, match="other events in 6 readings"),
    ):
        asked_twice(url, devnet_world, monkeypatch)


def test_of_two_nodes_the_one_that_knows_more_is_believed(devnet_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that leaves out the same events each time agrees with itself first; the other one knows of events that it does not."""
    every = asked_twice(devnet_world.url, devnet_world, monkeypatch)
    for nodes in ((Forgetful([5]), Forgetful([0])), (Forgetful([0]), Forgetful([5]))):
        with before(devnet_world, *nodes) as url:
            assert asked_twice(url, devnet_world, monkeypatch) == every


def test_ranges_that_a_second_reading_belies_are_not_kept(devnet_world: World, tmp_path: Path) -> None:
    """On disk there is either what two readings agreed on first, or nothing: never the reading that was belied."""
    token = devnet_world.tokens["USDC"].address.lower()
    for lost, kept in (([0], True), ([5, 0], False), (range(1, 99), False)):
        with (
            before(devnet_world, Forgetful(lost)) as url,
            ResumableClient.connect(url, LOCAL, Manners(0)) as client,
            unfinished_read(tmp_path / "core", devnet_world.deployments, None) as unfinished,
        ):
            assert isinstance(client, ResumableClient)
            client.pin(devnet_world.block_number)
            client.resume(unfinished)
            with suppress(NodeError):
                client.logs([token], TRANSFER, 1, devnet_world.block_number, has_no_sum=True)
            assert any(path.stat().st_size for path in unfinished.folder.glob("events_*")) == kept
            unfinished.remove()
