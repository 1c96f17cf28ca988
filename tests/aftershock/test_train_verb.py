"""`aftershock train volatility`: what is written answers, is scored on an end that it had not seen, and comes out the same however often it was stopped."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aftershock
from aftershock.forecasting.forecasts import forecast, models_for
from aftershock.forecasting.hourly_prices import Priced, read_prices
from aftershock.forecasting.learners import learner_of
from aftershock.forecasting.training import Wish, lessons_of, train_volatility
from chain.errors import InputError
from models.answering import OfAssets
from models.baselines.har import har_models
from models.features import price_samples
from models.line_up import glm
from models.panel import Panel
from models.scores import qlike
from models.store import hash_of
from models.task import Task
from tests.aftershock.command import Ask
from tests.aftershock.forecast_inputs import frame_of
from tests.models.drawn_panel import START_S, drawn_panel
from tests.processes import heeds_ctrl_c

ROOT = Path(__file__).resolve().parents[2]
SMALL = Wish("mlp", epochs=4, members=2, seed=3)


def told_panel(days: int = 120, seed: int = 5) -> Panel:
    """Bars whose variance of a day depends on the square of a sentiment that the file tells when the day begins: a line cannot read it, a network can."""
    rng = np.random.default_rng(seed)
    hours, assets = 24 * days, ("BTC", "ETH", "AAA")
    end = START_S + 3_600 * np.arange(1, hours + 1, dtype=np.int64)
    told = rng.standard_normal((days + 1, len(assets)))[(end - START_S) // 86_400]
    ruling = np.vstack([told[:1], told[:-1]])  # a bar that ends at midnight already tells of the day that begins
    deviation = 0.005 * np.exp(0.35 * (ruling**2 - 1))
    steps = deviation[:, :, None] * rng.standard_normal((*deviation.shape, 6)) / np.sqrt(6)
    path = np.cumsum(steps.transpose(0, 2, 1).reshape(-1, len(assets)), axis=0).reshape(hours, 6, -1)
    start = np.vstack([np.zeros((1, len(assets))), path[:-1, -1]])
    high, low = np.maximum(path.max(axis=1), start), np.minimum(path.min(axis=1), start)
    opens, highs, lows, closes = (np.exp(values) for values in (start, high, low, path[:, -1]))
    return Panel(assets, end, opens, highs, lows, closes, np.ones_like(high), 3_600, extras={"sentiment": told})


@pytest.fixture(scope="module")
def priced() -> Priced:
    return Priced(told_panel(), "drawn")


@pytest.fixture(scope="module")
def undisturbed(priced: Priced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = train_volatility(priced, folder, SMALL)
    # or the bytes below would say nothing about weights
    assert "mlp on gamma GLM" in done.names and not any("nothing was learnt" in note for note in done.card.notes)
    return folder


def model_bytes(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "volatility_24h").iterdir())]


def test_what_is_written_answers_and_its_card_says_what_it_is(priced: Priced, tmp_path: Path) -> None:
    done = train_volatility(priced, tmp_path, Wish("glm"))
    found = forecast(priced, models=tmp_path)
    assert set(found.table["model"]) == {done.names[0]} and len(found.table) == 3
    fitted, card = models_for(tmp_path, 24)
    assert card.data_hash == hash_of(priced.panel) and card.task.horizon_hours == 24
    assert card.cutoff_s == priced.panel.end_s[-1] and fitted.names == done.names
    text = (done.folder / "card.md").read_text()
    assert text.startswith(f"# volatility, 24 h, {set(found.table['model']).pop()}\n"), (
        "the headline names what answers"
    )
    assert "3 assets (BTC, ETH, AAA), 2,880 hourly bars" in text and "held-out end from" in text
    assert [one["qlike_to_log_har"] for one in found.answered_by()] == [
        card.scores[name] for name in card.scores if name.endswith(done.names[0])
    ]
    assert not (tmp_path / "checkpoints").exists()


def test_the_scores_are_those_of_models_that_had_not_seen_the_end(priced: Priced, tmp_path: Path) -> None:
    """Put together once more by hand: the last fifth of the instants is judged by models fitted to outcomes known when it begins."""
    done = train_volatility(priced, tmp_path, Wish("glm"))
    task = Task()
    model = replace(glm(24), features=(*glm(24).features, "sentiment"))
    samples = price_samples(priced.panel, task, int(priced.panel.end_s[0]), int(priced.panel.end_s[-1]) + 1)
    with_outcome = samples.as_of_s[np.isfinite(samples.y).any(axis=1)]
    cut = int(with_outcome[-round(0.2 * len(with_outcome))])
    train, late = samples.known_by(cut), samples.at(samples.as_of_s >= cut)
    rng = np.random.default_rng(0)
    losses = {one.name: qlike(late.y, one.fit(train, None, rng).predict(late)) for one in (model, har_models(24)[1])}
    known = np.isfinite(losses["gamma GLM"]) & np.isfinite(losses["log-HAR"])
    expected = losses["gamma GLM"][known].mean() / losses["log-HAR"][known].mean()
    found = next(value for name, value in done.card.scores.items() if name.endswith(", gamma GLM"))
    assert found == pytest.approx(expected, rel=1e-9) and known.sum() > 100


def test_a_regression_on_closes_reads_what_else_the_file_has(priced: Priced, tmp_path: Path) -> None:
    """On closes the plain candidate has the learner's name: the learner is the one that counts."""
    none = np.full_like(priced.panel.close, np.nan)
    closes = replace(priced.panel, open=none, high=none, low=none, volume=none)
    done = train_volatility(Priced(closes, "drawn"), tmp_path, Wish("glm"))
    fitted, _ = models_for(tmp_path, 24)
    [place] = [n for n, name in enumerate(fitted.names) if name == "gamma GLM on closes"]
    assert "sentiment" in fitted.models[place].features and done.names == fitted.names  # type: ignore[attr-defined]


