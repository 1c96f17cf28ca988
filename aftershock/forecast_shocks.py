"""From forecasts to a joint law of shocks: volatility forecasts are the shock law of the simulator. `aftershock.bad_debt` draws from it.

Each asset's quantiles are its own forecast's; correlations are those of the hourly returns of the last ninety days, each pair over the hours that both have; large moves come together as in
a Student t that all assets share, with the degrees of freedom that the forecasts' quantiles imply.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from aftershock.forecasting.forecasts import QUANTILES
from chain.errors import InputError
from models.calibration import LEVELS as CALIBRATED
from models.panel import FloatArray, Panel
from models.task import DAY_S, HOUR_S

CORRELATION_DAYS = 90
LEAST_COMMON = 240
"""Hours that two assets must both have for a correlation of their own."""
LEAST_EIGENVALUE = 1e-8
LEAST_FREEDOM, MOST_FREEDOM = 2.5, 60.0


@dataclass(frozen=True)
class ShockLaw:
    """A joint law of log returns over a horizon.

    Attributes
    ----------
    assets : symbols, N of them.
    deviation : standard deviation of each log return over the horizon, shape (N,).
    correlation : shape (N, N).
    freedom : degrees of freedom of the shared Student t.
    text : where it comes from, in words.
    quantiles : of each log return at `models.calibration.LEVELS`, shape (N, 5), as they were calibrated; None where nobody did.
    notes : what must be said of it, a sentence each.
    """

    assets: tuple[str, ...]
    deviation: FloatArray
    correlation: FloatArray
    freedom: float
    text: str
    quantiles: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def covariance(self) -> FloatArray:
        """Of the log returns, shape (N, N)."""
        return np.asarray(self.correlation * np.outer(self.deviation, self.deviation))

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Joint log returns, shape (count, N): a multivariate t scaled to the deviations."""
        normal = rng.standard_normal((count, len(self.assets))) @ np.linalg.cholesky(self.correlation).T
        mixing = np.sqrt(rng.chisquare(self.freedom, size=(count, 1)) / (self.freedom - 2))
        return np.asarray(normal / mixing * self.deviation)

    def draw_calibrated(self, count: int, rng: np.random.Generator) -> FloatArray:
        """The same draws brought to each asset's own quantiles, shape (count, N): a Student t copula with calibrated margins (Demarta and McNeil 2005, International Statistical Review 73).

        The t's quantiles go to the asset's, what lies between by straight lines, and beyond the outermost the t's tail goes on, as wide as that half of the asset's law is.
        """
        drawn = self.draw(count, rng)
        if self.quantiles is None:
            return drawn
        t = stdtrit(self.freedom, CALIBRATED) * np.sqrt((self.freedom - 2) / self.freedom)
        for n, own in enumerate(self.quantiles):
            z = drawn[:, n] / self.deviation[n]
            middle = int(np.argmin(np.abs(t)))
            low, high = ((own[end] - own[middle]) / (t[end] - t[middle]) for end in (0, -1))
            beyond = np.minimum(z - t[0], 0.0) * low + np.maximum(z - t[-1], 0.0) * high
            drawn[:, n] = np.interp(z, t, own) + beyond
        return drawn


def law_of_forecasts(forecasts: pd.DataFrame, panel: Panel) -> ShockLaw:
    """The law at the one instant of a table of forecasts (columns of `aftershock.forecasting.forecasts`).

    Raises
    ------
    InputError
        If the table has several instants or horizons, or an asset that the panel does not have.
    """
    if forecasts["as_of"].nunique() != 1 or forecasts["horizon_hours"].nunique() != 1:
        raise InputError("a law of shocks is of one instant and one horizon; give the forecasts of one as_of")
    assets = tuple(str(name) for name in forecasts["asset"])
    deviation = np.sqrt(forecasts["variance"].to_numpy(dtype=np.float64))
    as_of_s = int(forecasts["as_of"].iloc[0].timestamp())
    width = (forecasts["q95"] - forecasts["q05"]).to_numpy(dtype=np.float64) / (2 * deviation)
    inner = (forecasts["q75"] - forecasts["q25"]).to_numpy(dtype=np.float64) / (2 * deviation)
    hours = int(forecasts["horizon_hours"].iloc[0])
    correlation, told = correlation_at(panel.select(assets), as_of_s)
    return ShockLaw(
        assets,
        deviation,
        correlation,
        implied_freedom(float(np.median(width)), float(np.median(width / np.maximum(inner, 1e-12)))),
        f"forecast for {hours} h from {forecasts['as_of'].iloc[0]:%Y-%m-%d %H:%M} UTC",
        forecasts[list(QUANTILES)].to_numpy(dtype=np.float64),
        told,
    )


