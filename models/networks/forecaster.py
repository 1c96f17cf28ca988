"""A network as a forecaster: a base (usually the gamma GLM) that answers alone, and networks that correct its log variance.

`train_network` is what a command calls; `NetworkForecaster.fit` is the same without progress and files.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from chain.errors import InputError
from models.forecaster import Fitted, Forecaster
from models.networks.batches import GraphBatches
from models.networks.build import answers, build
from models.networks.layout import Scale, lay_out, scale_of
from models.networks.relations import GraphHistory
from models.networks.shape import GRAPHS, Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.training import Lesson, Lived, Report, TrainingOptions, Weights, learn, one_thread

NODES_AT_ONCE = 2_000
"""Assets times instants that are answered in one go: what they say to each other stays in a core's cache (measured: 1, 2, 4, 8 and 24 times 1,000)."""


@dataclass(frozen=True)
class NetworkForecaster:
    """A network before it is fitted.

    Attributes
    ----------
    network : one of `models.networks.shape.NETWORKS`.
    base : the forecaster whose log variance it corrects, and which answers while it has learnt nothing.
    history : graphs over time, for graph networks.
    features : the features that it reads; all of the samples if None.
    label : told apart in tables what the fields do not tell apart (which graph).
    """

    network: str
    base: Forecaster
    options: TrainingOptions = field(default_factory=TrainingOptions)
    shape: Shape = field(default_factory=Shape)
    history: GraphHistory | None = None
    features: tuple[str, ...] | None = None
    label: str = ""

    @property
    def name(self) -> str:
        """Such as "graph (correlation) on gamma GLM"."""
        return f"{self.network}{f' ({self.label})' if self.label else ''} on {self.base.name}"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "NetworkFitted":
        """Fit base and network; see `models.forecaster`."""
        return train_network(self, train, panel, rng)


