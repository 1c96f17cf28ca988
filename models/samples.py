"""What a forecaster is fitted to and asked about: features that were known, and outcomes that came, by (instant, asset)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from chain.errors import InputError
from models.panel import FloatArray, IntArray
from models.task import Task


@dataclass(frozen=True)
class Rows:
    """Samples laid flat, one row for each (instant, asset): x (R, F), y (R,), the number of the asset (R,)."""

    x: FloatArray
    y: FloatArray
    asset: IntArray


@dataclass(frozen=True)
class Samples:
    """Features and outcomes of one task.

    Attributes
    ----------
    task : what is forecast.
    as_of_s : instants of the forecasts, Unix seconds, ascending, shape (A,).
    assets : N symbols.
    names : F names of features.
    x : features, shape (A, N, F), from bars that end by the instant; NaN where unknown.
    y : outcomes, shape (A, N); NaN where unknown.
    proxy : a less noisy measure of the outcome to score short horizons by, shape (A, N), or None.
    """

    task: Task
    as_of_s: IntArray
    assets: tuple[str, ...]
    names: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    proxy: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.as_of_s), len(self.assets))
        proxy = self.y if self.proxy is None else self.proxy
        if self.x.shape != (*shape, len(self.names)) or self.y.shape != shape or proxy.shape != shape:
            raise InputError(
                f"samples of {shape[0]} instants, {shape[1]} assets and {len(self.names)} features hold x of shape {self.x.shape}, y of {self.y.shape} "
                f"and proxy of {proxy.shape}; give arrays of one set of instants, assets and features"
            )

    def between(self, from_s: int, to_s: int) -> "Samples":
        """Forecasts made in [from_s, to_s)."""
        return self.at(slice(*np.searchsorted(self.as_of_s, (from_s, to_s)).tolist()))

    def known_by(self, cutoff_s: int) -> "Samples":
        """Forecasts whose whole outcome is known at an instant: all that a model fitted then may see."""
        return self.at(slice(int(np.searchsorted(self.as_of_s + self.task.horizon_s, cutoff_s, side="right"))))

    def at(self, instants: npt.NDArray[np.bool_] | slice) -> "Samples":
        """The instants that a mask of shape (A,) or a slice picks."""
        return replace(
            self,
            as_of_s=self.as_of_s[instants],
            x=self.x[instants],
            y=self.y[instants],
            proxy=None if self.proxy is None else self.proxy[instants],
        )

    def with_features(self, names: Iterable[str]) -> "Samples":
        """Only the features named, in this order."""
        wanted = tuple(names)
        return replace(self, names=wanted, x=self.x[:, :, self.columns(wanted)])

    def columns(self, names: Iterable[str]) -> list[int]:
        """Places of features by name; one that is not there is an InputError."""
        place = {name: number for number, name in enumerate(self.names)}
        wanted = list(names)
        missing = [name for name in wanted if name not in place]
        if missing:
            raise InputError(
                f"the samples have no feature {', '.join(missing)}; compute it, or fit a model that does not ask for it"
            )
        return [place[name] for name in wanted]

    def feature(self, name: str) -> FloatArray:
        """One feature, shape (A, N)."""
        return self.x[:, :, self.columns([name])[0]]

    def rows(self) -> Rows:
        """All samples laid flat, in the order of instants, then assets; unknown outcomes are kept as NaN."""
        instants, assets = len(self.as_of_s), len(self.assets)
        return Rows(
            self.x.reshape(instants * assets, len(self.names)),
            self.y.reshape(-1),
            np.tile(np.arange(assets, dtype=np.int64), instants),
        )
