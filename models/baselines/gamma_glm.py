"""A generalised linear model with gamma errors and a log link: its deviance is twice the QLIKE loss, so it fits what forecasts are scored by.

Fitted by Fisher scoring (McCullagh and Nelder 1989, section 2.5; with the log link the weights of all rows are one, so the normal matrix is factorised once), and, because that
is slow where tails are heavy, by Newton's method from the tenth round on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.errors import ConvergenceError, InputError
from chain.files.price_files import folded
from models.baselines.levels import from_own_level
from models.panel import FloatArray, IntArray, Panel
from models.samples import Samples

ROUNDS, TOLERANCE, SCORING = 100, 1e-13, 10
FLOOR_OF_OUTCOME = 1e-10


def fit_gamma(x: FloatArray, y: FloatArray, penalty: FloatArray) -> FloatArray:
    """Coefficients b that minimise mean(y / f + ln f) + sum of penalty b^2 / 2, with f = exp(x @ b).

    Parameters
    ----------
    x : shape (R, K); the first column is the constant, the others are best standardised.
    y : above or at zero, shape (R,), not all zero.
    penalty : of each coefficient, at least zero, shape (K,); that of the constant is best zero.

    Raises
    ------
    ConvergenceError
        If the scoring does not come to rest, or the columns of x depend on each other and there is no ridge.
    """
    from scipy.linalg import cho_factor, cho_solve

    normal = x.T @ x / len(y) + np.diag(penalty)
    try:
        factor = cho_factor(normal)
    except np.linalg.LinAlgError as error:
        raise ConvergenceError(
            "the gamma regression's features depend on each other; drop one, or give a ridge above zero"
        ) from error
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(np.mean(y))

    def loss(coefficients: FloatArray) -> float:
        linear = x @ coefficients
        with np.errstate(over="ignore"):
            return float(np.mean(y * np.exp(-linear) + linear) + 0.5 * penalty @ coefficients**2)

    now = loss(beta)
    for number in range(ROUNDS):
        weight = y * np.exp(-x @ beta)
        gradient = x.T @ (weight - 1.0) / len(y) - penalty * beta
        if number >= SCORING:
            factor = cho_factor((x * weight[:, None]).T @ x / len(y) + np.diag(penalty + TOLERANCE))
        step = cho_solve(factor, gradient)
        if float(gradient @ step) < TOLERANCE:
            return beta
        length = 1.0
        while length > 1e-6 and not (after := loss(beta + length * step)) < now:
            length /= 2
        if length <= 1e-6:
            return beta
        beta, now = beta + length * step, after
    raise ConvergenceError(
        f"the gamma regression did not come to rest in {ROUNDS} rounds; use fewer features or a larger ridge"
    )


def held_down(y: FloatArray, f: FloatArray | float, cap: float | None) -> FloatArray:
    """Outcomes at most `cap` times a forecast: a token that jumps thirtyfold in a day says that it jumped, not what the slopes are."""
    return y if cap is None else np.minimum(y, cap * f)


@dataclass(frozen=True)
class GammaGlm:
    """Pooled over assets.

    Attributes
    ----------
    features : logs of levels and level-free ones; a missing one takes its mean in training, except that without any one of `needed` there is no answer.
    needed : features that carry the level.
    ridge : on standardised features.
    level : the asset's own level, one of `needed`. If given, the ridge is on how far other levels stand from it and not on it, so that it holds a forecast near what the asset does
        and not near what training was like.
    cap : if given, the slopes are fitted once more to outcomes of at most this many times the first forecast, and the intercept is moved so that outcome over forecast has mean one again
        (after Huber 1964: what lies far off counts, but no more than so far).
    effects : if given, each asset's forecast is multiplied by its mean of outcome over forecast in training, pulled towards one as if so many more independent outcomes
        had had a ratio of one (an asset that was not in training has one).
    """

    name: str
    features: Sequence[str]
    needed: Sequence[str] = ()
    ridge: float = 1e-4
    level: str | None = None
    cap: float | None = None
    effects: float | None = None

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "FittedGlm":  # noqa: ARG002
        """Fisher scoring on all rows whose outcome and needed features are known."""
        rows = train.with_features(self.features).rows()
        needed = rows.x[:, [list(self.features).index(name) for name in self.needed]]
        good = np.isfinite(rows.y) & np.isfinite(needed).all(axis=1)
        x, y = rows.x[good], np.maximum(rows.y[good] / train.task.horizon_bars, FLOOR_OF_OUTCOME)
        if len(y) <= 2 * len(self.features):
            raise InputError(
                f"{self.name} has {len(self.features)} features and {len(y)} rows with a known outcome to fit; give a longer history"
            )
        missing = ~np.isfinite(x)
        x[missing] = 0.0
        centre = x.sum(axis=0) / np.maximum(len(x) - missing.sum(axis=0), 1)
        x -= centre
        x[missing] = 0.0
        turned = np.eye(x.shape[1]) if self.level is None else from_own_level(self.features, self.level)
        centred = x @ turned
        scale = np.sqrt((centred**2).mean(axis=0))
        scale = np.where(scale > 1e-9, scale, np.inf)  # a constant column says nothing
        design = np.ones((len(y), 1 + x.shape[1]))
        np.divide(centred, scale, out=design[:, 1:])
        penalty = np.array([0.0, *(0.0 if name == self.level else self.ridge for name in self.features)])
        beta = fit_gamma(design, y, penalty)
        if self.cap is not None:
            beta = fit_gamma(design, held_down(y, np.exp(design @ beta), self.cap), penalty)
            beta[0] += np.log(np.mean(y * np.exp(-design @ beta)))
        ratio = y * np.exp(-design @ beta)
        return FittedGlm(
            tuple(self.features),
            tuple(self.needed),
            centre,
            turned @ (beta[1:] / scale),
            float(beta[0]),
            train.assets,
            self._effects(ratio, rows.asset[good], train),
        )

    def _effects(self, ratio: FloatArray, asset: IntArray, train: Samples) -> FloatArray:
        """Factor of each asset, shape (N,). Outcomes that overlap count together as one."""
        if self.effects is None:
            return np.ones(len(train.assets))
        share = min(1.0, train.task.step_hours / train.task.horizon_hours)
        count = share * np.bincount(asset, minlength=len(train.assets))
        total = share * np.bincount(asset, ratio, len(train.assets))
        return np.asarray((total + self.effects) / (count + self.effects))


@dataclass(frozen=True)
class FittedGlm:
    """ln f = intercept + (x - centre) @ slopes + ln effect of the asset, for one bar; `effects` are those of `assets`, shape (N,), and an asset that is not among them has one."""

    features: tuple[str, ...]
    needed: tuple[str, ...]
    centre: FloatArray
    slopes: FloatArray
    intercept: float
    assets: tuple[str, ...]
    effects: FloatArray

    @property
    def reads(self) -> tuple[str, ...]:
        """Its features."""
        return self.features

    def predict(self, samples: Samples) -> FloatArray:
        """See `models.forecaster.Fitted.predict`."""
        x = samples.x[:, :, samples.columns(self.features)] - self.centre
        linear = self.intercept + np.where(np.isfinite(x), x, 0.0) @ self.slopes
        answered = np.isfinite(samples.x[:, :, samples.columns(self.needed)]).all(axis=2)
        return np.where(answered, np.exp(linear) * self.effects_of(samples.assets) * samples.task.horizon_bars, np.nan)

    def effects_of(self, assets: Sequence[str]) -> FloatArray:
        """The factor of each asset, by name."""
        known = dict(zip(map(folded, self.assets), self.effects.tolist(), strict=True))
        return np.array([known.get(folded(name), 1.0) for name in assets])
