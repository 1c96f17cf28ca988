"""How much of the network one node's distress reaches: DebtRank of many sources at once.

M. Bardoscia, S. Battiston, F. Caccioli, G. Caldarelli, "DebtRank: a microscopic foundation for shock propagation", PLoS ONE 10 (2015)
e0130406, eqs. 8 and 12. The same dynamics as `clearing.linear_debtrank`, for thousands of shocks side by side: what changed in a round is
one block of columns, and sources that have come to rest leave it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array, diags_array

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import Floats, Network

BLOCK = 64
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
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Floats:
    """Share of the network's value that is lost elsewhere when each source loses `loss_ratio` of its equity.

    Parameters
    ----------
    sources : node names; all nodes by default.
    weights : economic value of each node, shape (n,); face equity by default. They are scaled to add up to 1.
    progress : called with (sources done, sources in all).

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
    matrix, found = impact(network), np.zeros(len(chosen))
    for start in range(0, len(chosen), BLOCK):
        block = chosen[start : start + BLOCK]
        found[start : start + BLOCK] = _lost_elsewhere(matrix, block, loss_ratio, value)
        progress(min(start + BLOCK, len(chosen)), len(chosen))
    return found


def _lost_elsewhere(matrix: "csr_array", sources: "np.ndarray", loss_ratio: float, value: Floats) -> Floats:
    """For a few sources: the dynamics to their end."""
    lost, found = np.zeros((matrix.shape[0], len(sources))), np.zeros(len(sources))
    lost[sources, np.arange(len(sources))] = loss_ratio
    new, running = lost.copy(), np.arange(len(sources))
    for _ in range(MOST_ROUNDS):
        after = matrix @ new
        after += lost
        np.minimum(after, 1.0, out=after)
        np.subtract(after, lost, out=new)
        lost = after
        moving = new.max(axis=0) > TOLERANCE
        if moving.sum() > MOST_MOVING * len(running):
            continue
        done, at_rest = running[~moving], lost[:, ~moving]
        found[done] = value @ at_rest - value[sources[done]] * at_rest[sources[done], np.arange(len(done))]
        running = running[moving]
        if not len(running):
            return found
        lost, new = np.ascontiguousarray(lost[:, moving]), np.ascontiguousarray(new[:, moving])
    raise ConvergenceError(
        f"Losses of {len(running)} sources still grow after {MOST_ROUNDS} rounds; claims in a circle that are almost as large as the "
        "equity behind them do this"
    )
