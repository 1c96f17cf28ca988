"""Prices that do not move, found by what a source does where its form does not say it.

A price that never moves decides how a fall runs: nobody is liquidated, and what is owed stays uncovered. Three looks, each of which needs
nothing but a node:

- what the answer reads: eth_createAccessList of the very call that a market makes. An answer that reads no storage and no other contract
  comes from the contract's code alone; with the same answer at an earlier block (so that it does not count time) it is `hard_coded`;
- what it answered before: the same at every earlier block where the node knows it, while the market's own asset moved by MOVED against
  what it is priced in, by other sources of the same snapshot. Such a source is `hard_coded`, or `stale` if it names a time of its own that
  has stood still as well;
- round data that say nothing: a time of 0, or the block's own time, is no time of publication.

Earlier blocks lie 100 blocks back, which every node keeps, and a day, a week and 30 days, which an archive node knows. Every finding says
in its evidence what it rests on; where a node does not answer, the state stays `unknown`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.findings import Findings
from chain.node.calls import Call
from chain.node.client import Client
from chain.node.facts import Earlier, Touched
from chain.node.together import Inquiry
from chain.units import address_of

LATEST = "latestAnswer()->(int256)"
ROUND = "latestRoundData()->(uint80,int256,uint256,uint256,uint80)"
NEAR_BLOCKS, DAYS, DAY_SECONDS = 100, (1, 7, 30), 86_400
MOVED = 0.02
"""Least relative move of a price, against what it is quoted in, that a source would have had to show."""
USD = "iso4217:USD"


@dataclass(frozen=True)
class Look:
    """What a source did: its value now and by earlier block, the time that it names, and how many slots and contracts it reads."""

    now: int
    before: Mapping[int, int]
    time_now: int | None
    times: Mapping[int, int | None]
    reads: int | None

    @property
    def is_same(self) -> bool:
        """Whether it answered the same at every earlier block of which anything is known, at least one."""
        return bool(self.before) and set(self.before.values()) == {self.now}


def settle(client: Client, found: Findings) -> Inquiry[None]:
    """Set the state of steps whose form does not tell it; all rows of feeds and prices must be there."""
    # Where
    last = _last_steps(found)
    undecided = {
        source: row
        for source, row in last.items()
        if row["state"] == "unknown" and row["kind"] in ("unknown", "feed") and row["value_raw"] is not None
    }
    if not undecided:
        return
    calls = {source: _call(found, source, row) for source, row in undecided.items()}

    # Ask
    blocks = _earlier_blocks(client)
    priced = _usd_sources(found, last)
    asked = {source: _call(found, source, last[source]) for source in priced.values()} | calls
    answers = yield {(block, source): Earlier(call, block) for block in blocks for source, call in asked.items()} | {
        ("reads", source): Touched(call) for source, call in calls.items()
    }
    before = {block: _values({source: answers[block, source] for source in asked}) for block in blocks}

    # Rows
    for source, row in undecided.items():
        look = Look(
            row["value_raw"],
            {block: values[source][0] for block, values in before.items() if source in values},
            row.get("updated_at"),
            {block: values[source][1] for block, values in before.items() if source in values},
            answers["reads", source],
        )
        state, why = judged(look, _move(found, source, priced, last, before), found.anchor.timestamp)
        if why:
            row["state"] = state
            row["evidence"] += f"; {why}"


def judged(look: Look, moved: tuple[int, float] | None, timestamp: int) -> tuple[str, str]:
    """The state that a look shows, and why; `unknown` and nothing where it shows none.

    Parameters
    ----------
    moved : an earlier block, and the relative move since then of what is priced, against what it is priced in; None if that is not known.
    timestamp : of the pinned block, s.
    """
    if not look.is_same:
        return "unknown", ""
    same = f"the same answer at {', '.join(f'block {block}' for block in sorted(look.before))}"
    if look.reads == 0:
        return "hard_coded", f"reads no storage and no other contract (eth_createAccessList), {same}"
    if moved is None or moved[0] not in look.before or abs(moved[1]) < MOVED:
        return "unknown", ""
    still = f"{same}, while what it prices moved by {100 * moved[1]:+.1f} % since block {moved[0]}"
    if look.time_now is None:
        return "hard_coded", still
    if look.time_now in (0, timestamp):
        return "hard_coded", f"{still}; it names no time of publication"
    if look.times.get(min(look.before)) == look.time_now:
        return "stale", f"the same round and {still}"
    return "hard_coded", f"{still}; each time published anew"


def _last_steps(found: Findings) -> dict[str, dict[str, Any]]:
    """Source -> its last step: the one that nothing below explains."""
    last: dict[str, dict[str, Any]] = {}
    for row in found.rows.get("feeds", ()):
        if row["source"] not in last or row["step"] > last[row["source"]]["step"]:
            last[row["source"]] = row
    return last


def _call(found: Findings, source: str, row: Mapping[str, Any]) -> Call:
    """The call whose answer the last step of a source is."""
    if row["kind"] == "feed":
        return Call(address_of(row["address"]), ROUND, optional=True)
    return found.answers.get(source) or Call(address_of(row["address"]), LATEST, optional=True)


def _earlier_blocks(client: Client) -> list[int]:
    """Blocks to look back to, those that exist."""
    seconds = client.network.block_interval_seconds
    back = [NEAR_BLOCKS, *(round(days * DAY_SECONDS / seconds) for days in DAYS)]
    return [client.anchor.number - blocks for blocks in back if blocks < client.anchor.number]


def _values(answers: Mapping[str, Any]) -> dict[str, tuple[int, int | None]]:
    """(value, time that it names) of each source at a block, where anything is known."""
    return {
        source: (answer[1], answer[3]) if isinstance(answer, tuple) else (answer, None)
        for source, answer in answers.items()
        if answer is not None
    }


def _usd_sources(found: Findings, last: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Asset -> a feed that some market of the snapshot asks for its price in USD, and nothing between them."""
    return {
        row["asset"]: row["source"]
        for row in found.rows.get("prices", ())
        if row["quote_asset"] == USD
        and row.get("source") in last
        and (last[row["source"]]["kind"], last[row["source"]]["step"]) == ("feed", 0)
    }


def _move(
    found: Findings,
    source: str,
    priced: Mapping[str, str],
    last: Mapping[str, Mapping[str, Any]],
    before: Mapping[int, Mapping[str, tuple[int, int | None]]],
) -> tuple[int, float] | None:
    """(block, relative move since) of what a source prices, by other sources than itself; the largest that is known."""
    moves: list[tuple[int, float]] = []
    for row in found.rows.get("prices", ()):
        if row.get("source") != source or priced.get(row["asset"], source) == source:
            continue
        legs: Sequence[str] = [priced[row["asset"]]]
        if row["quote_asset"] != USD:
            if priced.get(row["quote_asset"], source) == source:
                continue
            legs = [*legs, priced[row["quote_asset"]]]
        for block, values in before.items():
            if any(values.get(leg, (0,))[0] <= 0 for leg in legs):
                continue
            ratio = [last[leg]["value_raw"] / values[leg][0] for leg in legs]
            moves.append((block, ratio[0] / (ratio[1] if len(ratio) > 1 else 1.0) - 1))
    return max(moves, key=lambda move: abs(move[1]), default=None)
