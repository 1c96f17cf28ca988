"""A small world in which there is something to learn: variance that depends on a feature, its square and a neighbour's feature."""

from dataclasses import dataclass

import numpy as np

from models.features.past import with_past
from models.forecaster import Fitted
from models.networks.forecaster import NetworkForecaster
from models.networks.relations import ASSET, Edges, GraphHistory, Nodes
from models.networks.shape import Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import Task
from models.training import TrainingOptions

ASSETS = ("A", "B", "C", "D", "E")
DAY_S = 86_400
SMALL = Shape(hidden=8, layers=1, heads=2, dropout=0.1)
SHORT = TrainingOptions(epochs=3, patience=3, members=1, batch=16, learning_rate=1e-2)


@dataclass(frozen=True)
class LevelFitted(Fitted):
    """Each asset's mean."""

    level: FloatArray

    def predict(self, samples: Samples) -> FloatArray:
        return np.tile(self.level, (len(samples.as_of_s), 1))


@dataclass(frozen=True)
class Level:
    """The mean outcome of each asset in training."""

    name: str = "level"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> LevelFitted:  # noqa: ARG002
        return LevelFitted(np.nanmean(train.y, axis=0))


def world(instants: int = 80, seed: int = 3, past: int = 4, neighbour: float = 0.0) -> Samples:
    """Samples of five assets; y = gamma noise times exp(0.8 z + 0.5 (z^2 - 1) + neighbour * z of the next asset)."""
    rng = np.random.default_rng(seed)
    as_of = np.arange(instants, dtype=np.int64) * DAY_S + 1_600_000_000
    x = rng.standard_normal((instants, len(ASSETS), 3))
    z = x[:, :, 0]
    level = 0.8 * z + 0.5 * (z**2 - 1) + neighbour * np.roll(z, -1, axis=1)
    y = 1e-3 * np.exp(level) * rng.gamma(4.0, 0.25, z.shape)
    y[5, 2] = np.nan
    x[7, 1, 2] = np.nan
    samples = Samples(Task(), as_of, ASSETS, ("z", "noise", "holes"), x, y)
    return with_past(samples, ("z",), past, DAY_S) if past else samples


def ring(instants: int = 80, markets: bool = True) -> GraphHistory:
    """Each asset hears the next one (edge value 1) and the one after it (-1); two graphs over time; and two markets that list all assets."""
    places = np.arange(len(ASSETS))
    ends = np.concatenate([np.stack([np.roll(places, -1), places]), np.stack([np.roll(places, -2), places])], axis=1)
    values = np.repeat([[1.0], [-1.0]], len(ASSETS), axis=0)
    lists = np.stack([np.repeat([0, 1], len(ASSETS)), np.tile(places, 2)])
    start = 1_600_000_000
    first = (Edges(ends, values), Edges(lists, np.zeros((10, 0))))
    second = (Edges(ends, values / 2), Edges(lists, np.zeros((10, 0))))
    types = ((ASSET, "correlates", ASSET), ("market", "lists", ASSET))
    market = Nodes(
        "market", ("m", "n"), ("usd", "utilisation"), np.array([[[1.0, 0.2], [3.0, 0.9]], [[2.0, 0.4], [5.0, 0.1]]])
    )
    known = np.array([start, start + instants // 2 * DAY_S])
    if markets:
        return GraphHistory(ASSETS, known, types, (first, second), (market,))
    return GraphHistory(ASSETS, known, types[:1], (first[:1], second[:1]))


def forecaster(network: str, **changes: object) -> NetworkForecaster:
    """A small network on the level of each asset."""
    given = {"history": ring(), "options": SHORT, "shape": SMALL, "base": Level()} | changes
    return NetworkForecaster(network=network, **given)  # type: ignore[arg-type]