@dataclass(frozen=True)
class NetworkFitted:
    """A fitted network: base, weights of each member, and all that is needed to answer. Arrays and plain values only.

    Attributes
    ----------
    members : weights by name, one set for each seed.
    scale, node_scales : of the features of assets, and of nodes of other kinds.
    levels : of quantiles of the realised variance, if the loss was that of quantiles.
    smear : what the forecast is multiplied by where the loss does not aim at the mean (Duan 1983, doi:10.1080/01621459.1983.10478017,
        in its ratio form: mean of outcome over forecast in training); 1 for the gamma and the asymmetric loss.
    lived : how each member's training went.
    """

    network: str
    shape: Shape
    names: tuple[str, ...]
    levels: tuple[float, ...]
    scale: Scale
    node_scales: dict[str, Scale]
    history: GraphHistory | None
    members: tuple[Weights, ...]
    base: Fitted
    smear: float
    lived: tuple[Lived, ...] = field(default=())

    @property
    def reads(self) -> tuple[str, ...]:
        """What the network reads, then the base's."""
        return (*self.names, *self.base.reads)

    @property
    def assets(self) -> tuple[str, ...]:
        """Those of the base; weights know none."""
        return self.base.assets

    def predict(self, samples: Samples) -> FloatArray:
        """Expected realised variance, (A, N); NaN where the base has no answer.

        Raises
        ------
        InputError : a feature is not in the samples; or a graph network is asked about other assets than its graph has, or about an instant before its first graph.
        """
        answered = self.log_answers(samples)
        return np.asarray(np.exp(answered[:, :, answered.shape[2] // 2]) * self.smear)

    def quantiles(self, samples: Samples) -> FloatArray:
        """Quantiles of realised variance at `levels`, (A, N, levels), in rising order (sorted: Chernozhukov et al. 2010, doi:10.3982/ECTA7880).

        Raises
        ------
        InputError : the network was not taught quantiles.
        """
        if not self.levels:
            raise InputError(
                "This network was not taught quantiles; fit it with loss='quantile' and levels, or calibrate its forecast."
            )
        return np.asarray(np.exp(np.sort(self.log_answers(samples), axis=2)))

    def log_answers(self, samples: Samples) -> FloatArray:
        """What the members answer on average, log variance, (A, N, outputs)."""
        known = samples.with_features(self.names)
        x = self.scale(known.x)
        offset = np.log(self.base.predict(samples))
        outputs = max(1, len(self.levels))
        total = np.zeros((*offset.shape, outputs))
        if self.batches is not None:
            _refuse_others(self.batches.history, samples.assets)
        modules = self.modules  # made out here, so that who explains a forecast can ask them for gradients
        at_once = max(1, NODES_AT_ONCE // max(1, len(samples.assets)))
        with torch.inference_mode(), one_thread():
            for module in modules:
                for start in range(0, len(x), at_once):
                    rows = slice(start, start + at_once)
                    total[rows] += answers(
                        module, self.batches, samples.as_of_s[rows], torch.from_numpy(x[rows])
                    ).numpy()
        return np.asarray(offset[:, :, None] + total / len(self.members))

    @cached_property
    def modules(self) -> tuple[nn.Module, ...]:
        """The members with their weights, learning nothing any more; made once, when first asked."""
        modules = []
        for weights in self.members:
            module = build(self.network, lay_out(self.names), max(1, len(self.levels)), self.shape, self.history, 0)
            module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
            modules.append(module.eval())
        return tuple(modules)

    @cached_property
    def batches(self) -> GraphBatches | None:
        """The graphs as tensors; made once, when first asked."""
        return None if self.history is None else GraphBatches(self.history, self.node_scales)


def train_network(
    forecaster: NetworkForecaster,
    train: Samples,
    panel: Panel | None,
    rng: np.random.Generator,
    *,
    folder: Path | None = None,
    report: Report | None = None,
) -> NetworkFitted:
    """Fit the base, then each member in turn.

    While the network learns, its base is one that has not seen the tail: a base that has would look better there than it is on fresh instants, and
    no network would ever be kept. The base that answers afterwards has seen the whole window.

    Parameters
    ----------
    train : samples with known outcomes, instants rising; the last `tail_share` of them choose the epoch.
    rng : decides the seeds of the members.
    folder : checkpoints are kept here, one file for each member; an interrupted training goes on from them.
    report : told after every epoch of every member.

    Raises
    ------
    InputError, UnknownNameError, SchemaError : see `models.training.learn` and `models.networks.build.build`.
    """
    options, history = forecaster.options, forecaster.history if forecaster.network in GRAPHS else None
    if history is not None:
        _refuse_others(history, train.assets)
    base_rng, seed_rng = rng.spawn(2)
    seeds = [int(seed) for seed in seed_rng.integers(2**31, size=options.members)]
    known = train.with_features(forecaster.features or train.names)
    scale = scale_of(known.x, known.names)
    node_scales = _node_scales(history, int(train.as_of_s[-1])) if history is not None else {}
    graphs = GraphBatches(history, node_scales) if history is not None else None
    lesson = Lesson(
        train.task,
        train.as_of_s,
        scale(known.x),
        np.zeros(train.y.shape, np.float32),
        train.y.astype(np.float32),
    )
    early_rng, late_rng = base_rng.spawn(2)
    taught = np.isin(np.arange(len(train.as_of_s)), lesson.split(options.tail_share)[0])
    early = forecaster.base.fit(train.at(taught), panel, early_rng)
    lesson = replace(lesson, offset=np.log(early.predict(train)).astype(np.float32))
    base = forecaster.base.fit(train, panel, late_rng)
    members, lives = [], []
    for number, seed in enumerate(seeds):
        module = build(forecaster.network, lay_out(known.names), options.outputs, forecaster.shape, history, seed)
        weights, lived = learn(
            module,
            graphs,
            lesson,
            options,
            seed,
            member=number,
            report=report,
            checkpoint=folder / f"member-{number}.pt" if folder is not None else None,
            limit_s=options.limit_s / options.members,
        )
        members.append(weights)
        lives.append(lived)
    fitted = NetworkFitted(
        network=forecaster.network,
        shape=forecaster.shape,
        names=known.names,
        levels=options.levels if options.loss == "quantile" else (),
        scale=scale,
        node_scales=node_scales,
        history=history,
        members=tuple(members),
        base=base,
        smear=1.0,
        lived=tuple(lives),
    )
    if options.loss in ("gamma", "asymmetric"):
        return fitted
    ratio = train.y / fitted.predict(train)
    return replace(fitted, smear=float(np.nanmean(ratio)))


def _node_scales(history: GraphHistory, last_s: int) -> dict[str, Scale]:
    """Scales of the nodes that are no assets, from graphs known in the training window only."""
    graphs = max(1, int((history.known_s <= last_s).sum()))
    return {nodes.kind: scale_of(nodes.x[:graphs], nodes.names) for nodes in history.others}


def _refuse_others(history: GraphHistory, assets: tuple[str, ...]) -> None:
    if history.assets != assets:
        raise InputError(
            f"The graph is about {len(history.assets)} assets ({', '.join(history.assets[:3])} ...), the samples about {len(assets)}, or in another order; "
            "build the graph for the assets of the samples."
        )