def constant_law(like: ShockLaw, panel: Panel, as_of_s: int, horizon_hours: int) -> ShockLaw:
    """The yardstick: a law with each asset's mean variance over everything known by an instant, so that calm and stressed weeks look alike; correlations and the form of the tails as in the other."""
    known = panel.select(like.assets).until(as_of_s)
    deviation = np.sqrt(np.nanmean(known.log_returns() ** 2, axis=0) * horizon_hours * HOUR_S / panel.bar_s)
    quantiles = None if like.quantiles is None else like.quantiles * (deviation / like.deviation)[:, None]
    return replace(like, deviation=deviation, quantiles=quantiles, text="constant volatility")


def correlation_at(panel: Panel, as_of_s: int) -> tuple[FloatArray, tuple[str, ...]]:
    """Correlations of the hourly returns of the last ninety days known by an instant, and what must be said of them.

    Each pair is measured over the hours that both have; one with fewer than LEAST_COMMON of them gets the mean of the others. Pairs over different hours need not fit together: where
    they do not, eigenvalues are raised to LEAST_EIGENVALUE and the diagonal brought back to one (Rousseeuw and Molenberghs 1993, doi:10.1080/03610928308831068), so that the matrix is positive definite.

    Raises
    ------
    InputError
        If an asset does not move in these days.
    """
    returns = pd.DataFrame(panel.until(as_of_s).log_returns()[-CORRELATION_DAYS * DAY_S // panel.bar_s :])
    still = [asset for asset, moves in zip(panel.assets, (returns.fillna(0.0) != 0).any(), strict=True) if not moves]
    if still and len(panel.assets) > 1:
        raise InputError(
            f"{still[0]} has no move in the {CORRELATION_DAYS} days before the forecast, so it has no correlation; leave it out of the prices"
        )
    found = returns.corr(min_periods=LEAST_COMMON).to_numpy(copy=True)
    np.fill_diagonal(found, 1.0)
    thin, off = np.isnan(found), ~np.eye(len(found), dtype=bool)
    others = found[off & ~thin]
    mean = float(others.mean()) if len(others) else 0.0
    found[thin] = mean
    names = [asset for asset, most in zip(panel.assets, (thin | ~off).all(axis=0), strict=True) if most and thin.any()]
    told = (
        f"{', '.join(names)}: fewer than {LEAST_COMMON} hourly returns of the last {CORRELATION_DAYS} days in common with any other asset, so {mean:.2f}, the mean of the other pairs, is taken for the correlation",
    )
    values, vectors = np.linalg.eigh(found)
    if values[0] < LEAST_EIGENVALUE:
        raised = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
        found = raised / np.sqrt(np.outer(np.diag(raised), np.diag(raised)))
    return np.asarray(found), told if names else ()


def implied_freedom(width: float, tails: float) -> float:
    """Degrees of freedom at which the 95 % quantile of a Student t with deviation 1 is `width`; the nearest within 2.5 to 60.

    A width that no t with that deviation has, because the range is that of another deviation, says nothing of the tails. Then those count at which the range from 5 to 95 % is `tails` times that from 25 to 75 %.
    """
    freedoms = np.exp(np.linspace(np.log(LEAST_FREEDOM), np.log(MOST_FREEDOM), 200))
    quantiles = stdtrit(freedoms, 0.95) * np.sqrt((freedoms - 2) / freedoms)
    if width > quantiles.max():
        shapes = stdtrit(freedoms, 0.95) / stdtrit(freedoms, 0.75)
        return float(freedoms[np.argmin(np.abs(shapes - tails))])
    return float(freedoms[np.argmin(np.abs(quantiles - width))])
