"""Whether a graph is sound: its ends exist, nothing is negative, and its sums are those of the tables it was built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pandas as pd

from chain.comparisons.comparison import FIXED_DEBT_BOUND, NO_EXACT_SUM
from chain.snapshot import Snapshot
from chain.tables import each_row
from graph.relations import DEBT_SIDES, kept_for_pools, provided
from graph.reserve_amounts import borrowed_raw, supplied_raw
from graph.schema import relation_schemas

UNCOUNTED = ("maker",)
"""Families whose totals leave out what is posted and backs nothing (Maker's gem); elsewhere it is counted (Liquity's gains and surpluses)."""
USD_TOLERANCE = 1e-9  # relative: sums of floats in another order
COARSE = 1_000
"""Where no exact sum exists, positions may miss the market's total by this part of it: the tight bound is the snapshot's own check."""


class GraphTables(Protocol):
    """What is asked of a graph: its tables and the snapshot it was built from."""

    @property
    def snapshot(self) -> Snapshot:
        """Where the tables come from."""

    @property
    def nodes(self) -> Mapping[str, pd.DataFrame]:
        """Node kind -> table."""

    @property
    def relations(self) -> Mapping[str, pd.DataFrame]:
        """Relation kind -> table."""


def without_assets(snapshot: Snapshot) -> list[str]:
    """Pools, and sides of positions in them, whose asset no row names: nothing can be built of them."""
    pooled = snapshot["pool_assets"]
    known, slots = set(pooled["pool"]), set(zip(pooled["pool"], pooled["slot"], strict=True))
    positions = snapshot["pool_positions"]
    sides = {
        (pool, slot)
        for slot in (0, 1)
        for pool in positions["pool"][(positions[f"amount{slot}_raw"] + positions[f"owed{slot}_raw"]).astype(bool)]
    }
    return [
        *(f"pool {pool} has no row in pool_assets." for pool in snapshot["pools"]["pool"] if pool not in known),
        *(
            f"pool {pool} has no slot {slot} in pool_assets, in which positions have something."
            for pool, slot in sorted(sides - slots)
            if pool in known
        ),
    ]


def structure(graph: GraphTables) -> list[str]:
    """Problems that one can see without the tables: keys used twice, ends that dangle or are of the wrong kind, negative amounts."""
    problems = []
    where: dict[str, str] = {}
    for kind, table in graph.nodes.items():
        for key in table["node"].tolist():
            if key in where:
                problems.append(f"{key} is both a {where[key]} and a {kind}.")
            where[key] = kind
        problems += _negative(f"node {kind}", table, ["node"])
    for name, schema in relation_schemas().items():
        table = graph.relations[name]
        for end, allowed in (("source", schema.sources), ("target", schema.targets)):
            for key in dict.fromkeys(table[end].tolist()):
                if key not in where:
                    problems.append(f"{name}: {end} {key} is no node of the graph.")
                elif where[key] not in allowed:
                    problems.append(f"{name}: {end} {key} is a {where[key]}, allowed are {', '.join(allowed)}.")
        problems += _negative(name, table, ["source", "target"])
    return problems


def _negative(name: str, table: pd.DataFrame, ends: Sequence[str]) -> list[str]:
    columns = [
        column for column in table.columns if column.endswith(("_raw", "_usd")) or column in ("rate", "decimals")
    ]
    return [
        f"{name}: {column} of {' -> '.join(table[end].iloc[row] for end in ends)} is negative ({value})."
        for column in columns
        for row, value in enumerate(table[column].tolist())
        if value is not None and value is not pd.NA and value < 0  # nan is not below 0
    ]


def totals(graph: GraphTables) -> list[str]:
    """Problems with sums: the graph against the tables it stands on, and the positions against the protocols' own totals."""
    sums = _Sums(graph.snapshot)
    return [
        *_against_tables(graph),
        *_against_reserves(sums),
        *_derived_sums(graph),
        *[sentence for market, sentence in _short(sums) if not _admitted(graph.snapshot, market)],
    ]


def coverage(snapshot: Snapshot) -> list[str]:
    """What the positions lack against their market's totals, in sentences, where the snapshot itself says that they are not all there."""
    return [sentence for market, sentence in _short(_Sums(snapshot)) if _admitted(snapshot, market)]


def _admitted(snapshot: Snapshot, market: str) -> bool:
    """Whether a gap that names the market and speaks of positions, or a failed check that names it, says that positions are missing."""
    failures = (sentence for check in snapshot.checks for sentence in check.failures)
    return any(market in gap and "position" in gap for gap in snapshot.gaps) or any(market in text for text in failures)


