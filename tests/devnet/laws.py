"""How large the accounts of a world are and how close to liquidation: two laws fitted to real borrowers.

Both are lognormal and both were fitted by maximum likelihood, given that only a part of the line was seen:

- **Debt in USD.** File `aavev3-top1000-borrowers/hercules_top_1000_borrowed_users.csv`, column `total_debt_usd`, the
  1,000 largest borrowers of Aave V3 on Ethereum (December 2025). The file is cut off below its smallest entry,
  1,173,146.98 USD, so the likelihood is that of a lognormal *given* a value above the cut. The tail alone barely tells
  the median from the spread (any median between 20,000 and 150,000 USD fits within one unit of log-likelihood), but it
  beats a Pareto law by 13 units, and the median that it gives, 50,000 USD, is that of an independent full list: the 875
  debts above 2,000 USD in the second file have a mean log of 10.81.
- **Health factor.** File `lido-aave-steth-positions/steth_aave.csv`, column `healthf`, accounts with debt and
  1 < health factor < 10 (1,249 of 1,305). ln(health factor - 1) is normal, cut above at ln 9
  (Kolmogorov-Smirnov p = 0.41).

Two choices of ours. Sizes are not rescaled, but drawn below the 97.5 % quantile of the law, so that the largest of a
hundred accounts holds about a sixth of the debt and a world of any size has the same mean (about 0.5 million USD a
borrower). Draws are stratified: account i of n comes from the i-th n-th of the law, in random order, so a small world
has the law's quantiles too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_STANDARD = NormalDist()


@dataclass(frozen=True)
class CutLognormal:
    """exp(N(mean_log, sigma_log)), given that the value lies between `lower` and `upper`."""

    mean_log: float
    sigma_log: float
    lower: float = 0.0
    upper: float = math.inf

    def _score(self, bound: float) -> float:
        if bound <= 0:
            return -math.inf
        return math.inf if math.isinf(bound) else (math.log(bound) - self.mean_log) / self.sigma_log

    def quantile(self, share: float) -> float:
        """Return the value below which `share` (between 0 and 1) of the law lies."""
        low, high = _STANDARD.cdf(self._score(self.lower)), _STANDARD.cdf(self._score(self.upper))
        return math.exp(self.mean_log + self.sigma_log * _STANDARD.inv_cdf(low + share * (high - low)))

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw `count` values, one from each of `count` equally likely strata, in random order."""
        shares = (np.arange(count) + rng.uniform(0.001, 0.999, count)) / count
        values: NDArray[np.float64] = np.array([self.quantile(float(share)) for share in shares], dtype=np.float64)
        return values[rng.permutation(count)]

    def moments(self) -> tuple[float, float]:
        """Return mean and variance of the logarithm, given the cuts."""
        low, high = self._score(self.lower), self._score(self.upper)
        inside = _STANDARD.cdf(high) - _STANDARD.cdf(low)
        first = (_STANDARD.pdf(low) - _STANDARD.pdf(high)) / inside
        second = (_times_pdf(low) - _times_pdf(high)) / inside
        return self.mean_log + self.sigma_log * first, self.sigma_log**2 * (1 + second - first**2)


# Fitted constants; tests/test_devnet_world.py fits them again from the files.
DEBT_CUT_USD = 1_173_146.98
DEBT_MEAN_LOG, DEBT_SIGMA_LOG = 10.818, 2.785
HEALTH_MEAN_LOG, HEALTH_SIGMA_LOG = -0.0916, 1.1057
HEALTH_CUT = 10.0

# Choices.
SMALLEST_DEBT_USD = 100.0
LARGEST_DEBT_USD = CutLognormal(DEBT_MEAN_LOG, DEBT_SIGMA_LOG).quantile(0.975)
LOWEST_HEALTH_FACTOR = 1.012

DEBT_USD = CutLognormal(DEBT_MEAN_LOG, DEBT_SIGMA_LOG, SMALLEST_DEBT_USD, LARGEST_DEBT_USD)
HEALTH_ABOVE_ONE = CutLognormal(HEALTH_MEAN_LOG, HEALTH_SIGMA_LOG, LOWEST_HEALTH_FACTOR - 1, HEALTH_CUT - 1)


def fit_cut_lognormal(values: Sequence[float], lower: float = 0.0, upper: float = math.inf) -> CutLognormal:
    """Fit a lognormal that was seen only between two bounds, by maximum likelihood.

    The cut normal is an exponential family, so the likelihood is largest where mean and variance of the logarithms are
    those of the law: two equations, solved with Newton's method and a numerical Jacobian.

    Parameters
    ----------
    values : sequence of float
        Observations, all between the bounds.
    lower, upper : float
        The bounds.

    Raises
    ------
    RuntimeError
        Newton's method did not converge.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    target = np.array([logs.mean(), logs.var()])

    def gap(point: NDArray[np.float64]) -> NDArray[np.float64]:
        law = CutLognormal(float(point[0]), math.exp(float(point[1])), lower, upper)
        difference: NDArray[np.float64] = np.asarray(law.moments(), dtype=np.float64) - target
        return difference

    point = np.array([target[0], math.log(math.sqrt(target[1]))])
    for _ in range(200):
        here = gap(point)
        if float(np.abs(here).max()) < 1e-10:
            return CutLognormal(float(point[0]), math.exp(float(point[1])), lower, upper)
        jacobian = np.column_stack([(gap(point + step) - gap(point - step)) / 2e-5 for step in 1e-5 * np.eye(2)])
        move = np.linalg.solve(jacobian, here)
        point = point - move / max(1.0, float(np.abs(move).max()) / 0.5)
    raise RuntimeError("the fit did not converge")


def _times_pdf(score: float) -> float:
    return 0.0 if math.isinf(score) else score * _STANDARD.pdf(score)