def test_the_card_says_what_was_asked_for_what_was_chosen_and_how_short_the_end_is(
    priced: Priced, tmp_path: Path
) -> None:
    notes = train_volatility(priced, tmp_path, Wish("glm", 168, trials=2)).card.notes
    assert "Asked for: --model glm --horizon 168 --epochs 40 --members 3 --seed 0 --tune 2." in notes
    [chosen] = [note for note in notes if note.startswith("Chosen inside the training window by 2 trials: ridge ")]
    assert float(chosen.split("ridge ")[1].split()[0]) > 0
    # instants every six hours of 120 days less the last week: of 452 the last 90, whose outcomes reach over 29 days
    assert any("The held-out end is 4 times 168 hours long" in note for note in notes)


def test_a_network_that_learnt_nothing_does_not_answer(priced: Priced, tmp_path: Path) -> None:
    """Nothing is told here: a network that learns on the head by chance and on the whole window nothing is the regression, and the score of the head is not its own."""
    blind = Priced(replace(priced.panel, extras={}), "drawn")
    done = train_volatility(blind, tmp_path, Wish("mlp", epochs=1, members=1))
    assert done.card.name == f"volatility, 24 h, {done.names[0]}" and "mlp" not in done.card.name
    assert "mlp on gamma GLM" not in done.names and "gamma GLM" in done.names
    assert any("mlp on gamma GLM was asked for and learnt nothing from the whole" in note for note in done.card.notes)
    assert any("epoch 0 kept" in note for note in done.card.notes)


