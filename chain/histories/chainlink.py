"""Rounds of price feeds: every AnswerUpdated of every aggregator that ever stood behind a feed's proxy.

Declarations: AggregatorInterface and AggregatorProxy of @chainlink/contracts 0.8.0 (npm, src/v0.6). A proxy counts its aggregators as phases;
the round of a proxy is the phase above the 64 bits of the aggregator's own round (AggregatorProxy.addPhase). A source without phases is its own
aggregator. An aggregator may publish before and after its phase; those rounds are rows too, for the proxy answers them when asked.
"""

from collections.abc import Mapping
from typing import Any

from chain.deployments import Deployment
from chain.histories.events import Rows, Source, source
from chain.node.calls import Call, Log
from chain.node.client import Client
from chain.readers.chainlink import ROUND_BITS
from chain.units import ZERO_ADDRESS, entity_id


def sources(client: Client, deployment: Deployment) -> list[Source]:
    """The aggregators of the feeds that the address book lists."""
    feeds = [feed.address for feed in deployment.feeds]
    asked = {(at, "phase"): Call(at, "phaseId()->(uint16)", optional=True) for at in feeds}
    answers = client.ask(asked | {(at, "decimals"): Call(at, "decimals()->(uint8)") for at in feeds})
    phases = {
        (at, phase): Call(at, "phaseAggregators(uint16)->(address)", (phase,))
        for at in feeds
        for phase in range(1, (answers[at, "phase"] or 0) + 1)
    }
    behind = client.ask(phases)
    places: dict[str, tuple[str, int]] = {}
    for at in feeds:
        if answers[at, "phase"] is None:
            places.setdefault(at, (at, 0))
    for (at, phase), aggregator in behind.items():
        if aggregator != ZERO_ADDRESS:
            places.setdefault(aggregator, (at, phase))

    def answer(event: Mapping[str, Any], log: Log) -> Rows:
        proxy, phase = places[log.address]
        yield (
            "observations",
            {
                "source": entity_id(client.chain, proxy),
                "round": str(phase << ROUND_BITS | event["roundId"]),
                "value_raw": event["current"],
                "decimals": answers[proxy, "decimals"],
                "updated_at": event["updatedAt"],
            },
        )

    shape = "AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt)"
    return [source(f"{deployment.protocol} {deployment.instance}", list(places), {shape: answer})] if places else []
