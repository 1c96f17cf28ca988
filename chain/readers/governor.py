"""Governors (OpenZeppelin's Governor, Compound's Governor Bravo): who may start a vote that changes what the governor's timelock governs.

At one block there is little to read: the governor and its timelock, which both designs answer as `timelock()`. What was proposed and executed
is a history (`chain.histories.governor`).
"""

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import access

VERSION = 1


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one governor."""
    # Where
    governor = deployment.addresses["governor"]
    label = f"{deployment.protocol} {deployment.instance}"
    found.entity(governor, "contract", label, deployment.protocol)

    # Ask
    timelock = client.call(Call(governor, "timelock()->(address)", optional=True))

    # Rows
    if timelock is not None:
        target = found.entity(timelock, "contract", f"{label} timelock", deployment.protocol)
        access.add_power(found, governor, target, "parameters", found.asked("timelock", governor))
    found.gaps.append(f"{label}: its proposals and votes are not read at one block; aftershock history reads proposals")
    progress("governor", 1, 1, "done")
