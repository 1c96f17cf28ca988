"""Accounts of forecasts: they add up, they name what moves the answer, and nothing else."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from chain.errors import InputError, UnknownNameError
from models.answering import OfAssets
from models.baselines.har import Har
from models.baselines.simple import rolling_mean
from models.explain import attributions, fidelity, permutation_importance
from models.forecaster import Fitted
from models.networks.forecaster import NetworkFitted
from models.panel import FloatArray
from models.reasons import reasons_of
from models.samples import Samples
from tests.models.network_worlds import SHORT, forecaster, ring, world

LONGER = replace(SHORT, epochs=5, members=2, learning_rate=3e-2)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return world(100, past=1, neighbour=1.0)


@pytest.fixture(scope="module")
def on_graph(samples: Samples) -> NetworkFitted:
    fitted = forecaster("graph", options=LONGER, history=ring(100)).fit(samples, None, np.random.default_rng(0))
    fitted.predict(samples)  # who explains a forecast has asked for it before
    return fitted


@pytest.fixture(scope="module")
def on_rows(samples: Samples) -> NetworkFitted:
    fitted = forecaster("mlp", options=LONGER).fit(samples, None, np.random.default_rng(0))
    fitted.predict(samples)  # who explains a forecast has asked for it before
    return fitted


def test_the_account_of_a_graph_network_adds_up_and_beats_chance(samples: Samples, on_graph: NetworkFitted) -> None:
    asked = [(int(samples.as_of_s[row]), asset) for row, asset in ((3, "A"), (70, "C"))]
    found = fidelity(on_graph, samples, asked, np.random.default_rng(1), take_away=1)
    assert found.gap < 0.03
    assert found.named > 1.5 * found.random


def test_only_nodes_that_are_heard_have_a_part(samples: Samples, on_graph: NetworkFitted) -> None:
    """A hears B and C along edges, and the markets; D and E are out of reach of one layer."""
    table = attributions(on_graph, samples, int(samples.as_of_s[3]), "A")
    parts = table[table["what"] == "feature"].groupby("node")["log_variance"].apply(lambda part: part.abs().sum())
    assert (parts[["D", "E"]] == 0).all()
    assert (parts[["A", "B", "m", "n"]] > 0).all()
    edges = table[(table["what"] == "edge") & (table["log_variance"] != 0)]
    assert set(edges["target"]) == {"A"}
    assert set(zip(edges["kind"], edges["node"], strict=True)) == {
        ("asset", "B"),
        ("asset", "C"),
        ("market", "m"),
        ("market", "n"),
    }
    assert parts["A"] > parts["C"]


def test_the_account_of_a_network_without_a_graph(samples: Samples, on_rows: NetworkFitted) -> None:
    as_of = int(samples.as_of_s[30])
    table = attributions(on_rows, samples, as_of, "B")
    assert sorted(table["name"]) == sorted(samples.names)
    assert set(table["node"]) == {"B"}
    sizes = table["log_variance"].abs()
    assert sizes.is_monotonic_decreasing
    found = fidelity(on_rows, samples, [(as_of, "B")], np.random.default_rng(1), take_away=1)
    assert found.gap < 0.03
    strongest = [attributions(on_rows, samples, int(at), "B")["name"][0] for at in samples.as_of_s[30:40]]
    assert strongest.count("z") >= 7


@dataclass(frozen=True)
class Law(Fitted):
    """Forecasts with the first feature only: its square, and nothing else."""

    def predict(self, samples: Samples) -> FloatArray:
        z = samples.feature("z")
        return np.asarray(1e-3 * np.exp(0.8 * z + 0.5 * (z**2 - 1)))


def test_permutation_names_what_a_model_uses(samples: Samples, on_rows: NetworkFitted) -> None:
    plain = world(200)
    table = permutation_importance(Law(), plain, np.random.default_rng(0))
    assert table["group"][0] == "z"
    assert (table["qlike_rise"][1:] == 0).all()
    assert table["qlike_rise"][0] > 0.5
    grouped = permutation_importance(
        on_rows, samples, np.random.default_rng(0), {"own": ("z", "z@1"), "rest": ("noise", "holes")}
    )
    assert grouped["features"].tolist() == [2, 2]
    assert grouped["group"][0] == "own"
    assert grouped["qlike_rise"][0] > 5 * abs(grouped["qlike_rise"][1])


def test_bad_questions_say_what_to_ask(samples: Samples, on_rows: NetworkFitted) -> None:
    with pytest.raises(UnknownNameError, match="no asset named 'Z'"):
        attributions(on_rows, samples, int(samples.as_of_s[3]), "Z")
    with pytest.raises(InputError, match="name one of their instants"):
        attributions(on_rows, samples, 0, "A")
    with pytest.raises(InputError, match="not of quantiles"):
        attributions(replace(on_rows, levels=(0.5,)), samples, int(samples.as_of_s[3]), "A")


def test_what_is_not_taken_apart_is_called_what_it_is(samples: Samples, on_graph: NetworkFitted) -> None:
    """A network is no average, log-HAR is a regression, and only of a network is there another account."""
    lags = replace(samples, names=("rv_24", "rv_168", "rv_720"), x=samples.x[:, :, :3])
    with pytest.raises(InputError) as network:
        reasons_of(OfAssets(on_graph, samples.assets, 0), samples, "A")
    with pytest.raises(InputError) as har:
        reasons_of(Har("log-HAR").fit(lags, None, np.random.default_rng(0)), lags, "A")
    with pytest.raises(InputError) as mean:
        reasons_of(rolling_mean(), lags, "A")
    assert "A is answered by a network (graph), which" in str(network.value)
    assert "models.explain.attributions in Python (integrated gradients)" in str(network.value)
    assert "A is answered by log-HAR, a regression on past variance alone" in str(har.value)
    assert "A is answered by rolling mean 30 d, an average of its own past variance" in str(mean.value)
    assert [("an average" in str(one.value), "attributions" in str(one.value)) for one in (network, har, mean)] == [
        (False, True),
        (False, False),
        (True, False),
    ]
