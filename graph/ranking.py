"""Who is systemic, and how sure is that order: a score over all nodes, drawn again and again with what is uncertain drawn anew."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from chain.errors import InputError
from graph.balance_sheets import Floats, Network

Score = Callable[[Network], Floats]
Draw = Callable[[np.random.Generator], Network]
BITS = 40
"""Of a score's mantissa: what differs beyond (a part in 1e12) is the order in which floats were added, and no rank hangs on it."""


def ranking(
    network: Network,
    score: Score,
    draw: Draw,
    draws: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> pd.DataFrame:
    """Nodes by score, with the range that rank and score have over draws of what is uncertain.

    Parameters
    ----------
    score : the measure, one number a node; the larger, the higher the rank (1 is first).
    draw : one network as it may be: the same nodes, other amounts (`uncertain` makes one).

    Returns
    -------
    node, score, rank (of the network as given), score_low, score_high, rank_low, rank_high (5 % and 95 % quantiles over the draws), first_share
    (part of the draws in which the node came first), best rank first. Nodes of equal score share the better rank.
    """
    if draws < 2:
        raise InputError(f"draws is {draws}; at least 2 are needed to say how sure a rank is")
    rng = np.random.default_rng(seed)
    point = _cut(score(network))
    scores = np.empty((draws, len(network.names)))
    for number in range(draws):
        drawn = draw(rng)
        if drawn.names != network.names:
            raise ValueError("a draw must have the nodes of the network in the same order")
        scores[number] = _cut(score(drawn))
        progress(number + 1, draws)
    ranks = np.array([_ranks(row) for row in scores])
    low, high = np.quantile(scores, [0.05, 0.95], axis=0)
    best, worst = np.quantile(ranks, [0.05, 0.95], axis=0, method="nearest")
    frame = pd.DataFrame(
        {
            "node": network.names,
            "score": point,
            "rank": _ranks(point),
            "score_low": low,
            "score_high": high,
            "rank_low": best.astype(int),
            "rank_high": worst.astype(int),
            "first_share": (ranks == 1).mean(axis=0),
        }
    )
    return frame.sort_values(["rank", "node"], ignore_index=True)


def uncertain(network: Network, claim_sigma: Floats, keep_ratio: Floats | None = None) -> Draw:
    """Draws of a network whose claims are not known exactly.

    Parameters
    ----------
    claim_sigma : standard deviation of the logarithm of each stored claim, in the order of `network.claims.data`: what is not known of its
        price; the mean of each claim is kept.
    keep_ratio : probability that each claim exists at all, 1 by default: below 1 for rows that were not verified.
    """
    count = network.claims.nnz
    keep = np.ones(count) if keep_ratio is None else keep_ratio
    if claim_sigma.shape != (count,) or keep.shape != (count,):
        raise ValueError(f"one sigma and one probability for each of the {count} claims are needed")

    def draw(rng: np.random.Generator) -> Network:
        factor = np.exp(claim_sigma * rng.standard_normal(count) - claim_sigma**2 / 2)
        return network.with_claims(network.claims.data * factor * (rng.random(count) < keep))

    return draw


def _cut(score: Floats) -> Floats:
    mantissa, exponent = np.frexp(score)
    return np.asarray(np.ldexp(np.round(mantissa * 2**BITS), exponent - BITS), dtype=float)


def _ranks(score: Floats) -> "np.ndarray":
    """1 for the largest; equal scores share the better rank."""
    ordered = np.sort(score)
    return len(score) - np.searchsorted(ordered, score, side="right") + 1
