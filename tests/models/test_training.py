"""Learning: the same seed gives the same bytes, interrupted or not; the tail decides; and there is something to be learnt."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chain.errors import InputError, SchemaError
from models.forecaster import Fitted
from models.networks.build import build
from models.networks.forecaster import NetworkFitted, NetworkForecaster, train_network
from models.networks.layout import lay_out
from models.networks.relations import identity
from models.panel import Panel
from models.samples import Samples
from models.task import Task
from models.training import Epoch, Lesson, TrainingOptions, learn
from tests.models.network_worlds import DAY_S, SHORT, SMALL, Level, LevelFitted, forecaster, ring, world

ROOT = Path(__file__).resolve().parents[2]


def fit(given: NetworkForecaster, samples: Samples | None = None, **more: object) -> NetworkFitted:
    return train_network(given, samples or world(), None, np.random.default_rng(7), **more)  # type: ignore[arg-type]


def same_bytes(first: NetworkFitted, second: NetworkFitted) -> bool:
    return all(
        one.keys() == other.keys() and all(one[key].tobytes() == other[key].tobytes() for key in one)
        for one, other in zip(first.members, second.members, strict=True)
    )


def qlike(samples: Samples, forecast: np.ndarray) -> float:
    ratio = samples.y / forecast
    return float(np.nanmean(ratio - np.log(ratio) - 1))


class PowerCutError(Exception):
    """The run ends here."""


@pytest.mark.parametrize("network", ["gru", "graph"])
def test_the_same_seed_gives_the_same_weights_interrupted_or_not(network: str, tmp_path: Path) -> None:
    given = forecaster(network, options=replace(SHORT, members=2, epochs=3))
    undisturbed = fit(given)
    assert same_bytes(undisturbed, fit(given))

    def cut(epoch: Epoch) -> None:
        if (epoch.member, epoch.epoch) in {(0, 2), (1, 1)}:
            raise PowerCutError

    for _ in range(2):
        with pytest.raises(PowerCutError):
            fit(given, folder=tmp_path, report=cut)
        # The second run resumes after the epoch at which the first one died, so it dies in the next member.
        seen: list[Epoch] = []
    resumed = fit(given, folder=tmp_path, report=seen.append)
    assert [(epoch.member, epoch.epoch) for epoch in seen] == [(1, 2), (1, 3)]
    assert same_bytes(undisturbed, resumed)
    other = train_network(given, world(), None, np.random.default_rng(8))
    assert not same_bytes(undisturbed, other)


def test_longer_learning_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    given = forecaster("mlp")
    fit(given, folder=tmp_path)
    longer = replace(given, options=replace(SHORT, epochs=5))
    assert same_bytes(fit(longer, folder=tmp_path), fit(longer))


def test_fewer_epochs_than_a_checkpoint_has_are_learnt_as_without_it(tmp_path: Path) -> None:
    """A run that was stopped later than the new one ends; what was stopped in the middle of the new one is still gone on with."""
    given = forecaster("mlp", options=replace(SHORT, epochs=5))
    fit(given, folder=tmp_path)
    for epochs in (1, 4):
        fewer = replace(given, options=replace(SHORT, epochs=epochs))
        seen: list[Epoch] = []
        resumed = fit(fewer, folder=tmp_path, report=seen.append)
        assert same_bytes(resumed, fit(fewer)) and not same_bytes(resumed, fit(given))
        assert [epoch.epoch for epoch in seen] == {1: [1], 4: [2, 3, 4]}[epochs]


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    fit(forecaster("mlp"), folder=tmp_path)
    with pytest.raises(InputError, match=r"member-0\.pt was made from other data"):
        fit(forecaster("mlp"), world(seed=4), folder=tmp_path)
    with pytest.raises(InputError, match="other data, options or seed"):
        fit(forecaster("mlp", options=replace(SHORT, batch=8)), folder=tmp_path)
    for content in (b"junk" * 1000, b"no checkpoint", b"", b"()", b"(105)", bytes(range(256)) * 20):
        (tmp_path / "member-0.pt").write_bytes(content)
        with pytest.raises(SchemaError) as refused:
            fit(forecaster("mlp"), folder=tmp_path)
        said = str(refused.value)
        assert said.endswith("member-0.pt is no checkpoint of a training that can be read; delete it to start anew.")


def test_a_checkpoint_says_what_is_learnt(tmp_path: Path) -> None:
    week = replace(world(), task=Task(horizon_hours=7 * 24, step_hours=24))
    fit(forecaster("mlp"), week, folder=tmp_path)
    said = torch.load(tmp_path / "member-0.pt", weights_only=True)["task"]
    assert said == {
        "target": "realised variance",
        "horizon_hours": 168,
        "bar_s": 3_600,
        "step_hours": 24,
        "least_known": 0.9,
    }


def test_a_network_learns_what_its_base_cannot_know() -> None:
    """The outcome depends on a feature and its square; a constant level knows neither. Scored on instants never seen."""
    samples = world(600, past=0)
    train, fresh = samples.at(np.arange(600) < 200), samples.at(np.arange(600) >= 201)
    fitted = fit(forecaster("mlp", history=None, options=replace(SHORT, epochs=10, learning_rate=3e-2)), train)
    base, network = qlike(fresh, fitted.base.predict(fresh)), qlike(fresh, fitted.predict(fresh))
    perfect = qlike(fresh, fitted.base.predict(fresh) * 0 + known_law(fresh))
    assert perfect < network < 0.4 * base


def known_law(samples: Samples) -> np.ndarray:
    """The law of the world, written down once more."""
    z = samples.x[:, :, 0]
    return np.asarray(1e-3 * np.exp(0.8 * z + 0.5 * (z**2 - 1)))


def test_only_a_network_with_the_true_edges_learns_what_neighbours_say() -> None:
    samples = world(400, past=0, neighbour=1.0)
    train, fresh = samples.at(np.arange(400) < 200), samples.at(np.arange(400) >= 201)
    options = replace(SHORT, epochs=6, learning_rate=3e-2)
    true = fit(forecaster("graph", options=options, history=ring(400, False)), train)
    none = fit(forecaster("graph", options=options, history=identity(ring(400, False))), train)
    assert qlike(fresh, true.predict(fresh)) < 0.7 * qlike(fresh, none.predict(fresh))


def test_shuffled_outcomes_teach_nothing() -> None:
    samples = world(200, past=0)
    rng = np.random.default_rng(0)
    mixed = replace(samples, y=rng.permuted(samples.y, axis=0))
    fitted = fit(forecaster("mlp", options=replace(SHORT, epochs=10)), mixed)
    fresh = world(200, seed=99, past=0)
    assert qlike(fresh, fitted.predict(fresh)) > 0.95 * qlike(fresh, fitted.base.predict(fresh))


def test_where_nothing_is_learnt_the_base_answers() -> None:
    """The epoch kept is the untrained one, and the forecast is the base's to the last digit but rounding."""
    options = replace(SHORT, learning_rate=50.0)
    fitted = fit(forecaster("mlp", options=options))
    assert fitted.lived[0].kept == 0
    assert np.allclose(fitted.predict(world()), fitted.base.predict(world()), rtol=1e-12)


