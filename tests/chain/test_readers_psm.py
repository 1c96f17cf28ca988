"""The reader of peg stability modules against recorded answers of Maker's own contracts; the header of the file says how they were had."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from eth_utils.crypto import keccak

from chain import reading
from chain.deployments import Deployment
from chain.node.questions import Question
from chain.node.recording import Replay
from chain.node.resumable import ResumableClient
from chain.node.rpc import Refusal
from chain.snapshot import Snapshot, from_rows
from chain.units import WAD, address_of
from graph.build import build

RECORDED = Path(__file__).parent / "recorded" / "psm.jsonl"
MODULES = {
    "psm-usdc-a": "0x368a93f7911f1e76593866d79cdc7fd1182314d5",
    "lite-psm": "0xc277804867ca4fc1a4ab8dbaa538478a46c244ba",
    "halted": "0xd8d668bfa3904c004c695a63c5967106e22aab52",
}
BUY = keccak(text="buyGem(address,uint256)")[:4].hex()


@pytest.fixture(scope="module")
def snapshot() -> Iterator[Snapshot]:
    books = [
        Deployment("eip155:31337", "makerdao", name, "psm", 1, "recorded", {"psm": at}) for name, at in MODULES.items()
    ]
    with ResumableClient.replay(RECORDED) as client:
        client.pin("latest")
        found, _, references = reading._settled(client, books, lambda *_: None)
    assert references.passed
    yield from_rows("psm", (found.anchor,), found.rows, gaps=tuple(found.gaps))


def terms(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """Rows of `backings` by the module that they were asked of."""
    rows = cast("list[dict[str, Any]]", snapshot["backings"].to_dict("records"))
    return {name: row for name, at in MODULES.items() for row in rows if at in row["evidence"]}


def bought(name: str, amount: int) -> Any:
    """What the module said to somebody who has coins enough and wants so many tokens: recorded calls of buyGem without effect."""
    for line in (json.loads(line) for line in RECORDED.read_text().splitlines()[1:]):
        call = line["ask"][-1]
        is_try = line["ask"][1] == "eth_call" and call["to"] == MODULES[name] and call["data"][2:10] == BUY
        if is_try and int(call["data"][-64:], 16) == amount:
            return Replay(RECORDED).ask([Question("eth_call", (call,), "pinned", may_refuse=True)])[0]
    raise AssertionError(f"{amount} was not tried at {name}")


@pytest.mark.parametrize("name", ["psm-usdc-a", "lite-psm"])
def test_so_much_can_be_bought_and_not_one_unit_more(snapshot: Snapshot, name: str) -> None:
    row = terms(snapshot)[name]
    most = row["capacity_raw"]
    assert 0 < most < row["amount_raw"], (
        "in one module tokens that somebody sent there, in the other a smaller allowance"
    )
    assert not isinstance(bought(name, most), Refusal)
    assert isinstance(bought(name, most + 1), Refusal)


def test_what_is_paid_for_it_is_the_rate_and_the_fee(snapshot: Snapshot) -> None:
    """The later module answers how many coins it takes: one a token, and the fee on top."""
    row = terms(snapshot)["lite-psm"]
    paid = int(bought("lite-psm", row["capacity_raw"]), 16)
    whole = row["capacity_raw"] * 10**12
    assert row["rate_wad"] == WAD and paid == whole + whole * row["fee_wad"] // WAD
    assert terms(snapshot)["psm-usdc-a"]["fee_wad"] == 3 * WAD // 1000


def test_rows_name_coin_token_and_keeper(snapshot: Snapshot) -> None:
    found, symbols = terms(snapshot), snapshot["assets"].set_index("asset")["symbol"]
    assert {symbols[row["claim"]] for row in found.values()} == {"DAI"}
    assert [symbols[found[name]["backing"]] for name in MODULES] == ["USDC", "PYUSD", "PYUSD"]
    assert {row["redemption"] for name, row in found.items() if name != "halted"} == {"psm"}
    assert len({address_of(row["holder"]) for row in found.values()} - set(MODULES.values())) == 3


def test_a_halted_module_redeems_nothing(snapshot: Snapshot) -> None:
    row = terms(snapshot)["halted"]
    assert (row["redemption"], row["capacity_raw"], row["fee_wad"]) == ("none", 0, None)


def test_the_graph_knows_the_way_out(snapshot: Snapshot) -> None:
    """Two modules pay in one token, one of them is halted: the way that is open counts."""
    redeems = build(snapshot).relations["redeems_for"].set_index("target")
    tokens = {row["backing"] for row in terms(snapshot).values()}
    assert redeems["redemption"].to_dict() == dict.fromkeys(tokens, "psm")
    assert set(redeems["rate"]) == {1.0}


def test_the_recording_holds_no_code() -> None:
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()[1:]]
    assert {line["answer"] for line in lines if line["ask"][1] == "code_start"} <= {"0x", "0x01"}
    assert "eth_getCode" not in {line["ask"][1] for line in lines}
    assert max(len(str(line.get("answer"))) for line in lines if line["ask"][1] == "eth_call") < 500
