"""Price sources: what a market asks for a price, step by step down to the feed that publishes.

A *feed* answers latestRoundData (AggregatorV3Interface of @chainlink/contracts). What stands between a market and a feed is read by
`price_adapters`: a step that multiplies (`rate`), caps (`capped`) or replaces (`fixed`) an answer, with the most it lets through in
`cap_raw`; the next step is what it reads; several feeds of one source multiply each other. The round is the feed's own count; a proxy puts
its phase above 64 bits, and it grows by one each time the aggregator behind the proxy is replaced (EACAggregatorProxy: phaseId, and the
round's upper bits; the two are held together). Anything else is `unknown`, its last answer kept. Heartbeat and deviation are not on chain:
they come from the deployments file; of a feed without them, and of what is unknown, `price_behaviour` says what it does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chain.deployments import Deployment
from chain.findings import Findings, Progress
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.together import Inquiry
from chain.readers import price_adapters
from chain.readers.price_adapters import Adapter
from chain.units import entity_id

VERSION = 4
MOST_STEPS = 5
ROUND_BITS = 64

ASKS = {
    "decimals": "decimals()->(uint8)",
    "description": "description()->(string)",
    "round": "latestRoundData()->(uint80,int256,uint256,uint256,uint80)",
    "phase": "phaseId()->(uint16)",
    "answer": "latestAnswer()->(int256)",
}


def read(client: Client, deployment: Deployment, found: Findings, progress: Progress) -> None:
    """Take up the feeds of the file with what the operator publishes about them."""
    del client
    for feed in deployment.feeds:
        found.source(feed.address)
        found.entity(feed.address, "feed", feed.pair, deployment.protocol)
        found.sources[feed.address] = (feed.pair, feed.heartbeat_seconds, feed.deviation_bps)
    progress("chainlink", len(deployment.feeds), len(deployment.feeds), "done")


def describe(found: Findings) -> Inquiry[None]:
    """Add the steps of every price source that was mentioned; ContractError never, an unreadable source is `unknown`."""
    chain = found.anchor.chain
    sources = [at for at in found.sources if entity_id(chain, at) not in found.explained]
    answers, adapters = yield from _levels(sources, found.anchor.timestamp)

    silent = [pair[0] for at, pair in found.sources.items() if pair and answers[at]["round"] is None]
    if silent:
        found.gaps.append(
            f"feeds that answer no latestRoundData: {', '.join(silent)}; check them in the deployments file"
        )
    for source in sources:
        for step, address in enumerate(_way(source, adapters)):
            _step(found, source, step, address, answers[address], adapters[address])
    _same_everywhere(found)


def _levels(sources: list[str], timestamp: int) -> Inquiry[tuple[dict[str, dict[str, Any]], dict[str, Adapter | None]]]:
    """What every source and all that stands behind it answers, one level of adapters after the other, and which adapter each is."""
    answers: dict[str, dict[str, Any]] = {}
    adapters: dict[str, Adapter | None] = {}
    wanted, texts = sources, ASKS | price_adapters.ASKS
    for _ in range(MOST_STEPS):
        asked = yield {(at, name): Call(at, text, optional=True) for at in wanted for name, text in texts.items()}
        answers |= {at: {name: asked[at, name] for name in texts} for at in wanted}
        told = yield {at: call for at in wanted if (call := price_adapters.rate_call(answers[at])) is not None}
        for at in wanted:
            answers[at]["rate"] = told.get(at)
        adapters |= {at: price_adapters.adapter(answers[at], timestamp) for at in wanted}
        reads = {at for one in wanted if (known := adapters[one]) for at in (known.times, known.reads) if at}
        wanted = sorted(reads - set(answers))
    return answers, adapters


def _way(source: str, adapters: Mapping[str, Adapter | None]) -> Iterator[str]:
    """The contracts from a source down to the last that was read; a feed that multiplies comes before what the adapter reads."""
    address: str | None = source
    for _ in range(MOST_STEPS):
        if address is None or address not in adapters:
            return
        yield address
        known = adapters[address]
        if known and known.times and known.times in adapters:
            yield known.times
        address = known.reads if known else None


def _step(
    found: Findings, source: str, step: int, address: str, answer: dict[str, Any], adapter: Adapter | None
) -> None:
    pair, heartbeat, deviation = found.sources.get(address) or (None, None, None)
    columns: dict[str, Any] = {"kind": "unknown", "value_raw": answer["answer"], "decimals": answer["decimals"]}
    function, state = "latestAnswer", "unknown"
    if adapter is not None:
        function, state = adapter.function, "hard_coded" if adapter.kind == "fixed" else "unknown"
        columns = {"kind": adapter.kind, "value_raw": adapter.value, "decimals": adapter.decimals}
        columns["cap_raw"] = adapter.cap
        if adapter.provider:
            found.entity(adapter.provider, "contract")
        if adapter.kind == "capped" and adapter.cap is None:
            found.gaps.append(f"{address}: its cap follows another feed (getPriceCapRatio) and is not read")
        if answer["is_capped"] is not None and adapter.cap is not None:
            found.witness("capped", (entity_id(found.anchor.chain, source), str(step)), answer["is_capped"])
    elif answer["round"] is not None:
        function = "latestRoundData"
        number, value, _, updated_at, _ = answer["round"]
        columns = {"kind": "feed", "value_raw": value, "decimals": answer["decimals"]}
        columns["updated_at"] = updated_at if updated_at <= found.anchor.timestamp else None
        columns |= {"round_raw": number, "phase": number >> ROUND_BITS}
        if answer["phase"] is not None and answer["phase"] != number >> ROUND_BITS:
            found.gaps.append(
                f"{address}: the latest round is of phase {number >> ROUND_BITS}, the proxy is in {answer['phase']}"
            )
        if updated_at > found.anchor.timestamp:
            found.gaps.append(
                f"{address}: the time of the latest round, {updated_at}, lies after the block; it is left out"
            )
        elif heartbeat is not None:
            state = "stale" if found.anchor.timestamp - updated_at > heartbeat else "live"
    description = pair or answer["description"]  # the pair is what people know the feed by
    found.add(
        "feeds",
        found.asked(function, address),
        source=found.entity(source, "feed"),
        step=step,
        address=found.entity(address, "feed", description),
        description=description,
        heartbeat_seconds=heartbeat,
        deviation_bps=deviation,
        state=state,
        **columns,
    )


def answers_about_many(found: Findings) -> Inquiry[None]:
    """One row for each source that is what a contract answers about one asset, unless a reader has explained it."""
    about = {source: call for source, call in found.answers.items() if source not in found.explained and "/" in source}
    asked = yield {
        source: Call(call.address, call.text, call.arguments, optional=True) for source, call in about.items()
    }
    for source, call in about.items():
        found.add(
            "feeds", found.asked(call.name, call.address), source=source, step=0, kind="unknown", state="unknown",
            address=found.entity(call.address, "feed"), value_raw=asked[source],
        )  # fmt: skip


def _same_everywhere(found: Findings) -> None:
    """A feed has one state: where it is a step that another reader added, it has what the address book says of it, too."""
    known = {row["address"]: row for row in found.rows.get("feeds", ()) if row["state"] in ("live", "stale")}
    for row in found.rows.get("feeds", ()):
        if row["state"] == "unknown" and row["kind"] in ("feed", "ratio") and row["address"] in known:
            same = known[row["address"]]
            row |= {name: same[name] for name in ("state", "heartbeat_seconds", "deviation_bps")}
