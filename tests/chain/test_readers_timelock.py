"""Who may change what: Aave's roles and owner, and a TimelockController between them, against the contracts asked through plain web3."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from web3 import Web3
from web3.contract import Contract

from chain.errors import ContractError
from chain.node.client import Client
from chain.node.together import together
from chain.readers import access
from chain.reading import take
from chain.snapshot import Snapshot
from graph.build import build
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.transactions import address_of
from tests.devnet.world import World

pytestmark = pytest.mark.devnet
DELAY = 2 * 86_400 + 7
PROPOSER, FORMER, CANCELLER, ADMIN, NEWCOMER, RISK = (
    address_of(f"timelock {name}") for name in ("proposer", "former", "canceller", "admin", "newcomer", "risk steward")
)
ZERO_WORD, ZERO_ADDRESS = b"\0" * 32, "0x" + "0" * 40


def artifact() -> Artifact:
    """TimelockController as @openzeppelin/contracts 5.4.0 publishes it."""
    file = NODE_MODULES / "@openzeppelin" / "contracts" / "build" / "contracts" / "TimelockController.json"
    content = json.loads(file.read_text())
    return Artifact("TimelockController", content["abi"], content["bytecode"].removeprefix("0x"))


@pytest.fixture(scope="module")
def timelock(devnet_world: World) -> Iterator[Contract]:
    """A timelock with a history of roles and operations; it owns the world's addresses provider and is a pool admin."""
    world = devnet_world
    with world.undone():
        made = world.ledger.deploy(artifact(), DELAY, [PROPOSER, FORMER], [ZERO_ADDRESS], ADMIN)
        role = {name: getattr(made.functions, f"{name}_ROLE")().call() for name in ("PROPOSER", "CANCELLER")}
        steps: list[tuple[str, str, tuple[object, ...]]] = [
            (ADMIN, "revokeRole", (role["PROPOSER"], FORMER)),
            (ADMIN, "revokeRole", (role["CANCELLER"], FORMER)),
            (ADMIN, "grantRole", (role["CANCELLER"], CANCELLER)),
            *((PROPOSER, "schedule", _operation(made, number)) for number in range(3)),
            (CANCELLER, "cancel", (made.functions.hashOperation(*_operation(made, 1)[:5]).call(),)),
        ]
        for sender, function, values in steps:
            world.send(function, made, function, *values, sender=sender)
        acl = _acl(world)
        deployer = world.ledger.deployer
        for function, who in (("addPoolAdmin", made.address), ("addRiskAdmin", RISK), ("addEmergencyAdmin", NEWCOMER)):
            world.send(function, acl, function, who, sender=deployer)
        world.send("removeEmergencyAdmin", acl, "removeEmergencyAdmin", NEWCOMER, sender=deployer)
        world.send("owner", world.market.addresses_provider, "transferOwnership", made.address, sender=deployer)
        yield made


def _operation(made: Contract, number: int) -> tuple[object, ...]:
    return (made.address, 0, b"", ZERO_WORD, number.to_bytes(32, "big"), DELAY + 100 * number)


def _acl(world: World) -> Contract:
    provider = world.market.addresses_provider
    who, truth = [{"type": "address", "name": "who"}], [{"type": "bool", "name": ""}]
    changes = ("addPoolAdmin", "addRiskAdmin", "addEmergencyAdmin", "removeEmergencyAdmin")
    questions = ("isPoolAdmin", "isRiskAdmin", "isEmergencyAdmin", "isAssetListingAdmin")
    abi: list[dict[str, Any]] = [
        {"type": "function", "name": name, "stateMutability": mutability, "outputs": outputs, "inputs": who}
        for names, mutability, outputs in ((changes, "nonpayable", []), (questions, "view", truth))
        for name in names
    ]
    roles: Contract = world.w3.eth.contract(address=provider.functions.getACLManager().call(), abi=abi)
    return roles


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, timelock: Contract) -> Snapshot:
    lines = [
        *entry_lines(devnet_world.seed, "a-dao", "timelock", "timelock"),
        *address_lines({"controller": str(timelock.address)}),
    ]
    file = devnet_world.deployments.with_name("with_timelock.toml")
    file.write_text(devnet_world.deployments.read_text() + "\n" + "\n".join(lines))
    taken = take(devnet_world.url, file, "latest")
    assert [check for check in taken.checks if not check.passed] == []
    return taken


