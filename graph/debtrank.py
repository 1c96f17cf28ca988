"""How much of the network one node's distress reaches: DebtRank of many sources at once.

M. Bardoscia, S. Battiston, F. Caccioli, G. Caldarelli, "DebtRank: a microscopic foundation for shock propagation", PLoS ONE 10 (2015)
e0130406, eqs. 8 and 12. As long as nobody has lost all, eq. 8 adds up to h = min(1, shock + W h), and its end is the least such h. Losses only
grow, so the order in which nodes are looked at does not change that end (P. Cousot, "Asynchronous iterative methods for solving a fixed point
system of monotone equations", 1977): a round goes through the nodes slice by slice and uses what the slices before it just lost, which takes a
third fewer rounds than eq. 8 does (Stein and Rosenberg 1948). Thousands of shocks stand side by side, one column each; those at rest leave.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array, diags_array

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import Floats, Network

BLOCK = 64
SLICES = 32
MOST_MOVING = (
    0.75  # sources at rest leave the block when no more than this part still moves: leaving costs a copy of the block
)
TOLERANCE = 1e-9
MOST_ROUNDS = 5_000


def impact(network: Network) -> "csr_array":
    """Share of the holder's face equity that each claim is, shape (n, n); rows of nodes without equity are empty: they have none to lose."""
    equity = network.face_equity
    share = np.divide(1.0, equity, out=np.zeros_like(equity), where=equity > 0)
    return csr_array(diags_array(share) @ network.claims)


def debtrank(
    network: Network,
    sources: Sequence[str] | None = None,
    loss_ratio: float = 1.0,
    weights: Floats | None = None,
    tolerance: float = TOLERANCE,
) -> Floats:
    """Share of the network's value that is lost elsewhere when each source loses `loss_ratio` of its equity.

    Parameters
    ----------
    sources : node names; all nodes by default.
    weights : economic value of each node, shape (n,); face equity by default. They are scaled to add up to 1.
    tolerance : a source is at rest once no node lost more than this in a round; what is still missing then is of this size.

    Returns
    -------
    shape (sources,), each from 0 to 1: sum over the other nodes of value x relative loss of equity. What the source itself loses is not
    in it, neither the first loss nor what comes back to it.

    Raises
    ------
    InputError
        If a source is no node, the loss is no share, or nothing has any value.
    ConvergenceError
        If losses still grow after `MOST_ROUNDS` rounds.
    """
    if not 0 < loss_ratio <= 1:
        raise InputError(f"loss_ratio is {loss_ratio}; give a share above 0, at most 1")
    place = {name: number for number, name in enumerate(network.names)}
    unknown = [name for name in sources or () if name not in place]
    if unknown:
        raise InputError(f"There is no node {unknown[0]!r} in this network of {len(place)} nodes")
    value = np.maximum(network.face_equity if weights is None else weights, 0.0)
    if not value.sum() > 0:
        raise InputError(
            "No node of this network has any value to lose; give weights, or what the nodes own outside it"
        )
    value = value / value.sum()
    chosen = np.array([place[name] for name in sources] if sources is not None else range(len(place)), dtype=np.int64)
    slices, found = _slices(impact(network)), np.zeros(len(chosen))
    for start in range(0, len(chosen), BLOCK):
        block = chosen[start : start + BLOCK]
        found[start : start + BLOCK] = _lost_elsewhere(slices, block, loss_ratio, value, tolerance)
    return found


def _slices(matrix: "csr_array") -> list[tuple[int, int, "csr_array"]]:
    """(first row, row after the last, these rows); column numbers in 32 bits, where there are no more."""
    rows = matrix.shape[0]
    small = np.int32 if max(rows, matrix.nnz) < 2**31 else np.int64
    matrix = csr_array((matrix.data, matrix.indices.astype(small), matrix.indptr.astype(small)), shape=matrix.shape)
    cuts = np.linspace(0, rows, min(SLICES, rows) + 1).astype(int).tolist()
    return [(first, after, matrix[first:after]) for first, after in pairwise(cuts)]


def _lost_elsewhere(
    slices: list[tuple[int, int, "csr_array"]],
    sources: "np.ndarray",
    loss_ratio: float,
    value: Floats,
    tolerance: float,
) -> Floats:
    """For a few sources: the dynamics to their end."""
    lost, found = np.zeros((len(value), len(sources))), np.zeros(len(sources))
    lost[sources, np.arange(len(sources))] = loss_ratio
    running = np.arange(len(sources))
    for _ in range(MOST_ROUNDS):
        moved = np.zeros(len(running))
        for first, after, rows in slices:
            now = rows @ lost
            shocked = np.flatnonzero((sources[running] >= first) & (sources[running] < after))
            now[sources[running[shocked]] - first, shocked] += loss_ratio
            np.minimum(now, 1.0, out=now)
            was = lost[first:after]
            np.maximum(moved, np.subtract(now, was, out=was).max(axis=0), out=moved)
            was[:] = now
        moving = moved > tolerance
        if moving.sum() > MOST_MOVING * len(running):
            continue
        done, at_rest = running[~moving], lost[:, ~moving]
        found[done] = value @ at_rest - value[sources[done]] * at_rest[sources[done], np.arange(len(done))]
        running = running[moving]
        if not len(running):
            return found
        lost = np.ascontiguousarray(lost[:, moving])
    raise ConvergenceError(
        f"Losses of {len(running)} sources still grow after {MOST_ROUNDS} rounds; claims in a circle that are almost as large as the "
        "equity behind them do this"
    )
