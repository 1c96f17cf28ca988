"""Networks on top of the gamma regression, three seeds each, refitted on the same dates as every other model.

Every network starts where the regression stands (its last layer is zero) and learns a correction of the log variance from the features that differ between assets.
Each graph network has two twins with as many parameters: *identity*, in which every edge starts where it ends, and *shuffled*, the same edges from relabelled
sources, other ones for each seed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from benchmarks.volatility.world import World
from models.digests import digest
from models.evaluation import Fold, content_of, walk_forward
from models.forecaster import Fitted, Forecaster
from models.networks import relations
from models.networks.build import build, parameters
from models.networks.forecaster import NetworkForecaster
from models.networks.layout import lay_out
from models.networks.relations import GraphHistory, identity, shuffled
from models.networks.shape import GRAPHS, Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import DAY_S
from models.training import TrainingOptions

SEEDS = (1, 2, 3)
SMALL = Shape(hidden=16, layers=1, heads=2, dropout=0.1)
PLAIN = TrainingOptions(members=1, epochs=25, patience=4, batch=32, learning_rate=3e-4, weight_decay=1e-2)
PATIENT = replace(PLAIN, epochs=14, patience=14)
"""Fourteen epochs without stopping, the best on the tail kept."""
SHARED = ("market_", "btc_", "eth_", "index_", "weekday_", "hour_", "slot_market", "gas_")
"""Features that are the same for every asset, of which there are only as many values as instants: left to the regression."""
CORRELATION_DAYS = 60


@dataclass(frozen=True)
class Attempt:
    """One way to forecast, tried with every seed; the graph may depend on the seed."""

    name: str
    network: str
    options: TrainingOptions = PLAIN
    graph: Callable[[int], GraphHistory] | None = None


@dataclass
class Kept:
    """A model that is fitted once for each training window: what several networks stand on."""

    model: Forecaster
    fitted: dict[tuple[int, int, int], Fitted] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """As the model's."""
        return self.model.name

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> Fitted:
        """See `models.forecaster`."""
        key = (len(train.as_of_s), int(train.as_of_s[-1]), train.task.horizon_hours)
        if key not in self.fitted:
            self.fitted[key] = self.model.fit(train, panel, rng)
        return self.fitted[key]


def graph_attempts(name: str, history: GraphHistory, options: TrainingOptions = PATIENT) -> Iterator[Attempt]:
    """A graph network and its two twins."""
    own = identity(history)
    yield Attempt(name, "graph", options, lambda _: history)
    yield Attempt(f"{name}, identity", "graph", options, lambda _: own)
    yield Attempt(f"{name}, shuffled", "graph", options, lambda seed: shuffled(history, np.random.default_rng(seed)))


def hourly_attempts(world: World) -> Iterator[Attempt]:
    """What is tried on the hourly panel, a day ahead; the other horizons, and networks that read a past, are in docs/results/volatility-networks.md."""
    if world.horizon_hours != 24:
        return
    yield Attempt("MLP", "mlp")
    for weight in (3.0, 9.0):
        options = replace(PLAIN, loss="asymmetric", under_weight=weight)
        yield Attempt(f"MLP, under-forecasts x {weight:.0f}", "mlp", options)
    yield from graph_attempts("graph, correlation", correlation_history(world.panel))


def correlation_history(panel: Panel) -> GraphHistory:
    """Correlations of hourly returns over the 60 days before, five neighbours, anew on the first of each month."""
    first, last = (pd.Timestamp(int(panel.end_s[end]), unit="s") for end in (0, -1))
    known = np.array([int(month.timestamp()) for month in pd.date_range(first.ceil("D"), last, freq="MS")])
    bars = CORRELATION_DAYS * DAY_S // panel.bar_s
    return relations.correlation_history(panel.assets, panel.end_s, panel.log_returns(), known, bars)


def own_features(samples: Samples) -> tuple[str, ...]:
    """Those that differ between assets and are known somewhere."""
    known: list[bool] = np.asarray(np.isfinite(samples.x).any(axis=(0, 1))).tolist()
    return tuple(
        name for name, is_known in zip(samples.names, known, strict=True) if is_known and not name.startswith(SHARED)
    )


def forecasts(
    world: World, base: Forecaster, attempts: Iterator[Attempt], folds: list[Fold], names: tuple[str, ...]
) -> dict[str, list[FloatArray]]:
    """Walk-forward forecasts of each attempt for each seed, kept on disk.

    Parameters
    ----------
    base : what every network corrects.
    names : features of now that networks read.
    """
    kept = Kept(base)
    found = {}
    for attempt in attempts:
        first = int(attempt.graph(0).known_s[0]) if attempt.graph else 0
        samples = world.samples.at(world.samples.as_of_s >= first)
        content = content_of(samples)
        by_seed = []
        for seed in SEEDS:
            graph = attempt.graph(seed) if attempt.graph else None
            made = NetworkForecaster(attempt.network, kept, attempt.options, SMALL, graph, names, attempt.name)
            by_seed.append(
                walk_forward(
                    made,
                    samples,
                    world.panel,
                    folds,
                    world.scored,
                    seed,
                    world.kept_in,
                    content + digest_of(graph),
                    world.say,
                )
            )
        found[attempt.name] = by_seed
    return found


def sizes(names: tuple[str, ...], attempts: Iterator[Attempt]) -> dict[str, int]:
    """How many numbers each graph network learns: a twin must learn as many."""
    return {
        attempt.name: parameters(build(attempt.network, lay_out(names), 1, SMALL, attempt.graph(1), 1))
        for attempt in attempts
        if attempt.graph is not None and attempt.network in GRAPHS
    }


def digest_of(history: GraphHistory | None) -> str:
    """A hash of all graphs of a history, last bits left out (`models.digests`)."""
    every = [edges for graph in history.graphs for edges in graph] if history is not None else []
    return digest("graphs", *(array for edges in every for array in (edges.ends, edges.values)))
