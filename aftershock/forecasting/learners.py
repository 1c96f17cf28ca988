"""What `train volatility` can teach, by name: how each is made, tuned and fitted. torch, scikit-learn and Optuna are imported where one of them is used."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chain.errors import InputError, many
from models.answering import OfAssets
from models.baselines.boosting import Boosting
from models.baselines.gamma_glm import GammaGlm
from models.features.columns import features_of_column
from models.features.past import MARK
from models.forecaster import Fitted, Forecaster
from models.line_up import boosting, closes_only, glm
from models.networks.shape import ENCODERS, GRAPHS, NETWORKS
from models.panel import Panel
from models.samples import Samples
from models.task import DAY_S

if TYPE_CHECKING:
    from graph.protocol_graph import ProtocolGraph
    from models.networks.forecaster import NetworkForecaster
    from models.networks.relations import GraphHistory

LEARNERS = ("glm", "boosting", *NETWORKS)
PAST = ("rv_24", "abs_range_24", "abs_return_24", "market_abs_range_24", "return_24", "volume_24_720")
PAST_DAYS = 13
CORRELATION_HOURS = 60 * 24
ENDED = {
    "patience": "ended as its tail got no better",
    "epochs": "all that were asked for",
    "time": "ended by the clock",
}
Graphs = Sequence[tuple[int, "ProtocolGraph"]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Learner:
    """A model to be fitted.

    Attributes
    ----------
    model : what was asked for. base : the regression that it rests on, itself where that was asked for.
    reads : names of features besides those that prices always give: the steps of a look-back sequence.
    chosen : what tuning chose, a sentence; nothing where nothing was tuned.
    """

    model: Forecaster
    base: GammaGlm
    reads: tuple[str, ...] = ()
    chosen: str = ""

    def fit(self, train: Samples, seed: int, kept: Path, tell: Tell) -> tuple[Fitted, tuple[str, ...]]:
        """Fit; a network keeps its checkpoints in `kept`, tells every epoch, and has sentences about how it went."""
        rng = np.random.default_rng(seed)
        if not hasattr(self.model, "network"):
            return self.model.fit(train, None, rng), ()
        from models.networks.forecaster import NetworkForecaster, train_network
        from models.training import Epoch

        assert isinstance(self.model, NetworkForecaster)
        members = self.model.options.members

        def report(epoch: Epoch) -> None:
            tell(
                f"network {epoch.member + 1} of {members}, epoch {epoch.epoch}: loss {epoch.head_loss:.4f}, on its tail {epoch.tail_loss:.4f}"
            )

        fitted = train_network(self.model, train, None, rng, folder=kept, report=report)
        said = tuple(
            f"Network {number + 1} of {members}: {len(life.epochs) - 1} epochs, {ENDED[life.ended]}, epoch {life.kept} kept{' (the untrained one: nothing was learnt)' if not life.kept else ''}."
            for number, life in enumerate(fitted.lived)
        )
        weights = sum(array.size for array in fitted.members[0].values())
        said = (f"{many(members, 'network')} of {weights:,} numbers{' each' if members > 1 else ''}.", *said)
        # How long epochs took depends on the machine; the file must not.
        timeless = tuple(
            replace(life, epochs=tuple(replace(epoch, seconds=0.0) for epoch in life.epochs)) for life in fitted.lived
        )
        fitted = replace(fitted, lived=timeless)
        history = fitted.history
        return (OfAssets(fitted, history.assets, int(history.known_s[0])) if history is not None else fitted), said

    def learnt(self, fitted: Fitted) -> bool:
        """Whether what was fitted can differ from the regression that it rests on: not so for networks that all kept their untrained selves."""
        network = fitted.model if isinstance(fitted, OfAssets) else fitted
        return not hasattr(network, "lived") or any(life.kept for life in network.lived)

    def tuned(self, train: Samples, trials: int, kept: Path, seed: int, tell: Tell) -> "Learner":
        """The learner with the values that a study chose inside the training window; the study goes on where it stopped."""
        from models.tuning import Trial, tune

        space, make = _space(self)

        def report(trial: Trial) -> None:
            tell(f"tuning, trial {trial.number} of {trial.of}: QLIKE {trial.qlike:.4f}")

        found = tune(
            lambda values: make(values).model,
            space,
            train,
            None,
            trials=trials,
            study=kept / "tuning.db",
            chosen=kept / "chosen.toml",
            seed=seed,
            report=report,
        )
        values = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in found.best.values.items()
        )
        told = f"Chosen inside the training window by {many(trials, 'trial')}: {values} (trial {found.best.number}, mean QLIKE {found.best.qlike:.4f})."
        return replace(make(found.best.values), chosen=told)


def learner_of(name: str, panel: Panel, horizon_hours: int, epochs: int, members: int, graphs: Graphs = ()) -> Learner:
    """The learner of a name, for what a panel has: without highs and lows the regression is on closes; what else is known of the assets is read too.

    Parameters
    ----------
    graphs : protocol graphs with the instants from which they are known; a graph network hears along their relations, and without them along correlations.

    Raises
    ------
    InputError : trees without highs and lows.
    """
    has_ranges = bool(np.isfinite(panel.high).any())
    told = (column for column, values in panel.extras.items() if np.isfinite(values).any())
    more = tuple(name for column in told for name in features_of_column(column))
    base = glm(horizon_hours) if has_ranges else closes_only(horizon_hours)
    base = replace(base, features=(*base.features, *more))
    if name == "glm":
        return Learner(base, base)
    if name == "boosting":
        if not has_ranges:
            raise InputError("--model boosting reads high and low, and the prices have closes only; take --model glm")
        trees = boosting(horizon_hours)
        return Learner(replace(trees, offset=base, free=(*trees.free, *more)), base)
    return _network(name, panel, base, epochs, members, graphs)


def _network(name: str, panel: Panel, base: GammaGlm, epochs: int, members: int, graphs: Graphs) -> Learner:
    try:
        from models.networks.forecaster import NetworkForecaster
        from models.training import TrainingOptions
    except ModuleNotFoundError as error:
        raise InputError(
            f"--model {name} needs {error.name}; install aftershock with its extra, aftershock[forecast], or take --model glm"
        ) from error
    stems = tuple(stem for stem in PAST if "range" not in stem or np.isfinite(panel.high).any())
    has_past = name.rpartition("-")[2] in ENCODERS
    past = tuple(f"{stem}{MARK}{day}" for day in range(1, PAST_DAYS + 1) for stem in stems) if has_past else ()
    options = TrainingOptions(epochs=epochs, members=members, limit_s=math.inf)
    own = tuple(dict.fromkeys((*base.features, *(stems if has_past else ()), *past)))
    history = None
    if name in GRAPHS:
        history = _protocols(panel, graphs) if graphs else _correlations(panel)
    return Learner(NetworkForecaster(name, base, options, history=history, features=own), base, past)


def _correlations(panel: Panel) -> "GraphHistory":
    """Who moved with whom over sixty days, anew each thirty days, from the first bar on."""
    from models.networks.relations import correlation_history

    if len(panel.assets) < 2:
        raise InputError("a graph network needs at least two assets; take --model mlp")
    known = np.arange(panel.end_s[0] // DAY_S * DAY_S, panel.end_s[-1] + 1, 30 * DAY_S, dtype=np.int64)
    return correlation_history(panel.assets, panel.end_s, panel.log_returns(), known, CORRELATION_HOURS)


def _protocols(panel: Panel, graphs: Graphs) -> "GraphHistory":
    """The protocol graphs of snapshots; before the first one nothing is known."""
    from aftershock.forecasting.chain_columns import symbols_of
    from models.networks.protocols import protocol_history

    symbols = {node: symbol for _, graph in graphs for node, symbol in symbols_of(graph, panel.assets).items()}
    return protocol_history(graphs, symbols, panel.assets, from_s=int(panel.end_s[0]))


def _space(learner: Learner) -> tuple[Mapping[str, Any], Callable[[Mapping[str, Any]], Learner]]:
    """What may vary, and the learner that some values make."""
    from models.tuning import Between, OneOf

    model = learner.model
    if isinstance(model, GammaGlm):

        def regression(values: Mapping[str, Any]) -> Learner:
            made = replace(learner.base, ridge=float(values["ridge"]))
            return replace(learner, model=made, base=made)

        return {"ridge": Between(1e-4, 1.0, log=True)}, regression
    if isinstance(model, Boosting):

        def trees(values: Mapping[str, Any]) -> Learner:
            return replace(learner, model=replace(model, settings={**model.settings, **values}))

        return {
            "learning_rate": Between(0.02, 0.2, log=True),
            "max_iter": Between(20, 120, whole=True),
            "max_leaf_nodes": OneOf((4, 8, 16, 31)),
            "min_samples_leaf": Between(30, 1_000, log=True, whole=True),
        }, trees

    def network(values: Mapping[str, Any]) -> Learner:
        given: NetworkForecaster = model  # type: ignore[assignment]
        shape = replace(given.shape, hidden=int(values["hidden"]), dropout=float(values["dropout"]))
        options = replace(
            given.options, learning_rate=float(values["learning_rate"]), weight_decay=float(values["weight_decay"])
        )
        return replace(learner, model=replace(given, shape=shape, options=options))

    return {
        "hidden": OneOf((8, 16, 32, 64)),
        "dropout": OneOf((0.0, 0.1, 0.3)),
        "learning_rate": Between(1e-4, 3e-3, log=True),
        "weight_decay": Between(1e-3, 1.0, log=True),
    }, network
