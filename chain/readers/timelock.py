"""Timelocks: what waits before it happens, for how long, and who may set it going or stop it. OpenZeppelin's TimelockController 5.4.0.

Proposers schedule calls, which the timelock makes after its delay; a proposer can so change the timelock's own settings too, since
only the timelock may change them. Cancellers stop what is scheduled. Executors only set off what has waited long enough and are not
read. What a timelock governs stands in the rows of those who gave it a role (an Aave market, say).
"""

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.node.together import together
from chain.readers import access

VERSION = 1
SCHEDULED = event_topic("CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)")
POWERS = {"PROPOSER_ROLE": ("parameters",), "CANCELLER_ROLE": ("veto",)}
DONE = 1
"""TimelockController._DONE_TIMESTAMP: getTimestamp is 0 for what is not scheduled, 1 for what is done, else when it may happen."""


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one timelock; ContractError if a contract refuses."""
    # Where
    controller = deployment.addresses["controller"]
    label = f"{deployment.protocol} {deployment.instance}"
    progress("timelock", 0, 2, label)

    # Ask
    delay = client.call(Call(controller, "getMinDelay()->(uint256)"))
    [held] = together(client, access.holders(client, controller, tuple(POWERS), deployment.first_block))
    progress("timelock", 1, 2, "scheduled operations")
    events = client.logs([controller], SCHEDULED, deployment.first_block, client.anchor.number, has_no_sum=True)
    operations = sorted({log.topics[1] for log in events})
    times = client.call_many(
        [Call(controller, "getTimestamp(bytes32)->(uint256)", (bytes.fromhex(key[2:]),)) for key in operations]
    )

    # Decode: the timelock administers itself, but only its proposers make it act
    waiting = [time for time in times if time > DONE]
    held = {role: {who: how for who, how in by.items() if who != controller} for role, by in held.items()}

    # Rows
    target = found.entity(controller, "contract", label, deployment.protocol)
    access.add_powers(found, controller, target, POWERS, held)
    for row in found.rows.get("authorities", ()):
        if row["target"] == target and row["power"] == "parameters":
            row["delay_seconds"] = delay
    if waiting:
        found.gaps.append(
            f"{label}: {len(waiting)} scheduled operations are counted and not read, the earliest may happen at {min(waiting)}"
        )
    progress("timelock", 2, 2, "done")
