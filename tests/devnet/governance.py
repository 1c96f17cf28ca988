"""Governors on a local node: OpenZeppelin's, compiled from its own package, and Compound's Governor Bravo with the bytecode of its npm package.

Both are brought to life as their authors meant: votes are delegated, a proposal is made, voted on, queued in the timelock and executed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web3.contract import Contract

from tests.devnet.availability import NODE_MODULES, SOLC_PACKAGE
from tests.devnet.compiled_once import compiled_once
from tests.devnet.compound_v2 import FOLDER
from tests.devnet.contracts import Artifact
from tests.devnet.transactions import Ledger

DAY = 86_400
BRAVO_PERIOD, BRAVO_DELAY, BRAVO_THRESHOLD = 5_760, 1, 50_000 * 10**18
FOR = 1
PERIOD, PERIOD_SLOT = 20, 4
"""Voting period in blocks, and the slot of Governor Bravo's (GovernorBravoDelegatorStorage, then V1: the fifth)."""
ZERO_ADDRESS = "0x" + "0" * 40

Call = tuple[Contract, str, Sequence[Any]]


@dataclass(frozen=True)
class Governor:
    """A governor with its timelock, and who proposes and votes."""

    ledger: Ledger
    contract: Contract
    timelock: Contract
    voter: str
    is_bravo: bool

    def propose(self, description: str, call: Call) -> int:
        """Propose one call; returns the number of the proposal."""
        target, function, arguments = call
        data = bytes.fromhex(target.encode_abi(function, args=list(arguments))[2:])
        targets, values, datas = [target.address], [0], [data]
        given = (targets, values, [""], datas, description) if self.is_bravo else (targets, values, datas, description)
        self.ledger.call("propose", self.contract, "propose", *given, sender=self.voter)
        [receipt] = self.ledger.mine()
        [event] = self.contract.events.ProposalCreated().process_receipt(receipt)
        return int(event["args"]["id" if self.is_bravo else "proposalId"])

    def pass_through(self, number: int, description: str, call: Call) -> str:
        """Vote for it, queue it, wait and execute it; returns the transaction that executed it."""
        self.ledger.node.request("anvil_mine", hex(3))
        self.ledger.call("vote", self.contract, "castVote", number, FOR, sender=self.voter)
        self.ledger.mine()
        self.ledger.node.request("anvil_mine", hex(PERIOD + 5))
        self._step("queue", number, description, call)
        self.ledger.node.mine(3 * DAY)
        return self._step("execute", number, description, call)

    def cancel(self, number: int, description: str, call: Call) -> None:
        """Take a proposal back."""
        self._step("cancel", number, description, call)

    def _step(self, function: str, number: int, description: str, call: Call) -> str:
        if self.is_bravo:
            self.ledger.call(function, self.contract, f"{function}(uint256)", number, sender=self.voter)
        else:
            target, name, arguments = call
            data = bytes.fromhex(target.encode_abi(name, args=list(arguments))[2:])
            words = bytes(self.ledger.node.w3.keccak(text=description))
            signature = f"{function}(address[],uint256[],bytes[],bytes32)"
            self.ledger.call(
                function, self.contract, signature, [target.address], [0], [data], words, sender=self.voter
            )
        return str(self.ledger.mine()[0]["transactionHash"])


def deploy_openzeppelin(ledger: Ledger) -> Governor:
    """Token, TimelockController and Governor of @openzeppelin/contracts 5.4.0."""
    parts = compiled_once(("SmallGovernor.sol",), SOLC_PACKAGE, "cancun", ("@openzeppelin/contracts",))
    voter = ledger.deployer
    token = ledger.deploy(parts["VoteToken"], voter)
    content = json.loads((NODE_MODULES / "@openzeppelin/contracts/build/contracts/TimelockController.json").read_text())
    lock = Artifact("TimelockController", content["abi"], content["bytecode"].removeprefix("0x"))
    timelock = ledger.deploy(lock, 2 * DAY, [], [ZERO_ADDRESS], voter)
    governor = ledger.deploy(parts["SmallGovernor"], token.address, timelock.address)
    for role in ("PROPOSER", "CANCELLER"):
        key = getattr(timelock.functions, f"{role}_ROLE")().call()
        ledger.call("role", timelock, "grantRole", key, governor.address)
    ledger.call("votes", token, "delegate", voter, sender=voter)
    ledger.mine()
    return Governor(ledger, governor, timelock, voter, False)


def deploy_bravo(ledger: Ledger) -> Governor:
    """Comp, Timelock, Governor Alpha (whose count Bravo takes over) and Governor Bravo."""
    voter = ledger.deployer
    comp = ledger.deploy(_published("Governance/Comp.sol/Comp"), voter)
    timelock = ledger.deploy(_published("Timelock.sol/Timelock"), voter, 2 * DAY)
    alpha = ledger.deploy(
        _published("Governance/GovernorAlpha.sol/GovernorAlpha"), timelock.address, comp.address, voter
    )
    logic = ledger.deploy(_published("Governance/GovernorBravoDelegate.sol/GovernorBravoDelegate"))
    bravo = ledger.deploy(
        _published("Governance/GovernorBravoDelegator.sol/GovernorBravoDelegator"),
        timelock.address, comp.address, voter, logic.address, BRAVO_PERIOD, BRAVO_DELAY, BRAVO_THRESHOLD,
    )  # fmt: skip
    governor = ledger.at(_published("Governance/GovernorBravoDelegate.sol/GovernorBravoDelegate"), str(bravo.address))
    now = int(ledger.node.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    word = bytes(12) + bytes.fromhex(str(bravo.address)[2:])
    handover = (timelock.address, 0, "setPendingAdmin(address)", word, now + 2 * DAY + 600)
    ledger.call("queue the handover", timelock, "queueTransaction", *handover, sender=voter)
    ledger.mine()
    ledger.node.mine(2 * DAY + 700)
    ledger.call("hand over", timelock, "executeTransaction", *handover, sender=voter)
    ledger.call("votes", comp, "delegate", voter, sender=voter)
    ledger.mine()
    first = ([comp.address], [0], ["totalSupply()"], [b""], "The one that Bravo counts on from")
    ledger.call("propose", alpha, "propose", *first, sender=voter)
    ledger.call("initiate", governor, "_initiate", alpha.address, sender=voter)
    ledger.mine()
    # 5760 blocks, the shortest period that its constructor takes, would be minutes of mining
    ledger.node.request("anvil_setStorageAt", bravo.address, hex(PERIOD_SLOT), "0x" + f"{PERIOD:064x}")
    if governor.functions.votingPeriod().call() != PERIOD:
        raise RuntimeError("the voting period of Governor Bravo is not where it was looked for")
    return Governor(ledger, governor, timelock, voter, True)


def _published(name: str) -> Artifact:
    one = json.loads((FOLDER / f"{name}.json").read_text())
    return Artifact(one["contractName"], one["abi"], one["bytecode"].removeprefix("0x"))
