"""Losses against closed forms and SciPy's own figures, and their gradients against finite differences."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import expectile

from chain.errors import InputError, UnknownNameError
from models.losses import Loss, asymmetric, gamma, log_error, loss_of
from models.scores import qlike

LEVELS = (0.05, 0.5, 0.95)


def rows(count: int = 400, seed: int = 1) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).chisquare(2, count))


def everything(outcome: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(outcome, dtype=torch.bool)


def best_constant(loss: Loss, outcome: torch.Tensor) -> float:
    """The constant forecast of variance that a loss likes best, found by SciPy's scalar search."""
    known = everything(outcome)

    def at(level: float) -> float:
        return float(loss(torch.full((len(outcome), 1), level, dtype=torch.float64), outcome, known))

    return math.exp(minimize_scalar(at, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10}).x)


def test_gamma_of_one_row_is_the_closed_form() -> None:
    found = gamma(torch.tensor([[math.log(2.0)]]), torch.tensor([3.0]), torch.tensor([True]))
    assert float(found) == pytest.approx(1.5 + math.log(2.0), rel=1e-6)


def test_gamma_differs_from_the_score_by_what_no_forecast_can_change() -> None:
    outcome = rows()
    for forecast in (torch.zeros(400, 1, dtype=torch.float64), torch.randn(400, 1, dtype=torch.float64)):
        score = qlike(outcome.numpy(), np.exp(forecast[:, 0].numpy())).mean()
        gap = float(gamma(forecast, outcome, everything(outcome))) - score
        assert gap == pytest.approx(float(np.log(outcome.numpy()).mean()) + 1.0, abs=1e-12)


def test_best_constants_are_mean_geometric_mean_and_expectile() -> None:
    outcome = rows()
    numbers = outcome.numpy()
    assert best_constant(gamma, outcome) == pytest.approx(numbers.mean(), rel=1e-6)
    assert best_constant(log_error, outcome) == pytest.approx(math.exp(np.log(numbers).mean()), rel=1e-6)
    for weight in (1.0, 3.0, 9.0):
        found = best_constant(loss_of("asymmetric", under_weight=weight), outcome)
        assert found == pytest.approx(expectile(numbers, alpha=weight / (1 + weight)), rel=1e-5)


def test_charging_under_forecasts_more_raises_the_forecast() -> None:
    """The effect of the weight: the share of outcomes above the best constant falls as the weight grows."""
    outcome = rows()
    best = [best_constant(loss_of("asymmetric", under_weight=weight), outcome) for weight in (1.0, 2.0, 5.0, 20.0)]
    above = [float((outcome > level).double().mean()) for level in best]
    assert best == sorted(best)
    assert above == sorted(above, reverse=True)
    assert above[0] > 2 * above[-1]


@pytest.mark.parametrize("level", LEVELS)
def test_the_best_constant_of_the_pinball_loss_is_the_quantile(level: float) -> None:
    outcome = rows(401)
    found = best_constant(loss_of("quantile", levels=(level,)), outcome)
    assert found == pytest.approx(float(np.quantile(outcome.numpy(), level)), rel=2e-2)


@pytest.mark.parametrize("name", ["gamma", "log", "quantile", "asymmetric"])
def test_gradients_agree_with_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    loss = loss_of(name, under_weight=3.0, levels=LEVELS)
    outputs = len(LEVELS) if name == "quantile" else 1
    forecast = torch.randn(7, 5, outputs, dtype=torch.float64, requires_grad=True)
    outcome = torch.rand(7, 5, dtype=torch.float64) + 0.1
    known = torch.rand(7, 5) > 0.3
    assert torch.autograd.gradcheck(lambda given: loss(given, outcome, known), (forecast,))


@pytest.mark.parametrize("name", ["gamma", "log", "quantile", "asymmetric"])
def test_masked_rows_change_neither_loss_nor_gradient(name: str) -> None:
    loss = loss_of(name, under_weight=3.0, levels=LEVELS)
    forecast = torch.randn(6, len(LEVELS) if name == "quantile" else 1, dtype=torch.float64)
    outcome = rows(6)
    known = torch.tensor([True, True, False, True, False, True])
    few = loss(forecast[known], outcome[known], known[known])
    hidden = torch.where(known, outcome, torch.tensor(float("nan"), dtype=torch.float64))
    free = forecast.clone().requires_grad_()
    all_rows = loss(free, hidden, known)
    all_rows.backward()  # type: ignore[no-untyped-call]
    assert float(all_rows.detach()) == pytest.approx(float(few), abs=1e-12)
    assert free.grad is not None and not free.grad.isnan().any()
    assert torch.equal(free.grad[~known], torch.zeros_like(free.grad[~known]))


def test_an_outcome_of_zero_is_finite_for_gamma_and_left_out_elsewhere() -> None:
    outcome = torch.tensor([0.0, 2.0], dtype=torch.float64)
    forecast = torch.zeros(2, 1, dtype=torch.float64)
    assert float(gamma(forecast, outcome, everything(outcome))) == pytest.approx(1.0)
    assert float(log_error(forecast, outcome, everything(outcome))) == pytest.approx(math.log(2.0) ** 2)
    assert float(asymmetric(forecast, outcome, everything(outcome), 1.0)) == pytest.approx(2.0 - math.log(2.0) - 1.0)


def test_bad_options_say_what_to_do() -> None:
    with pytest.raises(UnknownNameError, match="did you mean gamma"):
        loss_of("gama")
    with pytest.raises(InputError, match="under_weight 0"):
        loss_of("asymmetric", under_weight=0)
    with pytest.raises(InputError, match="rising order"):
        loss_of("quantile", levels=(0.9, 0.1))
    with pytest.raises(InputError, match="No outcome"):
        gamma(torch.zeros(2, 1), torch.ones(2), torch.zeros(2, dtype=torch.bool))
