"""The strongest ways against every simple path that NetworkX can list, each valued by its own formula."""

import itertools
import math

import networkx
import numpy as np
import pytest

from graph.strongest import LossNetwork

Edge = tuple[int, int, float, float]


def network_of(nodes: int, edges: list[Edge]) -> LossNetwork:
    rows = sorted(edges)
    source, target, share, amount = zip(*rows, strict=True) if rows else ((), (), (), ())
    return LossNetwork(nodes, np.array(source, np.int64), np.array(target, np.int64), np.array(share), np.array(amount))


def every_way(edges: list[Edge], starts: set[int], ends: set[int]) -> list[tuple[float, tuple[int, ...]]]:
    """Worth and nodes of every simple way, by min over i of amount_i times the shares after it: the recursion written out."""
    known = {(source, target): (share, amount) for source, target, share, amount in edges}
    network = networkx.DiGraph(list(known))
    found = []
    for start, end in itertools.product(starts, ends):
        if start not in network or end not in network:
            continue
        for nodes in networkx.all_simple_paths(network, start, end):
            inner = set(nodes[1:-1])
            steps = [known[pair] for pair in itertools.pairwise(nodes)]
            if inner & (starts | ends) or not steps or not math.isfinite(steps[0][1]):
                continue
            found.append(
                (min(amount * math.prod(s for s, _ in steps[i + 1 :]) for i, (_, amount) in enumerate(steps)), nodes)
            )
    return sorted(((worth, tuple(nodes)) for worth, nodes in found if worth > 0), reverse=True)


def random_edges(rng: np.random.Generator, nodes: int, count: int, levels: int | None) -> list[Edge]:
    pairs = {tuple(pair) for pair in rng.integers(0, nodes, (count, 2)).tolist() if pair[0] != pair[1]}
    edges: list[Edge] = []
    for source, target in sorted(pairs):
        share = rng.random() if levels is None else float(rng.integers(0, levels + 1)) / levels
        amount = (
            math.inf
            if rng.random() < 0.15
            else float(rng.lognormal(2, 1.5))
            if levels is None
            else float(rng.integers(1, 4))
        )
        edges.append((source, target, share, amount))
    return edges


def check(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(3, 10))
    edges = random_edges(rng, nodes, int(rng.integers(2, 5 * nodes)), None if seed % 3 else 2)
    order = rng.permutation(nodes).tolist()
    starts, ends = set(order[: 1 + seed % 2]), set(order[2 : 3 + (seed // 2) % 2])
    expected = every_way(edges, starts, ends)
    network = network_of(nodes, edges)
    for most in (1, 4, 10_000):
        ways = network.strongest(starts, ends, most)
        assert [way.worth[-1] for way in ways] == pytest.approx([worth for worth, _ in expected[:most]], rel=1e-12)
    shown = [(int(network.source[w.edges[0]]), *network.target[list(w.edges)].tolist()) for w in ways]
    assert sorted(shown) == sorted(nodes for _, nodes in expected)  # each once, none left out
    worth_of = {way: worth for worth, way in expected}
    assert [worth_of[way] for way in shown] == pytest.approx([way.worth[-1] for way in ways], rel=1e-12)


@pytest.mark.parametrize("batch", range(10))
def test_against_every_simple_path(batch: int) -> None:
    for seed in range(40 * batch, 40 * batch + 40):
        check(seed)


@pytest.mark.verify
@pytest.mark.parametrize("batch", range(20))
def test_against_every_simple_path_longer(batch: int) -> None:
    for seed in range(10_000 + 400 * batch, 10_400 + 400 * batch):
        check(seed)


def test_a_way_is_limited_by_its_narrowest_step() -> None:
    ways = network_of(4, [(0, 1, 1.0, 100.0), (1, 2, 0.5, 30.0), (2, 3, 0.5, math.inf)]).strongest({0}, {3}, 5)
    assert [way.worth for way in ways] == [(100.0, 30.0, 15.0)]


def test_no_way_nothing_at_stake_and_the_wrong_direction() -> None:
    network = network_of(3, [(0, 1, 1.0, 5.0), (1, 2, 0.0, 5.0)])
    assert network.strongest({0}, {2}, 5) == []
    assert network.strongest({1}, {0}, 5) == []
    assert network_of(2, []).strongest({0}, {1}, 5) == []


def test_ties_are_in_one_order() -> None:
    edges = [(0, middle, 1.0, 7.0) for middle in (1, 2, 3, 4)] + [(middle, 5, 1.0, 7.0) for middle in (1, 2, 3, 4)]
    network = network_of(6, [*edges, (0, 5, 1.0, 7.0)])
    ways = network.strongest({0}, {5}, 5)
    assert [len(way.edges) for way in ways] == [1, 2, 2, 2, 2]
    assert [int(network.target[way.edges[0]]) for way in ways] == [5, 1, 2, 3, 4]


def test_a_dense_circle_does_not_explode() -> None:
    """Every simple path would be 18! of them; ten are asked for."""
    nodes = 20
    edges = [(a, b, 1.0, 1.0) for a in range(nodes) for b in range(nodes) if a != b and b != 0 and a != nodes - 1]
    assert [len(way.edges) for way in network_of(nodes, edges).strongest({0}, {nodes - 1}, 10)] == [1] + 9 * [2]
