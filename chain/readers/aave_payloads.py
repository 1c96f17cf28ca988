"""Aave's governance V3 on one chain (PayloadsController): the executors that act for it, after which delay, and who may stop them.

Source: PayloadsControllerCore and Executor of bgd-labs/aave-governance-v3@09612fd11eb056c8beab6ddbaa1f56ac1a976d67. A payload names an access
level for each action; the executor of that level makes the calls, and the delay of the highest level that a payload names holds for all of it.
What was created, queued and executed is a history (`chain.histories.aave_payloads`).
"""

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.readers import access
from chain.units import ZERO_ADDRESS

VERSION = 1
LEVELS = (1, 2)
"""PayloadsControllerUtils.AccessControl but for Level_null: the short executor (parameters, listings) and the long one."""
EXECUTOR = "getExecutorSettingsByAccessControl(uint8)->((address,uint40))"


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Read one controller; ContractError if it refuses."""
    # Where
    controller = deployment.addresses["payloads_controller"]
    label = f"{deployment.protocol} {deployment.instance}"
    target = found.entity(controller, "contract", label, deployment.protocol)

    # Ask
    settings = client.ask({level: Call(controller, EXECUTOR, (level,)) for level in LEVELS})
    people = client.ask({name: Call(controller, f"{name}()->(address)") for name in ("owner", "guardian")})

    # Rows
    for level, (executor, delay_seconds) in settings.items():
        if executor == ZERO_ADDRESS:
            continue
        acts = found.entity(executor, "contract", f"{label} executor {level}", deployment.protocol)
        access.add_power(
            found,
            controller,
            acts,
            "parameters",
            found.asked(f"getExecutorSettingsByAccessControl({level})", controller),
        )
        found.rows["authorities"][-1] |= {"kind": "timelock", "delay_seconds": delay_seconds}
    for name, power in (("owner", "parameters"), ("guardian", "veto")):
        if people[name] != ZERO_ADDRESS:
            access.add_power(found, people[name], target, power, found.asked(name, controller))
    found.gaps.append(f"{label}: its payloads are not read at one block; aftershock history reads them")
    progress("payloads controller", 1, 1, "done")