def powers(snapshot: Snapshot, target: str) -> dict[tuple[str, str], tuple[str, int | None]]:
    """(who, power) -> (kind, delay) of every row about a target."""
    return {
        (row["authority"].rpartition(":")[2], row["power"]): (
            row["kind"],
            None if pd.isna(row["delay_seconds"]) else int(row["delay_seconds"]),
        )
        for row in snapshot["authorities"].to_dict("records")
        if target.lower() in row["target"]
    }


def test_the_timelock_and_who_may_set_it_going(snapshot: Snapshot, timelock: Contract) -> None:
    found = powers(snapshot, timelock.address)
    delay = timelock.functions.getMinDelay().call()
    assert delay == DELAY
    # the admin may give itself either role; who lost a role is gone, and so is the timelock, which administers itself
    assert found == {
        (PROPOSER.lower(), "parameters"): ("account", delay),
        (PROPOSER.lower(), "veto"): ("account", None),
        (CANCELLER.lower(), "veto"): ("account", None),
        (ADMIN.lower(), "parameters"): ("account", delay),
        (ADMIN.lower(), "veto"): ("account", None),
    }
    for who in (PROPOSER, FORMER, CANCELLER):
        for role, power in (("PROPOSER", "parameters"), ("CANCELLER", "veto")):
            has = timelock.functions.hasRole(getattr(timelock.functions, f"{role}_ROLE")().call(), who).call()
            assert has == ((who.lower(), power) in found)
    [name] = [row.name for row in snapshot["entities"].itertuples() if row.address == timelock.address.lower()]
    assert name == "a-dao timelock"


def test_what_waits_in_it_is_said(snapshot: Snapshot, timelock: Contract) -> None:
    ready = timelock.functions.getTimestamp(
        timelock.functions.hashOperation(*_operation(timelock, 0)[:5]).call()
    ).call()
    assert [gap for gap in snapshot.gaps if gap.startswith("a-dao")] == [
        f"a-dao timelock: 2 scheduled operations are counted and not read, the earliest may happen at {ready}"
    ]


def test_who_may_change_the_market(devnet_world: World, snapshot: Snapshot, timelock: Contract) -> None:
    found = powers(snapshot, devnet_world.pool.address)
    acl, provider = _acl(devnet_world), devnet_world.market.addresses_provider.functions
    lock, deployer, risk = timelock.address.lower(), devnet_world.ledger.deployer.lower(), RISK.lower()
    people = {lock, deployer, risk, NEWCOMER.lower()}
    ask = {who: Web3.to_checksum_address(who) for who in people}
    assert {who for who, _ in found} == people - {NEWCOMER.lower()}
    for who in (lock, risk, NEWCOMER.lower()):
        is_pool, is_risk = acl.functions.isPoolAdmin(ask[who]).call(), acl.functions.isRiskAdmin(ask[who]).call()
        is_owner = provider.owner().call().lower() == who
        assert ((who, "parameters") in found) == ((who, "caps") in found) == (is_pool or is_risk)
        assert ((who, "list") in found) == (is_pool or acl.functions.isAssetListingAdmin(ask[who]).call())
        assert ((who, "pause") in found) == (is_pool or acl.functions.isEmergencyAdmin(ask[who]).call())
        assert ((who, "upgrade") in found) == (is_pool or is_owner)
    assert {power for who, power in found if who == deployer} == {power for who, power in found if who == lock}
    assert {kind for (who, _), (kind, _) in found.items() if who == lock} == {"timelock"}
    assert {delay for (who, _), (_, delay) in found.items() if who == lock} == {DELAY}
    assert {value for (who, _), value in found.items() if who == risk} == {("account", None)}


def test_the_graph_shows_the_timelock_over_the_market(
    devnet_world: World, snapshot: Snapshot, timelock: Contract
) -> None:
    governs = build(snapshot).relations["governs"]
    mine = governs[governs["source"].str.contains(timelock.address.lower())]
    assert set(mine["delay_seconds"].astype(int)) == {DELAY}
    assert all(devnet_world.pool.address.lower() in target for target in mine["target"])
    over = governs[governs["target"].str.contains(timelock.address.lower())]
    assert PROPOSER.lower() in "".join(over["source"])


def test_a_role_that_a_contract_lacks_is_named(devnet_world: World, timelock: Contract) -> None:
    with Client.connect(devnet_world.url, "eip155:31337") as client:
        client.pin("latest")
        with pytest.raises(ContractError, match="POOL_ADMIN_ROLE"):
            together(client, access.holders(client, timelock.address.lower(), ("POOL_ADMIN_ROLE",), 1))
