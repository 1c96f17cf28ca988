"""Learning the weights of one network: fixed seed, early stopping on the end of the training window, a checkpoint every epoch, resumable.

One thread computes and every epoch draws from a seed of its own, so the weights depend on data, options and seed alone: not on the
number of cores, and not on whether the run was interrupted. (A run stopped by its time limit depends on the clock, and says so.)
"""

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chain.errors import InputError, SchemaError
from models.digests import digest
from models.losses import Loss, loss_of
from models.networks.batches import GraphBatches
from models.networks.build import corrections
from models.networks.relations import Ints
from models.task import Task


@dataclass(frozen=True)
class TrainingOptions:
    """How a network learns.

    Attributes
    ----------
    loss, under_weight, levels : see `models.losses`; levels only for "quantile".
    epochs : at most so many passes over the training window.
    patience : stop after so many epochs without a better loss on the tail.
    tail_share : share of the instants, the last ones, that choose the epoch and teach nothing.
    batch : instants in one step; each brings all its assets.
    learning_rate, weight_decay : of AdamW.
    members : networks with different seeds whose log forecasts are averaged.
    limit_s : seconds after which a fit of all members ends with the best weights so far.
    """

    loss: str = "gamma"
    under_weight: float = 1.0
    levels: tuple[float, ...] = ()
    epochs: int = 40
    patience: int = 6
    tail_share: float = 0.15
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    members: int = 3
    limit_s: float = 360.0

    def __post_init__(self) -> None:
        """Raises InputError for an option that cannot be."""
        loss_of(self.loss, under_weight=self.under_weight, levels=self.levels)
        if min(self.epochs, self.patience, self.batch, self.members) < 1:
            raise InputError("epochs, patience, batch and members of a training must each be at least 1.")
        if not 0 < self.tail_share < 1 or self.learning_rate <= 0 or self.weight_decay < 0 or self.limit_s <= 0:
            raise InputError(
                "tail_share must lie between 0 and 1, learning_rate and limit_s above 0, and weight_decay must not be negative."
            )

    @property
    def outputs(self) -> int:
        """Numbers that the network answers for each asset."""
        return len(self.levels) if self.loss == "quantile" else 1


