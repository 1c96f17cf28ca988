"""The strongest ways through a network in which each step passes on a share of what reaches it, and never more than its own amount.

A way's worth is w_1 = amount_1, w_i = min(w_(i-1) x share_i, amount_i). It never grows along a way, and more at the start is never less at
the end, so the best way to every node is found once. The k best ways that pass no node twice are found by partition: J. Y. Yen, "Finding
the K shortest loopless paths in a network", Management Science 17 (1971) 712-716, with each deviation kept in one part only (E. L. Lawler,
"A procedure for computing the K best solutions to discrete optimization problems", Management Science 18 (1972) 401-405). Searches are
led by two upper bounds on what arrives from a node, the product of shares and the narrowest amounts on the best way from it (P. E. Hart,
N. J. Nilsson and B. Raphael, "A formal basis for the heuristic determination of minimum cost paths", IEEE Transactions on Systems Science
and Cybernetics 4 (1968) 100-107).
"""

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
FEW = 400  # steps looked at backwards before a search is begun
MANY = 8  # a round over an eighth of all edges in any order takes as long as one over all in their order


@dataclass(frozen=True)
class Way:
    """Edges in order, and what each passes on; the last is the way's worth."""

    edges: tuple[int, ...]
    worth: tuple[float, ...]


@dataclass(frozen=True)
class LossNetwork:
    """Directed edges between nodes 0 to n-1, sorted by source; no edge twice.

    Attributes
    ----------
    nodes : how many.
    source, target : ends of the edges, shape (edges,).
    share : what a step passes on of what reaches it, 0 to 1, shape (edges,).
    amount : the most that it passes on, shape (edges,); inf where nothing limits it.
    """

    nodes: int
    source: Ints
    target: Ints
    share: Floats
    amount: Floats

    @cached_property
    def first(self) -> Ints:
        """Where each node's edges begin, shape (n + 1,)."""
        return np.searchsorted(self.source, np.arange(self.nodes + 1)).astype(np.int64)

    @cached_property
    def into(self) -> tuple[Ints, Ints]:
        """Edges sorted by target, and where those of each node begin, shape (n + 1,)."""
        order = np.argsort(self.target, kind="stable").astype(np.int64)
        return order, np.searchsorted(self.target[order], np.arange(self.nodes + 1)).astype(np.int64)

    def strongest(self, starts: Collection[int], ends: Collection[int], most: int) -> list[Way]:
        """The `most` strongest ways from any of `starts` to any of `ends`, strongest first.

        No way passes a node twice, comes back to a start or goes on behind an end. Ways of equal worth: fewer steps first, then by edges.
        An edge out of a start whose amount is not finite is not taken, nor is a way that is worth nothing.
        """
        search = _Search(self, *self._bounds(starts, frozenset(ends)), frozenset(starts), frozenset(ends))
        waiting: list[tuple[float, int, tuple[int, ...], int, frozenset[int], Way]] = []

        def offer(prefix: tuple[int, ...], worth: tuple[float, ...], banned: frozenset[int]) -> None:
            way = search.best(prefix, worth, banned)
            if way is not None:
                heapq.heappush(waiting, (-way.worth[-1], len(way.edges), way.edges, len(prefix), banned, way))

        offer((), (), frozenset())
        found: list[Way] = []
        while waiting and len(found) < most:
            *_, kept, banned, way = heapq.heappop(waiting)
            found.append(way)
            for place in range(kept, len(way.edges)):
                also = banned if place == kept else frozenset()
                offer(way.edges[:place], way.worth[:place], also | {way.edges[place]})
        return found

    def _bounds(self, starts: Collection[int], ends: frozenset[int]) -> tuple[Floats, Floats]:
        """Of each node: the best product of shares to an end, and the most that can arrive there; 0 where no way leads to an end.

        Where little can be reached from the starts, of what can be reached only; else of all nodes, kept for the last ends asked for.
        """
        edges = self._ahead(starts, ends)
        if edges is not None:
            return self._bounds_over(edges, ends)
        if ends not in self._last_bounds:
            self._last_bounds.clear()
            self._last_bounds[ends] = self._bounds_over(None, ends)
        return self._last_bounds[ends]

    @cached_property
    def _last_bounds(self) -> dict[frozenset[int], tuple[Floats, Floats]]:
        return {}

    def _bounds_over(self, edges: Ints | None, ends: frozenset[int]) -> tuple[Floats, Floats]:
        """The second is the best over ways of the least amount x product of shares behind it."""
        at_end = np.array(sorted(ends), dtype=np.int64)
        share = self._spread(edges, at_end, 1.0, self.share, None)
        behind = share[self.target]
        limit = np.where(behind > 0, self.amount, 0.0) * behind
        return share, self._spread(edges, at_end, np.inf, None, limit)

    def _ahead(self, starts: Collection[int], ends: frozenset[int]) -> Ints | None:
        """The edges that ways from a start can take, not going on behind an end, in order; None if they are many."""
        seen, mark = np.zeros(self.nodes, dtype=bool), np.zeros(self.nodes, dtype=np.int64)
        fresh, behind = np.array(sorted(starts), dtype=np.int64), np.array(sorted(ends), dtype=np.int64)
        seen[behind] = True
        seen[fresh] = True
        taken = 0
        while len(fresh):
            edges = _ranges(self.first, fresh)
            taken += len(edges)
            if MANY * taken >= len(self.source):
                return None
            below = self.target[edges]
            below = below[~seen[below]]
            mark[below] = np.arange(len(below))
            fresh = below[mark[below] == np.arange(len(below))]  # each once
            seen[fresh] = True
        seen[behind] = False
        return _ranges(self.first, np.flatnonzero(seen))

    def _spread(
        self, edges: Ints | None, ends: Ints, at_end: float, factor: Floats | None, limit: Floats | None
    ) -> Floats:
        """The best over ways to an end of what the steps leave of `at_end`, each multiplying by its factor or cutting to its limit.

        Rounds of relaxation (R. Bellman, "On a routing problem", Quarterly of Applied Mathematics 16 (1958) 87-90) over `edges`; over
        all, if that is None, or over those into what changed while these are few.
        """
        best = np.zeros(self.nodes)
        best[ends] = at_end
        order, first = self.into
        every = slice(None) if edges is None else edges
        source = self.source[every]
        begins = np.flatnonzero(np.diff(source, prepend=-1))
        having, changed = source[begins], ends if len(source) else ends[:0]

        def left(edges: Ints | slice) -> Floats:
            below = best[self.target[edges]]
            if factor is not None:
                below *= factor[edges]
            return below if limit is None else np.minimum(below, limit[edges], out=below)

        while len(changed):
            if edges is None and MANY * int((first[changed + 1] - first[changed]).sum()) < len(order):
                few, before = order[_ranges(first, changed)], best.copy()
                np.maximum.at(best, self.source[few], left(few))
                changed = np.flatnonzero(best > before)
            else:
                found = np.maximum.reduceat(left(every), begins)
                better = found > best[having]
                changed = having[better]
                best[changed] = found[better]
        return best


