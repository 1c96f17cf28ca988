"""Fitted models as files: weights in safetensors, everything else in the header, a card for people beside it. No torch.

A fitted model is a dataclass of arrays, plain values and other such dataclasses, so one walk writes any of them, and no code is stored:
what is read is the name of a class of `models`, and its fields. A network's own module, and with it torch, is imported only when a network is read.

The folder: `model.safetensors` (arrays, and as metadata the record), `card.json`, `card.md`.
"""

import hashlib
import importlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from chain.errors import InputError, SchemaError
from models.forecaster import Fitted
from models.panel import COLUMNS, Panel
from models.task import Task

SCHEMA = "aftershock-model/1"
MODEL, CARD, CARD_TEXT = "model.safetensors", "card.json", "card.md"
OWN = "models."
LATEST_S = 4_102_444_800
"""2100-01-01: no training saw a later price (`chain.files.frames.LAST_YEAR`)."""
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Card:
    """What a person, and whoever reads the model back, must know about it.

    Attributes
    ----------
    name : what tables call the model.
    features : names of the features that it reads, in order.
    data_hash : of the prices that it was fitted on, see `hash_of`.
    cutoff_s : the last instant of which anything was known when it was fitted, seconds UTC.
    seed : from which all that was drawn came.
    scores : figures by name, with what they were measured on in the name.
    notes : sentences: what it is for, what it is not for, what was not tried.
    caption : what must stand beside whatever it answers, empty for a model of a user's own prices (and in cards from before there was one).
    """

    name: str
    task: Task
    features: tuple[str, ...]
    data_hash: str
    cutoff_s: int
    seed: int
    scores: Mapping[str, float]
    notes: tuple[str, ...] = ()
    caption: str = ""


def hash_of(panel: Panel) -> str:
    """sha256 of a panel's clock, assets and numbers; the same bars give the same hash on any machine."""
    digest = hashlib.sha256(json.dumps([panel.assets, panel.bar_s]).encode())
    digest.update(np.ascontiguousarray(panel.end_s, dtype="<i8").tobytes())
    prices = [(b"", getattr(panel, name)) for name in COLUMNS]
    for name, given in (*prices, *((name.encode(), extra) for name, extra in panel.extras.items())):
        values = np.ascontiguousarray(given, dtype="<f8")
        digest.update(name)
        digest.update(np.where(np.isnan(values), np.nan, values).tobytes())
    return digest.hexdigest()


def hash_of_model(folder: Path) -> str:
    """sha256 of the file of a stored model: weights, class and card. InputError if it cannot be read."""
    try:
        return hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(
            f"{folder / MODEL} cannot be read; name the folder of a trained model, or train one."
        ) from error


def save(folder: Path, fitted: Fitted, card: Card) -> None:
    """Write a fitted model and its card; the same model gives the same bytes.

    Raises
    ------
    InputError : a part of the model is neither array, plain value nor dataclass of `models`; nothing is written.
    """
    arrays: Arrays = {}
    record = {"schema": SCHEMA, "card": _said(card), "model": _taken_apart(fitted, "model", arrays)}
    packed = to_bytes(arrays, {"aftershock": json.dumps(record, sort_keys=True, allow_nan=False)})
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / CARD, (json.dumps(record["card"], indent=2, sort_keys=True) + "\n").encode())
    _write(folder / CARD_TEXT, text_of(card).encode())
    _write(folder / MODEL, packed)


