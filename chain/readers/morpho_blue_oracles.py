"""What stands behind the price() of a Morpho oracle, where it tells: vaults, feeds and a scale, by public getters.

MorphoChainlinkOracleV2 (morpho-org/morpho-blue-oracles@01dd2918, src/morpho-chainlink/MorphoChainlinkOracleV2.sol): the price is
scale x vault x feed 1 x feed 2 of the base over vault x feed 1 x feed 2 of the quote, rounded down once; what is not there (the zero address)
counts as 1. One without any part answers its scale for ever: it is `fixed`, hard-coded. An oracle of another form stays `unknown`.
"""

from collections.abc import Mapping
from typing import Any

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.units import ZERO_ADDRESS, entity_id

FEEDS = ("QUOTE_FEED_2", "QUOTE_FEED_1", "BASE_FEED_2", "BASE_FEED_1")
"""In the order of their steps: what the price follows, the base's first feed, comes last."""
VAULTS = ("QUOTE_VAULT", "BASE_VAULT")
GETTERS = {name: f"{name}()->(address)" for name in (*FEEDS, *VAULTS)}
GETTERS |= {f"{vault}_CONVERSION_SAMPLE": f"{vault}_CONVERSION_SAMPLE()->(uint256)" for vault in VAULTS}
GETTERS |= {"SCALE_FACTOR": "SCALE_FACTOR()->(uint256)"}
ROUND = "latestRoundData()->(uint80,int256,uint256,uint256,uint80)"
ROUND_BITS = 64
PRICE = "price()->(uint256)"


def read(client: Client, oracles: Mapping[tuple[str, str], str], found: Findings) -> None:
    """Add the steps behind each oracle and the price that they give. `oracles` are by (market, collateral)."""
    # Where
    every = sorted({at for at in oracles.values() if at != ZERO_ADDRESS})
    asked = client.ask({(at, name): Call(at, text, optional=True) for at in every for name, text in GETTERS.items()})
    parts = {at: {name: asked[at, name] for name in GETTERS} for at in every}
    known = [at for at in every if None not in parts[at].values()]

    # Ask
    calls: dict[tuple[str, str], Call] = {(at, "price"): Call(at, PRICE, optional=True) for at in every}
    for at in known:
        for name in (*VAULTS, *FEEDS):
            part = parts[at][name]
            if part == ZERO_ADDRESS:
                continue
            if name in FEEDS:
                calls[part, "round"] = Call(part, ROUND, optional=True)
                calls[part, "decimals"] = Call(part, "decimals()->(uint8)", optional=True)
            else:
                sample = parts[at][f"{name}_CONVERSION_SAMPLE"]
                calls[at, name] = Call(part, "convertToAssets(uint256)->(uint256)", (sample,), optional=True)
    answers = client.ask(calls)

    # Rows
    for at in every:
        _own_step(found, at, parts[at] if at in known else None, answers[at, "price"])
    implied = {at: _steps(found, at, parts[at], answers) for at in known}
    for subject, at in oracles.items():
        if (price := implied.get(at)) is not None:
            found.witness("oracle parts", subject, price)


def _own_step(found: Findings, oracle: str, parts: Mapping[str, Any] | None, price: int | None) -> None:
    """The oracle itself, and how it is asked. `parts` are None where its form is not known; its scale is whole wherever it answers."""
    is_fixed = parts is not None and all(parts[name] == ZERO_ADDRESS for name in (*VAULTS, *FEEDS))
    source = found.source(oracle)
    found.explained.add(source)
    found.answers[source] = Call(oracle, PRICE, optional=True)
    found.add(
        "feeds", found.asked("SCALE_FACTOR, no vault and no feed" if is_fixed else "price", oracle), source=source, step=0,
        kind="fixed" if is_fixed else "unknown", address=source, value_raw=price, state="hard_coded" if is_fixed else "unknown",
    )  # fmt: skip


def _steps(
    found: Findings, oracle: str, parts: Mapping[str, Any], answers: Mapping[tuple[str, str], Any]
) -> int | None:
    """One row for each part, and the price that all of them give (None where one is silent). A part of the quote divides: kind `ratio`."""
    above, below, is_whole = int(parts["SCALE_FACTOR"]), 1, True
    step = 0
    for name in (*VAULTS, *FEEDS):
        at, is_feed = parts[name], name in FEEDS
        if at == ZERO_ADDRESS:
            continue
        step += 1
        answer = answers[at, "round"] if is_feed else answers[oracle, name]
        value = None if answer is None else answer[1] if is_feed else answer
        is_whole = is_whole and value is not None and value >= 0
        is_quote = name.startswith("QUOTE")
        above, below = (above, below * (value or 0)) if is_quote else (above * (value or 0), below)
        if is_feed:
            found.source(at)
        sample = str(parts.get(f"{name}_CONVERSION_SAMPLE", 1))
        found.add(
            "feeds",
            found.asked("latestRoundData" if is_feed else "convertToAssets", at),
            source=entity_id(found.anchor.chain, oracle),
            step=step,
            kind="ratio" if is_quote else "feed" if is_feed else "rate",
            address=found.entity(at, "feed" if is_feed else "vault"),
            description=name,
            value_raw=value,
            decimals=answers[at, "decimals"] if is_feed else len(sample) - 1,
            updated_at=answer[3] if is_feed and answer and answer[3] <= found.anchor.timestamp else None,
            round_raw=answer[0] if is_feed and answer else None,
            phase=answer[0] >> ROUND_BITS if is_feed and answer else None,
            state="unknown",
        )
    return above // below if is_whole and below else None
