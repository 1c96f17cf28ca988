"""What people ask of a graph, at scale: building it, exposure, what changed between two, the strongest paths, DebtRank, and ten million positions in Parquet.

    python -m benchmarks.graph [--small] [--only PART]

Everything is generated with a seed: heavy-tailed (log-normal) amounts, debtors that are chosen the more often the lower their number.
Seconds are of processor time and of one core, since the machine is shared; ratios are of one run. A naive twin runs on a few sources,
its outputs are compared, and lines marked *extrapolated* are its mean times the number of sources. Exits with 1 if a target is missed.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import networkx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.sparse import csr_array

from aftershock.healths import crossings
from graph.balance_sheets import Network
from graph.build import build
from graph.changes.table import changes
from graph.debtrank import debtrank, impact
from graph.exposures.answer import exposure
from graph.strongest import LossNetwork
from tests.graph.random_world import crowd

WAYS, QUESTIONS = 20, 20
TWIN_TOLERANCE = 1e-9
PIECE = 1_000_000


@dataclass
class Report:
    """Rows as they are found, and whether a target was missed."""

    missed: list[str] = field(default_factory=list)

    def row(self, what: str, value: str) -> None:
        """One measured line."""
        print(f"| {what} | {value} | |", flush=True)  # noqa: T201

    def target(self, what: str, wanted: str, value: float, is_met: bool, unit: str) -> None:
        """One line that has a target."""
        print(f"| {what} | {value:,.3g} {unit} | {wanted}: {'met' if is_met else '**NOT MET**'} |", flush=True)  # noqa: T201
        if not is_met:
            self.missed.append(what)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of one call, and what it returns."""
    began = process_time()
    found = work()
    return process_time() - began, found


def everybody(edges: int, seed: int = 7) -> LossNetwork:
    """Everybody has claims on anybody: heavy-tailed amounts, ten an account, circles everywhere; the hardest case for paths."""
    rng = np.random.default_rng(seed)
    nodes = edges // 10
    source = rng.integers(0, nodes, edges)
    target = (nodes * rng.random(edges) ** 3).astype(np.int64)
    pairs = np.unique(np.stack([source, target])[:, source != target], axis=1)
    amount = np.asarray(rng.lognormal(10, 2, pairs.shape[1]))
    worth = np.maximum(np.bincount(pairs[0], amount, nodes), np.bincount(pairs[1], amount, nodes))
    return LossNetwork(nodes, pairs[0], pairs[1], amount / worth[pairs[0]], amount)


def markets(edges: int, seed: int = 7) -> LossNetwork:
    """Like a chain: accounts supply to 200 reserves, these depend on 60 assets, those on each other in chains."""
    rng = np.random.default_rng(seed)
    reserves, assets = 200, 60
    accounts = edges // 2
    supplied = np.stack([np.repeat(np.arange(accounts), 2), accounts + rng.integers(0, reserves, 2 * accounts)])
    secured = [
        accounts + np.repeat(np.arange(reserves), 30),
        accounts + reserves + rng.integers(0, assets, 30 * reserves),
    ]
    chain = accounts + reserves + np.arange(assets - 1)
    pairs = np.unique(np.concatenate([supplied, np.stack(secured), np.stack([chain, chain + 1])], axis=1), axis=1)
    amount = np.asarray(rng.lognormal(10, 2, pairs.shape[1]))
    worth = np.bincount(pairs[0], amount, accounts + reserves + assets)
    return LossNetwork(accounts + reserves + assets, pairs[0], pairs[1], amount / worth[pairs[0]], amount)


def sheets(edges: int) -> Network:
    """The claims of `everybody` with equity for them: each holder's claims are a tenth to nine tenths of its equity."""
    steps = everybody(edges)
    claims = csr_array((steps.amount, (steps.source, steps.target)), shape=(steps.nodes, steps.nodes))
    held, owed = claims.sum(axis=1), claims.sum(axis=0)
    equity = held / np.random.default_rng(8).uniform(0.1, 0.9, steps.nodes) + 1e4
    outside = equity - held + owed
    names = tuple(f"n{number}" for number in range(steps.nodes))
    return Network(names, claims, np.maximum(outside, 0.0), np.maximum(-outside, 0.0))


