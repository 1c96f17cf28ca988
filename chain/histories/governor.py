"""Proposals of a governor, from their creation to their end: OpenZeppelin's Governor and Compound's Governor Bravo, which declare the same events.

Declarations: IGovernor of @openzeppelin/contracts 5.4.0 (npm) and GovernorBravoEvents of npm @thenextblock/hardhat-compound 0.0.14. That a
proposal became active, was defeated or expired is no event, so it is no row. What a proposal changed stands in `parameter_changes`, under the
transaction that executed it.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.histories.events import Rows, Source, ToRows, source
from chain.node.calls import Log
from chain.node.client import Client
from chain.units import entity_id

MOST_TITLE = 200


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The governor."""
    governor = deployment.addresses["governor"]
    where = entity_id(client.chain, governor)

    def became(state: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            row = {"governor": where, "proposal_id": str(event["proposalId"]), "state": state}
            if "description" in event:
                row["title"] = title(event["description"])
            yield "proposals", row | {"executable_at": event.get("eta") or None}

        return rows

    shapes = {
        "ProposalCreated(uint256 proposalId, address proposer, address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, "
        "uint256 voteStart, uint256 voteEnd, string description)": became("created"),
        "ProposalQueued(uint256 proposalId, uint256 eta)": became("queued"),
        "ProposalExecuted(uint256 proposalId)": became("executed"),
        "ProposalCanceled(uint256 proposalId)": became("cancelled"),
    }
    return [source(f"{deployment.protocol} {deployment.instance}", [governor], shapes)]


def title(description: str) -> str:
    """The first line that has words, without the marks of a heading."""
    lines = [line.strip().lstrip("#").strip() for line in description.splitlines()]
    return next((line for line in lines if line), "")[:MOST_TITLE]
