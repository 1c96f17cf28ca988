"""Payloads of Aave's governance V3 as a history, from the recorded answers of a real PayloadsController (`tests/recordings/payloads.py`).

Each row is compared with the receipts as web3 decoded them with the compiled interface, and with the contract's own record of the payload.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chain.deployments import read_deployments
from chain.errors import NodeError
from chain.findings import Findings
from chain.histories.events import event
from chain.node.resumable import ResumableClient
from chain.reading import read_one
from tests.chain.history_receipts import at, read, rows, token
from tests.recordings import payloads
from tests.recordings.keeping import about_code, header_of, replayed

WHEN = {"created": "createdAt", "queued": "queuedAt", "executed": "executedAt", "cancelled": "cancelledAt"}
VIEWS = {1: "created", 2: "queued", 3: "executed", 4: "cancelled"}
EXPIRED = 5
CONTROLLER = read_deployments(payloads.BOOK)[1].addresses["payloads_controller"]
ORACLE: dict[str, Any] = json.loads(payloads.ORACLE.read_text())


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The history of the address book, read from the recording."""
    folder = tmp_path_factory.mktemp("payloads") / "past"
    with replayed(payloads.RECORDING) as client:
        payloads.history(client, folder)
    return folder


@pytest.fixture
def client() -> Iterator[ResumableClient]:
    with replayed(payloads.RECORDING) as one:
        yield one


def test_there_is_a_row_of_each_event_in_the_receipts(past: Path) -> None:
    events = [one for one in ORACLE["events"] if one["name"].startswith("Payload")]
    found = rows(past, "proposals")
    assert {
        place: (row["state"], row["proposal_id"], row["transaction"], row["governor"]) for place, row in found.items()
    } == {
        (one["block"], one["index"]): (
            one["name"].removeprefix("Payload").lower(),
            str(one["args"]["payloadId"]),
            one["transaction"],
            at(one["address"]),
        )
        for one in events
    }
    assert {row["state"] for row in found.values()} == set(WHEN) and len(found) == len(events) == 20


def test_rows_are_what_the_contract_keeps_of_each_payload(past: Path) -> None:
    frame = read(past, "proposals")
    assert len(ORACLE["payloads"]) == frame["proposal_id"].nunique() == 9
    for number, record in enumerate(ORACLE["payloads"]):
        mine = frame[frame["proposal_id"] == str(number)]
        assert dict(zip(mine["state"], mine["timestamp"], strict=True)) == {
            state: record[name] for state, name in WHEN.items() if record[name]
        }
        due = mine.set_index("state")["executable_at"].dropna().to_dict()
        assert due == ({"queued": record["queuedAt"] + record["delay"] + 1} if record["queuedAt"] else {})
        last = mine["state"].iloc[-1]
        assert last == VIEWS.get(record["view"], last)
        assert record["view"] != EXPIRED or last in ("created", "queued")
    assert [record["view"] for record in ORACLE["payloads"]].count(EXPIRED) == 2
    assert {record["delay"] for record in ORACLE["payloads"]} == {payloads.SHORT, payloads.LONG, payloads.LONGER}


def test_the_earliest_execution_is_the_first_second_that_the_contract_allows(past: Path) -> None:
    frame = read(past, "proposals")
    [first] = frame.loc[(frame["proposal_id"] == "0") & (frame["state"] == "queued"), "executable_at"]
    assert first == ORACLE["tried"]["first allowed"] == ORACLE["tried"]["last refused"] + 1


def test_what_a_payload_changed_stands_under_the_transaction_that_executed_it(past: Path) -> None:
    proposals, changes = read(past, "proposals"), read(past, "parameter_changes")
    executed = proposals[proposals["state"] == "executed"].set_index("proposal_id")["transaction"]
    acted = {one["transaction"] for one in ORACLE["events"] if one["name"] == "ExecutedAction"}
    assert set(executed) == acted and list(executed.index) == ["0", "3", "5"]

    def under(number: str) -> dict[tuple[str, str], int]:
        mine: pd.DataFrame = changes[changes["transaction"] == executed[number]]
        return {(row.asset, row.parameter): row.new_raw for row in mine.itertuples()}

    weth, dai = token(ORACLE["weth"]), token(ORACLE["dai"])
    (_, supply_cap), (borrow_cap, _) = ORACLE["caps"]
    assert under("0") == {(weth, "reserves.supply_cap_raw"): supply_cap * 10**18}
    assert under("3") == {}  # it changed the controller
    assert under("5") == {
        (dai, "reserves.reserve_factor_wad"): ORACLE["reserve_factor_bps"] * 10**14,
        (dai, "reserves.borrow_cap_raw"): borrow_cap * 10**18,
    }


def test_executors_and_who_may_stop_them(client: ResumableClient) -> None:
    found = Findings(client.anchor)
    read_one(client, read_deployments(payloads.BOOK)[1], found, lambda *_: None)
    told = {
        (row["authority"], row["target"], row["power"], row["kind"], row.get("delay_seconds"))
        for row in found.rows["authorities"]
    }
    where = at(CONTROLLER)
    expected = {(where, at(executor), "parameters", "timelock", delay) for executor, delay in ORACLE["levels"]}
    expected |= {
        (at(ORACLE["owner"]), where, "parameters", "account", None),
        (at(ORACLE["guardian"]), where, "veto", "account", None),
    }
    assert told == expected and {delay for _, delay in ORACLE["levels"]} == {payloads.LONGER, payloads.LONG}


def test_a_payload_that_the_controller_does_not_count_is_the_nodes_fault(
    client: ResumableClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = client.call
    monkeypatch.setattr(client, "call", lambda call: 3 if call.name == "getPayloadsCount" else asked(call))
    with pytest.raises(NodeError, match=r"Payload 3 of .* not among its 3 payloads"):
        payloads.history(client, tmp_path / "past")


def test_a_declaration_may_hold_structures() -> None:
    shape = event(
        "Made(uint40 indexed id, (address,bool,bytes)[] actions, (uint256,bytes32) more, uint8 indexed level)"
    )
    assert shape.indexed == (("uint40", "id"), ("uint8", "level"))
    assert shape.plain == (("(address,bool,bytes)[]", "actions"), ("(uint256,bytes32)", "more"))


def test_the_recording_says_where_it_is_from_and_holds_no_code() -> None:
    header = header_of(payloads.RECORDING)
    assert header["source"] == payloads.SOURCE and header["block"]["chain"] == payloads.CHAIN
    assert about_code(payloads.RECORDING) <= {"0x", "0x01"}
