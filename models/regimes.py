"""Calm and turbulent markets: a Markov chain with two states behind the market's daily volatility.

Hamilton 1989 (doi:10.2307/1912559), with a mean and a variance for each state; fitted with statsmodels, filtered (never smoothed) when asked.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from chain.errors import ConvergenceError, InputError
from models.panel import FloatArray

LEAST_DAYS = 90


@dataclass(frozen=True)
class Regimes:
    """Two states of the log of market volatility, calm first.

    Attributes
    ----------
    mean, deviation : of each state, shape (2,).
    stay : probability that the next day is in the same state, shape (2,).
    """

    mean: FloatArray
    deviation: FloatArray
    stay: FloatArray

    @property
    def threshold(self) -> float:
        """Half way between the two means: a day above it is called turbulent when a forecast is scored, because the state itself is never seen."""
        return float(self.mean.mean())

    def high(self, series: FloatArray) -> FloatArray:
        """Probability of the turbulent state on each day given that day and all before it, shape (D,). A missing day is only carried on."""
        move = np.array([[self.stay[0], 1 - self.stay[0]], [1 - self.stay[1], self.stay[1]]])
        now = np.array([1 - self.stay[1], 1 - self.stay[0]]) / (2 - self.stay.sum())
        result = np.empty(len(series))
        for day, seen in enumerate(series):
            if day:
                now = now @ move
            if np.isfinite(seen):
                weight = now * np.maximum(stats.norm.pdf(seen, self.mean, self.deviation), 1e-300)
                now = weight / weight.sum()
            result[day] = now[1]
        return result

    def high_within(self, series: FloatArray, days: int) -> FloatArray:
        """Probability that some day of the next `days` lies above the threshold, given each day and all before it, shape (D,).

        A path of states is calm throughout, or not; given its state a day is below the threshold with the normal probability of that state.
        """
        move = np.array([[self.stay[0], 1 - self.stay[0]], [1 - self.stay[1], self.stay[1]]])
        below = stats.norm.cdf((self.threshold - self.mean) / self.deviation)
        none = np.ones(2)
        for _ in range(days):
            none = move @ (below * none)
        high = self.high(series)
        return np.asarray(1 - ((1 - high) * none[0] + high * none[1]))


def fit_regimes(series: FloatArray) -> Regimes:
    """Two regimes by maximum likelihood (statsmodels, expectation maximisation first, started from the quantiles of the series).

    Raises
    ------
    InputError
        If fewer than 90 days are known.
    ConvergenceError
        If no two states with different means are found.
    """
    from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

    known = series[np.isfinite(series)]
    if len(known) < LEAST_DAYS:
        raise InputError(
            f"regimes need {LEAST_DAYS} days of market volatility and {len(known)} are known; give a longer history"
        )
    low, high = known <= np.median(known), known > np.median(known)
    start = np.array([0.95, 0.05, known[low].mean(), known[high].mean(), known[low].var(), known[high].var()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a search that ends early is judged below by what it found
        model = MarkovRegression(known, k_regimes=2, trend="c", switching_variance=True)
        try:
            fitted = model.fit(start_params=start, em_iter=10, disp=False)
        except np.linalg.LinAlgError as error:
            raise ConvergenceError(
                "the two regimes of the market's volatility cannot be told apart; give a longer history"
            ) from error
    found = dict(zip(model.param_names, fitted.params, strict=True))
    mean = np.array([found["const[0]"], found["const[1]"]])
    deviation = np.sqrt([found["sigma2[0]"], found["sigma2[1]"]])
    stay = np.array([found["p[0->0]"], 1 - found["p[1->0]"]])
    order = np.argsort(mean)
    regimes = Regimes(mean[order], deviation[order], np.clip(stay[order], 1e-4, 1 - 1e-4))
    if not np.isfinite(regimes.mean).all() or regimes.mean[1] - regimes.mean[0] < 1e-6:
        raise ConvergenceError("no two regimes were found in the market's volatility; it has one")
    return regimes
