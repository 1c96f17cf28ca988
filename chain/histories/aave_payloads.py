"""Payloads of Aave's governance V3, from their creation to their end: what a PayloadsController executes on its chain once a vote has passed.

Declarations: IPayloadsControllerCore of bgd-labs/aave-governance-v3@09612fd11eb056c8beab6ddbaa1f56ac1a976d67
(src/contracts/payloads/interfaces). The vote is on another contract and often on another chain; here a payload is created, queued when its vote
arrives, and executed or cancelled. That one expired is no event, so it is no row, and a payload has no words, so no title. No event states when a
queued payload may be executed: the contract's own record does, which keeps the delay that held when the payload was created
(executePayload wants a block after queuedAt + delay). What a payload changed stands in `parameter_changes`, under the transaction that
executed it.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.errors import NodeError
from chain.histories.events import Rows, Source, ToRows, source
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.units import entity_id

ACTIONS = "(address,bool,uint8,uint256,string,bytes)[]"
"""ExecutionAction: target, by delegate call or not, access level, value, signature, call data."""
RECORD = f"getPayloadById(uint40)->((address,uint8,uint8,uint40,uint40,uint40,uint40,uint40,uint40,uint40,{ACTIONS}))"
"""Payload: creator, access level, state; times of creation, queueing, execution, cancellation, expiry; delay, grace; actions."""
QUEUED_AT, DELAY = 4, 8


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The controller; ContractError if it refuses."""
    controller = deployment.addresses["payloads_controller"]
    where = entity_id(client.chain, controller)
    count = client.call(Call(controller, "getPayloadsCount()->(uint40)"))
    records = client.ask({number: Call(controller, RECORD, (number,)) for number in range(count)})

    def became(state: str) -> ToRows:
        def rows(event: Mapping[str, Any], _: Log) -> Rows:
            number = event["payloadId"]
            if number not in records:
                raise NodeError(
                    f"Payload {number} of {controller} is {state} in an event, but not among its {count} payloads; use another node"
                )
            due = earliest(records[number]) if state == "queued" else None
            row = {"governor": where, "proposal_id": str(number), "state": state, "executable_at": due}
            yield "proposals", row

        return rows

    shapes = {
        f"PayloadCreated(uint40 indexed payloadId, address indexed creator, {ACTIONS} actions, "
        "uint8 indexed maximumAccessLevelRequired)": became("created"),
        "PayloadQueued(uint40 payloadId)": became("queued"),
        "PayloadExecuted(uint40 payloadId)": became("executed"),
        "PayloadCancelled(uint40 payloadId)": became("cancelled"),
    }
    return [source(f"{deployment.protocol} {deployment.instance}", [controller], shapes)]


def earliest(record: tuple[Any, ...]) -> int:
    """First second in which a queued payload may be executed."""
    return int(record[QUEUED_AT]) + int(record[DELAY]) + 1