def test_the_tail_chooses_the_epoch_and_teaches_nothing(tmp_path: Path) -> None:
    samples = world()
    x = np.nan_to_num(samples.x).astype(np.float32)
    lesson = Lesson(samples.task, samples.as_of_s, x, np.zeros((80, 5), np.float32), samples.y.astype(np.float32))
    head, tail = lesson.split(0.25)
    assert tail.tolist() == list(range(60, 80))
    assert head.tolist() == list(range(60))
    wide = replace(lesson, task=Task(horizon_hours=7 * 24))
    assert wide.split(0.25)[0].tolist() == list(range(54))
    other = replace(lesson, y=np.where(np.arange(80)[:, None] >= 60, 100 * lesson.y, lesson.y))
    ends = [after_one_epoch(part, tmp_path / str(number)) for number, part in enumerate((lesson, other))]
    assert ends[0]["network"].keys() == ends[1]["network"].keys()
    assert all(torch.equal(ends[0]["network"][key], ends[1]["network"][key]) for key in ends[0]["network"])
    assert ends[0]["epochs"][1][2] == ends[1]["epochs"][1][2]
    assert ends[0]["epochs"][1][3] != ends[1]["epochs"][1][3]


def test_while_it_learns_its_base_has_not_seen_the_tail() -> None:
    seen: list[int] = []

    @dataclass(frozen=True)
    class Watched(Level):
        def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> LevelFitted:
            seen.append(len(train.as_of_s))
            return super().fit(train, panel, rng)

    samples = world()
    fitted = fit(replace(forecaster("mlp", options=replace(SHORT, tail_share=0.25)), base=Watched()))
    assert seen == [60, 80]
    assert np.allclose(fitted.base.predict(samples)[0], np.nanmean(samples.y, axis=0))


def after_one_epoch(lesson: Lesson, path: Path) -> dict[str, Any]:
    """The checkpoint of one epoch: the weights reached, whether or not they were kept."""
    network = build("mlp", lay_out(world().names), 1, SMALL, None, 0)
    learn(network, None, lesson, replace(SHORT, epochs=1, tail_share=0.25), 5, checkpoint=path)
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state