def load(folder: Path) -> tuple[Fitted, Card]:
    """Read a model back. What it was fitted for is in its card.

    Raises
    ------
    InputError : there is no model.
    SchemaError : the file is damaged, of another schema, or holds something that this version does not know.
    """
    path = folder / MODEL
    if not path.is_file():
        raise InputError(f"{path} is not there; name the folder of a trained model, or train one.")
    try:
        with safe_open(path, framework="numpy") as file:
            record = json.loads((file.metadata() or {}).get("aftershock", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise SchemaError(f"{path} is no model that can be read ({error}); take it from its source again.") from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise SchemaError(f"{path} is of schema {schema!r}, this version reads {SCHEMA!r}; train the model again.")
    try:
        card = _card_of(record["card"])
        fitted = _put_together(record["model"], arrays)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(OWN):
            raise SchemaError(
                f"{path} needs {error.name}, which this version does not have; train the model again."
            ) from error
        raise InputError(
            f"{path} holds a network, and answering needs {error.name}; install aftershock with its extra, aftershock[forecast]."
        ) from error
    except (KeyError, TypeError, AttributeError, ImportError, InputError) as error:
        raise SchemaError(
            f"{path} does not hold the model that its header describes ({error}); train the model again."
        ) from error
    return fitted, card


def text_of(card: Card) -> str:
    """The card as Markdown."""
    cut = np.datetime64(card.cutoff_s, "s")
    lines = [
        f"# {card.name}",
        "",
        f"Forecasts {card.task.target}, {card.task.horizon_hours} hours ahead, from bars of {card.task.bar_s} s.",
        f"Fitted on what was known by {cut} UTC; seed {card.seed}; sha256 of the bars and what stood beside them `{card.data_hash}`.",
        "",
        *[line for note in card.notes for line in (note, "")],
    ]
    if card.scores:
        lines += [
            "| figure | value |",
            "|---|--:|",
            *[f"| {name} | {value:.4g} |" for name, value in card.scores.items()],
            "",
        ]
    lines += [f"{len(card.features)} features: {', '.join(card.features)}.", ""]
    return "\n".join(lines)


def _said(card: Card) -> dict[str, Any]:
    for name, value in card.scores.items():
        if not math.isfinite(value):
            raise InputError(f"The figure {name!r} of the card is {value}; leave out what was not measured.")
    record = {**asdict(card), "scores": dict(card.scores)}
    return record if card.caption else {name: value for name, value in record.items() if name != "caption"}


def _card_of(record: Mapping[str, Any]) -> Card:
    """A card from its record; TypeError names the first field that is not what `Card` says."""
    given = {
        **record,
        "task": Task(**record["task"]),
        "features": tuple(record["features"]),
        "notes": tuple(record["notes"]),
    }
    card = Card(**given)
    for name, is_right in (
        ("name", isinstance(card.name, str)),
        ("features", all(isinstance(one, str) for one in card.features)),
        ("data_hash", isinstance(card.data_hash, str)),
        ("cutoff_s", type(card.cutoff_s) is int and 0 <= card.cutoff_s < LATEST_S),
        ("seed", type(card.seed) is int),
        ("scores", isinstance(card.scores, Mapping) and all(map(_is_number, card.scores.values()))),
        ("notes", all(isinstance(one, str) for one in card.notes)),
        ("caption", isinstance(card.caption, str)),
    ):
        if not is_right:
            raise TypeError(f"{name} of its card is {getattr(card, name)!r}")
    return card


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _taken_apart(value: Any, at: str, arrays: Arrays) -> Any:
    """A value as JSON; arrays go to `arrays`, and their name stands for them."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        arrays[at] = np.ascontiguousarray(value)
        return {"array": at}
    if isinstance(value, list | tuple):
        parts = [_taken_apart(part, f"{at}.{number}", arrays) for number, part in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": parts}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: _taken_apart(part, f"{at}.{key}", arrays) for key, part in value.items()}}
    kind = type(value)
    if is_dataclass(value) and kind.__module__.startswith(OWN):
        kept = {
            field.name: _taken_apart(getattr(value, field.name), f"{at}.{field.name}", arrays)
            for field in fields(value)
        }
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": kept}
    raise InputError(
        f"{at} is a {kind.__name__}, which cannot be stored; a fitted model holds arrays, plain values and dataclasses of models."
    )


def _put_together(value: Any, arrays: Arrays) -> Any:
    match value:
        case {"class": str(name), "fields": parts}:
            module, _, kind = name.partition(":")
            if not module.startswith(OWN):
                raise TypeError(f"{name} is no class of models")
            found = getattr(importlib.import_module(module), kind)
            if not (isinstance(found, type) and is_dataclass(found)):
                raise TypeError(f"{name} is no dataclass")
            return found(**{key: _put_together(part, arrays) for key, part in parts.items()})
        case {"array": str(name)}:
            return arrays[name]
        case {"float": str(text)}:
            return float(text)
        case {"list": parts}:
            return [_put_together(part, arrays) for part in parts]
        case {"tuple": parts}:
            return tuple(_put_together(part, arrays) for part in parts)
        case {"mapping": parts}:
            return {key: _put_together(part, arrays) for key, part in parts.items()}
        case dict():
            raise TypeError(f"a part with the fields {', '.join(value)} is not known")
    return value


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
