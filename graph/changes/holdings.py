"""Who has what, in two graphs: what is behind claims, supplies and debts, balances, reserves of pools, what vaults lend; of a file of exposures, its claims.

Amounts are compared in whole tokens, so that a price that moved moves none of them. Auctions, backstops, ticks, bands and depth are not compared.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from chain.tables import each_row
from chain.units import WAD
from graph.changes.moved_rows import moved_rows
from graph.changes.smallest_move import is_told
from graph.identity import told_apart
from graph.protocol_graph import ProtocolGraph

TOPICS = ("claim", "backing", "supply", "debt", "balance", "pool", "vault")
_COMPARED: Mapping[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "backings": (("claim", "backing", "holder"), "backing", ("amount_raw", "rate_wad")),
    "supplies": (("source", "target", "asset"), "asset", ("amount_raw",)),
    "borrows": (("source", "target", "asset"), "asset", ("amount_raw",)),
    "holds": (("source", "target"), "target", ("amount_raw",)),
    "trades_in": (("source", "target"), "source", ("reserve_raw",)),
    "allocates_to": (("source", "target", "asset"), "asset", ("allocated_raw", "cap_raw")),
}
"""Table or relation -> which row it is, what its amounts are of, its amounts."""
_OF_CLAIMS: Mapping[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "backings": (("claim", "backing"), "backing", ("amount_raw",)),
    "balances": (("holder", "asset"), "asset", ("amount_raw",)),
}
_DIGITS = (6, 10)
"""Digits in which two amounts are written, until they read differently; else they are written out."""
_EXACT = Context(prec=200)
"""More digits than a uint256 and the decimals of a token have."""


@dataclass(frozen=True)
class Holding:
    """One amount: `about` whom or what, `label` is whose; in whole tokens, None where it was not read; `price_usd` of one, where known."""

    topic: str
    node: str
    about: str
    label: str
    what: str
    amount: Fraction | None
    price_usd: float | None
    evidence: str


Key = tuple[str, ...]
Tables = dict[str, pd.DataFrame]


def changed_holdings(
    before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str], least: Fraction
) -> list[dict[str, Any]]:
    """Amounts that are new, gone, or moved by `least` of what they were or more (`graph.changes.smallest_move`); `moved` as `graph.timeline.aligned` gives it.

    Returns
    -------
    Rows as of `graph.changes.table.changes`, by topic, then what moved most USD, then by name; rows about one thing stand together.
    """
    tables = _that_moved(before, after, moved, least)
    old, new = _by_key(before, tables[0], {}), _by_key(after, tables[1], moved)
    rows = []
    for key in old.keys() | new.keys():
        row = _difference(old.get(key), new.get(key), least)
        if row is not None:
            rows.append(row)
    weight: dict[tuple[str, str], float] = {}
    for row in rows:
        group = (row["node"], row["about"])
        weight[group] = weight.get(group, 0.0) + _size(row["change_usd"])
    return sorted(
        rows,
        key=lambda row: (
            TOPICS.index(row["topic"]),
            -weight[row["node"], row["about"]],
            row["about"],
            row["node"],
            -_size(row["change_usd"]),
            -_size(row["change"]),
            row["label"],
            row["what"],
        ),
    )


def _that_moved(
    before: ProtocolGraph, after: ProtocolGraph, moved: Mapping[str, str], least: Fraction
) -> tuple[Tables, Tables]:
    """The tables that are compared, of both graphs, without the rows that did not move (`graph.changes.moved_rows`)."""
    units = [dict(zip(*(graph.snapshot["assets"][name] for name in ("asset", "decimals")), strict=True)) for graph in (before, after)]  # fmt: skip
    other_unit = [asset for asset in units[0].keys() & units[1].keys() if units[0][asset] != units[1][asset]]
    found: tuple[Tables, Tables] = ({}, {})
    for name, (keys, of, amounts) in (_OF_CLAIMS if before.is_of_claims else _COMPARED).items():
        old, new = ((graph.relations if name in graph.relations else graph.snapshot)[name] for graph in (before, after))
        was, now = (table[~table[of].isin(other_unit)] for table in (old, new))
        left = moved_rows(was, now, keys, amounts, moved, least)
        for side, table, part in zip(found, (old, new), left, strict=True):
            side[name] = pd.concat([part, table[table[of].isin(other_unit)]]) if other_unit else part
    return found


def _by_key(graph: ProtocolGraph, tables: Tables, moved: Mapping[str, str]) -> dict[Key, Holding]:
    found = _claims(graph, tables) if graph.is_of_claims else _holdings(graph, tables)
    return {tuple(moved.get(part, part) for part in key): holding for key, holding in found}


def _difference(was: Holding | None, now: Holding | None, least: Fraction) -> dict[str, Any] | None:
    """The row of one amount; None where it did not move, where neither was read, and for a rate or cap of what is new or gone."""
    one = now or was
    assert one is not None
    if was is None or now is None:
        if not one.amount or one.what != "amount":
            return None
        amounts = [Fraction(0) if side is None else side.amount for side in (was, now)]
    else:
        amounts = [was.amount, now.amount]
    change = None if amounts[0] is None or amounts[1] is None else amounts[1] - amounts[0]
    if change is None and amounts[0] == amounts[1]:
        return None
    if amounts[0] is not None and amounts[1] is not None and not is_told(amounts[0], amounts[1], least):
        return None
    price = one.price_usd if one.price_usd is not None or was is None else was.price_usd
    texts = _texts(amounts)
    return {
        "topic": one.topic,
        "node": one.node,
        "about": one.about,
        "label": one.label,
        "what": "added" if was is None else "removed" if now is None else one.what,
        "before": texts[0],
        "after": texts[1],
        "change": None if change is None else float(change),
        "change_usd": None if change is None or price is None else float(change) * price,
        "evidence": one.evidence,
    }


def _claims(graph: ProtocolGraph, tables: Tables) -> Iterator[tuple[Key, Holding]]:
    """Rows of a file of exposures, by the two names: whoever has claims and is owed nothing is an account there, else an asset."""
    labels, whole = graph.own_labels, _whole(graph)
    claims = (
        *((row, row.backing, labels[row.claim]) for row in each_row(tables["backings"])),
        *((row, row.asset, labels[row.holder]) for row in each_row(tables["balances"])),
    )
    for row, asset, name in claims:
        on, amount = labels[asset], whole(asset, row.amount_raw)
        yield ("claim", on, name), Holding("claim", asset, f"Claims on {on}", name, "amount", amount, 1.0, row.evidence)


def _holdings(graph: ProtocolGraph, tables: Tables) -> Iterator[tuple[Key, Holding]]:
    """Every amount in these tables, by who has it and what it is of."""
    names, whole = _names(graph), _whole(graph)
    prices = {row.node: row.price_usd for row in each_row(graph.nodes["asset"]) if not pd.isna(row.price_usd)}

    def one(topic: str, node: str, about: str, label: str, asset: str, raw: Any, evidence: str, what: str = "amount") -> Holding:  # fmt: skip
        price = prices.get(asset) if what == "amount" else None
        return Holding(topic, node, about, label, what, whole(asset, raw), price, evidence)

    for row in each_row(tables["backings"]):
        key, about, label = (row.claim, row.backing, row.holder), f"Behind {names(row.claim)}", names(row.backing)
        yield ("backing", *key), one("backing", row.claim, about, label, row.backing, row.amount_raw, row.evidence)
        if not pd.isna(row.rate_wad):
            rate = Fraction(int(row.rate_wad), WAD)
            yield ("rate", *key), Holding("backing", row.claim, about, label, "rate", rate, None, row.evidence)
    for relation, topic, verb in (("supplies", "supply", "supplied to"), ("borrows", "debt", "owed to")):
        for row in each_row(tables[relation]):
            key, about = (row.source, row.target, row.asset), f"{names(row.asset)} {verb} {names(row.target)}"
            yield (topic, *key), one(topic, row.target, about, names(row.source), row.asset, row.amount_raw, row.evidence)  # fmt: skip
    for row in each_row(tables["holds"]):
        about, label = f"{names(row.target)} held", names(row.source)
        yield ("balance", row.source, row.target), one("balance", row.target, about, label, row.target, row.amount_raw, row.evidence)  # fmt: skip
    for row in each_row(tables["trades_in"]):
        about, label = f"{names(row.target)} holds", names(row.source)
        yield ("pool", row.source, row.target), one("pool", row.target, about, label, row.source, row.reserve_raw, row.evidence)  # fmt: skip
    for row in each_row(tables["allocates_to"].dropna(subset="asset")):
        about, label = f"{names(row.source)} lends {names(row.asset)}", names(row.target)
        for what, raw in (("amount", row.allocated_raw), ("cap", row.cap_raw)):
            if not pd.isna(raw):
                yield (what, row.source, row.target), one("vault", row.source, about, label, row.asset, raw, row.evidence, what)  # fmt: skip


def _names(graph: ProtocolGraph) -> Callable[[str], str]:
    """The name of a node; assets and pools of one name have the end of their key behind it."""
    apart: dict[str, str] = {}
    for kind in ("asset", "pool"):
        apart |= told_apart({key: graph.label(key) for key in graph.nodes[kind]["node"].tolist()})
    return lambda key: apart.get(key) or graph.label(key)


def _whole(graph: ProtocolGraph) -> Callable[[str, Any], Fraction | None]:
    """Smallest units of an asset -> whole tokens; what has no decimals stays as it is."""
    assets = graph.snapshot["assets"]
    decimals = dict(zip(assets["asset"], assets["decimals"], strict=True))

    def whole(asset: str, raw: Any) -> Fraction | None:
        return None if pd.isna(raw) else Fraction(int(raw), 10 ** int(decimals.get(asset) or 0))

    return whole


def _texts(amounts: list[Fraction | None]) -> list[str]:
    for digits in (*_DIGITS, None):
        texts = ["none" if amount is None else _written(amount, digits) for amount in amounts]
        if texts[0] != texts[1]:
            break
    return texts


def _written(amount: Fraction, digits: int | None) -> str:
    if digits is None:
        return f"{_EXACT.divide(Decimal(amount.numerator), Decimal(amount.denominator)):,f}"
    return f"{round(amount):,}" if amount >= 1000 and digits == _DIGITS[0] else f"{float(amount):,.{digits}g}"


def _size(value: float | None) -> float:
    return 0.0 if value is None else abs(value)
