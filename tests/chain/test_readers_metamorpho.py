"""The MetaMorpho reader against real vaults of v1.0 and v1.1: recorded answers replayed, compared with the contracts' own views at that block.

How the recording was made: tests/recordings/metamorpho.md. Two vaults were touched after the loss in one of their markets, two were not.
"""

import copy
import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from chain.comparisons import checks
from chain.comparisons.comparison import Comparison
from chain.deployments import read_deployments
from chain.errors import ContractError
from chain.findings import Findings
from chain.inspection import addresses
from chain.node.resumable import ResumableClient
from chain.readers import metamorpho
from chain.snapshot import from_rows
from chain.units import WAD
from graph.build import build
from tests.recordings import metamorpho as world

NAMES = tuple(world.VAULTS)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recording") / "metamorpho.jsonl"
    file.write_bytes(gzip.decompress(world.RECORDING.read_bytes()))
    return file


@pytest.fixture(scope="module")
def replayed(recording: Path) -> tuple[Findings, dict[str, str], dict[tuple[str, ...], Any]]:
    """What the readers found, the vaults by name, and what the contracts say."""
    with ResumableClient.replay(recording) as client:
        client.pin("latest")
        found = world.read_all(client, world.BOOK)
        vaults = {row["symbol"].lower(): row["address"] for row in found.rows["assets"] if row["kind"] == "vault_share"}
        [morpho] = {row["address"] for row in found.rows["markets"]}
        ids = {name: bytes.fromhex(key[-64:]) for name, key in _markets(found).items()}
        return found, vaults, client.ask(world.questions({name: vaults[name] for name in NAMES}, morpho, ids))


