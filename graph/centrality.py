"""Who matters in a network of exposures by where it stands: PageRank, Katz, cores, and the loops through which losses come back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import Floats, Network

TOLERANCE = 1e-12
MOST_ROUNDS = 10_000
LONGEST_LOOP = 6


def pagerank(network: Network, damping: float = 0.85) -> Floats:
    """Weight of each node as a debtor, adding up to 1: high where holders that matter have much of what they hold.

    S. Brin, L. Page, "The anatomy of a large-scale hypertextual web search engine", Computer Networks 30 (1998) 107-117, on the graph holder
    -> debtor with each holder's claims as shares of all it holds; who holds nothing passes its weight on to all.
    """
    if not 0 <= damping < 1:
        raise InputError(f"damping is {damping}; give a number from 0 to below 1")
    n = len(network.names)
    held = np.asarray(network.claims.sum(axis=1), dtype=float)
    onward = csr_array((diags_array(np.divide(1.0, held, out=np.zeros(n), where=held > 0)) @ network.claims).T)
    idle, rank = held <= 0, np.full(n, 1.0 / n)
    for _ in range(MOST_ROUNDS):
        moved = damping * (onward @ rank + rank[idle].sum() / n) + (1 - damping) / n
        if np.abs(moved - rank).sum() <= TOLERANCE * n:
            return np.asarray(moved / moved.sum())
        rank = moved
    raise ConvergenceError(f"PageRank with a damping of {damping} did not come to rest within {MOST_ROUNDS} rounds")


def katz(network: Network, reach: float = 0.5) -> Floats:
    """Weight of each node as a debtor by all chains of claims that lead to it, longer chains counting less; of length 1 as a vector.

    L. Katz, "A new status index derived from sociometric analysis", Psychometrika 18 (1953) 39-43: x = alpha A'x + 1 with A the claims in
    units of the largest one. `reach` is alpha times a bound of A's largest eigenvalue (its largest row or column sum, whichever is
    smaller), so every value below 1 converges.
    """
    if not 0 <= reach < 1:
        raise InputError(f"reach is {reach}; give a number from 0 to below 1")
    n = len(network.names)
    sums = [float(np.max(np.asarray(network.claims.sum(axis=axis)), initial=0.0)) for axis in (0, 1)]
    onward = csr_array(network.claims.T) * (reach / min(sums) if min(sums) > 0 else 0.0)
    weight = np.ones(n)
    for _ in range(MOST_ROUNDS):
        moved = onward @ weight + 1.0
        if np.max(np.abs(moved - weight), initial=0.0) <= TOLERANCE * float(np.max(moved, initial=1.0)):
            return np.asarray(moved / np.linalg.norm(moved))
        weight = moved
    raise ConvergenceError(f"Katz weights with a reach of {reach} did not come to rest within {MOST_ROUNDS} rounds")


def core_numbers(network: Network, least_usd: float = 0.0) -> "np.ndarray":
    """For each node the largest k so that it is among nodes that each deal with k others of them; claims below `least_usd` do not count.

    S. B. Seidman, "Network structure and minimum degree", Social Networks 5 (1983) 269-287; computed by NetworkX.
    """
    import networkx

    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_nodes_from(range(len(network.names)))
    claims = network.claims.tocoo()
    kept = claims.data >= max(least_usd, np.nextafter(0.0, 1.0))
    graph.add_edges_from(zip(claims.coords[0][kept].tolist(), claims.coords[1][kept].tolist(), strict=True))
    found = networkx.core_number(graph)
    return np.array([found[number] for number in range(len(network.names))], dtype=np.int64)


@dataclass(frozen=True)
class Loop:
    """Claims that lead back to where they start: each node holds a claim on the next, the last on the first.

    `amount` is the smallest claim on the way: no more than that can go all the way round.
    """

    names: tuple[str, ...]
    amount: float


def loops(network: Network, top: int = 20, longest: int = LONGEST_LOOP) -> list[Loop]:
    """The `top` feedback loops of at most `longest` nodes with the largest smallest claim, largest first; each once.

    Exact: claims are added from the largest down, and a loop is found with its smallest claim. Ties go by the nodes' names.
    """
    if top < 1 or longest < 2:
        raise InputError(f"top is {top} and longest {longest}; ask for at least 1 loop of at least 2 nodes")
    claims = network.claims.tocoo()
    rows = sorted(
        zip((-claims.data).tolist(), claims.coords[0].tolist(), claims.coords[1].tolist(), strict=True),
        key=lambda row: (row[0], network.names[row[1]], network.names[row[2]]),
    )
    onward: dict[int, list[int]] = {}
    found: list[Loop] = []
    for negative, holder, debtor in rows:
        if not negative:
            break
        for way in _ways(onward, debtor, holder, longest):
            first = min(range(len(way)), key=lambda number: network.names[way[number]])
            names = tuple(network.names[node] for node in (*way[first:], *way[:first]))
            found.append(Loop(names, -negative))
            if len(found) == top:
                return found
        onward.setdefault(holder, []).append(debtor)
    return found


def _ways(onward: dict[int, list[int]], start: int, end: int, longest: int) -> Iterator[tuple[int, ...]]:
    """Every way from start to end over at most `longest` different nodes."""
    stack: list[tuple[int, ...]] = [(start,)]
    while stack:
        way = stack.pop()
        if way[-1] == end:
            yield way
        elif len(way) < longest:
            stack.extend((*way, node) for node in reversed(onward.get(way[-1], [])) if node not in way)
