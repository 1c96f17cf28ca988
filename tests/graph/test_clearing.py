"""The clearing map against closed forms, a linear program (HiGHS) and the published examples of two other libraries."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from chain.errors import ConvergenceError, InputError
from graph.balance_sheets import Network, capped
from graph.clearing import (
    Valuation,
    eisenberg_noe,
    first_hit_debtrank,
    furfine,
    greatest,
    least,
    linear_debtrank,
    pro_rata,
    rogers_veraart,
    solutions,
)
from tests.graph.random_networks import random_network, with_equity

ASSETS = {"A": 10.0, "B": 5.0, "C": 3.0}
DEBTS = {"A": 9.0, "B": 4.0, "C": 2.0}
SHAPES = {
    "chain": [("A", "B", 0.5), ("B", "C", 0.5)],
    "cycle": [("A", "B", 0.5), ("B", "C", 0.5), ("C", "A", 0.5)],
    "tree": [("A", "B", 0.5), ("A", "C", 0.5)],
}

# Final equities of the examples shock_chain, shock_cycle and shock_tree of neva (github.com/marcobardoscia/neva, commit 6ced7f7,
# run with Python 3.11, tolerance 1e-15): example, loss of (A, B, C), Eisenberg-Noe, linear DebtRank.
NEVA = [
    ("chain", (0, 0, 0.8), (1.5, 0.94, -0.3), None),
    ("chain", (1.2, 1.2, 1.2), (0.26222222222222297, -0.34, -0.7), (-0.2, -0.7, -0.7)),
    ("chain", (1.0, 1.0, 1.45), (0.47888888888888886, -0.19, -0.95), (0.0, -0.5, -0.95)),
    ("cycle", (0, 0, 0.8), (1.0, 1.0, 0.2), (0.7714285714285716, 0.5428571428571431, 0.0857142857142863)),
    ("cycle", (1.2, 1.2, 1.2), (-0.2269320843091328, -0.24238875878220156, -0.21194379391100698), (-0.7, -0.7, -0.7)),
    (
        "cycle",
        (1.0, 1.0, 1.45),
        (-0.010011709601873475, -0.09010538641686183, -0.45052693208430905),
        (-0.5, -0.5, -0.95),
    ),
    ("tree", (0, 0, 0.8), (1.94, 0.5, -0.3), (1.5, 0.5, -0.3)),
    ("tree", (1.2, 1.2, 1.2), (0.5822222222222229, -0.7, -0.7), (-0.2, -0.7, -0.7)),
    ("tree", (1.0, 1.0, 1.45), (0.7544444444444445, -0.5, -0.95), (0.0, -0.5, -0.95)),
]


def example(shape: str, losses: Sequence[float] = (0, 0, 0)) -> Network:
    return Network.from_claims(SHAPES[shape], ASSETS, DEBTS).shocked(dict(zip("ABC", losses, strict=True)))


@pytest.mark.parametrize(("shape", "losses", "clearing", "debtrank"), NEVA)
def test_equities_are_those_of_neva(
    shape: str, losses: tuple[float, ...], clearing: tuple[float, ...], debtrank: tuple[float, ...] | None
) -> None:
    shocked = example(shape, losses)
    assert greatest(shocked, eisenberg_noe).equity == pytest.approx(clearing, abs=1e-9)
    if debtrank is not None:
        assert greatest(shocked, linear_debtrank(example(shape))).equity == pytest.approx(debtrank, abs=1e-9)


def test_the_one_number_that_differs_from_neva_by_hand() -> None:
    # neva answers (1.5, 0.5, -0.3): in utils.shock_and_solve the reference equity of every bank is that of the last one. By hand:
    # C is wiped out, B loses its claim of 0.5 out of 1.0, A loses half of its claim of 0.5.
    found = greatest(example("chain", (0, 0, 0.8)), linear_debtrank(example("chain")))
    assert found.equity == pytest.approx((1.25, 0.5, -0.3), abs=1e-12)


def test_the_impact_matrix_is_that_of_network_risk_measures() -> None:
    # tests/testthat/test_1_risk_com.R of NetworkRiskMeasures (github.com/carloscinelli/NetworkRiskMeasures, commit 3813414), impacts capped at 1. Its
    # DebtRank examples stand on networks drawn with R's random numbers and cannot be rebuilt without R.
    buffer = {"A": 10.0, "B": 2.0, "C": 2.0, "E": 1.0, "F": 10.0, "D": 4.0}
    owes = {
        ("A", "B"): 5, ("A", "F"): 10, ("A", "D"): 2, ("B", "C"): 3, ("B", "F"): 2,
        ("C", "E"): 4, ("F", "C"): 2, ("F", "E"): 5, ("F", "F"): 5, ("D", "B"): 2, ("D", "C"): 2,
    }  # fmt: skip
    published = {
        ("A", "B"): 1.0, ("A", "F"): 1.0, ("A", "D"): 0.5, ("B", "C"): 1.0, ("B", "F"): 0.2,
        ("C", "E"): 1.0, ("F", "C"): 1.0, ("F", "E"): 1.0, ("D", "B"): 1.0, ("D", "C"): 1.0,
    }  # fmt: skip
    claims = [(holder, debtor, float(amount)) for (debtor, holder), amount in owes.items() if holder != debtor]
    network = with_equity(claims, buffer)
    assert network.face_equity == pytest.approx([buffer[name] for name in network.names])
    cut = capped(network)
    assert cut.face_equity == pytest.approx(network.face_equity)
    found = {
        (network.names[debtor], network.names[holder]): amount / buffer[network.names[holder]]
        for holder, debtor, amount in zip(*cut.claims.tocoo().coords, cut.claims.tocoo().data, strict=True)
    }
    assert found == pytest.approx(published)


def test_linear_debtrank_of_a_circle_is_a_geometric_series() -> None:
    # three nodes, equity 1, each holds a claim of g on the next: h = s / (1 - g^3) at the one that loses s
    gain, loss = 0.8, 0.3
    network = with_equity([("a", "b", gain), ("b", "c", gain), ("c", "a", gain)], {"a": 1.0, "b": 1.0, "c": 1.0})
    found = greatest(network.shocked({"a": loss}), linear_debtrank(network))
    first = loss / (1 - gain**3)
    assert 1 - found.equity == pytest.approx([first, first * gain**2, first * gain], abs=1e-9)


def test_first_hit_debtrank_passes_distress_on_once() -> None:
    gain, loss = 0.8, 0.3
    network = with_equity([("a", "b", gain), ("b", "c", gain), ("c", "a", gain)], {"a": 1.0, "b": 1.0, "c": 1.0})
    found = greatest(network.shocked({"a": loss}), first_hit_debtrank(network))
    assert 1 - found.equity == pytest.approx([loss + loss * gain**3, loss * gain**2, loss * gain], abs=1e-12)


def test_two_solutions_without_anything_outside() -> None:
    circle = Network.from_claims([("a", "b", 1.0), ("b", "a", 1.0)], {"a": 0.0, "b": 0.0})
    best, worst = solutions(circle, eisenberg_noe)
    assert best.payments.tolist() == [1.0, 1.0]
    assert worst.payments.tolist() == [0.0, 0.0]


def test_one_solution_where_everybody_owns_something_outside() -> None:
    assert len(solutions(example("cycle", (1.2, 1.2, 1.2)), eisenberg_noe)) == 1


def test_default_costs_make_two_solutions() -> None:
    # Rogers and Veraart: a owes b 1 and b owes a 1, both own 0.5 outside and owe 0.5 outside. Paid in full, both stand at zero. With
    # beta = 0 and alpha = 0.5, a defaulted node pays 0.25 on debts of 1.5; the other then has 0.5 + 1/6 against 1.5.
    network = Network.from_claims([("a", "b", 1.0), ("b", "a", 1.0)], {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5})
    best, worst = solutions(network, rogers_veraart(0.5, 0.0))
    assert best.worth.tolist() == [1.0, 1.0]
    assert worst.worth == pytest.approx([1 / 6, 1 / 6])
    assert worst.equity == pytest.approx([-1 + 1 / 6, -1 + 1 / 6])


def test_without_default_costs_rogers_veraart_is_eisenberg_noe() -> None:
    for shape in SHAPES:
        shocked = example(shape, (1.2, 1.2, 1.2))
        assert greatest(shocked, rogers_veraart(1.0, 1.0)).equity == pytest.approx(
            greatest(shocked, eisenberg_noe).equity
        )


def test_furfine_by_hand() -> None:
    # C defaults at once; B keeps 1.0 - 0.5 (1 - recovery); A is untouched as long as B stands
    found = greatest(example("chain", (0, 0.4, 0.8)), furfine(0.0))
    assert found.equity == pytest.approx((1.5, 0.1, -0.3))
    assert found.defaulted == ("C",)
    assert greatest(example("chain", (0, 0.6, 0.8)), furfine(0.0)).defaulted == ("B", "C")
    assert greatest(example("chain", (0, 0.6, 0.8)), furfine(0.5)).equity == pytest.approx((1.5, 0.15, -0.3))


def test_who_comes_first_changes_who_loses() -> None:
    # b has 6, owes 5 outside and 5 to a
    claims, assets, debts = [("a", "b", 5.0)], {"a": 0.0, "b": 6.0}, {"b": 5.0}
    senior = Network.from_claims(claims, assets, debts, is_outside_senior=True)
    equal = Network.from_claims(claims, assets, debts)
    assert greatest(senior, eisenberg_noe).losses.tolist() == [4.0, 0.0]
    assert greatest(equal, eisenberg_noe).losses.tolist() == [2.0, 0.0]
    assert greatest(senior, pro_rata).losses.tolist() == [2.0, 0.0]


def test_a_loss_beyond_all_assets_becomes_a_debt() -> None:
    network = Network.from_claims([("a", "b", 1.0)], {"a": 1.0, "b": 2.0})
    shocked = network.shocked({"b": 5.0})
    assert shocked.external_assets.tolist() == [1.0, 0.0]
    assert shocked.face_equity == pytest.approx(network.face_equity - [0.0, 5.0])


def most_paid(network: Network) -> np.ndarray:
    """Eisenberg and Noe, lemma 4: the clearing payments are the answer of a linear program. Creditors outside are one more node."""
    inside = network.obligations
    owed = inside + network.external_debts
    share = network.claims.toarray() / np.where(owed > 0, owed, 1.0)  # of what j pays, what goes to i
    found = linprog(
        -np.ones(len(owed)),
        A_ub=np.eye(len(owed)) - share,
        b_ub=network.external_assets,
        bounds=list(zip(np.zeros(len(owed)), owed, strict=True)),
        method="highs",
    )
    assert found.status == 0
    return np.asarray(found.x)


@pytest.mark.parametrize("seed", range(40))
def test_clearing_payments_solve_the_linear_program(seed: int) -> None:
    network = random_network(seed)
    found = greatest(network, eisenberg_noe)
    owed = network.obligations + network.external_debts
    assert len(found.defaulted) > 0
    paid = np.where(network.obligations > 0, found.worth * owed, np.minimum(owed, np.maximum(owed + found.equity, 0)))
    assert paid == pytest.approx(most_paid(network), abs=1e-7)


VALUATIONS: dict[str, Callable[[Network], Valuation]] = {
    "eisenberg_noe": lambda _: eisenberg_noe,
    "pro_rata": lambda _: pro_rata,
    "rogers_veraart": lambda _: rogers_veraart(0.7, 0.6),
    "furfine": lambda _: furfine(0.4),
    "linear_debtrank": linear_debtrank,
}


@pytest.mark.parametrize("name", VALUATIONS)
@settings(deadline=None, max_examples=25, derandomize=True)
@given(seed=st.integers(0, 10_000), loss=st.floats(0, 3), more=st.floats(0, 2), senior=st.booleans())
def test_every_solution_satisfies_the_map_and_a_larger_shock_heals_nobody(
    name: str, seed: int, loss: float, more: float, senior: bool
) -> None:
    network = random_network(seed, is_outside_senior=senior)
    valuation = VALUATIONS[name](network)
    small, large = network.shocked({"n00": loss}), network.shocked({"n00": loss + more})
    for shocked in (small, large):
        best, worst = greatest(shocked, valuation), least(shocked, valuation)
        for found in (best, worst):
            again = shocked.equity(valuation(shocked, found.equity, found.worth))
            assert again == pytest.approx(found.equity, abs=1e-9 * shocked.scale)
            assert (found.worth >= 0).all()
            assert (found.worth <= 1).all()
        assert (worst.equity <= best.equity + 1e-9 * shocked.scale).all()
    before, after = greatest(small, valuation).equity, greatest(large, valuation).equity
    assert (after <= before + 1e-9 * network.scale).all()


def test_what_does_not_come_to_rest_raises() -> None:
    almost = 1 - 1e-7
    network = with_equity([("a", "b", almost), ("b", "a", almost)], {"a": 1.0, "b": 1.0})
    with pytest.raises(ConvergenceError, match="did not come to rest within"):
        greatest(network.shocked({"a": 1e-4}), linear_debtrank(network))


@pytest.mark.parametrize(
    ("claims", "assets", "words"),
    [
        ([("a", "b", -1.0)], {"a": 1.0}, "claim of a on b is -1"),
        ([("a", "b", float("nan"))], {"a": 1.0}, "claim of a on b is nan"),
        ([("a", "a", 1.0)], {"a": 1.0}, "a holds a claim of 1 on itself"),
        ([("a", "b", 1.0)], {"a": float("inf")}, "external assets of a is inf"),
    ],
)
def test_amounts_that_mean_nothing_are_refused(
    claims: list[tuple[str, str, float]], assets: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Network.from_claims(claims, assets)


def test_shares_and_names_are_checked() -> None:
    with pytest.raises(InputError, match=r"alpha is 1\.5"):
        rogers_veraart(1.5, 0.5)
    with pytest.raises(InputError, match="no node 'D'"):
        example("chain").shocked({"D": 1.0})
