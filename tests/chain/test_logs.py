"""Events in ranges: against the full list that the real node gives in one answer, whatever it refuses, and whatever is reorganised."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.errors import BlockError, NodeError
from chain.node.calls import Log
from chain.node.logs import Ranges, Window, of_contracts, read
from chain.node.rpc import Refusal
from chain.node.unfinished import KeptRanges
from tests.chain.logs_chain import BURST, TRANSFER, EventChain, Moody, StoppedError, event_chain

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def chain() -> Iterator[EventChain]:
    with event_chain() as running:
        yield running


@settings(max_examples=40, deadline=None)
@given(
    blocks=st.integers(1, 300),
    events=st.integers(BURST, 300),
    first=st.integers(0, 60),
    short=st.integers(0, 60),
    width=st.integers(1, 500),
)
def test_limits_leave_no_gap_and_no_double(
    chain: EventChain, blocks: int, events: int, first: int, short: int, width: int
) -> None:
    last = chain.head - short
    ranges = Ranges()
    found = read(Moody(chain, blocks, events), chain.hash_of, first, last, chain.final, ranges, Window(width))
    assert found == chain.logs(first, last)
    assert [r.first for r in ranges.kept] == [first] + [r.last + 1 for r in ranges.kept[:-1]]
    assert ranges.kept[-1].last == last


@st.composite
def moods(draw: st.DrawFn) -> list[tuple[str, int, list[int]]]:
    """What happens at the first questions; a reorganisation gives at least as many new blocks as it takes."""
    found = []
    for mood in draw(st.lists(st.sampled_from(["", "late", "stop", "before", "after", "after"]), max_size=14)):
        depth = draw(st.integers(1, 12) | st.just(12))
        found.append((mood, depth, draw(st.lists(st.integers(0, 2), min_size=depth, max_size=depth + 2))))
    return found


def _survives(chain: EventChain, folder: Path, seed: int, blocks: int, plan: list[tuple[str, int, list[int]]]) -> None:
    """Read through everything that happens, starting again after each stop, and compare with the chain as it is at the end."""
    chain.young_again(seed)
    first, last, file = chain.final - 6, chain.head, folder / "events.jsonl"
    file.unlink(missing_ok=True)
    node = Moody(chain, blocks, 100, list(plan))
    while True:
        ranges = KeptRanges(file)
        try:
            found = read(node, chain.hash_of, first, last, chain.final, ranges, Window(blocks))
            break
        except (StoppedError, NodeError):  # the process ended, or a single block was late: the next run goes on
            continue
        finally:
            ranges.close()
    assert found == chain.logs(first, last)
    assert ranges.kept[-1].last_hash == chain.hash_of(last)
    again = KeptRanges(file)
    again.close()
    assert again.kept == ranges.kept


CALM = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@CALM
@given(seed=st.integers(0, 10**6), blocks=st.integers(1, 12), plan=moods())
def test_stops_and_reorganisations_leave_what_the_chain_holds(
    chain: EventChain, tmp_path: Path, seed: int, blocks: int, plan: list[tuple[str, int, list[int]]]
) -> None:
    _survives(chain, tmp_path, seed, blocks, plan)


@pytest.mark.verify
@settings(CALM, max_examples=150)
@given(seed=st.integers(0, 10**6), blocks=st.integers(1, 12), plan=moods())
def test_many_stops_and_reorganisations(
    chain: EventChain, tmp_path: Path, seed: int, blocks: int, plan: list[tuple[str, int, list[int]]]
) -> None:
    _survives(chain, tmp_path, seed, blocks, plan)


def test_a_reorganisation_at_any_question_is_seen(chain: EventChain) -> None:
    """Ten blocks are replaced just before or just after each single question of a read, about events or hashes, one read each."""
    first, width, asked = chain.final + 1, 4, 0

    def moody(moment: float, question: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*numbers: int) -> Any:
            nonlocal asked
            asked += 1
            if asked - 0.5 == moment:
                chain.replace(10, [1] * 10)
            answer = question(*numbers)
            if asked == moment:
                chain.replace(10, [1] * 10)
            return answer

        return ask

    for half in range(1, 30):
        chain.young_again(half)
        last, asked = chain.head, 0
        hash_of = moody(half / 2, chain.hash_of)
        ranges = Ranges()
        found = read(moody(half / 2, chain.logs), hash_of, first, last, chain.final, ranges, Window(width))
        if ranges.kept[-1].last_hash == chain.hash_of(last):  # else it came after the last look, which `confirm` takes
            assert found == chain.logs(first, last), f"at question {half / 2}"
    assert asked >= 10


def test_a_read_goes_on_after_the_last_whole_range(chain: EventChain, tmp_path: Path) -> None:
    last = chain.head
    calm: tuple[str, int, list[int]] = ("", 0, [])
    node = Moody(chain, 40, 100, [*[calm] * 6, ("stop", 0, [])])
    ranges = KeptRanges(tmp_path / "events")
    with pytest.raises(StoppedError):
        read(node, chain.hash_of, 0, last, chain.final, ranges, Window(40))
    ranges.close()
    reached, asked = ranges.kept[-1].last, len(node.asked)
    assert reached > 30
    assert read(node, chain.hash_of, 0, last, chain.final, KeptRanges(tmp_path / "events"), Window(40)) == chain.logs(
        0, last
    )
    assert min(first for first, _, _ in node.asked[asked:]) == reached + 1


def test_a_reorganisation_between_runs_takes_back_what_it_touched_only(chain: EventChain) -> None:
    chain.young_again(5)
    ranges = Ranges()
    read(Moody(chain, 6), chain.hash_of, 0, chain.head, chain.final, ranges, Window(6))
    chain.replace(7, [1] * 7)
    again = Moody(chain, 6)
    found = read(again, chain.hash_of, 0, chain.head, chain.final, ranges, Window(6))
    assert found == chain.logs(0, chain.head)
    assert chain.head - 7 - 6 < again.asked[0][0] <= chain.head - 6


def test_a_reorganisation_of_what_was_taken_as_final_is_taken_back_between_runs(chain: EventChain) -> None:
    """Where no question after it looks at the ranges before it, the first look has to find every range that is gone."""
    chain.young_again(6)
    ranges = Ranges()
    read(Moody(chain, 2), chain.hash_of, chain.final - 9, chain.head, chain.head, ranges, Window(2))
    chain.replace(9, [1] * 10)
    found = read(Moody(chain, 2), chain.hash_of, chain.final - 9, chain.head, chain.head, ranges, Window(2))
    assert found == chain.logs(chain.final - 9, chain.head)


def test_what_is_final_is_not_read_again(chain: EventChain) -> None:
    """One question may be about final blocks and others, no range holds both: a reorganisation after the final one costs no old event."""
    chain.young_again(7)
    ranges, once, again = Ranges(), Moody(chain), Moody(chain)
    read(once, chain.hash_of, 0, chain.head, chain.final, ranges)
    assert once.asked == [(0, chain.head, True)]
    assert [(one.first, one.last, one.last_hash) for one in ranges.kept] == [
        (0, chain.final, chain.hash_of(chain.final)),
        (chain.final + 1, chain.head, chain.hash_of(chain.head)),
    ]
    chain.young_again(8)
    assert read(again, chain.hash_of, 0, chain.head, chain.final, ranges) == chain.logs(0, chain.head)
    assert [first for first, _, _ in again.asked] == [chain.final + 1]


def test_the_width_settles_at_the_limit_and_grows_when_it_goes() -> None:
    window, refused = Window(10_000), 0
    for _ in range(500):
        if window.width > 40:
            window.refused(window.width)
            refused += 1
        else:
            window.answered(window.width)
    assert 36 <= window.width <= 40 or window.width == 80
    assert refused <= 25
    for _ in range(700):
        window.answered(window.width)
    assert window.width > 10**6


def test_one_full_block_is_asked_contract_by_contract(chain: EventChain) -> None:
    def narrow(addresses: Sequence[str], topics: Sequence[str], first: int, last: int) -> Sequence[Log] | Refusal:
        assert list(topics) == [TRANSFER]
        logs = [log for log in chain.logs(first, last) if log.address in addresses]
        return logs if len(logs) <= BURST // 2 + 1 else Refusal(-32005, "more than the node allows")

    ask = of_contracts(narrow, chain.addresses, [TRANSFER])
    assert read(ask, chain.hash_of, 0, chain.final, chain.final) == chain.logs(0, chain.final)


@pytest.mark.parametrize("events", [0, BURST - 1])
def test_a_block_that_is_always_refused_is_named(chain: EventChain, events: int) -> None:
    with pytest.raises(NodeError, match=r"refuses the events of block \d+ alone"):
        read(Moody(chain, 40, events), chain.hash_of, 0, chain.head, chain.final)


def test_a_block_that_the_node_lacks_is_named(chain: EventChain) -> None:
    with pytest.raises(NodeError, match=f"does not have block {chain.head + 5}"):
        read(Moody(chain), chain.hash_of, 0, chain.head + 5, chain.head + 5)


def test_a_chain_that_never_rests_is_given_up(chain: EventChain) -> None:
    chain.young_again(9)
    restless = [("after", 3, [1, 2, 1]) for _ in range(60)]
    with pytest.raises(BlockError, match="reorganised"):
        read(Moody(chain, 40, 300, restless), chain.hash_of, 0, chain.head, chain.final)


def test_events_of_other_blocks_are_refused(chain: EventChain) -> None:
    with pytest.raises(NodeError, match="with an event of block"):
        read(lambda first, last: chain.logs(first, last + 30), chain.hash_of, 0, 20, 20)
