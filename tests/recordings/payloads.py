"""Records what the history and the reader of Aave's governance V3 ask of a real PayloadsController that governs a real Aave market.

`python -m tests.recordings.payloads BUILT.json`; BUILT.json is what `tests/devnet/compile.js` writes for src/contracts/payloads/PayloadsController.sol
and Executor.sol of bgd-labs/aave-governance-v3@09612fd1, checked out of the tree beside the two libraries of `SOURCE` under the names of its
remappings.txt, with solc 0.8.22 (npm) and the settings of its foundry.toml (optimizer, 200 runs, shanghai, no bytecode hash). The controller
stands behind an ERC1967Proxy of @openzeppelin/contracts 5.4.0 (in place of Aave's own), and an account in the place of the CrossChainController
brings it the votes; executors, payloads and the Aave 3.6 market that they change are the contracts. `payloads.json` is the oracle: the events as web3 decodes them from the receipts with
the compiled interface, `getPayloadById` and `getPayloadState` of each payload, what the market says after, and when an execution was refused.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from web3.contract import Contract
from web3.exceptions import Web3Exception

from chain.deployments import read_deployments
from chain.findings import Findings
from chain.histories.reading import grow
from chain.node.client import Client
from chain.reading import read_one
from tests.chain.history_receipts import told
from tests.devnet.aave_v3 import AaveMarket, deploy_aave
from tests.devnet.assets import deploy_feeds, deploy_tokens, open_vault, price_sources
from tests.devnet.availability import NODE_MODULES
from tests.devnet.contracts import Artifact, artifact
from tests.devnet.deployments_file import address_lines, entry_lines
from tests.devnet.market import STAKING_RATES
from tests.devnet.node import Node
from tests.devnet.transactions import Ledger, address_of
from tests.recordings.keeping import recorded

FOLDER = Path(__file__).parent
RECORDING, BOOK, ORACLE = FOLDER / "payloads.jsonl.gz", FOLDER / "payloads.toml", FOLDER / "payloads.json"
SOURCE = (
    "anvil with PayloadsController and Executor (bgd-labs/aave-governance-v3@09612fd11eb056c8beab6ddbaa1f56ac1a976d67, with "
    "aave-dao/aave-delivery-infrastructure@656b87642ba119961c4643e0e2a1f28209e6bae2, "
    "bgd-labs/solidity-utils@bf955b866b9f6c90b9cc2d099b94fc37ee53c542 and OpenZeppelin 5.1.0; solc-js 0.8.22, 200 runs, shanghai) over Aave 3.6 "
    "(@aave-dao/aave-v3-origin); an account brings the votes in place of the CrossChainController"
)
CHAIN = "eip155:31337"
DAY = 86_400
SHORT, LONG, LONGER = DAY, 7 * DAY, 2 * DAY
"""Delay of level 1, of level 2, and of level 1 after payload 3."""
BRIDGE, GOVERNANCE = address_of("cross-chain controller"), address_of("governance")
GUARDIAN, AUTHOR = address_of("payloads guardian"), address_of("payloads author")
EVENTS = ("PayloadCreated", "PayloadQueued", "PayloadExecuted", "PayloadCancelled", "ExecutedAction")
Action = tuple[str, bool, int, int, str, bytes]


@dataclass(frozen=True)
class Place:
    """The contracts."""

    ledger: Ledger
    controller: Contract
    executors: tuple[Contract, Contract]
    market: AaveMarket
    tokens: dict[str, Contract]

    def create(self, *actions: Action) -> None:
        """Create the next payload."""
        self.ledger.call("create", self.controller, "createPayload", list(actions), sender=AUTHOR)
        self.ledger.mine()

    def bring(self, number: int, level: int) -> None:
        """Bring the vote on a payload, which began just now."""
        now = int(self.ledger.node.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        kinds = ["uint40", "uint8", "uint40"]
        message = bytes(self.ledger.node.w3.codec.encode(kinds, [number, level, now]))
        self.ledger.call("queue", self.controller, "receiveCrossChainMessage", GOVERNANCE, 1, message, sender=BRIDGE)
        self.ledger.mine()

    def execute(self, number: int) -> None:
        """Execute a payload; anybody may."""
        self.ledger.call("execute", self.controller, "executePayload", number, sender=AUTHOR)
        self.ledger.mine()

    def cancel(self, number: int) -> None:
        """Let the guardian cancel a payload."""
        self.ledger.call("cancel", self.controller, "cancelPayload", number, sender=GUARDIAN)
        self.ledger.mine()


def build(node: Node, built: dict[str, dict[str, Any]]) -> Place:
    """An Aave market, two executors that are its pool admins, and the controller that owns them."""
    ledger = Ledger(node, address_of("deployer"))
    tokens = deploy_tokens(ledger)
    feeds = deploy_feeds(ledger)
    open_vault(ledger, tokens, STAKING_RATES[0])
    market = deploy_aave(ledger, tokens, price_sources(ledger, tokens, feeds)[0], address_of("treasury"))
    made = {path.rpartition(":")[2]: Artifact(path, one["abi"], one["bytecode"]) for path, one in built.items()}
    executors = (ledger.deploy(made["Executor"]), ledger.deploy(made["Executor"]))
    code = ledger.deploy(made["PayloadsController"], BRIDGE, GOVERNANCE, 1)
    settings = [(1, (executors[0].address, SHORT)), (2, (executors[1].address, LONG))]
    first = bytes.fromhex(str(code.encode_abi("initialize", args=[executors[0].address, GUARDIAN, settings]))[2:])
    proxy = json.loads((NODE_MODULES / "@openzeppelin/contracts/build/contracts/ERC1967Proxy.json").read_text())
    shell = Artifact("ERC1967Proxy", proxy["abi"], proxy["bytecode"].removeprefix("0x"))
    controller = ledger.at(made["PayloadsController"], str(ledger.deploy(shell, code.address, first).address))
    roles = ledger.at(artifact("ACLManager"), market.addresses_provider.functions.getACLManager().call())
    for executor in executors:
        ledger.call("hand over", executor, "transferOwnership", controller.address)
        ledger.call("pool admin", roles, "addPoolAdmin", executor.address)
    ledger.mine()
    return Place(ledger, controller, executors, market, tokens)


def of(target: Contract, level: int, function: str, *arguments: object) -> Action:
    """A call with its signature in words, as the controller keeps it."""
    data = bytes.fromhex(str(target.encode_abi(function, args=list(arguments)))[10:])
    [one] = [one for one in target.abi if one["type"] == "function" and one["name"] == function]
    return (str(target.address), False, level, 0, f"{function}({','.join(map(_type, one['inputs']))})", data)


def _type(one: Any) -> str:
    if one["type"].startswith("tuple"):
        return f"({','.join(map(_type, one['components']))}){one['type'][5:]}"
    return str(one["type"])


def live(place: Place) -> dict[str, int]:
    """Nine payloads; returns the last second in which the execution of the first was refused, and the first in which it was not."""
    node, configurator = place.ledger.node, place.market.configurator
    weth, dai = (str(place.tokens[symbol].address) for symbol in ("WETH", "DAI"))
    other = place.executors[0].address
    place.create(of(configurator, 1, "setSupplyCap", weth, 777_000))
    place.create(of(configurator, 1, "setSupplyCap", weth, 1))
    place.create(of(configurator, 1, "setSupplyCap", weth, 2))
    place.create(of(place.controller, 1, "updateExecutors", [(1, (other, LONGER))]))
    place.create(of(configurator, 1, "setSupplyCap", dai, 7))
    place.cancel(1)
    for number in (0, 2, 3):
        place.bring(number, 1)
    place.cancel(2)
    tried = _first_second(place, 0)
    place.execute(0)
    node.mine(DAY)
    place.execute(3)
    place.bring(4, 1)  # keeps the delay of its creation; nobody executes it
    place.create(of(configurator, 1, "setReserveFactor", dai, 2_345), of(configurator, 2, "setBorrowCap", dai, 654_000))
    place.create(of(configurator, 1, "setSupplyCap", dai, 3))  # never brought: it expires
    place.bring(5, 2)
    node.mine(LONG + DAY)
    place.execute(5)
    node.mine(30 * DAY)
    place.create(of(configurator, 1, "setSupplyCap", dai, 5))
    place.create(of(configurator, 1, "setSupplyCap", dai, 6))
    place.bring(7, 2)  # a vote of a higher level than it needs; waits
    node.mine(60)
    return tried


def _first_second(place: Place, number: int) -> dict[str, int]:
    """Ask whether a payload could be executed in each of two seconds, in blocks that are mined and taken back; stops at the second."""
    node = place.ledger.node
    record = place.controller.functions.getPayloadById(number).call()
    due = record[4] + record[8]
    found = {}
    for second in (due, due + 1):
        before = node.request("evm_snapshot")
        node.request("evm_setNextBlockTimestamp", second)
        node.request("evm_mine")
        try:
            place.controller.functions.executePayload(number).call({"from": AUTHOR})
            found["first allowed"] = second
        except Web3Exception:
            found["last refused"] = second
        node.request("evm_revert", before)
    node.mine(due + 1 - int(node.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16))
    return found


def said(place: Place, tried: dict[str, int]) -> dict[str, Any]:
    """What web3 reads from receipts and contracts, for the test."""
    ask = place.controller.functions
    events = told(place.ledger.node, [place.controller, *place.executors])
    shape: Any = next(one for one in place.controller.abi if one.get("name") == "getPayloadById")
    names = [one["name"] for one in shape["outputs"][0]["components"]]
    records = [
        dict(zip(names, ask.getPayloadById(number).call(), strict=True)) | {"view": ask.getPayloadState(number).call()}
        for number in range(ask.getPayloadsCount().call())
    ]
    market = place.market.data_provider.functions
    weth, dai = place.tokens["WETH"].address, place.tokens["DAI"].address
    return {
        "events": [asdict(one) for one in events if one.name in EVENTS],
        "payloads": [{name: value for name, value in one.items() if name != "actions"} for one in records],
        "tried": tried,
        "weth": str(weth).lower(),
        "dai": str(dai).lower(),
        "caps": [market.getReserveCaps(asset).call() for asset in (weth, dai)],
        "reserve_factor_bps": market.getReserveConfigurationData(dai).call()[4],
        "levels": [list(ask.getExecutorSettingsByAccessControl(level).call()) for level in (1, 2)],
        "owner": ask.owner().call(),
        "guardian": ask.guardian().call(),
    }


def main(built: Path) -> None:
    """Build, live, read as a history and at the head, and write recording, address book and oracle."""
    with Node() as node:
        place = build(node, json.loads(built.read_text()))
        tried = live(place)
        aave = {
            "pool_addresses_provider": str(place.market.addresses_provider.address),
            "pool": str(place.market.pool.address),
            "pool_data_provider": str(place.market.data_provider.address),
            "oracle": str(place.market.oracle.address),
        }
        controller = {"payloads_controller": str(place.controller.address)}
        lines = [*entry_lines(0, "aave-v3", "core", "aave_v3"), *address_lines(aave)]
        lines += [*entry_lines(0, "aave-governance-v3", "payloads", "aave_payloads"), *address_lines(controller)]
        BOOK.write_text("\n".join(lines).replace("tests/devnet world, seed 0", "tests/recordings/payloads.py"))
        ORACLE.write_text(json.dumps(said(place, tried), default=_plain, indent=1) + "\n")
        with recorded(node.url, CHAIN, RECORDING, {"source": SOURCE}) as client:
            read_one(client, read_deployments(BOOK)[1], Findings(client.anchor), lambda *_: None)
            with tempfile.TemporaryDirectory() as folder:
                history(client, Path(folder, "past"))
    sys.stderr.write(f"{RECORDING.name}: {RECORDING.stat().st_size:,} bytes\n")


def history(client: Client, folder: Path) -> None:
    """The history of the book over all blocks, asked through this client, which stays open."""
    with patch.object(Client, "connect", lambda *_: client), patch.object(type(client), "__exit__", lambda *_: None):
        grow("http://nowhere", BOOK, folder, 1)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else "0x" + bytes(value).hex()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
