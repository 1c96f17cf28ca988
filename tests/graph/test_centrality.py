"""PageRank, Katz and cores against NetworkX, loops against every simple cycle."""

import networkx
import numpy as np
import pytest

from chain.errors import InputError
from graph.balance_sheets import Network
from graph.centrality import core_numbers, katz, loops, pagerank
from tests.graph.random_networks import random_network


def as_networkx(network: Network) -> "networkx.DiGraph[str]":
    claims = network.claims.tocoo()
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_nodes_from(network.names)
    for holder, debtor, amount in zip(*claims.coords, claims.data, strict=True):
        graph.add_edge(network.names[holder], network.names[debtor], weight=float(amount))
    return graph


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("damping", [0.5, 0.85, 0.99])
def test_pagerank_is_that_of_networkx(seed: int, damping: float) -> None:
    network = random_network(seed, nodes=60, share=0.03)
    assert np.asarray(network.claims.sum(axis=1)).min() == 0.0  # somebody holds nothing
    theirs = networkx.pagerank(as_networkx(network), damping, tol=1e-14, max_iter=20_000)
    assert dict(zip(network.names, pagerank(network, damping), strict=True)) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_katz_is_that_of_networkx(seed: int) -> None:
    network = random_network(seed, nodes=60, share=0.05)
    bound = min(float(np.asarray(network.claims.sum(axis=axis)).max()) for axis in (0, 1))
    theirs = networkx.katz_centrality_numpy(as_networkx(network), alpha=0.5 / bound, weight="weight")
    assert dict(zip(network.names, katz(network, 0.5), strict=True)) == pytest.approx(theirs, abs=1e-9)


def test_cores_by_hand() -> None:
    # a, b, c and d all deal with one another; e deals with a only; f's claim is small
    names = "abcd"
    claims = [(one, two, 10.0) for one in names for two in names if one < two]
    network = Network.from_claims([*claims, ("e", "a", 10.0), ("f", "a", 1.0), ("f", "b", 1.0)], {})
    assert core_numbers(network).tolist() == [3, 3, 3, 3, 1, 2]
    assert core_numbers(network, least_usd=5.0).tolist() == [3, 3, 3, 3, 1, 0]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("longest", [2, 4, 6])
def test_loops_are_the_largest_simple_cycles(seed: int, longest: int) -> None:
    network = random_network(seed, nodes=9, share=0.35)
    graph = as_networkx(network)
    every = []
    for cycle in networkx.simple_cycles(graph, length_bound=longest):
        first = cycle.index(min(cycle))
        turned = (*cycle[first:], *cycle[:first])
        amount = min(graph[one][two]["weight"] for one, two in zip(turned, (*turned[1:], turned[0]), strict=True))
        every.append((-amount, turned))
    found = [(-loop.amount, loop.names) for loop in loops(network, top=15, longest=longest)]
    assert [amount for amount, _ in found] == [amount for amount, _ in sorted(every)[:15]]
    assert set(found) <= set(every)
    assert len(set(found)) == len(found) == min(15, len(every))


def test_what_cannot_be_asked_is_refused() -> None:
    network = random_network(1)
    with pytest.raises(InputError, match="damping is 1"):
        pagerank(network, 1.0)
    with pytest.raises(InputError, match="reach is"):
        katz(network, -0.1)
    with pytest.raises(InputError, match="at least 1 loop"):
        loops(network, top=0)
