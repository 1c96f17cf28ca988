"""Stored models answer as before; what cannot be trusted is refused; and a linear model needs no torch."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from chain.errors import InputError, SchemaError
from models.baselines.gamma_glm import GammaGlm
from models.forecaster import Fitted
from models.panel import Panel
from models.samples import Samples
from models.store import Card, hash_of, load, save
from models.task import Task
from tests.models.network_worlds import SHORT, forecaster, world

ROOT = Path(__file__).resolve().parents[2]
CARD = Card(
    "a model", Task(), ("z", "noise"), "ab" * 32, 1_600_000_000, 7, {"QLIKE, validation": 0.45}, ("For tests.",)
)


def glm() -> Fitted:
    return GammaGlm("glm", ("z", "noise", "holes"), ("z",)).fit(world(), None, np.random.default_rng(0))


def network(name: str) -> Fitted:
    on_glm = replace(forecaster(name, options=SHORT), base=GammaGlm("glm", ("z", "noise"), ("z",)))
    return on_glm.fit(world(), None, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["glm", "mlp", "graph-lstm"])
def test_a_model_that_was_read_back_answers_to_the_last_bit(name: str, tmp_path: Path) -> None:
    fitted = glm() if name == "glm" else network(name)
    save(tmp_path, fitted, CARD)
    again, card = load(tmp_path)
    assert card == CARD
    assert type(again) is type(fitted)
    assert again.predict(world()).tobytes() == fitted.predict(world()).tobytes()
    save(tmp_path / "second", again, card)
    for file in ("model.safetensors", "card.json", "card.md"):
        assert (tmp_path / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_the_file_says_what_it_is_to_any_reader(tmp_path: Path) -> None:
    save(tmp_path, network("mlp"), CARD)
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        record = json.loads(file.metadata()["aftershock"])
    assert record["card"]["task"]["horizon_hours"] == 24
    assert record["card"] == json.loads((tmp_path / "card.json").read_text())
    assert record["model"]["class"] == "models.networks.forecaster:NetworkFitted"
    text = (tmp_path / "card.md").read_text()
    for said in (
        "# a model",
        "24 hours ahead",
        "2020-09-13T12:26:40 UTC",
        "ab" * 32,
        "| QLIKE, validation | 0.45 |",
        "For tests.",
    ):
        assert said in text


def changed(folder: Path, change: dict[str, object]) -> None:
    """The header with some fields changed."""
    path = folder / "model.safetensors"
    with safe_open(path, framework="numpy") as file:
        record = json.loads(file.metadata()["aftershock"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(arrays, path, {"aftershock": json.dumps(record | change)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"schema": "aftershock-model/0"},
            "of schema 'aftershock-model/0', this version reads 'aftershock-model/1'; train",
        ),
        ({"model": {"class": "os:path", "fields": {}}}, "os:path is no class of models"),
        ({"model": {"class": "models.store:save", "fields": {}}}, "is no dataclass"),
        ({"model": {"class": "models.gone:Gone", "fields": {}}}, "models.gone"),
        ({"model": {"class": "models.baselines.gamma_glm:FittedGlm", "fields": {"new": 1}}}, "unexpected keyword"),
        ({"model": {"array": "lost"}}, "lost"),
        ({"model": {"odd": 1}}, "fields odd is not known"),
        ({"card": {}}, "does not hold the model"),
    ],
)
def test_another_schema_is_refused(change: dict[str, object], said: str, tmp_path: Path) -> None:
    save(tmp_path, glm(), CARD)
    changed(tmp_path, change)
    with pytest.raises(SchemaError, match=said):
        load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cutoff_s", "x"),
        ("cutoff_s", 1e9),
        ("cutoff_s", 10**30),
        ("scores", {"QLIKE": "bad"}),
        ("scores", {"QLIKE": None}),
        ("scores", [1]),
        ("notes", [1]),
        ("features", [None]),
        ("name", 7),
        ("caption", ["invented"]),
    ],
)
def test_a_card_that_was_written_by_hand_is_refused_by_field_and_value(
    field: str, value: object, tmp_path: Path
) -> None:
    save(tmp_path, glm(), CARD)
    record = json.loads((tmp_path / "card.json").read_text())
    changed(tmp_path, {"card": record})
    assert load(tmp_path)[1] == CARD, "a card from before there were captions has none"
    changed(tmp_path, {"card": record | {field: value}})
    with pytest.raises(SchemaError, match=rf"\({field} of its card is .*\); train the model again"):
        load(tmp_path)


def test_a_header_that_is_no_record_is_refused(tmp_path: Path) -> None:
    for text in ("[1]", "null", '"aftershock-model/1"'):
        save_file({"a": np.zeros(2)}, tmp_path / "model.safetensors", {"aftershock": text})
        with pytest.raises(SchemaError, match="is of schema None"):
            load(tmp_path)


def test_damage_and_absence_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="or train one"):
        load(tmp_path)
    save(tmp_path, glm(), CARD)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SchemaError, match="no model that can be read"):
        load(tmp_path)
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(SchemaError, match="schema None"):
        load(tmp_path)


def test_what_cannot_be_stored_leaves_nothing_behind(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Strange(Fitted):
        secret: object

        def predict(self, samples: Samples) -> np.ndarray:
            return samples.y

    with pytest.raises(InputError, match="model is a Strange"):
        save(tmp_path / "out", Strange(object()), CARD)
    with pytest.raises(InputError, match="leave out what was not measured"):
        save(tmp_path / "out", glm(), replace(CARD, scores={"QLIKE": float("nan")}))
    assert not (tmp_path / "out").exists()


def test_the_hash_is_that_of_the_bars() -> None:
    bars = np.arange(10.0).reshape(5, 2) + 1
    panel = Panel(("A", "B"), np.arange(5) * 3600, bars, bars, bars, bars, bars, 3600)
    holed = replace(panel, close=np.where(bars > 9, np.nan, bars))
    other_nan = replace(panel, close=np.where(bars > 9, -np.float64("nan"), bars))
    hashes = [
        hash_of(one) for one in (panel, holed, replace(panel, assets=("A", "C")), replace(panel, end_s=panel.end_s + 1))
    ]
    assert len(set(hashes)) == 4
    assert hash_of(other_nan) == hash_of(holed)
    assert hash_of(replace(panel, notes=("read twice",))) == hash_of(panel)


WITHOUT_TORCH = """
import sys
from pathlib import Path
import models.features, models.features.past, models.networks.relations, models.networks.shape, models.tuning
from models.store import load
fitted, card = load(Path(sys.argv[1]))
assert type(fitted).__name__ == "FittedGlm"
assert not {"torch", "torch_geometric"} & set(sys.modules), "torch was imported"
"""


def test_a_linear_model_is_read_without_torch(tmp_path: Path) -> None:
    save(tmp_path, glm(), CARD)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
