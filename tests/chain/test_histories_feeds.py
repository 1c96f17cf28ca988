"""Histories of a feed that went through two aggregators and of two governors, against receipts and the contracts' own words."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.histories.events import event
from chain.histories.governor import title
from chain.histories.reading import grow
from chain.node.calls import event_topic
from tests.chain.history_receipts import (
    Lived,
    at,
    hashes,
    lag_blocks,
    read,
    rows,
    same_places,
    told,
)
from tests.devnet import flux, governance
from tests.devnet.availability import require_devnet
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def ruled(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Lived, flux.Flux, tuple[governance.Governor, ...], dict[str, Any]]]:
    """A feed that went through two aggregators, and two governors that each executed a proposal and cancelled one."""
    require_devnet()
    folder = tmp_path_factory.mktemp("ruled")
    with Node() as node:
        ledger = Ledger(node, node.w3.eth.accounts[0])
        feed = flux.deploy(ledger)
        for answer in (2_000 * 10**8, 2_010 * 10**8):
            feed.submit(answer)
        feed.next_aggregator([1_999 * 10**8, 1_998 * 10**8])
        feed.submit(1_990 * 10**8)
        feed.submit(2_500 * 10**8, phase=1)  # the old one goes on
        done: dict[str, Any] = {}
        governors = (governance.deploy_openzeppelin(ledger), governance.deploy_bravo(ledger))
        for number, one in enumerate(governors):
            call: governance.Call = (one.timelock, "setDelay" if one.is_bravo else "updateDelay", [5 * 86_400])
            words = "\n## Longer wait\n\nThree days more."
            passed = one.propose(words, call)
            done[f"passed {number}"] = (passed, one.pass_through(passed, words, call))
            done[f"dropped {number}"] = one.propose("Not this", call)
            one.cancel(done[f"dropped {number}"], "Not this", call)
        feed.submit(2_001 * 10**8)
        lines = [
            *entry_lines(0, "chainlink", "feeds", "chainlink"),
            "[[deployments.feeds]]",
            f'address = "{feed.proxy.address}"',
        ]
        lines += ['pair = "ETH / USD"', "heartbeat_seconds = 3600", "deviation_bps = 50", ""]
        for one, name in zip(governors, ("openzeppelin", "bravo"), strict=True):
            lines += [
                *entry_lines(0, f"{name}-dao", "governor", "governor"),
                *address_lines({"governor": str(one.contract.address)}),
            ]
        (folder / "book.toml").write_text("\n".join(lines))
        head = int(node.request("eth_blockNumber"), 16)
        grown = grow(node.url, folder / "book.toml", folder / "past", 1, head)
        events = tuple(told(node, [*feed.aggregators, *(one.contract for one in governors)]))
        yield Lived(node, folder / "book.toml", folder / "past", grown, events, head), feed, governors, done


Ruled = tuple[Lived, flux.Flux, tuple[governance.Governor, ...], dict[str, Any]]


def test_rounds_of_a_feed_are_what_its_proxy_answers(ruled: Ruled) -> None:
    lived, feed, _, _ = ruled
    found = rows(lived.folder, "observations")
    same_places(found, lived.of("AnswerUpdated"))
    assert len(found) == 7 and {row["source"] for row in found.values()} == {at(str(feed.proxy.address))}
    for row in found.values():
        number, answer, _, updated_at, _ = feed.proxy.functions.getRoundData(int(row["round"])).call()
        assert (row["round"], row["value_raw"], row["updated_at"], row["decimals"]) == (
            str(number),
            answer,
            updated_at,
            8,
        )
    assert {int(row["round"]) >> 64 for row in found.values()} == {1, 2}


def test_an_aggregator_that_comes_later_is_read_from_the_beginning(
    ruled: Ruled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first rounds are older than its phase: while the proxy does not know it they are not there, afterwards they are."""
    lived, feed, _, _ = ruled
    second = [one for one in lived.of("AnswerUpdated") if one.address == str(feed.aggregators[1].address).lower()]
    folder = tmp_path / "past"
    lag_blocks(monkeypatch, lived.head - second[0].block)
    assert grow(lived.node.url, lived.book, folder, 1).rows["observations"] == 2
    monkeypatch.undo()
    grow(lived.node.url, lived.book, folder, 1, lived.head)
    assert hashes(folder) == hashes(lived.folder)


def test_proposals_are_what_the_governors_say(ruled: Ruled) -> None:
    lived, _, governors, done = ruled
    frame = read(lived.folder, "proposals")
    same_places(
        rows(lived.folder, "proposals"),
        lived.of("ProposalCreated", "ProposalQueued", "ProposalExecuted", "ProposalCanceled"),
    )
    for number, one in enumerate(governors):
        passed, transaction = done[f"passed {number}"]
        mine = frame[(frame["governor"] == at(str(one.contract.address))) & (frame["proposal_id"] == str(passed))]
        assert (
            mine["state"].tolist() == ["created", "queued", "executed"]
            and one.contract.functions.state(passed).call() == 7
        )
        assert mine["title"].tolist()[0] == "Longer wait" and mine["transaction"].tolist()[-1] == transaction
        due = (
            one.contract.functions.proposals(passed).call()[2]
            if one.is_bravo
            else one.contract.functions.proposalEta(passed).call()
        )
        queued = [event for event in lived.of("ProposalQueued") if event.address == str(one.contract.address).lower()]
        assert mine["executable_at"].tolist()[1] in {
            event.args.get("eta", event.args.get("etaSeconds")) for event in queued
        }
        assert mine["executable_at"].tolist()[1] == due or not one.is_bravo
        dropped = frame[frame["proposal_id"] == str(done[f"dropped {number}"])]
        assert dropped["state"].tolist() == ["created", "cancelled"]


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.verify)])
def test_feeds_and_proposals_are_the_same_however_split(ruled: Ruled, tmp_path: Path, seed: int) -> None:
    lived = ruled[0]
    rng = random.Random(seed)
    cuts = sorted(rng.sample(range(2, lived.head), 3))
    for first, last in ((cuts[0], cuts[1]), (1, cuts[0]), (cuts[0] - 1, cuts[2]), (1, lived.head)):
        grow(lived.node.url, lived.book, tmp_path / "split", first, last)
    assert hashes(tmp_path / "split") == hashes(lived.folder)


def test_declarations_give_the_topics_of_the_contracts() -> None:
    shape = event("Liquidate(bytes32 indexed id, address indexed caller, uint256 repaidAssets)")
    assert shape.topic == event_topic("Liquidate(bytes32,address,uint256)")
    assert shape.indexed == (("bytes32", "id"), ("address", "caller")) and shape.plain == (("uint256", "repaidAssets"),)
    for wrong in ("Liquidate", "Liquidate(", "1(uint256 a)"):
        with pytest.raises(ValueError, match="is no event"):
            event(wrong)


def test_titles() -> None:
    assert (
        title("\n\n# [ARFC] Raise a cap \nmore") == "[ARFC] Raise a cap"
        and title("") == ""
        and len(title("x" * 999)) == 200
    )
