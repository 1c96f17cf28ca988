"""Real MetaMorpho vaults, two of v1.0 and two of v1.1, on a local node with the real Morpho Blue: builds them, lets them live, records.

By hand, since no package carries MetaMorpho's bytecode and none of it is kept here (metamorpho.md beside this file has the build):

    python -m tests.recordings.metamorpho BUILT.json

writes metamorpho.jsonl.gz, metamorpho.toml (the address book) and asks at the end, of the contracts, everything that the test compares.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web3.contract import Contract
from web3.logs import DISCARD

from chain.deployments import read_deployments
from chain.findings import Findings
from chain.inspection import addresses
from chain.node.calls import Call
from chain.node.resumable import ResumableClient
from chain.readers import metamorpho
from chain.reading import describe, in_order, read_one
from chain.units import UINT256_MAX, ZERO_ADDRESS
from tests.devnet import morpho_blue
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.morpho_blue import WAD
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.keeping import recorded

FOLDER = Path(__file__).parent
RECORDING, BOOK = FOLDER / "metamorpho.jsonl.gz", FOLDER / "metamorpho.toml"
SOURCE = (
    "anvil with Morpho Blue (@morpho-org/morpho-blue 1.0.0, solc 0.8.19) and MetaMorpho v1.0 (morpho-org/metamorpho@"
    "f5faa9c21b1396c291b471a6a5ad9407d23486a9, solc-js 0.8.21, via IR, 200 runs, paris, OpenZeppelin 5.0.0) and v1.1 (morpho-org/metamorpho-v1.1@"
    "0b3d2f451d6ae3da94a3a08f574f6553024b8944, solc-js 0.8.26, via IR, 200 runs, cancun, OpenZeppelin 5.4.0)"
)
CHAIN = "eip155:31337"
DAY = 86_400
PRICE = {"main": 2_000 * 10**24, "second": 60_000 * 10**34}
"""Loan (6 decimals) per collateral of 18 and of 8: 36 + 6 - 18 and 36 + 6 - 8 decimals."""
PEOPLE = tuple(address_of(f"vault depositor {number}") for number in range(6))
WHALE, HEIR, LEAVER = PEOPLE[0], address_of("vault heir"), PEOPLE[3]
ROLES = {name: address_of(f"vault {name}") for name in ("owner", "curator", "guardian", "allocator", "former", "fees")}
VERSIONS = {"old": "MetaMorpho", "new": "MetaMorphoV1_1"}
VAULTS = {"old": "old", "old touched": "old", "new": "new", "new touched": "new"}
"""Version of each vault; two are touched after the loss, and so have gains since they last counted."""


@dataclass(frozen=True)
class Place:
    """The contracts: Morpho, factories by version, vaults by name, parameters and ids of the markets by name."""

    ledger: Ledger
    morpho: Contract
    oracle: Contract
    loan: Contract
    factories: dict[str, Contract]
    vaults: dict[str, Contract]
    params: dict[str, tuple[Any, ...]]
    ids: dict[str, bytes]


def build(node: Node, built: dict[str, dict[str, Any]]) -> Place:
    """Deploy Morpho with five markets and both factories with two vaults each."""
    ledger = Ledger(node, node.w3.eth.accounts[0])
    first = morpho_blue.deploy(ledger, 860 * WAD // 1000, (18, 6))
    second = ledger.deploy(morpho_blue.artifacts()["OracleMock"])
    other = ledger.deploy(artifact("TestnetERC20"), "OTHER", "OTHER", 8, ledger.deployer)
    loan, collateral, oracle, irm, _ = first.params
    params = {
        "main": first.params,
        "second": (loan, other.address, second.address, irm, 770 * WAD // 1000),
        "idle": (loan, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, 0),
        "later": (loan, other.address, second.address, irm, 625 * WAD // 1000),
        "gone": (loan, collateral, oracle, irm, 625 * WAD // 1000),
    }
    for lltv in sorted({one[4] for one in params.values()} - {first.params[4]}):
        ledger.call("threshold", first.morpho, "enableLltv", lltv)
    ledger.call("no rate model", first.morpho, "enableIrm", ZERO_ADDRESS)
    for name in ("second", "idle", "later", "gone"):
        ledger.call(name, first.morpho, "createMarket", params[name])
    ledger.call("price", first.oracle, "setPrice", PRICE["main"])
    ledger.call("price", second, "setPrice", PRICE["second"])
    ledger.mine()
    kinds = ["address", "address", "address", "address", "uint256"]
    ids = {name: bytes(node.w3.keccak(node.w3.codec.encode(kinds, one))) for name, one in params.items()}
    made = {path.rpartition(":")[2]: Artifact(path, one["abi"], one["bytecode"]) for path, one in built.items()}
    factories = {version: ledger.deploy(made[f"{of}Factory"], first.morpho.address) for version, of in VERSIONS.items()}
    vaults = {}
    for name, version in VAULTS.items():
        factory, salt = factories[version], name.encode().ljust(32, b"\0")
        arguments = (ROLES["owner"], DAY if version == "old" else 0, loan, f"The {name} vault", name.upper(), salt)
        ledger.call("create", factory, "createMetaMorpho", *arguments, gas=16_000_000)
        [receipt] = ledger.mine()
        [event] = factory.events.CreateMetaMorpho().process_receipt(receipt, errors=DISCARD)
        vaults[name] = ledger.at(made[VERSIONS[version]], event["args"]["metaMorpho"])
    return Place(ledger, first.morpho, second, first.loan, factories, vaults, params, ids)


def live(place: Place) -> None:
    """Roles, caps, deposits, debts, interest, a loss in `second`, what waits, and a week that nobody has written down."""
    ledger, node = place.ledger, place.ledger.node
    for vault in place.vaults.values():
        for function, who in (("setCurator", "curator"), ("setFeeRecipient", "fees"), ("submitGuardian", "guardian")):
            ledger.call(function, vault, function, ROLES[who], sender=ROLES["owner"])
        for who in ("allocator", "former"):
            ledger.call("allocator", vault, "setIsAllocator", ROLES[who], True, sender=ROLES["owner"])
        ledger.call("allocator", vault, "setIsAllocator", ROLES["former"], False, sender=ROLES["owner"])
        ledger.call("fee", vault, "setFee", WAD // 10, sender=ROLES["owner"])
        for name, cap in (("main", 1_500_000), ("second", 600_000), ("idle", 10**40), ("gone", 10)):
            ledger.call("cap", vault, "submitCap", place.params[name], cap * 10**6, sender=ROLES["curator"])
    ledger.mine()
    node.mine(DAY)
    for vault in place.vaults.values():
        for name in ("main", "second", "idle", "gone"):
            ledger.call("cap", vault, "acceptCap", place.params[name])
        queue = [place.ids[name] for name in ("main", "second", "idle")]
        ledger.call("queue", vault, "setSupplyQueue", queue, sender=ROLES["allocator"])
    for number, who in enumerate(PEOPLE):
        ledger.call("funds", place.loan, "mint(address,uint256)", who, 10**13)
        for vault in place.vaults.values():
            amount = 2_000_000 * 10**6 if who == WHALE else 30_000 * 10**6 + number
            ledger.call("approve", place.loan, "approve", vault.address, UINT256_MAX, sender=who)
            ledger.call("deposit", vault, "deposit", amount, who, sender=who)
    ledger.mine()
    _borrow(place, "main", address_of("vault borrower"), 5_000 * 10**18, 5_800_000 * 10**6 + 1)
    _borrow(place, "second", address_of("vault gambler"), 40 * 10**8, 1_800_000 * 10**6 + 1)
    node.mine(20 * DAY)
    for vault in place.vaults.values():
        balance = vault.functions.balanceOf(LEAVER).call()
        ledger.call("leave", vault, "redeem", balance, LEAVER, LEAVER, sender=LEAVER)
        ledger.call("give", vault, "transfer", HEIR, 10**21 + 1, sender=PEOPLE[4])
    ledger.mine()
    node.mine(20 * DAY)
    ledger.call("fall", place.oracle, "setPrice", PRICE["second"] * 3 // 5)
    gambler, liquidator = address_of("vault gambler"), PEOPLE[5]
    ledger.call("approve", place.loan, "approve", place.morpho.address, UINT256_MAX, sender=liquidator)
    ledger.call(
        "liquidate", place.morpho, "liquidate", place.params["second"], gambler, 40 * 10**8, 0, b"", sender=liquidator
    )
    ledger.mine()
    node.mine(3 * DAY)
    _wait(place)
    node.mine(7 * DAY)


def _borrow(place: Place, name: str, who: str, posted: int, amount: int) -> None:
    ledger, params = place.ledger, place.params[name]
    token = ledger.at(artifact("TestnetERC20"), params[1])
    ledger.call("funds", token, "mint(address,uint256)", who, posted)
    ledger.call("approve", token, "approve", place.morpho.address, UINT256_MAX, sender=who)
    ledger.call("post", place.morpho, "supplyCollateral", params, posted, who, b"", sender=who)
    ledger.call("borrow", place.morpho, "borrow", params, amount, 0, who, who, sender=who)
    ledger.mine()


def _wait(place: Place) -> None:
    """What waits for the timelock: a cap, a removal, a shorter timelock, another guardian; two vaults are touched after the loss."""
    ledger = place.ledger
    for vault in place.vaults.values():
        ledger.call("longer", vault, "submitTimelock", 5 * DAY, sender=ROLES["owner"])
        ledger.call("shorter", vault, "submitTimelock", 2 * DAY, sender=ROLES["owner"])
        ledger.call("guardian", vault, "submitGuardian", HEIR, sender=ROLES["owner"])
        ledger.call("cap", vault, "submitCap", place.params["later"], 7_000 * 10**6, sender=ROLES["curator"])
        ledger.call("raise", vault, "submitCap", place.params["main"], 1_600_000 * 10**6, sender=ROLES["curator"])
        ledger.call("no cap", vault, "submitCap", place.params["gone"], 0, sender=ROLES["curator"])
        ledger.call("remove", vault, "submitMarketRemoval", place.params["gone"], sender=ROLES["curator"])
    for name in ("old touched", "new touched"):
        ledger.call("touch", place.vaults[name], "deposit", 10**6, PEOPLE[5], sender=PEOPLE[5])
    ledger.mine()


def questions(vaults: dict[str, str], morpho: str, ids: dict[str, bytes]) -> dict[tuple[str, ...], Call]:
    """What the test compares, by vault and subject: views of the vaults and of Morpho."""
    asked: dict[tuple[str, ...], Call] = {}
    for name, vault in vaults.items():
        for view in ("totalAssets", "totalSupply", "lastTotalAssets", "fee", "timelock"):
            asked[name, view] = Call(vault, f"{view}()->(uint256)")
        asked[name, "maxWithdraw"] = Call(vault, "maxWithdraw(address)->(uint256)", (WHALE,))
        asked[name, "maxDeposit"] = Call(vault, "maxDeposit(address)->(uint256)", (WHALE,))
        asked[name, "whole share"] = Call(vault, "convertToAssets(uint256)->(uint256)", (10**18,))
        asked[name, "all shares"] = Call(vault, "previewRedeem(uint256)->(uint256)", (10**25,))
        for who in (*PEOPLE, HEIR, ROLES["fees"]):
            asked[name, "balance", who] = Call(vault, "balanceOf(address)->(uint256)", (who,))
        for market, key in ids.items():
            asked[name, "config", market] = Call(vault, "config(bytes32)->(uint184,bool,uint64)", (key,))
            asked[name, "pending", market] = Call(vault, "pendingCap(bytes32)->(uint192,uint64)", (key,))
            asked[name, "position", market] = Call(
                morpho, "position(bytes32,address)->(uint256,uint128,uint128)", (key, vault)
            )
        if VAULTS[name] == "new":
            asked[name, "lostAssets"] = Call(vault, "lostAssets()->(uint256)")
    return asked


def read_all(client: ResumableClient, book: Path) -> Findings:
    """What `chain.reading.take` does between pinning and comparing."""
    found = read_only(client, book)
    describe(client, found, lambda *_: None)
    return found


def read_only(client: ResumableClient, book: Path) -> Findings:
    """The readers alone, without describing what they mention."""
    found = Findings(client.anchor)
    for deployment in in_order(read_deployments(book)):
        read_one(client, deployment, found, lambda *_: None)
    return found


def main(built: Path) -> None:
    """Build, live, read, ask, and write the recording with its address book."""
    with Node() as node:
        place = build(node, json.loads(built.read_text()))
        live(place)
        lines = [
            *entry_lines(0, "morpho-blue", "core", "morpho_blue"),
            *address_lines({"morpho": str(place.morpho.address)}),
        ]
        for version, factory in place.factories.items():
            lines += [
                *entry_lines(0, "metamorpho", version, "metamorpho"),
                *address_lines({"factory": str(factory.address)}),
            ]
        BOOK.write_text("\n".join(lines).replace("tests/devnet world, seed 0", "tests/recordings/metamorpho.py"))
        with recorded(node.url, CHAIN, RECORDING, {"source": SOURCE}) as client:
            read_all(client, BOOK)
            addresses(client, read_deployments(BOOK))
            metamorpho.MOST_AT_ONCE = 1
            read_only(client, BOOK)  # the questions for events of one vault at a time
            vaults = {name: str(vault.address).lower() for name, vault in place.vaults.items()}
            client.ask(questions(vaults, str(place.morpho.address).lower(), place.ids))
    sys.stderr.write(f"{RECORDING.name}: {RECORDING.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