@dataclass(frozen=True)
class Lesson:
    """What is learnt from, by instant (A) and asset (N).

    Attributes
    ----------
    task : what is learnt; it stands in every checkpoint.
    as_of_s : (A,), rising.
    x : scaled features, float32, (A, N, F).
    offset : log variance of the base, (A, N).
    y : outcomes, (A, N); NaN where unknown.
    """

    task: Task
    as_of_s: Ints
    x: NDArray[np.float32]
    offset: NDArray[np.float32]
    y: NDArray[np.float32]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where the outcome and the base's forecast are both there."""
        return np.isfinite(self.y) & np.isfinite(self.offset)

    def split(self, tail_share: float) -> tuple[Ints, Ints]:
        """Rows that teach, and the last ones that choose the epoch. In between lies a horizon, so that no outcome is in both.

        Raises
        ------
        InputError : one of the two would be empty.
        """
        rows = np.flatnonzero(self.known.any(axis=1))
        first = len(rows) - max(1, round(len(rows) * tail_share))
        tail = rows[first:]
        head = rows[self.as_of_s[rows] + self.task.horizon_s <= self.as_of_s[tail[0]]] if len(tail) else rows
        if not len(head) or not len(tail):
            raise InputError(
                f"{len(rows)} instants with a known outcome are too few to learn from and to choose by; give a longer history."
            )
        return head, tail


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Epoch 0 is the untrained network, which is the base itself; losses are means over rows."""

    member: int
    epoch: int
    head_loss: float
    tail_loss: float
    seconds: float


@dataclass(frozen=True)
class Lived:
    """How a training went: its epochs, the one whose weights were kept, and why it ended ("patience", "epochs" or "time")."""

    epochs: tuple[Epoch, ...]
    kept: int
    ended: str


UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    pickle.UnpicklingError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
"""What torch, and the walk through what it read, raise for a file that is no checkpoint of ours."""
Report = Callable[[Epoch], None]
Weights = dict[str, NDArray[np.float32]]


def learn(
    network: nn.Module,
    graphs: GraphBatches | None,
    lesson: Lesson,
    options: TrainingOptions,
    seed: int,
    *,
    member: int = 0,
    report: Report | None = None,
    checkpoint: Path | None = None,
    limit_s: float | None = None,
) -> tuple[Weights, Lived]:
    """Teach a network, in place, and hand back the weights of the epoch with the least loss on the tail.

    Parameters
    ----------
    network : untrained, see `models.networks.build`.
    seed : decides the order of the batches and what dropout leaves out.
    report : told after every epoch.
    checkpoint : a file written after every epoch. If it is there, learning goes on where it stopped, or starts anew where it has more epochs than are asked for; the weights come out the same to the bit.
    limit_s : seconds for this member; that of the options if None.

    Raises
    ------
    InputError : too few instants; or the checkpoint was made from other data, options or seed.
    SchemaError : the checkpoint cannot be read.
    """
    head, tail = lesson.split(options.tail_share)
    loss = loss_of(options.loss, under_weight=options.under_weight, levels=options.levels)
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    step = _Step(network, graphs, lesson, loss)
    print_of = _fingerprint(network, lesson, graphs, options, seed)
    limit = options.limit_s if limit_s is None else limit_s
    with one_thread(), torch.random.fork_rng(devices=[]):
        kept = None
        if checkpoint is not None and checkpoint.exists():
            kept = _resume(checkpoint, print_of, options.epochs, network, optimiser)
        if kept is not None:
            epochs, best = kept
        else:
            epochs = [Epoch(member, 0, step.mean(head, options.batch), step.mean(tail, options.batch), 0.0)]
            best = _copy(network)
        while not (ended := _ended(epochs, options, limit)):
            started, number = time.monotonic(), len(epochs)
            head_loss = _pass(step, optimiser, head, options.batch, seed, number)
            tail_loss = step.mean(tail, options.batch)
            if tail_loss < min(epoch.tail_loss for epoch in epochs):
                best = _copy(network)
            epochs.append(Epoch(member, number, head_loss, tail_loss, time.monotonic() - started))
            if checkpoint is not None:
                _save(checkpoint, print_of, lesson.task, network, optimiser, epochs, best)
            if report is not None:
                report(epochs[-1])
        network.load_state_dict(best)
    return to_arrays(best), Lived(tuple(epochs), _kept(epochs), ended)


class _Step:
    """The loss of some instants, with or without what a gradient needs."""

    def __init__(self, network: nn.Module, graphs: GraphBatches | None, lesson: Lesson, loss: Loss) -> None:
        self.network, self.graphs, self.lesson, self.loss = network, graphs, lesson, loss
        self.x, self.y = torch.from_numpy(lesson.x), torch.from_numpy(lesson.y)
        self.known = torch.from_numpy(lesson.known)
        # A row without a base counts for nothing, but 0 times NaN is NaN in a gradient.
        self.offset = torch.from_numpy(np.nan_to_num(lesson.offset))

    def __call__(self, rows: Ints) -> Tensor:
        at = torch.from_numpy(rows)
        answered = corrections(self.network, self.graphs, self.lesson.as_of_s[rows], self.x[at])
        return self.loss(answered + self.offset[at].unsqueeze(-1), self.y[at], self.known[at])

    def mean(self, rows: Ints, batch: int) -> float:
        """The mean loss over rows, nothing learnt."""
        self.network.eval()
        with torch.inference_mode():
            parts = [rows[start : start + 4 * batch] for start in range(0, len(rows), 4 * batch)]
            weights = [int(self.known[torch.from_numpy(part)].sum()) for part in parts]
            total = sum(weight * float(self(part)) for weight, part in zip(weights, parts, strict=True))
        return total / sum(weights)


def _pass(step: _Step, optimiser: torch.optim.Optimizer, head: Ints, batch: int, seed: int, number: int) -> float:
    """One pass over the head in an order drawn from (seed, epoch); the mean loss on the way."""
    rng = np.random.default_rng((seed, number))
    torch.manual_seed(int(rng.integers(2**62)))
    step.network.train()
    order, losses = rng.permutation(head), []
    for start in range(0, len(order), batch):
        optimiser.zero_grad()
        loss = step(np.sort(order[start : start + batch]))
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(step.network.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def _kept(epochs: list[Epoch]) -> int:
    return min(range(len(epochs)), key=lambda number: epochs[number].tail_loss)


def _ended(epochs: list[Epoch], options: TrainingOptions, limit_s: float) -> str:
    """Why no further epoch is made; empty if one is."""
    if len(epochs) - 1 - _kept(epochs) >= options.patience:
        return "patience"
    if len(epochs) > options.epochs:
        return "epochs"
    return "time" if sum(epoch.seconds for epoch in epochs) >= limit_s else ""


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def to_arrays(state: dict[str, Tensor]) -> Weights:
    """Weights by name, as arrays."""
    return {name: value.numpy().copy() for name, value in state.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread: sums have one order on every machine, and small matrices are no slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fingerprint(
    network: nn.Module, lesson: Lesson, graphs: GraphBatches | None, options: TrainingOptions, seed: int
) -> str:
    """A hash of all that decides the weights, except how long is learnt and the last bits of numbers (`models.digests`)."""
    said = {name: value for name, value in vars(options).items() if name not in ("epochs", "limit_s", "members")}
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    edges = [edges for graph in graphs.history.graphs for edges in graph] if graphs is not None else []
    around = [nodes.x for nodes in graphs.history.others] if graphs is not None else []
    return digest(
        (sorted(said.items()), seed, lesson.task.horizon_s, shapes),
        *(lesson.as_of_s, lesson.x, lesson.offset, lesson.y),
        *(array for each in edges for array in (each.ends, each.values)),
        *around,
    )


def _save(
    path: Path,
    print_of: str,
    task: Task,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    epochs: list[Epoch],
    best: dict[str, Tensor],
) -> None:
    """Write the checkpoint beside the old one, then put it in its place: a run that dies here leaves a whole file."""
    state: dict[str, Any] = {
        "made_from": print_of,
        "task": task.as_record(),
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "epochs": [tuple(vars(epoch).values()) for epoch in epochs],
        "best": best,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def _resume(
    path: Path, print_of: str, most: int, network: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[list[Epoch], dict[str, Tensor]] | None:
    """What a checkpoint holds; None, and nothing is touched, if it has learnt for more epochs than `most`: the weights of fewer are not in it."""
    try:
        state = torch.load(path, weights_only=True)
        made_from, epochs = state["made_from"], [Epoch(*row) for row in state["epochs"]]
        weights, learner, best = (state[name] for name in ("network", "optimiser", "best"))
    except UNREADABLE as error:  # whose words are about pickles and torch, or nothing but a number
        raise SchemaError(
            f"{path} is no checkpoint of a training that can be read; delete it to start anew."
        ) from error
    if made_from != print_of:
        raise InputError(
            f"{path} was made from other data, options or seed; delete it, or name another folder for checkpoints."
        )
    if len(epochs) - 1 > most:
        return None
    network.load_state_dict(weights)
    optimiser.load_state_dict(learner)
    return epochs, best
