"""GARCH, GJR and EGARCH with t errors on daily returns, an asset at a time, rescaled to realised variance.

Fitted with arch (Kevin Sheppard): Bollerslev 1986, Glosten, Jagannathan and Runkle 1993, Nelson 1991. The recursions are repeated here so that a fit of one date
can be carried on to later instants without seeing them all at once; tests hold them equal to arch's. A day ends at the hour of the forecast.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chain.errors import InputError
from models.baselines.days import answered_by_day
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples
from models.task import DAY_S, LEAST_VARIANCE

SCALE = 100.0
"""Returns in percent: arch's optimiser wants numbers near one."""
LEAST_DAYS = 120
PATHS = 400
MEAN_ABSOLUTE = float(np.sqrt(2.0 / np.pi))
"""E|z| of a standard normal: what arch takes off |z| in EGARCH, whatever the errors' law."""
Kind = Literal["GARCH", "GJR", "EGARCH"]


@dataclass(frozen=True)
class Garch:
    """One of the family; order (1, 1), with one asymmetry for GJR and EGARCH."""

    kind: Kind

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.kind}-t"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedGarch":
        """Maximum likelihood on the days that end by the last known outcome.

        Then, an asset at a time: one factor, the mean of outcome over forecast in training (the best for QLIKE), and forecasts held inside what the asset
        showed in training, because an EGARCH that met a crash can explode.
        """
        if panel is None:
            raise InputError(f"{self.name} needs the panel of prices; give it to fit")
        last = int(train.as_of_s[-1])
        cutoff, hour = last + train.task.horizon_s, last % DAY_S
        returns = daily_returns(panel.select(train.assets).until(cutoff), hour)[1]
        parameters = np.full((len(train.assets), 6), np.nan)
        for n, series in enumerate(returns.T):
            known = series[np.isfinite(series)]
            if len(known) >= LEAST_DAYS and known.std() > 0:
                parameters[n] = estimate(self.kind, known)
        seed, one, nothing = int(rng.integers(2**31)), np.ones(len(train.assets)), np.zeros(len(train.assets))
        raw = FittedGarch(self.kind, train.assets, parameters, one, nothing, np.inf * one, panel, seed)
        days = train.at(train.as_of_s % DAY_S == hour)
        predicted = raw.predict(days)
        least, most, factor = nothing + LEAST_VARIANCE, nothing + np.nan, nothing + np.nan
        for n in range(len(train.assets)):
            both = np.isfinite(predicted[:, n]) & np.isfinite(days.y[:, n])
            if both.any():
                least[n], most[n] = max(days.y[both, n].min(), LEAST_VARIANCE), days.y[both, n].max()
                factor[n] = np.mean(days.y[both, n] / np.clip(predicted[both, n], least[n], most[n]))
        return FittedGarch(self.kind, train.assets, parameters, factor, least, most, panel, seed)


@dataclass(frozen=True)
class FittedGarch:
    """Parameters (N, 6): mean, omega, alpha, gamma, beta, degrees of freedom; factor and bounds (N,); the panel is read only up to each instant."""

    kind: Kind
    assets: tuple[str, ...]
    parameters: FloatArray
    factor: FloatArray
    least: FloatArray
    most: FloatArray
    panel: Panel
    seed: int

    @property
    def reads(self) -> tuple[str, ...]:
        """None: it reads bars."""
        return ()

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        days = max(1.0, samples.task.horizon_hours / 24)

        def ahead(panel: Panel, at: list[int], hour_s: int) -> tuple[IntArray, FloatArray]:
            ends, returns = daily_returns(panel, hour_s)
            tomorrow = variances(self.kind, self.parameters[at], returns)
            raw = aggregated(self.kind, self.parameters[at], tomorrow, days, self.seed)
            return ends, np.clip(self.factor[at] * raw, self.least[at], self.most[at])

        return answered_by_day(samples, self.panel, self.assets, ahead)


def daily_returns(panel: Panel, hour_s: int) -> tuple[IntArray, FloatArray]:
    """Ends of days, shape (D,), and log returns of those days in percent, shape (D, N); a day ends `hour_s` seconds after midnight UTC."""
    rows = np.flatnonzero(panel.end_s % DAY_S == hour_s)
    logs = SCALE * np.log(panel.close[rows])
    return panel.end_s[rows][1:], np.diff(logs, axis=0)


