"""Comparisons of prices with the chain: the oracle's price against the steps below it, and caps against what the adapters say of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chain.comparisons.comparison import Comparison, Rows, Subject, compare
from chain.tables import Row


def prices(rows: Rows) -> Comparison:
    """The oracle's price is what its source's steps give: the last answer, times each rate above it, rounded down, and never above a cap."""
    steps: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows.get("feeds", ()), key=lambda row: (row["source"], row["step"])):
        steps[row["source"]].append(row)
    pairs = {}
    for row in rows.get("prices", ()):
        value = _through(steps.get(row.get("source") or "", []), row["decimals"])
        if value is not None:
            pairs[row["market"], row["asset"]] = (value, row["price_raw"])
    return compare("prices", "the oracle's price is what its source's steps give", pairs)


def _through(steps: Sequence[Row], decimals: int) -> int | None:
    """What comes out of the first step, None where a step is not understood or the last does not count in the price's decimals.

    A source of one step may count in fewer decimals: Compound's oracle only scales it. Feeds below an adapter that is not known multiply each
    other and are rounded down once (CLSynchronicityPriceAdapterPegToBase).
    """
    if not steps or steps[-1]["kind"] not in ("feed", "fixed") or steps[-1].get("decimals") is None:
        return None
    value: int = steps[-1]["value_raw"]
    spare: int = decimals - steps[-1]["decimals"]
    if len(steps) == 1 and spare > 0:
        return int(value * 10**spare)
    if spare:
        return None
    if [step["kind"] for step in steps] == ["unknown", "feed", "feed"]:
        return int(value * steps[1]["value_raw"] // 10 ** steps[1]["decimals"])
    for step in reversed(steps[:-1]):
        cap = step.get("cap_raw")
        if step["kind"] == "rate":
            rate = step["value_raw"] if cap is None else min(step["value_raw"], cap)
            value = value * rate // 10 ** step["decimals"]
        elif step["kind"] == "capped" and cap is not None:
            value = min(value, cap)
        else:
            return None
    return value


def caps(rows: Rows, answers: Mapping[Subject, Any]) -> Comparison:
    """A cap binds, by the rows, where the adapter says so (isCapped): the rate, or the answer of the step below, is above it.

    Parameters
    ----------
    answers : by (source, step as text): the adapter's isCapped.
    """
    by_place = {(row["source"], row["step"]): row for row in rows.get("feeds", ())}
    pairs = {}
    for (source, step), answer in answers.items():
        row, below = by_place[source, int(step)], by_place.get((source, int(step) + 1))
        value = row["value_raw"] if row["kind"] == "rate" else below["value_raw"] if below else None
        if value is not None:
            pairs[source, row["step"]] = (value > row["cap_raw"], bool(answer))
    return compare("feeds", "a cap binds where the adapter says so", pairs)
