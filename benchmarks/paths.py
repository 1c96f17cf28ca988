"""How long the strongest ways take on generated networks: `python -m benchmarks.paths [edges]`. Seconds of processor time, not of the wall."""

import sys
from time import process_time

import numpy as np

from graph.strongest import LossNetwork

WAYS = 20


def claims(edges: int, seed: int = 7) -> LossNetwork:
    """Everybody has claims on anybody: heavy-tailed amounts, ten an account, circles everywhere; the hardest case."""
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
    rows = [np.stack([np.repeat(np.arange(accounts), 2), accounts + rng.integers(0, reserves, 2 * accounts)])]
    rows.append(
        np.stack(
            [
                accounts + np.repeat(np.arange(reserves), 30),
                accounts + reserves + rng.integers(0, assets, 30 * reserves),
            ]
        )
    )
    chain = accounts + reserves + np.arange(assets - 1)
    rows.append(np.stack([chain, chain + 1]))
    pairs = np.unique(np.concatenate(rows, axis=1), axis=1)
    amount = np.asarray(rng.lognormal(10, 2, pairs.shape[1]))
    worth = np.bincount(pairs[0], amount, accounts + reserves + assets)
    return LossNetwork(accounts + reserves + assets, pairs[0], pairs[1], amount / worth[pairs[0]], amount)


def main(edges: int) -> None:
    """Print the time to prepare, and the median and longest time of 20 questions."""
    for make in (claims, markets):
        network = make(edges)
        began = process_time()
        network.strongest({0}, {network.nodes - 1}, 1)
        prepared = process_time() - began
        rng, times = np.random.default_rng(1), []
        for _ in range(20):
            pair = (int(rng.integers(0, network.nodes)), int(network.nodes - 1 - rng.integers(0, 50)))
            began = process_time()
            found = network.strongest({pair[0]}, {pair[1]}, WAYS)
            times.append(process_time() - began)
        print(  # noqa: T201
            f"{make.__name__}: {network.nodes:,} nodes, {len(network.source):,} edges; first question {prepared:.2f} s; "
            f"{WAYS} ways: median {np.median(times):.3f} s, longest {max(times):.3f} s (last found {len(found)})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