def estimate(kind: Kind, returns: FloatArray) -> FloatArray:
    """Mean, omega, alpha, gamma, beta and degrees of freedom by maximum likelihood; gamma is 0 for GARCH.

    Sums run on one thread: split over several they differ in their last bits, and EGARCH's search then ends elsewhere.
    """
    import warnings

    from arch import arch_model
    from threadpoolctl import threadpool_limits

    vol: Literal["GARCH", "EGARCH"] = "EGARCH" if kind == "EGARCH" else "GARCH"
    asymmetry = 0 if kind == "GARCH" else 1
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # a fit that did not come to rest still has parameters; the score shows what they are worth
        fitted = arch_model(returns, mean="Constant", vol=vol, p=1, o=asymmetry, q=1, dist="t").fit(
            disp="off", show_warning=False
        )
    found = fitted.params
    gamma = found.get("gamma[1]", 0.0)
    return np.array(
        [found["mu"], found["omega"], found["alpha[1]"], gamma, found["beta[1]"], found["nu"]], dtype=np.float64
    )


def variances(kind: Kind, parameters: FloatArray, returns: FloatArray) -> FloatArray:
    """Variance of the next day after each day, percent squared, shape (D, N). A day without a return leaves the variance at its expectation."""
    mean, omega, alpha, gamma, beta, _ = parameters.T
    result = np.empty(returns.shape)
    now = unconditional(kind, parameters)
    for day, seen in enumerate(returns - mean):
        shock = np.where(np.isfinite(seen), seen, 0.0)
        if kind == "EGARCH":
            z = shock / np.sqrt(now)
            moved = omega + alpha * (np.abs(z) - MEAN_ABSOLUTE) + gamma * z + beta * np.log(now)
            after = np.exp(np.clip(np.where(np.isfinite(seen), moved, omega + beta * np.log(now)), -20, 20))
        else:
            square = np.where(np.isfinite(seen), seen**2, now)
            down = np.where(np.isfinite(seen), np.where(seen < 0, seen**2, 0.0), 0.5 * now)
            after = omega + alpha * square + gamma * down + beta * now
        now = np.maximum(after, 1e-8)
        result[day] = now
    return result


def unconditional(kind: Kind, parameters: FloatArray) -> FloatArray:
    """Where the recursion starts: the variance in the long run, held below 1,000 % squared where there is none."""
    _, omega, alpha, gamma, beta, _ = parameters.T
    if kind == "EGARCH":
        return np.asarray(np.exp(np.clip(omega / np.maximum(1 - beta, 0.01), -10, 7)))
    return np.asarray(np.clip(omega / np.maximum(1 - alpha - gamma / 2 - beta, 0.01), 1e-6, 1_000.0))


def aggregated(kind: Kind, parameters: FloatArray, one: FloatArray, days: float, seed: int) -> FloatArray:
    """Sum of expected variances over the next `days` (whole, at least one) as a fraction of one squared, given tomorrow's `one`, shape (D, N).

    GARCH and GJR return to their mean geometrically; EGARCH has no closed form, so its ratio to tomorrow's variance is averaged over 400 drawn paths.
    """
    _, omega, alpha, gamma, beta, nu = parameters.T
    steps = round(days)
    if kind != "EGARCH":
        decay = alpha + gamma / 2 + beta
        total, current = one.copy(), one.copy()
        for _ in range(steps - 1):
            current = omega + decay * current
            total += current
        return total / SCALE**2
    total, logs = one.copy(), np.log(one)
    if steps > 1:
        freedom = np.where(np.isfinite(nu), np.maximum(nu, 2.05), 5.0)
        rng = np.random.default_rng(seed)
        z = rng.standard_t(freedom, size=(steps - 1, PATHS, len(nu))) * np.sqrt((freedom - 2) / freedom)
        moved = omega + alpha * (np.abs(z) - MEAN_ABSOLUTE) + gamma * z
        added = np.zeros((PATHS, len(nu)))
        power = np.ones(len(nu))
        for step in range(steps - 1):
            added = moved[step] + beta * added
            power = power * beta
            # every path shares the level: ln variance = beta^k x today's + a part that does not depend on it
            factor = np.exp(np.clip(added, -20, 20)).mean(axis=0)
            total += np.exp(np.clip(power * logs, -20, 20)) * factor
    return total / SCALE**2
