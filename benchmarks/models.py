"""Forecasting: features a second against plain pandas, training steps a second against a plain PyG loop, and answers for 1,000 nodes.

    python -m benchmarks.models                 about two minutes of processor time; --only features | training | inference

Both sides of every line get the same data in one run, one thread, and their outputs are compared: the run fails (exit code 1) if one differs.
Data are drawn (seeds below). Seconds are processor seconds of one core.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch_geometric.data import HeteroData
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATv2Conv, HeteroConv

from benchmarks.forecasts import drawn_prices
from models.baselines.gamma_glm import GammaGlm
from models.features.variance import LEAST_MOVE, variance_features
from models.features.windows import lookback
from models.networks.batches import GraphBatches
from models.networks.build import build
from models.networks.forecaster import NetworkFitted
from models.networks.graph import GraphNetwork
from models.networks.layout import Scale, lay_out
from models.networks.relations import ASSET, Edges, GraphHistory
from models.networks.shape import Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.task import HOUR_S, Task
from models.training import Epoch, Lesson, TrainingOptions, learn, one_thread

WINDOWS = (6, 24, 168, 720)
SHAPE = Shape(hidden=32, layers=2, heads=2, dropout=0.0)
NEAR = (ASSET, "near", ASSET)


def main() -> int:
    """Measure and print a table; 1 if an output differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(PARTS), help="only this part")
    only = parser.parse_args().only
    _say("| what | ours | plain | ours : plain | largest difference |\n|---|--:|--:|--:|--:|")
    wrong = []
    with one_thread():
        for name, part in PARTS.items():
            if only in (None, name):
                wrong += part()
    _say("\n".join(wrong) if wrong else "\nall outputs equal")
    return 1 if wrong else 0


def features() -> list[str]:
    """27 features of 34 assets, two years of hours, every six hours: ours against one pandas rolling window for each."""
    panel = drawn_prices(34, 2 * 365 * 24)
    as_of, assets = panel.end_s[750::6], len(panel.assets)
    ours, mine = _timed(lambda: variance_features(panel, lookback(panel, as_of), 24))
    plain, theirs = _timed(lambda: rolled(panel, as_of))
    if ours.keys() != plain.keys():
        return [f"features: {sorted(ours.keys() ^ plain.keys())} on one side only"]
    worst = max(float(np.abs(ours[name] - values).max()) for name, values in plain.items())
    cells = len(as_of) * assets
    rates = len(ours) * cells / mine, len(plain) * cells / theirs
    return _line("features a second", rates, worst, 1e-6, f"{len(ours)} features of {cells:,} (instant, asset)")


def rolled(panel: Panel, as_of: np.ndarray[Any, Any]) -> dict[str, FloatArray]:
    """The same features, written as pandas users write them."""
    close, high, low, opened = (pd.DataFrame(getattr(panel, name)) for name in ("close", "high", "low", "open"))
    rows = np.searchsorted(panel.end_s, as_of, side="right") - 1
    returns = np.log(close).diff()
    squares, ranges = returns**2, np.log(high / low)
    made: dict[str, pd.DataFrame] = {}
    for hours in WINDOWS:
        made[f"rv_{hours}"] = np.log(squares.rolling(hours).mean().clip(lower=1e-12))
        made[f"range_{hours}"] = np.log((ranges**2 / (4 * np.log(2))).rolling(hours).mean().clip(lower=1e-12))
        made[f"abs_range_{hours}"] = np.log(ranges.rolling(hours).mean().clip(lower=LEAST_MOVE))
        made[f"abs_return_{hours}"] = np.log(returns.abs().rolling(hours).mean().clip(lower=LEAST_MOVE))
    garman_klass = 0.5 * ranges**2 - (2 * np.log(2) - 1) * np.log(close / opened) ** 2
    bipower = np.pi / 2 * returns.abs() * returns.abs().shift()
    for hours in (24, 168):
        total = squares.rolling(hours).mean().clip(lower=1e-12)
        made[f"gk_{hours}"] = np.log(garman_klass.rolling(hours).mean().clip(lower=1e-12))
        made[f"down_{hours}"] = squares.where(returns < 0, 0.0).rolling(hours).mean() / total
        made[f"jump_{hours}"] = (1 - bipower.rolling(hours).mean() / total).clip(0, 1)
        made[f"return_{hours}"] = returns.rolling(hours).sum()
    made["peak_24"] = np.log(ranges.rolling(24).max()) - np.log(ranges.rolling(24).mean())
    made["ewma"] = np.log(squares.ewm(alpha=1 - 0.94 ** (1 / 24), ignore_na=False).mean())
    made["drop_720"] = np.log(close.rolling(720).max()) - np.log(close)
    return {name: table.to_numpy()[rows] for name, table in made.items()}