class _Search:
    """Finds the best rest of a way."""

    def __init__(
        self, network: LossNetwork, share: Floats, arriving: Floats, starts: frozenset[int], ends: frozenset[int]
    ) -> None:
        self.network, self.share, self.arriving, self.starts, self.ends = network, share, arriving, starts, ends

    def best(self, prefix: tuple[int, ...], worth: tuple[float, ...], banned: frozenset[int]) -> Way | None:
        """The strongest way that begins with `prefix` and does not go on with a banned edge; None if there is none."""
        network = self.network
        passed = set(self.starts) | {int(network.target[edge]) for edge in prefix}
        begin = {int(network.target[prefix[-1]])} if prefix else self.starts
        if self._is_cut_off(begin, passed, banned):
            return None
        known: dict[int, tuple[float, int]] = {}  # node -> the most that reaches it so far, by which edge
        waiting: list[tuple[float, int, float, int]] = []  # bound, steps, what reaches the node, node

        def step(node: int, reaching: float, steps: int, without: frozenset[int]) -> None:
            low, high = int(network.first[node]), int(network.first[node + 1])
            target, amount = network.target[low:high], network.amount[low:high]
            usd = amount if reaching == np.inf else np.minimum(reaching * network.share[low:high], amount)
            usd = np.where(np.isfinite(usd), usd, 0.0)
            limit = np.minimum(usd * self.share[target], self.arriving[target])
            for place in np.flatnonzero(limit > 0).tolist():
                edge, below, arrives = low + place, int(target[place]), float(usd[place])
                if below in passed or edge in without or arrives <= known.get(below, (0.0, 0))[0]:
                    continue
                known[below] = (arrives, edge)
                heapq.heappush(waiting, (-float(limit[place]), steps, -arrives, below))

        for node in sorted(begin):
            step(node, worth[-1] if prefix else np.inf, 1, banned)
        while waiting:
            _, steps, reaching, node = heapq.heappop(waiting)
            if -reaching < known[node][0]:
                continue
            if node in self.ends:
                return self._way(prefix, worth, node, begin, known)
            step(node, -reaching, steps + 1, frozenset())
        return None

    def _is_cut_off(self, begin: Collection[int], passed: Collection[int], banned: frozenset[int]) -> bool:
        """Whether a few steps back from the ends show that no way is left; otherwise a search would go through everything in vain."""
        network, (order, first) = self.network, self.network.into
        seen, stack, looked = set(self.ends), list(self.ends), 0
        while stack:
            node = stack.pop()
            looked += int(first[node + 1] - first[node])
            if looked > FEW:
                return False
            edges = order[first[node] : first[node + 1]]
            for edge, above in zip(edges.tolist(), network.source[edges].tolist(), strict=True):
                if above in begin and edge not in banned:
                    return False
                if above not in passed and above not in seen and self.share[above] > 0:
                    seen.add(above)
                    stack.append(above)
        return True

    def _way(
        self,
        prefix: tuple[int, ...],
        worth: tuple[float, ...],
        node: int,
        begin: Collection[int],
        known: dict[int, tuple[float, int]],
    ) -> Way:
        network, edges = self.network, list[int]()
        while node not in begin:
            edges.append(known[node][1])
            node = int(network.source[edges[-1]])
        passed = list(worth)
        for edge in reversed(edges):
            usd = passed[-1] * network.share[edge] if passed else np.inf
            passed.append(float(min(usd, network.amount[edge])))
        return Way((*prefix, *reversed(edges)), tuple(passed))


def _ranges(first: Ints, nodes: Ints) -> Ints:
    """The places first[n] to first[n + 1] of every node, one after another."""
    counts = first[nodes + 1] - first[nodes]
    offsets = np.repeat(first[nodes] - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) if len(nodes) else nodes
    return np.asarray(np.arange(len(offsets)) + offsets, dtype=np.int64)
