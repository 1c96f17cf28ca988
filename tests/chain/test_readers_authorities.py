"""Who decides, and what stands behind proxies: Safes, timelocks and governors of the protocols' own packages, asked through plain web3."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from web3.contract import Contract

from chain.node.client import Client
from chain.node.together import together
from chain.readers.authorities import ASKS, form, forms
from chain.readers.proxies import OLD_SLOT
from chain.reading import take
from chain.snapshot import Snapshot
from graph.build import build
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact, compiled, published
from tests.devnet.governance import deploy_openzeppelin
from tests.devnet.transactions import address_of
from tests.devnet.world import World

devnet = pytest.mark.devnet
ZERO, DAY = "0x" + "0" * 40, 86_400
SIGNERS = tuple(address_of(f"signer {number}") for number in range(3))
SAFE = "@gnosis.pm/safe-contracts/build/artifacts/contracts"
COMPOUND = "@thenextblock/hardhat-compound/dist/artifacts/contracts/compound"
VOTES = 50_000 * 10**18
KINDS = {"safe": "multisig", "timelock": "timelock", "executor": "timelock", "bravo": "governor"}


def openzeppelin(name: str) -> Artifact:
    content = json.loads((NODE_MODULES / "@openzeppelin/contracts/build/contracts" / f"{name}.json").read_text())
    return Artifact(name, content["abi"], content["bytecode"].removeprefix("0x"))


@pytest.fixture(scope="module")
def made(devnet_world: World) -> Iterator[dict[str, Contract]]:
    """Everybody is a risk admin of the Aave market; the Safe decides in the executor, the Bravo governor in the timelock."""
    world = devnet_world
    with world.undone():
        ledger, own = world.ledger, compiled("Authorities.sol")
        singleton = ledger.deploy(published(f"{SAFE}/GnosisSafe.sol/GnosisSafe.json"))
        proxy = ledger.deploy(published(f"{SAFE}/proxies/GnosisSafeProxy.sol/GnosisSafeProxy.json"), singleton.address)
        safe = ledger.at(published(f"{SAFE}/GnosisSafe.sol/GnosisSafe.json"), str(proxy.address))
        ledger.call("owners", safe, "setup", list(SIGNERS), 2, ZERO, b"", ZERO, ZERO, 0, ZERO)
        logic = ledger.deploy(published(f"{COMPOUND}/Governance/GovernorBravoDelegate.sol/GovernorBravoDelegate.json"))
        unused = address_of("votes that nobody counts")
        bravo = ledger.deploy(
            published(f"{COMPOUND}/Governance/GovernorBravoDelegator.sol/GovernorBravoDelegator.json"),
            unused,
            unused,
            ledger.deployer,
            logic.address,
            5_760,
            1,
            VOTES,
        )
        beacon = ledger.deploy(openzeppelin("UpgradeableBeacon"), singleton.address, ledger.deployer)
        cloner = ledger.deploy(own["Cloner"])
        ledger.call("clone", cloner, "clone", singleton.address)
        cloned = cloner.events.Cloned().process_log(ledger.mine()[-1]["logs"][0])["args"]["at"]
        found = {
            "safe": safe,
            "singleton": singleton,
            "logic": logic,
            "bravo": bravo,
            "timelock": ledger.deploy(published(f"{COMPOUND}/Timelock.sol/Timelock.json"), bravo.address, 3 * DAY),
            "executor": ledger.deploy(own["Executor"], DAY, safe.address),
            "old": ledger.deploy(own["OldProxy"], singleton.address),
            "beacon": ledger.deploy(openzeppelin("BeaconProxy"), beacon.address, b""),
            "minimal": ledger.at(own["Cloner"], cloned),
        }
        who = {"type": "address", "name": "who"}
        abi = [
            {
                "type": "function",
                "name": "addRiskAdmin",
                "stateMutability": "nonpayable",
                "outputs": [],
                "inputs": [who],
            }
        ]
        manager = world.w3.eth.contract(
            address=world.market.addresses_provider.functions.getACLManager().call(), abi=abi
        )
        for name in ("timelock", "executor", "old", "beacon", "minimal"):
            ledger.call("power", manager, "addRiskAdmin", found[name].address)
        ledger.mine()
        yield found


@pytest.fixture(scope="module")
def snapshot(devnet_world: World, made: dict[str, Contract]) -> Snapshot:
    taken = take(devnet_world.url, devnet_world.deployments, "latest")
    assert all(check.passed for check in taken.checks) and made
    return taken


def key(contract: Contract) -> str:
    return f"eip155:31337:{contract.address.lower()}"


def of(snapshot: Snapshot, authority: Contract) -> dict[str, Any]:
    rows = [row for row in snapshot["authorities"].to_dict("records") if row["authority"] == key(authority)]
    return {str(name): value for name, value in rows[0].items()}


@devnet
@pytest.mark.parametrize("name", KINDS)
def test_what_decides_is_known_by_its_kind(snapshot: Snapshot, made: dict[str, Contract], name: str) -> None:
    row, contract = of(snapshot, made[name]), made[name]
    assert row["kind"] == KINDS[name]
    if name == "safe":
        owners = contract.functions.getOwners().call()
        assert (row["threshold"], row["members"]) == (contract.functions.getThreshold().call(), len(owners)) == (2, 3)
        entities = snapshot["entities"].set_index("entity")
        assert entities.at[key(contract), "name"] == "Safe 1.3.0, 2 of 3"
    if name in ("timelock", "executor"):
        getter = "delay" if name == "timelock" else "getDelay"
        assert row["delay_seconds"] == getattr(contract.functions, getter)().call()
    assert pd.isna(row["threshold"]) == (name != "safe")


@devnet
def test_who_decides_in_a_timelock_is_an_authority_over_it(snapshot: Snapshot, made: dict[str, Contract]) -> None:
    rows = {(row["authority"], row["target"], row["power"]) for row in snapshot["authorities"].to_dict("records")}
    for above, below in (("bravo", "timelock"), ("safe", "executor")):
        assert (key(made[above]), key(made[below]), "parameters") in rows
    governs = build(snapshot).relations["governs"]
    assert set(governs[governs["source"] == key(made["bravo"])]["target"]) == {key(made["timelock"])}


@devnet
@pytest.mark.parametrize("name", ["safe", "old", "beacon", "minimal", "bravo"])
def test_what_stands_behind_a_proxy(snapshot: Snapshot, made: dict[str, Contract], name: str) -> None:
    entities = snapshot["entities"].set_index("entity")
    logic = made["logic" if name == "bravo" else "singleton"]
    assert entities.at[key(made[name]), "implementation"] == key(logic)
    assert bool(entities.at[key(logic), "is_contract"])


@devnet
def test_what_is_no_proxy_has_nothing_behind_it(snapshot: Snapshot, made: dict[str, Contract]) -> None:
    entities = snapshot["entities"].set_index("entity")
    assert entities.loc[[key(made[name]) for name in ("timelock", "executor")], "implementation"].isna().all()


@devnet
@pytest.mark.verify
def test_openzeppelins_governor_is_one(devnet_world: World) -> None:
    with devnet_world.undone():
        governor = deploy_openzeppelin(devnet_world.ledger).contract
        with Client.connect(devnet_world.url, "eip155:31337") as client:
            client.pin("latest")
            [found] = together(client, forms([governor.address.lower()]))
            assert found[governor.address.lower()].kind == "governor"


NOTHING: dict[str, Any] = dict.fromkeys(ASKS)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({}, "contract"),
        ({"threshold": 2, "owners": ["0xaa"]}, "contract"),
        ({"threshold": 0, "owners": [], "version": "1"}, "contract"),
        ({"delay": 5, "admin": "0xaa"}, "contract"),
        ({"delay": 5, "admin": "0xaa", "grace": 9}, "timelock"),
        ({"min_delay": 0, "proposer": b"\0" * 32}, "timelock"),
        ({"voting_period": 5, "quorum": 1}, "contract"),
    ],
)
def test_one_getter_alone_makes_no_kind(answers: dict[str, Any], kind: str) -> None:
    assert form({**NOTHING, **answers}).kind == kind


def test_the_old_slot_is_the_known_constant() -> None:
    """openzeppelin-sdk@7a9a0d6c writes it out beside the name."""
    assert int(OLD_SLOT, 16) == 0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3
