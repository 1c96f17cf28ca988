"""The fixed point of claims on claims against closed forms, a dense inverse and a walk of the circles by NetworkX."""

import networkx
import numpy as np
import pytest

from graph.recursive import Backing, components


def test_two_claims_half_made_of_each_other() -> None:
    backing = Backing({"A": {"B": 0.5, "P": 0.5}, "B": {"A": 0.5, "Q": 0.5}})
    assert backing.finally_of({"A": 90.0}) == pytest.approx({"P": 60, "Q": 30})
    assert backing.finally_of({"A": 90.0, "P": 5.0, "elsewhere": 1.0}) == pytest.approx(
        {"P": 65, "Q": 30, "elsewhere": 1}
    )
    assert backing.reaching("P") == pytest.approx({"P": 1, "A": 2 / 3, "B": 1 / 3})
    assert backing.reaching("B") == pytest.approx(
        {"B": 1, "A": 0.5}
    )  # B ends the way: what is behind it is B's own matter
    assert not backing.circular


def test_a_ladder_of_leverage() -> None:
    """C is 9/10 itself through D: the geometric series 1/10 x (1 + 0.9 + 0.81 + ...) gives all of P."""
    backing = Backing({"C": {"D": 0.9, "P": 0.1}, "D": {"C": 1.0}})
    assert backing.finally_of({"C": 1.0}) == pytest.approx({"P": 1.0})


def test_a_circle_with_nothing_outside_is_named_and_keeps_its_amount() -> None:
    backing = Backing({"A": {"B": 1.0}, "B": {"A": 1.0}, "C": {"A": 0.25, "P": 0.75}, "D": {"D": 1.0}})
    assert backing.circular == {"A", "B", "D"}
    assert backing.finally_of({"C": 4.0, "B": 1.0}) == pytest.approx({"A": 1, "P": 3, "B": 1})


@pytest.mark.parametrize("seed", range(20))
def test_against_a_dense_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    claims, final = 12, 4
    matrix = rng.random((claims, claims + final)) * (rng.random((claims, claims + final)) < 0.2)
    matrix[np.arange(claims), claims + rng.integers(0, final, claims)] += rng.random(claims) * (seed % 2) + 1e-3
    matrix /= matrix.sum(axis=1, keepdims=True)
    names = [f"c{number}" for number in range(claims)] + [f"r{number}" for number in range(final)]
    shares = {
        names[row]: {names[column]: matrix[row, column] for column in np.flatnonzero(matrix[row])}
        for row in range(claims)
    }
    backing, expected = Backing(shares), np.linalg.inv(np.eye(claims) - matrix[:, :claims]) @ matrix[:, claims:]
    amounts = rng.random(claims)
    found = backing.finally_of(dict(zip(names[:claims], amounts, strict=True)))
    assert [found.get(name, 0.0) for name in names[claims:]] == pytest.approx((amounts @ expected).tolist())
    assert sum(found.values()) == pytest.approx(amounts.sum())
    for number, name in enumerate(names[claims:]):
        reaching = backing.reaching(name)
        assert [reaching.get(claim, 0.0) for claim in names[:claims]] == pytest.approx(expected[:, number].tolist())


@pytest.mark.parametrize("seed", range(20))
def test_circles_are_those_that_networkx_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, 30, (int(rng.integers(5, 60)), 2)).tolist()
    below: dict[str, list[str]] = {}
    for above, under in pairs:
        below.setdefault(f"n{above}", []).append(f"n{under}")
    network = networkx.DiGraph([(f"n{above}", f"n{under}") for above, under in pairs])
    found = components(below)
    assert {frozenset(group) for group in found} == {
        frozenset(g) for g in networkx.strongly_connected_components(network)
    }
    place = {name: number for number, group in enumerate(found) for name in group}
    assert all(place[under] <= place[above] for above, under in network.edges)


def test_a_long_chain_needs_no_recursion() -> None:
    shares = {f"n{number}": {f"n{number + 1}": 1.0} for number in range(20_000)}
    assert Backing(shares).finally_of({"n0": 2.0}) == {"n20000": 2.0}