class Plain(nn.Module):
    """The graph network as PyG's own examples write one, with the weights of ours."""

    def __init__(self, like: GraphNetwork) -> None:
        super().__init__()
        width = len(like.present.places)
        self.enter = nn.Linear(width, SHAPE.hidden)
        each = SHAPE.hidden // SHAPE.heads
        self.layers = nn.ModuleList(
            HeteroConv(
                {NEAR: GATv2Conv((SHAPE.hidden, SHAPE.hidden), each, SHAPE.heads, edge_dim=1, add_self_loops=False)},
                aggr="sum",
            )
            for _ in range(SHAPE.layers)
        )
        self.head = nn.Linear(SHAPE.hidden + width, 1)
        given = like.state_dict()
        names = {"enter.asset": "enter", "head.linear": "head"}
        for key, value in given.items():
            for mine, plain in names.items():
                key = key.replace(mine, plain)
            key = key.replace("asset__near__asset", "convs.<asset___near___asset>")
            self.get_parameter(key).data.copy_(value)

    def forward(self, data: HeteroData) -> Tensor:
        """Corrections of the assets."""
        x = data[ASSET].x
        state = {ASSET: torch.nn.functional.gelu(self.enter(x))}
        for layer in self.layers:
            heard = layer(state, data.edge_index_dict, data.edge_attr_dict)
            state = {ASSET: state[ASSET] + torch.nn.functional.gelu(heard[ASSET])}
        answered: Tensor = self.head(torch.cat([state[ASSET], x], dim=-1))
        return answered


def ring(assets: int, neighbours: int, rng: np.random.Generator) -> GraphHistory:
    """Each asset hears the next ones; the values of the edges are drawn."""
    target = np.repeat(np.arange(assets), neighbours)
    source = (target + np.tile(np.arange(1, neighbours + 1), assets)) % assets
    edges = Edges(np.stack([source, target]), rng.random((len(source), 1)))
    names = tuple(f"A{number}" for number in range(assets))
    return GraphHistory(names, np.array([0]), (NEAR,), ((edges,),))


def drawn(instants: int, assets: int, width: int, rng: np.random.Generator) -> Lesson:
    """Features, and outcomes that depend on them."""
    x = rng.standard_normal((instants, assets, width)).astype(np.float32)
    y = (np.exp(0.5 * x[:, :, 0]) * rng.gamma(4.0, 0.25, (instants, assets))).astype(np.float32)
    return Lesson(Task(), np.arange(instants) * 6 * HOUR_S, x, np.zeros_like(y), y)


def training() -> list[str]:
    """Three epochs over 600 instants of 34 assets, 8 neighbours, 40 features: ours against a DataLoader of HeteroData and HeteroConv."""
    rng, width, epochs, seed = np.random.default_rng(2), 40, 3, 5
    history, lesson = ring(34, 8, rng), drawn(600, 34, width, rng)
    options = TrainingOptions(members=1, epochs=epochs, patience=epochs, batch=32)
    network = build("graph", lay_out([f"f{number}" for number in range(width)]), 1, SHAPE, history, seed)
    assert isinstance(network, GraphNetwork)
    twin = Plain(network)
    head, tail = lesson.split(options.tail_share)
    steps = epochs * -(-len(head) // options.batch)
    seen: list[Epoch] = []
    _, mine = _timed(lambda: learn(network, GraphBatches(history, {}), lesson, options, seed, report=seen.append))
    found, theirs = _timed(lambda: plain_learn(twin, history, lesson, options, seed))
    worst = max(abs(epoch.tail_loss - other) for epoch, other in zip(seen, found, strict=True))
    return _line(
        "training steps a second",
        (steps / mine, steps / theirs),
        worst,
        1e-4,
        f"{steps} steps of 32 graphs, and {len(tail)} instants judged an epoch",
    )


def plain_learn(
    network: Plain, history: GraphHistory, lesson: Lesson, options: TrainingOptions, seed: int
) -> list[float]:
    """The same lesson in the same order, one HeteroData an instant; the loss on the tail after each epoch."""
    edges = history.graphs[0][0]
    graphs = []
    for x, y in zip(lesson.x, lesson.y, strict=True):
        data = HeteroData()
        data[ASSET].x, data[ASSET].y = torch.from_numpy(x), torch.from_numpy(y)
        data[NEAR].edge_index, data[NEAR].edge_attr = (
            torch.from_numpy(edges.ends),
            torch.from_numpy(edges.values.astype(np.float32)),
        )
        graphs.append(data)
    head, tail = lesson.split(options.tail_share)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)

    def loss_of(batch: HeteroData) -> Tensor:
        answered = network(batch).squeeze(-1)
        loss: Tensor = (batch[ASSET].y * torch.exp(-answered) + answered).mean()
        return loss

    found = []
    for epoch in range(1, options.epochs + 1):
        order = np.random.default_rng((seed, epoch))
        order.integers(2**62)  # the draw that seeds dropout
        rows = order.permutation(head)
        for batch in DataLoader([graphs[row] for row in rows], batch_size=options.batch):
            optimiser.zero_grad()
            loss_of(batch).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        with torch.inference_mode():
            whole = next(iter(DataLoader([graphs[row] for row in tail], batch_size=len(tail))))
            found.append(float(loss_of(whole)))
    return found