def _markets(found: Findings) -> dict[str, str]:
    """Market keys by the recorder's names, told apart by collateral and threshold."""
    symbol = {row["asset"]: row["symbol"] for row in found.rows["assets"]}
    terms = {
        row["market"]: (symbol[row["asset"]], row["liquidation_threshold_wad"] // 10**15)
        for row in found.rows["reserves"]
        if row.get("liquidation_threshold_wad")
    }
    names = {("COLL", 860): "main", ("OTHER", 770): "second", ("OTHER", 625): "later", ("COLL", 625): "gone"}
    return {
        names[terms[row["market"]]] if row["market"] in terms else "idle": row["market"]
        for row in found.rows["markets"]
    }


def rows_of(found: Findings, table: str, vault: str, column: str) -> list[dict[str, Any]]:
    return [row for row in found.rows[table] if row[column].endswith(vault)]


def compared(found: Findings) -> dict[str, Comparison]:
    return {one.check.name: one for one in checks.run(found.rows, found.witnesses)}


def test_no_code_is_in_the_recording(recording: Path) -> None:
    lines = recording.read_text().splitlines()
    assert not any("eth_getCode" in line for line in lines)
    answers: dict[str, list[int]] = defaultdict(list)
    for line in map(json.loads, lines[1:]):
        answers[line["ask"][1]].append(len(line.get("answer") or ""))
    assert max(answers["code_start"]) <= 8 and max(answers["eth_call"]) < 1_000, "nothing is as long as a contract"
    assert "f5faa9c2" in lines[0] and "solc-js 0.8.26" in lines[0]


def test_everything_that_was_compared_agrees(replayed: Any) -> None:
    found, vaults, _ = replayed
    done = compared(found)
    assert {name: one.check.failures for name, one in done.items() if one.check.failures} == {}
    assert done["allocations add up to totalAssets"].check.compared == 4
    assert done["backing, supply and fee give convertToAssets"].check.compared == 4
    assert done["balances of a share add up to totalSupply"].check.compared == 4
    assert set(vaults) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_queues_are_the_vaults(replayed: Any, name: str) -> None:
    found, vaults, says = replayed
    markets = {key: of for of, key in _markets(found).items()}
    rows = rows_of(found, "queues", vaults[name], "vault")
    order = {side: [markets[row["market"]] for row in rows if row["side"] == side] for side in ("supply", "withdraw")}
    assert order == {"supply": ["main", "second", "idle"], "withdraw": ["main", "second", "idle", "gone"]}
    for row in rows:
        market = markets[row["market"]]
        cap, enabled, removable = says[name, "config", market]
        waiting, since = says[name, "pending", market]
        assert enabled and row["cap_raw"] == cap and (row["removable_at"] or 0) == removable
        assert (row["pending_cap_raw"] or 0, row["pending_cap_at"] or 0) == (waiting, since)
        assert row["timelock_seconds"] == says[name, "timelock"] == 5 * world.DAY
    assert {markets[row["market"]] for row in rows if row["pending_cap_at"]} == {"main"}
    assert {markets[row["market"]] for row in rows if row["removable_at"]} == {"gone"}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_vault_has_is_what_it_counts_less_what_it_lost(replayed: Any, name: str) -> None:
    found, vaults, says = replayed
    markets = _markets(found)
    rows = {(row["side"], row["market"]): row for row in rows_of(found, "queues", vaults[name], "vault")}
    has = {of: rows["withdraw", key]["allocated_raw"] for of, key in markets.items() if ("withdraw", key) in rows}
    [backing] = rows_of(found, "backings", vaults[name], "claim")
    assert backing["amount_raw"] == sum(has.values())
    assert has["idle"] == says[name, "position", "idle"][0] // 10**6, "no interest there: a million shares a unit"
    lost = says[name, "totalAssets"] - backing["amount_raw"]
    if name.startswith("old"):
        assert lost == 0
    else:
        assert lost > 10**10
        assert lost == says[name, "lostAssets"] or name == "new", "the untouched one has not written it down"
        assert says["new", "lostAssets"] == 0
    # maxDeposit rounds what the vault has up, market by market
    room = sum(max(row["cap_raw"] - row["allocated_raw"], 0) for (side, _), row in rows.items() if side == "supply")
    assert 0 <= room - says[name, "maxDeposit"] <= 3


@pytest.mark.parametrize("name", NAMES)
def test_rate_capacity_and_fee(replayed: Any, name: str) -> None:
    found, vaults, says = replayed
    [row] = rows_of(found, "backings", vaults[name], "claim")
    assert row["rate_wad"] * 10**6 // WAD == says[name, "whole share"]
    assert row["rate_wad"] // 10**5 == says[name, "all shares"], "previewRedeem of 10**25 shares"
    whale = says[name, "balance", world.WHALE]
    assert whale * row["rate_wad"] // 10**30 > row["capacity_raw"], "whom the markets cannot pay out"
    assert row["capacity_raw"] == says[name, "maxWithdraw"]
    assert (row["gain_fee_wad"], row["gain_base_raw"]) == (says[name, "fee"], says[name, "lastTotalAssets"])


@pytest.mark.parametrize("name", NAMES)
def test_every_holder_has_what_the_token_says(replayed: Any, name: str) -> None:
    found, vaults, says = replayed
    held = {row["holder"][-42:]: row["amount_raw"] for row in rows_of(found, "balances", vaults[name], "asset")}
    assert sum(held.values()) == says[name, "totalSupply"]
    people = (*world.PEOPLE, world.HEIR, world.ROLES["fees"])
    assert held == {who.lower(): says[name, "balance", who] for who in people if says[name, "balance", who]}
    assert world.LEAVER.lower() not in held and {world.HEIR.lower(), world.ROLES["fees"].lower()} <= set(held)


def test_who_decides_and_after_which_delay(replayed: Any) -> None:
    found, vaults, _ = replayed
    role = {address.lower(): name for name, address in world.ROLES.items()}
    for vault in vaults.values():
        rows = rows_of(found, "authorities", vault, "target")
        powers: dict[str, set[str]] = {}
        for row in rows:
            powers.setdefault(role[row["authority"][-42:]], set()).add(row["power"])
            assert row.get("delay_seconds") == (5 * world.DAY if row["power"] == "caps" else None)
        assert powers == {
            "owner": {"parameters", "caps", "allocate", "veto"},
            "curator": {"caps", "allocate"},
            "guardian": {"veto"},
            "allocator": {"allocate"},
        }
        waits = [gap for gap in found.gaps if vault in gap]
        assert len(waits) == 2 and any("timelock 172800" in gap for gap in waits)


def test_entities_join_the_vault_and_the_supplier(replayed: Any) -> None:
    found, vaults, _ = replayed
    graph = build(from_rows("recorded", (found.anchor,), copy.deepcopy(found.rows)))
    for vault in vaults.values():
        key = f"{found.anchor.chain}:{vault}"
        assert graph.node_kind(key) == "vault"
        supplies = graph.relations["supplies"]
        allocated = graph.relations["allocates_to"]
        assert set(supplies[supplies["source"] == key]["target"]) < set(allocated[allocated["source"] == key]["target"])


@pytest.mark.parametrize(
    ("table", "column", "by", "check"),
    [
        ("queues", "allocated_raw", 1, "allocations add up to totalAssets"),
        ("backings", "gain_base_raw", -(10**9), "backing, supply and fee give convertToAssets"),
        ("backings", "gain_fee_wad", WAD // 100, "backing, supply and fee give convertToAssets"),
        ("balances", "amount_raw", 1, "balances of a share add up to totalSupply"),
    ],
)
def test_a_wrong_row_is_found(replayed: Any, table: str, column: str, by: int, check: str) -> None:
    """Of the vault of v1.0 that was touched: it has gains that are not counted yet."""
    found, vaults, _ = replayed
    spoiled = copy.deepcopy(found)
    names = {"queues": "vault", "backings": "claim", "balances": "asset"}
    rows = rows_of(spoiled, table, vaults["old touched"], names[table])
    row = next(row for row in rows if row.get("side") != "supply")
    row[column] += by
    failures = compared(spoiled)[check].check.failures
    assert len(failures) == 1 and vaults["old touched"] in failures[0]


def test_the_doctor_knows_a_factory(recording: Path) -> None:
    with ResumableClient.replay(recording) as client:
        client.pin("latest")
        found = [one for one in addresses(client, read_deployments(world.BOOK)) if one.subject.startswith("metamorpho")]
    assert {one.state for one in found} == {"ok"}
    assert [one.text.split()[2] for one in found if "isMetaMorpho" in one.text] == ["is", "is"]


def test_many_vaults_are_asked_for_in_groups(replayed: Any, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metamorpho, "MOST_AT_ONCE", 1)
    with ResumableClient.replay(recording) as client:
        client.pin("latest")
        found = world.read_only(client, world.BOOK)
    for table in ("queues", "backings", "authorities", "balances"):
        plain = [
            [{**row, "status": "", "kind": "", "delay_seconds": row.get("delay_seconds")} for row in one.rows[table]]
            for one in (found, replayed[0])
        ]
        assert sorted(map(str, plain[0])) == sorted(map(str, plain[1])), table


def changed_recording(
    recording: Path, folder: Path, contract: str, function: str, instead: dict[str, Any]
) -> tuple[Path, int]:
    """The recording with another outcome of one question, which is asked by a reader, and how many lines that changed."""
    header, *lines = recording.read_text().splitlines()
    told, changed = [json.loads(line) for line in lines], 0
    asked = ["eth_call", {"data": "0x" + keccak(text=function)[:4].hex(), "to": contract}]
    for number, line in enumerate(told):
        if line["ask"][1:] == asked:
            told[number], changed = {"ask": line["ask"], **instead}, changed + 1
    file = folder / "changed.jsonl"
    file.write_text("\n".join([header, *map(json.dumps, told)]))
    return file, changed


def test_a_queue_that_no_vault_has_is_refused(replayed: Any, recording: Path, tmp_path: Path) -> None:
    vault = replayed[1]["old"]
    answer = {"answer": "0x" + (2**255).to_bytes(32, "big").hex()}
    file, changed = changed_recording(recording, tmp_path, vault, "supplyQueueLength()", answer)
    with ResumableClient.replay(file) as client, pytest.raises(ContractError, match=f"{vault} answers a supply queue"):
        client.pin("latest")
        world.read_only(client, world.BOOK)
    assert changed >= 1


def test_an_asset_without_decimals_costs_the_rate_and_no_more(replayed: Any, recording: Path, tmp_path: Path) -> None:
    """Anybody can make a vault over any token: the recording, but its loan token refuses to tell its decimals."""
    whole = replayed[0]
    loan = whole.rows["backings"][0]["backing"][-42:]
    file, changed = changed_recording(
        recording, tmp_path, loan, "decimals()", {"refusal": [3, "execution reverted", "0x"]}
    )
    with ResumableClient.replay(file) as client:
        client.pin("latest")
        found = world.read_only(client, world.BOOK)
    assert changed == 1
    assert [row["rate_wad"] for row in found.rows["backings"]] == [None] * 4
    assert [row["amount_raw"] for row in found.rows["backings"]] == [
        row["amount_raw"] for row in whole.rows["backings"]
    ]
    assert sum("what a share redeems for" in gap for gap in found.gaps) == 4
    assert compared(found)["allocations add up to totalAssets"].check.passed


def test_a_vault_over_markets_that_were_not_read(replayed: Any, recording: Path, tmp_path: Path) -> None:
    """The same recording without the reader of Morpho Blue: the vault's own word for the total, no allocation, and a gap."""
    _, _, says = replayed
    book = tmp_path / "book.toml"
    head, *entries = world.BOOK.read_text().split("[[deployments]]")
    book.write_text("[[deployments]]".join([head, *(entry for entry in entries if "morpho_blue" not in entry)]))
    with ResumableClient.replay(recording) as client:
        client.pin("latest")
        found = world.read_only(client, book)
    assert "queues" not in found.rows and "vault" not in found.witnesses
    assert sorted(row["amount_raw"] for row in found.rows["backings"]) == sorted(
        says[name, "totalAssets"] for name in NAMES
    )
    assert all(row["capacity_raw"] is None for row in found.rows["backings"])
    assert sum("were not read" in gap for gap in found.gaps) == 4
