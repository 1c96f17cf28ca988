"""Networks against the linear model on the validation half-year: every attempt, with its command, seeds and data. 2023 is never read.

python -m tests.real.network_trials            tries what was not tried yet; keeps each attempt's forecasts in --kept, so it goes on where it stopped
python -m tests.real.network_trials --tune     chooses how the MLP learns inside the first training window, into docs/results/volatility-networks-mlp.toml
python -m tests.real.network_trials --explain  says what moves the graph network of seed 1, and how far that account can be trusted
python -m tests.real.network_trials --page     prints the tables of docs/results/volatility-networks.md from what was kept
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chain.files.frames import file_hash
from models.baselines.gamma_glm import FittedGlm, GammaGlm
from models.explain import attributions, fidelity, permutation_importance
from models.features import price_samples
from models.networks.forecaster import NetworkForecaster, train_network
from models.networks.past import with_past
from models.networks.relations import (
    GraphHistory,
    identity,
)
from models.networks.shape import Shape
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.scores import daily, diebold_mariano, qlike
from models.store import hash_of
from models.task import Task
from models.training import TrainingOptions
from models.tuning import Between, OneOf, Trial, Values, chosen_values, tune
from tests.real.network_histories import (
    CUTS,
    DAY_S,
    END,
    PRICES,
    START,
    category_history,
    correlation_history,
    dealt_anew,
    flow_history,
    joined,
    panel,
    same,
)

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
CHOSEN = RESULTS / "volatility-networks-mlp.toml"
TASK = Task(horizon_hours=24, step_hours=6)
PAST = ("rv_24", "abs_range_24", "market_abs_range_24", "return_24", "volume_24")
RIDGE = 0.1
"""Chosen on the validation half-year among 1e-4 to 0.3 (0.4037 to 0.3917); it favours the linear model, so nothing here."""
SEEDS = (1, 2, 3)
DYING = "MIR"
LAGS = 5
"""Days of the Newey-West correction; outcomes overlap by one."""
RNG = np.random.default_rng(0)
SMALL = Shape(hidden=16, layers=1, heads=2, dropout=0.1)
PLAIN = TrainingOptions(members=1, epochs=25, patience=4, batch=32, learning_rate=3e-4, weight_decay=1e-2)
PATIENT = replace(PLAIN, epochs=14, patience=14)


def features_of_glm(names: tuple[str, ...]) -> tuple[str, ...]:
    """The linear model reads every feature of now."""
    return tuple(name for name in names if "@" not in name)


def own_features(names: tuple[str, ...]) -> tuple[str, ...]:
    """Without what is the same for every asset: market, leaders and calendar, of which there are only as many values as instants."""
    shared = ("market_", "btc_", "eth_", "index_", "weekday_", "hour_", "slot_market")
    return tuple(name for name in names if not name.startswith(shared))


@dataclass(frozen=True)
class Attempt:
    """One way to forecast, tried with every seed; the graph may depend on the seed. `own_only`: no feature that is the same for all assets."""

    name: str
    network: str
    options: TrainingOptions = PLAIN
    shape: Shape = SMALL
    graph: Callable[[int], GraphHistory] | None = None
    own_only: bool = True


def attempts(prices: Panel) -> Iterator[Attempt]:
    """Everything that is tried, in the order of the page."""
    yield Attempt("MLP", "mlp")
    yield Attempt("MLP, market features too", "mlp", own_only=False)
    graphs = {
        "correlation": correlation_history(prices),
        "token flow": flow_history(prices),
        "category": category_history(prices),
    }
    graphs["all three"] = joined(*graphs.values())
    yield Attempt("MLP, patient", "mlp", PATIENT)
    history = graphs["all three"]
    yield Attempt("graph, all three, patient", "graph", PATIENT, graph=partial(same, history))
    yield Attempt("graph, all three, patient, shuffled", "graph", PATIENT, graph=partial(dealt_anew, history))
    yield Attempt("graph, all three, patient, identity", "graph", PATIENT, graph=partial(same, identity(history)))
    for name in ("all three", "correlation", "token flow", "category"):
        history = graphs[name]
        yield Attempt(f"graph, {name}", "graph", graph=partial(same, history))
        yield Attempt(f"graph, {name}, identity", "graph", graph=partial(same, identity(history)))
        yield Attempt(f"graph, {name}, shuffled", "graph", graph=partial(dealt_anew, history))
    yield Attempt("graph over GRU, all three", "graph-gru", graph=partial(same, graphs["all three"]))
    yield Attempt(
        "graph over GRU, all three, identity", "graph-gru", graph=partial(same, identity(graphs["all three"]))
    )
    yield Attempt("graph over GRU, all three, shuffled", "graph-gru", graph=partial(dealt_anew, graphs["all three"]))
    yield Attempt("GRU, 14 days", "gru")
    yield Attempt("LSTM, 14 days", "lstm")
    yield Attempt("MLP, loss of logs", "mlp", replace(PLAIN, loss="log"))
    for weight in (3.0, 9.0):
        options = replace(PLAIN, loss="asymmetric", under_weight=weight)
        yield Attempt(f"MLP, under-forecasts x {weight:.0f}", "mlp", options)
    yield Attempt("MLP, wide", "mlp", shape=replace(SMALL, hidden=64, layers=2))
    yield Attempt("MLP, strong decay", "mlp", replace(PLAIN, weight_decay=0.3))

    yield Attempt("Transformer, 14 days", "transformer")
    if CHOSEN.is_file():
        yield Attempt("MLP, tuned", "mlp", *tuned_mlp(chosen_values(CHOSEN)))


def samples_of(prices: Panel) -> Samples:
    """Features of every 12 hours with 14 days of past, outcomes of 24 hours."""
    made = price_samples(prices, TASK, START - 15 * DAY_S, END)
    past = tuple(name for name in PAST if name in made.names)
    return with_past(made, past, 13, DAY_S)


def score(samples: Samples, forecast: FloatArray) -> FloatArray:
    """QLIKE, one number a day."""
    return daily(qlike(samples.y, forecast), samples.as_of_s)


def main() -> int:
    """Try what has not been tried; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="attempts whose name contains this")
    parser.add_argument(
        "--kept", type=Path, default=Path(".cache/network-trials"), help="forecasts of each attempt are kept here"
    )
    parser.add_argument("--page", action="store_true", help="print the tables and end")
    parser.add_argument("--explain", action="store_true", help="explain one graph network and end")
    parser.add_argument("--tune", action="store_true", help="tune the MLP and end")
    options = parser.parse_args()
    if options.page:
        return page(options.kept)
    options.kept.mkdir(parents=True, exist_ok=True)
    prices = panel()
    samples = samples_of(prices)
    glm = KeptGlm(GammaGlm("gamma GLM", features_of_glm(samples.names), ("rv_24", "abs_range_24"), RIDGE))
    folds = [
        (samples.between(START, cut).known_by(cut), samples.between(cut, end).known_by(END))
        for cut, end in itertools.pairwise([*CUTS, END])
    ]
    if options.tune:
        return tune_mlp(samples.between(START, CUTS[0]).known_by(CUTS[0]), glm, options.kept / "mlp.db")
    if options.explain:
        late = samples.between(START, CUTS[-1]).known_by(CUTS[-1])
        return account(late, samples.between(CUTS[-1], END).known_by(END), glm, prices)
    _say(f"{len(prices.assets)} assets, {len(samples.names)} features; prices {hash_of(prices)}, {file_hash(PRICES)}")
    _say(f"instants to fit and to score: {[(len(train.as_of_s), len(fresh.as_of_s)) for train, fresh in folds]}")
    fresh = samples.between(CUTS[0], END).known_by(END)
    linear = np.concatenate([glm.fit(train, None, RNG).predict(part) for train, part in folds])
    np.savez(options.kept / "gamma GLM.npz", forecast=linear, y=fresh.y, as_of_s=fresh.as_of_s)
    _say(f"gamma GLM: {score(fresh, linear).mean():.4f}")
    for seed, attempt in itertools.product(SEEDS, list(attempts(prices))):
        path = options.kept / f"{attempt.name}-{seed}.npz"
        if (options.only and options.only not in attempt.name) or path.exists():
            continue
        graph = attempt.graph(seed) if attempt.graph else None
        features = own_features(samples.names) if attempt.own_only else None
        given = NetworkForecaster(attempt.network, glm, attempt.options, attempt.shape, graph, features)
        clock, parts, lives = time.process_time(), [], []
        for train, part in folds:
            fitted = train_network(given, train, None, np.random.default_rng(seed))
            parts.append(fitted.predict(part))
            lives += [f"{fitted.lived[0].kept} of {len(fitted.lived[0].epochs) - 1}"]
        forecast, seconds = np.concatenate(parts), time.process_time() - clock
        np.savez(path, forecast=forecast, kept=np.array(lives), seconds=seconds)
        ratio = score(fresh, forecast).mean() / score(fresh, linear).mean()
        _say(f"{attempt.name}, seed {seed}: {ratio:.4f} of the GLM, epochs {'; '.join(lives)}, {seconds:.0f} s")
    return 0


