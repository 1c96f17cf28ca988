"""A hash that the number of threads does not change, and everything that matters does."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.volatility.networks import digest_of
from models.digests import digest
from models.networks.relations import ASSET, GraphHistory, correlation_edges, identity

RNG = np.random.default_rng(4)


def test_graphs_hash_alike_with_one_thread_and_with_two() -> None:
    factor = RNG.standard_normal((1_440, 1))
    returns = 0.01 * (RNG.standard_normal((1_440, 34)) + factor)
    histories = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            edges = correlation_edges(returns, 5)
        histories.append(GraphHistory(tuple(map(str, range(34))), np.array([0]), ((ASSET, "r", ASSET),), ((edges,),)))
    one, two = histories
    assert digest_of(one) == digest_of(two)
    assert digest_of(identity(one)) != digest_of(one) != digest_of(None)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_last_bits_change_nothing_and_a_part_in_ten_thousand_does(dtype: str) -> None:
    values = np.exp(RNG.normal(-9, 4, (200, 5)))
    near = np.nextafter(values, np.inf)
    assert (near != values).all() and digest("x", near) == digest("x", values)
    given: NDArray[Any] = values.astype(dtype)
    changed = given.copy()
    changed[7, 3] *= 1.0001
    assert digest("x", given.copy()) == digest("x", given) != digest("x", changed)


def test_what_is_told_apart() -> None:
    values = np.array([[0.0, 1.0, np.nan], [2.0, np.inf, -3.0]])
    same = np.array([[-0.0, 1.0, -np.nan], [2.0, np.inf, -3.0]])
    others = [values.T, np.nan_to_num(values), -values, values[:1], values * 2, (values + 0.5) - 0.5 + 1e-9]
    assert digest("x", same) == digest("x", values)
    assert len({digest("x", each) for each in (values, *others)} | {digest("y", values)}) == len(others) + 2
    ints = np.array([1_650_000_000, 1_650_000_001])
    assert digest("x", ints) != digest("x", ints[::-1])
