"""What an authority is, by what only its kind answers: a multisig with its signers, a timelock with its delay, a governor.

- multisig: a Safe (@gnosis.pm/safe-contracts 1.3.0, base/OwnerManager.sol and GnosisSafe.sol): getThreshold, getOwners, VERSION.
- timelock: OpenZeppelin's TimelockController (@openzeppelin/contracts 5.4.0): getMinDelay and PROPOSER_ROLE; Compound's (npm
  @thenextblock/hardhat-compound 0.0.14, Timelock.sol): delay, GRACE_PERIOD, and its admin, who queues; Aave's executors of governance V2
  (aave/governance-v2@bf9ffa74, contracts/governance/ExecutorWithTimelock.sol): getDelay, GRACE_PERIOD, getAdmin.
- governor: OpenZeppelin's (same package, governance/IGovernor.sol): COUNTING_MODE and votingPeriod; Governor Bravo (hardhat-compound,
  Governance/GovernorBravoInterfaces.sol): quorumVotes, votingPeriod and its timelock.

Anything else with code is a `contract`. Executors of Aave's governance V3 are such: their delay is kept by a PayloadsController, which is
not asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.node.calls import Call
from chain.node.together import Inquiry

ASKS = {
    "threshold": "getThreshold()->(uint256)",
    "owners": "getOwners()->(address[])",
    "version": "VERSION()->(string)",
    "min_delay": "getMinDelay()->(uint256)",
    "proposer": "PROPOSER_ROLE()->(bytes32)",
    "delay": "delay()->(uint256)",
    "grace": "GRACE_PERIOD()->(uint256)",
    "admin": "admin()->(address)",
    "executor_delay": "getDelay()->(uint256)",
    "executor_admin": "getAdmin()->(address)",
    "counting": "COUNTING_MODE()->(string)",
    "voting_period": "votingPeriod()->(uint256)",
    "quorum": "quorumVotes()->(uint256)",
    "timelock": "timelock()->(address)",
}


@dataclass(frozen=True)
class Form:
    """Kind of an authority, its columns, a name for people, and who decides in it (`admin`, by the function `asked`); None for nobody known."""

    kind: str
    columns: Mapping[str, int] = field(default_factory=dict)
    name: str | None = None
    admin: str | None = None
    asked: str = ""


def forms(contracts: Sequence[str]) -> Inquiry[dict[str, Form]]:
    """What each of these contracts is."""
    asked = yield {(at, name): Call(at, text, optional=True) for at in contracts for name, text in ASKS.items()}
    return {at: form({name: asked[at, name] for name in ASKS}) for at in contracts}


def form(answers: Mapping[str, Any]) -> Form:
    """The form that these answers, by the names of ASKS, are of; None where a contract refused."""
    threshold, owners = answers["threshold"], answers["owners"]
    if threshold and owners and answers["version"] is not None:
        columns = {"threshold": threshold, "members": len(owners)}
        return Form("multisig", columns, f"Safe {answers['version']}, {threshold} of {len(owners)}")
    if answers["min_delay"] is not None and answers["proposer"] is not None:
        return Form("timelock", {"delay_seconds": answers["min_delay"]})
    if answers["grace"] is not None:
        for delay, admin, function in (("delay", "admin", "admin"), ("executor_delay", "executor_admin", "getAdmin")):
            if answers[delay] is not None and answers[admin] is not None:
                return Form("timelock", {"delay_seconds": answers[delay]}, admin=answers[admin], asked=function)
    if answers["voting_period"] is not None:
        is_bravo = answers["quorum"] is not None and answers["timelock"] is not None
        if answers["counting"] is not None or is_bravo:
            return Form("governor")
    return Form("contract")
