"""What a network is charged for a wrong forecast of variance. All losses take the logarithm of the forecast and leave masked rows out.

A network answers with log variance, so that every forecast is positive and a step of the same size costs the same in calm and storm.

References
----------
Patton, A. (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, 246-256,
    doi:10.1016/j.jeconom.2010.03.034, eq. 24: QLIKE ranks forecasts rightly although the outcome is only a proxy of the variance.
Newey, W., Powell, J. (1987). Asymmetric least squares estimation and testing. Econometrica 55, 819-847, doi:10.2307/1911031: expectiles.
Koenker, R., Bassett, G. (1978). Regression quantiles. Econometrica 46, 33-50, doi:10.2307/1913643: the pinball loss.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chain.errors import InputError, unknown_name

LOSSES = ("gamma", "log", "quantile", "asymmetric")
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(log forecasts (..., outputs), outcomes (...,), known (...,)) -> the mean loss over the known rows, a scalar."""


def gamma(log_forecast: Tensor, outcome: Tensor, known: Tensor) -> Tensor:
    """QLIKE less what no forecast can change: `y/f + ln f`, so that an outcome of exactly zero (an hour without a trade) is finite.

    Where `y > 0` it is QLIKE (`models.scores.qlike`) + ln y + 1: the same gradient, half the gamma deviance but for a constant.

    Parameters
    ----------
    log_forecast : log variance, shape (..., 1).
    outcome : realised variance, shape (...,); unknown ones may be NaN.
    known : true where the outcome counts, shape (...,).

    Raises
    ------
    InputError : no row is known.
    """
    own = log_forecast.squeeze(-1)
    safe = torch.where(known, outcome, torch.ones_like(outcome))
    return _mean(safe * torch.exp(-own) + own, known)


def asymmetric(log_forecast: Tensor, outcome: Tensor, known: Tensor, under_weight: float) -> Tensor:
    """QLIKE in which a forecast below the outcome costs `under_weight` times as much: for users whom too little margin hurts more than too much.

    Over a constant forecast the minimum is the expectile of the outcomes at `under_weight / (1 + under_weight)`, as the derivative in
    `ln f` is `(f - y) / f`, weighted by side; a weight of 1 gives the mean, so the plain QLIKE. Forecasts made with it are meant to lie above the mean.
    """
    own = log_forecast.squeeze(-1)
    counted = known & (outcome > 0)
    safe = torch.where(counted, outcome, torch.ones_like(outcome))
    log_ratio = torch.log(safe) - own
    each = torch.exp(log_ratio) - log_ratio - 1.0
    weight = torch.where(log_ratio > 0, under_weight, 1.0)
    return _mean(weight * each, counted)


def log_error(log_forecast: Tensor, outcome: Tensor, known: Tensor) -> Tensor:
    """Squared error of log variance. Its minimum is the mean of logs, below the log of the mean: whoever wants the mean smears afterwards."""
    counted = known & (outcome > 0)
    safe = torch.where(counted, outcome, torch.ones_like(outcome))
    return _mean((torch.log(safe) - log_forecast.squeeze(-1)) ** 2, counted)


def quantile(log_forecast: Tensor, outcome: Tensor, known: Tensor, levels: Sequence[float]) -> Tensor:
    """The pinball loss of the quantiles of log variance, mean over the levels; `log_forecast` has one column for each level."""
    counted = known & (outcome > 0)
    safe = torch.where(counted, outcome, torch.ones_like(outcome))
    miss = torch.log(safe).unsqueeze(-1) - log_forecast
    at = torch.tensor(list(levels), dtype=log_forecast.dtype, device=log_forecast.device)
    return _mean(torch.maximum(at * miss, (at - 1.0) * miss).mean(dim=-1), counted)


def loss_of(name: str, *, under_weight: float = 1.0, levels: Sequence[float] = ()) -> Loss:
    """The loss of that name with its options filled in.

    Raises
    ------
    UnknownNameError : no such loss.
    InputError : an under-forecast is charged less than nothing, or the quantile loss has no levels strictly between 0 and 1, in rising order.
    """
    match name:
        case "gamma":
            return gamma
        case "log":
            return log_error
        case "asymmetric":
            if not (math.isfinite(under_weight) and under_weight > 0):
                raise InputError(
                    f"under_weight {under_weight} must be a positive number; 1 charges both sides alike, 3 charges under-forecasts thrice."
                )
            return lambda forecast, outcome, known: asymmetric(forecast, outcome, known, under_weight)
        case "quantile":
            if not levels or any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
                raise InputError(
                    f"levels {tuple(levels)} must be numbers between 0 and 1 in rising order, for example (0.05, 0.5, 0.95)."
                )
            return lambda forecast, outcome, known: quantile(forecast, outcome, known, levels)
    raise unknown_name("loss", name, LOSSES)


def _mean(each: Tensor, known: Tensor) -> Tensor:
    count = known.sum()
    if not bool(count):
        raise InputError(
            "No outcome in the batch is known and positive; nothing can be learnt from it: check the prices and the horizon."
        )
    return torch.where(known, each, torch.zeros_like(each)).sum() / count
