"""Tuning stays inside its window, goes on where it stopped, and writes down what it chose."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chain.errors import InputError, SchemaError
from models.baselines.gamma_glm import GammaGlm
from models.forecaster import Fitted, Forecaster
from models.panel import FloatArray, Panel
from models.samples import Samples
from models.scores import qlike
from models.tuning import Between, OneOf, Space, Trial, Tuned, Values, folds, tune
from tests.models.network_worlds import DAY_S, SHORT, forecaster, world

SPACE: dict[str, Between | OneOf] = {"ridge": Between(1e-4, 10.0, log=True), "features": OneOf(("z", "noise"))}


def glm(values: Values) -> Forecaster:
    return GammaGlm("glm", (str(values["features"]), "holes"), (), float(values["ridge"]))


def tuned(folder: Path, samples: Samples | None = None, trials: int = 4, space: Space = SPACE, **more: object) -> Tuned:
    given: dict[str, object] = {"seed": 5, "study": folder / "study.db", "chosen": folder / "chosen.toml"} | more
    return tune(glm, space, samples or world(past=0), None, trials=trials, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tuned, list[Trial]]:
    """A study of four trials, undisturbed: its folder, what it found, and what it reported."""
    folder, seen = tmp_path_factory.mktemp("whole"), []  # type: ignore[var-annotated]
    return folder, tuned(folder, report=seen.append), seen


def test_it_chooses_what_helps_and_writes_it_down(whole: tuple[Path, Tuned, list[Trial]]) -> None:
    folder, found, seen = whole
    assert found.best.values["features"] == "z"
    assert [trial.number for trial in seen] == [1, 2, 3, 4]
    assert len({trial.values["ridge"] for trial in found.trials}) == 4
    assert found.best.qlike == min(trial.qlike for trial in found.trials)
    written = tomllib.loads((folder / "chosen.toml").read_text())
    assert written["values"] == found.best.values
    assert (written["trials"], written["seed"]) == (4, 5)
    assert written["window"].startswith("2020-09-13T12:26:40 to ")


def test_the_score_is_that_of_folds_fitted_by_hand(whole: tuple[Path, Tuned, list[Trial]]) -> None:
    samples, best = world(past=0), whole[1].best
    by_hand = []
    for start, stop in ((56, 68), (68, 80)):
        rows = np.arange(80)
        early = samples.at(rows < start)  # the outcome of the day before `start` ends when it starts
        late = samples.at((rows >= start) & (rows < stop))
        forecast = glm(best.values).fit(early, None, np.random.default_rng(0)).predict(late)
        by_hand.append(float(np.nanmean(qlike(late.y, forecast))))
    assert best.qlike == pytest.approx(np.mean(by_hand), rel=1e-9)


def test_an_interrupted_study_ends_like_an_undisturbed_one(
    whole: tuple[Path, Tuned, list[Trial]], tmp_path: Path
) -> None:
    class PowerCutError(Exception):
        pass

    def cut(trial: Trial) -> None:
        if trial.number == 2:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        tuned(tmp_path / "cut", report=cut)
    assert len(tuned(tmp_path / "cut", trials=2).trials) == 2
    assert tuned(tmp_path / "cut") == whole[1]
    assert (tmp_path / "cut" / "chosen.toml").read_bytes() == (whole[0] / "chosen.toml").read_bytes()


def test_a_smaller_budget_takes_what_a_study_of_it_would_have_taken(tmp_path: Path) -> None:
    """A study whose third trial is its best one, gone through whole, then asked for its first two."""
    longer = tuned(tmp_path / "longer", seed=2)
    assert longer.best.number == 3
    asked, fresh = (tuned(tmp_path / name, trials=2, seed=2) for name in ("longer", "fresh"))
    assert asked == fresh and asked.best.number == 2 and len(asked.trials) == 2
    written = [(tmp_path / name / "chosen.toml").read_bytes() for name in ("longer", "fresh")]
    assert written[0] == written[1]
    assert tuned(tmp_path / "longer", seed=2) == longer, "nothing of it is lost"


@pytest.mark.parametrize("content", [b"junk" * 1000, b"SQLite format 3\0" + b"junk" * 1000])
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study.db").write_bytes(content)
    with pytest.raises(SchemaError, match=r"study\.db is no study of tuning that can be read; delete it to start anew"):
        tuned(tmp_path)


def test_folds_score_what_was_not_known_when_they_were_fitted() -> None:
    samples = world(past=0)
    long = replace(samples, task=replace(samples.task, horizon_hours=72))
    for early, late in folds(long, 3, 0.3):
        assert int(early.as_of_s[-1]) + 3 * DAY_S == int(late.as_of_s[0])
    assert sum(len(late.as_of_s) for _, late in folds(long, 3, 0.3)) == 24
    with pytest.raises(InputError, match="too few for 3 folds"):
        folds(samples.at(np.arange(80) < 2), 3, 0.9)


def test_folds_are_cut_where_outcomes_are_known(tmp_path: Path) -> None:
    samples = world(past=0)  # 80 instants
    outcome = samples.y.copy()
    outcome[50:70] = np.nan
    holed = replace(samples, y=outcome)
    starts = [int(late.as_of_s[0]) for _, late in folds(holed, 2, 0.3)]  # of the 60 with an outcome the last 18
    assert starts == samples.as_of_s[[42, 71]].tolist()
    assert all(np.isfinite(late.y).any() for _, late in folds(holed, 2, 0.3))
    assert np.isfinite(tuned(tmp_path / "holed", holed, trials=1).best.qlike)


class Silent(Fitted):
    """A model that never has an answer."""

    name = "silent"

    def fit(self, train: Samples, panel: Panel | None, rng: np.random.Generator) -> "Silent":  # noqa: ARG002
        return self

    def predict(self, samples: Samples) -> FloatArray:
        return np.full(samples.y.shape, np.nan)


def test_a_fold_that_nobody_can_answer_ends_the_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing between \S+ \S+ and \S+ \S+ UTC can be scored"):
        study, chosen = tmp_path / "study.db", tmp_path / "chosen.toml"
        tune(lambda _: Silent(), SPACE, world(past=0), None, trials=1, study=study, chosen=chosen, seed=1)


def test_a_study_of_something_else_is_refused(whole: tuple[Path, Tuned, list[Trial]], tmp_path: Path) -> None:
    same = world(past=0)
    differently: list[dict[str, object]] = [
        {"samples": replace(same, x=1.01 * same.x)},
        {"samples": replace(same, y=1.01 * same.y)},
        {"samples": replace(same, task=replace(same.task, step_hours=12))},
        {"space": SPACE | {"ridge": Between(1e-4, 11.0, log=True)}},
        {"seed": 6},
    ]
    assert tuned(whole[0], trials=4).trials == whole[1].trials  # and the same is taken up
    for changes in differently:
        with pytest.raises(InputError, match=r"study\.db was made from other data"):
            tuned(whole[0], trials=1, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one trial"):
        tuned(tmp_path, trials=0)


def test_a_network_can_be_tuned(tmp_path: Path) -> None:
    def make(values: Values) -> Forecaster:
        options = replace(SHORT, learning_rate=float(values["learning_rate"]), epochs=int(values["epochs"]))
        return forecaster("mlp", options=options)

    space = {"learning_rate": Between(1e-3, 1e-1, log=True), "epochs": Between(1, 2, whole=True)}
    study, chosen = tmp_path / "study.db", tmp_path / "chosen.toml"
    found = tune(make, space, world(past=0), None, trials=1, study=study, chosen=chosen, seed=1)
    assert isinstance(tomllib.loads(chosen.read_text())["values"]["epochs"], int)
    assert found.best.qlike > 0
