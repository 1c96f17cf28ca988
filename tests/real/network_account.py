"""Two questions about the networks of the trials, a day ahead: how an MLP learns best, and what moves the graph network.

python -m tests.real.network_account --tune     chooses how the MLP learns inside the first training window, into docs/results/volatility-networks-mlp.toml
python -m tests.real.network_account --explain  says what moves the graph network of seed 1, and how far that account can be trusted
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from models.explain import attributions, fidelity, permutation_importance
from models.networks.forecaster import NetworkForecaster, train_network
from models.tuning import Between, OneOf, Trial, Values, tune
from tests.real.network_attempts import Ground, Tried, attempts, features_of_now, ground, tuned_mlp
from tests.real.network_histories import panel
from tests.real.network_trials import CHOSEN

ASKED = 10
"""Forecasts that are taken apart."""


def main() -> int:
    """Answer one of them; 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--tune", action="store_true")
    which.add_argument("--explain", action="store_true")
    parser.add_argument("--kept", type=Path, default=Path(".cache/network-trials"))
    options = parser.parse_args()
    here = ground(panel(), 24)
    if options.explain:
        explained(here)
    else:
        options.kept.mkdir(parents=True, exist_ok=True)
        tuned(here, options.kept / "mlp.db")
    return 0


def tuned(here: Ground, study: Path) -> None:
    """Twelve candidates on two folds of the window that ends with June 2022."""
    plain = here.forecaster(Tried("MLP", "mlp"), 1)

    def make(values: Values) -> NetworkForecaster:
        return NetworkForecaster("mlp", here.base, *tuned_mlp(values), features=plain.features)

    def report(trial: Trial) -> None:
        _say(f"{trial.number} of {trial.of}: {trial.qlike:.4f} {trial.values}")

    space: dict[str, Between | OneOf] = {
        "hidden": OneOf((8, 16, 32, 64)),
        "dropout": OneOf((0.0, 0.1, 0.3)),
        "learning_rate": Between(1e-4, 3e-3, log=True),
        "weight_decay": Between(1e-3, 1.0, log=True),
        "tail_share": OneOf((0.1, 0.2, 0.3)),
    }
    found = tune(make, space, here.folds[0][0], None, trials=12, study=study, chosen=CHOSEN, seed=1, report=report)
    _say(f"chosen: {found.best}")


def explained(here: Ground) -> None:
    """What moves the graph network over all three relations, seed 1, last quarter of 2022."""
    attempt = next(each for each in attempts(here, None) if each.name == "graph, all three")
    train, fresh = here.folds[-1]
    given = here.forecaster(attempt, 1)
    fitted = train_network(given, train, None, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    asked = [(int(rng.choice(fresh.as_of_s)), str(rng.choice(fresh.assets))) for _ in range(ASKED)]
    _say(f"{fidelity(fitted, fresh, asked, rng)}")
    table = attributions(fitted, fresh, *asked[0])
    _say(f"{asked[0][1]} at {np.datetime64(asked[0][0], 's')}\n{table.head(8).to_string()}")
    groups: dict[str, list[str]] = {}
    for name in features_of_now(fresh.names):
        shared = name not in (given.features or ())
        groups.setdefault("market, leaders, calendar" if shared else name.rstrip("0123456789_"), []).append(name)
    _say(permutation_importance(fitted, fresh, rng, groups).to_string())


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