class Twins:
    """DebtRank of one source at a time: a loop over a NetworkX graph, and the same dynamics with a compiled product."""

    def __init__(self, network: Network) -> None:
        self.network, self.matrix = network, impact(network)
        value = np.maximum(network.face_equity, 0.0)
        self.value = value / value.sum()
        self.graph: networkx.DiGraph[int] = networkx.DiGraph()
        self.graph.add_nodes_from(range(len(network.names)))
        shares = self.matrix.tocoo()
        ends = (coordinate.tolist() for coordinate in shares.coords)
        self.graph.add_weighted_edges_from(zip(*ends, shares.data.tolist(), strict=True))

    def in_python(self, source: int) -> float:
        """Only what newly lost is looked at in a round."""
        lost, new = {source: 1.0}, {source: 1.0}
        while new:
            came: dict[int, float] = {}
            for debtor, loss in new.items():
                for holder, _, data in self.graph.in_edges(debtor, data=True):
                    came[holder] = came.get(holder, 0.0) + data["weight"] * loss
            new = {}
            for holder, loss in came.items():
                before = lost.get(holder, 0.0)
                after = min(1.0, before + loss)
                if after - before > TWIN_TOLERANCE:
                    new[holder] = after - before
                lost[holder] = after
        return float(sum(self.value[node] * loss for node, loss in lost.items() if node != source))

    def compiled(self, source: int) -> float:
        """SciPy's product, one column."""
        lost = np.zeros(len(self.value))
        lost[source] = 1.0
        new = lost.copy()
        while new.max() > TWIN_TOLERANCE:
            after = np.minimum(lost + self.matrix @ new, 1.0)
            lost, new = after, after - lost
        return float(self.value @ lost - self.value[source] * lost[source])


def _each(twin: Callable[[int], float], sources: list[int]) -> list[float]:
    return [twin(source) for source in sources]


def measure_debtrank(report: Report, edges: int, sources: int, sample: int) -> None:
    """Ours on the largest sources (all, if there are no more), the twins on a few of them spread over the order."""
    network = sheets(edges)
    order = np.argsort(-network.face_equity)[:sources]
    names = [network.names[number] for number in order]
    ours, found = seconds(lambda: debtrank(network, names))
    twins = Twins(network)
    asked = np.linspace(0, len(order) - 1, sample).astype(int)
    size = f"{len(network.names):,} nodes, {network.claims.nnz:,} edges"
    report.row(
        f"DebtRank, {size}: {len(names):,} sources, ours", f"{ours:.1f} s, {1e3 * ours / len(names):.1f} ms a source"
    )
    for name, twin in (("NetworkX loop", twins.in_python), ("one SciPy product a source and round", twins.compiled)):
        taken, theirs = seconds(partial(_each, twin, [int(order[place]) for place in asked]))
        off = float(np.max(np.abs(np.array(theirs) - found[asked])))
        if off > 1e-6:
            raise SystemExit(f"{name} and ours differ by {off:.1e}")
        report.row(
            f"the same, {name}, *extrapolated* from {sample}, equal within {off:.0e}",
            f"{taken / sample * len(names):,.0f} s, {1e3 * taken / sample:,.0f} ms a source",
        )
        ratio = taken / sample * len(names) / ours
        if twin == twins.in_python:
            report.target("NetworkX loop : ours", "at least 50", ratio, ratio >= 50, "times")
        else:
            report.row("SciPy product : ours", f"{ratio:.2g} times")
    held = network.claims.data.nbytes + network.claims.indices.nbytes + network.claims.indptr.nbytes
    report.row(f"bytes an edge, balance sheets of {size}", f"{held / network.claims.nnz:.0f}")