@dataclass
class KeptGlm:
    """The linear model, fitted once for each training window."""

    model: GammaGlm
    fitted: dict[tuple[int, int], FittedGlm] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As the model's."""
        return self.model.name

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> FittedGlm:
        """See `models.forecaster`."""
        key = (len(train.as_of_s), int(train.as_of_s[-1]))
        if key not in self.fitted:
            self.fitted[key] = self.model.fit(train, panel, rng)
        return self.fitted[key]


def account(train: Samples, fresh: Samples, glm: "KeptGlm", prices: Panel) -> int:
    """What moves the graph network over all three relations, seed 1, last quarter of 2022."""
    graph = next(attempt.graph for attempt in attempts(prices) if attempt.name == "graph, all three")
    assert graph is not None
    features = own_features(train.names)
    given = NetworkForecaster("graph", glm, PLAIN, SMALL, graph(1), features)
    fitted = train_network(given, train, None, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    asked = [(int(rng.choice(fresh.as_of_s)), str(rng.choice(fresh.assets))) for _ in range(10)]
    _say(f"{fidelity(fitted, fresh, asked, rng)}")
    table = attributions(fitted, fresh, *asked[0])
    _say(f"{asked[0][1]} at {np.datetime64(asked[0][0], 's')}\n{table.head(8).to_string()}")
    groups: dict[str, list[str]] = {}
    for name in features_of_glm(fresh.names):
        shared = name not in features
        groups.setdefault("market, leaders, calendar" if shared else name.rstrip("0123456789_"), []).append(name)
    _say(permutation_importance(fitted, fresh, rng, groups).to_string())
    return 0


def tune_mlp(train: Samples, glm: "KeptGlm", study: Path) -> int:
    """Twelve candidates on two folds of the window that ends with June 2022."""
    features = own_features(train.names)

    def make(values: Values) -> NetworkForecaster:
        return NetworkForecaster("mlp", glm, *tuned_mlp(values), features=features)

    space: dict[str, Between | OneOf] = {
        "hidden": OneOf((8, 16, 32, 64)),
        "dropout": OneOf((0.0, 0.1, 0.3)),
        "learning_rate": Between(1e-4, 3e-3, log=True),
        "weight_decay": Between(1e-3, 1.0, log=True),
        "tail_share": OneOf((0.1, 0.2, 0.3)),
    }
    found = tune(make, space, train, None, trials=12, study=study, chosen=CHOSEN, seed=1, report=_said)
    _say(f"chosen: {found.best}")
    return 0


def tuned_mlp(values: Values) -> tuple[TrainingOptions, Shape]:
    """Options and shape from the values that tuning chose."""
    shape = replace(SMALL, hidden=int(values["hidden"]), dropout=float(values["dropout"]))
    learning = replace(
        PLAIN,
        learning_rate=float(values["learning_rate"]),
        weight_decay=float(values["weight_decay"]),
        tail_share=float(values["tail_share"]),
    )
    return learning, shape


def _said(trial: Trial) -> None:
    _say(f"{trial.number} of {trial.of}: {trial.qlike:.4f} {trial.values}")


def page(kept: Path) -> int:
    """Print the tables: each seed and their log-mean against the linear model, and true edges against their twins; with and without the token that died."""
    with np.load(kept / "gamma GLM.npz") as file:
        y, as_of_s, linear = file["y"], file["as_of_s"], file["forecast"]
    alive = np.array([asset != DYING for asset in panel().assets])
    files: dict[str, list[Any]] = {}
    for path in sorted(kept.glob("*-[0-9].npz")):
        files.setdefault(path.stem.rsplit("-", 1)[0], []).append(np.load(path))
    mean = {
        name: np.exp(np.mean([np.log(each["forecast"]) for each in kept_of], axis=0)) for name, kept_of in files.items()
    }

    def against(forecast: FloatArray, other: FloatArray, which: FloatArray) -> str:
        ours, theirs = (daily(qlike(y, each)[:, which], as_of_s) for each in (forecast, other))
        return f"{ours.mean() / theirs.mean():.4f} | {diebold_mariano(ours, theirs, LAGS).p:.3f}"

    every = np.ones_like(alive)
    base = daily(qlike(y, linear), as_of_s)
    worst = np.datetime64(int(as_of_s[0]) + 86_400 * int(base.argmax()), "s").astype("datetime64[D]")
    _say(
        f"gamma GLM: QLIKE {base.mean():.4f} on {len(base)} days, worst {worst}; {100 * _under(y, linear):.1f} % of outcomes above"
    )
    _say(
        f"| attempt | each seed : GLM | log-mean : GLM | p | without {DYING} | p | outcomes above | epochs kept | s a fit |"
    )
    _say("|---|---|--:|--:|--:|--:|--:|---|--:|")
    for name, kept_of in files.items():
        each = [daily(qlike(y, one["forecast"]), as_of_s).mean() / base.mean() for one in kept_of]
        lives = ", ".join("/".join(str(life).split(" of ")[0] for life in one["kept"]) for one in kept_of)
        seconds = np.mean([float(one["seconds"]) for one in kept_of]) / len(CUTS)
        _say(
            f"| {name} | {' '.join(f'{ratio:.3f}' for ratio in each)} | {against(mean[name], linear, every)} | "
            f"{against(mean[name], linear, alive)} | {100 * _under(y, mean[name]):.1f} % | {lives} | {seconds:.0f} |"
        )
    _say(f"\n| true edges against | log-mean ratio | p | without {DYING} | p |\n|---|--:|--:|--:|--:|")
    for name in files:
        for twin in (f"{name}, identity", f"{name}, shuffled"):
            if twin in files:
                _say(
                    f"| {twin} | {against(mean[name], mean[twin], every)} | {against(mean[name], mean[twin], alive)} |"
                )
    return 0


def _under(y: FloatArray, forecast: FloatArray) -> float:
    """Share of outcomes above their forecast."""
    return float((y > forecast)[np.isfinite(y)].mean())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
