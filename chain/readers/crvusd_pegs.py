"""Who else may issue crvUSD: everybody to whom the factory ever gave a ceiling and who is no controller. Peg keepers lend it to a pool.

A peg keeper (PegKeeper.vy, curvefi/curve-stablecoin@d132ca74) answers `pool` and `debt`: what it has put into a pool of crvUSD and another stablecoin,
for which it holds that pool's share. That share is what backs this part of crvUSD; nobody can redeem crvUSD for it directly.
"""

from collections.abc import Sequence

from chain.deployments import Deployment
from chain.findings import Findings
from chain.node.calls import Call, event_topic
from chain.node.client import Client
from chain.readers.holders import BALANCE

CEILING_SET = event_topic("SetDebtCeiling(address,uint256)")
CEILINGS = ("debt_ceiling", "debt_ceiling_residual")
KEEPER = {"debt": "debt()->(uint256)", "pool": "pool()->(address)", "pegged": "pegged()->(address)"}


def read(
    client: Client, deployment: Deployment, coin: str, controllers: Sequence[str], found: Findings
) -> dict[str, tuple[int, int]]:
    """Add a backing for each peg keeper. By address: its ceiling, and what was issued to it and not taken back."""
    # Where
    factory = deployment.addresses["factory"]
    logs = client.logs([factory], CEILING_SET, deployment.first_block, client.anchor.number)
    named = sorted({"0x" + log.topics[1][-40:] for log in logs} | set(controllers))
    others = [at for at in named if at not in controllers]

    # Ask
    asked = client.ask(
        {(at, name): Call(factory, f"{name}(address)->(uint256)", (at,)) for at in named for name in CEILINGS}
    )
    said = client.ask({(at, name): Call(at, text, optional=True) for at in others for name, text in KEEPER.items()})
    keepers = [at for at in others if said[at, "debt"] is not None and said[at, "pool"] and said[at, "pegged"] == coin]
    shares = client.ask({at: Call(said[at, "pool"], BALANCE, (at,)) for at in keepers})

    # Rows
    for at in keepers:
        found.add(
            "backings",
            found.asked("debt", at),
            claim=found.token(coin, "stablecoin"),
            backing=found.token(said[at, "pool"]),
            holder=found.entity(at, "contract", "peg keeper", deployment.protocol),
            amount_raw=shares[at],
            redemption="none",
            issued_raw=said[at, "debt"],
            issue_ceiling_raw=asked[at, "debt_ceiling"],
        )
    strangers = [at for at in others if at not in keepers and asked[at, "debt_ceiling_residual"]]
    for at in strangers:
        issued = asked[at, "debt_ceiling_residual"]
        found.gaps.append(
            f"{deployment.protocol}: {at} was issued {issued} of {coin}; it is neither a controller nor a peg keeper"
        )
    found.witness("issued", (found.token(coin),), sum(asked[at, "debt_ceiling_residual"] for at in named))
    return {at: (asked[at, "debt_ceiling"], asked[at, "debt_ceiling_residual"]) for at in named}