def measure_both_sizes(report: Report, scale: int) -> None:
    """All sources of the smaller network, the largest 1,000 of the larger."""
    measure_debtrank(report, 100_000 // scale, 10_000, 5)
    measure_debtrank(report, 1_000_000 // scale, 1_000, 6)


def measure_paths(report: Report, edges: int) -> None:
    """Twenty questions on each generated network, each of another end; then one end asked again."""
    for make in (markets, everybody):
        network = make(edges)
        arrays = [network.source, network.target, network.share, network.amount, network.first, *network.into]
        rng, times, again = np.random.default_rng(1), list[float](), list[float]()
        for _ in range(QUESTIONS):
            pair = (int(rng.integers(0, network.nodes)), int(network.nodes - 1 - rng.integers(0, 50)))
            for kept in (times, again):
                kept.append(seconds(partial(network.strongest, {pair[0]}, {pair[1]}, WAYS))[0])
        size = f"{make.__name__}, {network.nodes:,} nodes, {len(network.source):,} edges"
        median = float(np.median(times))
        report.target(
            f"{WAYS} strongest paths, median of {QUESTIONS} ends: {size}", "under 0.3 s", median, median < 0.3, "s"
        )
        report.row(
            "the longest of them; the median with the end asked before", f"{max(times):.3f} s; {np.median(again):.3f} s"
        )
        report.row("bytes an edge, loss network", f"{sum(array.nbytes for array in arrays) / len(network.source):.0f}")


def measure_graph(report: Report, positions: int, wanted: float | None) -> None:
    """Building the graph of a lending world, and a market's exposure."""
    snapshot = crowd(-(-positions // 3))
    taken, graph = seconds(lambda: build(snapshot))
    rows = len(snapshot["positions"])
    if wanted is None:
        report.row(f"build {rows:,} positions", f"{taken:.1f} s")
    else:
        report.target(f"build {rows:,} positions", f"under {wanted:g} s", taken, taken < wanted, "s")
    tables = [*graph.nodes.values(), *graph.relations.values()]
    edges = sum(len(table) for table in graph.relations.values())
    kept = sum(int(table.memory_usage(deep=True).sum()) for table in tables)
    report.row(f"bytes an edge, tables of the graph with keys and evidence, {edges:,} edges", f"{kept / edges:,.0f}")
    names = [str(graph.nodes[kind]["label"].iloc[0]) for kind in ("market", "asset")]
    found = max(seconds(partial(replace(graph).find, name))[0] for name in (*names, *map(str.lower, names)))
    report.target(f"the first name looked up, {edges:,} edges", "under 0.3 s", found, found < 0.3, "s")
    for name in names:
        first = seconds(partial(exposure, graph, name))[0]
        again = float(np.median([seconds(partial(exposure, graph, name))[0] for _ in range(3)]))
        what = f"exposure of {name} by name with {edges:,} edges"
        if wanted is None:
            report.target(f"{what}, first time", "under 2 s", first, first < 2, "s")
        else:
            report.row(f"{what}, first time", f"{first:.3f} s")
        report.target(f"{what}, asked again", "under 0.3 s", again, again < 0.3, "s")


def measure_changes(report: Report, positions: int) -> None:
    """What changed between two lending worlds of which every hundredth position is a tenth smaller in the later one."""
    before = crowd(-(-positions // 3))
    table, reserves = before["positions"], before["reserves"]
    amounts = [raw - raw // 10 * (number % 100 == 0) for number, raw in enumerate(table["amount_raw"].tolist())]
    raw = pd.Series(amounts, index=table.index, dtype=object)
    sums = raw.groupby([table["asset"], table["side"]]).agg(sum).to_dict()
    totals = {
        f"{column}_stored_raw": pd.Series([sums.get((asset, side), 0) for asset in reserves["asset"]], dtype=object)
        for column, side in (("supplied", "supply"), ("borrowed", "debt"))
    }
    tables = {"positions": table.assign(amount_raw=raw, stored_raw=raw), "reserves": reserves.assign(**totals)}
    after = replace(before, name="later", tables={**before.tables, **tables})
    graphs = [build(one) for one in (before, after)]
    taken, found = seconds(lambda: changes(graphs[0], graphs[1]))
    moved = sum(raw >= 10 and number % 100 == 0 for number, raw in enumerate(table["amount_raw"].tolist()))
    told = int(found["topic"].isin(["supply", "debt"]).sum())
    if told != moved:
        raise SystemExit(f"{moved:,} positions moved and {told:,} are told")
    report.row(f"changes between two graphs of {len(table):,} positions, {told:,} of which moved", f"{taken:.1f} s")
    taken, crossed = seconds(lambda: crossings(graphs[0], graphs[1], {}, 0.01))
    report.row(f"health factors on both sides, {len(crossed.table):,} of which crossed 1", f"{taken:.1f} s")


def measure_both_graphs(report: Report, scale: int) -> None:
    """At the size that has a target, and ten times that."""
    measure_graph(report, 100_000 // scale, 5.0)
    measure_graph(report, 1_000_000 // scale, None)


def positions_file(folder: Path, rows: int, assets: int = 20, seed: int = 7) -> dict[tuple[str, str], int]:
    """The positions table of a market with two rows an owner, written in pieces; answers (asset, side) -> exact sum, known from the making."""
    rng, sums = np.random.default_rng(seed), dict[tuple[str, str], int]()
    writer: pq.ParquetWriter | None = None
    for first in range(0, rows, PIECE):
        count = min(PIECE, rows - first)
        owner = (first + np.arange(count)) // 2
        number, is_debt = rng.integers(0, assets, count), np.arange(count) % 2 == 1
        # up to 10**17 times 10**9: longer than 64 bits, as tokens of 18 decimals are
        amount = np.minimum(rng.lognormal(24, 3, count), 1e17).astype(np.int64)
        text = pc.binary_join_element_wise(pa.array(amount).cast(pa.string()), "000000000", "")
        who = pc.binary_join_element_wise("eip155:1:0x", pc.utf8_lpad(pa.array(owner).cast(pa.string()), 40, "0"), "")
        names, sides = pa.array([f"asset-{one:02}" for one in range(assets)]), pa.array(["supply", "debt"])
        columns = {
            "market": pa.array(np.full(count, "market")),
            "position_id": who,
            "asset": names.take(pa.array(number)),
            "side": sides.take(pa.array(is_debt.astype(np.int64))),
            "owner": who,
            "amount_raw": text,
            "collateral_enabled": pa.array(~is_debt),
            "evidence": pa.array(np.full(count, "generated")),
            "status": pa.array(np.full(count, "unverified")),
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(folder / "positions.parquet", table.schema)
        writer.write_table(table)
        for (asset, side), usd in pd.DataFrame({"a": number, "s": is_debt, "x": amount}).groupby(["a", "s"])["x"]:
            key = (f"asset-{asset:02}", "debt" if side else "supply")
            sums[key] = sums.get(key, 0) + int(usd.sum()) * 10**9
    assert writer is not None
    writer.close()
    return sums


def _asked(folder: str) -> tuple[dict[str, float], dict[tuple[str, str], int], int]:
    """In a process of its own: seconds of the wall by question, the sums, and the most memory that the process had in bytes."""
    from graph.large import largest_owners, positions_of, totals

    times: dict[str, float] = {}
    began = perf_counter()
    sums = totals(Path(folder))
    times["sums by asset and side"] = perf_counter() - began
    began = perf_counter()
    best = largest_owners(Path(folder), "market", "asset-03", "supply", 10)
    times["the ten largest suppliers of one asset"] = perf_counter() - began
    began = perf_counter()
    rows = positions_of(Path(folder), best["owner"].iloc[0])
    times["all positions of one owner"] = perf_counter() - began
    assert len(rows) == 2
    found = {(row.asset, row.side): row.amount_raw for row in sums.itertuples()}
    return times, found, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_large(report: Report, rows: int) -> None:
    """Questions through DuckDB over Parquet; the sums must be those known from the making, to the last unit."""
    with tempfile.TemporaryDirectory() as name:
        known = positions_file(Path(name), rows)
        size = (Path(name) / "positions.parquet").stat().st_size
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            times, found, most = pool.submit(_asked, name).result()
    if found != known:
        raise SystemExit("sums from Parquet are not those of the positions written")
    report.row(f"{rows:,} positions as Parquet, bytes a position", f"{size / rows:.0f}")
    for question, taken in times.items():
        report.row(f"{question}, {rows:,} positions, seconds of the wall", f"{taken:.1f} s")
    gib = most / 2**30
    report.target(f"most memory while asking {rows:,} positions, sums exact", "under 24 GiB", gib, gib < 24, "GiB")


def main() -> int:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a twentieth of everything, to see that it runs")
    parser.add_argument("--only", choices=["build", "changes", "paths", "debtrank", "large"], help="one part alone")
    asked = parser.parse_args()
    scale = 20 if asked.small else 1
    parts: dict[str, Callable[[Report], None]] = {
        "build": lambda report: measure_both_graphs(report, scale),
        "changes": lambda report: measure_changes(report, 1_000_000 // scale),
        "paths": lambda report: measure_paths(report, 1_000_000 // scale),
        "large": lambda report: measure_large(report, 10_000_000 // scale),
        "debtrank": lambda report: measure_both_sizes(report, scale),
    }
    report = Report()
    print("| what | measured | target |\n|---|--:|---|")  # noqa: T201
    for name, part in parts.items():
        if asked.only in (None, name):
            part(report)
    print("missed: " + "; ".join(report.missed) if report.missed else "all targets met")  # noqa: T201
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
