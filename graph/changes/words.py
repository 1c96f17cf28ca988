"""Changes in words: a sentence for each, and one for all rows about one thing, so that a thousand holders of a token fill one line."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from graph.changes.table import SWITCHES

MANIFOLD, LITTLE = 10, 0.001
"""A price that rose to more than so many times itself is told by both prices; of less than this part the first digits are told."""
FEW = 3
"""So many holders are named one by one; of more, how many moved which way, and the first."""
_MEMBERS = {
    "claim": "holders",
    "supply": "suppliers",
    "debt": "borrowers",
    "balance": "holders",
}
"""Who the rows of a topic are where they can be many, all in one unit; the rows of other topics are always named one by one."""
_DID = {"new": "are new", "gone": "are gone", "more": "have more", "less": "have less"}
Row = Mapping[Any, Any]


def in_words(found: pd.DataFrame) -> list[str]:
    """The changes as sentences, in the order of the table."""
    return [sentence for _, sentence in told(found)]


def told(found: pd.DataFrame) -> list[tuple[str, str]]:
    """(topic, sentence) in the order of the table; rows that follow each other and are about one thing are one sentence."""
    sentences = []
    for (topic, _, about), some in groupby(found.to_dict("records"), _group):
        rows = list(some)
        sentences += [(topic, _of_many(topic, about, rows))] if about else [(topic, _sentence(row)) for row in rows]
    return sentences


def shortened(sentences: Sequence[tuple[str, str]], most: int) -> list[str]:
    """At most so many of the sentences, in their order: where there are more, every topic keeps its first ones."""
    kept: list[int] = []
    place: dict[str, int] = {}
    for number, (topic, _) in enumerate(sentences):
        place[topic] = place.get(topic, 0) + 1
        kept.append(place[topic] * len(sentences) + number)
    chosen = sorted(order % len(sentences) for order in sorted(kept)[:most])
    return [sentences[number][1] for number in chosen]


def _group(row: Row) -> tuple[str, str, str]:
    return str(row["topic"]), str(row["node"]), "" if pd.isna(row["about"]) else str(row["about"])


def _of_many(topic: str, about: str, rows: Sequence[Row]) -> str:
    if topic not in _MEMBERS or len(rows) <= FEW:
        return f"{about}: {', '.join(map(_member, rows))}."
    counts = {"new": 0, "gone": 0, "more": 0, "less": 0}
    for row in rows:
        counts[{"added": "new", "removed": "gone"}.get(row["what"], "more" if row["change"] > 0 else "less")] += 1
    kinds = {word: count for word, count in counts.items() if count}
    which = ", ".join(f"{count:,} {word}" for word, count in kinds.items())
    did = f"moved ({which})" if len(kinds) > 1 else _DID[next(iter(kinds))]
    change, usd = sum(row["change"] for row in rows), sum(row["change_usd"] for row in rows)
    worth = "" if topic == "claim" or pd.isna(usd) else f" (${abs(usd):,.0f})"
    dollar = "$" if topic == "claim" else ""
    size = f"{dollar}{abs(change):,.0f}" if abs(change) >= 1000 else f"{dollar}{abs(change):,.6g}"
    balance = f"{size}{worth} {'more' if change > 0 else 'less'} in all"
    return f"{about}: {len(rows):,} {_MEMBERS[topic]} {did}, {balance}; most {_member(rows[0])}."


def _member(row: Row) -> str:
    label, what = str(row["label"]), str(row["what"])
    dollar = "$" if row["topic"] == "claim" else ""
    if what == "added":
        return f"{label} {dollar}{row['after']} (new)"
    if what == "removed":
        return f"{label} {dollar}{row['before']} (gone)"
    of = {"rate": "rate of ", "cap": "at most to "}.get(what, "")
    return f"{of}{label} from {dollar}{row['before']} to {dollar}{row['after']}"


def _sentence(row: Row) -> str:
    what, label = str(row["what"]), str(row["label"])
    if what in ("added", "removed"):
        return f"{label} was {what}."
    if any(what in words for words in SWITCHES.values()):
        return f"{label} was {what}."
    if row["topic"] == "amount":
        word, rise = what.removesuffix("_usd"), row["change_usd"] > 0
        return f"{label}: {word} {'rose' if rise else 'fell'} by ${abs(row['change_usd']):,.0f} to ${float(row['after']):,.0f}."
    if row["topic"] == "price" and row["after"] == "none":
        return f"{label} has no price any more; it was ${float(row['before']):,.6g}."
    if row["topic"] == "price" and row["before"] == "none":
        return f"{label} has a price now: ${float(row['after']):,.6g}."
    if row["topic"] == "price":
        was, now = float(row["before"]), float(row["after"])
        if now > MANIFOLD * was:
            return f"{label} rose from ${was:,.6g} to ${now:,.6g}."
        move, text = abs(now / was - 1), f"{now:,.6g}"
        text = text if text != f"{was:,.6g}" else f"{now:,}"
        size = f"{move:.1%}" if move >= LITTLE else f"{100 * move:.2g}%"
        return f"{label} {'rose' if now > was else 'fell'} by {size} to ${text}."
    if what == "upgraded":
        return f"{label} was upgraded from {row['before']} to {row['after']}."
    word = what.removesuffix("_wad").removesuffix("_raw").removesuffix("_ray").replace("_", " ")
    return f"{label}: {word} went from {row['before']} to {row['after']}."