def inference() -> list[str]:
    """1,000 nodes with 8 neighbours each, 40 features: one instant and 24, base included, against the plain PyG network on the same instants."""
    rng, width = np.random.default_rng(3), 40
    history, lesson = ring(1000, 8, rng), drawn(24, 1000, width, rng)
    names = tuple(f"f{number}" for number in range(width))
    network = build("graph", lay_out(names), 1, SHAPE, history, 7)
    assert isinstance(network, GraphNetwork)
    nn.init.normal_(network.head.linear.weight, std=0.1, generator=torch.Generator().manual_seed(1))
    samples = Samples(Task(), lesson.as_of_s, history.assets, names, lesson.x.astype(float), lesson.y.astype(float))
    base = GammaGlm("glm", names[:3]).fit(samples, None, rng)
    unscaled = Scale(np.zeros(width), np.ones(width))
    weights = ({key: value.numpy() for key, value in network.state_dict().items()},)
    fitted = NetworkFitted("graph", SHAPE, names, (), unscaled, {}, history, weights, base, 1.0)
    twin, wrong = Plain(network).eval(), []
    for count in (1, 24):
        part = samples.at(np.arange(24) < count)
        ours, mine = _timed(partial(fitted.predict, part), 5)
        plain, theirs = _timed(partial(plain_answers, twin, history, part, base.predict(part)), 5)
        worst = float(np.abs(ours / plain - 1).max())
        rates = count / mine, count / theirs
        wrong += _line(
            f"forecasts of 1,000 nodes a second, {count} at once",
            rates,
            worst,
            1e-4,
            f"{1000 * mine / count:.0f} ms each",
        )
    return wrong


def plain_answers(network: Plain, history: GraphHistory, samples: Samples, base: FloatArray) -> FloatArray:
    """One HeteroData an instant, answered one by one."""
    edges, answers = history.graphs[0][0], []
    for x in samples.x.astype(np.float32):
        data = HeteroData()
        data[ASSET].x = torch.from_numpy(x).clamp(-6, 6)
        data[NEAR].edge_index, data[NEAR].edge_attr = (
            torch.from_numpy(edges.ends),
            torch.from_numpy(edges.values.astype(np.float32)),
        )
        with torch.inference_mode():
            answers.append(network(data).squeeze(-1).numpy())
    return np.asarray(base * np.exp(np.stack(answers)))


PARTS: dict[str, Callable[[], list[str]]] = {"features": features, "training": training, "inference": inference}


def _timed(call: Callable[[], Any], times: int = 1) -> tuple[Any, float]:
    """What it answers, and processor seconds: the least of some times."""
    seconds = []
    for _ in range(times):
        started = time.process_time()
        answered = call()
        seconds.append(time.process_time() - started)
    return answered, min(seconds)


def _line(what: str, rates: tuple[float, float], worst: float, most: float, of: str) -> list[str]:
    ours, plain = rates
    _say(f"| {what} ({of}) | {ours:,.1f} | {plain:,.1f} | {ours / plain:.1f} times | {worst:.1e} |")
    return [] if worst <= most else [f"{what}: outputs differ by {worst:.1e}, more than {most:.0e}"]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