def test_members_are_averaged_in_logs() -> None:
    three = fit(forecaster("mlp", options=replace(SHORT, members=3)))
    alone = [replace(three, members=(weights,)).predict(world()) for weights in three.members]
    assert np.allclose(three.predict(world()), np.exp(np.mean(np.log(alone), axis=0)), rtol=1e-9)
    assert len({member["head.linear.weight"].tobytes() for member in three.members}) == 3


def test_quantiles_rise_and_cover_what_they_say() -> None:
    samples = world(600, past=0)
    options = replace(SHORT, loss="quantile", levels=(0.1, 0.5, 0.9), epochs=10, learning_rate=3e-2)
    fitted = fit(forecaster("mlp", options=options), samples.at(np.arange(600) < 150))
    fresh = samples.at(np.arange(600) >= 151)
    bands = fitted.quantiles(fresh)
    assert (np.diff(bands, axis=2) >= 0).all()
    shares = [float((fresh.y < bands[:, :, place])[np.isfinite(fresh.y)].mean()) for place in range(3)]
    assert np.allclose(shares, [0.1, 0.5, 0.9], atol=0.08)
    with pytest.raises(InputError, match="not taught quantiles"):
        fit(forecaster("mlp")).quantiles(fresh)


def test_the_loss_of_logs_is_smeared_to_the_mean_and_the_asymmetric_lies_above() -> None:
    samples = world(100, past=0)
    means = {}
    for name in ("gamma", "log", "asymmetric"):
        options = replace(SHORT, loss=name, under_weight=5.0, epochs=8, patience=8, learning_rate=3e-2)
        means[name] = float(np.nanmean(samples.y / fit(forecaster("mlp", options=options), samples).predict(samples)))
    assert means["log"] == pytest.approx(1.0, abs=1e-6)
    assert means["gamma"] == pytest.approx(1.0, abs=0.1)
    assert means["asymmetric"] < 0.85


def test_a_forecast_uses_nothing_but_its_own_row_and_graphs_known_then() -> None:
    samples = world()
    fitted = fit(forecaster("graph-gru"))
    changed = replace(samples, x=samples.x.copy(), y=samples.y * 0)
    changed.x[41:] = 99.0
    assert np.array_equal(fitted.predict(changed)[:41], fitted.predict(samples)[:41])


def test_bad_options_and_too_little_data_say_what_to_do() -> None:
    with pytest.raises(InputError, match="at least 1"):
        TrainingOptions(members=0)
    with pytest.raises(InputError, match="tail_share"):
        TrainingOptions(tail_share=1.0)
    with pytest.raises(InputError, match="too few"):
        fit(forecaster("mlp"), world(past=0).at(np.arange(80) < 1))
    with pytest.raises(InputError, match="no feature"):
        fit(forecaster("mlp")).predict(world(past=0))


def test_the_time_limit_ends_a_fit_and_says_so() -> None:
    fitted = fit(forecaster("mlp", options=replace(SHORT, limit_s=1e-9)))
    assert fitted.lived[0].ended == "time"
    assert len(fitted.lived[0].epochs) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from models.networks.build import build
from models.networks.forecaster import train_network
from tests.models.network_worlds import forecaster, world
def die(epoch):
    if epoch.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
train_network(forecaster("graph-gru"), world(), None, np.random.default_rng(7), folder=Path(sys.argv[1]), report=die)
"""


@pytest.mark.verify
def test_a_killed_process_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["member-0.pt"]
    assert same_bytes(fit(forecaster("graph-gru"), folder=tmp_path), fit(forecaster("graph-gru")))


@dataclass(frozen=True)
class HoleyFitted(Fitted):
    """Means, but for some rows nothing."""

    level: LevelFitted

    def predict(self, samples: Samples) -> np.ndarray:
        answered = self.level.predict(samples)
        answered[samples.as_of_s % (7 * DAY_S) < DAY_S, 1] = np.nan
        return answered


@dataclass(frozen=True)
class Holey:
    """A base that has no answer for one asset on one day of seven, as one that needs features has none for a young token."""

    name: str = "holey"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> HoleyFitted:
        return HoleyFitted(Level().fit(train, panel, rng))


@pytest.mark.parametrize("network", ["mlp", "graph"])
@pytest.mark.parametrize("loss", ["gamma", "asymmetric", "log"])
def test_rows_without_a_base_do_not_stop_the_others_from_teaching(network: str, loss: str) -> None:
    given = forecaster(network, base=Holey(), options=replace(SHORT, loss=loss, under_weight=3.0))
    fitted = fit(given)
    assert all(np.isfinite([epoch.head_loss, epoch.tail_loss]).all() for epoch in fitted.lived[0].epochs)
    assert all(np.isfinite(weights).all() for weights in fitted.members[0].values())
    assert fitted.lived[0].kept > 0
