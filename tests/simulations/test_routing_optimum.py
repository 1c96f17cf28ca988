"""Splits over every kind of venue against an optimiser that knows only formulas in floats (`routing_draws.py`), not our venues or prices.

The judge is Kelley's cutting-plane method with scipy's linear solver: each formula is concave, so its tangents lie above it, and the best
split over the tangents is an upper bound of the best split. Tangents are added where the solver sells until what its own answer really
brings is within 1e-7 of that bound. So the optimum is known from both sides, and an optimiser that stopped early would be seen.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.simulations.routing_draws import KINDS, Case, Offered, case, checked

QUICK, LONG = 40, 2_000
SHORT, SURE = 1e-6, 2e-7
FLOOR_RAW = 10**9  # what a sale must bring before cut units are small beside 1e-6
MOST_CUTS = 60
TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Optimum:
    """The best split lies between what the optimiser reached and what it proved that nobody can pass."""

    reached: float
    bound: float


def optimum(drawn: Case) -> Optimum:
    """Variables: what each hop sells, then what it brings at most; a row for each tangent, one for each asset sold."""
    hops = drawn.all
    starts, middle = len(drawn.direct) + len(drawn.first), len(drawn.direct)
    amounts, scales = _scales(drawn)
    cuts = [
        {min(size, hop.curve.most) for size in amount * np.geomspace(1e-7, 1, 22)}
        for hop, amount in zip(hops, amounts, strict=True)
    ]
    count = len(hops)
    goal = -np.array([0.0] * count + [scale if middle > n or n >= starts else 0.0 for n, scale in enumerate(scales)])
    top = float(np.abs(goal).max())
    bounds = [(0, min(1.0, hop.curve.most / amount)) for hop, amount in zip(hops, amounts, strict=True)] + [
        (0, None)
    ] * count
    budget = np.zeros((1 + bool(drawn.first), 2 * count))
    budget[0, :starts] = 1.0
    if drawn.first:
        budget[1, starts:count] = 1.0
        budget[1, count + middle : count + starts] = -np.array(scales[middle:starts]) / amounts[-1]
    best = Optimum(0.0, float("inf"))
    for _ in range(MOST_CUTS):
        rows, limits = [budget], [np.array([1.0, 0.0])[: len(budget)]]
        for number, (hop, sizes, amount, scale) in enumerate(zip(hops, cuts, amounts, scales, strict=True)):
            points = np.array(sorted(sizes))
            slopes = np.array([hop.curve.slope(x) for x in points]) * amount / scale
            block = np.zeros((len(points), 2 * count))
            block[:, number], block[:, count + number] = -slopes, 1.0
            rows.append(block)
            limits.append(np.array([hop.curve.out(x) for x in points]) / scale - slopes * points / amount)
        found = linprog(
            goal / top, A_ub=np.vstack(rows), b_ub=np.concatenate(limits), bounds=bounds, method="highs", options=TIGHT
        )
        assert found.status == 0, found.message
        answer = [max(0.0, float(share)) * amount for share, amount in zip(found.x[:count], amounts, strict=True)]
        best = Optimum(max(best.reached, _brings(drawn, answer)), min(best.bound, -found.fun * top))
        if best.bound <= best.reached * (1 + SURE):
            break
        for known, size, hop in zip(cuts, answer, hops, strict=True):
            known.add(min(size, hop.curve.most))
    return best


def _scales(drawn: Case) -> tuple[list[float], list[float]]:
    """The most each hop can be asked to sell, and what that brings."""
    sold = [float(drawn.amount)] * (len(drawn.direct) + len(drawn.first))
    made = sum(hop.curve.out(min(drawn.amount, hop.curve.most)) for hop in drawn.first)
    amounts = sold + [made] * len(drawn.second)
    return amounts, [hop.curve.out(min(x, hop.curve.most)) for hop, x in zip(drawn.all, amounts, strict=True)]


def _brings(drawn: Case, sizes: Sequence[float]) -> float:
    """What these sizes really bring; where the first hops make less than the second ones would sell, those sell in proportion less."""
    starts, middle = len(drawn.direct) + len(drawn.first), len(drawn.direct)

    def out(hops: Sequence[Offered], amounts: Sequence[float]) -> float:
        return sum(hop.curve.out(min(x, hop.curve.most)) for hop, x in zip(hops, amounts, strict=True))

    made, asked = out(drawn.first, sizes[middle:starts]), sum(sizes[starts:])
    part = min(1.0, max(0.0, made / asked)) if asked else 0.0
    return out(drawn.direct, sizes[:middle]) + out(drawn.second, [x * part for x in sizes[starts:]])


def drawn_cases(seed: int, count: int) -> list[Case]:
    rng = random.Random(seed)
    return [case(rng) for _ in range(count)]


@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.verify)])
def test_within_a_millionth_of_the_optimum_over_all_kinds_of_venues(count: int) -> None:
    gaps, kinds, unsold, unsure = [], set[str](), 0, 0
    for number, drawn in enumerate(drawn_cases(count, count)):
        plan = checked(drawn.venues, drawn.ways, drawn.amount)
        if plan.received_raw < FLOOR_RAW:
            continue
        best = optimum(drawn)
        unsure += best.bound > best.reached * (1 + SHORT)
        gap = 1 - plan.received_raw / best.reached
        assert gap <= SHORT, f"set {number}: {plan.received_raw} is {gap:.3g} short of {best.reached:.15g}"
        assert plan.received_raw <= best.bound * (1 + SHORT), f"set {number}: more than anybody can get"
        gaps.append(gap)
        unsold += plan.unsold_raw > 0
        kinds |= {drawn.all[step.hop.venue].kind for step in plan.steps}
    assert float(np.quantile(gaps, 0.99)) < SHORT / 100
    assert kinds == set(KINDS)
    assert len(gaps) > 0.9 * count
    assert unsold > 0.03 * count
    assert unsure <= 0.01 * count