def test_stopped_after_any_epoch_it_comes_out_the_same_to_the_byte(
    priced: Priced, undisturbed: Path, tmp_path: Path
) -> None:
    def stop_at(said: str) -> None:
        def tell(text: str) -> None:
            if text.startswith(said):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_volatility(priced, tmp_path, SMALL, tell)
        assert not (tmp_path / "volatility_24h").exists()

    stop_at("held-out end: network 1 of 2, epoch 1")
    stop_at("held-out end: network 2 of 2, epoch 1")
    stop_at("whole window: network 1 of 2, epoch 4")
    heard: list[str] = []
    train_volatility(priced, tmp_path, SMALL, heard.append)
    assert [text[14:38] for text in heard if "epoch" in text] == [f"network 2 of 2, epoch {n}:" for n in range(1, 5)]
    assert model_bytes(tmp_path) == model_bytes(undisturbed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volatility_24h"]


def test_another_seed_gives_other_weights_and_other_prices_are_refused(
    priced: Priced, undisturbed: Path, tmp_path: Path
) -> None:
    train_volatility(priced, tmp_path, Wish("mlp", epochs=2, members=2, seed=4))
    assert model_bytes(tmp_path)[-1] != model_bytes(undisturbed)[-1]

    def stop(text: str) -> None:
        if "epoch 1" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_volatility(priced, tmp_path / "other", SMALL, stop)
    with pytest.raises(aftershock.AftershockError, match="made from other data, options or seed; delete it"):
        train_volatility(Priced(told_panel(seed=9), "x"), tmp_path / "other", SMALL)


def test_a_graph_network_answers_for_its_own_assets_and_is_silent_about_others(tmp_path: Path) -> None:
    """Asked about its assets in another order and one more, it answers what it answers for them alone."""
    panel = drawn_panel(70, ("BTC", "ETH", "AAA", "BBB"))
    own = panel.select(["BTC", "ETH", "AAA"])
    learner = learner_of("graph", own, 24, epochs=1, members=1)
    lessons = lessons_of(own, 24, learner.reads)
    fitted, said = learner.fit(lessons.samples.known_by(lessons.cut_s), 1, tmp_path, lambda _: None)
    mixed = panel.select(["BBB", "ETH", "BTC", "AAA"])
    # the market's features depend on who is there, so the same numbers are asked in another order
    straight = lessons.samples.at(lessons.samples.as_of_s >= lessons.cut_s)
    x = np.stack([straight.x[:, 0] * 0, straight.x[:, 1], straight.x[:, 0], straight.x[:, 2]], axis=1)
    turned = replace(straight, assets=mixed.assets, x=x, y=np.full(x.shape[:2], np.nan))
    answer = fitted.predict(turned)
    assert isinstance(fitted, OfAssets) and said[0].startswith("1 network of ")
    assert np.isnan(answer[:, 0]).all() and np.isfinite(answer[:, 1:]).mean() > 0.9
    np.testing.assert_array_equal(answer[:, [2, 1, 3]], fitted.predict(straight))


def test_tuning_stays_inside_the_training_window_and_is_kept(priced: Priced, tmp_path: Path) -> None:
    heard: list[str] = []
    train_volatility(priced, tmp_path, Wish("glm", trials=2), heard.append)
    assert [text[:21] for text in heard if "tuning" in text] == ["tuning, trial 1 of 2:", "tuning, trial 2 of 2:"]


def test_the_verb_writes_and_refuses(ask: Ask, bars: Path) -> None:
    done = ask("train", "volatility", "--out", "mine", "--model", "glm", "--json")
    record = json.loads(done.out)
    assert done.code == 0 and record["answers"] and "invented prices" in record["notes"][0]
    said = ask("forecast", "--model", "mine", "--json")
    found = json.loads(said.out)
    both = "invented prices, models trained on invented prices"
    assert found["caption"] == both and record["caption"] == "models trained on invented prices"
    own = ("forecast", "--prices", str(bars), "--stamp", "close")
    assert json.loads(ask(*own, "--model", "mine", "--json").out)["caption"] == "models trained on invented prices"
    assert json.loads(ask(*own, "--json").out)["caption"] == "", "what ships was trained on traded prices"
    assert ask(*own, "--model", "mine").out.strip().endswith("models trained on invented prices")
    assert found["answered_by"][0]["model"] == record["answers"][0]
    for words, message in (
        (("--model", "oracle"), "no model named"),
        (("--horizon", "5"), "train for 1, 24, 168 hours"),
        (("--epochs", "0"), "--epochs is 0; give at least 1"),
        (("--stamp", "open"), "name the file"),
    ):
        refused = ask("train", "volatility", "--out", "other", *words)
        assert refused.code == 2 and message in refused.err.lower().replace("\n", " "), refused.err
    printed = json.loads(ask("forecast", "--model", record["folder"], "--json").out)
    assert Path(record["folder"]).name == "volatility_24h" and printed == found
    refused = ask("forecast", "--model", record["folder"], "--horizon", "168")
    assert "there are models for 24 hours in mine/volatility_24h" in refused.err.replace("\n", " ")
    refused = ask("forecast", "--model", "mine", "--horizon", "168")
    assert refused.code == 2 and "there are models for 24 hours in mine" in refused.err.replace("\n", " ")
    few = ask("train", "volatility", "--out", "other", "--prices", "few.csv")
    assert few.code == 2 and not Path("other").exists()


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/models", "x" * 300])
def test_where_models_cannot_be_written_nothing_is_fitted(priced: Priced, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    told: list[str] = []
    with pytest.raises(InputError, match=r"--out .*; name a folder"):
        train_volatility(priced, tmp_path / out, SMALL, told.append)
    assert not told and [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_wish_that_few_prices_cannot_grant_leaves_no_folder(priced: Priced, tmp_path: Path) -> None:
    few = Priced(priced.panel.until(int(priced.panel.end_s[200])), "few")
    with pytest.raises(InputError, match="give a longer history"):
        train_volatility(few, tmp_path / "new" / "models", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_the_command_to_run_next_names_what_was_read(ask: Ask, panel: Panel) -> None:
    """What is printed is run as a shell would take it, and answers from the same files."""
    folder = Path("my files")
    folder.mkdir()
    frame = frame_of(panel)
    late = frame["timestamp"] > panel.end_s[-40 * 24]
    frame[late].to_parquet(folder / "late.parquet")
    frame[~late].to_parquet(folder / "early.parquet")
    read = ("--prices", str(folder / "late.parquet"), "--stamp", "close", "--history", str(folder / "early.parquet"))
    done = ask("train", "volatility", "--model", "glm", "--out", str(folder / "models"), *read)
    said = " ".join(done.out.split()).partition("next ")[2].partition(" sha256")[0]
    words = shlex.split(said)
    assert words[:2] == ["aftershock", "forecast"] and words[-6:] == list(read)
    asked = ask(*words[1:], "--json")
    assert asked.code == 0 and len(json.loads(asked.out)["forecasts"]) == 4


COMMAND = ["train", "volatility", "--model", "gru", "--epochs", "3", "--members", "1", "--seed", "1"]


@pytest.mark.verify
def test_a_process_that_was_ended_goes_on_to_the_same_bytes(priced: Priced, tmp_path: Path) -> None:
    """Ctrl-C while it learns for the held-out end, `kill -9` while it learns from the whole window."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    bars = tmp_path / "bars.parquet"
    frame_of(priced.panel).to_parquet(bars)

    def started(folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "aftershock", *COMMAND, "--prices", str(bars), "--stamp", "close"]
        return subprocess.Popen(
            [*command, "--out", str(tmp_path / folder)],
            cwd=ROOT,
            env=environment,
            preexec_fn=heeds_ctrl_c,
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    one = started("whole")
    assert "gru on gamma GLM" in one.communicate()[0] and one.returncode == 0
    assert any(name.startswith("gru") for name in models_for(tmp_path / "whole", 24)[0].names)
    for end, phase, code in ((signal.SIGINT, "held-out", 130), (signal.SIGKILL, "whole", -signal.SIGKILL)):
        other = started("ended")
        checkpoint = tmp_path / "ended" / "checkpoints" / "24h-gru" / phase / "member-0.pt"
        while not checkpoint.exists():
            assert other.poll() is None, other.communicate()
            time.sleep(0.02)
        other.send_signal(end)
        said = other.communicate()[1].replace("\n", " ")
        assert other.returncode == code and checkpoint.exists()
        assert ("the same command goes on from there" in said) == (end == signal.SIGINT)
        assert not (tmp_path / "ended" / "volatility_24h").exists()
    again = started("ended")
    again.communicate()
    assert again.returncode == 0
    assert model_bytes(tmp_path / "ended") == model_bytes(tmp_path / "whole")


def test_the_embedded_sample_is_what_its_maker_draws() -> None:
    from tests.devnet.sample_prices import drawn as sample

    panel = read_prices(None).panel
    ends = {name: float(panel.close[-1, n]) for n, name in enumerate(panel.assets)}
    frame = sample(ends, int(panel.end_s[-1]))
    for n, name in enumerate(panel.assets):
        own = frame[frame["symbol"] == name]
        for column in ("open", "high", "low", "close", "volume"):
            np.testing.assert_allclose(own[column], getattr(panel, column)[:, n], rtol=1e-9)