@dataclass(frozen=True)
class _Sums:
    """Positions and totals of a snapshot by (market, asset, is debt)."""

    snapshot: Snapshot

    @cached_property
    def positions(self) -> dict[tuple[str, str, bool], tuple[int, int]]:
        """Exact sum and number of positions, of those that the market's total counts (`UNCOUNTED`)."""
        positions, markets = self.snapshot["positions"], self.snapshot["markets"]
        leaves_out = set(markets["market"][markets["family"].isin(UNCOUNTED)])
        found: dict[tuple[str, str, bool], tuple[int, int]] = {}
        columns = (positions[name].tolist() for name in ("market", "asset", "side", "amount_raw", "collateral_enabled"))
        for market, asset, side, amount, is_enabled in zip(*columns, strict=True):
            if side == "collateral" and not is_enabled and market in leaves_out:
                continue
            key = (market, asset, side in DEBT_SIDES)
            amount_sum, count = found.get(key, (0, 0))
            found[key] = (amount_sum + amount, count + 1)
        return found

    @cached_property
    def expected(self) -> dict[tuple[str, str, bool], int]:
        """What the market itself says."""
        rows = list(each_row(self.snapshot["reserves"]))
        return {(row.market, row.asset, False): supplied_raw(row) for row in rows} | {
            (row.market, row.asset, True): borrowed_raw(row) for row in rows
        }

    @cached_property
    def slack(self) -> dict[tuple[str, str, bool], int]:
        """How far positions may be from the market's own total where that is no exact sum: debts at fixed rates
        (`chain.comparisons.comparison`), and what markets round for each account by itself (`NO_EXACT_SUM`)."""
        reserves = self.snapshot["reserves"]
        fixed = zip(*(reserves[name].tolist() for name in ("market", "asset", "fixed_debt_raw")), strict=True)
        bounds = {(market, asset, True): debt // FIXED_DEBT_BOUND for market, asset, debt in fixed if debt is not None}
        family = dict(zip(self.snapshot["markets"]["market"], self.snapshot["markets"]["family"], strict=True))
        return bounds | {
            key: total // COARSE
            for key, total in self.expected.items()
            if (family.get(key[0]), "debt" if key[2] else "supply") in NO_EXACT_SUM
        }


def _short(sums: _Sums) -> list[tuple[str, str]]:
    """(market, sentence) for markets whose positions add up to less than their total by more than rounding explains.

    Each amount is rounded to a smallest unit once (`positions.amount_raw`), and so is the total, so that n positions can differ
    from the total by n + 1 smallest units.
    """
    problems = []
    for key, expected in sums.expected.items():
        found, count = sums.positions.get(key, (0, 0))
        if expected - found > count + 1 + sums.slack.get(key, 0):
            what = "borrowed" if key[2] else "supplied"
            sentence = f"positions hold {found} of the {expected} smallest units of {key[1]} that are {what}"
            problems.append((key[0], f"{key[0]}: {sentence} ({found / expected:.1%})."))
    return problems


def _against_reserves(sums: _Sums) -> list[str]:
    """Positions in assets that their market does not list, or that add up to more than the market's total."""
    problems = []
    for key, (found, count) in sums.positions.items():
        what = "borrowed" if key[2] else "supplied"
        if key not in sums.expected:
            problems.append(f"{key[0]}: {key[1]} is {what} in positions and has no row in reserves.")
        elif found - sums.expected[key] > count + 1 + sums.slack.get(key, 0):
            problems.append(
                f"{key[0]}: positions hold {found} smallest units of {key[1]} {what}, more than the market's own total {sums.expected[key]}."
            )
    return problems


def _against_tables(graph: GraphTables) -> list[str]:
    """Exact integer totals of each relation against its table."""
    tables, relations = graph.snapshot, graph.relations
    positions, balances, pooled = tables["positions"], tables["balances"], tables["pool_assets"]
    own = kept_for_pools(tables)
    kept = [pair not in own for pair in zip(balances["holder"], balances["asset"], strict=True)]
    kept_apart = balances[pd.Series(kept, index=balances.index, dtype=bool)]
    held = pd.concat([table[["asset", "amount_raw"]] for table in (kept_apart, provided(tables))])
    is_debt, amounts = positions["side"].isin(DEBT_SIDES), positions[["market", "asset", "amount_raw"]]
    pairs = (
        ("supplies", "amount_raw", amounts[~is_debt], "amount_raw", ["market", "asset"], ["target", "asset"]),
        ("borrows", "amount_raw", amounts[is_debt], "amount_raw", ["market", "asset"], ["target", "asset"]),
        ("holds", "amount_raw", held, "amount_raw", ["asset"], ["target"]),
        ("trades_in", "reserve_raw", pooled, "reserve_raw", ["pool", "asset"], ["target", "source"]),
    )
    problems = []
    for name, column, table, raw, by, ends in pairs:
        stated, found = _sum_by(table, by, raw), _sum_by(relations[name], ends, column)
        for key in sorted(stated.keys() | found.keys()):
            if stated.get(key, 0) != found.get(key, 0):
                problems.append(
                    f"{name}: {column} of {key} adds up to {found.get(key, 0)}, the table says {stated.get(key, 0)}."
                )
    return problems


def _sum_by(table: pd.DataFrame, by: list[str], column: str) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for key, amount in zip(
        zip(*(table[name].tolist() for name in by), strict=True), table[column].tolist(), strict=True
    ):
        sums[key] = sums.get(key, 0) + (amount or 0)
    return sums


def _derived_sums(graph: GraphTables) -> list[str]:
    """Sums that nodes carry against the relations they were summed from."""
    sides = (
        ("market", "supplied_usd", "lists", "source", "supplied_usd"),
        ("market", "borrowed_usd", "lists", "source", "borrowed_usd"),
        ("account", "supplied_usd", "supplies", "source", "amount_usd"),
        ("account", "borrowed_usd", "borrows", "source", "amount_usd"),
        ("pool", "value_usd", "trades_in", "target", "reserve_usd"),
    )
    problems = []
    for kind, figure, relation, end, column in sides:
        sums = graph.relations[relation].groupby(end)[column].sum().to_dict()
        nodes = graph.nodes[kind]
        for node, stated in zip(nodes["node"].tolist(), nodes[figure].tolist(), strict=True):
            found = sums.get(node, 0.0)
            if abs(stated - found) > USD_TOLERANCE * max(abs(found), 1.0):
                problems.append(f"{kind} {node}: {figure} is {stated}, its relations add up to {found}.")
    return problems
