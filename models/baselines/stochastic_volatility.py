"""A yardstick with a latent variance: Heston's square-root process (1993, doi:10.1093/rfs/6.2.327, equation 4), in steps of a day.

    v' = (1 - phi) theta + phi v + xi sqrt(v) eta,        daily realised variance = v + noise of variance c v^2

Estimated by quasi-maximum likelihood: a Kalman filter that takes both noises as Gaussian, with their size at the filtered variance (as Fisher and Gilles do
for square-root models). theta is the mean of the daily realised variance; phi, xi and c are searched on a lattice that is refined three times.
Where we differ from the paper: no correlation with returns and no price of risk; what is observed is realised variance, not options.
"""

from dataclasses import dataclass

import numpy as np

from chain.errors import InputError
from models.baselines.days import answered_by_day
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.task import DAY_S, LEAST_VARIANCE, Task, outcomes

LEAST_DAYS = 60
LATTICE, REFINEMENTS = 6, 3


@dataclass(frozen=True)
class Noise:
    """Powers of the filtered variance that the two noises grow with: (1, 2) is Heston's; (0, 0) is the linear model, for tests."""

    of_state: float = 1.0
    of_observation: float = 2.0


def filtered(
    observed: FloatArray, theta: FloatArray, phi: FloatArray, xi2: FloatArray, c: FloatArray, noise: Noise
) -> tuple[FloatArray, FloatArray]:
    """Expected state one day after each day, shape (D, K), and the log-likelihood, shape (K,), for K parameter sets.

    The first state is drawn from the stationary law. `observed` has shape (D, K) or broadcasts to it; NaN is a day without an observation.
    """
    shape = np.broadcast_shapes(theta.shape, phi.shape, observed.shape[1:])
    floor = 1e-3 * theta
    state = np.broadcast_to(theta, shape).copy()
    spread = np.broadcast_to(xi2 * theta**noise.of_state / (1 - phi**2), shape).copy()
    ahead, likelihood = np.empty((len(observed), *shape)), np.zeros(shape)
    for day, seen in enumerate(observed):
        level = np.maximum(state, floor)
        total = spread + c * level**noise.of_observation
        known = np.isfinite(seen)
        surprise = np.where(known, seen - state, 0.0)
        likelihood += np.where(known, -0.5 * (np.log(2 * np.pi * total) + surprise**2 / total), 0.0)
        gain = np.where(known, spread / total, 0.0)
        state, spread = state + gain * surprise, (1 - gain) * spread
        level = np.maximum(state, floor)
        state, spread = (1 - phi) * theta + phi * state, phi**2 * spread + xi2 * level**noise.of_state
        ahead[day] = state
    return ahead, likelihood


@dataclass(frozen=True)
class StochasticVolatility:
    """Heston's process, discretised, by quasi-maximum likelihood."""

    name: str = "stochastic volatility"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedStochasticVolatility":  # noqa: ARG002
        """Parameters of each asset from the days that end by the last known outcome."""
        if panel is None:
            raise InputError(f"{self.name} needs the panel of prices; give it to fit")
        last = int(train.as_of_s[-1])
        cutoff, hour = last + train.task.horizon_s, last % DAY_S
        _, observed = daily_variances(panel.select(train.assets).until(cutoff), hour)
        theta = np.array([np.nanmean(c) if np.isfinite(c).sum() >= LEAST_DAYS else np.nan for c in observed.T])
        low, high = np.log([0.02, 1e-3, 0.02]), np.log([0.7, 1.0, 3.0])  # 1 - phi, xi2 / theta, c
        best = np.tile((low + high) / 2, (len(theta), 1))
        width = np.tile((high - low) / 2, (len(theta), 1))
        offsets = np.stack(np.meshgrid(*[np.linspace(-1, 1, LATTICE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        for _ in range(REFINEMENTS):
            tried = best[None] + offsets[:, None] * width[None]
            values = np.exp(np.clip(tried, low, high))
            likelihood = filtered(
                observed[:, None, :], theta, 1 - values[..., 0], values[..., 1] * theta, values[..., 2], Noise()
            )[1]
            chosen = np.argmax(np.where(np.isfinite(likelihood), likelihood, -np.inf), axis=0)
            best = np.clip(tried[chosen, np.arange(len(theta))], low, high)
            width = width / 2.5
        return FittedStochasticVolatility(train.assets, theta, np.exp(best), panel)


@dataclass(frozen=True)
class FittedStochasticVolatility:
    """theta (N,), and (1 - phi, xi2 / theta, c) (N, 3); the panel is read only up to each instant."""

    assets: tuple[str, ...]
    theta: FloatArray
    parameters: FloatArray
    panel: Panel

    @property
    def reads(self) -> tuple[str, ...]:
        """None: it reads bars."""
        return ()

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        days = samples.task.horizon_hours / 24
        steps = np.arange(max(1, round(days)))

        def ahead(panel: Panel, at: list[int], hour_s: int) -> tuple[IntArray, FloatArray]:
            theta, phi, xi2, c = self.theta[at], 1 - self.parameters[at, 0], *self.parameters[at, 1:].T
            ends, observed = daily_variances(panel, hour_s)
            tomorrow, _ = filtered(observed, theta, phi, xi2 * theta, c, Noise())
            return ends, theta + (tomorrow - theta) * np.mean(phi[None] ** steps[:, None], axis=0)

        found = answered_by_day(samples, self.panel, self.assets, ahead) * days
        return np.where(np.isfinite(found), np.maximum(found, LEAST_VARIANCE), np.nan)


def daily_variances(panel: Panel, hour_s: int) -> tuple[IntArray, FloatArray]:
    """Ends of days, shape (D,), and realised variance of those days, shape (D, N); a day ends `hour_s` seconds after midnight UTC."""
    ends = panel.end_s[(panel.end_s % DAY_S == hour_s) & (panel.end_s - DAY_S >= panel.end_s[0] - panel.bar_s)]
    return ends, outcomes(panel, ends - DAY_S, Task(horizon_hours=24, bar_s=panel.bar_s))
