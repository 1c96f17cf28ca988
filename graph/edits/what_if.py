"""What if: a snapshot as it would be after a few changes, with the one that was read left as it is.

Take something out, freeze or pause a market, change what is behind a claim, list a market or a vault, supply or borrow. The answer is a
snapshot like any other, so every question, the difference of two (`graph.changes.table.changes`) and every cascade work on it. Prices stay what
the markets say; who holds what beyond the entries stays too: nobody reacts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import pandas as pd

from chain.errors import InputError, unknown_name
from chain.snapshot import Snapshot
from chain.tables import each_row
from chain.units import UINT256_MAX, WAD
from graph.build import build
from graph.edits import addition, removal
from graph.edits.behind_claims import times
from graph.edits.settled_claims import settled
from graph.edits.tables import marked, told, with_values
from graph.protocol_graph import ProtocolGraph

STATES = ("frozen", "paused")
MOST_DIGITS = 78
"""So many digits has the largest uint256."""
_WORDS = {
    "positions": ("supply or debt", "supplies and debts"),
    "pool_assets": ("pool reserve", "pool reserves"),
    "pool_ticks": ("tick", "ticks"),
}
"""What rows of a table are called, one and several; other tables by their name."""


@dataclass(frozen=True)
class Remove:
    """Take out a node, or one relation between two nodes."""

    node: str = ""
    relation: str = ""
    source: str = ""
    target: str = ""
    asset: str | None = None
    where: str = "remove"


@dataclass(frozen=True)
class Freeze:
    """Freeze (no new supplies or debts) or pause (nothing moves, liquidations included) an asset in a market, or all of it."""

    market: str
    asset: str | None = None
    state: str = "frozen"
    where: str = "freeze"


@dataclass(frozen=True)
class Back:
    """Another amount behind a claim: what is there times `factor`, or `rate` whole tokens of it per whole claim."""

    claim: str
    backing: str
    factor: Decimal | None = None
    rate: Decimal | None = None
    where: str = "back"


@dataclass(frozen=True)
class NewMarket:
    """An empty market with the terms that another has for some assets; `terms` in basis points as in `graph.edits.addition.TERMS`."""

    name: str
    like: str
    assets: tuple[str, ...]
    terms: Mapping[str, int] = field(default_factory=dict)
    where: str = "market"


@dataclass(frozen=True)
class NewVault:
    """A vault that supplies so many whole tokens to a market, its shares backed one to one."""

    name: str
    market: str
    asset: str
    amount: Decimal
    where: str = "vault"


@dataclass(frozen=True)
class NewClaim:
    """So many whole tokens supplied, posted or owed, by somebody known (`owner`) or by a `new_owner`."""

    market: str
    asset: str
    side: str
    amount: Decimal
    owner: str = ""
    new_owner: str = ""
    is_collateral: bool = True
    where: str = "position"


Edit = Remove | Freeze | Back | NewMarket | NewVault | NewClaim


def what_if(source: Snapshot | ProtocolGraph, edits: Sequence[Edit]) -> Snapshot:
    """The snapshot after these changes, made in this order.

    Returns
    -------
    A new snapshot at the same anchors. Its caption says that it is a what-if, its gaps what was changed; the comparisons with the chain that
    the original passed are not its own, so they are left out. Rows that an entry changed or added have the status `file` and the entry in
    their evidence; a row that none touched keeps its own.

    Raises
    ------
    InputError
        If a name means nothing or several things, a value is out of range, or a change would change nothing; it says which entry.
    """
    graph = source if isinstance(source, ProtocolGraph) else build(source)
    before = graph.snapshot
    known, changed = _Names(graph, {}), before
    if not edits:
        raise InputError("there is nothing to change; give at least one entry")
    for edit in edits:
        try:
            after, known = _apply(known, changed, edit)
        except InputError as error:
            raise InputError(f"{edit.where}: {error}") from error
        changed = marked(changed, after, edit.where)
    count = f"{len(edits)} change{'s' if len(edits) > 1 else ''}"
    caption = f"what-if with {count}, not as it was read" + (f"; {before.caption}" if before.caption else "")
    checks = tuple(check for check in before.checks if not check.passed)
    return replace(settled(changed), name=f"{before.name}, what if", caption=caption, checks=checks)


@dataclass(frozen=True)
class _Names:
    """The names of the graph that was read, and those that earlier entries added: name -> (key, kind)."""

    graph: ProtocolGraph
    added: Mapping[str, tuple[str, str]]

    def find(self, fieldname: str, name: str, kind: str | None = None) -> str:
        if name in self.added and kind in (None, self.added[name][1]):
            return self.added[name][0]
        try:
            return self.graph.find(name, kind)
        except InputError as error:
            raise type(error)(f"{fieldname}: {error}") from error

    def kind(self, key: str) -> str:
        return next((kind for other, kind in self.added.values() if other == key), "") or self.graph.node_kind(key)

    def labels(self) -> dict[str, str]:
        return {**self.graph.labels, **{key: name for name, (key, _) in self.added.items()}}

    def plus(self, name: str, key: str, kind: str) -> "_Names":
        return replace(self, added={**self.added, name: (key, kind)})


def _apply(known: _Names, before: Snapshot, edit: Edit) -> tuple[Snapshot, _Names]:
    match edit:
        case Remove():
            return _remove(known, before, edit), known
        case Freeze():
            return _freeze(known, before, edit), known
        case Back():
            return _back(known, before, edit), known
        case NewMarket():
            return _market(known, before, edit)
        case NewVault():
            return _vault(known, before, edit)
        case NewClaim():
            return _claim(known, before, edit)


def _remove(known: _Names, before: Snapshot, edit: Remove) -> Snapshot:
    graph = known.graph
    if edit.node:
        named = known.find("node", edit.node)
        key = removal.meant(graph, named)
        after = removal.without_node(graph, before, key)
        what = f"{graph.label(named)} ({graph.node_kind(named)}{'' if key == named else ', with its vault'})"
    else:
        if edit.relation not in removal.RELATIONS:
            raise unknown_name("relation that can be removed", edit.relation, removal.RELATIONS)
        source, target = (
            removal.at_end(graph, known.find(end, name), edit.relation, end)
            for end, name in (("source", edit.source), ("target", edit.target))
        )
        asset = None if edit.asset is None else known.find("asset", edit.asset, "asset")
        after = removal.without_relation(graph, before, edit.relation, source, target, asset)
        one, verb, other = graph.label(source), edit.relation, graph.label(target)
        what = f"{other} behind {one}" if verb == "backs" else f"{one} {verb} {other}" + (f" in {graph.label(asset)}" if asset else "")  # fmt: skip
    gone = {name: len(before[name]) - len(after[name]) for name in before.tables}
    with_it = [f"{count:,} {_WORDS.get(name, (_one(name), name))[count > 1]}" for name, count in gone.items() if count]
    if not with_it and after is before:
        raise InputError(f"{what} is not there any more; an earlier entry took it out")
    return told(after, f"What-if: {what} is removed, and with it rows of the tables: {', '.join(with_it)}.")


def _one(table: str) -> str:
    """One row of a table in a word: balances, entities -> balance, entity."""
    return f"{table[:-3]}y" if table.endswith("ies") else table.removesuffix("s")


def _freeze(known: _Names, before: Snapshot, edit: Freeze) -> Snapshot:
    if edit.state not in STATES:
        raise unknown_name("state", edit.state, STATES)
    market = known.find("market", edit.market, "market")
    asset = None if edit.asset is None else known.find("asset", edit.asset, "asset")
    table, labels = before["reserves"], known.labels()
    chosen = ((table["market"] == market) & (True if asset is None else table["asset"] == asset)).tolist()
    what = f"{labels[asset]} in {labels[market]}" if asset else f"all of {labels[market]}"
    if not any(chosen):
        raise InputError(f"asset: {labels[market]} does not list {labels.get(asset or '', 'anything')}")
    if all(not pd.isna(now) and now for now, hit in zip(table[edit.state].tolist(), chosen, strict=True) if hit):
        raise InputError(f"{what} is {edit.state} already")
    return told(with_values(before, "reserves", chosen, **{edit.state: True}), f"What-if: {what} is {edit.state}.")


def _back(known: _Names, before: Snapshot, edit: Back) -> Snapshot:
    claim, backing = (known.find(name, getattr(edit, name), "asset") for name in ("claim", "backing"))
    table, labels = before["backings"], known.labels()
    chosen = ((table["claim"] == claim) & (table["backing"] == backing)).tolist()
    found = [row for row, hit in zip(each_row(table), chosen, strict=True) if hit]
    if not found:
        behind = ", ".join(labels.get(key, key) for key in sorted(set(table.loc[table["claim"] == claim, "backing"])))
        raise InputError(
            f"backing: {labels[backing]} is not behind {labels[claim]}; {behind or 'nothing that can be changed'} is"
        )
    if (edit.factor is None) == (edit.rate is None):
        raise InputError("give either factor or rate")
    if edit.rate is not None and "exposures" in before.readers:
        raise InputError("rate: a file of exposures states amounts and no rates; give a factor")
    given, size = ("factor", edit.factor) if edit.factor is not None else ("rate", edit.rate or Decimal(0))
    if not (size.is_finite() and size >= 0):
        raise InputError(f"{given}: {size} is no finite number from 0")
    _sized(given, size)
    after = before
    for row in found:
        if given == "rate" and not row.rate_wad:
            raise InputError(f"rate: no rate of {labels[claim]} was read that could be changed; give a factor")
        factor = Fraction(size) if given == "factor" else Fraction(size) * WAD / row.rate_wad
        values = times(row, factor)
        if any(value is not None and value > UINT256_MAX for value in values.values()):
            raise InputError(
                f"{given}: {size} is too large: what is behind {labels[claim]} would fit no uint256; give less"
            )
        mine = [hit and holder == row.holder for hit, holder in zip(chosen, table["holder"].tolist(), strict=True)]
        after = with_values(after, "backings", mine, **values)
    return told(
        after,
        f"What-if: what is behind {labels[claim]} in {labels[backing]} has {given} {size}; prices stay what the markets say.",
    )


def _market(known: _Names, before: Snapshot, edit: NewMarket) -> tuple[Snapshot, _Names]:
    like = known.find("like", edit.like, "market")
    assets, listed = [known.find("assets", name, "asset") for name in edit.assets], before["reserves"]
    lacking = [key for key in assets if key not in set(listed.loc[listed["market"] == like, "asset"])]
    labels = known.labels()
    if lacking or not assets:
        missing = labels[lacking[0]] if lacking else "nothing"
        raise InputError(f"assets: {labels[like]} does not list {missing}, so there are no terms to take")
    for term, value in edit.terms.items():
        if term not in addition.TERMS:
            raise unknown_name("term", term, addition.TERMS)
        _, least, most = addition.TERMS[term]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InputError(f"{term}: {value} is no whole number from {least} to {most}")
    key = addition.market_key(before, like, edit.name)
    after = addition.with_market(before, key, edit.name, like, assets, edit.terms, f"{edit.where}, like {like}")
    terms = ", ".join(f"{term} {value}" for term, value in edit.terms.items())
    text = f"What-if: a market {edit.name} with {', '.join(labels[asset] for asset in assets)}, like {labels[like]}{f' but {terms}' if terms else ''}."
    return told(after, text), known.plus(edit.name, key, "market")


def _vault(known: _Names, before: Snapshot, edit: NewVault) -> tuple[Snapshot, _Names]:
    market, asset = known.find("market", edit.market, "market"), known.find("asset", edit.asset, "asset")
    _positive(edit.amount)
    labels = known.labels()
    after, vault, share = addition.with_vault(before, edit.name, market, asset, edit.amount, edit.where, labels)
    text = f"What-if: a vault {edit.name} supplies {edit.amount:,} {labels[asset]} to {labels[market]}."
    return told(after, text), known.plus(edit.name, vault, "vault").plus(f"{edit.name} share", share, "asset")


def _claim(known: _Names, before: Snapshot, edit: NewClaim) -> tuple[Snapshot, _Names]:
    if edit.side not in addition.SIDES:
        raise unknown_name("side", edit.side, addition.SIDES)
    if bool(edit.owner) == bool(edit.new_owner):
        raise InputError("give either owner, for somebody who is there, or new_owner")
    market, asset = known.find("market", edit.market, "market"), known.find("asset", edit.asset, "asset")
    _positive(edit.amount)
    if edit.new_owner:
        chain = str(before["markets"].set_index("market").at[market, "chain"])
        before, owner = addition.with_address(
            before, edit.new_owner, "account", chain, edit.where, f'write owner = "{edit.new_owner}" for that one, or '
        )
        known = known.plus(edit.new_owner, owner, "account")
    else:
        owner = known.find("owner", edit.owner)
        if known.kind(owner) not in ("account", "vault", "pool"):
            raise InputError(
                f"owner: {edit.owner} is a {known.kind(owner)}; an account, vault or pool can supply and borrow"
            )
    labels, enabled = known.labels(), edit.is_collateral and edit.side != "debt"
    after = addition.with_claim(before, market, owner, asset, edit.side, edit.amount, enabled, edit.where, labels)
    verb = {"supply": "supplies", "collateral": "posts", "debt": "borrows"}[edit.side]
    return told(
        after, f"What-if: {labels.get(owner, owner)} {verb} {edit.amount:,} {labels[asset]} in {labels[market]}."
    ), known


def _positive(amount: Decimal) -> None:
    if not (amount.is_finite() and amount > 0):
        raise InputError(f"amount: {amount} is not above 0")
    _sized("amount", amount)


def _sized(fieldname: str, size: Decimal) -> None:
    """InputError for a number that no amount on a chain is, before it is written out digit by digit."""
    if size and not -MOST_DIGITS <= size.adjusted() <= MOST_DIGITS:
        words = "large: it would fit no uint256; give less" if size > 1 else "small; give 0 or more"
        raise InputError(f"{fieldname}: {size} is too {words}")
